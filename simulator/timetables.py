"""
The clock of a trading day: which phase begins when, for stocks with and without derivatives.

The timetables stand in ``simulator/data/timetables.toml``, each with the date
from which it holds. What happens in a phase is `simulator.tape`'s subject; when
clients get quotes is the streaming server's calendar's.
"""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from importlib import resources

import msgspec

from streamer.calendar import Session, TradingCalendar
from streamer.errors import ConfigError
from streamer.ist import ist_ns

OPEN_S = 15 * 60
"""Continuous trading begins at 09:15, in seconds after 09:00."""

SECONDS = 22_500
"""Seconds of the session, from 09:15 to 15:30."""


class Hours(msgspec.Struct, frozen=True):
    """
    One stock's day. Times are in seconds after 09:00.

    Args:
        pre_open_end: Where order entry ends and the opening price is found.
        seconds: How long continuous trading lasts, from 09:15.
        closing: The part of it of which the average price is the official
            close, or the closing auction's reference: seconds from 09:15.
        auction: Begin and end of the closing auction's order entry; None: no auction.
        official_close: When the feed tells the official close.
        post_close: Begin and end of the trading at that price.

    """

    pre_open_end: int
    seconds: int
    closing: tuple[int, int]
    auction: tuple[int, int] | None
    official_close: int
    post_close: tuple[int, int]


class Timetable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    The phases of a day, from a date on. Times are ``HH:MM`` in India; the file explains them.

    ``auction`` and ``reference`` are None where there is no closing auction.
    """

    name: str
    effective_from: date
    pre_open: tuple[str, str]
    continuous: tuple[str, str]
    derivatives_close: str
    official_close: str
    post_close: tuple[str, str]
    source: str
    auction: tuple[str, str] | None = None
    reference: tuple[str, str] | None = None

    def hours(self, *, derivatives: bool) -> Hours:
        """Return the day of a stock with or without derivatives."""
        # Stocks without derivatives keep their close by average, whatever the others do.
        if derivatives and self.auction is not None and self.reference is not None:
            seconds = _seconds(self.derivatives_close) - OPEN_S
            first, last = (_seconds(time) - OPEN_S for time in self.reference)
            auction = (_seconds(self.auction[0]), _seconds(self.auction[1]))
            official_close = _seconds(self.official_close)
        else:
            seconds = _seconds(self.continuous[1]) - OPEN_S
            official_close = _seconds(self.continuous[1]) + 60
            first, last = seconds - 1_800, seconds
            auction = None
        return Hours(
            pre_open_end=_seconds(self.pre_open[1]),
            seconds=seconds,
            closing=(first, last),
            auction=auction,
            official_close=official_close,
            post_close=(_seconds(self.post_close[0]), _seconds(self.post_close[1])),
        )


@cache
def timetables() -> tuple[Timetable, ...]:
    """Return all timetables, in the order of their dates."""
    text = resources.files("simulator").joinpath("data/timetables.toml").read_text("utf-8")
    tables = msgspec.convert(tomllib.loads(text)["timetable"], tuple[Timetable, ...])
    return tuple(sorted(tables, key=lambda timetable: timetable.effective_from))


def names() -> tuple[str, ...]:
    """Return the names that a timetable can be asked for by, in the order of their dates."""
    return tuple(dict.fromkeys(timetable.name for timetable in timetables()))


def timetable_of(day: date, name: str | None = None) -> Timetable:
    """
    Return the timetable that holds on a day, or one by name.

    A timetable that changed under one name is taken as it was on the day; on a
    day before all its dates as it was first.

    Raises:
        ConfigError: If there is none of this name, or none for so early a day.

    """
    choices = [table for table in timetables() if name is None or table.name == name]
    if not choices:
        raise ConfigError(f"timetable {name!r} found; one of {', '.join(names())} expected")
    in_force = [table for table in choices if table.effective_from <= day]
    if not in_force and name is None:
        raise ConfigError(
            f"{day} found; a day from {choices[0].effective_from} on, or a timetable, expected"
        )
    return in_force[-1] if in_force else choices[0]


def is_ordinary(day: date, calendar: TradingCalendar) -> bool:
    """Tell whether a day has one session, from 09:15 to 15:30: no other can be made."""
    ordinary = Session(ist_ns(day, "09:15"), ist_ns(day, "15:30"))
    return calendar.day(day).sessions == (ordinary,)


def _seconds(time: str) -> int:
    hour, minute = time.split(":")
    return (int(hour) - 9) * 3_600 + int(minute) * 60
