"""
What a recording is: window, instruments, rates, columns, origin, size.

Everything is read from the files themselves; whether anything in them is wrong
is `simulator.inspection`'s subject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from simulator.columns import Int64Array
from simulator.inspection import manifest_of
from simulator.recording import Recording
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import NS_PER_SECOND

__all__ = ["Description", "FileDescription", "describe"]


class FileDescription(msgspec.Struct, frozen=True):
    """
    One file of a recording.

    Args:
        path: As it was given.
        size_bytes: Of the file.
        footer: What its footer says of its origin; empty if it says nothing.
        manifest: What the manifest beside it says; empty if there is none.
        sealed: Whether a replay opens it without reading its rows.

    """

    path: Path
    size_bytes: int
    footer: Mapping[str, Any]
    manifest: Mapping[str, Any]
    sealed: bool


class Description(msgspec.Struct, frozen=True):
    """
    A recording of one or more files.

    Args:
        files: In the order given.
        start: Time of the first row, UNIX nanoseconds.
        end: Time of the last row.
        rows: How many.
        days: The days in India that have rows, and how many.
        instruments: Each with its rows, the most first.
        busiest: The second with the most rows, and how many it has.
        seconds: How many seconds have rows.
        columns: The figures that are told.
        ignored: Columns that are not part of the schema.
        simulated: Whether it was made up; None where a file does not say.

    """

    files: tuple[FileDescription, ...]
    start: int
    end: int
    rows: int
    days: Mapping[date, int]
    instruments: tuple[tuple[Instrument, int], ...]
    busiest: tuple[int, int]
    seconds: int
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    simulated: bool | None

    @property
    def rate(self) -> float:
        """Rows a second from the first row to the last, nights left out."""
        span = (self.end - self.start) / NS_PER_SECOND if len(self.days) == 1 else self.seconds
        return self.rows / max(span, 1.0)


def describe(
    paths: Sequence[Path],
    *,
    table: InstrumentTable,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Description:
    """
    Read some files and say what they are.

    Args:
        paths: One or more.
        table: Knows symbols and tokens.
        on_rows: Told now and then how many rows have been read.

    Raises:
        RecordingError: If a replay would refuse them.

    """
    recording = Recording.open(paths, instruments=table, on_rows=on_rows)
    rows_of: Int64Array = np.zeros(len(recording.keys), dtype=np.int64)
    rates = _Rates()
    for batch in recording.batches(recording.start, recording.end + 1, figures=()):
        rows_of += np.bincount(batch.instrument, minlength=len(rows_of))
        rates.count(batch.ts)
    by_rows = zip(recording.instruments.values(), rows_of.tolist(), strict=True)
    return Description(
        files=tuple(
            FileDescription(path, path.stat().st_size, footer, manifest_of(path), sealed)
            for path, footer, sealed in zip(
                recording.paths, recording.metadata, recording.sealed, strict=True
            )
        ),
        start=recording.start,
        end=recording.end,
        rows=recording.rows,
        days=recording.days,
        instruments=tuple(sorted(by_rows, key=lambda each: -each[1])),
        busiest=rates.busiest,
        seconds=rates.seconds,
        columns=recording.figure_columns,
        ignored=recording.ignored_columns,
        simulated=recording.simulated,
    )


class _Rates:
    """Rows by second, of batches in time order."""

    def __init__(self) -> None:
        self.seconds = 0
        self.busiest = (0, 0)
        self._last = 0
        self._in_last = 0

    def count(self, ts: Int64Array) -> None:
        """Take in the times of rows; a second may lie in two batches."""
        seconds, counts = np.unique(ts // NS_PER_SECOND, return_counts=True)
        first = int(seconds[0])
        if first == self._last:
            counts[0] += self._in_last
            self.seconds -= 1
        self.seconds += len(seconds)
        most = int(counts.argmax())
        if counts[most] > self.busiest[1]:
            self.busiest = (int(seconds[most]) * NS_PER_SECOND, int(counts[most]))
        self._last, self._in_last = int(seconds[-1]), int(counts[-1])
