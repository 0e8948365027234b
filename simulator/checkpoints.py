"""
Where a replay can take up a recording again without reading all that comes before.

A checkpoint is the state of every instrument at one moment. They are kept as
the recording is read, about one for each `ROWS_APART` rows, and within
`MAX_BYTES`: where there would be more, every second one is dropped and the
rest lie twice as far apart.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import NamedTuple

from simulator.fold import DayFold

ROWS_APART = 32_768
"""As many rows as a row group of our own recordings has."""

MAX_BYTES = 20 * 2**20


class Checkpoint(NamedTuple):
    """
    The state of all instruments at one moment.

    Args:
        ts: All rows before this time are folded, and none from then on.
        rows: How many of them lie in the window.
        fold: Not to be folded further; copy it.

    """

    ts: int
    rows: int
    fold: DayFold


class Checkpoints:
    """
    The checkpoints of one window, the first at its start; may be shared by threads.

    Args:
        first: At the start of the window; never dropped.
        rows_apart: How far apart they lie at first.
        max_bytes: What all of them together may hold.

    """

    def __init__(
        self, first: Checkpoint, *, rows_apart: int = ROWS_APART, max_bytes: int = MAX_BYTES
    ) -> None:
        self._kept = [first]
        self._rows_apart = rows_apart
        self._max_bytes = max_bytes
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def before(self, ts: int) -> Checkpoint:
        """Return the last one that is not after ``ts``, or else the first."""
        with self._lock:
            return self._kept[max(0, bisect_right(self._kept, ts, key=_time) - 1)]

    def offer(self, ts: int, rows: int, fold: DayFold) -> None:
        """Keep a copy of the state at ``ts``, unless there is a checkpoint close by."""
        with self._lock:
            place = bisect_right(self._kept, ts, key=_time)
            if rows - self._kept[place - 1].rows < self._rows_apart:
                return
            if place < len(self._kept) and self._kept[place].rows - rows < self._rows_apart:
                return
            self._kept.insert(place, Checkpoint(ts, rows, fold.packed()))
            while len(self._kept) > 2 and self._held_bytes() > self._max_bytes:
                self._kept = self._kept[::2]
                self._rows_apart *= 2

    def _held_bytes(self) -> int:
        return sum(checkpoint.fold.size_bytes for checkpoint in self._kept)


def _time(checkpoint: Checkpoint) -> int:
    return checkpoint.ts
