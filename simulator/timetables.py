"""
A stock's own day in a synthetic market: what the timetable of the date makes of its seconds.

The timetables are the streaming server's calendar's (`streamer.timetables`).
What happens in a phase is `simulator.tape`'s subject; when clients get quotes
is that calendar's.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import msgspec

from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.ist import clock_seconds
from streamer.timetables import REGULAR_WINDOW, Timetable, timetable_at

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


def hours_of(timetable: Timetable, *, derivatives: bool) -> Hours:
    """Return the day of a stock with or without derivatives."""
    # Stocks without derivatives keep their close by average, whatever the others do.
    if derivatives and timetable.auction is not None and timetable.reference is not None:
        seconds = _seconds(timetable.derivatives_close) - OPEN_S
        first, last = (_seconds(time) - OPEN_S for time in timetable.reference)
        auction = (_seconds(timetable.auction[0]), _seconds(timetable.auction[1]))
        official_close = _seconds(timetable.official_close)
    else:
        seconds = _seconds(REGULAR_WINDOW[1]) - OPEN_S
        official_close = _seconds(REGULAR_WINDOW[1]) + 60
        first, last = seconds - 1_800, seconds
        auction = None
    return Hours(
        pre_open_end=_seconds(timetable.pre_open[1]),
        seconds=seconds,
        closing=(first, last),
        auction=auction,
        official_close=official_close,
        post_close=(_seconds(timetable.post_close[0]), _seconds(timetable.post_close[1])),
    )


@cache
def timetables() -> tuple[Timetable, ...]:
    """Return all timetables, in the order of their dates."""
    return TradingCalendar.bundled().timetables


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
    in_force = timetable_at(choices, day)
    if in_force is None and name is None:
        raise ConfigError(
            f"{day} found; a day from {choices[0].effective_from} on, or a timetable, expected"
        )
    return in_force or choices[0]


def _seconds(time: str) -> int:
    return clock_seconds(time) - 9 * 3_600
