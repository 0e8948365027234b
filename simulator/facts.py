"""
What real trading days share, measured on any recording: tails, clusters, correlations, rates.

Each figure has a range in which real days lie; a recording whose figures all lie
there looks like one. The ranges come from six days of the NIFTY 50 on NSE in 2021.
:func:`measure` reads a recording; how it is shown is `simulator.facts_page`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.columns import UNTOLD, Batch, Int32Array, Int64Array
from simulator.paths import FloatArray, last_true
from simulator.recording import Recording
from simulator.timetables import SECONDS
from simulator.universe import NIFTY_50
from streamer.errors import RecordingError
from streamer.instruments import Instrument, tick_size
from streamer.ist import NS_PER_SECOND, ist_ns

MOST_STOCKS = 50
"""The ranges are those of fifty large stocks: so many are measured, the busiest."""

CROSS_SECTION = 30
"""From so many stocks on, figures over all stocks together are judged."""

LEAST_MINUTES = 180
WIDEST_BAND = 0.20


class Figure(NamedTuple):
    """
    One figure.

    Args:
        name: For programs.
        meaning: For people.
        least: Of real days.
        most: Of real days.
        is_of_all: Whether it is over all stocks together, so that few say little.
        is_count: Whether it counts rows that cannot be.

    """

    name: str
    meaning: str
    least: float
    most: float
    is_of_all: bool = False
    is_count: bool = False


FIGURES: tuple[Figure, ...] = (
    Figure("kurtosis", "excess kurtosis of 1-minute returns, median of stocks", 2, 7),
    Figure("autocorrelation", "autocorrelation of returns, lag 1, median", -0.12, 0.05),
    Figure("absolute_1", "autocorrelation of absolute returns, lag 1, median", 0.12, 0.32),
    Figure("absolute_5", "autocorrelation of absolute returns, lag 5, median", 0.07, 0.20),
    Figure("absolute_60", "autocorrelation of absolute returns, lag 60, median", -0.05, 0.05),
    Figure("pairwise", "correlation of two stocks, mean", 0.07, 0.25, is_of_all=True),
    Figure("with_index", "correlation with the NIFTY 50, median", 0.22, 0.50, is_of_all=True),
    Figure("first_component", "share of the first component", 0.10, 0.28, is_of_all=True),
    Figure("return_opening", "absolute return, first 15 minutes; the day is 1", 1.7, 2.8),
    Figure("return_midday", "absolute return, 11:15 to 13:15", 0.70, 1.0),
    Figure("return_closing", "absolute return, last 15 minutes", 0.8, 1.8),
    Figure("volume_opening", "volume, first 15 minutes; the day is 1", 1.8, 4.3),
    Figure("volume_midday", "volume, 11:15 to 13:15", 0.55, 0.95),
    Figure("volume_closing", "volume, last 15 minutes", 1.6, 4.7),
    Figure("slowest", "updates a second of the calmest stock", 0.3, 1.0),
    Figure("fastest", "updates a second of the busiest stock", 0.3, 1.0),
    Figure("together", "updates a second of fifty stocks, median", 35, 50, is_of_all=True),
    Figure("unchanged", "updates that repeat the last price, median", 0.40, 0.60),
    Figure("off_grid", "prices of the session off the tick", 0, 0, is_count=True),
    Figure("falling_volume", "volumes that fall", 0, 0, is_count=True),
    Figure("outside_range", "prices outside the told low and high", 0, 0, is_count=True),
    Figure("outside_band", "prices 20 % or more from the previous close", 0, 0, is_count=True),
)
"""All figures, in the order of the documentation, with the ranges of real days."""


class Verdict(StrEnum):
    """What a figure says: it lies in its range, outside, or cannot be judged."""

    PASS = "pass"
    OUTSIDE = "outside"
    NOT_JUDGED = "not judged"


class Series(NamedTuple):
    """
    One instrument's rows of the session.

    Args:
        seconds: After 09:15.
        ltp: Prices in paise.
        volume: Of the day so far; `UNTOLD` where no row tells it.

    """

    seconds: FloatArray
    ltp: Int64Array
    volume: Int64Array


class Minutes(NamedTuple):
    """
    The session by the minute, a row a stock.

    Args:
        first: The first minute that is measured, after 09:15.
        prices: At the first row, then at the end of each minute.
        nifty: The NIFTY 50's prices, likewise; None where the recording lacks it.
        returns: Logarithmic.
        volumes: Traded in each minute.

    """

    first: int
    prices: FloatArray
    nifty: FloatArray | None
    returns: FloatArray
    volumes: FloatArray


class Measured(NamedTuple):
    """
    One day of a recording, measured.

    Args:
        day: The trading day.
        rows: Rows of the day.
        instruments: That occur on it.
        stocks: Symbols of those that were measured, the busiest first.
        values: By the names of `FIGURES`; None where the recording does not tell.
        minutes: What the figures were computed from.

    """

    day: date
    rows: int
    instruments: int
    stocks: tuple[str, ...]
    values: dict[str, float | None]
    minutes: Minutes

    def verdict(self, figure: Figure) -> Verdict:
        """Return whether a figure lies where those of real days do."""
        return verdict_of(figure, self.values[figure.name], len(self.stocks))

    @property
    def outside(self) -> tuple[str, ...]:
        """Names of the figures that lie outside their range."""
        return tuple(f.name for f in FIGURES if self.verdict(f) is Verdict.OUTSIDE)


def verdict_of(figure: Figure, value: float | None, stocks: int) -> Verdict:
    """Return whether a value of so many stocks lies where those of real days do."""
    if value is None or (figure.is_of_all and stocks < CROSS_SECTION):
        return Verdict.NOT_JUDGED
    return Verdict.PASS if figure.least <= value <= figure.most else Verdict.OUTSIDE


def measure(
    recording: Recording, day: date | None = None, *, seen: Callable[[int], None] | None = None
) -> Measured:
    """
    Measure a day of a recording.

    Args:
        recording: Any, synthetic or real.
        day: The trading day; by default the one with the most rows.
        seen: Is told now and then how many of the day's rows have been looked at.

    Raises:
        RecordingError: If the day has no stocks, or not three hours of a session.

    """
    if day is None:
        day = max(recording.days, key=lambda day: recording.days[day])
    if day not in recording.days:
        raise _unusable(recording, f"no row on {day}", _days_text(recording.days))
    opening = ist_ns(day, "09:15")
    closing = opening + SECONDS * NS_PER_SECOND
    midnight = ist_ns(day, "00:00")
    figures = ("ltp", "volume", "low", "high", "prev_close")
    checks = _RowChecks(recording, day)
    counts = np.zeros(len(recording.keys), dtype=np.int64)
    for batch in recording.batches(midnight, midnight + 86_400 * NS_PER_SECOND, figures=figures):
        checks.see(batch, opening, closing)
        if seen is not None:
            seen(int(checks.rows.sum()))
        inside = batch.instrument[(batch.ts >= opening) & (batch.ts < closing)]
        counts += np.bincount(inside, minlength=len(counts))
    is_stock = [recording.instruments[key].kind == "equity" for key in recording.keys]
    busiest = sorted(
        np.flatnonzero(is_stock).tolist(), key=lambda number: (-counts[number], number)
    )
    chosen = [number for number in busiest[:MOST_STOCKS] if counts[number] > 1]
    if not chosen:
        raise _unusable(recording, f"no stock on {day} from 09:15 to 15:30", "one or more")
    keys = {recording.keys[number] for number in chosen} | {NIFTY_50.key}
    batches = recording.batches(opening, closing, keys=keys, figures=("ltp", "volume"))
    series = _series(batches, opening)
    stocks = [series[number] for number in chosen]
    index = next((s for n, s in series.items() if recording.keys[n] == NIFTY_50.key), None)
    minutes = by_minute(stocks, index)
    if minutes is None:
        raise _unusable(
            recording, f"too little trading on {day}", f"{LEAST_MINUTES} minutes or more"
        )
    return Measured(
        day=day,
        rows=recording.days[day],
        instruments=int((checks.rows > 0).sum()),
        stocks=tuple(recording.instruments[recording.keys[n]].symbol for n in chosen),
        values=values_of(stocks, minutes) | checks.values(),
        minutes=minutes,
    )


def by_minute(stocks: Sequence[Series], index: Series | None) -> Minutes | None:
    """Return the session by the minute; None if it is too short to be measured."""
    # A recorder may start late, and a closing auction ends the session early.
    first = int(np.median([own.seconds[0] for own in stocks])) // 60
    last = int(np.median([own.seconds[_last_trade(own)] for own in stocks])) // 60 + 1
    if last - first < LEAST_MINUTES:
        return None
    ends = 60.0 * np.arange(first + 1, last + 1, dtype=np.float64)
    prices = np.array([_at(own, own.ltp, ends) for own in stocks])
    volumes = np.array([_at(own, own.volume, ends) for own in stocks])
    return Minutes(
        first=first,
        prices=prices,
        nifty=None if index is None else _at(index, index.ltp, ends),
        returns=np.diff(np.log(prices)),
        volumes=np.diff(volumes),
    )


def values_of(stocks: Sequence[Series], minutes: Minutes) -> dict[str, float | None]:
    """Return the figures of returns, volumes and rates; those of single rows are not among them."""
    returns, volumes = minutes.returns, minutes.volumes
    moving = returns[returns.std(1) > 0]
    standard = (moving - moving.mean(1, keepdims=True)) / moving.std(1, keepdims=True)
    values: dict[str, float | None] = {
        "kurtosis": _median((standard**4).mean(1) - 3),
        "autocorrelation": _median(autocorrelation(moving, 1)),
        "absolute_1": _median(autocorrelation(abs(moving), 1)),
        "absolute_5": _median(autocorrelation(abs(moving), 5)),
        "absolute_60": _median(autocorrelation(abs(moving), 60)),
        "pairwise": None,
        "with_index": None,
        "first_component": None,
    }
    if len(moving) > 1:
        correlations = np.corrcoef(moving)
        values["pairwise"] = float(correlations[np.triu_indices(len(moving), 1)].mean())
        values["first_component"] = float(np.linalg.eigvalsh(correlations)[-1] / len(moving))
    if minutes.nifty is not None and len(moving):
        index = np.diff(np.log(minutes.nifty))
        if index.std() > 0:
            values["with_index"] = _median([_correlation(own, index) for own in moving])
    midday = slice(120 - minutes.first, 240 - minutes.first)
    for name, of_minutes in (("return", abs(moving)), ("volume", volumes)):
        trading = of_minutes[of_minutes.mean(1) > 0]
        shape = (trading / trading.mean(1, keepdims=True)).mean(0) if len(trading) else None
        for part, span in (
            ("opening", slice(0, 15)),
            ("midday", midday),
            ("closing", slice(-15, None)),
        ):
            values[f"{name}_{part}"] = None if shape is None else float(shape[span].mean())
    rates = [len(own.seconds) / SECONDS for own in stocks]
    seconds = np.concatenate([own.seconds for own in stocks]).astype(np.int64)
    a_second = np.bincount(seconds, minlength=SECONDS)
    values["slowest"], values["fastest"] = min(rates), max(rates)
    values["together"] = float(np.median(a_second)) * MOST_STOCKS / len(stocks)
    values["unchanged"] = _median([np.mean(np.diff(own.ltp) == 0) for own in stocks])
    return values


def autocorrelation(series: FloatArray, lag: int) -> FloatArray:
    """Return each row's correlation with itself ``lag`` minutes later."""
    return np.array([_correlation(own[:-lag], own[lag:]) for own in series])


