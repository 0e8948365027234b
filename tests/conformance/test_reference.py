"""The reference server is correct by itself: what the judge is measured by, measured without it."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from tests.conformance.reference import breaks
from tests.conformance.reference.feed import Reader, encode
from tests.guide.page import ROOT
from tests.guide.program import Program
from tests.simulator.tapes import Row, write_tape

HOME: Final = Path(breaks.__file__).parent
CHAPTERS: Final = {
    *("CON", "SUB", "UNS", "QRY", "MSG", "DAT"),
    *("PER", "MKT", "ERR", "LIM", "RES", "WS"),
}
DEADLINE_S: Final = 30.0
CLOSE_MS: Final = (6 * 60 + 15) * 60_000

Message = dict[str, Any]

# Prices tell the rows apart: before the open, at it, at the close and after it.
TAPE: Final[list[Row]] = [
    (-2500, 2885, 101.0),
    (0, 2885, 102.0),
    (1500, 2885, 103.5),
    (1600, 3045, 800.05),
    (CLOSE_MS - 500, 2885, 104.0),
    (CLOSE_MS, 2885, 105.0),
    (CLOSE_MS + 1500, 2885, 106.0),
    (CLOSE_MS + 3500, 3045, 801.0),
]


class Feed:
    """A replay of the tape that stands still until it is told otherwise."""

    def __init__(self, program: Program) -> None:
        self.url = program.expect(r"ODIN feed +(ws://[^\s?]+)")[1]
        self._control = program.expect(r"Console +(http://\S+:\d+)/")[1]
        self.ask(command="pause")

    def ask(self, **command: object) -> None:
        """Give it one command."""
        request = urllib.request.Request(
            f"{self._control}/control",
            json.dumps(command).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            assert answer.status == 200


@contextmanager
def replaying(folder: Path) -> Iterator[Feed]:
    """Start a feed by its command, paused on the tape."""
    tape = write_tape(folder / "tape.parquet", TAPE)
    ports = ("--feed-port", "0", "--control-port", "0")
    options = ("--feed-only", "--hold", "--start-on", "first-client", "--from", "start")
    command = (sys.executable, "-m", "simulator.cli", "replay", str(tape), *ports, *options)
    with Program(command) as program:
        yield Feed(program)


@contextmanager
def serving(state: Path, *options: str) -> Iterator[tuple[Program, str]]:
    """Start the reference server by its command; yield it and where it listens."""
    command = (sys.executable, "-m", "tests.conformance.reference")
    with Program([*command, "--port", "0", "--state", state, *options]) as program:
        yield program, program.expect(r"listening (ws://\S+)")[1]


class Client:
    """A client that keeps what it is told."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.messages: list[Message] = []

    async def until(self, holds: Callable[[Message], bool]) -> Message:
        """Read up to a message that is looked for; return it."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message: Message = json.loads(await self._socket.recv())
                self.messages.append(message)
                if holds(message):
                    return message

    async def ask(self, action: str, **fields: object) -> Message:
        """Send a request; return its reply."""
        await self._socket.send(json.dumps({"action": action, "request_id": action} | fields))
        return await self.until(lambda message: message.get("request_id") == action)

    async def ask_until(self, time: str) -> None:
        """Ask for the market's time until it is ``time``."""
        told = None
        async with asyncio.timeout(DEADLINE_S):
            while told != time:
                told = (await self.ask("market_status"))["data"]["current_time"]

    def told(self) -> list[object]:
        """Return the events and the prices of RELIANCE that came, in order."""
        found: list[object] = []
        for message in self.messages:
            if message["type"] == "market_data" and message["symbol"] == "RELIANCE":
                found.append(message["data"]["ltp"])
            elif "event" in message.get("data", {}):
                found.append(message["data"]["event"])
        return found


async def test_a_new_client_is_welcomed_before_anything_else(tmp_path: Path) -> None:
    """C-3, H-5: the welcome comes first, with its keys; without a feed the market waits."""
    with serving(tmp_path) as (_, url):
        async with connect(f"{url}?client_id=one", proxy=None) as socket:
            client = Client(socket)
            welcome = await client.until(lambda message: True)
            assert (welcome["type"], welcome["status"]) == ("welcome", "connected")
            assert welcome["client_id"] == welcome["data"]["client_id"] == "one"
            assert welcome["data"]["market_hours"] == "09:15 - 15:30 IST"
            assert welcome["data"]["market_open"] is False
            assert welcome["data"]["restored"] is False
            status = (await client.ask("market_status"))["data"]
            assert (status["phase"], status["current_time"]) == ("waiting", None)


