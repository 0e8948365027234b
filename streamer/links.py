"""
One client's socket, and whether the client keeps up with what is written to it.

:class:`StreamSocket` is the library's connection, :class:`Link` joins it to
the hub's half, and :class:`StallWatch` finds the clients that read nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakSet

from streamer.access import TokenDigest
from streamer.connection import Connection
from streamer.frames import Wire, WiredConnection
from streamer.handshake import Opening

LOOKS_PER_STALL = 10


class StreamSocket(WiredConnection):
    """A WebSocket of the library that tells when it takes no more, and when it does again."""

    # Beside the library's attributes: with more than 30 in all they would take a dictionary of
    # its own for each socket.
    __slots__ = ("digest", "on_pause", "opening", "principal")

    everyone: ClassVar[WeakSet[StreamSocket]] = WeakSet()
    """All sockets of this process that were accepted, upgraded or not."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.opening = Opening()
        self.principal: str | None = None
        self.digest: TokenDigest | None = None
        self.on_pause: Callable[[bool], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note that the socket was accepted."""
        super().connection_made(transport)
        self.everyone.add(self)

    def pause_writing(self) -> None:
        """Note that more waits than the high-water mark allows."""
        super().pause_writing()
        if self.on_pause is not None:
            self.on_pause(True)

    def resume_writing(self) -> None:
        """Note that the client has read enough of what waited."""
        super().resume_writing()
        if self.on_pause is not None:
            self.on_pause(False)


class Link(Wire):
    """One client's socket, joined to the hub's half of it."""

    __slots__ = ("closing", "connection", "moved_at", "sent")

    def __init__(self, connection: Connection, socket: StreamSocket) -> None:
        super().__init__(socket, connection.outbox)
        self.socket: StreamSocket = socket
        self.connection = connection
        self.closing: asyncio.Task[None] | None = None
        self.sent = 0
        """Bytes that had left the transport when it was last looked at."""
        self.moved_at = 0.0
        """When ``sent`` last grew, by the event loop's clock."""


class StallWatch:
    """
    Finds clients that make no progress (rule M-5).

    Only links that did not take everything at once are looked at, and while
    there are none, nothing runs.

    Args:
        stall_s: How long no progress is too long.
        on_stall: Called once with each link that stalled.

    """

    def __init__(self, stall_s: float, on_stall: Callable[[Link], None]) -> None:
        self._stall_s = stall_s
        self._on_stall = on_stall
        self._watched: dict[Link, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, link: Link) -> None:
        """Look after a link until all that was written to it has left."""
        if link in self._watched:
            return
        link.sent = link.written - link.transport.get_write_buffer_size()
        link.moved_at = asyncio.get_running_loop().time()
        self._watched[link] = None
        if self._timer is None:
            self._look_later()

    def forget(self, link: Link) -> None:
        """Look after a link no more."""
        self._watched.pop(link, None)

    def close(self) -> None:
        """Look after nothing any more."""
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._stall_s / LOOKS_PER_STALL, self._look)

    def _look(self) -> None:
        time = asyncio.get_running_loop().time()
        for link in list(self._watched):
            left = link.transport.get_write_buffer_size()
            # Not "is less left than before": a client that reads may well be
            # written more than it reads.
            sent = link.written - left
            if not left:
                del self._watched[link]
            elif sent > link.sent:
                link.sent, link.moved_at = sent, time
            elif time - link.moved_at >= self._stall_s:
                del self._watched[link]
                self._on_stall(link)
        self._timer = None
        if self._watched:
            self._look_later()
