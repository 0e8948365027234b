"""Whether the market is open, as the clock and the calendar tell."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.calendar import TradingCalendar
from streamer.clock import FeedClock, WallClock
from streamer.errors import RequestError
from streamer.hours import CLOSED, OPENED, MarketHours
from streamer.ist import NS_PER_DAY
from streamer.odin.messages import Heartbeat
from tests.streamer.desk import SECOND, at

CALENDAR = TradingCalendar.bundled()
MONDAY = date(2026, 11, 23)


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


def told(hours: MarketHours, clock: str) -> tuple[object, object, bool]:
    """The market's phase, that of stocks with derivatives, and whether it is open."""
    hours.pass_time(at(clock, MONDAY))
    status = hours.status()
    phases: Any = status["phases"]
    return status["phase"], phases["derivatives"], hours.is_open


def test_the_operator_halts_the_market_and_resumes_it() -> None:
    """S-7: the phases say so; H-1: the market stays open for what the feed sends."""
    hours = MarketHours(CALENDAR, WallClock())
    assert told(hours, "11:05") == ("open", "open", True)
    assert hours.halt(at("11:05", MONDAY)).end == at("00:00", MONDAY) + NS_PER_DAY
    assert told(hours, "11:06") == ("halted", "halted", True)
    assert hours.resume(at("11:07", MONDAY)) == "open"
    assert told(hours, "11:07") == ("open", "open", True)


def test_a_halt_may_have_an_end() -> None:
    """Trading begins again by itself then; another word of the operator replaces the first."""
    hours = MarketHours(CALENDAR, WallClock())
    hours.halt(at("11:05", MONDAY), "12:05")
    assert told(hours, "12:04") == ("halted", "halted", True)
    assert told(hours, "12:05") == ("open", "open", True)
    hours.halt(at("12:06", MONDAY), "15:20")
    assert told(hours, "15:19") == ("halted", "halted", True)
    assert told(hours, "15:20") == ("open", "closing_auction", True)


def test_a_halt_ends_with_its_day() -> None:
    """What the operator forgot to take back does not halt the next session."""
    hours = MarketHours(CALENDAR, WallClock())
    hours.halt(at("14:40", MONDAY))
    assert told(hours, "15:29") == ("halted", "halted", True)
    assert told(hours, "15:36") == ("closed", "closed", False)
    hours.pass_time(at("10:00", date(2026, 11, 25)))
    assert hours.status()["phase"] == "open"


def test_a_halt_is_one_while_the_market_would_trade() -> None:
    """S-7: after the session the market is closed, whatever the operator forgot to take back."""
    hours = MarketHours(CALENDAR, WallClock())
    halt = hours.halt(at("09:05", MONDAY))
    phases = {clock: told(hours, clock)[0] for clock in ("09:06", "15:29", "15:30", "15:55")}
    assert phases == {"09:06": "halted", "15:29": "halted", "15:30": "closed", "15:55": "closed"}
    found = {clock: hours.halt_at(at(clock, MONDAY)) for clock in ("09:04", "15:29", "15:55")}
    assert found == {"09:04": None, "15:29": halt, "15:55": None}
    # The calendar has halts too; for a replay of that day they are as good as the operator's.
    crash = hours.halt_at(at("09:30", date(2020, 3, 13)))
    assert crash is not None
    assert crash.until == "2020-03-13 10:20:00"
    assert halt.until is None


def test_the_end_of_a_halt_is_a_moment_to_wake_up_at() -> None:
    """So that it is told when it is over, though no feed and no client says anything."""
    hours = MarketHours(CALENDAR, WallClock())
    hours.pass_time(at("11:05", MONDAY))
    hours.halt(at("11:05", MONDAY), "12:05")
    assert hours.next_timer == at("12:05", MONDAY)
    hours.pass_time(at("12:05", MONDAY))
    assert hours.next_timer == at("15:30", MONDAY)


def test_a_feed_that_goes_back_forgets_a_halt() -> None:
    """H-5: the day begins anew; what the operator said belongs to the run before."""
    hours = MarketHours(CALENDAR, FeedClock())
    for clock, phase in (("11:05", "open"), ("11:06", "halted"), ("11:00", "open")):
        hours.observe(Heartbeat(sent=at(clock)))
        hours.pass_time(0)
        if clock == "11:05":
            hours.halt(0)
        else:
            assert hours.status()["phase"] == phase
    hours.observe(Heartbeat(sent=at("11:10")))
    hours.pass_time(0)
    assert hours.status()["phase"] == "open"


@pytest.mark.parametrize(
    ("day", "clock", "until", "problem"),
    [
        (date(2026, 11, 24), "11:00", None, "closed at 2026-11-24 11:00:00 IST; expected a sess"),
        (MONDAY, "15:30", None, "the market closed at 2026-11-23 15:30:00 IST"),
        (MONDAY, "11:00", "11:00", "until: 11:00 found; a time after 11:00:00 IST expected"),
        (MONDAY, "11:00", "25:00", "until: time '25:00' found"),
        (MONDAY, "11:00", "", "until: time '' found; HH:MM"),
    ],
)
def test_what_cannot_be_halted(day: date, clock: str, until: str | None, problem: str) -> None:
    """Nothing changes, and the operator reads what was found and what was expected."""
    hours = MarketHours(CALENDAR, WallClock())
    hours.pass_time(at(clock, day))
    before = hours.status()
    with pytest.raises(RequestError, match=problem):
        hours.halt(at(clock, day), until)
    assert hours.status() == before


def test_no_halt_before_the_feed_tells_a_time() -> None:
    """H-5: there is no day that could be halted."""
    with pytest.raises(RequestError, match="closed at no time yet"):
        MarketHours(CALENDAR, FeedClock()).halt(at("11:00", MONDAY))
    assert MarketHours(CALENDAR, FeedClock()).resume(at("11:00", MONDAY)) == "waiting"


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
