"""
What is kept of a client between its connections, as a value.

The hub makes these records, the store keeps them; neither knows the other.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from streamer.odin.tags import InstrumentKey

Delivery = Literal["latest", "all"]


class ClientRecord(msgspec.Struct, frozen=True):
    """
    The durable part of one client.

    ``instruments`` holds (market segment, token) pairs, oldest subscription
    first. ``last_seen`` is UNIX time in nanoseconds, by the wall clock: a
    client expires in real time, whatever the market's clock says.
    """

    client_id: str
    instruments: tuple[InstrumentKey, ...]
    last_seen: int
    delivery: Delivery = "latest"
    principal: str | None = None
    made_up: bool = False


class ClientChanges(msgspec.Struct, frozen=True):
    """What must be on disk before the replies that are waiting may leave."""

    saved: tuple[ClientRecord, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.saved or self.removed)
