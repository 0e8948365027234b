"""
Recordings: Parquet files of market updates, read in time order.

:meth:`Recording.open` refuses files that cannot be replayed: it reads every row
once, unless a file's seal spares it that. Reading goes by row group with
bounded memory, whatever the length of the files; several files are merged. One
file is `simulator.recording_file`'s subject, the columns are
`simulator.columns`', and what the rows mean for an instrument's day is
`simulator.fold`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from simulator import columns
from simulator.columns import Batch
from simulator.identity import Identities
from simulator.recording_file import RecordingFile, SortedFile, joined
from streamer.errors import RecordingError
from streamer.instruments import Instrument, InstrumentTable
from streamer.odin.tags import InstrumentKey

__all__ = ["Recording"]


class Recording:
    """
    One or more files that can be replayed as one.

    Made by :meth:`open`. The rows of all files together are in the total order
    (time, file, row within the file), the files in the order given.
    """

    def __init__(self, sources: Sequence[RecordingFile], identities: Identities) -> None:
        self._sources = tuple(sources)
        identities.close()
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
        """For each file what its footer says of its origin; empty where it says nothing."""
        self.sealed = tuple(source.sealed for source in sources)
        """For each file whether it was opened without reading its rows."""
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
        Check the files and return them as one recording.

        The rows of a file that has an intact seal are checked when they are
        read; those of all others now.

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

        source = SortedFile if sort else RecordingFile
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
            RecordingError: If a file has been changed since it was opened, or
                a row of a sealed one cannot be replayed: before any other row
                of its row group.

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
        if 2 * self.count(start, end) < self.rows:
            return self._count_of(keys, start, end)
        wanted = [key in keys for key in self.keys]
        total = sum(
            int(source.rows_of[: len(wanted)] @ wanted[: len(source.rows_of)])
            for source in self._sources
        )
        # Most rows lie in the window: reading the others is quicker.
        before = self._count_of(keys, self.start, start)
        return total - before - self._count_of(keys, end, self.end + 1)

    def _count_of(self, keys: Collection[InstrumentKey], start: int, end: int) -> int:
        batches = self.batches(start, end, keys=keys, figures=())
        return sum(len(batch.ts) for batch in batches)


def _clusters(sources: Sequence[RecordingFile]) -> list[list[RecordingFile]]:
    """Return the files in groups that follow each other in time; within one they overlap."""
    clusters: list[list[RecordingFile]] = []
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
                waiting[i] = joined([waiting[i], following]) if i in waiting else following
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
            whole = joined(ready)
            yield whole.rows(np.argsort(whole.ts, kind="stable"))
        if not running and not waiting:
            return
