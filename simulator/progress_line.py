"""
How far a command is, on standard error, once it takes longer than a second.

For commands that run to their end; a replay's progress is `simulator.progress`'.
"""

from __future__ import annotations

import sys
import time

import click

__all__ = ["ProgressLine"]

_SHOW_AFTER_S = 1.0
_PLAIN_INTERVAL_S = 5.0
_TERMINAL_INTERVAL_S = 0.1


class ProgressLine:
    """One line that is written over on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._next_at = time.monotonic() + _SHOW_AFTER_S
        self._width = 0

    def show(self, text: str) -> None:
        """Show how far it is, unless that was told just now."""
        now = time.monotonic()
        if now < self._next_at:
            return
        if self._is_terminal:
            self._write(text)
            self._next_at = now + _TERMINAL_INTERVAL_S
        else:
            click.echo(text, err=True)
            self._next_at = now + _PLAIN_INTERVAL_S

    def clear(self) -> None:
        """Take the line away, before something else is told."""
        if self._width:
            self._write("")
            click.echo("\r", nl=False, err=True)
            self._width = 0

    def _write(self, text: str) -> None:
        click.echo(f"\r{text:<{self._width}}", nl=False, err=True)
        self._width = max(self._width, len(text))
