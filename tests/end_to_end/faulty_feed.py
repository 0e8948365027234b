"""
A real feed that plays a short tape with faults, a real streaming server on it, and its client.

Feed, adapter, hub and server are the product's own, on real sockets, in one
process; only their time-outs are short.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator.clock import SimClock
from simulator.faults import Planned
from simulator.feed import FeedServer
from simulator.ledger import Ledger
from simulator.player import Player
from simulator.programme import Programme
from simulator.replay import Replay
from simulator.sockets import open_listener
from simulator.timer import DeadlineTimer
from streamer.calendar import TradingCalendar
from streamer.clock import FeedClock
from streamer.connection import HubSettings
from streamer.hub import Hub
from streamer.instruments import InstrumentTable
from streamer.journal import Journal
from streamer.odin.messages import FeedMessage
from streamer.server import ServerSettings, StreamServer
from streamer.store import ClientStore
from streamer.upstream import Upstream, UpstreamSettings
from tests.simulator.tapes import OPEN, SECOND, Row, counted_rows, open_tape

DEADLINE_S = 20.0
SPEED = 4
USER = "STREAMER"
LENGTH_S = 8
LEDGER = "ledger.jsonl"

IMPATIENT = UpstreamSettings(
    open_timeout_s=0.3,
    logon_timeout_s=0.5,
    mute_after_s=1.4,
    ping_interval_s=0.1,
    ping_timeout_s=0.3,
    first_delay_s=0.02,
    longest_delay_s=0.1,
    refused_delay_s=0.1,
)

Figures = tuple[str, int, float]
"""(token, volume, price in rupees)"""


class Outcome(msgspec.Struct, frozen=True):
    """
    What became of a streaming server in one run.

    Args:
        quotes: What the client was told, in order.
        recorded: What the recording holds, in order.
        reconnects: How often the server logged on again.
        unusable: How many messages and frames it could not use.
        ledger: What the feed did.
        snapshots: What a subscribe that came last was answered with.

    """

    quotes: list[Figures]
    recorded: list[Figures]
    reconnects: int
    unusable: int
    ledger: list[dict[str, Any]]
    snapshots: list[Figures]

    @property
    def dials_again(self) -> bool:
        """Whether the server lost the feed and came back."""
        return self.reconnects > 0

    @property
    def invented(self) -> list[Figures]:
        """Quotes that the recording does not have."""
        known = set(self.recorded)
        return [quote for quote in self.quotes if quote not in known]

    @property
    def recovered_s(self) -> float:
        """Real seconds from the end of the last fault to the next figures that the feed sent."""
        ends = [place for place, line in enumerate(self.ledger) if line.get("phase") == "ends"]
        after = self.ledger[ends[-1] :]
        sent = next(line for line in after if line["what"] in ("update", "state"))
        found: float = sent["real_s"] - after[0]["real_s"]
        return found

    @property
    def told(self) -> str:
        """What clients saw of it, in a few words."""
        if self.is_complete:
            return "every one, in order"
        missing = " with some left out" if set(self.recorded) - set(self.quotes) else ""
        words = {
            "in order": "in order,",
            "repeated": "in order, some again",
            "disordered": "in the feed's order",
        }
        return f"{words[self.order]}{missing}"

    @property
    def is_complete(self) -> bool:
        """Whether the client was told everything, in order, once."""
        return self.quotes == self.recorded

    @property
    def order(self) -> str:
        """How the quotes of each instrument follow each other."""
        places = {figures: place for place, figures in enumerate(self.recorded)}
        told: dict[str, list[int]] = defaultdict(list)
        for quote in self.quotes:
            told[quote[0]].append(places.get(quote, -1))
        pairs = [pair for each in told.values() for pair in pairwise(each)]
        if any(after < before for before, after in pairs):
            return "disordered"
        if any(after == before for before, after in pairs):
            return "repeated"
        return "in order"


class Stage(NamedTuple):
    """A feed that can be played, and a streaming server that is logged on to it."""

    feed: FeedServer
    feed_url: str
    player: Player
    streamer: Streamer
    ledger: Ledger


@asynccontextmanager
async def stage(
    rows: Sequence[Row], plan: Sequence[Planned], folder: Path, *, length_s: int = LENGTH_S
) -> AsyncIterator[Stage]:
    """Set up a feed of rows with faults, its ledger in ``ledger.jsonl``, and a server on it."""
    recording = open_tape(folder / "tape.parquet", rows)
    replay = Replay(recording, start=OPEN, end=OPEN + length_s * SECOND)
    programme = Programme(replay, start=replay.start, end=replay.end)
    ledger = Ledger(folder / LEDGER)
    async with AsyncExitStack() as stack:
        stack.callback(ledger.close)
        feed = FeedServer(
            replay.state, second=replay.start, conflate=True, plan=plan, ledger=ledger
        )
        listener = open_listener("127.0.0.1", 0, option="--feed-port")
        await feed.start(listener)
        stack.push_async_callback(feed.close, "the test is over")
        timer = DeadlineTimer()
        stack.callback(timer.close)
        player = Player(
            replay=replay,
            programme=programme,
            clock=SimClock(replay.start, SPEED, monotonic=time.monotonic_ns),
            feed=feed,
            timer=timer,
        )
        feed_url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        streamer = Streamer(folder, feed_url)
        await streamer.start(stack)
        _run(stack, player.run())
        async with asyncio.timeout(DEADLINE_S):
            await feed.wait_logged_on()
        yield Stage(feed, feed_url, player, streamer, ledger)


def ledger_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a stage's ledger, as far as it was flushed."""
    return [json.loads(line) for line in (folder / LEDGER).read_text().splitlines()]


