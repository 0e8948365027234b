"""
Recordings: Parquet files of market updates, checked whole, then read in time order.

:meth:`Recording.open` reads every row once and refuses a file that cannot be
replayed, so that a replay never ends at a bad row in the middle of the day.
Reading goes by row group with bounded memory, whatever the length of the
files. The columns are `simulator.columns`' subject; what the rows mean for an
instrument's day is `simulator.fold`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator import columns
from simulator.columns import UNTOLD, BadValue, Batch, Int64Array, Kind
from simulator.identity import IDENTITY_COLUMNS, BadName, Identities
from streamer.errors import RecordingError
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, ist_date, ist_datetime
from streamer.odin.tags import InstrumentKey

BATCH_ROWS = 16_384
"""Rows that are decoded at a time; with the file's row groups, what bounds memory."""

METADATA_KEY = "odin-streamer"
"""The footer entry, a JSON object, in which a recording says where it comes from."""


class RowGroup(NamedTuple):
    """Where a row group of a file begins, and the times it covers."""

    number: int
    offset: int
    rows: int
    first: int
    last: int


class Recording:
    """
    One or more files that have been checked and can be replayed as one.

    Made by :meth:`open`. The rows of all files together are in the total order
    (time, file, row within the file), the files in the order given.
    """

    def __init__(self, sources: Sequence[_Source], identities: Identities) -> None:
        self._sources = tuple(sources)
        self.instruments: dict[InstrumentKey, Instrument] = dict(identities.instruments)
        """Every instrument that occurs, in the order of first rows, file after file."""
        self.keys: tuple[InstrumentKey, ...] = tuple(self.instruments)
        """The same instruments by number."""
        self.paths = tuple(source.path for source in sources)
        self.figure_columns = tuple(
            name
            for name in columns.BY_NAME
            if any(name in source.figure_columns for source in sources)
        )
        """The figures that one of the files has, or more; without the row's time and instrument."""
        ignored = dict.fromkeys(name for source in sources for name in source.ignored_columns)
        self.ignored_columns = tuple(ignored)
        """Columns of the files that are not part of the schema."""
        self.metadata: tuple[Mapping[str, Any], ...] = tuple(s.metadata for s in sources)
        """For each file what its footer says under `METADATA_KEY`; empty where it says nothing."""
        groups = [group for source in sources for group in source.groups]
        self.rows = sum(group.rows for group in groups)
        self.start = min(group.first for group in groups)
        """Time of the first row."""
        self.end = max(group.last for group in groups)
        """Time of the last row."""
        days: dict[date, int] = {}
        for source in sources:
            for day, rows in source.days.items():
                days[day] = days.get(day, 0) + rows
        self.days: dict[date, int] = dict(sorted(days.items()))
        """The days in India that have rows, in order, and how many."""

    @property
    def simulated(self) -> bool | None:
        """Whether some of it was made up; None where a file does not say."""
        said = {footer.get("simulated") for footer in self.metadata}
        return True if True in said else None if None in said else False

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        *,
        instruments: InstrumentTable,
        sort: bool = False,
        on_rows: Callable[[int], None] = lambda rows: None,
    ) -> Recording:
        """
        Check every row of the files and return them as one recording.

        Args:
            paths: At least one. Files that overlap in time are merged.
            instruments: Knows the symbols of rows that have no token.
            sort: Put rows that go back in time into order, instead of refusing
                them; each file is then held in memory as a whole.
            on_rows: Told now and then how many rows have been checked.

        Raises:
            RecordingError: If one of the files cannot be replayed. It names
                the place and what was expected there.

        """
        if not paths:
            raise RecordingError("there is no file", expected="one file or more", file="no file")
        identities = Identities(instruments)
        total = 0

        def count(rows: int) -> None:
            nonlocal total
            total += rows
            on_rows(total)

        source = _SortedSource if sort else _Source
        return cls([source(Path(path), identities, count) for path in paths], identities)

    def batches(
        self,
        start: int,
        end: int,
        *,
        keys: Collection[InstrumentKey] | None = None,
        figures: Collection[str] | None = None,
    ) -> Iterator[Batch]:
        """
        Yield the rows with ``start <= ts < end`` in the total order.

        Args:
            start: UNIX nanoseconds.
            end: UNIX nanoseconds.
            keys: Only rows of these instruments; None for all.
            figures: Only these of `figure_columns`; None for all. Every batch
                has each of them, whether its file does or not.

        Raises:
            RecordingError: If a file has been changed since it was checked.

        """
        names = self.figure_columns if figures is None else tuple(figures)
        wanted = None
        if keys is not None:
            wanted = np.array([key in keys for key in self.keys], dtype=np.bool_)
        for cluster in _clusters(self._sources):
            first = min(source.first for source in cluster)
            if first >= end or max(source.last for source in cluster) < start:
                continue
            for batch in _merged([source.batches(start, end, names) for source in cluster]):
                chosen = batch if wanted is None else batch.rows(wanted[batch.instrument])
                if len(chosen.ts):
                    yield chosen

    def count(self, start: int, end: int, *, keys: Collection[InstrumentKey] | None = None) -> int:
        """Return how many rows `batches` yields for the same window and instruments."""
        if keys is None:
            return sum(source.count(start, end) for source in self._sources)
        if start <= self.start and self.end < end:
            wanted = [key in keys for key in self.keys]
            return sum(
                int(source.rows_of[: len(wanted)] @ wanted[: len(source.rows_of)])
                for source in self._sources
            )
        batches = self.batches(start, end, keys=keys, figures=())
        return sum(len(batch.ts) for batch in batches)


