from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from simulator.clock import SimClock
from simulator.feed import FeedServer
from simulator.player import Player
from simulator.programme import Programme
from simulator.replay import Replay
from simulator.sockets import open_listener
from simulator.timer import DeadlineTimer
from streamer.odin import messages as wire
from tests.simulator.feed_client import DEADLINE_S, FeedClient
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, SECOND, counted_rows, open_tape

TAPE_END = OPEN + 10 * SECOND


@asynccontextmanager
async def playing(
    directory: Path,
    rate: Fraction | int | None,
    *,
    passes: int | None = 1,
    start: int = OPEN,
    end: int = TAPE_END,
) -> AsyncIterator[tuple[Player, FeedClient]]:
    """Set up a ten second tape of two instruments for a subscribed client; not started yet."""
    recording = open_tape(directory / "tape.parquet", counted_rows(1000))
    replay = Replay(recording, start=start, end=end)
    programme = Programme(replay, start=start, end=end)
    feed = FeedServer(replay.state, second=start, conflate=False)
    listener = open_listener("127.0.0.1", 0, option="--feed-port")
    await feed.start(listener)
    timer = DeadlineTimer()
    player = Player(
        replay=replay,
        programme=programme,
        clock=SimClock(start, rate, monotonic=time.monotonic_ns),
        feed=feed,
        timer=timer,
        passes=passes,
        wait_for_sockets=rate is None,
    )
    running = asyncio.create_task(player.run())
    try:
        async with FeedClient(f"ws://127.0.0.1:{listener.getsockname()[1]}") as client:
            await client.log_on()
            await client.subscribe(RELIANCE, SBIN)
            await client.answered()
            yield player, client
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await feed.close("the test is over")
        timer.close()


def stream(client: FeedClient, since: int = 0) -> list[tuple[str, int, int]]:
    """Return what the feed said by itself since a message, without repeats of the time."""
    said: list[tuple[str, int, int]] = []
    for message in client.messages[since:]:
        if isinstance(message, wire.Touchline):
            said.append(("update", message.lut, message.ltp))
        elif isinstance(message, wire.Heartbeat) and not message.echo:
            item = ("heartbeat", message.sent, 0)
            if item not in said[-1:]:
                said.append(item)
    return said


async def finished(player: Player, client: FeedClient) -> None:
    """Return when the last pass is over and the client has heard of the end of each."""
    async with asyncio.timeout(DEADLINE_S):
        await player.finished.wait()
    await client.until(lambda: client.heartbeats.count(player.second) >= player.passes_done)


@pytest.mark.parametrize("rate", [None, 10_000, 97, Fraction(73, 4)], ids=str)
async def test_the_stream_is_the_same_at_every_speed(
    tmp_path: Path, rate: Fraction | int | None
) -> None:
    """Each second's heartbeat, then its rows, in their order, whatever was due together."""
    async with playing(tmp_path, rate) as (player, client):
        player.start()
        await finished(player, client)
        expected: list[tuple[str, int, int]] = []
        for second in range(11):
            expected.append(("heartbeat", OPEN + second * SECOND, 0))
            expected += [
                ("update", OPEN + second * SECOND, 10000 + second * 100 + i)
                for i in range(100 if second < 10 else 0)
            ]
        assert stream(client) == expected
        assert player.updates == 1000
        assert player.passes_done == 1


async def test_a_pass_takes_its_length_divided_by_the_rate(tmp_path: Path) -> None:
    """Not less, and not much more; every update's lateness is counted."""
    async with playing(tmp_path, 20) as (player, client):
        assert player.wanted_ns == SECOND // 2
        began = time.monotonic_ns()
        player.start()
        await finished(player, client)
        assert SECOND // 2 <= player.running_ns <= time.monotonic_ns() - began
        assert player.lateness.count == 1000


async def test_nothing_goes_out_before_it_is_due(tmp_path: Path) -> None:
    """Each update arrives no earlier than its place in the recording."""
    async with playing(tmp_path, 20) as (player, client):
        began = time.monotonic_ns()
        player.start()
        await finished(player, client)
        for message, at in zip(client.messages, client.arrived_at, strict=True):
            if isinstance(message, wire.Touchline):
                assert at - began >= (message.ltp - 10000) * 10_000_000 // 20


async def test_at_max_there_is_no_lateness(tmp_path: Path) -> None:
    """Nothing is due at a moment, so nothing is late; no duration is wanted."""
    async with playing(tmp_path, None) as (player, client):
        player.start()
        await finished(player, client)
        assert player.lateness.count == 0
        assert player.wanted_ns is None


async def test_each_pass_begins_with_the_earlier_time_and_the_states(tmp_path: Path) -> None:
    """Back at the start: the heartbeat, the state of each instrument then, the same rows."""
    start = OPEN + 2 * SECOND
    async with playing(tmp_path, None, passes=3, start=start) as (player, client):
        before = len(client.messages)
        player.start()
        await finished(player, client)
        said = stream(client, before)
        rest: list[tuple[str, int, int]] = []
        for second in range(2, 11):
            rest.append(("heartbeat", OPEN + second * SECOND, 0))
            rest += [
                ("update", OPEN + second * SECOND, 10000 + second * 100 + i)
                for i in range(100 if second < 10 else 0)
            ]
        states = [("update", OPEN + SECOND, 10198), ("update", OPEN + SECOND, 10199)]
        later_pass = [rest[0], *states, *rest[1:]]
        assert said == [*rest, *later_pass, *later_pass]
        assert player.updates == 2400
        assert player.passes_done == 3


async def test_the_time_is_told_again_each_real_second_while_it_stands(tmp_path: Path) -> None:
    """Before the start and after the end; a standing replay is not a dead feed."""
    async with playing(tmp_path, None) as (player, client):
        told = len(client.heartbeats)
        began = time.monotonic_ns()
        await client.until(lambda: len(client.heartbeats) >= told + 2)
        assert time.monotonic_ns() - began >= SECOND
        assert set(client.heartbeats) == {OPEN}
        player.start()
        await finished(player, client)
        told = len(client.heartbeats)
        await client.until(lambda: len(client.heartbeats) >= told + 1)
        assert client.heartbeats[-1] == TAPE_END


async def test_the_time_is_told_again_on_a_slow_replay(tmp_path: Path) -> None:
    """When a simulated second lasts longer than a real one."""
    async with playing(tmp_path, Fraction(1, 100)) as (player, client):
        player.start()
        told = len(client.heartbeats)
        await client.until(lambda: len(client.heartbeats) >= told + 2)
        assert set(client.heartbeats) == {OPEN}
        assert not player.finished.is_set()


async def test_the_window_lasts_to_its_end_though_no_row_is_left(tmp_path: Path) -> None:
    """Heartbeats go on to the last second of the window, so that a market can close in it."""
    end = TAPE_END + 20 * SECOND
    async with playing(tmp_path, 1000, end=end) as (player, client):
        player.start()
        await finished(player, client)
        assert client.heartbeats[-1] == end
        assert player.running_ns >= 30 * SECOND // 1000
