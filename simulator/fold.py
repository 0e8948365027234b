"""
Rows of a recording folded into each instrument's trading day.

A row tells some figures; the others follow from the rows before it on the same
day in India: the day's open, high, low, volume, average price, the time of the
last trade, the last known bid and ask. The rules stand in
``docs/recordings.md`` ("What is derived"). They are computed column by column
for a batch of rows at a time; how the rows were cut into batches never shows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.columns import COLUMNS, MAX_PRICE, UNTOLD, Batch, Int64Array
from streamer.calendar import TradingCalendar
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, ist_date

BoolArray = npt.NDArray[np.bool_]

CARRIED = (
    "ltq",
    "bid_qty",
    "bid_price",
    "ask_qty",
    "ask_price",
    "total_buy_qty",
    "total_sell_qty",
    "open_interest",
    "week_52_high",
    "week_52_low",
)
"""Figures that stay as they were last told on the day, 0 before they are told."""

DEPTH_COLUMNS = tuple(
    column.name
    for column in COLUMNS
    if column.name.startswith(("bid_", "ask_")) and column.name not in CARRIED
)
"""Levels 2 to 5 and the numbers of orders; carried as well, where a recording has one of them."""

FIGURES = (
    *CARRIED,
    "ltp",
    "volume",
    "ltt",
    "atp",
    "open",
    "high",
    "low",
    "prev_close",
)
"""What every row has after folding."""

MAX_CLOSED_DAYS = 14
"""A day further back than this is not taken for the previous trading day."""

_NO_DAY = np.iinfo(np.int64).min
# Prices lie below this, so that a group's number times it keeps the groups of
# a running maximum apart.
_APART = 4 * MAX_PRICE
_MIRROR = 2 * MAX_PRICE
_MAX_TURNOVER = 2**61


class _Rows:
    """A batch in the order (instrument, time), cut into segments: one instrument's one day."""

    def __init__(self, batch: Batch) -> None:
        self.order = np.argsort(batch.instrument, kind="stable")
        self.instrument = batch.instrument[self.order]
        self.ts = batch.ts[self.order]
        self.day = (self.ts + IST_OFFSET_NS) // NS_PER_DAY
        self.at = np.arange(len(self.ts))
        of_new_instrument = np.ones(len(self.ts), dtype=np.bool_)
        of_new_instrument[1:] = self.instrument[1:] != self.instrument[:-1]
        self.is_start = of_new_instrument.copy()
        self.is_start[1:] |= self.day[1:] != self.day[:-1]
        self.starts = np.flatnonzero(self.is_start)
        self.of_new_instrument = of_new_instrument[self.starts]
        """For each segment, whether the instrument has no earlier one in the batch."""
        self.lasts = np.flatnonzero(np.append(of_new_instrument[1:], True))
        """The last row of each instrument."""
        self.segment = np.cumsum(self.is_start) - 1
        """For each row, the number of its segment."""
        self.first_at = np.maximum.accumulate(np.where(self.is_start, self.at, 0))
        """For each row, the first row of its segment."""

    def held(self, values: Int64Array, known: BoolArray, before: Int64Array) -> Int64Array:
        """Return for each row the last known value; ``before`` is each segment's to begin with."""
        values = values.copy()
        unknown_starts = ~known[self.starts]
        values[self.starts[unknown_starts]] = before[unknown_starts]
        latest = np.maximum.accumulate(np.where(known | self.is_start, self.at, 0))
        held: Int64Array = values[latest]
        return held

    def summed(self, values: Int64Array, before: Int64Array) -> Int64Array:
        """Return for each row the sum so far; ``before`` is each segment's to begin with."""
        values = values.copy()
        values[self.starts] += before
        running = np.cumsum(values)
        sums: Int64Array = running - (running - values)[self.first_at]
        return sums

    def highest(self, prices: Int64Array, told: Int64Array, before: Int64Array) -> Int64Array:
        """
        Return the highest price so far, 0 if there is none.

        A told price takes the place of all before it; ``before`` is each
        segment's to begin with.
        """
        tells = told > 0
        values = np.where(tells, told, prices)
        fresh = ~tells[self.starts]
        starts = self.starts[fresh]
        values[starts] = np.maximum(values[starts], before[fresh])
        apart = np.cumsum(self.is_start | tells) * _APART
        highest: Int64Array = np.maximum.accumulate(values + apart) - apart
        return highest


