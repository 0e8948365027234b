"""
What a congested feed connection has yet to be told: the newest of each instrument.

Bounded by the connection's subscriptions: an update takes the place of the one
before it for the same instrument, a heartbeat that of the heartbeat before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.spoiling import SentUpdate
from streamer.odin.tags import InstrumentKey

__all__ = ["Backlog"]


class Backlog:
    """Unsent updates and the unsent heartbeat of one connection, in the stream's order."""

    def __init__(self) -> None:
        self.replaced = 0
        """How many updates were never sent because a newer one took their place."""
        self._newest: dict[InstrumentKey, SentUpdate] = {}
        self._second: int | None = None

    def __len__(self) -> int:
        return len(self._newest) + (self._second is not None)

    def heartbeat(self, second: int) -> None:
        """Remember the time to tell, in place of the one before."""
        self._second = second

    def put(self, update: SentUpdate) -> SentUpdate | None:
        """Remember an update; return the one of the same instrument whose place it takes."""
        replaced = self._newest.pop(update.key, None)
        if replaced is not None:
            self.replaced += 1
        self._newest[update.key] = update
        return replaced

    def clear(self) -> None:
        """Forget everything: time has jumped, and what was due before is void."""
        self.replaced += len(self._newest)
        self._newest.clear()
        self._second = None

    def take(self) -> Iterator[SentUpdate | int]:
        """Empty the backlog: updates, and the heartbeat's second before the updates of it."""
        newest, second = self._newest, self._second
        self._newest, self._second = {}, None
        for update in newest.values():
            if second is not None and update.ts >= second:
                yield second
                second = None
            yield update
        if second is not None:
            yield second