class _Source:
    """One file in time order: checked by its construction, then read row group by row group."""

    def __init__(self, path: Path, identities: Identities, count: Callable[[int], None]) -> None:
        self.path = path
        self._identities = identities
        self._count = count
        schema, row_groups = self._footer()
        self.metadata = _metadata(schema)
        self.identity_columns = [name for name in IDENTITY_COLUMNS if name in schema.names]
        self.figure_columns = [
            column.name
            for column in columns.COLUMNS
            if column.name in schema.names
            and column.kind in (Kind.PRICE, Kind.AVERAGE, Kind.QUANTITY)
        ]
        self.ignored_columns = [name for name in schema.names if name not in columns.BY_NAME]
        self.days: dict[date, int] = {}
        self.rows_of: Int64Array = np.zeros(0, dtype=np.int64)
        """Rows of each instrument, by number."""
        self.groups = self._check(row_groups)

    @property
    def first(self) -> int:
        """Time of the first row."""
        return self.groups[0].first

    @property
    def last(self) -> int:
        """Time of the last row."""
        return self.groups[-1].last

    def batches(self, start: int, end: int, figures: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows with ``start <= ts < end``, with each of ``figures``."""
        with self._parquet() as parquet:
            for group in self.groups:
                if group.last < start or group.first >= end:
                    continue
                for _, batch in self._decode(parquet, group.number, group.offset, figures):
                    inside = _inside(batch, start, end)
                    if len(inside.ts):
                        yield inside

    def count(self, start: int, end: int) -> int:
        """Return how many rows have ``start <= ts < end``."""
        total = sum(g.rows for g in self.groups if start <= g.first and g.last < end)
        for edge in self.groups:
            whole = start <= edge.first and edge.last < end
            if whole or edge.last < start or edge.first >= end:
                continue
            with self._parquet() as parquet:
                for _, batch in self._decode(parquet, edge.number, edge.offset, ()):
                    total += len(_inside(batch, start, end).ts)
        return total

    def _footer(self) -> tuple[Any, list[int]]:
        """Return the Arrow schema and the rows of each row group, or refuse the file."""
        with self._parquet() as parquet:
            schema = parquet.schema_arrow
            metadata = parquet.metadata
            row_groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        twice = {name for name in schema.names if schema.names.count(name) > 1}
        for name in sorted(twice & columns.BY_NAME.keys()):
            raise self._error("the column is there twice", "each column once", column=name)
        for column in columns.COLUMNS:
            if column.name in schema.names:
                problem = columns.type_problem(column, schema.field(column.name).type)
                if problem is not None:
                    raise self._error(problem[0], problem[1], column=column.name)
            elif column.required:
                raise self._error(
                    "the column is missing", columns.TYPES[column.kind], column=column.name
                )
        if not {"token", "symbol"} & set(schema.names):
            raise self._error(
                "the column is missing", "a column token, or a column symbol", column="token"
            )
        if not sum(row_groups):
            raise self._error("the file has no rows", "one row or more")
        return schema, row_groups

    def _check(self, row_groups: Sequence[int]) -> list[RowGroup]:
        """Decode every row; return the row groups that have rows, with the times they cover."""
        groups: list[RowGroup] = []
        previous = 0
        offset = 0
        with self._parquet() as parquet:
            for index, rows in enumerate(row_groups):
                first = previous
                done = 0
                for _, batch in self._decode(parquet, index, offset, self.figure_columns):
                    self._check_order(batch.ts, previous, index, offset + done)
                    first = int(batch.ts[0]) if not done else first
                    previous = int(batch.ts[-1])
                    done += len(batch.ts)
                    self._tally(batch)
                    self._count(len(batch.ts))
                if rows:
                    groups.append(RowGroup(index, offset, rows, first, previous))
                offset += rows
        return groups

    def _check_order(self, ts: Int64Array, previous: int, group: int, row: int) -> None:
        before = np.concatenate(([previous], ts[:-1]))
        back = ts < before
        if back.any():
            at = int(back.argmax())
            raise self._error(
                "time goes back",
                f"{_time_text(int(before[at]))} or later, or the option to sort",
                row_group=group,
                row=row + at,
                column="ts",
                value=_time_text(int(ts[at])),
            )

    def _tally(self, batch: Batch) -> None:
        counts = np.bincount(batch.instrument, minlength=len(self.rows_of))
        counts[: len(self.rows_of)] += self.rows_of
        self.rows_of = counts
        ordinals = (batch.ts + IST_OFFSET_NS) // NS_PER_DAY
        for ordinal, rows in zip(*np.unique(ordinals, return_counts=True), strict=True):
            day = ist_date(int(ordinal) * NS_PER_DAY - IST_OFFSET_NS)
            self.days[day] = self.days.get(day, 0) + int(rows)

    def _decode(
        self, parquet: Any, group: int, offset: int, figures: Sequence[str]
    ) -> Iterator[tuple[int, Batch]]:
        """Yield a row group's batches, each with the index of its first row in the file."""
        own = [name for name in figures if name in self.figure_columns]
        wanted = ["ts", *self.identity_columns, *own]
        row = offset
        arrow_batches = parquet.iter_batches(
            batch_size=BATCH_ROWS, row_groups=[group], columns=wanted
        )
        while True:
            try:
                arrow = next(arrow_batches, None)
            except (pa.ArrowException, OSError) as error:
                raise self._error(
                    f"the row group cannot be read ({_first_line(error)})",
                    "a whole Parquet file",
                    row_group=group,
                ) from error
            if arrow is None:
                return
            if arrow.num_rows:
                yield row, self._batch(arrow, group, row, figures)
                row += arrow.num_rows

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
            raise self._error(
                bad.problem,
                bad.expected,
                row_group=group,
                row=row + bad.row,
                column=bad.column if isinstance(bad, BadName) else name,
                value=bad.value,
            ) from None

    def _parquet(self) -> Any:
        try:
            return pq.ParquetFile(self.path)
        except FileNotFoundError:
            raise self._error("there is no such file", "a Parquet file") from None
        except (pa.ArrowException, OSError) as error:
            is_csv = self.path.suffix.lower() == ".csv"
            expected = "a Parquet file" + ("; odin-sim convert makes one of CSV" if is_csv else "")
            raise self._error(
                f"the file cannot be read as Parquet ({_first_line(error)})", expected
            ) from error

    def _error(
        self,
        problem: str,
        expected: str,
        *,
        row_group: int | None = None,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> RecordingError:
        return RecordingError(
            problem,
            expected=expected,
            file=str(self.path),
            row_group=row_group,
            row=row,
            column=column,
            value=value,
        )


class _SortedSource(_Source):
    """One file whose rows are put into order, in memory."""

    def _check(self, row_groups: Sequence[int]) -> list[RowGroup]:
        parts: list[Batch] = []
        offset = 0
        with self._parquet() as parquet:
            for index, rows in enumerate(row_groups):
                decoded = self._decode(parquet, index, offset, self.figure_columns)
                for _, batch in decoded:
                    parts.append(batch)
                    self._count(len(batch.ts))
                offset += rows
        whole = _joined(parts)
        self._whole = whole.rows(np.argsort(whole.ts, kind="stable"))
        self._tally(self._whole)
        return [RowGroup(0, 0, offset, int(self._whole.ts[0]), int(self._whole.ts[-1]))]

    def batches(self, start: int, end: int, figures: Sequence[str]) -> Iterator[Batch]:
        inside = _inside(self._whole, start, end)
        for at in range(0, len(inside.ts), BATCH_ROWS):
            batch = inside.rows(slice(at, at + BATCH_ROWS))
            untold = np.full(len(batch.ts), UNTOLD, dtype=np.int64)
            values = {name: batch.figures.get(name, untold) for name in figures}
            yield Batch(batch.ts, batch.instrument, values)

    def count(self, start: int, end: int) -> int:
        return len(_inside(self._whole, start, end).ts)


def _inside(batch: Batch, start: int, end: int) -> Batch:
    left, right = np.searchsorted(batch.ts, (start, end))
    if left == 0 and right == len(batch.ts):
        return batch
    return batch.rows(slice(left, right))


def _clusters(sources: Sequence[_Source]) -> list[list[_Source]]:
    """Return the files in groups that follow each other in time; within one they overlap."""
    clusters: list[list[_Source]] = []
    last = 0
    by_time = sorted(enumerate(sources), key=lambda numbered: (numbered[1].first, numbered[0]))
    for _, source in by_time:
        if clusters and source.first <= last:
            clusters[-1].append(source)
        else:
            clusters.append([source])
        last = max(last, source.last)
    # Within a cluster the order of the files decides between rows of one time.
    return [sorted(cluster, key=sources.index) for cluster in clusters]


def _merged(streams: Sequence[Iterator[Batch]]) -> Iterator[Batch]:
    """Yield the rows of several streams in the order (time, stream, row)."""
    if len(streams) == 1:
        yield from streams[0]
        return
    waiting: dict[int, Batch] = {}
    running = dict(enumerate(streams))
    while True:
        # Up to the earliest of the last rows waiting, nothing more can come in
        # between; the rows of that very time wait for others of the same time.
        horizon = min((int(waiting[i].ts[-1]) for i in running if i in waiting), default=None)
        for i in list(running):
            if i in waiting and int(waiting[i].ts[-1]) != horizon:
                continue
            following = next(running[i], None)
            if following is None:
                del running[i]
            else:
                waiting[i] = _joined([waiting[i], following]) if i in waiting else following
        limits = [int(waiting[i].ts[-1]) for i in running]
        ready: list[Batch] = []
        for i in sorted(waiting):
            batch = waiting[i]
            split = int(np.searchsorted(batch.ts, min(limits))) if limits else len(batch.ts)
            if split:
                ready.append(batch.rows(slice(0, split)))
            if split == len(batch.ts):
                del waiting[i]
            else:
                waiting[i] = batch.rows(slice(split, None))
        if ready:
            joined = _joined(ready)
            yield joined.rows(np.argsort(joined.ts, kind="stable"))
        if not running and not waiting:
            return


def _joined(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    figures = {
        name: np.concatenate([batch.figures[name] for batch in batches])
        for name in batches[0].figures
    }
    ts = np.concatenate([batch.ts for batch in batches])
    return Batch(ts, np.concatenate([batch.instrument for batch in batches]), figures)


def _metadata(schema: Any) -> Mapping[str, Any]:
    text = (schema.metadata or {}).get(METADATA_KEY.encode())
    if text is None:
        return {}
    try:
        entry = json.loads(text)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _time_text(ns: int) -> str:
    """Return a time for error messages: in India, to the nanosecond."""
    return f"{ist_datetime(ns)}.{ns % 1_000_000_000:09d} IST"
