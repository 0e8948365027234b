"""
The events of a replay, told to everyone who listens on the control port.

Each goes out as a server-sent event, numbered from 1. The latest `KEPT` are
kept for listeners that come back and say which they heard last. A listener
that lets as many wait for it is cut off, and may come back.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from streamer.ist import ist_rfc3339

__all__ = ["KEPT", "MAX_LISTENERS", "Announcements"]

KEPT = 100
MAX_LISTENERS = 32

_SIGN_OF_LIFE_S = 15.0


class Announcements:
    """
    What has happened, and who wants to know.

    Args:
        now: Returns the simulated time.

    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._number = 0
        self._latest: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._listeners: dict[asyncio.Queue[str | None], None] = {}
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether there is no room for one more listener."""
        return len(self._listeners) >= MAX_LISTENERS

    def tell(self, name: str, details: Mapping[str, object]) -> None:
        """Tell everyone of an event, with the simulated time and what belongs to it."""
        self._number += 1
        told = {"event": name, "time": ist_rfc3339(self._now())} | dict(details)
        text = f"id: {self._number}\nevent: {name}\ndata: {json.dumps(told)}\n\n"
        self._latest.append((self._number, text))
        for queue in list(self._listeners):
            if queue.qsize() < KEPT:
                queue.put_nowait(text)
            else:
                self._cut_off(queue)

    async def listen(self, after: int | None = None) -> AsyncIterator[str]:
        """
        Yield events as they are told, as text for the wire, until `close`.

        Args:
            after: Begin with those kept that are newer than this number; None
                begins with the next.

        """
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        if after is not None:
            for number, text in self._latest:
                if number > after:
                    queue.put_nowait(text)
        if self._closed:
            queue.put_nowait(None)
        self._listeners[queue] = None
        try:
            # Something at once, so that the other end knows that it is heard.
            yield ": listening\n\n"
            while True:
                try:
                    async with asyncio.timeout(_SIGN_OF_LIFE_S):
                        told = await queue.get()
                except TimeoutError:
                    told = ": still there\n\n"
                if told is None:
                    return
                yield told
        finally:
            self._listeners.pop(queue, None)

    def close(self) -> None:
        """Let every listener have what was told, and end; idempotent."""
        self._closed = True
        for queue in list(self._listeners):
            queue.put_nowait(None)

    def _cut_off(self, queue: asyncio.Queue[str | None]) -> None:
        del self._listeners[queue]
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
