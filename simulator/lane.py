"""
Rows that are due one by one, made ready for the one client of a feed before they are due.

A short way past the programme and the feed server for the usual case of a
replay in real time: one client, which takes touchlines as text. What goes out
is what goes out the long way; as soon as anything changes, that is gone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Sequence
from typing import Protocol

from simulator.stretch import Stretch
from streamer.odin.tags import InstrumentKey

__all__ = ["TOGETHER_NS", "Channel", "Lane"]

TOGETHER_NS = 100_000
"""Rows that are due within this time go out together when the last of them is due."""

# No more go into one frame, so that it need not be cut.
_MAX_TOGETHER = 48


class Channel(Protocol):
    """The way to the only client that wants anything."""

    @property
    def is_open(self) -> bool:
        """Whether nothing has changed about who wants what, and how it gets that."""

    @property
    def wanted(self) -> Container[InstrumentKey]:
        """The instruments that the client wants."""

    def framed(self, texts: Sequence[bytes]) -> bytes:
        """Return texts as they are written; nothing if there is none."""

    def write(self, rows: int, texts: int, framed: bytes) -> None:
        """Send at once so many rows, of which so many are wanted."""


class Lane:
    """
    Some rows that follow one another.

    Args:
        channel: Where they go.
        rows: The rows; the last stays behind, for the long way.
        dues: When each is due, monotonic nanoseconds.

    """

    def __init__(self, channel: Channel, rows: Stretch, dues: Sequence[int]) -> None:
        self._channel = channel
        self._rows = rows
        self._dues = dues
        self._last = len(dues) - 1
        self._sent = 0
        self._prepare(0)

    @property
    def is_over(self) -> bool:
        """Whether all has been sent but the last row."""
        return self._sent == self._last

    def holds(self, now: int) -> bool:
        """Tell whether what is due now may go this way, and something is left then."""
        return now < self._dues[self._last] and self._channel.is_open

    def send(self, now: int) -> Sequence[int]:
        """Send what was made ready, if that is due; return when each row was due."""
        if now < self.wake_at:
            return ()
        self._channel.write(self._to - self._sent, self._texts, self._framed)
        return self._dues[self._sent : self._to]

    def go_on(self, now: int) -> None:
        """Make ready what comes after what was sent, with all of it that is due now."""
        self._sent = self._to
        if not self.is_over:
            self._prepare(now)

    def _prepare(self, now: int) -> None:
        dues, first = self._dues, self._sent
        most = min(first + _MAX_TOGETHER, self._last)
        self._to = bisect_right(dues, max(dues[first] + TOGETHER_NS, now), first, most)
        self.wake_at = dues[self._to - 1]
        """When to send next: the next row is due, and those that follow it closely."""
        texts = self._rows.texts(self._channel.wanted, first, self._to)
        self._texts = len(texts)
        self._framed = self._channel.framed(texts)
