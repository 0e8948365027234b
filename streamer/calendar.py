"""
When the market is open: trading days and their sessions, from data.

A :class:`TradingCalendar` answers from a table of holidays and special
sessions; on a day that the table does not name, the weekday rule holds: Monday
to Friday 09:15 to 15:30 IST. Sessions are half-open, so 15:30:00.000 is closed
(rule H-1). The phases within a day are those of its timetable. Beyond the
table's coverage the weekday rule is a guess, and each such day says so
(``known`` is false); it is for the server to be loud about it.
Reading tables from files is `streamer.calendar_files`; no function here reads a
clock, and the host's time zone plays no part (rule H-4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

from streamer.errors import CalendarError
from streamer.ist import (
    NS_PER_DAY,
    NS_PER_SECOND,
    ist_clock,
    ist_date,
    ist_datetime,
    ist_midnight,
    ist_ns,
)
from streamer.timetables import REGULAR_WINDOW, Span, Timetable, TradedPhase, timetable_at

DayKind = Literal["trading", "weekend", "holiday", "special", "muhurat"]
Phase = Literal["pre_open", "open", "halted", "closed", "holiday"]
"""Of the market as a whole."""
StockPhase = Literal[Phase, "closing_auction", "post_close"]
"""Of the stocks with derivatives, or of the others."""

REGULAR_HOURS = "09:15 - 15:30 IST"

PRE_OPEN_NS = 15 * 60 * NS_PER_SECOND
"""The exchanges collect orders in the quarter of an hour before each session, special ones too."""

NOTICE_DAYS = 45
"""So long before its last day a calendar asks for the next: lists come out in mid-December."""

MAX_CLOSED_DAYS = 31
"""A table with more closed days in a row is refused: the search for the next session is bounded."""

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


class Session(msgspec.Struct, frozen=True):
    """A stretch of trading: open from ``open`` (included) to ``close`` (excluded), in UNIX ns."""

    open: int
    close: int


class Halt(msgspec.Struct, frozen=True):
    """The whole market stands still from ``begin`` (included) to ``end`` (excluded), UNIX ns."""

    begin: int
    end: int

    @property
    def until(self) -> str | None:
        """When it ends, ``YYYY-MM-DD HH:MM:SS``; None where nothing but the day's end bounds it."""
        return None if ist_clock(self.end) == "00:00:00" else ist_datetime(self.end)


class TradingDay(msgspec.Struct, frozen=True):
    """
    What the calendar says of one date in India.

    Args:
        date: The date.
        kind: ``trading``, ``weekend`` or ``holiday``; ``special`` for any day
            that trades out of the ordinary, ``muhurat`` for Diwali's session.
        sessions: In order of time, with a pause between any two; empty when
            the market stays closed.
        known: False outside the calendar's coverage, where a holiday may be
            missing.
        confirmed: False where the hours are customary and no source has them.
        name: The occasion, where there is one.
        source: Where the facts come from; empty where the weekday rule holds.
        halts: When the market stood still within the sessions.
        settlement_holiday: The occasion on which the market trades though money
            and shares do not change hands; empty on most days.

    """

    date: date
    kind: DayKind
    sessions: tuple[Session, ...]
    known: bool = True
    confirmed: bool = True
    name: str = ""
    source: str = ""
    halts: tuple[Halt, ...] = ()
    settlement_holiday: str = ""

    @property
    def is_regular(self) -> bool:
        """Whether the day has one session, from 09:15 to 15:30, and so a timetable."""
        begin, end = (ist_ns(self.date, clock) for clock in REGULAR_WINDOW)
        return self.sessions == (Session(begin, end),)

    @property
    def hours(self) -> str:
        """The sessions as clients read them, ``09:15 - 15:30 IST``; empty when there are none."""
        spans = [f"{_short(span.open)} - {_short(span.close)}" for span in self.sessions]
        return f"{', '.join(spans)} IST" if spans else ""

    def as_json_dict(self) -> dict[str, object]:
        """Return the day as the calendar command prints it; what it has not is left out."""
        told: dict[str, object] = {
            "date": self.date.isoformat(),
            "kind": self.kind,
            "sessions": [[ist_clock(span.open), ist_clock(span.close)] for span in self.sessions],
            "known": self.known,
        }
        if not self.confirmed:
            told["confirmed"] = False
        if self.name:
            told["name"] = self.name
        if self.halts:
            told["halts"] = [[ist_clock(halt.begin), ist_clock(halt.end)] for halt in self.halts]
        if self.settlement_holiday:
            told["settlement_holiday"] = self.settlement_holiday
        return told


