from __future__ import annotations

import asyncio
import random
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
    told: list[str] | None = None,
    rows: int = 1000,
    gap_ms: int = 10,
) -> AsyncIterator[tuple[Player, FeedClient]]:
    """Set up a ten second tape of two instruments for a subscribed client; not started yet."""
    recording = open_tape(directory / "tape.parquet", counted_rows(rows, gap_ms=gap_ms))
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
        tell=lambda name, _: None if told is None else told.append(name),
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


def rows_from(second: int, to: int = 10) -> list[tuple[str, int, int]]:
    """What the feed says from a whole second on: each second's heartbeat and its rows."""
    said: list[tuple[str, int, int]] = []
    for each in range(second, to):
        said.append(("heartbeat", OPEN + each * SECOND, 0))
        said += [("update", OPEN + each * SECOND, 10000 + each * 100 + i) for i in range(100)]
    return said


def states_at(second: int) -> list[tuple[str, int, int]]:
    """What the feed says behind the heartbeat of a jump: the last row of each instrument."""
    at, last = OPEN + (second - 1) * SECOND, 10000 + second * 100
    return [("update", at, last - 2), ("update", at, last - 1)]


@pytest.mark.parametrize("rate", [None, 10_000], ids=str)
async def test_a_seek_tells_the_time_then_the_states_then_the_rows(
    tmp_path: Path, rate: Fraction | int | None
) -> None:
    """Back from the end and forwards from the start, on the same connection."""
    told: list[str] = []
    async with playing(tmp_path, rate, told=told) as (player, client):
        player.pause()
        player.start()
        for to in (7, 4, 9):
            since = len(client.messages)
            await player.seek(OPEN + to * SECOND)
            player.resume()
            head, *rest = rows_from(to)
            expected = [head, *states_at(to), *rest, ("heartbeat", TAPE_END, 0)]
            await player.finished.wait()
            await client.until(
                lambda since=since, expected=expected: (  # type: ignore[misc]
                    stream(client, since)[-len(expected) :] == expected
                )
            )
        assert told[-3:] == ["seeked", "resumed", "completed"]
        assert player.passes_done == 1
        assert client.close_code is None


async def test_a_seek_in_a_pause_is_told_at_once(tmp_path: Path) -> None:
    """The clock stands at the new place; nothing follows the states but the time, again."""
    async with playing(tmp_path, 1) as (player, client):
        player.pause()
        player.start()
        for to in (5, 2):
            since = len(client.messages)
            await player.seek(OPEN + to * SECOND)
            told = len(client.heartbeats)
            await client.until(lambda told=told: len(client.heartbeats) >= told + 2)  # type: ignore[misc]
            said = stream(client, since)
            at = said.index(("heartbeat", OPEN + to * SECOND, 0))
            assert said[at + 1 :] == [*states_at(to), ("heartbeat", OPEN + to * SECOND, 0)]
            assert player.now == OPEN + to * SECOND


async def test_a_pause_stops_the_rows_and_not_the_heartbeat(tmp_path: Path) -> None:
    """The time stands still, is told each real second, and then everything goes on."""
    told: list[str] = []
    async with playing(tmp_path, 10, told=told) as (player, client):
        player.start()
        await client.until(lambda: player.updates > 100)
        player.pause()
        at, played = player.now, player.updates
        beats = len(client.heartbeats)
        await client.until(lambda: len(client.heartbeats) >= beats + 2)
        assert (player.now, player.updates, player.paused) == (at, played, True)
        player.set_rate(Fraction(10_000))
        assert player.now == at
        player.resume()
        await finished(player, client)
        assert [ltp for kind, _, ltp in stream(client) if kind == "update"] == list(
            range(10000, 11000)
        )
        assert told == ["started", "paused", "speed", "resumed", "completed"]
        assert player.wanted_ns is None


