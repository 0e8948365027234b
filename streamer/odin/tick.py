"""
What quotes are made of, out of a feed's touchlines.

A :class:`Tick` is the part of a touchline that a quote shows: no order book, no
single trade. :func:`read_ticks` reads those of a whole body at once, in the
layout that our own feed writes; in any other, a touchline is read first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from streamer import native
from streamer.odin.fields import MAX_DIGITS, MAX_ID
from streamer.odin.tags import InstrumentKey
from streamer.odin.times import parse_stamp
from streamer.odin.touchline import Touchline


class Day(msgspec.Struct, frozen=True, gc=False):
    """
    What a tick says of its day, in prices as the feed scales them; 0 is unknown.

    ``close`` is the previous day's official close. Ticks of one instrument
    share a day as long as nothing of it changes.
    """

    close: int
    open: int
    high: int
    low: int
    locator: int
    high_52: int = 0
    low_52: int = 0


class Tick(msgspec.Struct, frozen=True, gc=False):
    """
    One update of an instrument.

    ``moment`` is when the exchange says that it was, in UNIX nanoseconds, 0 if
    it does not; ``sent`` is the time in the message's header.
    """

    key: InstrumentKey
    sent: int
    ltp: int
    volume: int
    moment: int
    day: Day


class Ticks(msgspec.Struct, frozen=True, gc=False):
    """Ticks that follow each other on the wire with the same time in their headers."""

    sent: int
    ticks: list[Tick]


def tick_of(touchline: Touchline) -> Tick:
    """Return what a quote shows of a touchline."""
    return Tick(
        touchline.key,
        touchline.sent,
        touchline.ltp,
        touchline.volume,
        touchline.lut or touchline.ltt,
        Day(
            touchline.close,
            touchline.open,
            touchline.high,
            touchline.low,
            touchline.locator,
            touchline.high_52,
            touchline.low_52,
        ),
    )


def as_ticks(touchline: Touchline) -> Ticks:
    """Return what a quote shows of a touchline that came alone."""
    return Ticks(touchline.sent, [tick_of(touchline)])


# A run of anything but one byte is matched twice as fast as a run of digits.
_ANY: Final = r"[^|]++"
_NUMBER: Final = rf"\d{{1,{MAX_DIGITS}}}+"


def _fields(*tags: int, value: str) -> str:
    return "".join(rf"\|{tag:d}={value}" for tag in tags)


_TEXT: Final = re.compile(
    (
        rf"\x02(\d{{5}})63=FT3\.0\|64=209\|65={_ANY}\|66=([^|]{{15}})"
        rf"\|1=({_NUMBER})\|73=([^|]{{17}})\|7=({_NUMBER})\|79=({_NUMBER})\|8=({_NUMBER})"
        rf"{_fields(54, 9, 80, value=_ANY)}\|74=([^|]{{17}})"
        rf"{_fields(2, 3, 5, 6, 81, 82, value=_ANY)}"
        rf"({_fields(76, 75, 77, 78, value=_NUMBER)}\|399=10{{0,9}}"
        rf"{_fields(93, 94, value=_NUMBER)}){_fields(88, 393, value=_ANY)}"
        r"\|380=[ -{}~]*+(?=\x02|\Z)"
        r"|\x02(\d{5})([^\x02]*+)"
    ).encode("ascii"),
    re.ASCII,
)
_HEADER_BYTES: Final = 6


@lru_cache(maxsize=1 << 15)
def _day(text: bytes) -> Day:
    return Day(*(int(field.partition(b"=")[2]) for field in text[1:].split(b"|")))


@lru_cache(maxsize=1 << 16)
def _key(segment: bytes, token: bytes) -> InstrumentKey | None:
    key = (int(segment), int(token))
    return key if 0 < key[0] <= MAX_ID and 0 < key[1] <= MAX_ID else None


def read_ticks_plainly(body: bytes) -> list[Ticks | bytes] | None:
    """
    Return the ticks of a body of texts, and every other text as it is, in order.

    A shortcut: ticks are what :func:`tick_of` makes of the touchlines that the
    general way reads, if these are in our own layout. What no quote shows is
    not looked at. None is returned if the texts cannot be told apart at once.
    """
    rows = _TEXT.findall(body)
    found: list[Ticks | bytes] = []
    size = _HEADER_BYTES * len(rows)
    sent_text = lut_text = b""
    sent_at = lut_at = 0
    for length, sent, segment, ltt, token, volume, ltp, lut, day, other_length, other in rows:
        if other_length:
            if int(other_length) != len(other):
                return None
            size += len(other)
            found.append(other)
            sent_text = b""
            continue
        size += int(length)
        key = _key(segment, token)
        if key is None:
            return None
        if sent != sent_text:
            sent_text, sent_at = sent, parse_stamp(sent)
            ticks: list[Tick] = []
            found.append(Ticks(sent_at, ticks))
        if lut != lut_text:
            lut_text, lut_at = lut, parse_stamp(lut)
        moment = lut_at or parse_stamp(ltt)
        ticks.append(Tick(key, sent_at, int(ltp), int(volume), moment, _day(day)))
    return found if size == len(body) else None


_reading = native.part("streamer.odin._reading", form=1)

read_ticks: Final[Callable[[bytes], list[Ticks | bytes] | None]] = (
    read_ticks_plainly
    if _reading is None
    else _reading.TickReader(Tick, Ticks, Day, parse_stamp).read
)
"""What :func:`read_ticks_plainly` does, compiled where that is installed."""
