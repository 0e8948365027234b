"""A line on a terminal that says what one waits for, and goes when the waiting is over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

__all__ = ["WaitingLine"]

_INTERVAL_S = 0.2
_ERASE = "\r\x1b[K"


class WaitingLine:
    """
    Shows one line, on a terminal alone; elsewhere nothing is written.

    Args:
        stream: Standard error when None.
        clock: Monotonic seconds; the line changes a few times in a second at the most.

    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._is_terminal = self._stream.isatty()
        self._shown_at: float | None = None

    def show(self, text: str) -> None:
        """Put ``text`` in the place of the line, unless that has only just changed."""
        now = self._clock()
        if not self._is_terminal:
            return
        if self._shown_at is None or now - self._shown_at >= _INTERVAL_S:
            self._shown_at = now
            self._stream.write(f"{_ERASE}{text}")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown_at is not None:
            self._stream.write(_ERASE)
            self._stream.flush()
