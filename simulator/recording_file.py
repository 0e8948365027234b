"""
One file of a recording: opened, checked or found sealed, then read by row group.

A file without an intact seal (`simulator.seal`) is checked row by row when it
is opened. Of a file that has one, each row group is checked when it is read,
in full and before any of its rows is handed on. In either case a file that is
another one by then is refused.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator import columns
from simulator.columns import UNTOLD, Batch, Int64Array
from simulator.decoding import BATCH_ROWS, Decoder, RowGroup, Tally, first_line
from simulator.identity import BadName, Identities
from simulator.seal import Seal, intact
from streamer.errors import RecordingError

__all__ = ["METADATA_KEY", "RecordingFile", "SortedFile", "inside", "joined"]

METADATA_KEY: Final = "odin-streamer"
"""The footer entry, a JSON object, in which a recording says where it comes from."""


class RecordingFile:
    """
    One file, its rows in time order.

    Args:
        path: Of the file.
        identities: Numbers the instruments.
        count: Told of so many more rows that have been checked.

    Raises:
        RecordingError: If it cannot be replayed.

    """

    def __init__(self, path: Path, identities: Identities, count: Callable[[int], None]) -> None:
        self.path = path
        self._identities = identities
        self._footer: Any = None
        self._stamp = _stamp(path)
        with self._parquet() as parquet:
            self._footer, schema = parquet.metadata, parquet.schema_arrow
        self.metadata = _metadata(schema.metadata)
        """What its footer says under `METADATA_KEY`; empty where it says nothing."""
        self._decoder = Decoder(path, schema.names, identities)
        self._refuse_schema(schema)
        self.figure_columns = self._decoder.figure_columns
        self.ignored_columns = self._decoder.ignored_columns
        self.days: dict[date, int]
        """The days in India that have rows, and how many."""
        self.rows_of: Int64Array
        """Rows of each instrument, by number."""
        self.groups: Sequence[RowGroup]
        """Those that have rows, with the times they cover."""
        # The seal is no part of the Arrow schema, which other programs take over.
        self._seal = self._trusted(intact(path, self._footer.metadata))
        if self._seal is None:
            tally = self._check(count)
            self.days, self.rows_of, self.groups = tally.days, tally.rows_of, tally.groups

    @property
    def sealed(self) -> bool:
        """Whether it was opened without reading its rows."""
        return self._seal is not None

    @property
    def first(self) -> int:
        """Time of the first row."""
        return self.groups[0].first

    @property
    def last(self) -> int:
        """Time of the last row."""
        return self.groups[-1].last

    def batches(self, start: int, end: int, figures: Sequence[str]) -> Iterator[Batch]:
        """
        Yield the rows with ``start <= ts < end``, with each of ``figures``.

        Raises:
            RecordingError: If a row cannot be meant, or the file is another one by now.

        """
        with self._parquet() as parquet, self.path.open("rb") as file:
            for group in self.groups:
                if group.last < start or group.first >= end:
                    continue
                for batch in self._group(parquet, file, group, figures):
                    within = inside(batch, start, end)
                    if len(within.ts):
                        yield within

    def count(self, start: int, end: int) -> int:
        """Return how many rows have ``start <= ts < end``."""
        total = sum(g.rows for g in self.groups if start <= g.first and g.last < end)
        for edge in self.groups:
            whole = start <= edge.first and edge.last < end
            if whole or edge.last < start or edge.first >= end:
                continue
            with self._parquet() as parquet, self.path.open("rb") as file:
                for batch in self._group(parquet, file, edge, ()):
                    total += len(inside(batch, start, end).ts)
        return total

    def _group(
        self, parquet: Any, file: IO[bytes], group: RowGroup, figures: Sequence[str]
    ) -> Iterator[Batch]:
        if self._seal is not None:
            self._check_bytes(self._seal, file, group)
        decoded = self._decoder.batches(
            self._arrow(parquet, group.number, figures), group.number, group.offset, figures
        )
        if self._seal is None:
            return (batch for _, batch in decoded)
        return iter(self._checked_group(list(decoded), group))

    def _checked_group(self, decoded: Sequence[tuple[int, Batch]], group: RowGroup) -> list[Batch]:
        """Return the batches of a row group of a sealed file, all of them checked."""
        previous = self.groups[group.number - 1].last if group.number else 0
        for row, batch in decoded:
            self._decoder.check_order(batch.ts, previous, group.number, row)
            previous = int(batch.ts[-1])
        batches = [batch for _, batch in decoded]
        if (int(batches[0].ts[0]), previous) != (group.first, group.last):
            raise self._decoder.error(
                "the times are not those of the seal",
                "those of its rows when it was written",
                row_group=group.number,
            )
        return batches

    def _check_bytes(self, seal: Seal, file: IO[bytes], group: RowGroup) -> None:
        """Refuse a row group whose bytes are not those that were sealed."""
        sealed = seal.groups[group.number]
        begin = seal.groups[group.number - 1].end if group.number else 0
        file.seek(begin)
        if zlib.crc32(file.read(sealed.end - begin)) != sealed.crc32:
            raise self._decoder.error(
                "the bytes of the row group are not those that were written",
                "those; get the file again, or write it anew if it was changed on purpose",
                row_group=group.number,
            )

    def _arrow(self, parquet: Any, group: int, figures: Sequence[str]) -> Any:
        return parquet.iter_batches(
            batch_size=BATCH_ROWS, row_groups=[group], columns=self._decoder.wanted(figures)
        )

    def _trusted(self, seal: Seal | None) -> Seal | None:
        """Take what a seal tells, if it goes with this file and the instruments known here."""
        if seal is None or len(seal.groups) != self._footer.num_row_groups:
            return None
        try:
            numbers = list(dict.fromkeys(self._identities.numbers(seal.names)))
        except BadName:
            # Checking the rows tells which of them it is.
            return None
        if len(numbers) != len(seal.rows):
            return None
        self.rows_of = np.zeros(max(numbers) + 1, dtype=np.int64)
        self.rows_of[numbers] = seal.rows
        self.days = {date.fromisoformat(day): rows for day, rows in seal.days.items()}
        groups = []
        offset = 0
        for number, sealed in enumerate(seal.groups):
            rows = self._footer.row_group(number).num_rows
            groups.append(RowGroup(number, offset, rows, sealed.first, sealed.last))
            offset += rows
        self.groups = groups
        return seal

    def _check(self, count: Callable[[int], None]) -> Tally:
        """Decode every row."""
        tally = Tally(self._decoder, count)
        with self._parquet() as parquet:
            for number in range(self._footer.num_row_groups):
                tally.take_group(number, self._arrow(parquet, number, self._decoder.figure_columns))
        return tally

    def _refuse_schema(self, schema: Any) -> None:
        """Refuse a file whose columns cannot be those of a recording, or that has no rows."""
        error = self._decoder.error
        twice = {name for name in schema.names if schema.names.count(name) > 1}
        for name in sorted(twice & columns.BY_NAME.keys()):
            raise error("the column is there twice", "each column once", column=name)
        for column in columns.COLUMNS:
            if column.name in schema.names:
                problem = columns.type_problem(column, schema.field(column.name).type)
                if problem is not None:
                    raise error(problem[0], problem[1], column=column.name)
            elif column.required:
                raise error("the column is missing", columns.TYPES[column.kind], column=column.name)
        if not {"token", "symbol"} & set(schema.names):
            raise error(
                "the column is missing", "a column token, or a column symbol", column="token"
            )
        if not self._footer.num_rows:
            raise error("the file has no rows", "one row or more")

    def _parquet(self) -> Any:
        """Open the file; its footer is read the first time only."""
        try:
            if self._footer is not None and _stamp(self.path) != self._stamp:
                raise self._error(
                    "the file has been changed", "a file that stays as it is while it is used"
                )
            return pq.ParquetFile(self.path, metadata=self._footer)
        except FileNotFoundError:
            raise self._error("there is no such file", "a Parquet file") from None
        except (pa.ArrowException, OSError) as error:
            is_csv = self.path.suffix.lower() == ".csv"
            expected = "a Parquet file" + ("; odin-sim convert makes one of CSV" if is_csv else "")
            raise self._error(
                f"the file cannot be read as Parquet ({first_line(error)})", expected
            ) from error

    def _error(self, problem: str, expected: str) -> RecordingError:
        return RecordingError(problem, expected=expected, file=str(self.path))


class SortedFile(RecordingFile):
    """One file whose rows are put into order, in memory."""

    def _trusted(self, seal: Seal | None) -> Seal | None:
        return None

    def _check(self, count: Callable[[int], None]) -> Tally:
        parts: list[Batch] = []
        rows = 0
        with self._parquet() as parquet:
            for number in range(self._footer.num_row_groups):
                arrow = self._arrow(parquet, number, self._decoder.figure_columns)
                for _, batch in self._decoder.batches(
                    arrow, number, rows, self._decoder.figure_columns
                ):
                    parts.append(batch)
                    count(len(batch.ts))
                rows += self._footer.row_group(number).num_rows
        whole = joined(parts)
        self._whole = whole.rows(np.argsort(whole.ts, kind="stable"))
        tally = Tally(self._decoder)
        tally.add(self._whole)
        times = self._whole.ts
        tally.groups.append(RowGroup(0, 0, rows, int(times[0]), int(times[-1])))
        return tally

    def batches(self, start: int, end: int, figures: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows with ``start <= ts < end``, with each of ``figures``."""
        within = inside(self._whole, start, end)
        for at in range(0, len(within.ts), BATCH_ROWS):
            batch = within.rows(slice(at, at + BATCH_ROWS))
            untold = np.full(len(batch.ts), UNTOLD, dtype=np.int64)
            values = {name: batch.figures.get(name, untold) for name in figures}
            yield Batch(batch.ts, batch.instrument, values)

    def count(self, start: int, end: int) -> int:
        """Return how many rows have ``start <= ts < end``."""
        return len(inside(self._whole, start, end).ts)


def inside(batch: Batch, start: int, end: int) -> Batch:
    """Return the rows with ``start <= ts < end``."""
    left, right = np.searchsorted(batch.ts, (start, end))
    if left == 0 and right == len(batch.ts):
        return batch
    return batch.rows(slice(left, right))


def joined(batches: Sequence[Batch]) -> Batch:
    """Return the rows of several batches, one behind the other."""
    if len(batches) == 1:
        return batches[0]
    figures = {
        name: np.concatenate([batch.figures[name] for batch in batches])
        for name in batches[0].figures
    }
    ts = np.concatenate([batch.ts for batch in batches])
    return Batch(ts, np.concatenate([batch.instrument for batch in batches]), figures)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from another one that takes its place; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _metadata(entries: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    text = (entries or {}).get(METADATA_KEY.encode())
    if text is None:
        return {}
    try:
        entry = json.loads(text)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
