from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from simulator.announcements import Announcements
from simulator.control import (
    CONTROL_PATH,
    EVENTS_PATH,
    LEDGER_LINES,
    LOGON_PATH,
    STATUS_PATH,
    ControlServer,
)
from simulator.faults import CATALOGUE
from simulator.sockets import address_of, open_listener

FEED = "ws://127.0.0.1:4509"


class MadeUpControls:
    """Controls of a replay that does not exist; it takes only the command `{"command": "ok"}`."""

    def __init__(self) -> None:
        self.announcements = Announcements(lambda: 0)

    def status(self) -> Mapping[str, object]:
        """The same always."""
        return {"state": "playing", "speed": 60}

    async def command(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """Refuse all but one."""
        if body != {"command": "ok"}:
            raise ValueError(f"{dict(body)} found; ok expected")
        return {"state": "changed"}

    def market(self, find: str = "") -> Sequence[Mapping[str, object]]:
        """One instrument, whose symbol is what was looked for."""
        return [{"symbol": find}]

    def clients(self) -> Sequence[Mapping[str, object]]:
        """None."""
        return []

    async def density(self) -> Mapping[str, object]:
        """Nothing but updates."""
        return {"updates": [1, 2]}

    def faults(self) -> Sequence[Mapping[str, object]]:
        """One."""
        return [{"number": 1, "name": "drop"}]

    async def ledger(self, after: int, limit: int) -> bytes:
        """One line, that says what was asked for."""
        return json.dumps({"n": after + 1, "limit": limit}).encode() + b"\n"


@pytest.fixture
def controls() -> MadeUpControls:
    """What the control port shows."""
    return MadeUpControls()


@pytest.fixture
async def url(controls: MadeUpControls) -> AsyncIterator[str]:
    """The URL of a control port whose replay is made up."""
    control = ControlServer(feed_url=FEED, controls=controls)
    listener = open_listener("127.0.0.1", 0, option="--control-port")
    url = f"http://{address_of(listener, '127.0.0.1')}"
    await control.start(listener, url)
    yield url
    await control.close()


async def ask(url: str, body: bytes | None = None, **more: str) -> tuple[int, Any]:
    """Return the status and the JSON of an answer; a body makes it a POST, ``more`` are headers."""

    def blocking() -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "x-api-key": "K"} | more
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


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [("/fault", 404, "/faults"), (LOGON_PATH, 405, "POST expected")],
)
async def test_other_requests_are_refused(url: str, path: str, status: int, expected: str) -> None:
    """An unknown path, and the right path with the wrong method; told what would be right."""
    found, answer = await ask(url + path)
    assert f"{path} found" in answer["message"]
    assert expected in answer["message"]
    assert found == status
    assert answer["status"] == "error"