class CalendarTable(msgspec.Struct, frozen=True):
    """
    The content of one calendar file.

    Args:
        days: The days that the file names.
        coverage: First and last date between which the file names every day
            that the weekday rule gets wrong; None if it only adds single days.
        file: Its name, for errors.
        halts: Market-wide halts, by date.
        settlement_holidays: Their occasions, by date.
        timetables: By the first day on which each holds.

    """

    days: Mapping[date, TradingDay]
    coverage: tuple[date, date] | None
    file: str
    halts: Mapping[date, tuple[Halt, ...]] = {}
    settlement_holidays: Mapping[date, str] = {}
    timetables: Mapping[date, Timetable] = {}

    def joined(self, later: CalendarTable) -> CalendarTable:
        """Return both as one, by date, the later one winning; the coverage is this one's."""
        return CalendarTable(
            {**self.days, **later.days},
            self.coverage,
            later.file,
            {**self.halts, **later.halts},
            {**self.settlement_holidays, **later.settlement_holidays},
            {**self.timetables, **later.timetables},
        )


class TradingCalendar:
    """
    Answers when the market is open.

    A calendar never changes. Times are UNIX nanoseconds; in the years before
    1 and after 9999 every question raises `ValueError`.

    Args:
        table: The days that are not as the weekday rule has them.

    Raises:
        CalendarError: If the table has no coverage, or closes the market for
            more than `MAX_CLOSED_DAYS` days in a row.

    """

    __slots__ = ("_day", "_table", "coverage")

    def __init__(self, table: CalendarTable) -> None:
        if table.coverage is None:
            raise CalendarError(
                "no coverage found", expected="coverage = [FIRST DATE, LAST DATE]", file=table.file
            )
        self.coverage: tuple[date, date] = table.coverage
        """First and last date that the table knows whole."""
        self._table = table
        # Days are made as they are asked for; a server asks for few.
        self._day = lru_cache(maxsize=1024)(self._made_day)
        self._refuse_long_closures()

    @classmethod
    def bundled(cls) -> TradingCalendar:
        """Return the calendar that comes with the server."""
        # Not at the top of the file: the loader is built upon this module.
        from streamer.calendar_files import bundled_table

        return cls(bundled_table())

    def merged(self, override: CalendarTable) -> TradingCalendar:
        """
        Return a calendar in which the days of ``override`` replace this one's.

        Raises:
            CalendarError: If there are dates between the two coverages that
                neither knows, the market would be closed for too long, or
                ``override`` halts it while it is closed.

        """
        coverage = self.coverage
        if override.coverage is not None:
            first, last = override.coverage
            if first > self.coverage[1] + _ONE_DAY or last < self.coverage[0] - _ONE_DAY:
                raise CalendarError(
                    f"it covers {first} to {last}, so that days are left out",
                    expected=f"a coverage that joins {self.coverage[0]} to {self.coverage[1]}",
                    file=override.file,
                    entry="coverage",
                )
            coverage = (min(first, self.coverage[0]), max(last, self.coverage[1]))
        table = self._table.joined(override)
        merged = TradingCalendar(msgspec.structs.replace(table, coverage=coverage))
        for day, halts in override.halts.items():
            merged._refuse_idle_halts(day, halts, override.file)
        return merged

    def day(self, day: date) -> TradingDay:
        """Return what is known of a date; outside the coverage the weekday rule is assumed."""
        return self._day(day)

    def timetable(self, day: date) -> Timetable | None:
        """Return the timetable that holds on a date; None before the first of them."""
        return timetable_at(self.timetables, day)

    @property
    def timetables(self) -> tuple[Timetable, ...]:
        """All timetables, in the order of their dates."""
        return tuple(self._table.timetables[day] for day in sorted(self._table.timetables))

    def days_left(self, today: date) -> int:
        """Return how many days after ``today`` are covered; negative once it lies beyond them."""
        return (self.coverage[1] - today).days

    def notice(self, today: date) -> str | None:
        """Return that the coverage ends soon, from `NOTICE_DAYS` before its last day on."""
        left = self.days_left(today)
        if not 0 <= left <= NOTICE_DAYS:
            return None
        when = "today" if not left else "tomorrow" if left == 1 else f"in {left} days"
        return (
            f"the calendar ends on {self.coverage[1]}, {when}: beyond it holidays and special "
            "sessions are unknown"
        )

    def is_open(self, now: int) -> bool:
        """Tell if the market is open at ``now``."""
        return self.session_at(now) is not None

    def session_at(self, now: int) -> Session | None:
        """Return the session that is under way at ``now``; None when the market is closed."""
        for session in self.day(ist_date(now)).sessions:
            if session.open <= now < session.close:
                return session
        return None

    def phase(self, now: int, halts: Iterable[Halt] = ()) -> Phase:
        """
        Return the phase of the market as a whole at ``now`` (rule S-7).

        A day without sessions, a weekend too, is a ``holiday`` from midnight to
        midnight. The market is ``open`` as long as any stock trades, so to the
        end of the session, and ``closed`` while only an auction is left.

        Args:
            now: UNIX time in nanoseconds.
            halts: More than the calendar knows.

        """
        # Stocks without derivatives trade for the whole of each session.
        phase = self._phase_of_clock(now, derivatives=False)
        if phase == "open" or phase == "pre_open":
            return "halted" if self._is_halted(now, halts) else phase
        return "holiday" if phase == "holiday" else "closed"

    def stock_phase(self, now: int, *, derivatives: bool, halts: Iterable[Halt] = ()) -> StockPhase:
        """
        Return the phase of the stocks with or without derivatives at ``now``.

        On a day with hours of its own, only the quarter of an hour before each
        session is known besides the session itself.

        Args:
            now: UNIX time in nanoseconds.
            derivatives: Which of the stocks.
            halts: More than the calendar knows.

        """
        phase = self._phase_of_clock(now, derivatives)
        if phase == "closed" or phase == "holiday":
            return phase
        return "halted" if self._is_halted(now, halts) else phase

    def trading_day(self, now: int) -> date:
        """Return today's date if the market opens at all today, else the next such date."""
        today = self.day(ist_date(now))
        return today.date if today.sessions else ist_date(self.next_open(now))

    def next_open(self, now: int) -> int:
        """Return when a session next begins, strictly after ``now``."""
        return next(session.open for session in self._sessions_from(now) if session.open > now)

    def next_close(self, now: int) -> int:
        """Return when a session next ends, strictly after ``now``."""
        return next(session.close for session in self._sessions_from(now) if session.close > now)

    def next_change(self, now: int) -> int:
        """Return when the market next opens or closes, strictly after ``now``."""
        session = next(session for session in self._sessions_from(now) if session.close > now)
        return session.open if session.open > now else session.close

    def market_hours(self, now: int) -> str:
        """
        Return the hours of the day of ``now`` for people, as ``09:15 - 15:30 IST``.

        Sessions of a split day are listed; a closed day shows the regular hours.
        """
        return self.day(ist_date(now)).hours or REGULAR_HOURS

    def _sessions_from(self, now: int) -> Iterator[Session]:
        """Yield the sessions of the day of ``now`` and of all later days."""
        day = ist_date(now)
        while True:
            yield from self.day(day).sessions
            day = ist_date(ist_midnight(day) + NS_PER_DAY)

    def _phase_of_clock(
        self, now: int, derivatives: bool
    ) -> TradedPhase | Literal["closed", "holiday"]:
        """Return the phase that the day's hours have planned for ``now``."""
        day = self.day(ist_date(now))
        if not day.sessions:
            return "holiday"
        since_midnight = now - ist_midnight(day.date)
        for span in self._spans(day, derivatives):
            if span.begin <= since_midnight < span.end:
                return span.phase
        return "closed"

    def _is_halted(self, now: int, halts: Iterable[Halt]) -> bool:
        known = self.day(ist_date(now)).halts
        return any(halt.begin <= now < halt.end for halt in (*known, *halts))

    def _spans(self, day: TradingDay, derivatives: bool) -> Iterable[Span]:
        timetable = self.timetable(day.date)
        if timetable is not None and day.is_regular:
            yield from timetable.spans(derivatives=derivatives)
            return
        midnight = ist_midnight(day.date)
        for session in day.sessions:
            begin, end = session.open - midnight, session.close - midnight
            # A session comes first: its predecessor may end less than a quarter of an hour before.
            yield Span("open", begin, end)
            yield Span("pre_open", begin - PRE_OPEN_NS, begin)

    def _made_day(self, day: date) -> TradingDay:
        table = self._table
        found = table.days.get(day) or self._by_weekday_rule(day)
        halts, settlement = table.halts.get(day, ()), table.settlement_holidays.get(day, "")
        if not halts and not settlement:
            return found
        return msgspec.structs.replace(found, halts=halts, settlement_holiday=settlement)

    def _by_weekday_rule(self, day: date) -> TradingDay:
        known = self.coverage[0] <= day <= self.coverage[1]
        if day.weekday() >= _SATURDAY:
            return TradingDay(day, "weekend", (), known)
        begin, end = REGULAR_WINDOW
        return TradingDay(day, "trading", (Session(ist_ns(day, begin), ist_ns(day, end)),), known)

    def _refuse_idle_halts(self, day: date, halts: Iterable[Halt], file: str) -> None:
        """Refuse halts that touch no session: a slip in the date would go unnoticed."""
        found = self.day(day)
        for halt in halts:
            if not any(halt.begin < span.close and halt.end > span.open for span in found.sessions):
                raise CalendarError(
                    f"the halt from {_short(halt.begin)} to {_short(halt.end)} touches no session",
                    expected=f"one within {found.hours}" if found.hours else "a day with a session",
                    file=file,
                    entry=f"[[halt]] of {day}",
                )

    def _refuse_long_closures(self) -> None:
        for named in self._table.days.values():
            closed = 0
            while not self.day(named.date + closed * _ONE_DAY).sessions:
                closed += 1
                if closed > MAX_CLOSED_DAYS:
                    raise CalendarError(
                        f"the market is closed for more than {MAX_CLOSED_DAYS} days"
                        f" from {named.date} on",
                        expected="a session in between",
                        file=self._table.file,
                    )


def _short(moment: int) -> str:
    return ist_clock(moment).removesuffix(":00")
