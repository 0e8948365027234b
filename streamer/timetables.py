"""
The clock of an ordinary trading day: which phase begins when, for which stocks.

A :class:`Timetable` holds from a date on, as the exchanges' circulars do. From
August 2026 on, stocks with derivatives end their day in a closing auction, the
others do not; so each has its own spans. Which days are ordinary is
`streamer.calendar`'s subject, and when clients get quotes is rule H-1's alone:
no timetable changes that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal, NamedTuple

import msgspec

from streamer.ist import NS_PER_SECOND, clock_seconds

TradedPhase = Literal["pre_open", "open", "closing_auction", "post_close"]

REGULAR_WINDOW = ("09:15", "15:30")
"""The session of an ordinary day, and the continuous trading of stocks without derivatives."""


class Span(NamedTuple):
    """A phase from ``begin`` (included) to ``end`` (excluded), in nanoseconds after midnight."""

    phase: TradedPhase
    begin: int
    end: int


class Timetable(msgspec.Struct, frozen=True):
    """
    The phases of an ordinary day, from a date on. Times are ``HH:MM`` in India.

    Args:
        name: What it is asked for by; a later revision may have the same.
        effective_from: The first day on which it holds.
        pre_open: Orders for the opening price are collected, matched at the end.
        derivatives_close: Where continuous trading of stocks with derivatives ends.
        official_close: When a feed tells the official close of such stocks.
        post_close: Trading at that price, in all stocks.
        source: Where the facts come from.
        auction: Orders for the closing price are collected; None: no auction.
        auction_end: Where their matching is over; as far as is known, their end.
        reference: Of which the average price is the auction's reference.

    """

    name: str
    effective_from: date
    pre_open: tuple[str, str]
    derivatives_close: str
    official_close: str
    post_close: tuple[str, str]
    source: str
    auction: tuple[str, str] | None = None
    auction_end: str | None = None
    reference: tuple[str, str] | None = None

    def spans(self, *, derivatives: bool) -> tuple[Span, ...]:
        """Return the day of a stock with or without derivatives, in order; the rest is closed."""
        begin, end = REGULAR_WINDOW
        if derivatives and self.auction_end is not None:
            stop = self.derivatives_close
            trading = [_span("open", begin, stop), _span("closing_auction", stop, self.auction_end)]
        else:
            trading = [_span("open", begin, end)]
        return (
            # Order entry, matching, and the buffer up to the first trade.
            _span("pre_open", self.pre_open[0], begin),
            *trading,
            _span("post_close", *self.post_close),
        )


def timetable_at(timetables: Iterable[Timetable], day: date) -> Timetable | None:
    """Return the newest that holds on a day; None on a day before all of them."""
    in_force = [each for each in timetables if each.effective_from <= day]
    return max(in_force, key=lambda each: each.effective_from, default=None)


def _span(phase: TradedPhase, begin: str, end: str) -> Span:
    return Span(phase, clock_seconds(begin) * NS_PER_SECOND, clock_seconds(end) * NS_PER_SECOND)
