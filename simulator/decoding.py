"""
Rows of a recording as Arrow has them, decoded and checked.

A :class:`Decoder` refuses a value that cannot be meant, with its place in the
file; a :class:`Tally` refuses a time that goes back, and adds up what has come.
Those who read recordings and those who write them use the same two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from simulator import columns
from simulator.columns import UNTOLD, BadValue, Batch, Int64Array, Kind
from simulator.identity import IDENTITY_COLUMNS, BadName, Identities
from streamer.errors import RecordingError
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, ist_date, ist_datetime

__all__ = ["BATCH_ROWS", "Decoder", "RowGroup", "Tally", "first_line"]

BATCH_ROWS: Final = 16_384
"""Rows that are decoded at a time; with the file's row groups, what bounds memory."""


class RowGroup(NamedTuple):
    """Where a row group of a file begins, and the times it covers."""

    number: int
    offset: int
    rows: int
    first: int
    last: int


class Decoder:
    """
    Makes batches of a file's Arrow rows.

    Args:
        path: For errors.
        names: The columns of the file.
        identities: Numbers the instruments.

    """

    def __init__(self, path: Path, names: Sequence[str], identities: Identities) -> None:
        self._path = path
        self._identities = identities
        self.identity_columns = [name for name in IDENTITY_COLUMNS if name in names]
        self.figure_columns = [
            column.name
            for column in columns.COLUMNS
            if column.name in names and column.kind in (Kind.PRICE, Kind.AVERAGE, Kind.QUANTITY)
        ]
        self.ignored_columns = [name for name in names if name not in columns.BY_NAME]

    def wanted(self, figures: Sequence[str]) -> list[str]:
        """Return the columns of the file from which batches with these figures are made."""
        own = [name for name in figures if name in self.figure_columns]
        return ["ts", *self.identity_columns, *own]

    def batches(
        self, arrow: Iterable[Any], group: int, offset: int, figures: Sequence[str]
    ) -> Iterator[tuple[int, Batch]]:
        """
        Yield the batches of a row group, each with the index of its first row in the file.

        Args:
            arrow: The group's rows, as Arrow batches.
            group: Its number.
            offset: Index of its first row.
            figures: What every batch has, whether the file does or not.

        Raises:
            RecordingError: At the first row that cannot be meant.

        """
        row = offset
        coming = iter(arrow)
        while True:
            try:
                rows = next(coming, None)
            except (pa.ArrowException, OSError) as error:
                raise self.error(
                    f"the row group cannot be read ({first_line(error)})",
                    "a whole Parquet file",
                    row_group=group,
                ) from error
            if rows is None:
                return
            if rows.num_rows:
                yield row, self._batch(rows, group, row, figures)
                row += rows.num_rows

    def _batch(self, arrow: Any, group: int, row: int, figures: Sequence[str]) -> Batch:
        name = "ts"
        try:
            ts = columns.to_integers(columns.BY_NAME["ts"], arrow.column("ts"))
            values: dict[str, Int64Array] = {}
            for name in figures:
                if name in self.figure_columns:
                    values[name] = columns.to_integers(columns.BY_NAME[name], arrow.column(name))
                else:
                    values[name] = np.full(len(ts), UNTOLD, dtype=np.int64)
            named = {name: arrow.column(name) for name in self.identity_columns}
            return Batch(ts, self._identities.number(named, len(ts)), values)
        except BadValue as bad:
            raise self.error(
                bad.problem,
                bad.expected,
                row_group=group,
                row=row + bad.row,
                column=bad.column if isinstance(bad, BadName) else name,
                value=bad.value,
            ) from None

    def check_order(self, ts: Int64Array, previous: int, group: int, row: int) -> None:
        """
        Refuse times that go back.

        Args:
            ts: Some times in the order of the file.
            previous: The time before them.
            group: Number of their row group.
            row: Index of the first row in the file.

        Raises:
            RecordingError: At the first time that is earlier than the one before it.

        """
        before = np.concatenate(([previous], ts[:-1]))
        back = ts < before
        if back.any():
            at = int(back.argmax())
            raise self.error(
                "time goes back",
                f"{_time_text(int(before[at]))} or later, or the option to sort",
                row_group=group,
                row=row + at,
                column="ts",
                value=_time_text(int(ts[at])),
            )

    def error(
        self,
        problem: str,
        expected: str,
        *,
        row_group: int | None = None,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> RecordingError:
        """Return an error that names the file."""
        return RecordingError(
            problem,
            expected=expected,
            file=str(self._path),
            row_group=row_group,
            row=row,
            column=column,
            value=value,
        )


class Tally:
    """
    What the rows of one file come to.

    Args:
        decoder: Of the file.
        count: Told of so many more rows.

    """

    def __init__(self, decoder: Decoder, count: Callable[[int], None] = lambda rows: None) -> None:
        self.groups: list[RowGroup] = []
        """Those that have rows."""
        self.days: dict[date, int] = {}
        """The days in India that have rows, and how many."""
        self.rows_of: Int64Array = np.zeros(0, dtype=np.int64)
        """Rows of each instrument, by number."""
        self.rows = 0
        self._decoder = decoder
        self._count = count
        self._previous = 0

    def take_group(self, number: int, arrow: Iterable[Any]) -> None:
        """
        Check the next row group.

        Raises:
            RecordingError: At the first row that cannot be meant, or that goes back in time.

        """
        offset = self.rows
        first: int | None = None
        for row, batch in self._decoder.batches(
            arrow, number, offset, self._decoder.figure_columns
        ):
            self._decoder.check_order(batch.ts, self._previous, number, row)
            first = int(batch.ts[0]) if first is None else first
            self._previous = int(batch.ts[-1])
            self.add(batch)
        if first is not None:
            rows = self.rows - offset
            self.groups.append(RowGroup(number, offset, rows, first, self._previous))

    def add(self, batch: Batch) -> None:
        """Count rows, in whatever order they come."""
        counts = np.bincount(batch.instrument, minlength=len(self.rows_of))
        counts[: len(self.rows_of)] += self.rows_of
        self.rows_of = counts
        ordinals = (batch.ts + IST_OFFSET_NS) // NS_PER_DAY
        for ordinal, rows in zip(*np.unique(ordinals, return_counts=True), strict=True):
            day = ist_date(int(ordinal) * NS_PER_DAY - IST_OFFSET_NS)
            self.days[day] = self.days.get(day, 0) + int(rows)
        self.rows += len(batch.ts)
        self._count(len(batch.ts))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; its type where it has none."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _time_text(ns: int) -> str:
    """Return a time for error messages: in India, to the nanosecond."""
    return f"{ist_datetime(ns)}.{ns % 1_000_000_000:09d} IST"
