"""
Figures of a trading day that real days share: tails, clusters, correlations, rates.

Measured from what a day tells, so a real recording may be measured as well.
Each figure is the median of the stocks unless it says otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.columns import Batch

FloatArray = npt.NDArray[np.float64]
Thirds = tuple[float, float, float]
"""A figure over the first 15 minutes, 11:15 to 13:15, and the last 15; the day's mean is 1."""

SECONDS = 22_500
MINUTES = SECONDS // 60


class Facts(NamedTuple):
    """What was measured of the returns and volumes of single minutes, and of single updates."""

    kurtosis: float
    autocorrelation: float
    absolute_1: float
    absolute_5: float
    absolute_60: float
    pairwise: float
    with_index: float
    first_component: float
    absolute_return: Thirds
    volume: Thirds
    slowest: float
    fastest: float
    together: float
    unchanged: float


ACCEPTED: dict[str, tuple[float, float] | tuple[tuple[float, float], ...]] = {
    "kurtosis": (2, 7),
    "autocorrelation": (-0.12, 0.05),
    "absolute_1": (0.12, 0.32),
    "absolute_5": (0.07, 0.20),
    "absolute_60": (-0.05, 0.05),
    "pairwise": (0.07, 0.25),
    "with_index": (0.22, 0.50),
    "first_component": (0.10, 0.28),
    "absolute_return": ((1.7, 2.8), (0.70, 1.0), (0.8, 1.8)),
    "volume": ((1.8, 4.3), (0.55, 0.95), (1.6, 4.7)),
    "slowest": (0.3, 1.0),
    "fastest": (0.3, 1.0),
    "together": (35, 50),
    "unchanged": (0.40, 0.60),
}
"""The ranges in which real days lie."""


def misses(facts: Facts) -> dict[str, object]:
    """The figures that lie outside the ranges of real days."""
    missed: dict[str, object] = {}
    for name, accepted in ACCEPTED.items():
        values = np.atleast_1d(getattr(facts, name))
        limits = np.atleast_2d(accepted)
        if not ((limits[:, 0] <= values) & (values <= limits[:, 1])).all():
            missed[name] = getattr(facts, name)
    return missed


def measure(rows: Batch, opening: int, stocks: int) -> Facts:
    """Measure a day whose instruments are ``stocks`` stocks and then one index."""
    inside = (rows.ts >= opening) & (rows.ts < opening + SECONDS * 10**9)
    seconds = (rows.ts[inside] - opening) / 1e9
    number = rows.instrument[inside]
    ltp, volume = rows.figures["ltp"][inside], rows.figures["volume"][inside]
    ends = np.arange(1, MINUTES + 1) * 60.0
    prices, volumes, rates, unchanged = [], [], [], []
    for instrument in range(stocks + 1):
        own = number == instrument
        at = np.searchsorted(seconds[own], ends) - 1
        prices.append(np.append(ltp[own][0], ltp[own][at]))
        if instrument < stocks:
            volumes.append(np.append(volume[own][0], volume[own][at]))
            rates.append(own.sum() / SECONDS)
            unchanged.append(np.mean(np.diff(ltp[own]) == 0))
    returns = np.diff(np.log(np.array(prices, dtype=np.float64)))
    stock, index = returns[:stocks], returns[stocks]
    standard = (stock - stock.mean(1, keepdims=True)) / stock.std(1, keepdims=True)
    correlations = np.corrcoef(stock)
    together = np.bincount(seconds[number < stocks].astype(np.int64), minlength=SECONDS)
    return Facts(
        kurtosis=float(np.median((standard**4).mean(1) - 3)),
        autocorrelation=_lagged(stock, 1),
        absolute_1=_lagged(abs(stock), 1),
        absolute_5=_lagged(abs(stock), 5),
        absolute_60=_lagged(abs(stock), 60),
        pairwise=float(correlations[np.triu_indices(stocks, 1)].mean()),
        with_index=float(np.median([np.corrcoef(own, index)[0, 1] for own in stock])),
        first_component=float(np.linalg.eigvalsh(correlations)[-1] / stocks),
        absolute_return=_thirds(abs(stock)),
        volume=_thirds(np.diff(np.array(volumes, dtype=np.float64))),
        slowest=float(min(rates)),
        fastest=float(max(rates)),
        together=float(np.median(together)),
        unchanged=float(np.median(unchanged)),
    )


def _lagged(series: FloatArray, lag: int) -> float:
    return float(np.median([np.corrcoef(own[:-lag], own[lag:])[0, 1] for own in series]))


def _thirds(of_minutes: FloatArray) -> Thirds:
    shape = (of_minutes / of_minutes.mean(1, keepdims=True)).mean(0)
    return float(shape[:15].mean()), float(shape[120:240].mean()), float(shape[-15:].mean())
