"""
Indian Standard Time: UNIX nanoseconds to the dates and texts that clients see, and back.

India is at UTC+05:30 the year round, so the offset is a constant and no answer
here depends on the time zone of the host (rule H-4). Times are integers of
nanoseconds since the UNIX epoch; they may lie in the years 1 to 9999, and any
other raises `ValueError`. What a time means for the market is
`streamer.calendar`'s subject.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

NS_PER_SECOND = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_SECOND
IST_OFFSET_NS = 19_800 * NS_PER_SECOND

_OFFSET_S = 19_800
_SECONDS_PER_DAY = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH_ORDINAL
_FIRST_DAY = date.min.toordinal() - _EPOCH_ORDINAL


def ist_date(now: int) -> date:
    """Return the date in India at ``now``."""
    return _date_of_day((now + IST_OFFSET_NS) // NS_PER_DAY)


def ist_clock(now: int) -> str:
    """Return the time of day in India at ``now``, as ``HH:MM:SS``."""
    return _second_text(now // NS_PER_SECOND)[11:]


def ist_datetime(now: int) -> str:
    """Return date and time in India at ``now``, as ``YYYY-MM-DD HH:MM:SS``."""
    return _second_text(now // NS_PER_SECOND)


def ist_rfc3339(now: int) -> str:
    """Return ``now`` as RFC 3339 with nine decimals, as ``2025-09-04T13:09:51.651469068+05:30``."""
    second, fraction = divmod(now, NS_PER_SECOND)
    return f"{_rfc3339_second(second)}.{fraction:09d}+05:30"


def ist_midnight(day: date) -> int:
    """Return the moment at which ``day`` begins in India."""
    return (day.toordinal() - _EPOCH_ORDINAL) * NS_PER_DAY - IST_OFFSET_NS


def ist_ns(day: date, clock: str) -> int:
    """
    Return the moment at which the clocks of India show ``clock`` on ``day``.

    Args:
        day: The date in India.
        clock: ``HH:MM`` or ``HH:MM:SS``, two digits each, 00:00 to 23:59:59.

    Raises:
        ValueError: If ``clock`` is written in any other way.

    """
    return ist_midnight(day) + clock_seconds(clock) * NS_PER_SECOND


def clock_seconds(clock: str) -> int:
    """
    Return how many seconds after midnight ``HH:MM`` or ``HH:MM:SS`` is.

    Raises:
        ValueError: If ``clock`` is written in any other way.

    """
    fields = clock.split(":")
    if len(fields) not in (2, 3) or not all(
        len(field) == 2 and field.isascii() and field.isdigit() for field in fields
    ):
        raise ValueError(f"time {clock!r} found; HH:MM or HH:MM:SS expected")
    hour, minute, second = (*(int(field) for field in fields), 0)[:3]
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"time {clock!r} found; a time from 00:00 to 23:59:59 expected")
    return hour * 3600 + minute * 60 + second


# The server formats the same second many times (each update of the feed is
# stamped), the same day nearly always. Both caches are bounded.
@lru_cache(maxsize=512)
def _date_of_day(day: int) -> date:
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise ValueError(f"a time {day} days after 1970-01-01 found; the years 1 to 9999 expected")
    return date.fromordinal(day + _EPOCH_ORDINAL)


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    day, rest = divmod(second + _OFFSET_S, _SECONDS_PER_DAY)
    hour, rest = divmod(rest, 3600)
    minute, rest = divmod(rest, 60)
    return f"{_date_of_day(day).isoformat()} {hour:02d}:{minute:02d}:{rest:02d}"


@lru_cache(maxsize=4096)
def _rfc3339_second(second: int) -> str:
    return _second_text(second).replace(" ", "T")
