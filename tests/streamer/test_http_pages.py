"""The plain HTTP side of the port."""

from __future__ import annotations

import asyncio
import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from streamer.asyncapi import document
from streamer.http_pages import index_page
from streamer.odin.messages import LogonAnswer
from tests.streamer.desk import RELIANCE, SBIN, at, touchline
from tests.streamer.serving import Serving


async def test_health_is_503_with_the_reason_until_the_feed_is_there(tmp_path: Path) -> None:
    """A server without a feed says that it is not ready, and why."""
    async with Serving(tmp_path) as serving:
        status, headers, body = await serving.http("/api/health")
        report = json.loads(body)
        assert (status, report["status"]) == (503, "not_ready")
        assert headers["content-type"] == "application/json"
        assert report["checks"]["upstream"]["problem"] == "the feed is connecting"
        assert report["checks"]["clock"]["problem"] == "the feed has told no time yet"


async def test_health_is_200_when_all_is_well(tmp_path: Path) -> None:
    """Feed, store, calendar and clock: then it is ready."""
    async with Serving(tmp_path) as serving:
        serving.server.upstream("connected")
        serving.server.feed([LogonAnswer(10000, simulated=True, sent=at("10:00"))])
        status, _, body = await serving.http("/api/health")
        report = json.loads(body)
        assert (status, report["status"]) == (200, "ready")
        assert set(report["checks"]) == {"upstream", "store", "calendar", "clock"}
        assert all(check["ok"] for check in report["checks"].values())


async def test_stats_count(tmp_path: Path) -> None:
    """Clients, subscriptions and updates can be watched."""
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        async with serving.client() as client:
            await client.next()
            await client.subscribe("RELIANCE")
            serving.server.feed([touchline(lut=at("10:00"))])
            await client.until("market_data")
            status, _, body = await serving.http("/api/stats")
            stats = json.loads(body)
            assert status == 200
            assert stats["connections"] == stats["updates"] == stats["delivered"] == 1


async def test_the_protocol_is_told_for_programs(tmp_path: Path) -> None:
    """As the command prints it, and to pages of any origin: tools load it in a browser."""
    async with Serving(tmp_path) as serving:
        status, headers, body = await serving.http("/asyncapi.json")
        assert (status, headers["content-type"]) == (200, "application/json")
        assert headers["access-control-allow-origin"] == "*"
        assert json.loads(body) == document(version("odin-streamer"))


async def test_quotes_are_given_without_a_connection(tmp_path: Path) -> None:
    """By symbol, token or exchange; ampersands are escaped as in any address."""
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        serving.server.feed([touchline(lut=at("10:00"))])
        for stocks in ("RELIANCE,NOSUCH,M%26M", "2885,NOSUCH,M%26M", "2885&stocks=NOSUCH,+M%26M"):
            status, headers, body = await serving.http(f"/api/quotes?stocks={stocks}")
            answer = json.loads(body)
            assert (status, headers["content-type"]) == (200, "application/json")
            assert list(answer) == ["quotes", "failed_stocks"]
            assert [quote["ltp"] for quote in answer["quotes"]] == [1365.5]
            assert answer["failed_stocks"] == ["NOSUCH", "M&M"]


async def test_a_stock_that_nobody_subscribed_is_asked_of_the_feed(tmp_path: Path) -> None:
    """The answer waits for it, and the feed stays asked for a while."""
    async with Serving(tmp_path) as serving:
        serving.server.upstream("connected")
        serving.tell_time("20:00")
        asking = asyncio.create_task(serving.http("/api/quotes?stocks=SBIN,RELIANCE,NOSUCH"))
        await serving.wait_until(lambda: serving.asked >= {SBIN, RELIANCE})
        serving.server.feed([touchline(SBIN, lut=at("15:31"))])
        assert not asking.done()
        serving.server.feed([touchline(RELIANCE, lut=at("15:31"))])
        answer = json.loads((await asking)[2])
        assert [quote["symbol"] for quote in answer["quotes"]] == ["SBIN", "RELIANCE"]
        assert answer["failed_stocks"] == ["NOSUCH"]
        assert serving.asked >= {SBIN, RELIANCE}


async def test_a_feed_that_does_not_answer_holds_nobody_up_for_long(tmp_path: Path) -> None:
    """After a second the answer goes without, and without a feed at once."""
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        for state in ("connecting", "connected"):
            serving.server.upstream(state)
            _, _, body = await serving.http("/api/quotes?stocks=SBIN")
            assert json.loads(body) == {"quotes": [], "failed_stocks": ["SBIN"]}
            assert (SBIN in serving.asked) is (state == "connected")


@pytest.mark.parametrize("query", ["", "?stocks=", "?stocks=,%20,", "?stock=SBIN", "?&&&&&&&&&&&&"])
async def test_a_question_without_stocks_is_refused(tmp_path: Path, query: str) -> None:
    """With an example of what is expected."""
    async with Serving(tmp_path) as serving:
        status, _, body = await serving.http(f"/api/quotes{query}")
        assert status == 400
        assert "expected symbols or tokens" in json.loads(body)["message"]


async def test_the_page_is_served(tmp_path: Path) -> None:
    """``/`` is a page for people that no other site may frame or extend."""
    async with Serving(tmp_path) as serving:
        status, headers, body = await serving.http("/?from=bookmark")
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert body == index_page()
        assert "default-src 'none'" in headers["content-security-policy"]


async def test_head_has_the_headers_and_no_body(tmp_path: Path) -> None:
    """Monitors ask by HEAD."""
    async with Serving(tmp_path) as serving:
        status, headers, body = await serving.http("/", method="HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) == len(index_page())


async def test_other_methods_are_405(tmp_path: Path) -> None:
    """Nothing here can be posted."""
    async with Serving(tmp_path) as serving:
        status, headers, _ = await serving.http("/api/stats", method="POST")
        assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/favicon.ico", "/api", "/api/health/", "//", "/..", "*"])
async def test_anything_else_is_404(tmp_path: Path, path: str) -> None:
    """C-1: and the answer says what there is."""
    async with Serving(tmp_path) as serving:
        status, _, body = await serving.http(path)
        assert status == 404
        assert "/enhanced-stream" in json.loads(body)["message"]


def test_the_page_needs_no_network() -> None:
    """Everything the page shows is inside it: it loads nothing from anywhere."""
    page = index_page().decode()
    assert not re.search(r"""(src|href)\s*=\s*["'](https?:)?//""", page)
    assert not re.search(r"@import|url\(", page)
    assert 'name="viewport"' in page


def test_the_page_puts_no_text_of_others_into_markup() -> None:
    """What comes over the wire is shown as text, never as HTML."""
    page = index_page().decode()
    assert "innerHTML" not in page
    assert "insertAdjacentHTML" not in page
    assert "document.write" not in page
