"""Trading days and sessions: dated cases from the exchanges' announcements, and properties."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from freezegun import freeze_time
from hypothesis import assume, given
from hypothesis import strategies as st

from streamer.calendar import (
    MAX_CLOSED_DAYS,
    NOTICE_DAYS,
    CalendarTable,
    Halt,
    Phase,
    Session,
    StockPhase,
    TradingCalendar,
    TradingDay,
)
from streamer.errors import CalendarError
from streamer.ist import NS_PER_SECOND, ist_clock, ist_date, ist_datetime, ist_ns
from tests.streamer.market_strategies import BUNDLED, calendar_tables, dates, moments

# Weekdays on which NSE and BSE announced that equity would not trade.
HOLIDAYS = {
    2023: "01-26 03-07 03-30 04-04 04-07 04-14 05-01 06-29 08-15 09-19 10-02 10-24 11-14 11-27"
    " 12-25",
    2024: "01-22 01-26 03-08 03-25 03-29 04-11 04-17 05-01 05-20 06-17 07-17 08-15 10-02 11-15"
    " 11-20 12-25",
    2025: "02-26 03-14 03-31 04-10 04-14 04-18 05-01 08-15 08-27 10-02 10-22 11-05 12-25",
    2026: "01-15 01-26 03-03 03-26 03-31 04-03 04-14 05-01 05-28 06-26 09-14 10-02 10-20 11-10"
    " 11-24 12-25",
}
HOLIDAY_DATES = [
    date.fromisoformat(f"{year}-{day}") for year, days in HOLIDAYS.items() for day in days.split()
]

# Sessions that the weekday rule gets wrong: date, kind, hours.
SPECIAL_DAYS = [
    ("2018-11-07", "muhurat", "17:30 - 18:30 IST"),
    ("2019-10-27", "muhurat", "18:15 - 19:15 IST"),
    ("2020-02-01", "special", "09:15 - 15:30 IST"),
    ("2020-11-14", "muhurat", "18:15 - 19:15 IST"),
    ("2021-02-24", "special", "09:15 - 11:40, 15:45 - 17:00 IST"),
    ("2021-11-04", "muhurat", "18:15 - 19:15 IST"),
    ("2022-10-24", "muhurat", "18:15 - 19:15 IST"),
    ("2023-11-12", "muhurat", "18:15 - 19:15 IST"),
    ("2024-01-20", "special", "09:15 - 15:30 IST"),
    ("2024-03-02", "special", "09:15 - 10:00, 11:30 - 12:30 IST"),
    ("2024-05-18", "special", "09:15 - 10:00, 11:30 - 12:30 IST"),
    ("2024-11-01", "muhurat", "18:00 - 19:00 IST"),
    ("2025-02-01", "special", "09:15 - 15:30 IST"),
    ("2025-10-21", "muhurat", "13:45 - 14:45 IST"),
    ("2026-02-01", "special", "09:15 - 15:30 IST"),
    ("2026-11-08", "muhurat", "18:15 - 19:15 IST"),
]


def at(moment: str) -> int:
    """The moment at which the clocks of India show ``YYYY-MM-DD HH:MM[:SS]``."""
    day, clock = moment.split()
    return ist_ns(date.fromisoformat(day), clock)


def table(*days: TradingDay, first: str = "2025-01-01", last: str = "2025-12-31") -> CalendarTable:
    """A table that covers 2025, unless told otherwise."""
    coverage = (date.fromisoformat(first), date.fromisoformat(last))
    return CalendarTable({day.date: day for day in days}, coverage, "test.toml")


def holiday(day: date) -> TradingDay:
    """An entry that closes the market for a day."""
    return TradingDay(day, "holiday", (), name="Rest", source="a test")


@pytest.mark.parametrize("day", HOLIDAY_DATES, ids=str)
def test_the_market_is_closed_on_each_announced_holiday(day: date) -> None:
    """An announced weekday closure has no session, a name and a source."""
    found = BUNDLED.day(day)
    assert (found.kind, found.sessions, found.known) == ("holiday", (), True)
    assert found.name
    assert found.source


@pytest.mark.parametrize("year", HOLIDAYS)
def test_the_market_is_closed_on_no_other_weekday(year: int) -> None:
    """Every weekday that nobody announced as closed has a session."""
    days = (date(year, 1, 1) + timedelta(days=offset) for offset in range(366))
    closed = [
        day
        for day in days
        if day.year == year and day.weekday() < 5 and not BUNDLED.day(day).sessions
    ]
    assert closed == [day for day in HOLIDAY_DATES if day.year == year]


@pytest.mark.parametrize(("day", "kind", "hours"), SPECIAL_DAYS)
def test_special_sessions_have_their_own_hours(day: str, kind: str, hours: str) -> None:
    """Rule H-1: a special session has its kind and hours, and is open within them alone."""
    found = BUNDLED.day(date.fromisoformat(day))
    assert (found.kind, found.hours, found.known) == (kind, hours, True)
    assert found.source
    for span in hours.removesuffix(" IST").split(", "):
        opens, closes = (at(f"{day} {clock}") for clock in span.split(" - "))
        assert not BUNDLED.is_open(opens - 1)
        assert BUNDLED.is_open(opens)
        assert BUNDLED.is_open(closes - 1)
        assert not BUNDLED.is_open(closes)


def test_the_bundled_table_names_these_special_days_and_no_other() -> None:
    """Within the coverage no day has a session out of the ordinary but those listed here."""
    first, last = BUNDLED.coverage
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    found = [str(day) for day in days if BUNDLED.day(day).kind in ("special", "muhurat")]
    assert found == [day for day, _, _ in SPECIAL_DAYS]


def test_hours_that_no_source_tells_are_marked() -> None:
    """Of the bundled days only the Muhurat of 2026 has unconfirmed hours."""
    doubtful = [
        day for day, _, _ in SPECIAL_DAYS if not BUNDLED.day(date.fromisoformat(day)).confirmed
    ]
    assert doubtful == ["2026-11-08"]


def test_settlement_holidays_and_mock_trading_change_nothing() -> None:
    """Equity trades on settlement holidays; a Saturday of mock trading stays a weekend."""
    for day in ("2025-09-08", "2026-02-19", "2026-03-19", "2026-04-01", "2026-08-26"):
        assert BUNDLED.day(date.fromisoformat(day)).hours == "09:15 - 15:30 IST"
    assert BUNDLED.day(date(2025, 9, 6)).kind == "weekend"


def test_the_coverage_is_nine_years() -> None:
    """The bundled table covers 2018 to 2026, both ends included."""
    assert BUNDLED.coverage == (date(2018, 1, 1), date(2026, 12, 31))
    assert BUNDLED.day(date(2018, 1, 1)).known
    assert BUNDLED.day(date(2026, 12, 31)).known
    assert BUNDLED.days_left(date(2026, 12, 1)) == 30
    assert BUNDLED.days_left(date(2027, 1, 1)) == -1


@pytest.mark.parametrize(
    ("day", "kind", "sessions"),
    [("2017-12-29", "trading", 1), ("2027-01-26", "trading", 1), ("2027-01-02", "weekend", 0)],
)
def test_beyond_the_coverage_the_weekday_rule_says_that_it_guesses(
    day: str, kind: str, sessions: int
) -> None:
    """A day that the table does not cover follows the weekday rule and is not known."""
    found = BUNDLED.day(date.fromisoformat(day))
    assert (found.kind, len(found.sessions), found.known) == (kind, sessions, False)


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        ("2025-09-04 00:00", "closed"),
        ("2025-09-04 08:59:59", "closed"),
        ("2025-09-04 09:00", "pre_open"),
        ("2025-09-04 09:14:59", "pre_open"),
        ("2025-09-04 09:15", "open"),
        ("2025-09-04 15:29:59", "open"),
        ("2025-09-04 15:30", "closed"),
        ("2025-09-04 23:59:59", "closed"),
        ("2025-09-06 12:00", "holiday"),
        ("2025-10-02 12:00", "holiday"),
        ("2024-03-02 10:00", "closed"),
        ("2024-03-02 11:15", "pre_open"),
        ("2024-03-02 11:30", "open"),
        ("2024-11-01 09:15", "closed"),
        ("2024-11-01 17:45", "pre_open"),
        ("2024-11-01 18:00", "open"),
    ],
)
def test_the_phases_of_a_day(moment: str, phase: Phase) -> None:
    """Rule S-7: each moment has one phase, and outside halts only `open` is an open market."""
    assert BUNDLED.phase(at(moment)) == phase
    assert BUNDLED.is_open(at(moment)) == (phase == "open")


@pytest.mark.parametrize(
    ("moment", "market", "derivatives", "others"),
    [
        ("2025-09-04 15:20", "open", "open", "open"),
        ("2025-09-04 15:39", "closed", "closed", "closed"),
        ("2025-09-04 15:40", "closed", "post_close", "post_close"),
        ("2025-09-04 16:00", "closed", "closed", "closed"),
        ("2026-11-23 08:59", "closed", "closed", "closed"),
        ("2026-11-23 09:10", "pre_open", "pre_open", "pre_open"),
        ("2026-11-23 15:14:59", "open", "open", "open"),
        ("2026-11-23 15:15", "open", "closing_auction", "open"),
        ("2026-11-23 15:30", "closed", "closing_auction", "closed"),
        ("2026-11-23 15:35", "closed", "closed", "closed"),
        ("2026-11-23 15:50", "closed", "post_close", "post_close"),
        ("2026-12-07 15:29", "open", "open", "open"),
        ("2026-12-07 15:30", "closed", "closing_auction", "closed"),
        ("2026-12-07 15:40", "closed", "closed", "closed"),
        ("2026-11-08 18:00", "pre_open", "pre_open", "pre_open"),
        ("2026-11-08 18:15", "open", "open", "open"),
        ("2026-11-08 19:15", "closed", "closed", "closed"),
        ("2026-11-24 11:00", "holiday", "holiday", "holiday"),
        ("2026-11-21 11:00", "holiday", "holiday", "holiday"),
        ("2020-03-13 09:19", "open", "open", "open"),
        ("2020-03-13 09:20", "halted", "halted", "halted"),
        ("2020-03-13 10:20", "open", "open", "open"),
        ("2020-03-23 10:00", "halted", "halted", "halted"),
        ("2009-09-04 10:00", "open", "open", "open"),
        ("2009-09-04 15:50", "closed", "closed", "closed"),
    ],
)
def test_the_phases_of_the_classes(
    moment: str, market: Phase, derivatives: StockPhase, others: StockPhase
) -> None:
    """The timetable of the date decides; the market is open while any stock trades."""
    now = at(moment)
    assert BUNDLED.phase(now) == market
    assert BUNDLED.stock_phase(now, derivatives=True) == derivatives
    assert BUNDLED.stock_phase(now, derivatives=False) == others


def test_a_halt_stops_what_trades_and_nothing_else() -> None:
    """A halt to the end of the day takes auction and post-close with it; the day stays one."""
    halt = Halt(at("2026-11-23 14:40"), at("2026-11-24 00:00"))
    for moment, phase in (
        ("14:39", "open"),
        ("14:40", "halted"),
        ("15:20", "halted"),
        ("15:36", "closed"),
        ("15:55", "halted"),
        ("16:00", "closed"),
    ):
        now = at(f"2026-11-23 {moment}")
        assert BUNDLED.stock_phase(now, derivatives=True, halts=[halt]) == phase
    assert BUNDLED.phase(at("2026-11-24 09:00"), [halt]) == "holiday"


def test_the_market_stays_open_in_a_halt() -> None:
    """H-1: the window of clients is the session's, whether or not anything trades."""
    assert BUNDLED.is_open(at("2020-03-13 09:30"))
    assert BUNDLED.next_change(at("2020-03-13 09:30")) == at("2020-03-13 15:30")


