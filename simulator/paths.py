"""
How prices wander within a synthetic day: clustered volatility, heavy tails, standing quotes.

Pure series, one value a second (or a minute): who they belong to, and what is
traded along them, is `simulator.tape`'s subject.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simulator.columns import Int64Array

FloatArray = npt.NDArray[np.float64]

CLOSING_VOLUME = 1.6
"""How far the volume of the last minutes rises, on an ordinary day."""


def generator(*words: int) -> np.random.Generator:
    """Return the source of draws that belongs to these words alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


@lru_cache(maxsize=8)
def volatility_shape(seconds: int) -> FloatArray:
    """Return the volatility over a session, of mean square 1: a reversed J."""
    x = np.arange(seconds) / seconds
    shape = 0.75 + 1.75 * np.exp(-x / 0.045) + 0.35 * np.exp(-(1 - x) / 0.05)
    unit: FloatArray = shape / np.sqrt(np.mean(shape**2))
    return unit


@lru_cache(maxsize=8)
def volume_shape(seconds: int, closing: float = CLOSING_VOLUME) -> FloatArray:
    """Return the volume over a session: a U, its right arm by ``closing``."""
    x = np.arange(seconds) / seconds
    shape: FloatArray = 0.65 + 1.7 * np.exp(-x / 0.05) + closing * np.exp(-(1 - x) / 0.045)
    return shape


def clustered(
    rng: np.random.Generator, half_life_min: float, deviation: float, seconds: int
) -> FloatArray:
    """Return volatility per second: the exponential of an autoregression over the minutes."""
    minutes = seconds // 60
    keep = 0.5 ** (1 / half_life_min)
    shocks = rng.standard_normal(minutes) * deviation * np.sqrt(1 - keep**2)
    level = rng.standard_normal() * deviation
    levels = np.empty(minutes)
    for minute, shock in enumerate(shocks.tolist()):
        level = keep * level + shock
        levels[minute] = level
    return np.repeat(np.exp(levels), 60)


def returns(rng: np.random.Generator, volatility: FloatArray, of_day: float) -> FloatArray:
    """Return a return for each second; heavy-tailed, together of the day's volatility."""
    seconds = len(volatility)
    shocks = rng.standard_t(4, seconds) * volatility * volatility_shape(seconds)
    scaled: FloatArray = shocks * (of_day / np.sqrt(np.sum(shocks**2)))
    return scaled


def standing_bids(path: FloatArray, spread: int) -> Int64Array:
    """
    Return the bid of each second in ticks; the ask is ``spread`` ticks above.

    Quotes stand until the middle has left them. Without this every second has
    a new price, which no real tape shows.
    """
    bid = round(float(path[0]) - spread / 2)
    bids = []
    for middle in path.tolist():
        if not bid <= middle <= bid + spread:
            bid = round(middle - spread / 2)
        bids.append(bid)
    return np.array(bids, dtype=np.int64)


def last_true(marks: npt.NDArray[np.bool_]) -> Int64Array:
    """Return for each place the last one up to it that is marked; 0 before the first."""
    latest: Int64Array = np.maximum.accumulate(np.where(marks, np.arange(len(marks)), 0))
    return latest
