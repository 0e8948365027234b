"""
What is odd in the rows of a recording though a replay would take them.

Rows come batch by batch, and of each instrument only the last row is
remembered; how the rows are cut into batches never shows. Reading files and
refusing values is `simulator.inspection`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.columns import DEPTH_LEVELS, UNTOLD, Int32Array, Int64Array
from simulator.findings import Finding, Findings
from streamer.calendar import TradingCalendar, TradingDay
from streamer.instruments import Instrument, tick_size
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, NS_PER_SECOND, ist_date

__all__ = ["Oddities", "Rows"]

BAND_DIVISOR: Final = 5
"""A fifth of the previous close is the widest fixed price band, 20 %."""

GRID_COLUMNS: Final = (
    "ltp",
    *(
        f"{side}_price{tail}"
        for side in ("bid", "ask")
        for tail in ("", *(f"_{level}" for level in range(2, DEPTH_LEVELS + 1)))
    ),
)
"""The prices that orders have, and so lie on the tick."""

_BEFORE_NS: Final = 15 * 60 * NS_PER_SECOND
_AFTER_NS: Final = 60 * 60 * NS_PER_SECOND
_SHIFTS: Final = (
    (-IST_OFFSET_NS, "Indian times that are called UTC"),
    (IST_OFFSET_NS, "times of UTC that are called Indian"),
)
_MANY, _FEW = 0.9, 0.5
_NEVER: Final = np.iinfo(np.int64).min

BoolArray = npt.NDArray[np.bool_]


class Rows(NamedTuple):
    """
    Consecutive usable rows of a file.

    Args:
        file: Path of the file.
        row_group: From 0.
        row: Of each row, its number in the file.
        ts: UNIX nanoseconds.
        instrument: Number of each row's instrument.
        figures: As they are told; `UNTOLD` where a row does not tell one.

    """

    file: str
    row_group: int
    row: Int64Array
    ts: Int64Array
    instrument: Int32Array
    figures: dict[str, Int64Array]


class _Sorted:
    """A batch in the order (instrument, row), with what precedes each row."""

    def __init__(self, rows: Rows) -> None:
        self.order = np.argsort(rows.instrument, kind="stable")
        self.instrument = rows.instrument[self.order]
        self.ts = rows.ts[self.order]
        self.day = (self.ts + IST_OFFSET_NS) // NS_PER_DAY
        self.is_first = np.ones(len(self.ts), dtype=np.bool_)
        self.is_first[1:] = self.instrument[1:] != self.instrument[:-1]
        self.lasts = np.flatnonzero(np.append(self.is_first[1:], True))

    def only(self, chosen: BoolArray) -> _Sorted:
        """Return the chosen rows alone."""
        part = object.__new__(_Sorted)
        part.order = self.order[chosen]
        part.instrument = self.instrument[chosen]
        part.ts = self.ts[chosen]
        part.day = self.day[chosen]
        part.is_first = np.ones(len(part.ts), dtype=np.bool_)
        part.is_first[1:] = part.instrument[1:] != part.instrument[:-1]
        part.lasts = np.flatnonzero(np.append(part.is_first[1:], True)[: len(part.ts)])
        return part


class _LastOf:
    """For each instrument, the value and the day of its last row that had one."""

    def __init__(self) -> None:
        self._value = np.zeros(0, dtype=np.int64)
        self._day = np.zeros(0, dtype=np.int64)

    def before(self, rows: _Sorted, values: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Return for each row the value before it, and whether that is of the same day."""
        self._grow(rows)
        value = np.empty_like(values)
        day = np.empty_like(rows.day)
        value[1:], day[1:] = values[:-1], rows.day[:-1]
        first = rows.is_first
        value[first] = self._value[rows.instrument[first]]
        day[first] = self._day[rows.instrument[first]]
        return value, day == rows.day

    def remember(self, rows: _Sorted, values: Int64Array) -> None:
        """Take the last value of each instrument."""
        self._grow(rows)
        numbers = rows.instrument[rows.lasts]
        self._value[numbers] = values[rows.lasts]
        self._day[numbers] = rows.day[rows.lasts]

    def _grow(self, rows: _Sorted) -> None:
        missing = int(rows.instrument.max(initial=-1)) + 1 - len(self._value)
        if missing > 0:
            self._value = np.append(self._value, np.zeros(missing, dtype=np.int64))
            self._day = np.append(self._day, np.full(missing, _NEVER))