@pytest.mark.parametrize(
    ("day", "occasion"),
    [("2026-04-01", "Annual bank closing"), ("2025-09-08", "Id-E-Milad"), ("2026-04-02", "")],
)
def test_a_settlement_holiday_trades(day: str, occasion: str) -> None:
    """Money and shares rest, the market does not."""
    found = BUNDLED.day(date.fromisoformat(day))
    assert (found.kind, found.hours, found.known) == ("trading", "09:15 - 15:30 IST", True)
    assert found.settlement_holiday == occasion
    assert found.as_json_dict().get("settlement_holiday", "") == occasion


def test_the_end_of_the_calendar_is_told_in_time() -> None:
    """From 45 days before the last day until it; beyond, each day says itself that it guesses."""
    last = BUNDLED.coverage[1]
    told = {left: BUNDLED.notice(last - timedelta(days=left)) for left in (46, 45, 1, 0, -1)}
    assert NOTICE_DAYS == 45
    assert [left for left, notice in told.items() if notice] == [45, 1, 0]
    assert f"the calendar ends on {last}, in 45 days" in str(told[45])
    assert "tomorrow" in str(told[1])
    assert "today" in str(told[0])


@pytest.mark.parametrize(
    ("now", "next_open", "next_close", "trading_day"),
    [
        ("2025-09-04 09:14:59", "2025-09-04 09:15:00", "2025-09-04 15:30:00", "2025-09-04"),
        ("2025-09-04 09:15:00", "2025-09-05 09:15:00", "2025-09-04 15:30:00", "2025-09-04"),
        ("2025-09-04 15:30:00", "2025-09-05 09:15:00", "2025-09-05 15:30:00", "2025-09-04"),
        ("2025-09-05 15:30:00", "2025-09-08 09:15:00", "2025-09-08 15:30:00", "2025-09-05"),
        ("2025-09-06 12:00:00", "2025-09-08 09:15:00", "2025-09-08 15:30:00", "2025-09-08"),
        ("2024-03-02 09:30:00", "2024-03-02 11:30:00", "2024-03-02 10:00:00", "2024-03-02"),
        ("2024-03-02 10:00:00", "2024-03-02 11:30:00", "2024-03-02 12:30:00", "2024-03-02"),
        ("2025-10-21 12:00:00", "2025-10-21 13:45:00", "2025-10-21 14:45:00", "2025-10-21"),
        ("2025-10-21 15:00:00", "2025-10-23 09:15:00", "2025-10-23 15:30:00", "2025-10-21"),
        ("2026-12-31 16:00:00", "2027-01-01 09:15:00", "2027-01-01 15:30:00", "2026-12-31"),
    ],
)
def test_the_next_session(now: str, next_open: str, next_close: str, trading_day: str) -> None:
    """Nights, weekends, holidays and pauses are skipped; a moment is never its own next."""
    moment = at(now)
    assert ist_datetime(BUNDLED.next_open(moment)) == next_open
    assert ist_datetime(BUNDLED.next_close(moment)) == next_close
    assert BUNDLED.next_change(moment) == min(BUNDLED.next_open(moment), BUNDLED.next_close(moment))
    assert str(BUNDLED.trading_day(moment)) == trading_day


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2025-09-04 12:00", "09:15 - 15:30 IST"),
        ("2025-09-06 12:00", "09:15 - 15:30 IST"),
        ("2024-05-18 00:00", "09:15 - 10:00, 11:30 - 12:30 IST"),
        ("2024-11-01 23:59", "18:00 - 19:00 IST"),
    ],
)
def test_market_hours_are_those_of_the_day(moment: str, hours: str) -> None:
    """A split day lists its sessions; a closed day shows the regular hours."""
    assert BUNDLED.market_hours(at(moment)) == hours


