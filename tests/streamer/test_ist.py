"""Times in India: against the time zone database, and whatever the host believes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from streamer.ist import (
    IST_OFFSET_NS,
    NS_PER_DAY,
    NS_PER_SECOND,
    clock_seconds,
    ist_clock,
    ist_date,
    ist_datetime,
    ist_midnight,
    ist_ns,
    ist_rfc3339,
)
from tests.streamer.market_strategies import moments

# From here on India's clocks are at UTC+05:30 without a change.
SINCE_1970 = st.integers(0, 253_370_000_000 * NS_PER_SECOND)


def in_kolkata(now: int) -> datetime:
    """The time zone database's answer, without the fraction of the second."""
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=now // NS_PER_SECOND)
    return utc.astimezone(ZoneInfo("Asia/Kolkata"))


@given(now=SINCE_1970 | moments())
def test_texts_agree_with_the_time_zone_database(now: int) -> None:
    """Date, clock and both together are what Asia/Kolkata shows."""
    expected = in_kolkata(now)
    assert ist_date(now) == expected.date()
    assert ist_clock(now) == expected.strftime("%H:%M:%S")
    assert ist_datetime(now) == expected.strftime("%Y-%m-%d %H:%M:%S")


@given(now=SINCE_1970 | moments())
def test_rfc3339_tells_the_moment_to_the_nanosecond(now: int) -> None:
    """The text has nine decimals and the offset, and reading it gives the moment back."""
    text = ist_rfc3339(now)
    seconds, fraction = text[:19], text[20:29]
    assert text[19] == "."
    assert text[29:] == "+05:30"
    whole = int(datetime.fromisoformat(f"{seconds}+05:30").timestamp())
    assert whole * NS_PER_SECOND + int(fraction) == now


def test_rfc3339_is_written_as_in_the_guide() -> None:
    """The integration guide's own example of last_updated is met letter by letter."""
    now = 1_756_971_591 * NS_PER_SECOND + 651_469_068
    assert ist_rfc3339(now) == "2025-09-04T13:09:51.651469068+05:30"


@given(day=st.dates(), clock=st.times().map(lambda clock: clock.strftime("%H:%M:%S")))
def test_a_date_and_a_clock_give_the_moment_that_shows_them(day: date, clock: str) -> None:
    """ist_ns is the inverse of ist_date and ist_clock, also at the ends of the calendar."""
    now = ist_ns(day, clock)
    assert (ist_date(now), ist_clock(now)) == (day, clock)
    assert ist_ns(day, clock[:5]) == now - now % (60 * NS_PER_SECOND)


def test_a_day_begins_at_midnight_in_india() -> None:
    """Midnight belongs to the new day, and the last nanosecond before it to the old."""
    midnight = ist_midnight(date(2025, 9, 4))
    assert ist_datetime(midnight) == "2025-09-04 00:00:00"
    assert ist_datetime(midnight - 1) == "2025-09-03 23:59:59"
    assert ist_midnight(date(2025, 9, 5)) - midnight == NS_PER_DAY
    assert ist_midnight(date(1970, 1, 1)) == -IST_OFFSET_NS


@pytest.mark.parametrize(
    "clock",
    [
        "",
        "9:15",
        "09",
        "24:00",
        "09:60",
        "09:15:60",
        "09:15:00:00",
        "09.15",
        " 09:15",
        "०९:१५",
        "-1:00",
    ],
)
def test_any_other_way_to_write_a_clock_is_refused(clock: str) -> None:
    """A clock that is not HH:MM or HH:MM:SS raises instead of meaning something."""
    with pytest.raises(ValueError, match="expected"):
        clock_seconds(clock)


@pytest.mark.parametrize("now", [10**30, -(10**30), 253_402_281_000 * NS_PER_SECOND])
def test_times_beyond_the_calendar_raise_one_error(now: int) -> None:
    """A time outside the years 1 to 9999 is a ValueError, however far outside."""
    with pytest.raises(ValueError, match="years 1 to 9999"):
        ist_rfc3339(now)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])
def test_the_host_time_zone_plays_no_part(zone: str) -> None:
    """Rule H-4: in any time zone the texts are the same, and the market opens at one moment."""
    program = (
        "from datetime import date\n"
        "from streamer.calendar import TradingCalendar\n"
        "from streamer.ist import *\n"
        "now = ist_ns(date(2025, 9, 4), '09:15')\n"
        "calendar = TradingCalendar.bundled()\n"
        "print(now, ist_rfc3339(now), calendar.is_open(now), calendar.is_open(now - 1))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "1756957500000000000 2025-09-04T09:15:00.000000000+05:30 True False\n"


def test_no_clock_is_read() -> None:
    """With the world frozen in 1999 the answers stay those of the moment asked about."""
    now = ist_ns(date(2025, 9, 4), "13:09:51")
    with freeze_time("1999-01-01"):
        assert ist_datetime(now) == "2025-09-04 13:09:51"
        assert ist_rfc3339(now).startswith("2025-09-04T13:09:51.")
