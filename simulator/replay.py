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
from itertools import repeat
from struct import Struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.checkpoints import ROWS_APART, Checkpoint, Checkpoints
from simulator.columns import DEPTH_LEVELS, Batch, Int32Array, Int64Array
from simulator.depth import made_up_levels, made_up_orders
from simulator.fold import DEPTH_COLUMNS, DayFold
from simulator.recording import Recording
from streamer.calendar import TradingCalendar
from streamer.errors import RecordingError
from streamer.instruments import tick_size
from streamer.ist import NS_PER_SECOND, ist_date, ist_datetime, ist_midnight
from streamer.odin.messages import (
    BestFive,
    Level,
    LtpTouchline,
    Touchline,
    encode_best_five,
    encode_ltp,
    encode_native,
    encode_touchline,
)
from streamer.odin.tags import InstrumentKey

BLOCK_ROWS = 64
"""Updates are made this many at a time, so that no call takes long."""

READ_AHEAD = 2
"""Batches of the recording that `Replay.prefetch` holds ready at the most."""

# The figures of a touchline in its own order, from the ltp on.
_LOCATOR = "locator"
_SENT = "sent"
_TOUCHLINE = (
    "ltp",
    "ltq",
    "volume",
    "atp",
    "bid_qty",
    "bid_price",
    "ask_qty",
    "ask_price",
    "total_buy_qty",
    "total_sell_qty",
    "open",
    "high",
    "low",
    "prev_close",
    "ltt",
    "ts",
    _LOCATOR,
    "week_52_high",
    "week_52_low",
    "open_interest",
    _SENT,
)
_PER_SIDE = 1 + 3 * (DEPTH_LEVELS - 1)
_DEPTH = tuple(
    name
    for side in ("bid", "ask")
    for name in (
        f"{side}_orders",
        *(f"{side}_{figure}_{n}" for n in range(2, 6) for figure in ("qty", "price", "orders")),
    )
)
_LEVEL_PRICES = frozenset(f"{side}_price_{n}" for side in ("bid", "ask") for n in range(2, 6))


class _Layout:
    """
    How the figures of a recording's updates are packed, and what they are about.

    An update lives as packed integers until someone wants it: most are never
    looked at, and a hundred thousand tuples of integers cost time and memory.
    """

    def __init__(self, recording: Recording, shift: int) -> None:
        own = set(recording.figure_columns)
        self.instruments = recording.instruments
        self.keys = recording.keys
        self.shift = shift
        self.has_depth = bool(own & set(DEPTH_COLUMNS))
        self.has_levels = bool(own & _LEVEL_PRICES)
        self.names = (*_TOUCHLINE, *_DEPTH) if self.has_depth else _TOUCHLINE
        self.unpack = Struct(f"={len(self.names)}q").unpack

    def pack(self, folded: Batch) -> npt.NDArray[np.void]:
        """Return the rows, each as the bytes of its figures."""
        packed = np.empty((len(folded.ts), len(self.names)), dtype=np.int64)
        for column, name in enumerate(self.names):
            if name == "ts":
                packed[:, column] = folded.ts
            elif name == _SENT:
                packed[:, column] = folded.ts - folded.ts % NS_PER_SECOND
            elif name == _LOCATOR:
                packed[:, column] = 100
            else:
                packed[:, column] = folded.figures[name]
        return packed.view(f"V{8 * len(self.names)}").ravel()

    def packed(self, folded: Batch) -> _Packed:
        """Return the rows as they wait to become updates, with the times that are told."""
        if self.shift:
            figures = folded.figures | {"ltt": folded.figures["ltt"] + self.shift}
            folded = Batch(folded.ts + self.shift, folded.instrument, figures)
        return _Packed(folded.ts, folded.instrument, folded.figures["ltp"], self.pack(folded))

    def updates(self, packed: _Packed, rows: slice) -> Iterator[Update]:
        """Make updates of some of the rows."""
        return map(
            Update,
            packed.ts[rows].tolist(),
            map(self.keys.__getitem__, packed.instrument[rows].tolist()),
            packed.ltp[rows].tolist(),
            repeat(self),
            packed.figures[rows].tolist(),
        )


