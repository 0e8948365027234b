"""The core and the whole path with the machine's calendar frozen in 1999: no 1999 leaks out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import freezegun
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator.clock import SimClock
from simulator.feed import FeedServer
from simulator.player import Player
from simulator.programme import Programme
from simulator.sockets import open_listener
from simulator.timer import DeadlineTimer
from streamer.hub import UpstreamState
from streamer.odin.messages import FeedMessage
from streamer.odin.tags import InstrumentKey
from streamer.upstream import Upstream
from tests.simulator.tapes import OPEN, SECOND, Row, replay_of
from tests.streamer.desk import Desk, at, touchline
from tests.streamer.serving import Serving

Y2K = "1999-07-01 06:00:00"
FROZEN_MS = range(915_148_800_000, 946_684_800_000)
"""The year 1999 in UNIX milliseconds."""

TICKS: Sequence[Row] = [(250.0 * n - 2000, 2885, 100 + n / 100) for n in range(100)]


def assert_no_1999(text: str) -> None:
    """Fail if a message shows a moment of 1999, as text or as a number."""
    assert "1999-" not in text

    def look(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)
        elif isinstance(value, int | float):
            assert not FROZEN_MS.start <= value < FROZEN_MS.stop

    look(json.loads(text))


def test_m8_no_time_of_the_machine_reaches_a_client_of_the_core() -> None:
    """M-8, H-4: under the feed's clock every reply and quote is of 2025 while the world is 1999."""
    with freezegun.freeze_time(Y2K):
        desk = Desk(now=time.time_ns())
        waiting = desk.connect("waiting")
        desk.ask(waiting, {"action": "market_status"})
        desk.log_on("09:14:50")
        connection = desk.connect(heartbeat_s=1.0)
        for request in ("subscribe", "market_status", "ping", "get_subscriptions", "dance"):
            desk.send(connection, {"action": request, "stocks": ["RELIANCE"], "snapshot": True})
        desk.feed(touchline(lut=at("09:15:00")))
        desk.pass_time(3)
        desk.tell_time("15:30:00", date(2025, 9, 5))
        for each in (waiting, connection):
            messages = desk.read(each)
            assert len(messages) > 1
            for message in messages:
                assert_no_1999(json.dumps(message))


async def test_m8_no_time_of_the_machine_reaches_a_client_of_a_replay(tmp_path: Path) -> None:
    """M-8: recording, feed, wire, adapter, hub and client, in 1999, tell of 2025 alone."""
    # Pacing needs a monotonic clock that runs; it knows no calendar.
    pacing = ["simulator.clock", "simulator.player", "simulator.timer"]
    with freezegun.freeze_time(Y2K, real_asyncio=True, ignore=pacing):
        texts = await _replay(tmp_path)
    kinds = [json.loads(text)["type"] for text in texts]
    assert kinds.count("market_data") == sum(ms >= 0 for ms, _, _ in TICKS)
    assert kinds[-1] == "server_shutdown"
    for text in texts:
        assert_no_1999(text)


class Fed(Serving):
    """A server whose feed is asked for what its clients subscribe."""

    upstream: Upstream

    def _change_interest(
        self, subscribe: Sequence[InstrumentKey], unsubscribe: Sequence[InstrumentKey]
    ) -> None:
        if subscribe or unsubscribe:
            self.upstream.change_interest(subscribe, unsubscribe)


async def _replay(folder: Path) -> list[str]:
    """Play a few seconds around the open as fast as it goes; return what a client gets."""
    start = OPEN - 3 * SECOND
    replay = replay_of(folder / "tape.parquet", TICKS, start=start)
    feed = FeedServer(replay.state, second=start, conflate=False)
    listener = open_listener("127.0.0.1", 0, option="--feed-port")
    await feed.start(listener)
    port = listener.getsockname()[1]
    timer = DeadlineTimer()
    player = Player(
        replay=replay,
        programme=Programme(replay, start=replay.start, end=replay.end),
        clock=SimClock(start, None, monotonic=time.monotonic_ns),
        feed=feed,
        timer=timer,
        wait_for_sockets=True,
    )
    texts: list[str] = []
    async with asyncio.timeout(60), Fed(folder, now=time.time_ns) as serving:
        server = serving.server

        async def take(messages: Sequence[FeedMessage]) -> None:
            await server.ready_for_feed()
            server.feed(messages)

        hung_up = asyncio.Event()

        def follow(state: UpstreamState) -> None:
            server.upstream(state)
            if state == "down":
                hung_up.set()

        upstream = serving.upstream = Upstream(
            f"ws://127.0.0.1:{port}",
            user="ODIN",
            key="",
            on_messages=take,
            on_state=follow,
            interest=serving.hub.interest,
            clock=time.time_ns,
        )
        line = asyncio.create_task(upstream.run())
        playing = asyncio.create_task(player.run())
        async with connect(f"{server.url}?client_id=reader", proxy=None) as socket:
            await socket.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE"]}))
            await feed.wait_subscribed(0.05)
            player.start()
            await player.finished.wait()
            await feed.log_off("the recording is over")
            await hung_up.wait()
            await upstream.close()
            stopping = asyncio.create_task(server.stop(send_all=True))
            try:
                async for text in socket:
                    assert isinstance(text, str)
                    texts.append(text)
            except ConnectionClosed:
                pass
            await stopping
        playing.cancel()
        await asyncio.gather(line, playing, return_exceptions=True)
        await feed.close("the recording is over")
        timer.close()
    return texts
