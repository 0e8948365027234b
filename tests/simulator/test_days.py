from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from simulator.days import Days, day_at, endless_window, next_day, wall_window
from simulator.replay import Replay
from simulator.timetables import names
from streamer.calendar import CalendarTable, TradingCalendar, TradingDay
from streamer.errors import ConfigError
from streamer.ist import ist_clock, ist_datetime, ist_ns
from tests.simulator.tapes import DAY, OPEN, RELIANCE, SBIN, SECOND, open_tape

CALENDAR = TradingCalendar.bundled()
FRIDAY = date(2025, 9, 5)
MONDAY = date(2025, 9, 8)
NIGHT_MS = 24 * 3_600_000


def two_days(folder: Path) -> tuple[Days, Replay]:
    """Two days of twenty rows each, the second not offered yet."""
    replays: list[Replay] = []
    for number in range(2):
        rows = [
            (number * NIGHT_MS + i * 1000, 2885, 100 + 10 * number + i / 100) for i in range(20)
        ]
        recording = open_tape(folder / f"{number}.parquet", rows)
        kind = (Days, Replay)[number]
        replays.append(kind(recording, start=recording.start, end=recording.end + 1))
    first, second = replays
    assert isinstance(first, Days)
    return first, second


def test_a_seek_into_the_next_day_moves_on(tmp_path: Path) -> None:
    """Window, rows, states and density are those of the next day from then on."""
    days, following = two_days(tmp_path)
    assert (days.start, days.rows_total) == (OPEN, 20)
    assert len(days.take(days.end)) == 20
    assert days.next_due() is None
    days.offer(following)
    place = days.find(following.start)
    assert days.start == OPEN, "only going there moves on"
    assert days.state(RELIANCE) is not None
    days.go(place)
    assert (days.start, days.end) == (following.start, following.end)
    assert days.state(RELIANCE) is None
    taken = days.take(days.end)
    assert [update.ltp for update in taken] == [11000 + i for i in range(20)]
    assert [update.touchline.open for update in taken] == [11000] * 20
    state = days.state(RELIANCE)
    assert state is not None
    assert (state.ts, state.text) == (taken[-1].ts, taken[-1].text)
    assert days.state(SBIN) is None
    assert days.density(10 * SECOND) == [10, 10]


def test_a_seek_stays_in_the_present_day(tmp_path: Path) -> None:
    """Neither a day that was not offered nor one that is over can be sought."""
    days, following = two_days(tmp_path)
    with pytest.raises(ValueError, match="in the window from"):
        days.find(following.start)
    days.seek(OPEN + 5 * SECOND)
    assert len(days.take(days.end)) == 15
    days.offer(following)
    days.seek(following.start)
    with pytest.raises(ValueError, match="in the window from"):
        days.find(OPEN)
    days.take(days.end)
    days.begin()
    assert days.rows_taken == 0
    assert len(days.take(days.end)) == 20


@pytest.mark.parametrize("timetable", [None, *names()])
def test_an_endless_day_ends_after_the_official_close(timetable: str | None) -> None:
    """It begins just before the session opens, and has the row of every stock's close in it."""
    start, end = endless_window(DAY, timetable)
    assert ist_datetime(start) == "2025-09-04 09:14:55"
    ends = {None: "15:31:10", "classic": "15:31:10", "cas-2026-08": "15:36:10"}
    assert ist_clock(end) == ends.get(timetable, "15:41:10")


def test_the_wall_clocks_days_leave_no_time_out() -> None:
    """Each ends where the next begins: 08:45 of a trading day, whatever lies between."""
    day, previous_end = date(2025, 8, 1), None
    for _ in range(60):
        start, end = wall_window(day, CALENDAR)
        assert ist_clock(start) == "08:45:00"
        assert previous_end in (None, start - 1)
        assert day_at(start, CALENDAR) == day_at(end, CALENDAR) == day
        day, previous_end = next_day(date.fromordinal(day.toordinal() + 1), CALENDAR), end
    assert day > date(2025, 10, 20), "Diwali's evening session is no ordinary day"


def test_the_present_day_of_a_night_and_a_weekend_is_the_last_one() -> None:
    """Until 08:45 of the next."""
    assert day_at(ist_ns(MONDAY, "08:44:59"), CALENDAR) == FRIDAY
    assert day_at(ist_ns(date(2025, 9, 6), "12:00"), CALENDAR) == FRIDAY
    assert day_at(ist_ns(MONDAY, "08:45"), CALENDAR) == MONDAY
    assert next_day(date(2025, 9, 6), CALENDAR) == MONDAY


def test_a_calendar_without_ordinary_days_is_refused() -> None:
    """The search ends, and says what it looked for."""
    evening = {
        day: TradingDay(day, "special", CALENDAR.day(date(2025, 10, 21)).sessions)
        for day in (date.fromordinal(DAY.toordinal() + n) for n in range(100))
    }
    odd = TradingCalendar(CalendarTable(evening, (DAY, max(evening)), "odd.toml"))
    with pytest.raises(ConfigError, match="no session from 09:15 to 15:30 IST found"):
        next_day(DAY, odd)