class Update:
    """
    One row of a recording, folded into its instrument's day; encoded when first asked for.

    ``ts`` is the row's time in UNIX nanoseconds, ``key`` names the instrument,
    ``ltp`` is the last traded price in paise. It never changes.
    """

    # What is made lazily has no value before: reading it raises AttributeError.
    __slots__ = (
        "_best_five",
        "_layout",
        "_ltp_text",
        "_native",
        "_packed",
        "_text",
        "_touchline",
        "key",
        "ltp",
        "ts",
    )

    def __init__(
        self, ts: int, key: InstrumentKey, ltp: int, layout: _Layout, packed: bytes
    ) -> None:
        self.ts = ts
        self.key = key
        self.ltp = ltp
        self._layout = layout
        self._packed = packed

    def __repr__(self) -> str:
        return f"<Update {ist_datetime(self.ts)} {self.key} ltp={self.ltp}>"

    @property
    def sent(self) -> int:
        """The time in the header of its messages: ``ts`` in whole seconds."""
        return self.ts - self.ts % NS_PER_SECOND

    @property
    def touchline(self) -> Touchline:
        """The instrument's day so far, as the feed tells it."""
        try:
            return self._touchline
        except AttributeError:
            figures = self._layout.unpack(self._packed)
            self._touchline: Touchline = Touchline(*self.key, *figures[: len(_TOUCHLINE)])
            return self._touchline

    @property
    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Five buy and five sell levels: the recording's, made up where it has none."""
        t = self.touchline
        told = self._layout.unpack(self._packed)[len(_TOUCHLINE) :]
        if self._layout.has_levels:
            return (
                _told_levels(t, t.bid_qty, t.bid, told[:_PER_SIDE]),
                _told_levels(t, t.ask_qty, t.ask, told[_PER_SIDE:]),
            )
        instrument = self._layout.instruments[self.key]
        recorded_on = ist_date(self.ts - self._layout.shift)
        tick = tick_size(instrument, recorded_on, t.close or t.ltp)
        buys, sells = made_up_levels(t, tick)
        if told:
            buys = (_with_orders(buys[0], told[0]), *buys[1:])
            sells = (_with_orders(sells[0], told[_PER_SIDE]), *sells[1:])
        return buys, sells

    @property
    def text(self) -> bytes:
        """The touchline as text (209)."""
        try:
            return self._text
        except AttributeError:
            self._text: bytes = encode_touchline(self.touchline, self.sent)
            return self._text

    @property
    def native(self) -> bytes:
        """The touchline in native form (209 with a 64-byte block)."""
        try:
            return self._native
        except AttributeError:
            self._native: bytes = encode_native(self.touchline, self.sent)
            return self._native

    @property
    def ltp_text(self) -> bytes:
        """The LTP touchline (348)."""
        try:
            return self._ltp_text
        except AttributeError:
            t = self.touchline
            short = LtpTouchline(t.segment, t.token, t.lut, t.ltp, t.close, t.locator, t.sent)
            self._ltp_text: bytes = encode_ltp(short, self.sent)
            return self._ltp_text

    @property
    def best_five(self) -> bytes:
        """The touchline with five levels a side (128)."""
        try:
            return self._best_five
        except AttributeError:
            message = BestFive(self.touchline, *self.levels, self.sent)
            self._best_five: bytes = encode_best_five(message, self.sent)
            return self._best_five


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
        self._layout = _Layout(recording, shift)
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
        self._rows = _Packed.nothing()
        self._offset = 0
        self._block: list[Update] = []
        self._times: list[int] = []
        self._position = 0
        self._now = place.ts
        self.rows_taken = place.rows
        self._state = place.states

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

    def __init__(self, since: Checkpoint, checkpoints: Checkpoints, layout: _Layout) -> None:
        self.incoming: Iterator[Batch] = iter(())
        self.rows = since.rows
        """How many rows of the window have been folded."""
        self._fold = since.fold.copy()
        self._last = since.ts - 1
        self._checkpoints = checkpoints
        self._layout = layout
        self._ready: deque[_Packed] = deque()
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

    def take(self) -> _Packed | None:
        """Return the next rows; None at the end."""
        with self._lock:
            return self._ready.popleft() if self._ready or self._read() else None

    def _read(self) -> bool:
        batch = next(self.incoming, None)
        if batch is None:
            return False
        self._ready.append(self._layout.packed(self.fold(batch)))
        return True


class _Packed(NamedTuple):
    """Folded rows that wait to become updates."""

    ts: Int64Array
    instrument: Int32Array
    ltp: Int64Array
    figures: npt.NDArray[np.void]

    @classmethod
    def nothing(cls) -> _Packed:
        """Return no rows."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none.astype(np.int32), none, none.view("V8"))


def _told_levels(
    t: Touchline, quantity: int, price: int, depth: tuple[int, ...]
) -> tuple[Level, ...]:
    """Return a side from ``depth``: level 1's orders, then quantity, price, orders of 2 to 5."""
    told = [(quantity, price, depth[0]), *zip(*(iter(depth[1:]),) * 3, strict=True)]
    return tuple(
        Level(qty, at, orders or made_up_orders(t, qty, at)) if at else Level()
        for qty, at, orders in told
    )


def _with_orders(level: Level, orders: int) -> Level:
    return Level(level.quantity, level.price, orders) if orders and level.price else level
