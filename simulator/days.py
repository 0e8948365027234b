"""
A replay that moves on from day to day, and which stretch of time each day has.

:class:`Days` is a replay whose window is that of the present day; when the next
day has been offered, a seek into it moves on, and nothing is kept of the day
before. Making the days is `simulator.coming_day`'s subject.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from simulator.replay import Place, Replay
from simulator.timetables import hours_of, timetable_of
from simulator.window import LEAD_NS
from streamer.calendar import MAX_CLOSED_DAYS, TradingCalendar
from streamer.errors import ConfigError
from streamer.ist import NS_PER_SECOND, ist_date, ist_ns

__all__ = ["Days", "Window", "day_at", "endless_window", "next_day", "wall_window"]

TURN = "08:45"
"""With the wall clock's hours, a day lasts from this time to this time of the next trading day."""

_AFTER_CLOSE_NS = 10 * NS_PER_SECOND
_ONE_DAY = timedelta(days=1)
# Days that cannot be made lie between those that can: a special session now and then.
_SEARCHED_DAYS = 2 * MAX_CLOSED_DAYS


class Window(NamedTuple):
    """When a day begins and ends, in UNIX nanoseconds; its end is not part of it."""

    start: int
    end: int


def next_day(day: date, calendar: TradingCalendar) -> date:
    """
    Return the first day from ``day`` on that has an ordinary session.

    Raises:
        ConfigError: If there is none for long.

    """
    for ahead in range(_SEARCHED_DAYS):
        if calendar.day(day + ahead * _ONE_DAY).is_regular:
            return day + ahead * _ONE_DAY
    raise ConfigError(
        f"no session from 09:15 to 15:30 IST found in the {_SEARCHED_DAYS} days from {day} on;"
        " a calendar with such days expected"
    )


def day_at(now: int, calendar: TradingCalendar) -> date:
    """Return the day whose `wall_window` has ``now`` in it."""
    today = ist_date(now)
    if calendar.day(today).is_regular and now >= ist_ns(today, TURN):
        return today
    for back in range(1, _SEARCHED_DAYS):
        if calendar.day(today - back * _ONE_DAY).is_regular:
            return today - back * _ONE_DAY
    return next_day(today, calendar)


def endless_window(day: date, timetable: str | None) -> Window:
    """Return the session with a few seconds before, and after it up to the official close."""
    table = timetable_of(day, timetable)
    close = max(hours_of(table, derivatives=each).official_close for each in (True, False))
    return Window(
        ist_ns(day, "09:15") - LEAD_NS,
        ist_ns(day, "09:00") + close * NS_PER_SECOND + _AFTER_CLOSE_NS,
    )


def wall_window(day: date, calendar: TradingCalendar) -> Window:
    """Return the day with all its phases, and the night up to the next."""
    following = next_day(day + _ONE_DAY, calendar)
    return Window(ist_ns(day, TURN), ist_ns(following, TURN) - 1)


class Days(Replay):
    """A replay of one day after the other; it is made as a replay of the first."""

    _following: Replay | None = None

    def offer(self, following: Replay) -> None:
        """Let `find` lead into the next day as well."""
        self._following = following

    def find(self, to: int) -> Place:
        """
        Return a place in the present day, or in the next if it has been offered.

        Raises:
            ValueError: If ``to`` is in neither.
            RecordingError: If a file has been changed since it was opened.

        """
        following = self._following
        if following is not None and to >= following.start:
            return following.find(to)
        return super().find(to)

    def go(self, place: Place) -> None:
        """Continue from a place; one of the next day makes that the present one."""
        following = self._following
        if following is not None and place.ts >= following.start:
            self._following = None
            self.turn_to(following)
        super().go(place)
