"""
A replay's progress on standard error: a live line on a terminal, else a plain one now and then.

Log lines, our own and those of the streaming server, come out above the live
line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

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
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to show it."""
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
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
        self._console.print(Text(text))

    def emit(self, record: logging.LogRecord) -> None:
        """Put a log record above the progress."""
        self.print(self.format(record))

    async def _show(self) -> None:
        while True:
            if self._live is not None:
                line = Text(self._line(), no_wrap=True, overflow="ellipsis")
                self._live.update(line, refresh=True)
                await asyncio.sleep(_LIVE_INTERVAL_S)
            else:
                await asyncio.sleep(_PLAIN_INTERVAL_S)
                self.print(self._line())
