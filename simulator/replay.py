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
from collections.abc import Collection, Iterator, Set
from typing import NamedTuple

import numpy as np

from simulator.checkpoints import ROWS_APART, Checkpoint, Checkpoints
from simulator.columns import Batch
from simulator.fold import DayFold
from simulator.recording import Recording
from simulator.stretch import Latest, Stretch
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
        self._texts_of: Set[InstrumentKey] = frozenset()
        self._position = 0
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
        latest = reader.latest(at)
        rows = reader.rows
        reader.incoming = self._recording.batches(at, self.end - self.shift, keys=self.keys)
        reader.prefetch()
        return Place(to, rows, latest, reader)

    def go(self, place: Place) -> None:
        """Continue from a place, which is used up by that."""
        self._reader = place.reader
        self._reader.texts_of = self._texts_of
        self._latest = place.latest
        self._rows = PackedRows.nothing()
        self._has_tried_texts = False
        self._noted = 0
        self._start_block(0)
        self._now = place.ts
        self.rows_taken = place.rows

    def turn_to(self, other: Replay) -> None:
        """Take over the window of another replay; `go` to a place of that one next."""
        self.start, self.end = other.start, other.end
        self.shift, self.keys = other.shift, other.keys
        self.rows_total = other.rows_total
        self._recording, self._layout = other._recording, other._layout
        self._checkpoints = other._checkpoints

    def next_due(self) -> int | None:
        """Return the time of the next update; None at the end."""
        if self._position == len(self._times) and not self._next_block():
            return None
        return self._times[self._position]

    def take(self, until: int, limit: int = 4096) -> list[Update]:
        """
        Return the updates with ``ts <= until``, at most ``limit``; they become the state.

        An empty list means that nothing is due by ``until``, or the end.
        """
        taken: list[Update] = []
        while len(taken) < limit:
            times = self._times
            if self._position == len(times) and not self._next_block():
                break
            times = self._times
            left = self._position
            right = min(left + limit - len(taken), len(times))
            right = bisect_right(times, until, left, right)
            taken += self._updates[left:right]
            self._position = right
            if right < len(times):
                break
        if taken:
            self.rows_taken += len(taken)
            self._now = taken[-1].ts
        return taken

    def take_rows(self, until: int, limit: int) -> Stretch | None:
        """
        Return updates as `take` does, without making one of each row; None if nothing is due.

        They may be fewer than are due: those of one batch of the recording.
        """
        due = self.next_due()
        if due is None or due > until:
            return None
        rows = self._rows_with_texts()
        first = self._block_at + self._position
        last = min(first + limit, len(rows.ts))
        last = first + int(rows.ts[first:last].searchsorted(until, "right"))
        self._start_block(last)
        self.rows_taken += last - first
        self._now = rows.ts.item(last - 1)
        return Stretch(self._layout, rows, first, last)

    def _rows_with_texts(self) -> PackedRows:
        """Return the present rows; those that were read before somebody wanted texts get them."""
        rows = self._rows
        if (
            self._texts_of
            and not self._has_tried_texts
            and (rows.texts is None or rows.texts.of is not self._texts_of)
        ):
            # Once, so that a client that subscribes on and on does not slow everything down.
            self._has_tried_texts = True
            self._rows = rows = self._layout.with_texts(rows, self._texts_of)
        return rows

    def upcoming_rows(self, before: int, limit: int) -> Stretch:
        """Return the next rows before a time, those of one batch, without taking them."""
        rows = self._rows
        first = last = self._block_at + self._position
        if self.next_due() is not None:
            rows, first = self._rows, self._block_at + self._position
            last = min(first + limit, len(rows.ts))
            last = first + int(rows.ts[first:last].searchsorted(before))
        return Stretch(self._layout, rows, first, last)

    def pass_over(self, count: int) -> None:
        """Take so many of the rows that `upcoming_rows` has returned."""
        at = self._block_at + self._position + count
        if at <= self._block_at + len(self._times):
            self._position += count
        else:
            self._start_block(at)
        self.rows_taken += count
        self._now = self._rows.ts.item(at - 1)

    def state(self, key: InstrumentKey) -> Update | None:
        """Return an instrument's last update on the present day; None before its first row."""
        self._note()
        update = self._latest.update(key)
        if update is None or ist_date(update.ts - self.shift) != ist_date(self._now - self.shift):
            return None
        return update

    def expect_texts(self, keys: Set[InstrumentKey]) -> None:
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
        """Turn to the next rows; return False at the end."""
        following = self._block_at + self._position
        if following == len(self._rows.ts):
            rows = self._reader.take()
            if rows is None:
                return False
            self._note()
            self._rows = rows
            self._has_tried_texts = False
            self._noted = following = 0
        self._start_block(following)
        return True

    def _start_block(self, at: int) -> None:
        self._block_at = at
        self._position = 0
        self._times: list[int] = self._rows.ts[at : at + BLOCK_ROWS].tolist()
        self._made: list[Update] | None = None

    @property
    def _updates(self) -> list[Update]:
        """The updates of the present block."""
        if self._made is None:
            block = slice(self._block_at, self._block_at + BLOCK_ROWS)
            self._made = list(self._layout.updates(self._rows, block))
        return self._made

    def _note(self) -> None:
        """Let what was taken become the state."""
        reached = self._block_at + self._position
        self._latest.note(self._rows, self._noted, reached)
        self._noted = reached


class Place(NamedTuple):
    """A moment of a replay, ready to be continued from."""

    ts: int
    rows: int
    latest: Latest
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
        self.texts_of: Set[InstrumentKey] = frozenset()
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

    def latest(self, now: int) -> Latest:
        """Return the last row of each instrument that has had one on the day of ``now``."""
        return Latest(self._layout, self._layout.packed(self._fold.latest(now)))

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
