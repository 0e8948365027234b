"""
Which updates of a recording are due, and each instrument's state on the way.

A :class:`Replay` stands at a place in its window and moves forward when it is
asked for what is due, or to any other place that it is sent to; it knows no
clock, so the same window gives the same updates at any speed. Reading is the
recording's business, the figures of the day are `simulator.fold`'s, and
`simulator.checkpoints` keeps a change of place from reading it all again.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from simulator.checkpoints import ROWS_APART, Checkpoint, Checkpoints
from simulator.columns import Batch
from simulator.fold import DayFold
from simulator.recording import Recording
from simulator.updates import Layout, PackedRows, Update
from streamer.calendar import TradingCalendar
from streamer.errors import RecordingError
from streamer.ist import ist_date, ist_datetime, ist_midnight
from streamer.odin.tags import InstrumentKey

BLOCK_ROWS = 64
"""Updates are made this many at a time, so that no call takes long."""

READ_AHEAD = 2
"""Batches of the recording that `Replay.prefetch` holds ready at the most."""


class Replay:
    """
    The updates of a recording between two moments, in the total order.

    Args:
        recording: What is replayed.
        start: UNIX nanoseconds; rows from this time on are replayed.
        end: UNIX nanoseconds; rows from this time on are not.
        keys: Only these instruments; None for all.
        calendar: Tells when a session opens and which day is the next; by
            default the one that comes with the server.
        shift: Nanoseconds added to every time that is told; all moments that
            the replay is asked for and gives are shifted ones. What a row
            means for its day follows from when it was recorded.
        rows_apart: How far apart checkpoints lie at first.

    Raises:
        RecordingError: If no row of these instruments lies in the window.

    Stands at the start at first. Not to be shared by threads, with two
    exceptions: `prefetch` and `find` may run in another one.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        start: int,
        end: int,
        keys: Collection[InstrumentKey] | None = None,
        calendar: TradingCalendar | None = None,
        shift: int = 0,
        rows_apart: int = ROWS_APART,
    ) -> None:
        self.start = start + shift
        self.end = end + shift
        self.shift = shift
        self.keys = None if keys is None else frozenset(keys)
        self._recording = recording
        self._calendar = calendar if calendar is not None else TradingCalendar.bundled()
        self._layout = Layout(recording, shift)
        self.rows_total = recording.count(start, end, keys=self.keys)
        """How many updates the window has."""
        if not self.rows_total:
            raise RecordingError(
                f"no row between {ist_datetime(start)} and {ist_datetime(end)} IST",
                expected=(
                    f"a window and instruments within the recording, which lasts from "
                    f"{ist_datetime(recording.start)} to {ist_datetime(recording.end)} IST"
                ),
                file=", ".join(str(path) for path in recording.paths),
            )
        self._texts_of: Collection[InstrumentKey] = ()
        self.rows_taken = 0
        """How many of them lie behind the present place."""
        first = Checkpoint(start, 0, self._folded_to(start))
        self._checkpoints = Checkpoints(first, rows_apart=rows_apart)
        self.go(self.find(self.start))

    def begin(self) -> None:
        """Go to the start: each instrument's state is that of its rows before, on that day."""
        if self.rows_taken or self._now != self.start:
            self.seek(self.start)

    def seek(self, to: int) -> None:
        """
        Go to ``to``: the replay is as one whose window begins there.

        Raises:
            ValueError: If ``to`` is not in the window; its end counts as in it.
            RecordingError: If a file has been changed since it was opened.

        """
        self.go(self.find(to))

    def find(self, to: int) -> Place:
        """
        Return the place at ``to``, for `go`.

        It is found from the checkpoint before it, which is less than two row
        groups away where the replay has been before. May run in another
        thread while the replay is used.

        Raises:
            ValueError: If ``to`` is not in the window; its end counts as in it.
            RecordingError: If a file has been changed since it was opened.

        """
        if not self.start <= to <= self.end:
            raise ValueError(
                f"{ist_datetime(to)} IST found; a time in the window from"
                f" {ist_datetime(self.start)} to {ist_datetime(self.end)} IST expected"
            )
        at = to - self.shift
        before = self._checkpoints.before(at)
        reader = _Reader(before, self._checkpoints, self._layout)
        for batch in self._recording.batches(before.ts, at, keys=self.keys):
            reader.fold(batch)
        states = reader.latest(at)
        rows = reader.rows
        reader.incoming = self._recording.batches(at, self.end - self.shift, keys=self.keys)
        reader.prefetch()
        return Place(to, rows, {update.key: update for update in states}, reader)

    def go(self, place: Place) -> None:
        """Continue from a place, which is used up by that."""
        self._reader = place.reader
        self._reader.texts_of = self._texts_of
        self._rows = PackedRows.nothing()
        self._offset = 0
        self._block: list[Update] = []
        self._times: list[int] = []
        self._position = 0
        self._now = place.ts
        self.rows_taken = place.rows
        self._state = place.states

    def turn_to(self, other: Replay) -> None:
        """Take over the window of another replay; `go` to a place of that one next."""
        self.start, self.end = other.start, other.end
        self.shift, self.keys = other.shift, other.keys
        self.rows_total = other.rows_total
        self._recording, self._layout = other._recording, other._layout
        self._checkpoints = other._checkpoints

    def next_due(self) -> int | None:
        """Return the time of the next update; None at the end."""
        if self._position == len(self._block) and not self._next_block():
            return None
        return self._times[self._position]

    def take(self, until: int, limit: int = 4096) -> list[Update]:
        """
        Return the updates with ``ts <= until``, at most ``limit``; they become the state.

        An empty list means that nothing is due by ``until``, or the end.
        """
        taken: list[Update] = []
        while len(taken) < limit:
            if self._position == len(self._block) and not self._next_block():
                break
            left = self._position
            right = min(left + limit - len(taken), len(self._block))
            right = bisect_right(self._times, until, left, right)
            due = self._block[left:right]
            taken += due
            self._position = right
            if right < len(self._block):
                break
        for update in taken:
            self._state[update.key] = update
        if taken:
            self.rows_taken += len(taken)
            self._now = taken[-1].ts
        return taken

    def upcoming(self, limit: int) -> list[Update]:
        """Return the next updates, at most ``limit``, without taking them."""
        if self.next_due() is None:
            return []
        return self._block[self._position : self._position + limit]

    def state(self, key: InstrumentKey) -> Update | None:
        """Return an instrument's last update on the present day; None before its first row."""
        update = self._state.get(key)
        if update is None or ist_date(update.ts - self.shift) != ist_date(self._now - self.shift):
            return None
        return update

    def expect_texts(self, keys: Collection[InstrumentKey]) -> None:
        """Have touchlines of these instruments written as text when their rows are read."""
        self._texts_of = self._reader.texts_of = keys

    def prefetch(self) -> bool:
        """
        Read one batch of rows ahead; tell whether there was one to read.

        May run in another thread while the replay is used, so that `take` need
        not read in the middle of pacing.
        """
        return self._reader.prefetch()

    def density(self, stretch_ns: int) -> list[int]:
        """
        Return how many updates each stretch of the window has, from its start on.

        Reads all of it; may run in another thread.
        """
        start, end = self.start - self.shift, self.end - self.shift
        counts = np.zeros(-(-(end - start) // stretch_ns), dtype=np.int64)
        for batch in self._recording.batches(start, end, keys=self.keys, figures=()):
            counts += np.bincount((batch.ts - start) // stretch_ns, minlength=len(counts))
        return [int(count) for count in counts]

    def _folded_to(self, start: int) -> DayFold:
        """Return the days folded up to the start; the day before gives the previous closes."""
        recording = self._recording
        fold = DayFold(len(recording.keys), recording.figure_columns, self._calendar)
        midnight = ist_midnight(ist_date(start))
        earlier = recording.batches(
            fold.closes_from(start), midnight, keys=self.keys, figures=("ltp",)
        )
        for batch in earlier:
            fold.note_closes(batch)
        for batch in recording.batches(midnight, start, keys=self.keys):
            fold.fold(batch)
        return fold

    def _next_block(self) -> bool:
        """Make the next updates; return False at the end."""
        if self._offset >= len(self._rows.ts):
            rows = self._reader.take()
            if rows is None:
                return False
            self._rows = rows
            self._offset = 0
        block = slice(self._offset, self._offset + BLOCK_ROWS)
        self._block = list(self._layout.updates(self._rows, block))
        self._times = self._rows.ts[block].tolist()
        self._position = 0
        self._offset += BLOCK_ROWS
        return True


class Place(NamedTuple):
    """A moment of a replay, ready to be continued from."""

    ts: int
    rows: int
    states: dict[InstrumentKey, Update]
    reader: _Reader


class _Reader:
    """
    Reads on from a checkpoint, batch after batch, and leaves checkpoints on its way.

    Its lock lets `prefetch` read in another thread.
    """

    def __init__(self, since: Checkpoint, checkpoints: Checkpoints, layout: Layout) -> None:
        self.incoming: Iterator[Batch] = iter(())
        self.rows = since.rows
        """How many rows of the window have been folded."""
        self.texts_of: Collection[InstrumentKey] = ()
        self._fold = since.fold.copy()
        self._last = since.ts - 1
        self._checkpoints = checkpoints
        self._layout = layout
        self._ready: deque[PackedRows] = deque()
        self._lock = threading.Lock()

    def fold(self, batch: Batch) -> Batch:
        """Return the rows with every figure of the day so far."""
        first = int(batch.ts[0])
        # Rows of one time may lie in two batches: no checkpoint in between.
        if first > self._last:
            self._checkpoints.offer(first, self.rows, self._fold)
        self._last = int(batch.ts[-1])
        self.rows += len(batch.ts)
        return self._fold.fold(batch)

    def latest(self, now: int) -> list[Update]:
        """Return the last update of each instrument that has had one on the day of ``now``."""
        return list(self._layout.updates(self._layout.packed(self._fold.latest(now)), slice(None)))

    def prefetch(self) -> bool:
        """Read one batch ahead; tell whether there was one to read, and room for it."""
        with self._lock:
            return len(self._ready) < READ_AHEAD and self._read()

    def take(self) -> PackedRows | None:
        """Return the next rows; None at the end."""
        with self._lock:
            return self._ready.popleft() if self._ready or self._read() else None

    def _read(self) -> bool:
        batch = next(self.incoming, None)
        if batch is None:
            return False
        self._ready.append(self._layout.packed(self.fold(batch), self.texts_of))
        return True