class _RowChecks:
    """Counts rows that cannot be, with a little memory of each instrument."""

    def __init__(self, recording: Recording, day: date) -> None:
        self._day = day
        self._instruments: list[Instrument] = [recording.instruments[k] for k in recording.keys]
        self._is_stock = np.array([i.kind == "equity" for i in self._instruments])
        count = len(self._instruments)
        self._tick = np.zeros(count, dtype=np.int64)
        self._volume = np.full(count, UNTOLD, dtype=np.int64)
        self._close = np.full(count, UNTOLD, dtype=np.int64)
        self._counts = {f.name: 0 for f in FIGURES if f.is_count}
        self._told = {"off_grid"}
        self.rows = np.zeros(count, dtype=np.int64)
        """Rows of each instrument."""

    def see(self, batch: Batch, opening: int, closing: int) -> None:
        """Count what is wrong in some more rows."""
        number, figures = batch.instrument, batch.figures
        ltp, volume, close = figures["ltp"], figures["volume"], figures["prev_close"]
        self.rows += np.bincount(number, minlength=len(self.rows))
        told = np.flatnonzero(close > 0)
        self._close[number[told]] = close[told]
        for new in np.unique(number[self._tick[number] == 0]).tolist():
            reference = int(self._close[new])
            if reference <= 0:
                reference = int(ltp[int(np.argmax(number == new))])
            self._tick[new] = tick_size(self._instruments[new], self._day, reference)
        in_session = (batch.ts >= opening) & (batch.ts < closing) & self._is_stock[number]
        self._add("off_grid", in_session & (ltp % self._tick[number] != 0))
        self._see_volumes(number, volume)
        low, high = figures["low"], figures["high"]
        ranged = (low > 0) & (high > 0)
        if ranged.any():
            self._told.add("outside_range")
            self._add("outside_range", ranged & ((ltp < low) | (ltp > high)))
        reference_of = self._close[number]
        if (reference_of > 0).any():
            self._told.add("outside_band")
            far = abs(ltp - reference_of) >= reference_of * WIDEST_BAND
            self._add("outside_band", far & (reference_of > 0) & self._is_stock[number])

    def values(self) -> dict[str, float | None]:
        """Return the counts; None where no row tells what is needed."""
        return {
            name: float(count) if name in self._told else None
            for name, count in self._counts.items()
        }

    def _see_volumes(self, number: Int32Array, volume: Int64Array) -> None:
        rows = np.flatnonzero(volume >= 0)
        if not len(rows):
            return
        self._told.add("falling_volume")
        rows = rows[np.argsort(number[rows], kind="stable")]
        own, values = number[rows], volume[rows]
        is_first = np.append(True, own[1:] != own[:-1])
        before = np.where(is_first, self._volume[own], np.append(0, values[:-1]))
        self._counts["falling_volume"] += int((values < before).sum())
        is_last = np.append(is_first[1:], True)
        self._volume[own[is_last]] = values[is_last]

    def _add(self, name: str, wrong: npt.NDArray[np.bool_]) -> None:
        self._counts[name] += int(wrong.sum())


