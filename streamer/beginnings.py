"""
What the quotes of a trading session begin with: which session it is, and its figures.

A time of the feed belongs to the session of its day, or on a day without one to
the last session before: what a feed repeats on a weekend is Friday's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import msgspec

from streamer.calendar import MAX_CLOSED_DAYS, TradingCalendar
from streamer.ist import NS_PER_SECOND
from streamer.odin.tags import InstrumentKey
from streamer.reference import NO_FIGURES, Figures, ReferenceOf, SessionReference

OFFICIAL_AFTER_NS: Final = 30 * NS_PER_SECOND
"""How long after the close the first price is official: until then, late trades may come in."""

NEVER: Final = 2**63 - 1

_DAYS_KEPT: Final = 4


class Beginning(msgspec.Struct, frozen=True):
    """
    The session that a day belongs to, as one instrument begins it.

    Args:
        day: The session.
        previous: The session before; None where no calendar tells.
        official_from: From when on a price of that day is the official close
            (rule H-6): a feed tells it about a minute after the last trade.
        figures: What the end-of-day files say.

    """

    day: date
    previous: date | None = None
    official_from: int = NEVER
    figures: Figures = NO_FIGURES


Begin = Callable[[InstrumentKey, date], Beginning]


def begin_without_files(key: InstrumentKey, day: date) -> Beginning:
    """Let every day be a session of which nothing is known."""
    return Beginning(day)


class Beginnings:
    """
    The beginnings of all instruments.

    Args:
        calendar: Which days are sessions.
        reference_of: The figures of a session.

    """

    def __init__(self, calendar: TradingCalendar, reference_of: ReferenceOf) -> None:
        self._calendar = calendar
        self._reference_of = reference_of
        self._days: dict[date, tuple[Beginning, SessionReference]] = {}

    def __call__(self, key: InstrumentKey, day: date) -> Beginning:
        """Return how an instrument begins the session that a day belongs to."""
        plain, reference = self._of(day)
        figures = reference.figures.get(key)
        if figures is None:
            return plain
        return msgspec.structs.replace(plain, figures=figures)

    def reference(self, day: date) -> SessionReference:
        """Return the figures of the session that a day belongs to."""
        return self._of(day)[1]

    def forget(self) -> None:
        """Ask for all figures again: other files were imported."""
        self._days.clear()

    def _of(self, day: date) -> tuple[Beginning, SessionReference]:
        found = self._days.get(day)
        if found is None:
            session = self._session_until(day)
            previous = self._session_until(session - timedelta(days=1))
            sessions = self._calendar.day(session).sessions
            plain = Beginning(
                session,
                previous,
                sessions[-1].close + OFFICIAL_AFTER_NS if sessions else NEVER,
            )
            found = (plain, self._reference_of(session))
            while len(self._days) >= _DAYS_KEPT:
                del self._days[next(iter(self._days))]
            self._days[day] = found
        return found

    def _session_until(self, day: date) -> date:
        """Return the last session up to a day."""
        for back in range(MAX_CLOSED_DAYS + 1):
            session = day - timedelta(days=back)
            if self._calendar.day(session).sessions:
                return session
        return day