async def test_steps_play_everything_up_to_a_moment(tmp_path: Path) -> None:
    """Whatever the speed, at once, inclusive; then it is paused, and no row is lost or doubled."""
    async with playing(tmp_path, Fraction(1, 100)) as (player, client):
        since = len(client.messages)
        await player.step(OPEN + 2 * SECOND)
        assert (player.now, player.updates, player.paused) == (OPEN + 2 * SECOND, 201, True)
        await player.step(OPEN + 5 * SECOND // 2)
        assert (player.now, player.updates) == (OPEN + 5 * SECOND // 2, 251)
        with pytest.raises(ValueError, match="a seek leads back"):
            await player.step(OPEN + SECOND)
        with pytest.raises(ValueError, match="a seek leads back"):
            await player.step(TAPE_END + 1)
        await player.step(TAPE_END)
        assert not player.finished.is_set()
        player.resume()
        await finished(player, client)
        updates = [ltp for kind, _, ltp in stream(client, since) if kind == "update"]
        assert updates == list(range(10000, 11000))


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_asked_for_no_row_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    """After each seek come the states there, and then each row once, in order, to the next."""
    chance = random.Random(seed)
    sought: list[int] = []
    async with playing(tmp_path, Fraction(1, 100)) as (player, client):
        since = len(client.messages)
        for _ in range(40):
            second = chance.randint(1, 9)
            match chance.choice(["seek", "seek", "step", "step", "pause", "resume", "speed"]):
                case "seek":
                    sought.append(second)
                    await player.seek(OPEN + second * SECOND)
                case "step" if OPEN + second * SECOND >= player.now:
                    await player.step(OPEN + second * SECOND)
                case "pause":
                    player.pause()
                case "resume":
                    player.resume()
                case "speed":
                    player.set_rate(Fraction(chance.randint(1, 5), 100))
        await player.step(TAPE_END)
        await client.until(lambda: stream(client, since)[-1][1] == TAPE_END)
        rows = [ltp - 10000 for kind, _, ltp in stream(client, since) if kind == "update"]
        following = 0
        places = iter(sought)
        while rows:
            if rows[0] == following:
                following += 1
                del rows[0]
            else:
                following = next(places) * 100
                assert rows[:2] == [following - 2, following - 1], f"seed {seed}"
                del rows[:2]
        assert following == 1000
        assert list(places) == []


async def test_what_interrupts_a_step_ends_it(tmp_path: Path) -> None:
    """Whoever waits for the step is told that it is over."""
    async with playing(tmp_path, 1) as (player, _):
        stepping = asyncio.create_task(player.step(TAPE_END))
        await asyncio.sleep(0)
        player.pause()
        async with asyncio.timeout(DEADLINE_S):
            await stepping


async def test_a_seek_out_of_the_window_changes_nothing(tmp_path: Path) -> None:
    """It is refused, and the replay goes on where it was."""
    async with playing(tmp_path, None) as (player, client):
        with pytest.raises(ValueError, match="expected"):
            await player.seek(OPEN - 1)
        player.start()
        await finished(player, client)
        assert player.updates == 1000


async def test_the_number_of_passes_can_be_changed(tmp_path: Path) -> None:
    """To any number that has not been played already."""
    told: list[str] = []
    async with playing(tmp_path, None, passes=None, told=told) as (player, client):
        player.start()
        await client.until(lambda: player.passes_done >= 2)
        with pytest.raises(ValueError, match="or more expected"):
            player.set_passes(1)
        player.set_passes(player.passes_done + 1)
        await finished(player, client)
        assert told.count("looped") == player.passes_done - 1
        assert told[-1] == "completed"


async def test_a_long_silence_is_told(tmp_path: Path) -> None:
    """Once, when it begins."""
    told: list[str] = []
    end = OPEN + 250 * SECOND
    async with playing(tmp_path, None, end=end, told=told, rows=3, gap_ms=100_000) as (player, _):
        player.start()
        await player.finished.wait()
        assert told == ["started", "gap", "gap", "completed"]