class DayFold:
    """
    The trading day of every instrument of a recording, row after row.

    Args:
        instruments: How many there are; rows name them by number.
        figures: The figure columns that the rows have.
        calendar: Tells when a session opens, and whether one day follows another.

    """

    def __init__(self, instruments: int, figures: Sequence[str], calendar: TradingCalendar) -> None:
        self._calendar = calendar
        self._instruments = instruments
        self._has_volume = "volume" in figures
        self._carried = (*CARRIED, *DEPTH_COLUMNS) if set(figures) & set(DEPTH_COLUMNS) else CARRIED
        self._day = np.full(instruments, _NO_DAY, dtype=np.int64)
        self._figures: dict[str, Int64Array] = {}
        self._open_at: dict[int, int] = {}
        self._follows: dict[tuple[int, int], bool] = {}

    @property
    def size_bytes(self) -> int:
        """What its figures take in memory."""
        return self._day.nbytes + sum(values.nbytes for values in self._figures.values())

    def copy(self) -> DayFold:
        """Return the same state, to be folded further on its own."""
        return self._twin(lambda values: values.astype(np.int64))

    def packed(self) -> DayFold:
        """Return the same state in less memory, not to be folded further; a copy of it may be."""
        return self._twin(_narrowed)

    def _twin(self, taken_over: Callable[[Int64Array], Int64Array]) -> DayFold:
        twin = copy.copy(self)
        twin._day = taken_over(self._day)
        twin._figures = {name: taken_over(values) for name, values in self._figures.items()}
        return twin

    def closes_from(self, now: int) -> int:
        """Return from when on a row may give the previous close of the day of ``now``."""
        day = (now + IST_OFFSET_NS) // NS_PER_DAY
        earlier = day - 1
        while day - earlier < MAX_CLOSED_DAYS and not self._trades_on(earlier):
            earlier -= 1
        return earlier * NS_PER_DAY - IST_OFFSET_NS

    def note_closes(self, batch: Batch) -> None:
        """Take the last prices of rows that lie before the day at which folding begins."""
        rows = _Rows(batch)
        number = rows.instrument[rows.lasts]
        self._day[number] = rows.day[rows.lasts]
        self._last("ltp")[number] = batch.figures["ltp"][rows.order][rows.lasts]

    def fold(self, batch: Batch) -> Batch:
        """
        Return the rows, in their order, with every figure of the day so far.

        Its figures are those of `FIGURES` and, where the recording has depth
        columns, those; 0 where one is not known. The rows become part of the
        state.
        """
        rows = _Rows(batch)
        told = {name: values[rows.order] for name, values in batch.figures.items()}
        untold = np.full(len(rows.ts), UNTOLD, dtype=np.int64)
        number = rows.instrument[rows.starts]
        same_day = rows.of_new_instrument & (self._day[number] == rows.day[rows.starts])

        def tells(name: str) -> Int64Array:
            return told.get(name, untold)

        def before(name: str) -> Int64Array:
            """Return what each segment begins with: 0, unless the day began in an earlier batch."""
            return np.where(same_day, self._last(name)[number], 0)

        ltp = told["ltp"]
        figures = {"ltp": ltp, "ts": rows.ts}
        for name in self._carried:
            figures[name] = rows.held(tells(name), tells(name) != UNTOLD, before(name))

        if self._has_volume:
            volume = rows.held(tells("volume"), tells("volume") != UNTOLD, before("volume"))
        else:
            volume = rows.summed(np.maximum(tells("ltq"), 0), before("volume"))
        previous = np.empty_like(volume)
        previous[1:] = volume[:-1]
        previous[rows.starts] = before("volume")
        traded = np.maximum(volume - previous, 0)
        figures["volume"] = volume
        figures["ltt"] = rows.held(rows.ts, (traded > 0) | (volume == 0), before("ltt"))

        figures["shares"] = shares = rows.summed(traded, before("shares"))
        figures["value"] = value = rows.summed(traded * ltp, before("value"))
        average = (2 * value + shares) // np.maximum(2 * shares, 1)
        # Turnover beyond 64 bits gives no price: better unknown than wrong.
        figures["peak"] = peak = rows.highest(ltp, untold, before("peak"))
        average[(shares < 0) | (shares > _MAX_TURNOVER // peak)] = 0
        figures["atp"] = np.where(tells("atp") > 0, tells("atp"), average)

        # Before the session opens a price is an indication, unless something traded.
        counts = (rows.ts >= self._session_opens(rows)) | (volume > 0)
        figures["open"] = _first(rows, ltp, counts, tells("open"), before("open"))
        figures["high"] = rows.highest(np.where(counts, ltp, 0), tells("high"), before("high"))
        figures["low"] = _mirrored(
            rows.highest(
                _mirrored(np.where(counts, ltp, 0)),
                _mirrored(tells("low")),
                _mirrored(before("low")),
            )
        )
        closes = self._closes(rows, ltp, same_day)
        figures["prev_close"] = rows.held(tells("prev_close"), tells("prev_close") > 0, closes)

        number = rows.instrument[rows.lasts]
        self._day[number] = rows.day[rows.lasts]
        for name, values in figures.items():
            self._last(name)[number] = values[rows.lasts]
        for name in ("ts", "shares", "value", "peak"):
            del figures[name]
        in_time = np.empty_like(rows.order)
        in_time[rows.order] = rows.at
        by_time = {name: values[in_time] for name, values in figures.items()}
        return Batch(batch.ts, batch.instrument, by_time)

    def latest(self, now: int) -> Batch:
        """Return one row for each instrument that has had rows on the day of ``now``: its last."""
        day = (now + IST_OFFSET_NS) // NS_PER_DAY
        numbers = np.flatnonzero(self._day == day)
        names = {*FIGURES, *self._carried}
        figures = {name: self._last(name)[numbers] for name in sorted(names)}
        return Batch(self._last("ts")[numbers], numbers.astype(np.int32), figures)

    def _last(self, name: str) -> Int64Array:
        """Return each instrument's figure after its last row."""
        values = self._figures.get(name)
        if values is None:
            values = self._figures[name] = np.zeros(self._instruments, dtype=np.int64)
        return values

    def _session_opens(self, rows: _Rows) -> Int64Array:
        """Return for each row when its day's first session opens; on a closed day, the midnight."""
        opens = []
        for day in rows.day[rows.starts].tolist():
            moment = self._open_at.get(day)
            if moment is None:
                midnight = day * NS_PER_DAY - IST_OFFSET_NS
                sessions = self._calendar.day(ist_date(midnight)).sessions
                moment = self._open_at[day] = sessions[0].open if sessions else midnight
            opens.append(moment)
        of_rows: Int64Array = np.array(opens, dtype=np.int64)[rows.segment]
        return of_rows

    def _closes(self, rows: _Rows, ltp: Int64Array, same_day: BoolArray) -> Int64Array:
        """Return each segment's previous close before its own rows tell one; 0 if unknown."""
        number = rows.instrument[rows.starts]
        earlier_day = np.where(rows.of_new_instrument, self._day[number], rows.day[rows.starts - 1])
        last = np.where(rows.of_new_instrument, self._last("ltp")[number], ltp[rows.starts - 1])
        closes = np.where(same_day, self._last("prev_close")[number], 0)
        for segment in np.flatnonzero(~same_day).tolist():
            if self._is_next(int(earlier_day[segment]), int(rows.day[rows.starts[segment]])):
                closes[segment] = last[segment]
        return closes

    def _is_next(self, earlier: int, day: int) -> bool:
        """Tell whether no trading day lies between two days, given as days since the epoch."""
        if earlier == _NO_DAY or day - earlier > MAX_CLOSED_DAYS:
            return False
        known = self._follows.get((earlier, day))
        if known is None:
            known = self._follows[earlier, day] = not any(
                self._trades_on(between) for between in range(earlier + 1, day)
            )
        return known

    def _trades_on(self, day: int) -> bool:
        """Tell whether there is a session on a day, given as days since the epoch."""
        return bool(self._calendar.day(ist_date(day * NS_PER_DAY - IST_OFFSET_NS)).sessions)


def _first(
    rows: _Rows, ltp: Int64Array, counts: BoolArray, told: Int64Array, before: Int64Array
) -> Int64Array:
    """Return the day's open: as told, else the first price that counts."""
    tells = told > 0
    events = np.cumsum(tells | counts)
    in_segment: Int64Array = events - (events - (tells | counts))[rows.first_at]
    is_first = counts & (in_segment == 1) & (before[rows.segment] == 0)
    return rows.held(np.where(tells, told, ltp), tells | is_first, before)


def _narrowed(values: Int64Array) -> Any:
    """Return a copy with the smallest integers that hold all values."""
    low, high = int(values.min()), int(values.max())
    for narrow in (np.int8, np.int16, np.int32):
        if np.iinfo(narrow).min <= low and high <= np.iinfo(narrow).max:
            return values.astype(narrow)
    return values.copy()


def _mirrored(prices: Int64Array) -> Int64Array:
    """Return prices so that the lowest is the highest, and back; none stays none."""
    return np.where(prices > 0, _MIRROR - prices, 0)
