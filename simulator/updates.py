"""
One row of a recording as an update of the feed, in every form of the wire.

An update lives as packed integers until someone wants it: most are never
looked at, and a hundred thousand tuples of integers cost time and memory. A
:class:`Layout` packs the folded rows of a recording and makes updates of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from itertools import pairwise, repeat
from struct import Struct
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from simulator.columns import DEPTH_LEVELS, Batch, Int32Array, Int64Array
from simulator.depth import made_up_levels, made_up_orders
from simulator.fold import DEPTH_COLUMNS
from simulator.recording import Recording
from streamer import native
from streamer.instruments import tick_size
from streamer.ist import NS_PER_SECOND, ist_date, ist_datetime
from streamer.odin.framing import Run
from streamer.odin.messages import (
    BestFive,
    Level,
    LtpTouchline,
    Touchline,
    encode_best_five,
    encode_ltp,
    encode_native,
    encode_plain_touchline,
)
from streamer.odin.tags import InstrumentKey

__all__ = ["Layout", "PackedRows", "RowTexts", "Update"]

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
NO_TEXTS = Run(memoryview(b""), (0,))
_LOCATOR_AT = _TOUCHLINE.index(_LOCATOR)
_PER_SIDE = 1 + 3 * (DEPTH_LEVELS - 1)
_DEPTH = tuple(
    name
    for side in ("bid", "ask")
    for name in (
        f"{side}_orders",
        *(f"{side}_{figure}_{n}" for n in range(2, 6) for figure in ("qty", "price", "orders")),
    )
)
_writing = native.part("simulator._writing", form=1)
_LEVEL_PRICES = frozenset(f"{side}_price_{n}" for side in ("bid", "ask") for n in range(2, 6))


class Layout:
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
        figures = Struct(f"={len(self.names)}q")
        self.unpack, self._unpack_from = figures.unpack, figures.unpack_from
        self._row_bytes = figures.size
        self._key_numbers = np.array(self.keys, dtype=np.int64).reshape(-1, 2)

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

    def packed(self, folded: Batch, texts_of: Set[InstrumentKey] = frozenset()) -> PackedRows:
        """
        Return the rows as they wait to become updates, with the times that are told.

        Args:
            folded: The rows.
            texts_of: Instruments whose touchlines are written as text already.

        """
        if self.shift:
            figures = folded.figures | {"ltt": folded.figures["ltt"] + self.shift}
            folded = Batch(folded.ts + self.shift, folded.instrument, figures)
        packed = PackedRows(folded.ts, folded.instrument, folded.figures["ltp"], self.pack(folded))
        return self.with_texts(packed, texts_of) if texts_of else packed

    def with_texts(self, rows: PackedRows, texts_of: Set[InstrumentKey]) -> PackedRows:
        """Return rows with the touchlines of these instruments written as text."""
        wanted = np.array([key in texts_of for key in self.keys], dtype=np.bool_)
        has_text = wanted[rows.instrument]
        figures = rows.figures.view(np.int64).reshape(len(rows.ts), len(self.names))
        ts, instrument = rows.ts, rows.instrument
        if not has_text.all():
            figures, ts, instrument = figures[has_text], ts[has_text], instrument[has_text]
        before = np.concatenate(([0], np.cumsum(has_text, dtype=np.int64)))
        run = self.run(ts, instrument, figures) if len(ts) else NO_TEXTS
        return rows._replace(texts=RowTexts(texts_of, run, before))

    def run(self, ts: Int64Array, instrument: Int32Array, figures: Int64Array) -> Run:
        """
        Return the touchline of each of some rows as text (209), side by side.

        Args:
            ts: Their times.
            instrument: Their instruments, by their numbers.
            figures: What is packed of them, a row each.

        """
        if _writing is not None:
            framed, marks = _writing.run(self._key_numbers, figures, len(self.names), instrument)
            return Run(memoryview(framed), memoryview(marks).cast("q"))
        # Not at the top: polars takes long to import, and only fast replays need it.
        from simulator.texts import touchline_texts

        columns = {
            name: np.ascontiguousarray(figures[:, column]) for column, name in enumerate(self.names)
        }
        return touchline_texts(self.keys, ts, instrument, columns)

    def text(self, key: InstrumentKey, packed: bytes | memoryview, row: int) -> bytes:
        """Return the touchline of one of some packed rows as text (209)."""
        if _writing is not None:
            text: bytes = _writing.text(*key, packed, row * self._row_bytes)
            return text
        figures = self._unpack_from(packed, row * self._row_bytes)
        return encode_plain_touchline(
            *key, *figures[:_LOCATOR_AT], *figures[_LOCATOR_AT + 1 : len(_TOUCHLINE)]
        )

    def updates(self, packed: PackedRows, rows: slice) -> Iterator[Update]:
        """Make updates of some of the rows."""
        return map(
            Update,
            packed.ts[rows].tolist(),
            map(self.keys.__getitem__, packed.instrument[rows].tolist()),
            packed.ltp[rows].tolist(),
            repeat(self),
            packed.figures[rows].tolist(),
            repeat(None) if packed.texts is None else packed.texts.each(rows),
        )


class Update(msgspec.Struct, gc=False, eq=False):
    """
    One row of a recording, folded into its instrument's day; encoded when first asked for.

    ``ts`` is the row's time in UNIX nanoseconds, ``key`` names the instrument,
    ``ltp`` is the last traded price in paise. It never changes.
    """

    ts: int
    key: InstrumentKey
    ltp: int
    layout: Layout
    packed: bytes
    # What follows is made when it is first asked for.
    made_text: bytes | None = None
    made_touchline: Touchline | None = None
    made_native: bytes | None = None
    made_ltp_text: bytes | None = None
    made_best_five: bytes | None = None

    def __repr__(self) -> str:
        return f"<Update {ist_datetime(self.ts)} {self.key} ltp={self.ltp}>"

    @property
    def sent(self) -> int:
        """The time in the header of its messages: ``ts`` in whole seconds."""
        return self.ts - self.ts % NS_PER_SECOND

    @property
    def touchline(self) -> Touchline:
        """The instrument's day so far, as the feed tells it."""
        if self.made_touchline is None:
            figures = self.layout.unpack(self.packed)
            self.made_touchline = Touchline(*self.key, *figures[: len(_TOUCHLINE)])
        return self.made_touchline

    @property
    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Five buy and five sell levels: the recording's, made up where it has none."""
        t = self.touchline
        told = self.layout.unpack(self.packed)[len(_TOUCHLINE) :]
        if self.layout.has_levels:
            return (
                _told_levels(t, t.bid_qty, t.bid, told[:_PER_SIDE]),
                _told_levels(t, t.ask_qty, t.ask, told[_PER_SIDE:]),
            )
        instrument = self.layout.instruments[self.key]
        recorded_on = ist_date(self.ts - self.layout.shift)
        tick = tick_size(instrument, recorded_on, t.close or t.ltp)
        buys, sells = made_up_levels(t, tick)
        if told:
            buys = (_with_orders(buys[0], told[0]), *buys[1:])
            sells = (_with_orders(sells[0], told[_PER_SIDE]), *sells[1:])
        return buys, sells

    @property
    def text(self) -> bytes:
        """The touchline as text (209)."""
        if self.made_text is None:
            self.made_text = self.layout.text(self.key, self.packed, 0)
        return self.made_text

    @property
    def native(self) -> bytes:
        """The touchline in native form (209 with a 64-byte block)."""
        if self.made_native is None:
            self.made_native = encode_native(self.touchline, self.sent)
        return self.made_native

    @property
    def ltp_text(self) -> bytes:
        """The LTP touchline (348)."""
        if self.made_ltp_text is None:
            t = self.touchline
            short = LtpTouchline(t.segment, t.token, t.lut, t.ltp, t.close, t.locator, t.sent)
            self.made_ltp_text = encode_ltp(short, self.sent)
        return self.made_ltp_text

    @property
    def best_five(self) -> bytes:
        """The touchline with five levels a side (128)."""
        if self.made_best_five is None:
            message = BestFive(self.touchline, *self.levels, self.sent)
            self.made_best_five = encode_best_five(message, self.sent)
        return self.made_best_five


class RowTexts(NamedTuple):
    """Touchlines of rows that are written as text already."""

    of: Set[InstrumentKey]
    """The instruments whose rows have one."""
    run: Run
    before: Int64Array
    """For each row, and for the end, how many texts stand before it."""

    def between(self, first: int, last: int) -> Run:
        """Return the texts of the rows from ``first`` on, before ``last``."""
        framed, marks = self.run
        return Run(framed, marks[self.before.item(first) : self.before.item(last) + 1])

    def each(self, rows: slice) -> Iterable[bytes | None]:
        """Return for each row its text, None where there is none."""
        first, last, _ = rows.indices(len(self.before) - 1)
        texts = iter(self.between(first, last).texts())
        before = self.before[first : last + 1].tolist()
        return [next(texts) if after > at else None for at, after in pairwise(before)]


class PackedRows(NamedTuple):
    """Folded rows that wait to become updates."""

    ts: Int64Array
    instrument: Int32Array
    ltp: Int64Array
    figures: npt.NDArray[np.void]
    texts: RowTexts | None = None

    @classmethod
    def nothing(cls) -> PackedRows:
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
