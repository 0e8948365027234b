"""
The bundled calendar against those that others publish: every weekday of all years covered.

The packages are oracles only: the server imports none of them, and they say
nothing of weekends (all lack the sessions on Saturdays and Sundays), of pauses
within a day, of phases, and of the closing auction. Where one of them differs
from us, the table below says what it says, what we say, and why we are right.
A difference that is not in the table fails, and so does one that is gone.
"""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from typing import NamedTuple

import pytest

from streamer.calendar import TradingCalendar
from streamer.ist import ist_clock

BUNDLED = TradingCalendar.bundled()
FIRST, LAST = BUNDLED.coverage
CLOSED = "closed"
REGULAR = "09:15 - 15:30"


class Difference(NamedTuple):
    """What an oracle says of a date, what we say, and our reason."""

    theirs: str
    ours: str
    why: str


def muhurat(hours: str, source: str, theirs: str = CLOSED) -> Difference:
    """A weekday on which the market trades for Diwali's hour only."""
    return Difference(theirs, hours, f"muhurat trading: {source}, and pandas_market_calendars NSE")


OUTAGE = Difference(
    REGULAR, "09:15 - 17:00", "NSE halted and hours extended: PTI and pandas_market_calendars NSE"
)

DIFFERENCES: dict[str, dict[str, Difference]] = {
    "exchange_calendars XBOM": {
        "2018-11-07": muhurat("17:30 - 18:30", "everydayintradaytips.com"),
        "2021-02-24": OUTAGE,
        "2021-11-04": muhurat("18:15 - 19:15", "Free Press Journal, 2021-11-04"),
        "2022-10-24": muhurat("18:15 - 19:15", "Mint, 2022-10-24"),
        "2024-11-01": muhurat("18:00 - 19:00", "Business Times, 2024-10-21"),
        "2025-10-21": muhurat("13:45 - 14:45", "NSE's circular in the press"),
    },
    "pandas_market_calendars NSE": {},
    "pandas_market_calendars BSE": {
        "2018-11-07": muhurat("17:30 - 18:30", "everydayintradaytips.com", theirs=REGULAR),
        "2020-05-25": Difference(
            REGULAR, CLOSED, "Id-Ul-Fitr: NSE's daily prices have no such day; both others agree"
        ),
        "2020-07-31": Difference(
            CLOSED,
            REGULAR,
            "Bakri Id was on Saturday, 2020-08-01: NSE's daily prices have the Friday; "
            "both others agree",
        ),
        "2021-02-24": OUTAGE,
        "2021-11-04": muhurat("18:15 - 19:15", "Free Press Journal, 2021-11-04"),
        "2022-10-24": muhurat("18:15 - 19:15", "Mint, 2022-10-24"),
        "2024-11-01": muhurat("18:00 - 19:00", "Business Times, 2024-10-21"),
        "2025-10-21": muhurat("13:45 - 14:45", "NSE's circular in the press"),
    },
}


def ours(day: date) -> str:
    """Return the first opening and the last closing of a day, in India."""
    sessions = BUNDLED.day(day).sessions
    return shown(sessions[0].open, sessions[-1].close) if sessions else CLOSED


def shown(begin: int, end: int) -> str:
    """Return a stretch of a day as the table has it."""
    return f"{ist_clock(begin)[:5]} - {ist_clock(end)[:5]}"


def theirs(oracle: str) -> dict[date, str]:
    """Return the hours of each session of an oracle within our coverage."""
    package, name = oracle.split()
    with warnings.catch_warnings():
        # What the packages use of pandas that is going to change is not our concern.
        warnings.simplefilter("ignore")
        if package == "exchange_calendars":
            import exchange_calendars

            xcal = exchange_calendars.get_calendar(name, start=str(FIRST), end=str(LAST))
            rows = zip(xcal.sessions, xcal.opens, xcal.closes, strict=True)
        else:
            import pandas_market_calendars

            schedule = pandas_market_calendars.get_calendar(name).schedule(str(FIRST), str(LAST))
            columns = (schedule["market_open"], schedule["market_close"])
            rows = zip(schedule.index, *columns, strict=True)
        return {day.date(): shown(begin.value, end.value) for day, begin, end in rows}


@pytest.mark.parametrize("oracle", DIFFERENCES)
def test_every_weekday_is_as_others_have_it(oracle: str) -> None:
    """First opening and last closing, except where the table explains the difference."""
    found = theirs(oracle)
    weekdays = [
        day
        for day in (FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1))
        if day.weekday() < 5
    ]
    assert len(weekdays) > 2300
    differences = {
        str(day): (found.get(day, CLOSED), ours(day))
        for day in weekdays
        if found.get(day, CLOSED) != ours(day)
    }
    assert differences == {
        day: (difference.theirs, difference.ours) for day, difference in DIFFERENCES[oracle].items()
    }


def test_no_weekday_is_ours_alone() -> None:
    """Where we differ from one oracle, another one says what we say."""
    found = {oracle: theirs(oracle) for oracle in DIFFERENCES}
    for differences in DIFFERENCES.values():
        for day, difference in differences.items():
            said = {hours.get(date.fromisoformat(day), CLOSED) for hours in found.values()}
            assert difference.ours in said, day
