"""
A replay's progress on standard error: a live line on a terminal, else a plain one now and then.

Log lines, our own and those of the streaming server, come out above the live
line.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["Progress"]

_LIVE_INTERVAL_S = 0.25
_PLAIN_INTERVAL_S = 10.0


class Progress(logging.Handler):
    """
    Shows how a replay stands until it is stopped; also a handler of log records.

    Args:
        line: Returns the progress in one line.

    """

    def __init__(self, line: Callable[[], str]) -> None:
        super().__init__()
        self._line = line
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to show it."""
        if sys.stderr.isatty():
            # Only now: importing it would delay the start of the servers.
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False, soft_wrap=True)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._task = asyncio.create_task(self._show())

    def stop(self) -> None:
        """Show no more of it; idempotent."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    def print(self, text: str) -> None:
        """Put a line above the progress."""
        if self._live is None:
            click.echo(text, err=True)
            return
        from rich.text import Text

        self._live.console.print(Text(text))

    def emit(self, record: logging.LogRecord) -> None:
        """Put a log record above the progress."""
        self.print(self.format(record))

    async def _show(self) -> None:
        while True:
            if self._live is not None:
                self._show_live(self._live)
                await asyncio.sleep(_LIVE_INTERVAL_S)
            else:
                await asyncio.sleep(_PLAIN_INTERVAL_S)
                self.print(self._line())

    def _show_live(self, live: Live) -> None:
        from rich.text import Text

        live.update(Text(self._line(), no_wrap=True, overflow="ellipsis"), refresh=True)
