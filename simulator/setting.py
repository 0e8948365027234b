"""
What the instruments of a synthetic day share, and the prices that a stock may have.

Values alone: `simulator.market` prepares a `Setting`, `simulator.tape` draws
each instrument's rows in it.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.paths import FloatArray, generator
from simulator.profiles import Profile
from simulator.timetables import Hours, hours_of
from simulator.universe import Stock
from streamer.instruments import Instrument, tick_size
from streamer.odin.tags import NSE_CASH
from streamer.timetables import Timetable

BoolArray = npt.NDArray[np.bool_]

_HALT_BAND = 0.45  # when all fall together, the operating ranges give way step by step


class Setting(NamedTuple):
    """
    What the tapes of a day share.

    Args:
        day: The trading day.
        seed: What it is drawn from.
        profile: Which kind of day it is.
        timetable: When which phase begins.
        returns: Of the common factor, a second of the session each.
        volatility: Of the common factor, a second each.
        gap: The common step overnight.
        drift: A move of all stocks besides, a second each; 0 on most days.
        trading: Whether the market trades in a second; false while it is halted.
        affected: Tokens of the stocks that something happens to, in the profile's order.

    """

    day: date
    seed: int
    profile: Profile
    timetable: Timetable
    returns: FloatArray
    volatility: FloatArray
    gap: float
    drift: FloatArray
    trading: BoolArray
    affected: tuple[int, ...]

    @property
    def resumes(self) -> int | None:
        """The second from which the market trades again after a halt; None: no halt, or no end."""
        halt = self.profile.halt
        return None if halt is None else halt.resumes

    @property
    def is_over(self) -> bool:
        """Whether a halt ended the day."""
        return self.profile.halt is not None and self.resumes is None

    def hours(self, stock: Stock) -> Hours:
        """Return the stock's day."""
        return hours_of(self.timetable, derivatives=stock.derivatives)

    def generator(self, *words: int) -> np.random.Generator:
        """Return the source of draws of this day for these words."""
        return generator(self.seed, self.day.toordinal(), *words)


class Grid(NamedTuple):
    """The prices that a stock may have: multiples of its tick within its band."""

    tick: int
    lowest: int
    highest: int

    def nearest(self, price: float) -> int:
        """Return the nearest price that it may have."""
        return min(max(round(price / self.tick) * self.tick, self.lowest), self.highest)

    def inside(self, path: FloatArray, spread: int) -> FloatArray:
        """Return the path kept so far within the band that quotes ``spread`` ticks apart fit."""
        room = spread * self.tick
        return np.clip(path, self.lowest + room, self.highest - room)


def grid_of(stock: Stock, setting: Setting) -> Grid:
    """Return the prices that a stock may have on the day."""
    band = stock.band if setting.profile.halt is None else _HALT_BAND
    instrument = Instrument(NSE_CASH, stock.token, stock.symbol, "NSE", "EQ")
    tick = tick_size(instrument, setting.day, stock.prev_close)
    lowest = -(-stock.prev_close * (1 - band) // tick) * tick
    return Grid(tick, int(lowest), int(stock.prev_close * (1 + band) // tick * tick))
