"""Whether the market is open, as the clock and the calendar tell."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from streamer.calendar import TradingCalendar
from streamer.clock import FeedClock, WallClock
from streamer.hours import CLOSED, OPENED, MarketHours
from streamer.ist import NS_PER_DAY
from streamer.odin.messages import Heartbeat
from tests.streamer.desk import SECOND, at

CALENDAR = TradingCalendar.bundled()


def test_each_opening_and_closing_is_named_once() -> None:
    """H-2: also on a day of two sessions."""
    saturday = date(2024, 3, 2)
    hours = MarketHours(CALENDAR, WallClock())
    changes = [
        (clock, change.event)
        for clock in ("09:00", "09:15", "09:16", "10:00", "11:00", "11:30", "12:30", "15:30")
        for change in hours.pass_time(at(clock, saturday))
    ]
    assert changes == [
        ("09:15", "market_opened"),
        ("10:00", "market_closed"),
        ("11:30", "market_opened"),
        ("12:30", "market_closed"),
    ]


def test_only_the_wall_clock_needs_a_timer() -> None:
    """H-4: the feed's clock is moved by the feed alone."""
    hours = MarketHours(CALENDAR, WallClock())
    hours.pass_time(at("09:00"))
    assert hours.next_timer == at("09:15")
    fed = MarketHours(CALENDAR, FeedClock())
    fed.observe(Heartbeat(sent=at("09:00")))
    fed.pass_time(0)
    assert fed.next_timer is None


def test_a_step_back_is_looked_at_again() -> None:
    """H-5: from an open market back to before its opening closes it."""
    hours = MarketHours(CALENDAR, FeedClock())
    for clock, expected in (("10:00", [OPENED]), ("09:00", [CLOSED]), ("09:15", [OPENED])):
        hours.observe(Heartbeat(sent=at(clock)))
        assert hours.pass_time(0) == expected


@given(st.lists(st.integers(0, 5 * NS_PER_DAY // SECOND), min_size=1).map(sorted))
def test_open_is_what_the_calendar_says_however_time_passes(seconds: list[int]) -> None:
    """Looking seldom or often, the state is the calendar's, and changes alternate."""
    hours = MarketHours(CALENDAR, WallClock())
    is_open = False
    for second in seconds:
        now = at("00:00", date(2026, 11, 20)) + second * SECOND
        for change in hours.pass_time(now):
            assert change.is_open is not is_open
            is_open = change.is_open
        assert hours.is_open is is_open is CALENDAR.is_open(now)
