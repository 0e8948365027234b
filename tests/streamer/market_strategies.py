"""What hypothesis draws for tests of time, calendars and instruments."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from streamer.calendar import CalendarTable, DayKind, Session, TradingCalendar, TradingDay
from streamer.instruments import SEGMENTS, Exchange, Instrument
from streamer.ist import NS_PER_SECOND, ist_midnight, ist_ns

BUNDLED = TradingCalendar.bundled()

_SPECIAL_DAYS = [
    date(2021, 2, 24),
    date(2024, 3, 2),
    date(2025, 9, 4),
    date(2025, 10, 21),
    date(2026, 11, 8),
    date(2026, 12, 31),
]

_EDGES = [
    moment
    for day in _SPECIAL_DAYS
    for session in BUNDLED.day(day).sessions
    for moment in (session.open, session.close, ist_midnight(day))
]


def moments() -> st.SearchStrategy[int]:
    """UNIX nanoseconds in the years 2017 to 2028, often within 2 ns of an edge of a session."""
    anywhere = st.integers(ist_ns(date(2017, 1, 1), "00:00"), ist_ns(date(2028, 1, 1), "00:00"))
    near_an_edge = st.builds(int.__add__, st.sampled_from(_EDGES), st.integers(-2, 2))
    return anywhere | near_an_edge


def dates() -> st.SearchStrategy[date]:
    """Dates within and around the bundled calendar's coverage."""
    return st.dates(date(2017, 1, 1), date(2028, 1, 1))


@st.composite
def trading_days(draw: st.DrawFn, day: date) -> TradingDay:
    """An entry of a calendar file for ``day``: a holiday, or up to three sessions apart."""
    seconds = draw(st.lists(st.integers(0, 86_399), max_size=6, unique=True).map(sorted))
    begin = ist_midnight(day)
    sessions = tuple(
        Session(begin + opens * NS_PER_SECOND, begin + closes * NS_PER_SECOND)
        for opens, closes in zip(seconds[::2], seconds[1::2], strict=False)
    )
    kinds: list[DayKind] = ["trading", "special", "muhurat"]
    kind: DayKind = draw(st.sampled_from(kinds)) if sessions else "holiday"
    name = draw(st.text("ABC xyz", min_size=1).map(str.strip).filter(bool))
    return TradingDay(day, kind, sessions, name=name, source="a test")


@st.composite
def calendar_tables(draw: st.DrawFn) -> CalendarTable:
    """A table of up to 20 days of a quarter that it covers."""
    first = date(2025, 1, 1)
    days = [
        draw(trading_days(first + timedelta(days=offset)))
        for offset in draw(st.sets(st.integers(0, 89), max_size=20))
    ]
    return CalendarTable({day.date: day for day in days}, (first, date(2025, 3, 31)), "drawn.toml")


def symbols() -> st.SearchStrategy[str]:
    """Symbols as the exchanges make them, hyphens, ampersands, blanks and digits included."""
    return st.from_regex(
        r"[A-Z][A-Z0-9&-]{0,11}( [A-Z0-9]{1,6})?|[0-9]{1,3}[A-Z]{1,8}", fullmatch=True
    )


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    """One instrument; few tokens, symbols and series, so that several of them collide."""
    exchanges: list[Exchange] = ["NSE", "BSE"]
    exchange = draw(st.sampled_from(exchanges))
    return Instrument(
        segment=SEGMENTS[exchange],
        token=draw(st.integers(1, 12) | st.integers(1, 999_999)),
        symbol=draw(st.sampled_from(["SBIN", "M&M", "BAJAJ-AUTO", "BAJAJ"]) | symbols()),
        exchange=exchange,
        series=draw(st.sampled_from(["EQ", "BE", "SM", "A", "AUTO", "INDEX"])),
    )
