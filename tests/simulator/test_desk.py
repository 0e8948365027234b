from __future__ import annotations

import time
from pathlib import Path

import pytest

from simulator.announcements import Announcements
from simulator.clock import SimClock
from simulator.desk import MAX_STRETCHES, SHOWN, Desk
from simulator.feed import FeedServer
from simulator.player import Player
from simulator.programme import Programme
from simulator.replay import Replay
from simulator.timer import DeadlineTimer
from tests.simulator.tapes import OPEN, SECOND, Row, open_tape

MINUTE = 60 * SECOND


def desk_of(path: Path, rows: list[Row], end: int) -> Desk:
    """Return the controls of a replay that nobody plays."""
    recording = open_tape(path, rows)
    replay = Replay(recording, start=OPEN, end=end)
    feed = FeedServer(replay.state, second=OPEN, conflate=False)
    player = Player(
        replay=replay,
        programme=Programme(replay, start=OPEN, end=end),
        clock=SimClock(OPEN, 1, monotonic=time.monotonic_ns),
        feed=feed,
        timer=DeadlineTimer(),
    )
    return Desk(
        player=player,
        replay=replay,
        feed=feed,
        instruments=recording.instruments,
        announcements=Announcements(lambda: player.now),
        status=lambda: {"paused": player.paused, "at": player.now - OPEN},
    )


async def test_the_market_as_it_is_at_the_time(tmp_path: Path) -> None:
    """Prices in rupees; an instrument without a row so far has no figures."""
    rows: list[Row] = [(0, 2885, 101.5), (1000, 2885, 99.0), (5000, 3045, 50.0)]
    desk = desk_of(tmp_path / "tape.parquet", rows, OPEN + MINUTE)
    assert await desk.command({"command": "seek", "to": "09:15:04"}) == {
        "paused": False,
        "at": 4 * SECOND,
    }
    reliance, sbin = desk.market()
    assert reliance == {
        "symbol": "RELIANCE",
        "exchange": "NSE",
        "time": "09:15:01",
        "ltp": 99.0,
        "prev_close": 100.0,
        "open": 101.5,
        "high": 101.5,
        "low": 99.0,
        "volume": 2,
    }
    assert sbin == {"symbol": "SBIN", "exchange": "NSE"}
    assert desk.market(" sb") == [sbin]
    assert desk.market("nothing") == []
    assert desk.clients() == []


async def test_a_look_at_the_market_is_bounded(tmp_path: Path) -> None:
    """A search finds the others."""
    rows: list[Row] = [(i, 900_000 + i, 100.0) for i in range(SHOWN + 50)]
    desk = desk_of(tmp_path / "tape.parquet", rows, OPEN + MINUTE)
    assert len(desk.market()) == SHOWN
    assert len(desk.market("MADEUP900249")) == 1


async def test_how_busy_the_window_is(tmp_path: Path) -> None:
    """By the minute; a long window by more, so that the stretches stay few."""
    rows: list[Row] = [(0, 2885, 100.0), (59_999, 2885, 100.0), (60_000, 2885, 100.0)]
    desk = desk_of(tmp_path / "a.parquet", rows, OPEN + 3 * MINUTE)
    density = await desk.density()
    assert (density["stretch_s"], density["updates"]) == (60, [2, 1, 0])
    assert await desk.density() == density
    desk = desk_of(tmp_path / "b.parquet", rows, OPEN + 5000 * MINUTE)
    density = await desk.density()
    assert (density["stretch_s"], density["updates"]) == (300, [3, *[0] * (MAX_STRETCHES - 1)])


async def test_what_is_over_takes_no_command(tmp_path: Path) -> None:
    """The refusal says why."""
    desk = desk_of(tmp_path / "tape.parquet", [(0, 2885, 100.0)], OPEN + MINUTE)
    assert (await desk.command({"command": "pause"}))["paused"] is True
    desk.closed = "the recording is over"
    with pytest.raises(ValueError, match="the recording is over"):
        await desk.command({"command": "resume"})