class Oddities:
    """
    Looks at the rows of one file after the other.

    Args:
        findings: Where what is found goes.
        instruments: The instruments by number.
        calendar: Tells sessions.
        gap_ns: A longer time without any row is a gap.

    """

    def __init__(
        self,
        findings: Findings,
        instruments: Callable[[int], Instrument],
        calendar: TradingCalendar,
        gap_ns: int,
    ) -> None:
        self._findings = findings
        self._instruments = instruments
        self._calendar = calendar
        self._gap_ns = gap_ns
        self._days: dict[int, TradingDay] = {}
        self._previous = 0
        self._may_repeat = False
        self._forget()
        self._begin("")

    def begin(self, file: str, *, may_repeat: bool = False) -> None:
        """
        Look at another file from now on.

        Args:
            file: Its path.
            may_repeat: Its times are so coarse that a row may be the same as
                the one before it.

        """
        self.end()
        self._begin(file)
        self._may_repeat = may_repeat

    def look(self, rows: Rows) -> None:
        """Look at the rows that follow those before, of the same file or the one before it."""
        if not len(rows.ts):
            return
        if not self._seen and int(rows.ts[0]) < self._previous:
            # The files overlap: what is last in one is not before the other.
            self._forget()
        self._look_at_time(rows)
        by_instrument = _Sorted(rows)
        if not self._may_repeat:
            self._look_for_duplicates(rows, by_instrument)
        self._look_at_volume(rows, by_instrument)
        self._look_at_prices(rows, by_instrument)
        self._previous = int(rows.ts[-1])

    def end(self) -> None:
        """Say what only the whole file shows."""
        if not self._seen or self._inside > _FEW * self._seen:
            return
        for (_, words), inside in zip(_SHIFTS, self._inside_shifted, strict=True):
            if inside >= _MANY * self._seen:
                self._findings.add(
                    Finding(
                        kind="zone",
                        file=self._file,
                        column="ts",
                        problem=f"{self._seen - self._inside:,} of {self._seen:,} rows are outside "
                        f"the market's hours; they look like {words}",
                    )
                )

    def _forget(self) -> None:
        self._previous = 0
        self._volume = _LastOf()
        self._close = _LastOf()

    def _begin(self, file: str) -> None:
        self._file = file
        self._last_rows: dict[int, tuple[int, ...]] = {}
        self._closed_days: set[int] = set()
        self._seen = self._inside = 0
        self._inside_shifted = [0] * len(_SHIFTS)

    def _look_at_time(self, rows: Rows) -> None:
        findings = self._findings
        before = np.concatenate(([self._previous or rows.ts[0]], rows.ts[:-1]))
        for at in np.flatnonzero(rows.ts - before > self._gap_ns).tolist():
            silent = self._silent_ns(int(before[at]), int(rows.ts[at]))
            if silent > self._gap_ns:
                findings.add(
                    self._finding(
                        "gap",
                        rows,
                        at,
                        problem=f"no row for {silent / NS_PER_SECOND:,.0f} s before",
                    )
                )
        days = (rows.ts + IST_OFFSET_NS) // NS_PER_DAY
        for day in np.unique(days).tolist():
            if not self._day(day).sessions and day not in self._closed_days:
                self._closed_days.add(day)
                at = int(np.argmax(days == day))
                kind = self._day(day).kind
                findings.add(
                    self._finding("closed-day", rows, at, problem=f"the first row of a {kind}")
                )
        self._seen += len(rows.ts)
        self._inside += self._count_inside(rows.ts)
        for number, (shift, _) in enumerate(_SHIFTS):
            self._inside_shifted[number] += self._count_inside(rows.ts + shift)

    def _look_for_duplicates(self, rows: Rows, by: _Sorted) -> None:
        table = np.column_stack([by.ts, *(v[by.order] for v in rows.figures.values())])
        same = np.zeros(len(by.ts), dtype=np.bool_)
        same[1:] = (table[1:] == table[:-1]).all(axis=1) & ~by.is_first[1:]
        for at in np.flatnonzero(by.is_first).tolist():
            same[at] = self._last_rows.get(int(by.instrument[at])) == tuple(table[at].tolist())
        for at in by.lasts.tolist():
            self._last_rows[int(by.instrument[at])] = tuple(table[at].tolist())
        self._add(
            "duplicate", rows, by.order[same], None, lambda _: "the same as the row before it"
        )

    def _look_at_volume(self, rows: Rows, by: _Sorted) -> None:
        if "volume" not in rows.figures:
            return
        volume = rows.figures["volume"][by.order]
        told = by.only(volume != UNTOLD)
        volume = volume[volume != UNTOLD]
        before, same_day = self._volume.before(told, volume)
        falls = same_day & (volume < before)
        was = dict(zip(told.order[falls].tolist(), before[falls].tolist(), strict=True))
        self._volume.remember(told, volume)
        self._add(
            "falling-volume", rows, told.order[falls], "volume", lambda at: f"it was {was[at]:,}"
        )

    def _look_at_prices(self, rows: Rows, by: _Sorted) -> None:
        close = self._closes(rows, by)
        ltp = rows.figures["ltp"][by.order]
        beyond = (close > 0) & (ltp != UNTOLD) & (np.abs(ltp - close) * BAND_DIVISOR > close)
        closes = dict(zip(by.order[beyond].tolist(), close[beyond].tolist(), strict=True))
        self._add(
            "band",
            rows,
            by.order[beyond],
            "ltp",
            lambda at: f"the previous close is {closes[at] / 100:.2f}",
        )
        ticks = self._ticks(by, close)
        in_session = np.zeros(len(rows.ts), dtype=np.bool_)
        for day in np.unique(by.day).tolist():
            for session in self._day(day).sessions:
                in_session |= (session.open <= rows.ts) & (rows.ts < session.close)
        step_of = np.empty_like(ticks)
        step_of[by.order] = ticks
        for name in GRID_COLUMNS:
            if name in rows.figures:
                values = rows.figures[name]
                off = in_session & (values > 0) & (values % step_of != 0)
                self._add(
                    "off-grid",
                    rows,
                    np.flatnonzero(off),
                    name,
                    lambda at: f"the tick is {step_of[at] / 100:.2f}",
                )

    def _closes(self, rows: Rows, by: _Sorted) -> Int64Array:
        """Return for each row the previous close as last told on its day, 0 if it is not."""
        told = rows.figures.get("prev_close")
        if told is None:
            return np.zeros(len(rows.ts), dtype=np.int64)
        values = told[by.order]
        # A day's first row that tells none begins with none, or with the batch before.
        is_start = by.is_first.copy()
        is_start[1:] |= by.day[1:] != by.day[:-1]
        before, same_day = self._close.before(by, values)
        begins = np.where(by.is_first & same_day, before, 0)
        tells = values > 0
        values = np.where(tells, values, np.where(is_start, begins, 0))
        latest = np.maximum.accumulate(np.where(tells | is_start, np.arange(len(values)), 0))
        held: Int64Array = values[latest]
        self._close.remember(by, held)
        return held

    def _ticks(self, by: _Sorted, close: Int64Array) -> Int64Array:
        """
        Return each row's tick, by the rule of its date.

        The rule goes by the close of the month before, which a recording does
        not tell. The previous close is taken, lowered by a fifth: near the
        edge of a step the finer one is right often enough.
        """
        ticks = np.ones(len(close), dtype=np.int64)
        changes = by.is_first.copy()
        changes[1:] |= (close[1:] != close[:-1]) | (by.day[1:] != by.day[:-1])
        starts = np.flatnonzero(changes).tolist()
        for start, end in zip(starts, [*starts[1:], len(close)], strict=True):
            instrument = self._instruments(int(by.instrument[start]))
            lowered = int(close[start]) * (BAND_DIVISOR - 1) // BAND_DIVISOR
            ticks[start:end] = tick_size(instrument, ist_date(int(by.ts[start])), lowered)
        return ticks

    def _silent_ns(self, after: int, before: int) -> int:
        """Return how much of a session lies between two rows; of different days, nothing."""
        if ist_date(after) != ist_date(before):
            return 0
        sessions = self._day((before + IST_OFFSET_NS) // NS_PER_DAY).sessions
        return max(
            (min(before, each.close) - max(after, each.open) for each in sessions), default=0
        )

    def _count_inside(self, ts: Int64Array) -> int:
        """Return how many moments lie in, or not long before or after, a session."""
        inside = np.zeros(len(ts), dtype=np.bool_)
        for day in np.unique((ts + IST_OFFSET_NS) // NS_PER_DAY).tolist():
            for session in self._day(day).sessions:
                inside |= (session.open - _BEFORE_NS <= ts) & (ts < session.close + _AFTER_NS)
        return int(inside.sum())

    def _day(self, day: int) -> TradingDay:
        """Return a day, given as days since the epoch."""
        found = self._days.get(day)
        if found is None:
            found = self._calendar.day(ist_date(day * NS_PER_DAY - IST_OFFSET_NS))
            self._days[day] = found
        return found

    def _add(
        self,
        kind: str,
        rows: Rows,
        places: npt.NDArray[np.intp],
        column: str | None,
        problem: Callable[[int], str],
    ) -> None:
        """Report rows, given by their places in the batch."""
        in_order = np.sort(places).tolist()
        self._findings.add_many(
            kind,
            len(in_order),
            lambda i: self._finding(
                kind, rows, in_order[i], column=column, problem=problem(in_order[i])
            ),
        )

    def _finding(
        self, kind: str, rows: Rows, at: int, *, problem: str, column: str | None = None
    ) -> Finding:
        value = None
        if column is not None:
            told = int(rows.figures[column][at])
            value = f"{told:,}" if column == "volume" else f"{told / 100:.2f}"
        return Finding(
            kind=kind,
            file=rows.file,
            row_group=rows.row_group,
            row=int(rows.row[at]),
            ts=int(rows.ts[at]),
            instrument=self._instruments(int(rows.instrument[at])).symbol,
            column=column,
            value=value,
            problem=problem,
        )
