"""When the market is open: a small calendar, and Indian times in words (section 6 of the rules)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from tests.conformance.reference.breaks import broken

IST: Final = timezone(timedelta(hours=5, minutes=30))
SECOND: Final = 10**9
PRE_OPEN: Final = 15 * 60 * SECOND
REGULAR: Final = "09:15 - 15:30"

# NSE's and BSE's lists of holidays; weekdays alone.
_HOLIDAYS: Final = """
2024-01-22 2024-01-26 2024-03-08 2024-03-25 2024-03-29 2024-04-11 2024-04-17 2024-05-01
2024-05-20 2024-06-17 2024-07-17 2024-08-15 2024-10-02 2024-11-15 2024-11-20 2024-12-25
2025-02-26 2025-03-14 2025-03-31 2025-04-10 2025-04-14 2025-04-18 2025-05-01 2025-08-15
2025-08-27 2025-10-02 2025-10-22 2025-11-05 2025-12-25 2026-01-15 2026-01-26 2026-03-03
2026-03-26 2026-03-31 2026-04-03 2026-04-14 2026-05-01 2026-05-28 2026-06-26 2026-09-14
2026-10-02 2026-10-20 2026-11-10 2026-11-24 2026-12-25
"""
HOLIDAYS: Final = frozenset(_HOLIDAYS.split())
SPECIAL: Final = {
    "2024-01-20": REGULAR,
    "2024-03-02": "09:15 - 10:00, 11:30 - 12:30",
    "2024-05-18": "09:15 - 10:00, 11:30 - 12:30",
    "2024-11-01": "18:00 - 19:00",
    "2025-02-01": REGULAR,
    "2025-10-21": "13:45 - 14:45",
    "2026-02-01": REGULAR,
    "2026-11-08": "18:15 - 19:15",
}

Session = tuple[int, int]


def in_india(now: int, zone: timezone = IST) -> datetime:
    """Return UNIX nanoseconds as a date and time, whole seconds."""
    return datetime.fromtimestamp(now // SECOND, zone)


def stamp(now: int, zone: timezone = IST) -> str:
    """Return ``YYYY-MM-DD HH:MM:SS``."""
    return f"{in_india(now, zone):%Y-%m-%d %H:%M:%S}"


def nanoseconds(day: date, clock: str) -> int:
    """Return the moment of a time of day in India, ``HH:MM`` or ``HH:MM:SS``."""
    return round(datetime.fromisoformat(f"{day} {clock}+05:30").timestamp()) * SECOND


class Hours:
    """
    The market's sessions.

    Args:
        window: The same hours on every day, weekends and holidays included, for a server
            whose hours are moved around the present; None for the market's own.

    """

    def __init__(self, window: str | None) -> None:
        self._window = window
        self._sessions_of = lru_cache(maxsize=64)(self._read_sessions)

    def words(self, now: int | None) -> str:
        """Return the hours of the day for people, ``09:15 - 15:30 IST`` on a closed day."""
        if now is None or broken("hours-text-fixed"):
            return f"{REGULAR} IST"
        return f"{self._day_in_words(in_india(now).date()) or REGULAR} IST"

    def session_at(self, now: int) -> Session | None:
        """Return the session under way, its begin included and its end excluded (H-1)."""
        for begin, end in self.sessions(now):
            opened = begin < now if broken("open-excludes-its-first-moment") else begin <= now
            closed = now > end if broken("close-includes-its-moment") else now >= end
            if opened and not closed:
                return begin, end
        return None

    def phase(self, now: int | None) -> str:
        """Return the phase of S-7."""
        if now is None:
            return "closed" if broken("no-phase-waiting") else "waiting"
        if not self.sessions(now):
            return "closed" if broken("no-phase-holiday") else "holiday"
        if self.session_at(now):
            return "open"
        near = any(begin - PRE_OPEN <= now < begin for begin, _ in self.sessions(now))
        return "pre_open" if near and not broken("no-phase-pre-open") else "closed"

    def next_open(self, now: int) -> int:
        """Return when a session next begins, strictly after ``now``."""
        if broken("next-open-tomorrow") and not self.session_at(now):
            return nanoseconds(in_india(now).date() + timedelta(days=1), "09:15")
        return next(begin for begin, _ in self._from(now) if begin > now)

    def next_close(self, now: int) -> int:
        """Return when a session next ends, strictly after ``now``."""
        if broken("next-close-today"):
            return nanoseconds(in_india(now).date(), "15:30")
        return next(end for _, end in self._from(now) if end > now)

    def trading_day(self, now: int) -> str:
        """Return today's date if it has a session at all, else the next one's that has."""
        found = now if self.sessions(now) else self.next_open(now)
        return in_india(found).date().isoformat()

    def sessions(self, now: int) -> tuple[Session, ...]:
        """Return the sessions of the day of ``now``, in order."""
        return self._sessions_of((now + 19_800 * SECOND) // (86_400 * SECOND))

    def _from(self, now: int) -> Iterator[Session]:
        while True:
            yield from self.sessions(now)
            now += 86_400 * SECOND

    def _read_sessions(self, day_number: int) -> tuple[Session, ...]:
        day = date(1970, 1, 1) + timedelta(days=day_number)
        windows = filter(None, self._day_in_words(day).split(", "))
        spans = []
        for window in windows:
            begin, _, end = window.partition(" - ")
            spans.append((nanoseconds(day, begin), nanoseconds(day, end)))
        if broken("split-session-joined"):
            spans = [(spans[0][0], spans[-1][1])] if spans else []
        return tuple(spans)

    def _day_in_words(self, day: date) -> str:
        if self._window:
            return self._window
        if day.isoformat() in SPECIAL and not broken("special-days-unknown"):
            return SPECIAL[day.isoformat()]
        if day.weekday() >= 5 and not broken("opens-on-weekends"):
            return ""
        is_holiday = day.isoformat() in HOLIDAYS and not broken("opens-on-holidays")
        return "" if is_holiday else REGULAR
