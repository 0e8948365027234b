"""
Rows of a recording on their way to the feed, without a Python object for each.

A :class:`Stretch` says what a list of its updates says, and is one where
somebody looks into it. :class:`Latest` is the last row of each instrument.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import overload

import numpy as np

from simulator.updates import Layout, PackedRows, Update
from streamer.odin.tags import InstrumentKey

__all__ = ["Latest", "Stretch"]


class Stretch(Sequence[Update]):
    """
    Rows that follow one another, as updates that are made when one is asked for.

    Args:
        layout: Makes updates of the rows.
        rows: Among which they lie.
        first: The first of them.
        last: The one behind the last of them.

    """

    def __init__(self, layout: Layout, rows: PackedRows, first: int, last: int) -> None:
        self.rows = rows
        self.first = first
        self.last = last
        self._layout = layout
        self._made: list[Update] | None = None
        self._packed: memoryview | None = None

    def __len__(self) -> int:
        return self.last - self.first

    @overload
    def __getitem__(self, at: int) -> Update: ...
    @overload
    def __getitem__(self, at: slice) -> list[Update]: ...
    def __getitem__(self, at: int | slice) -> Update | list[Update]:
        return self.updates[at]

    @property
    def updates(self) -> list[Update]:
        """Its rows, one by one."""
        if self._made is None:
            self._made = list(self._layout.updates(self.rows, slice(self.first, self.last)))
        return self._made

    def texts(self, wanted: Container[InstrumentKey], first: int, last: int) -> list[bytes]:
        """
        Return the touchlines of some of its rows as text, in order.

        Args:
            wanted: The instruments whose texts are.
            first: Counted from the first row of the stretch.
            last: The one behind the last of them.

        """
        layout, rows = self._layout, range(self.first + first, self.first + last)
        keys = map(layout.keys.__getitem__, self.rows.instrument[rows.start : rows.stop].tolist())
        if self._packed is None:
            self._packed = memoryview(self.rows.figures.view(np.uint8))  # type: ignore[arg-type]
        packed = self._packed
        return [
            layout.text(key, packed, row)
            for row, key in zip(rows, keys, strict=True)
            if key in wanted
        ]

    @property
    def first_ts(self) -> int:
        """The time of its first row."""
        ts: int = self.rows.ts.item(self.first)
        return ts

    @property
    def last_ts(self) -> int:
        """The time of its last row."""
        ts: int = self.rows.ts.item(self.last - 1)
        return ts

    @property
    def times(self) -> list[int]:
        """The time of each row."""
        times: list[int] = self.rows.ts[self.first : self.last].tolist()
        return times


class Latest:
    """
    The last row of each instrument.

    Args:
        layout: Makes updates of rows.
        rows: The first to be noted.

    """

    def __init__(self, layout: Layout, rows: PackedRows) -> None:
        count = len(layout.keys)
        self._layout = layout
        self._numbers = {key: number for number, key in enumerate(layout.keys)}
        self._ts = np.zeros(count, dtype=np.int64)
        self._ltp = np.zeros(count, dtype=np.int64)
        self._figures = np.zeros(count, dtype=rows.figures.dtype)
        self._known = np.zeros(count, dtype=np.bool_)
        self.note(rows, 0, len(rows.ts))

    def note(self, rows: PackedRows, first: int, last: int) -> None:
        """Let rows in order of time take the place of those before of their instruments."""
        if first < last:
            taken = slice(first, last)
            # Where an instrument occurs twice the later row stays.
            which = rows.instrument[taken]
            self._ts[which] = rows.ts[taken]
            self._ltp[which] = rows.ltp[taken]
            self._figures[which] = rows.figures[taken]
            self._known[which] = True

    def update(self, key: InstrumentKey) -> Update | None:
        """Return an instrument's last row as an update; None before its first."""
        number = self._numbers.get(key)
        if number is None or not self._known[number]:
            return None
        return Update(
            self._ts.item(number),
            key,
            self._ltp.item(number),
            self._layout,
            self._figures[number].tobytes(),
        )
