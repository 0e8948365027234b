from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from simulator.coming_day import ComingDay, Hours
from simulator.overnight import Morning
from simulator.replay import Replay
from simulator.synth import Wanted
from simulator.universe import largest
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.instruments import InstrumentTable
from streamer.ist import ist_date, ist_datetime

FRIDAY = date(2025, 9, 5)
STOCKS = largest(2)
FIRST = STOCKS[0].key


def coming_days(folder: Path, hours: Hours = "endless", profile: str = "normal") -> ComingDay:
    """The days of two stocks from a Friday on."""
    return ComingDay(
        Wanted(FRIDAY, 5, "2", profile),
        Morning.first(STOCKS),
        hours=hours,
        folder=folder,
        table=InstrumentTable.bundled(),
        calendar=TradingCalendar.bundled(),
    )


@pytest.fixture
async def coming(tmp_path: Path) -> AsyncIterator[ComingDay]:
    """Days with the hours of sessions."""
    days = coming_days(tmp_path)
    yield days
    await days.close()


def told_nobody(_: int, __: int) -> None:
    """Progress that nobody looks at."""


def move(folder: Path, to: Path) -> None:
    """Give a folder another name."""
    folder.rename(to)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def last_and_previous_close(day: Replay) -> tuple[int, int]:
    """What a day closes at, and what it told as the close before."""
    day.take(day.end, 10**6)
    state = day.state(FIRST)
    assert state is not None
    return state.ltp, state.touchline.close


async def test_days_follow_each_other_over_the_weekend(tmp_path: Path, coming: ComingDay) -> None:
    """Each begins at the close of the one before; what is no longer needed is deleted."""
    made: list[tuple[int, int]] = []
    first, recording = await coming.first(workers=1, made=lambda *told: made.append(told))
    day: Replay = first
    assert made == [(2, 2)]
    assert len(recording.instruments) == 4
    starts, closes = [], []
    for _ in range(3):
        starts.append(ist_datetime(day.start))
        closes.append(last_and_previous_close(day))
        following = await coming.next()
        assert await coming.next() is following
        coming.turn()
        day = following
    assert starts == ["2025-09-05 09:14:55", "2025-09-08 09:14:55", "2025-09-09 09:14:55"]
    assert [previous for _, previous in closes[1:]] == [close for close, _ in closes[:-1]]
    await coming.next()
    assert names(tmp_path) == ["2025-09-10.parquet", "2025-09-11.parquet"]


async def test_with_the_wall_clocks_hours_a_day_lasts_to_the_next(tmp_path: Path) -> None:
    """The weekend belongs to the Friday, and the pre-open to its day."""
    days = coming_days(tmp_path, "wall")
    day, recording = await days.first(workers=1, made=told_nobody)
    assert ist_datetime(day.start) == "2025-09-05 08:45:00"
    assert ist_date(day.end) == date(2025, 9, 8)
    assert day.rows_total == recording.rows
    await days.close()


async def test_a_day_that_could_not_be_made_is_told_and_tried_again(
    tmp_path: Path, coming: ComingDay, caplog: pytest.LogCaptureFixture
) -> None:
    """At once as a warning; as an error if it fails when it is needed."""
    await coming.first(workers=1, made=told_nobody)
    moved = tmp_path.with_name("moved")
    move(tmp_path, moved)
    with caplog.at_level(logging.WARNING, "simulator"):
        coming.start_next()
        async with asyncio.timeout(60):
            while not caplog.messages:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert "the day 2025-09-08 cannot be made: " in caplog.messages[0]
    assert "it is tried again when the present day ends" in caplog.messages[0]
    with pytest.raises(ConfigError, match="the day 2025-09-08 cannot be made"):
        await coming.next()
    move(moved, tmp_path)
    assert ist_date((await coming.next()).start) == date(2025, 9, 8)


async def test_a_day_under_way_ends_with_its_maker(tmp_path: Path) -> None:
    """Closing does not wait for it, and leaves no process that would write."""
    days = coming_days(tmp_path)
    await days.first(workers=1, made=told_nobody)
    days.start_next()
    async with asyncio.timeout(60):
        while len(names(tmp_path)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await days.close()
    assert [name for name in names(tmp_path) if name.endswith("parquet")] == ["2025-09-05.parquet"]
    await days.close()