def test_hours_show_seconds_where_there_are_any() -> None:
    """A session that does not begin on a full minute is shown to the second."""
    begin = ist_ns(date(2025, 9, 4), "10:00:30")
    day = TradingDay(date(2025, 9, 4), "special", (Session(begin, begin + 30 * NS_PER_SECOND),))
    assert day.hours == "10:00:30 - 10:01 IST"


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (
            "2025-09-04",
            {"kind": "trading", "sessions": [["09:15:00", "15:30:00"]], "known": True},
        ),
        (
            "2021-02-24",
            {
                "kind": "special",
                "sessions": [["09:15:00", "11:40:00"], ["15:45:00", "17:00:00"]],
                "known": True,
                "name": "Halt of NSE after a telecom failure, hours extended",
            },
        ),
        ("2025-09-06", {"kind": "weekend", "sessions": [], "known": True}),
        (
            "2026-11-24",
            {"kind": "holiday", "sessions": [], "known": True, "name": "Guru Nanak Jayanti"},
        ),
        (
            "2026-11-08",
            {
                "kind": "muhurat",
                "sessions": [["18:15:00", "19:15:00"]],
                "known": True,
                "confirmed": False,
                "name": "Diwali Laxmi Pujan",
            },
        ),
        (
            "2020-03-23",
            {
                "kind": "trading",
                "sessions": [["09:15:00", "15:30:00"]],
                "known": True,
                "halts": [["09:58:00", "10:58:00"]],
            },
        ),
        (
            "2027-01-26",
            {"kind": "trading", "sessions": [["09:15:00", "15:30:00"]], "known": False},
        ),
    ],
)
def test_a_day_as_the_calendar_command_prints_it(day: str, told: dict[str, object]) -> None:
    """Date, kind, sessions and known are there always, the rest where there is something to say."""
    assert BUNDLED.day(date.fromisoformat(day)).as_json_dict() == {"date": day, **told}


