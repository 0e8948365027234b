from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from simulator.announcements import Announcements
from simulator.clock import SimClock
from simulator.desk import MAX_STRETCHES, SHOWN, Desk
from simulator.feed import FeedServer
from simulator.ledger import KEPT
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


async def test_faults_are_begun_planned_and_cleared(tmp_path: Path) -> None:
    """One without a time begins at once, even on a clock that stands, and ends by hand."""
    desk = desk_of(tmp_path / "tape.parquet", [(0, 2885, 100.0)], OPEN + MINUTE)
    await desk.command({"command": "fault", "fault": "mute+4s"})
    await desk.command({"command": "fault", "fault": "drop@09:15:30"})
    assert [(each["name"], each["phase"]) for each in desk.faults()] == [
        ("mute", "running"),
        ("drop", "to come"),
    ]
    await desk.command({"command": "clear-fault"})
    assert [each["name"] for each in desk.faults()] == ["drop"]
    await desk.command({"command": "clear-fault", "number": 2})
    assert desk.faults() == []
    with pytest.raises(ValueError, match="no fault is running"):
        await desk.command({"command": "clear-fault", "name": "mute"})


async def test_a_seek_ends_what_was_begun_by_hand(tmp_path: Path) -> None:
    """If it leads out of its time; what is planned comes again."""
    desk = desk_of(tmp_path / "tape.parquet", [(0, 2885, 100.0)], OPEN + MINUTE)
    await desk.command({"command": "seek", "to": "09:15:20"})
    await desk.command({"command": "fault", "fault": "mute+20s"})
    await desk.command({"command": "fault", "fault": "drop@09:15:10+1s"})
    await desk.command({"command": "seek", "to": "09:15:30"})
    assert [each["phase"] for each in desk.faults()] == ["running", "over"]
    await desk.command({"command": "seek", "to": "09:15:10"})
    assert [(each["name"], each["phase"]) for each in desk.faults()] == [("drop", "running")]


async def test_a_logoff_is_refused_where_it_would_end_the_run(tmp_path: Path) -> None:
    """The refusal says how to start a run that can be logged off."""
    desk = desk_of(tmp_path / "tape.parquet", [(0, 2885, 100.0)], OPEN + MINUTE)
    desk.ends_with_logoff = True
    with pytest.raises(ValueError, match="--hold"):
        await desk.command({"command": "fault", "fault": "logged-off"})
    assert desk.faults() == []


async def test_a_ledger_begins_when_it_is_asked_for(tmp_path: Path) -> None:
    """It says so, and how much it keeps; from then on it goes on."""
    desk = desk_of(tmp_path / "tape.parquet", [(0, 2885, 100.0)], OPEN + MINUTE)
    await desk.command({"command": "fault", "fault": "reset"})
    first = [json.loads(line) for line in (await desk.ledger(0, 10)).splitlines()]
    assert [(line["what"], line["kept"]) for line in first] == [("begins", KEPT)]
    await desk.command({"command": "fault", "fault": "mute"})
    more = [json.loads(line) for line in (await desk.ledger(1, 10)).splitlines()]
    assert [(line["n"], line["what"], line["phase"]) for line in more] == [(2, "fault", "begins")]
