"""Synthetic days in memory, taken apart and measured."""

from __future__ import annotations

import os
from datetime import date

import numpy as np

from simulator import facts
from simulator.columns import UNTOLD, Batch, Int64Array
from simulator.facts import FIGURES, Series, Verdict
from simulator.market import PROFILES, MarketDay, Profile, synthesise
from simulator.universe import INDICES, NIFTY_50, Index, Stock, nifty_50
from streamer.ist import ist_ns
from tests.simulator.parquet_files import DAY

SEEDS = int(os.environ.get("ODIN_SEEDS", "2"))
"""How many days are measured; the figures have been held for 20."""

STOCKS = nifty_50()
Tapes = dict[Stock | Index, Batch]


def day_of(
    seed: int,
    stocks: tuple[Stock, ...] = STOCKS,
    profile: Profile | str = "normal",
    day: date = DAY,
    timetable: str | None = None,
    defects: bool = False,
) -> MarketDay:
    """A synthetic day."""
    kind = PROFILES[profile] if isinstance(profile, str) else profile
    return synthesise(
        day, stocks=stocks, seed=seed, profile=kind, timetable=timetable, defects=defects
    )


def tapes(made: MarketDay) -> Tapes:
    """Each instrument's rows."""
    order = np.argsort(made.rows.instrument, kind="stable")
    by_instrument = made.rows.rows(order)
    counts = np.bincount(by_instrument.instrument, minlength=len(made.instruments))
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    return {
        instrument: by_instrument.rows(slice(start, end))
        for instrument, start, end in zip(made.instruments, starts, ends, strict=True)
    }


def held(values: Int64Array) -> Int64Array:
    """Each value where it is told, else the last told one; 0 before."""
    told = np.maximum.accumulate(np.where(values != UNTOLD, np.arange(len(values)), -1))
    return np.where(told >= 0, values[told], 0)


def between(rows: Batch, start: int, end: int) -> Batch:
    """The rows from ``start`` to before ``end``."""
    return rows.rows(slice(*np.searchsorted(rows.ts, (start, end)).tolist()))


def series_of(made: MarketDay, day: date = DAY) -> tuple[list[Series], Series]:
    """The sessions of the stocks, and that of the NIFTY 50."""
    opening, closing = ist_ns(day, "09:15"), ist_ns(day, "15:30")
    series = {}
    for instrument, rows in tapes(made).items():
        session = between(rows, opening, closing)
        seconds = (session.ts - opening) / 1e9
        series[instrument] = Series(seconds, session.figures["ltp"], session.figures["volume"])
    stocks = [own for instrument, own in series.items() if instrument not in INDICES]
    return stocks, series[NIFTY_50]


def outside(values: dict[str, float | None], stocks: int) -> dict[str, float | None]:
    """The figures that lie outside the range of real days."""
    return {
        figure.name: values[figure.name]
        for figure in FIGURES
        if figure.name in values
        and facts.verdict_of(figure, values[figure.name], stocks) is Verdict.OUTSIDE
    }


def values_of(stocks: list[Series], index: Series | None) -> dict[str, float | None]:
    """The figures of returns, volumes and rates."""
    minutes = facts.by_minute(stocks, index)
    assert minutes is not None
    return facts.values_of(stocks, minutes)