async def test_stocks_are_named_as_they_were_asked_for(tmp_path: Path) -> None:
    """S-1, S-2, S-3, R-2: by symbol, by token, with an exchange; unknown and twice."""
    with serving(tmp_path) as (_, url):
        async with connect(url, proxy=None) as socket:
            client = Client(socket)
            asked = ["SBIN", "2885", " bse:sbin ", "M&M", "BAJAJ-AUTO", 356, "nifty", "sbin", "No "]
            data = (await client.ask("subscribe", stocks=asked))["data"]
            assert data["subscribed_stocks"] == [
                "SBIN",
                "RELIANCE (NSE)",
                "SBIN (BSE)",
                "M&M",
                "BAJAJ-AUTO",
                "HINDUNILVR (NSE)",
                "NIFTY 50",
            ]
            assert data["failed_stocks"] == ["No "]
            listed = (await client.ask("get_subscriptions"))["data"]
            assert listed["total_subscribed"] == data["total_subscribed"] == 7
            assert listed["subscribed_tokens"][:3] == ["3045", "2885", "500112"]
            assert listed["subscribed_exchanges"][:3] == ["NSE", "NSE", "BSE"]


async def test_data_flows_from_the_open_to_the_close_alone(tmp_path: Path) -> None:
    """H-1, H-2, M-6: the notices stand around the session's quotes, at its exact bounds."""
    patient = ("--request-rate", "1e6", "--request-burst", "1e6")
    with replaying(tmp_path) as feed, serving(tmp_path, "--feed", feed.url, *patient) as (_, url):
        async with connect(url, proxy=None) as socket:
            client = Client(socket)
            await client.ask("subscribe", stocks=["RELIANCE"])
            for start, end in (("09:14:58", "09:15:03"), ("15:29:58", "15:30:03")):
                await asyncio.to_thread(feed.ask, command="seek", to=f"2025-09-04 {start}")
                await client.ask_until(f"2025-09-04 {start}")
                await asyncio.to_thread(feed.ask, command="step", to=f"2025-09-04 {end}")
                await client.ask_until(f"2025-09-04 {end}")
            # The seek into the afternoon tells the state there, an update of its own.
            assert client.told() == ["market_opened", 102.0, 103.5, 103.5, 104.0, "market_closed"]
            quotes = [m for m in client.messages if m["type"] == "market_data"]
            assert [quote["seq"] for quote in quotes] == sorted({q["seq"] for q in quotes})
            figures = quotes[0]["data"]
            assert figures["percent_change"] == (102.0 - 100.0) / 100.0 * 100
            assert figures["last_updated"] == "2025-09-04T09:15:00.000000000+05:30"
            assert figures["timestamp"] == quotes[0]["timestamp"] == 1756957500000


async def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    """P-1, P-2, P-3: after kill -9 the list is there in its order, and its data flow unasked."""
    with replaying(tmp_path) as feed:
        await asyncio.to_thread(feed.ask, command="seek", to="2025-09-04 09:15:02")
        with serving(tmp_path, "--feed", feed.url) as (_, url):
            async with connect(f"{url}?client_id=one", proxy=None) as socket:
                client = Client(socket)
                await client.ask("subscribe", stocks=["TCS", "RELIANCE", "BSE:INFY", "SBIN"])
                await client.ask("unsubscribe", stocks=["TCS"])
        with serving(tmp_path, "--feed", feed.url) as (_, url):
            async with connect(f"{url}?client_id=one", proxy=None) as socket:
                client = Client(socket)
                welcome = await client.until(lambda message: True)
                assert welcome["data"]["restored_stocks"] == ["RELIANCE", "INFY", "SBIN"]
                quote = await client.until(lambda message: message.get("symbol") == "RELIANCE")
                assert quote["data"]["ltp"] == 103.5
                listed = (await client.ask("get_subscriptions"))["data"]
                assert listed["subscribed_tokens"] == ["2885", "500209", "3045"]


async def test_the_newest_connection_wins(tmp_path: Path) -> None:
    """C-4: the older connection is told why and closed with 4501; the newer keeps the session."""
    with serving(tmp_path) as (_, url):
        async with (
            connect(f"{url}?client_id=one", proxy=None) as old,
            connect(f"{url}?client_id=two", proxy=None),
        ):
            await Client(old).ask("subscribe", stocks=["SBIN"])
            async with connect(f"{url}?client_id=one", proxy=None) as new:
                error = await Client(old).until(lambda message: message["type"] == "error")
                assert error["code"] == "session_replaced"
                await asyncio.wait_for(old.wait_closed(), DEADLINE_S)
                assert old.close_code == 4501
                listed = (await Client(new).ask("get_subscriptions"))["data"]
                assert listed["subscribed_symbols"] == ["SBIN"]


