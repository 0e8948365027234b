"""
The log of one case: every frame that went out or came in, with its time.

It is bounded: long frames are cut, and of very many the middle is left out, so
that a report stays readable and small.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final, Literal, NamedTuple

__all__ = ["Frame", "WireLog"]

MAX_FRAMES: Final = 400
MAX_TEXT: Final = 3_000

Direction = Literal["out", "in", "note"]


class Frame(NamedTuple):
    """One frame, or a note on what was done."""

    ms: float
    """Since the case began."""
    peer: str
    """Which connection; empty for a note on the whole stage."""
    direction: Direction
    text: str


class WireLog:
    """Takes down frames; the first and the last of them are kept."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.left_out = 0
        """How many frames in the middle were not kept."""
        self._first: list[Frame] = []
        self._last: deque[Frame] = deque(maxlen=MAX_FRAMES // 2)

    def elapsed_ms(self) -> float:
        """Return the time since the case began."""
        return (time.monotonic() - self.began) * 1000

    def add(self, peer: str, direction: Direction, content: str | bytes) -> None:
        """Take down a frame; bytes are those of a binary one."""
        shown = content[:MAX_TEXT]
        text = shown if isinstance(shown, str) else f"binary: {shown!r}"
        if len(content) > MAX_TEXT:
            unit = "characters" if isinstance(content, str) else "bytes"
            text += f"… ({len(content)} {unit} in all)"
        frame = Frame(round(self.elapsed_ms(), 3), peer, direction, text)
        if len(self._first) < MAX_FRAMES // 2:
            self._first.append(frame)
            return
        if len(self._last) == self._last.maxlen:
            self.left_out += 1
        self._last.append(frame)

    def note(self, text: str) -> None:
        """Take down what was done to the stage."""
        self.add("", "note", text)

    def frames(self) -> tuple[Frame, ...]:
        """Return what was kept, in order."""
        return (*self._first, *self._last)
