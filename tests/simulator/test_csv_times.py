from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.csv_times import moments
from streamer.clock import PLAUSIBLE_NS

DAY = date(2025, 9, 4)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INDIA = ZoneInfo("Asia/Kolkata")
QUARTER_PAST_NINE = 1_756_957_500 * 10**9
"""2025-09-04 09:15:00 in India."""


def moment(text: str | None, *, day: date | None = None, zone: str = "Asia/Kolkata") -> int | None:
    """The moment of one text."""
    found: int | None = moments(pl.Series([text], dtype=pl.String), day=day, zone=zone)[0]
    return found


@pytest.mark.parametrize(
    "text",
    [
        "2025-09-04 09:15:00",
        "2025-09-04T09:15:00",
        "2025/09/04 9:15",
        "2025-09-04T03:45:00Z",
        "2025-09-04 03:45:00 UTC",
        "2025-09-04T09:15:00+05:30",
        "2025-09-04T05:45:00+0200",
        "2025-09-03T23:45:00-04:00",
        "2025-09-04 09:15:00 IST",
        "04-09-2025 09:15:00",
        "04/09/2025 09:15",
        "4/9/2025 9:15:00 AM",
        "04.09.2025 09:15:00",
        "04-09-25 09:15:00",
        "04-Sep-2025 09:15:00",
        "04-SEP-25 09:15",
        "4 September 2025, 09:15:00",
        "20250904 09:15:00",
        "  2025-09-04 09:15:00.000  ",
        "1756957500",
        "1756957500000",
        "1756957500000000",
        "1756957500000000000",
        "1756957500.0",
    ],
)
def test_forms_of_one_moment(text: str) -> None:
    """ISO, day first, named months, zones, and numbers since 1970."""
    assert moment(text) == QUARTER_PAST_NINE


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "soon",
        "2025-09-04",
        "09:15",
        "2025-13-04 09:15",
        "09/13/2025 09:15",
        "2025-02-29 09:15",
        "2025-09-04 24:00",
        "2025-09-04 09:60",
        "2025-09-04 13:00 PM",
        "2025-09-04 09:15:00 EST",
        "04-Zep-2025 09:15",
        "1989-12-31 09:15",
        "2100-01-01 09:15",
        "175695750",
        "9999999999",
        "9999999999999999999",
    ],
)
def test_what_is_no_moment(text: str | None) -> None:
    """A month first, days and hours that do not exist, times without a date, other years."""
    assert moment(text) is None


def test_a_time_of_day_needs_its_date() -> None:
    """With one it is a moment; a time with its own date keeps that."""
    assert moment("09:15", day=DAY) == QUARTER_PAST_NINE
    assert moment("9:15:00.5 AM", day=DAY) == QUARTER_PAST_NINE + 5 * 10**8
    assert moment("2025-09-04 09:15", day=date(2020, 1, 1)) == QUARTER_PAST_NINE


def test_zones_apply_where_none_is_named() -> None:
    """Times that the clocks of a zone skip, or show twice, are refused."""
    assert moment("2025-09-04 03:45", zone="UTC") == QUARTER_PAST_NINE
    assert moment("1756957500", zone="UTC") == QUARTER_PAST_NINE
    assert moment("2025-03-30 02:30", zone="Europe/Berlin") is None
    assert moment("2025-10-26 02:30", zone="Europe/Berlin") is None
    assert moment("2025-10-26 02:30+01:00", zone="Europe/Berlin") is not None


@given(
    microseconds=st.integers(0, (4_102_444_800 - 631_152_000) * 10**6 - 1),
    form=st.sampled_from(
        [
            "%Y-%m-%d %H:%M:%S.%f",
            "%Y-%m-%dT%H:%M:%S.%f%z",
            "%d-%m-%Y %H:%M:%S.%f",
            "%d/%b/%Y %H:%M:%S.%f",
            "%d-%B-%Y %I:%M:%S.%f %p",
            "%Y%m%d %H:%M:%S.%f",
        ]
    ),
)
def test_what_python_writes_is_read_back(microseconds: int, form: str) -> None:
    """Any moment from 1990 to 2099, in each form, to the microsecond."""
    when = (EPOCH + timedelta(seconds=631_152_000, microseconds=microseconds)).astimezone(INDIA)
    since = (when - EPOCH) // timedelta(microseconds=1) * 1000
    assert moment(when.strftime(form)) == (since if since in PLAUSIBLE_NS else None)


@given(texts=st.lists(st.text(max_size=30) | st.from_regex(r"[0-9:./ -]{0,30}"), max_size=5))
def test_any_text_is_a_moment_or_none(texts: list[str]) -> None:
    """Nothing raises, and a moment is one from 1990 to 2099."""
    found = moments(pl.Series(texts, dtype=pl.String), day=DAY, zone="Asia/Kolkata")
    assert len(found) == len(texts)
    assert all(each is None or each in PLAUSIBLE_NS for each in found)
