"""
The feed's times: whole seconds of Indian wall clock to and from UNIX nanoseconds.

The wire carries no zone; all its times are Indian Standard Time. 0 stands for
an unknown time, on the wire for midnight of 1980-01-01, the zero of the
native block. Fractions of a second are dropped when a time is written.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

_NS = 1_000_000_000
_IST_S = 19_800
_EPOCH_1980_S = 315_532_800 - _IST_S
"""UNIX time, in seconds, of 1980-01-01 00:00:00 IST."""

_LAST_S = 253_402_300_799 - _IST_S - _EPOCH_1980_S
"""The last second of the year 9999, after 1980-01-01 IST."""

_DATE_TIME = re.compile(
    rb"(?:(\d{4})-(\d\d)-(\d\d)|(\d\d)(\d\d)(\d{4}))[ T]+(\d\d):?(\d\d):?(\d\d)", re.ASCII
)


def seconds_since_1980(ns: int) -> int:
    """Return a time as the native block counts it; 0 if it is unknown or not expressible."""
    seconds = ns // _NS - _EPOCH_1980_S
    return seconds if 0 < seconds <= _LAST_S else 0


def from_seconds_since_1980(seconds: int) -> int:
    """Return the UNIX time in nanoseconds of a native block's time; 0 if it is unknown."""
    return (seconds + _EPOCH_1980_S) * _NS if 0 < seconds <= _LAST_S else 0


@lru_cache(maxsize=4096)
def _wall(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds + _EPOCH_1980_S + _IST_S, UTC)


@lru_cache(maxsize=8192)
def _stamp(seconds: int) -> str:
    return f"{_wall(seconds):%Y-%m-%d %H%M%S}"


@lru_cache(maxsize=8192)
def _header_stamp(seconds: int) -> str:
    return f"{_wall(seconds):%d%m%Y %H%M%S}"


def stamp(ns: int) -> str:
    """Return a time as tags 73 and 74 have it: ``YYYY-MM-DD HHMMSS``."""
    return _stamp(seconds_since_1980(ns))


def header_stamp(ns: int) -> str:
    """Return a time as tag 66 of a server has it: ``DDMMYYYY HHMMSS``."""
    return _header_stamp(seconds_since_1980(ns))


def stamp_bytes(ns: int) -> bytes:
    """Return :func:`stamp` as bytes; fast where times lie in few seconds."""
    return _stamp_bytes(ns // _NS)


def header_stamp_bytes(ns: int) -> bytes:
    """Return :func:`header_stamp` as bytes; fast where times lie in few seconds."""
    return _header_stamp_bytes(ns // _NS)


@lru_cache(maxsize=8192)
def _stamp_bytes(seconds: int) -> bytes:
    return stamp(seconds * _NS).encode("ascii")


@lru_cache(maxsize=8192)
def _header_stamp_bytes(seconds: int) -> bytes:
    return header_stamp(seconds * _NS).encode("ascii")


def clock(ns: int) -> str:
    """Return a time as tag 66 of a client has it: ``HH:MM:SS``."""
    return f"{_wall(seconds_since_1980(ns)):%H:%M:%S}"


@lru_cache(maxsize=8192)
def parse_stamp(value: bytes) -> int:
    """
    Return the UNIX time in nanoseconds of a date and a time; 0 if it is none.

    Read are ``YYYY-MM-DD`` and ``DDMMYYYY`` followed by ``HHMMSS`` or
    ``HH:MM:SS``. A clock without a date is no time.
    """
    found = _DATE_TIME.fullmatch(value.strip())
    if found is None:
        return 0
    year, month, day, day_2, month_2, year_2, hour, minute, second = map(
        int, (part or b"0" for part in found.groups())
    )
    if hour > 23 or minute > 59 or second > 59:
        return 0
    try:
        days = date(year or year_2, month or month_2, day or day_2).toordinal()
    except ValueError:
        return 0
    unix = (days - 719_163) * 86_400 + hour * 3600 + minute * 60 + second - _IST_S
    return from_seconds_since_1980(unix - _EPOCH_1980_S)


def parse_time(value: bytes, sent: int) -> int:
    """
    Return the UNIX time in nanoseconds of tag 73 or 74; 0 if it cannot be told.

    Beside the forms of :func:`parse_stamp` this reads bare seconds, counted
    from 1970 UTC or from 1980 IST. The two are ten years apart, so the one
    nearer to ``sent``, the time in the message's header, is meant; without a
    header time nothing is.
    """
    if not value.isdigit():
        return parse_stamp(value)
    if not sent or len(value) > 12:
        return 0
    seconds = int(value)
    unix = seconds * _NS
    native = from_seconds_since_1980(seconds)
    return unix if abs(unix - sent) < abs(native - sent) else native
