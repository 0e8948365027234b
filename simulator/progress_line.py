"""
How far a command is, on standard error, once it takes longer than a second.

For commands that run to their end; a replay's progress is `simulator.progress`'.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

import click

__all__ = ["ProgressLine"]

_SHOW_AFTER_S = 1.0
_PLAIN_INTERVAL_S = 5.0
_TERMINAL_INTERVAL_S = 0.1


class ProgressLine:
    """
    One line that is written over on a terminal, else a line now and then.

    Used with ``with`` it also shows by itself, after that second, what it was
    told before: some steps are long and tell nothing.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._next_at = time.monotonic() + _SHOW_AFTER_S
        self._width = 0
        self._latest = ""
        self._shown = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def show(self, text: str) -> None:
        """Show how far it is, unless that was told just now."""
        with self._lock:
            self._latest = text
            if time.monotonic() >= self._next_at:
                self._write(text)

    def clear(self) -> None:
        """Take the line away, before something else is told."""
        with self._lock:
            self._latest = self._shown = ""
            if self._width:
                click.echo(f"\r{'':<{self._width}}\r", nl=False, err=True)
                self._width = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._show_latest, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        self._over.set()
        self._thread.join()
        self.clear()

    def _show_latest(self) -> None:
        while not self._over.wait(max(self._next_at - time.monotonic(), _TERMINAL_INTERVAL_S)):
            with self._lock:
                is_new = self._latest and self._latest != self._shown
                if is_new and time.monotonic() >= self._next_at:
                    self._write(self._latest)

    def _write(self, text: str) -> None:
        self._shown = text
        if self._is_terminal:
            click.echo(f"\r{text:<{self._width}}", nl=False, err=True)
            self._width = max(self._width, len(text))
            self._next_at = time.monotonic() + _TERMINAL_INTERVAL_S
        else:
            click.echo(text, err=True)
            self._next_at = time.monotonic() + _PLAIN_INTERVAL_S