@given(now=moments())
def test_the_market_is_open_inside_the_days_sessions_alone(now: int) -> None:
    """is_open, session_at and phase agree with the sessions of the day in India."""
    sessions = BUNDLED.day(ist_date(now)).sessions
    inside = [session for session in sessions if session.open <= now < session.close]
    assert BUNDLED.is_open(now) == bool(inside) == (BUNDLED.phase(now) in ("open", "halted"))
    assert BUNDLED.session_at(now) == (inside[0] if inside else None)
    assert (BUNDLED.phase(now) == "holiday") == (not sessions)


@given(now=moments(), part=st.floats(0, 1))
def test_the_next_change_is_the_first_one(now: int, part: float) -> None:
    """At the next change open becomes closed or the reverse, and at no moment before it."""
    change = BUNDLED.next_change(now)
    assert change > now
    assert BUNDLED.is_open(change) != BUNDLED.is_open(now)
    for between in (now + int((change - now) * part), change - 1):
        if between < change:
            assert BUNDLED.is_open(between) == BUNDLED.is_open(now)


@given(now=moments())
def test_next_open_and_next_close_are_changes(now: int) -> None:
    """A session begins at next_open and ends at next_close; the nearer one is the next change."""
    opens, closes = BUNDLED.next_open(now), BUNDLED.next_close(now)
    assert opens > now
    assert BUNDLED.is_open(opens)
    assert not BUNDLED.is_open(opens - 1)
    assert closes > now
    assert not BUNDLED.is_open(closes)
    assert BUNDLED.is_open(closes - 1)
    assert BUNDLED.next_change(now) == min(opens, closes)


