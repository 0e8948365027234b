"""
The receiving half of a replay that is measured: the streamer's own code, without clients' sockets.

    python -m tests.benchmarks._adapter CONFIG.json

:class:`streamer.upstream.Upstream` reads the feed, :class:`streamer.server.StreamServer`
and its hub take it, as in ``odin-streamer serve``. With ``json`` one client
subscribes to everything, so that a message is made for every row; it is taken
out of the client's outbox and thrown away. Without it the client is gone before
the first row, and no message is made. Prints what it did once the feed has
logged off.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from streamer.clock import FeedClock
from streamer.connection import HubSettings
from streamer.hub import Hub, UpstreamState
from streamer.instruments import Instrument, InstrumentTable
from streamer.loading import trading_calendar
from streamer.odin.messages import FeedMessage, Logoff
from streamer.server import ServerSettings, StreamServer
from streamer.upstream import Upstream, UpstreamSettings
from tests.benchmarks._machine import peak_bytes
from tests.benchmarks._tape import check, prices_of

KEPT_BYTES = 24 << 20
"""How much of what the client would get is kept, and looked at afterwards."""


class Config(msgspec.Struct, frozen=True):
    """Which feed, and what of it."""

    url: str
    tape: str
    json: bool
    instruments: list[tuple[int, str]]


class Taker:
    """What is done with each frame of the feed, and what is counted meanwhile."""

    def __init__(self, config: Config) -> None:
        self.logged_off = asyncio.Event()
        self.kept: list[bytes] = []
        self.first = self.last = self.cpu = self.last_cpu = 0.0
        self._kept_bytes = 0
        table = InstrumentTable(
            Instrument(segment=1, token=token, symbol=name, exchange="NSE", series="EQ")
            for token, name in config.instruments
        )
        count = len(config.instruments)
        now = time.time_ns()
        self.hub = Hub(
            instruments=table,
            calendar=trading_calendar(None),
            clock=FeedClock(),
            epoch="benchmark",
            settings=HubSettings(lossless=True, max_subscriptions=count, linger_s=3600),
            now=now,
        )
        self.upstream = Upstream(
            config.url,
            user="BENCHMARK",
            key="",
            on_messages=self._take,
            on_state=self._note,
            interest=self.hub.interest,
            ticks=True,
            settings=UpstreamSettings(mute_after_s=60),
        )
        self.server = StreamServer(
            self.hub,
            ServerSettings(host="127.0.0.1", port=0),
            save=lambda changes: None,
            change_interest=self.upstream.change_interest,
        )
        connection = self.hub.connect("benchmark", now)
        stocks = [name for _, name in config.instruments]
        request = {"type": "request", "action": "subscribe", "stocks": stocks, "delivery": "all"}
        self.hub.receive(connection, json.dumps(request), now)
        self._outbox = connection.outbox
        self._outbox.take()
        if not config.json:
            self.hub.disconnect(connection, now)

    def _note(self, state: UpstreamState) -> None:
        self.server.upstream(state)
        if state != "connected" and self.hub.updates:
            # The feed is gone; whoever counts rows sees what is missing.
            self.logged_off.set()

    def _take(self, messages: Sequence[FeedMessage]) -> None:
        updates = self.hub.updates
        began = time.perf_counter()
        cpu = time.process_time()
        self.server.feed(messages)
        data = b"".join(self._outbox.take())
        if self.hub.updates != updates:
            if not self.first:
                self.first, self.cpu = began, cpu
            self.last, self.last_cpu = time.perf_counter(), time.process_time()
            if data and self._kept_bytes < KEPT_BYTES:
                self.kept.append(data)
                self._kept_bytes += len(data)
        if any(isinstance(each, Logoff) for each in messages):
            self.logged_off.set()


def payloads(data: bytes) -> Iterator[bytes]:
    """Cut frames as a server sends them; those of market data are returned."""
    start = 0
    while start < len(data):
        size, width = data[start + 1], 2
        if size >= 126:
            width = 4 if size == 126 else 10
            size = int.from_bytes(data[start + 2 : start + width], "big")
        payload = data[start + width : start + width + size]
        if payload.startswith(b'{"type":"market_data"'):
            yield payload
        start += width + size


async def adapt(config: Config) -> Taker:
    """Follow the feed to its end."""
    taker = Taker(config)
    async with asyncio.TaskGroup() as tasks:
        # A line that fails ends the wait.
        tasks.create_task(taker.upstream.run())
        await taker.logged_off.wait()
        await taker.upstream.close()
    return taker


def main() -> None:
    """Follow the feed that the command line names, and print the figures."""
    config = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Config)
    taker = asyncio.run(adapt(config))
    checked = 0
    peak = peak_bytes()
    if config.json:
        prices = prices_of(Path(config.tape))
        checked = check((p for data in taker.kept for p in payloads(data)), prices)
    told = {
        "rows": taker.hub.updates,
        "delivered": taker.hub.delivered,
        "wall_s": taker.last - taker.first,
        "cpu_s": taker.last_cpu - taker.cpu,
        "checked": checked,
        "peak_bytes": peak,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