async def test_a_window_may_be_moved_around_the_present(tmp_path: Path) -> None:
    """With the wall clock and hours of its own the market is open at any time of any day."""
    window = ("--clock", "wall", "--open", "00:00:00", "--close", "23:59:59")
    with serving(tmp_path, *window) as (_, url):
        async with connect(url, proxy=None) as socket:
            welcome = await Client(socket).until(lambda message: True)
            assert welcome["data"]["market_open"] is True
            assert welcome["data"]["market_hours"] == "00:00:00 - 23:59:59 IST"


def test_a_store_that_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    """P-6: the server says why and does not start."""
    store = tmp_path / "sessions.db"
    store.write_bytes(b"precious")
    command = (sys.executable, "-m", "tests.conformance.reference", "--state", str(tmp_path))
    with Program(command) as program:
        program.expect("is no SQLite database")
    assert store.read_bytes() == b"precious"


def test_requests_to_the_feed_are_those_of_real_clients() -> None:
    """A request has the very bytes that the vendor's own clients send for its text."""
    vectors = json.loads((ROOT / "tests/vectors/feed-vectors.json").read_text())
    # Node's compressor gives other bytes for the same text.
    plain = [one for one in vectors["requests"] if one["client"].startswith("PyPI")]
    assert plain
    for one in plain:
        assert encode(one["text"]).hex() == one["frame_hex"]


def test_the_feed_s_frames_are_read_in_any_chunks() -> None:
    """The forms that a feed should send give their texts, whole and byte by byte."""
    vectors = json.loads((ROOT / "tests/vectors/feed-vectors.json").read_text())
    good = [one for one in vectors["responses"] if one["recommended_form"]]
    assert good
    for one in good:
        data = b"".join(map(bytes.fromhex, one["websocket_messages_hex"]))
        whole, slow = Reader(), Reader()
        texts = whole.read(data)
        assert texts
        assert all(text.startswith("63=FT3.0|64=") for text in texts)
        assert [text for byte in data for text in slow.read(bytes([byte]))] == texts


def test_the_server_is_nobody_s_relative() -> None:
    """It imports the standard library, websockets and itself alone."""
    allowed = {*sys.stdlib_module_names, "websockets"}
    for path in HOME.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                own = name.startswith("tests.conformance.reference")
                assert own or name.partition(".")[0] in allowed, f"{path.name} imports {name}"


def test_every_broken_variant_is_one_line_of_the_server() -> None:
    """The names listed and the names in the code are the same, and each is there once."""
    code = "".join(path.read_text() for path in HOME.glob("*.py") if path.name != "breaks.py")
    found = re.findall(r'broken\(\s*"([a-z0-9-]+)"\s*\)', code)
    assert sorted(found) == sorted(variant.name for variant in breaks.VARIANTS)


def test_every_broken_variant_says_what_it_breaks() -> None:
    """Each has a chapter of the catalogue, rules of the protocol, and a sentence of its own."""
    page = (ROOT / "docs/client-protocol.md").read_text()
    rules = set(re.findall(r"^\| ([A-Z]-\d+) \|", page, re.MULTILINE))
    sentences = [variant.sentence for variant in breaks.VARIANTS]
    assert len(set(sentences)) == len(sentences) >= 70
    assert {variant.chapter for variant in breaks.VARIANTS} == CHAPTERS
    for variant in breaks.VARIANTS:
        assert set(variant.rules) <= rules, variant.name
        assert re.fullmatch(r"\S.*\.", variant.sentence), variant.name


def test_the_cases_that_are_made_for_variants_are_of_their_chapters() -> None:
    """Each variant that is listed with a case is there, and the case is of its chapter."""
    chapters = {variant.name: variant.chapter for variant in breaks.VARIANTS}
    for name, case in breaks.made_for().items():
        assert case.partition("-")[0] == chapters[name], name


def test_an_unknown_way_to_break_it_is_refused(tmp_path: Path) -> None:
    """A slip in a variant's name does not quietly start the correct server."""
    command = (sys.executable, "-m", "tests.conformance.reference", "--state", str(tmp_path))
    with Program([*command, "--break", "no-such-thing"]) as program:
        program.expect("no-such-thing")


def test_the_variants_are_listed_for_people() -> None:
    """``--list-broken`` tells name, chapter, rules and sentence, one variant a line."""
    with Program([sys.executable, "-m", "tests.conformance.reference", "--list-broken"]) as program:
        for variant in breaks.VARIANTS:
            program.expect("^" + re.escape("\t".join(variant.as_columns())) + "$")