@given(now=moments())
def test_the_trading_day_is_today_or_the_next_day_with_a_session(now: int) -> None:
    """No day with a session lies between today and the trading day."""
    today, found = ist_date(now), BUNDLED.trading_day(now)
    assert BUNDLED.day(found).sessions
    days = (today + timedelta(days=offset) for offset in range((found - today).days))
    assert not any(BUNDLED.day(day).sessions for day in days)


@given(drawn=calendar_tables(), offset=st.integers(-3, 95), second=st.integers(0, 86_399))
def test_any_table_gives_a_calendar_that_keeps_its_word(
    drawn: CalendarTable, offset: int, second: int
) -> None:
    """Whatever days a file names, they are told as they stand and changes alternate."""
    calendar = TradingCalendar(drawn)
    for day, named in drawn.days.items():
        assert calendar.day(day) == named
    now = ist_ns(date(2025, 1, 1), "00:00") + (offset * 86_400 + second) * NS_PER_SECOND
    change = calendar.next_change(now)
    after = calendar.next_change(change)
    assert now < change < after
    assert calendar.is_open(now) != calendar.is_open(change) != calendar.is_open(after)
    assert calendar.is_open(change - 1) == calendar.is_open(now)


@given(override=calendar_tables(), day=dates())
def test_an_override_wins_by_date(override: CalendarTable, day: date) -> None:
    """After a merge the override's days are the override's, all others are as before."""
    merged = BUNDLED.merged(override)
    assert merged.day(day) == override.days.get(day, BUNDLED.day(day))
    for named in override.days.values():
        assert merged.day(named.date) == named
    assert merged.coverage == BUNDLED.coverage