async def test_signals_stay_with_the_program() -> None:
    """The HTTP server does not take Ctrl-C for itself."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    control = ControlServer(feed_url=FEED, controls=MadeUpControls())
    listener = open_listener("127.0.0.1", 0, option="--control-port")
    await control.start(listener, "http://unused")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    await control.close()
    await control.close()


async def test_a_command_is_passed_on(url: str) -> None:
    """Its answer is how the replay stands after it; a refusal says what was expected."""
    assert await ask(url + CONTROL_PATH, b'{"command": "ok"}') == (200, {"state": "changed"})
    status, answer = await ask(url + CONTROL_PATH, b'{"command": "jump"}')
    assert status == 400
    assert answer == {"status": "error", "message": "{'command': 'jump'} found; ok expected"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"], ids=range(4))
async def test_what_is_no_object_is_no_command(url: str, body: bytes) -> None:
    """With 400, and an example."""
    status, answer = await ask(url + CONTROL_PATH, body)
    assert status == 400
    assert '{"command": "pause"}' in answer["message"]


async def test_a_long_command_is_refused(url: str) -> None:
    """Before it is held in memory."""
    assert (await ask(url + CONTROL_PATH, b" " * 70_000))[0] == 413


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://localhost:3000", None, 200),
        ("http://[::1]:4510", None, 200),
        ("http://192.168.1.5:4510", "192.168.1.5:4510", 200),
        ("http://192.168.1.5:80", "192.168.1.5:4510", 403),
        ("http://rebound.example:4510", "rebound.example:4510", 403),
        ("https://elsewhere.example", None, 403),
        ("null", None, 403),
        ("http://[", None, 403),
    ],
)
async def test_pages_from_elsewhere_control_nothing(
    url: str, origin: str, host: str | None, status: int
) -> None:
    """A browser may send commands for our own page and for pages on loopback alone."""
    more = {"Origin": origin} | ({} if host is None else {"Host": host})
    assert (await ask(url + CONTROL_PATH, b'{"command": "ok"}', **more))[0] == status


async def test_what_the_page_shows(url: str) -> None:
    """The market as searched, the clients, how busy the window is."""
    assert await ask(url + "/market?find=REL") == (200, [{"symbol": "REL"}])
    assert await ask(url + "/clients") == (200, [])
    assert await ask(url + "/density") == (200, {"updates": [1, 2]})


async def test_the_faults(url: str) -> None:
    """Each kind with its options, bounds and usual length; and what runs or is planned."""
    status, answer = await ask(url + "/faults")
    assert status == 200
    assert answer["faults"] == [{"number": 1, "name": "drop"}]
    kinds = {kind["name"]: kind for kind in answer["catalogue"]}
    assert list(kinds) == [fault.name for fault in CATALOGUE]
    assert kinds["reset"]["lasts_s"] == 0
    assert kinds["drip"]["options"][0] == {
        "name": "bytes",
        "unit": "bytes at a time",
        "default": 64,
        "least": 1,
        "most": 1_000_000,
    }


async def test_the_ledger_is_asked_for_in_parts(url: str) -> None:
    """As lines of JSON, behind a number, and never too many."""

    def blocking(query: str) -> tuple[str, Any]:
        with urllib.request.urlopen(f"{url}/ledger{query}", timeout=10) as answer:
            return answer.headers["Content-Type"], json.loads(answer.read())

    kind, line = await asyncio.to_thread(blocking, "")
    assert kind == "application/x-ndjson"
    assert line == {"n": 1, "limit": LEDGER_LINES}
    assert (await asyncio.to_thread(blocking, "?after=41&limit=7"))[1] == {"n": 42, "limit": 7}
    more = f"?limit={LEDGER_LINES + 1}"
    assert (await asyncio.to_thread(blocking, more))[1]["limit"] == LEDGER_LINES
    for wrong in ("after=-1", "after=x", "limit=0", "limit="):
        status, answer = await ask(f"{url}/ledger?{wrong}")
        assert status == 400
        assert "expected" in answer["message"]


async def test_the_page_loads_nothing_from_elsewhere(url: str) -> None:
    """It is one file, and its browser is told to keep it so."""

    def blocking() -> tuple[str, str]:
        with urllib.request.urlopen(url + "/", timeout=10) as answer:
            return answer.headers["Content-Security-Policy"], answer.read().decode()

    policy, page = await asyncio.to_thread(blocking)
    assert "default-src 'none'" in policy
    assert page.startswith("<!doctype html>")
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


async def test_events_are_told_until_the_end(url: str, controls: MadeUpControls) -> None:
    """Those after the last one heard, then each as it happens; the port's end ends them."""
    controls.announcements.tell("started", {})
    controls.announcements.tell("paused", {})
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(
        f"GET {EVENTS_PATH} HTTP/1.1\r\nHost: {at.netloc}\r\nLast-Event-ID: 1\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"event: paused")
        assert b"text/event-stream" in head
        assert b"started" not in head
        controls.announcements.tell("seeked", {"left": "x"})
        await reader.readuntil(b"event: seeked")
        controls.announcements.close()
        rest = await reader.read()
    assert b'"left": "x"' in rest
    writer.close()
    await writer.wait_closed()
