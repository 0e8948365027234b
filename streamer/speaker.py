"""
How replies and notices get to clients: encoded, framed, put into outboxes.

Quotes take a way of their own, for their frames are shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamer.connection import Connection
from streamer.hours import MarketHours
from streamer.outbox import text_frame
from streamer.protocol import encode_reply

SLOW_CONSUMER: Final = 4008


class Speaker:
    """
    Speaks to connections, and remembers to which.

    Args:
        hours: Tells the market's time.

    """

    def __init__(self, hours: MarketHours) -> None:
        self.dirty: dict[Connection, None] = {}
        """The connections that have something to write or are to be closed, in order."""
        self._hours = hours

    def take_dirty(self) -> list[Connection]:
        """Return the connections in ``dirty``, and begin anew."""
        dirty = list(self.dirty)
        self.dirty.clear()
        return dirty

    def close(self, connection: Connection, code: int, reason: str) -> None:
        """Have a connection closed once what waits for it is written; the first reason stays."""
        if connection.closing is None:
            connection.closing = (code, reason)
            self.dirty[connection] = None

    def refuse(
        self,
        connection: Connection,
        code: str,
        message: str,
        request_id: str | int | None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Send an ``error`` (rule S-9)."""
        self.say(
            connection,
            "error",
            "error",
            message=message,
            code=code,
            data=data,
            request_id=request_id,
        )

    def say(
        self,
        connection: Connection,
        kind: str,
        status: str,
        *,
        message: str | None = None,
        code: str | None = None,
        data: Mapping[str, object] | None = None,
        request_id: str | int | None = None,
    ) -> None:
        """Send a reply or a notice, stamped with the market's time."""
        time = self._hours.time
        payload = encode_reply(
            kind,
            status,
            client_id=connection.client_id,
            timestamp=None if time is None else time // 1_000_000,
            message=message,
            code=code,
            data=data,
            request_id=request_id,
        )
        connection.outbox.put(text_frame(payload))
        self.dirty[connection] = None
        if connection.outbox.overflow:
            self.close(connection, SLOW_CONSUMER, "slow consumer: too many replies unread")
