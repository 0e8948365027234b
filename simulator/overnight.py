"""
From one synthetic day to the next: how a day ended is how the next one begins.

A :class:`Morning` holds the levels from which a day starts; together with the
seed and the date it is all that a day is drawn from. The previous close of a
day is the official close of the day before, and the 52-week range is widened
by what was traded. Levels that have wandered off too far begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

import msgspec

from simulator.market import Market
from simulator.profiles import Profile
from simulator.tape import Tape
from simulator.timetables import OPEN_S
from simulator.universe import INDICES, Index, Stock, nifty_50

__all__ = ["MAX_RATIO", "Ending", "Morning", "ending_of"]

MAX_RATIO = 8
"""A close so many times above or below the first day's level is not gone on from."""

_Instrument = TypeVar("_Instrument", Stock, Index)


class Ending(NamedTuple):
    """
    How a day ended for an instrument. Prices are in paise.

    Args:
        close: Official close.
        week_52_high: The told 52-week high, or the day's if that was higher.
        week_52_low: The told 52-week low, or the day's if that was lower.

    """

    close: int
    week_52_high: int
    week_52_low: int


def ending_of(tape: Tape) -> Ending:
    """Return how the day of a tape ended."""
    figures = tape.figures
    traded = figures["ltp"][(tape.ms >= OPEN_S * 1_000) | (figures["volume"] > 0)]
    return Ending(
        tape.close,
        max(int(figures["week_52_high"][0]), int(traded.max())),
        min(int(figures["week_52_low"][0]), int(traded.min())),
    )


class Morning(msgspec.Struct, frozen=True):
    """
    What a day begins with.

    Args:
        stocks: Those that are told, with their levels.
        members: Of the indices, told or not.
        indices: With their levels.

    """

    stocks: tuple[Stock, ...]
    members: tuple[Stock, ...]
    indices: tuple[Index, ...] = INDICES

    @classmethod
    def first(cls, stocks: Sequence[Stock]) -> Morning:
        """Return the morning of the first day of a market of some stocks."""
        told = {stock.token: stock for stock in stocks}
        return cls(tuple(stocks), tuple(told.get(stock.token, stock) for stock in nifty_50()))

    def market(
        self, day: date, seed: int, profile: Profile, *, timetable: str | None = None
    ) -> Market:
        """
        Return the plan of a day that begins so.

        What happens to single stocks happens to such as are told: to members
        of the indices, if any of these are.
        """
        market = Market(
            day, seed, profile, timetable=timetable, members=self.members, indices=self.indices
        )
        if not profile.affects:
            return market
        told = {stock.token for stock in self.stocks}
        choice = tuple(stock for stock in self.members if stock.token in told) or self.stocks
        drawn = msgspec.structs.replace(market, members=choice).affected_stocks()
        return msgspec.structs.replace(market, affected=drawn)

    def after(self, market: Market, endings: Mapping[int, Ending], first: Morning) -> Morning:
        """
        Return the morning after a day.

        Args:
            market: The day, which began with this morning.
            endings: How it ended, by token.
            first: The morning of the first day.

        """

        def stocks(present: Sequence[Stock], at_first: Sequence[Stock]) -> tuple[Stock, ...]:
            return tuple(
                _overnight(market.as_it_begins(stock), endings[stock.token], begun)
                for stock, begun in zip(present, at_first, strict=True)
            )

        return Morning(
            stocks(self.stocks, first.stocks),
            stocks(self.members, first.members),
            tuple(
                _overnight(index, endings[index.token], begun)
                for index, begun in zip(self.indices, first.indices, strict=True)
            ),
        )


def _overnight(present: _Instrument, ending: Ending, first: _Instrument) -> _Instrument:
    """Return an instrument as the next day finds it."""
    if not first.prev_close <= ending.close * MAX_RATIO <= first.prev_close * MAX_RATIO**2:
        return first
    return msgspec.structs.replace(
        present,
        prev_close=ending.close,
        week_52_high=ending.week_52_high,
        week_52_low=ending.week_52_low,
    )
