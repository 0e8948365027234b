from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulator.control import LOGON_PATH, STATUS_PATH, ControlServer
from simulator.sockets import address_of, open_listener

FEED = "ws://127.0.0.1:4509"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The URL of a control port whose status is made up."""
    control = ControlServer(feed_url=FEED, status=lambda: {"state": "playing", "speed": 60})
    listener = open_listener("127.0.0.1", 0, option="--control-port")
    url = f"http://{address_of(listener, '127.0.0.1')}"
    await control.start(listener, url)
    yield url
    await control.close()


async def ask(url: str, body: bytes | None = None) -> tuple[int, Any]:
    """Return the status and the JSON of an answer; a body makes it a POST."""

    def blocking() -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "x-api-key": "K"}
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.headers["Content-Type"] == "application/json"
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    return await asyncio.to_thread(blocking)


async def test_anyone_can_log_on_and_learns_where_the_feed_is(url: str) -> None:
    """The answer has the shape that the published client reads, and says it is simulated."""
    body = {
        "user_id": "DEMO01",
        "login_type": "PASSWORD",
        "password": "whatever",
        "second_auth_type": "TOTP",
        "second_auth": "123456",
        "api_key": "K",
        "source": "MOBILEAPI",
    }
    status, answer = await ask(url + LOGON_PATH, json.dumps(body).encode())
    assert status == 200
    assert answer["status"] == "success"
    assert answer["data"]["user_id"] == "DEMO01"
    assert answer["data"]["access_token"]
    assert answer["data"]["others"] == {"broadCastSocket": FEED, "messageSocket": url}
    assert answer["data"]["simulated"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"user_id": 7}',
        b'{"user_id": ""}',
        b"\xff\xfe",
        b"[" * 60_000,
    ],
    ids=range(8),
)
async def test_a_logon_without_a_user_is_refused(url: str, body: bytes) -> None:
    """With 400 and a JSON body that says what was expected."""
    status, answer = await ask(url + LOGON_PATH, body)
    assert status == 400
    assert answer["status"] == "error"
    assert "user_id" in answer["message"]


async def test_a_long_body_is_refused(url: str) -> None:
    """Nobody makes the simulator hold more than a logon needs."""
    status, answer = await ask(url + LOGON_PATH, b'{"user_id": "' + b"x" * 70_000 + b'"}')
    assert status == 413
    assert answer["status"] == "error"


async def test_the_status_is_what_the_program_tells(url: str) -> None:
    """As JSON."""
    assert await ask(url + STATUS_PATH) == (200, {"state": "playing", "speed": 60})


@pytest.mark.parametrize(("path", "status"), [("/", 404), (LOGON_PATH, 405)])
async def test_other_requests_are_refused(url: str, path: str, status: int) -> None:
    """An unknown path, and the right path with the wrong method."""
    found, answer = await ask(url + path)
    assert found == status
    assert answer["status"] == "error"


async def test_signals_stay_with_the_program() -> None:
    """The HTTP server does not take Ctrl-C for itself."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    control = ControlServer(feed_url=FEED, status=dict)
    listener = open_listener("127.0.0.1", 0, option="--control-port")
    await control.start(listener, "http://unused")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    await control.close()
    await control.close()