def test_the_last_of_several_overrides_wins() -> None:
    """Overrides are merged in their order."""
    day = date(2025, 9, 4)
    quiet = BUNDLED.merged(table(holiday(day)))
    loud = quiet.merged(table(BUNDLED.day(day)))
    assert not quiet.is_open(ist_ns(day, "12:00"))
    assert loud.is_open(ist_ns(day, "12:00"))


def test_an_override_of_single_days_leaves_the_coverage_alone() -> None:
    """A day named outside the coverage is known; its neighbours are not."""
    day = date(2027, 1, 26)
    merged = BUNDLED.merged(CalendarTable({day: holiday(day)}, None, "mine.toml"))
    assert merged.coverage == BUNDLED.coverage
    assert (merged.day(day).kind, merged.day(day).known) == ("holiday", True)
    assert not merged.day(day + timedelta(days=1)).known


def test_an_override_can_add_a_year() -> None:
    """A coverage that joins the present one makes it longer."""
    merged = BUNDLED.merged(table(first="2027-01-01", last="2027-12-31"))
    assert merged.coverage == (date(2018, 1, 1), date(2027, 12, 31))
    assert merged.day(date(2027, 6, 1)).known


@pytest.mark.parametrize(
    ("first", "last"), [("2028-01-01", "2028-12-31"), ("2016-01-01", "2017-12-30")]
)
def test_an_override_may_not_leave_a_gap(first: str, last: str) -> None:
    """Between two coverages no date may be left that neither knows."""
    with pytest.raises(
        CalendarError, match=r"test\.toml, coverage: it covers .*; expected .*joins"
    ):
        BUNDLED.merged(table(first=first, last=last))


def test_a_calendar_needs_a_coverage() -> None:
    """A file of single days is an override, not a calendar."""
    with pytest.raises(CalendarError, match=r"^single\.toml: no coverage found; expected coverage"):
        TradingCalendar(CalendarTable({}, None, "single.toml"))


def test_the_market_cannot_be_closed_for_ever() -> None:
    """A month without a session is allowed, a day more is refused: the search stays bounded."""
    # From Saturday 2025-03-01 on, so that no weekend makes the closure longer.
    month = [date(2025, 3, 1) + timedelta(days=offset) for offset in range(MAX_CLOSED_DAYS)]
    calendar = TradingCalendar(table(*map(holiday, month)))
    now = ist_ns(date(2025, 2, 28), "15:30")
    assert ist_datetime(calendar.next_open(now)) == "2025-04-01 09:15:00"
    with pytest.raises(CalendarError, match="closed for more than 31 days"):
        TradingCalendar(table(*map(holiday, [*month, date(2025, 4, 1)])))


def test_the_end_of_the_calendar_is_an_error() -> None:
    """Beyond the year 9999 there is no next session, and no endless search for one."""
    now = ist_ns(date.max, "23:00")
    with pytest.raises(ValueError, match="years 1 to 9999"):
        BUNDLED.next_change(now)


@given(now=moments())
def test_days_are_ordinary_within_the_rule(now: int) -> None:
    """A day that the file does not name trades 09:15 to 15:30 from Monday to Friday."""
    day = BUNDLED.day(ist_date(now))
    assume(not day.source)
    hours = [(ist_clock(span.open), ist_clock(span.close)) for span in day.sessions]
    assert hours == ([("09:15:00", "15:30:00")] if day.date.weekday() < 5 else [])


def test_no_clock_is_read() -> None:
    """With the world frozen in 1999 the answers stay those of the moment asked about."""
    with freeze_time("1999-01-01"):
        calendar = TradingCalendar.bundled()
        assert calendar.is_open(at("2025-09-04 12:00"))
        assert ist_datetime(calendar.next_change(at("2025-09-04 12:00"))) == "2025-09-04 15:30:00"
        assert calendar.days_left(date(2026, 12, 30)) == 1
