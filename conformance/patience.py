"""
How long something is waited for, counted in time in which this process ran.

A laptop that slept, a container that was paused or a machine with too much to
do lets a deadline pass in which the server had no chance. Between two looks a
second counts at most, so that such a pause costs one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

__all__ = ["Patience", "at_most"]

_MOST_S: Final = 1.0
_LOOK_S: Final = 0.25


class Patience:
    """
    Some seconds to wait, used up from look to look.

    Args:
        seconds: How many.

    """

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds
        self._looked = time.monotonic()

    def ends(self) -> bool:
        """Look at the clock; return whether it was waited long enough."""
        now = time.monotonic()
        self.left_s -= min(now - self._looked, _MOST_S)
        self._looked = now
        return self.left_s <= 0


@asynccontextmanager
async def at_most(seconds: float) -> AsyncIterator[None]:
    """
    Give what is done inside some seconds.

    Raises:
        TimeoutError: If it takes longer; it is cancelled then.

    """
    async with asyncio.timeout(None) as limit:
        watching = asyncio.create_task(_watch(limit, seconds))
        try:
            yield
        finally:
            watching.cancel()


async def _watch(limit: asyncio.Timeout, seconds: float) -> None:
    patience = Patience(seconds)
    while not patience.ends():  # noqa: ASYNC110 - nothing happens but that time passes
        await asyncio.sleep(min(_LOOK_S, patience.left_s))
    limit.reschedule(asyncio.get_running_loop().time())