def _series(batches: Iterable[Batch], opening: int) -> dict[int, Series]:
    parts: dict[int, list[Series]] = {}
    for batch in batches:
        seconds = (batch.ts - opening) / NS_PER_SECOND
        for number in np.unique(batch.instrument).tolist():
            own = batch.instrument == number
            part = Series(seconds[own], batch.figures["ltp"][own], batch.figures["volume"][own])
            parts.setdefault(number, []).append(part)
    series = {}
    for number, own_parts in parts.items():
        seconds, ltp, volume = (np.concatenate(own) for own in zip(*own_parts, strict=True))
        series[number] = Series(seconds, ltp, volume[last_true(volume != UNTOLD)])
    return series


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Return the correlation of two series; 0 if one of them never moves."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _last_trade(own: Series) -> int:
    """Return the row in which the volume rose last, or the price changed if none tells it."""
    told = own.volume if (own.volume >= 0).any() else own.ltp
    changed = np.flatnonzero(np.diff(told))
    return int(changed[-1]) + 1 if len(changed) else len(told) - 1


def _at(own: Series, values: Int64Array, ends: FloatArray) -> FloatArray:
    """Return the first value, and the last one before each end of a minute."""
    rows = np.searchsorted(own.seconds, ends) - 1
    told: FloatArray = np.append(values[0], values[np.maximum(rows, 0)]).astype(np.float64)
    return told


def _median(values: Sequence[float] | FloatArray) -> float | None:
    return float(np.median(values)) if len(values) else None


def _days_text(days: Collection[date]) -> str:
    first, last = min(days), max(days)
    return str(first) if first == last else f"one of its {len(days)} days from {first} to {last}"


def _unusable(recording: Recording, found: str, expected: str) -> RecordingError:
    return RecordingError(found, expected=expected, file=str(recording.paths[0]))