async def run_with(plan: Sequence[Planned], folder: Path) -> Outcome:
    """Play the tape with faults to one client; return what became of it."""
    rows = counted_rows(LENGTH_S * 100)
    quotes: list[Figures] = []
    recorded = _recorded(rows)
    async with stage(rows, plan, folder) as (feed, _, player, streamer, ledger):
        async with asyncio.timeout(DEADLINE_S):
            async with connect(streamer.url("reader"), max_queue=None) as client:
                await client.send(
                    json.dumps({"action": "subscribe", "stocks": ["RELIANCE", "SBIN"]})
                )
                await feed.wait_subscribed(0.05)
                player.start()
                await _read_until(client, quotes, set(recorded[-2:]))
                # It still answers, on the connection that it had all the time.
                await client.send(json.dumps({"action": "ping"}))
                while json.loads(await client.recv())["type"] != "pong":
                    pass
            await player.finished.wait()
            async with connect(streamer.url("latecomer")) as late:
                await late.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE", "SBIN"]}))
                snapshots: list[Figures] = []
                await _read_until(late, snapshots, set(recorded[-2:]))
        ledger.flush()
        line = streamer.line
        noted = ledger_of(folder)
        return Outcome(quotes, recorded, line.reconnects, line.unusable, noted, snapshots)


async def _read_until(client: Any, quotes: list[Figures], last: set[Figures]) -> None:
    """Read quotes until each of ``last`` was told."""
    missing = set(last)
    while missing:
        try:
            message = json.loads(await client.recv())
        except ConnectionClosed as closed:
            raise AssertionError(f"the server closed its client's connection: {closed}") from closed
        if message["type"] == "market_data":
            data = message["data"]
            quotes.append((data["token"], data["volume"], data["ltp"]))
            missing.discard(quotes[-1])


def _recorded(rows: Sequence[tuple[float, int, float]]) -> list[Figures]:
    """Return what the tape says: each row trades one share."""
    volumes: dict[int, int] = defaultdict(int)
    figures = []
    for _, token, price in rows:
        volumes[token] += 1
        figures.append((str(token), volumes[token], round(price, 2)))
    return figures


def _run(stack: AsyncExitStack, work: Any) -> None:
    task = asyncio.ensure_future(work)

    async def end() -> None:
        task.cancel()
        for result in await asyncio.gather(task, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    stack.push_async_callback(end)


class Streamer:
    """The server as its own composition puts it together, with an impatient line to the feed."""

    def __init__(self, folder: Path, feed_url: str) -> None:
        self.store = ClientStore.open(folder / "sessions.db")
        self.hub = Hub(
            instruments=InstrumentTable.bundled(),
            calendar=TradingCalendar.bundled(),
            clock=FeedClock(),
            epoch="epoch",
            settings=HubSettings(lossless=True),
            now=time.time_ns(),
        )
        self.server = StreamServer(
            self.hub,
            ServerSettings(port=0, drain_s=0.0),
            save=self.store.save,
            change_interest=lambda new, gone: self.line.change_interest(new, gone),
            journal=Journal(None),
            access=None,
            now=time.time_ns,
        )
        self.line = Upstream(
            feed_url,
            user=USER,
            key="",
            on_messages=self._take,
            on_state=self.server.upstream,
            interest=self.hub.interest,
            settings=IMPATIENT,
        )

    async def start(self, stack: AsyncExitStack) -> None:
        stack.callback(self.store.close)
        await self.server.start()
        stack.push_async_callback(self.server.stop)
        _run(stack, self.line.run())

    def url(self, client_id: str) -> str:
        return f"ws://127.0.0.1:{self.server.port}/enhanced-stream?client_id={client_id}"

    def _take(self, messages: list[FeedMessage]) -> None:
        self.server.feed(messages)
