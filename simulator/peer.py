"""
One connection of the feed: its WebSocket, its half of the protocol, its backlog.

What is said on it and when is for ``simulator/feed.py`` to decide.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from simulator.backlog import Backlog
from simulator.faulty import Faults
from streamer.odin import connection as odin
from streamer.odin.tags import InstrumentKey

__all__ = ["FeedSocket", "Peer"]

log = logging.getLogger("simulator.feed")


def binary_frame(payload: bytes) -> bytes:
    """Return a message as one unmasked, final RFC 6455 frame."""
    size = len(payload)
    if size < 126:
        return b"\x82%c%b" % (size, payload)
    if size < 1 << 16:
        return b"\x82\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x82\x7f%b%b" % (size.to_bytes(8, "big"), payload)


class FeedSocket(ServerConnection):
    """A WebSocket connection that tells when its write buffer is below its mark."""

    def __init__(self, *args: Any, faults: Faults, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._faults = faults
        self.writable = asyncio.Event()
        self.writable.set()
        self.on_writable: Callable[[], None] | None = None
        self._progress_at = 0.0
        self._unsent_then = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wrap the transport, so that faults can reach it."""
        super().connection_made(self._faults.wrap(cast(asyncio.Transport, transport), self))
        if self._faults.find("refuse") is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Take note that the buffer is full."""
        super().pause_writing()
        self.writable.clear()
        self._progress_at = time.monotonic()
        self._unsent_then = self.unsent_bytes

    def resume_writing(self) -> None:
        """Take note that there is room in the buffer again."""
        super().resume_writing()
        self.writable.set()
        if self.on_writable is not None:
            # Not from inside the transport's own turn of writing.
            self.loop.call_soon(self.on_writable)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let nobody wait for this connection any more."""
        super().connection_lost(exc)
        self.writable.set()
        self._faults.forget(self.transport)

    def write_messages(self, payloads: Sequence[bytes]) -> None:
        """
        Write binary messages, unless the connection is closing.

        Built here and written at once, they take a fifth of the time that the
        library's own way takes. Nobody sends through the library what it would
        send in fragments, so that there is no message to come between.
        """
        if payloads and self.protocol.state is State.OPEN:
            self.transport.write(b"".join(map(binary_frame, payloads)))

    @property
    def takes_frames(self) -> bool:
        """Whether frames may be written as they are: it is open, with room."""
        return self.writable.is_set() and self.protocol.state is State.OPEN

    @property
    def unsent_bytes(self) -> int:
        """What the operating system has not taken yet."""
        return self.transport.get_write_buffer_size()

    def stalled_for(self) -> float:
        """Return how long the other end has taken nothing, in seconds; 0 if writable."""
        now = time.monotonic()
        if self.writable.is_set() or self.unsent_bytes < self._unsent_then:
            self._progress_at = now
        self._unsent_then = self.unsent_bytes
        return now - self._progress_at

    async def part(self, code: int, reason: str, patience_s: float) -> None:
        """Close with a code; cut the other end off if it does not take it in time."""
        try:
            async with asyncio.timeout(patience_s):
                await self.close(code, reason)
        except TimeoutError:
            self.transport.abort()
            await self.wait_closed()


class Peer:
    """One connection: its socket, its half of the protocol, what it has yet to be told."""

    def __init__(self, socket: FeedSocket, number: int, faults: Faults) -> None:
        self.socket = socket
        self.number = number
        self.odin = odin.ServerConnection()
        self.backlog = Backlog()
        self.congested = False
        """Whether updates go to the backlog."""
        self._faults = faults
        self._refused = 0

    def __str__(self) -> str:
        address = self.socket.remote_address
        where = f"{address[0]}:{address[1]}" if address else "a lost address"
        return f"{self.odin.user} at {where}" if self.odin.user else where

    def interests(self) -> tuple[tuple[odin.Kind, Iterable[InstrumentKey]], ...]:
        """Return what is subscribed, by kind."""
        return (
            (odin.Kind.TOUCHLINE, self.odin.touchline),
            (odin.Kind.LTP, self.odin.ltp),
            (odin.Kind.BEST_FIVE, self.odin.best_five),
        )

    def wants(self, key: InstrumentKey) -> bool:
        """Tell whether an instrument is subscribed in any form."""
        return key in self.odin.touchline or key in self.odin.ltp or key in self.odin.best_five

    def write(self) -> None:
        """Hand the queue to the socket, one whole frame in each WebSocket message."""
        frames = self.odin.data_to_send()
        if self._faults.any_on:
            self._faults.write(self.socket, frames)
            return
        self.socket.write_messages(frames)

    def framed(self, texts: Sequence[bytes]) -> bytes:
        """Return texts as WebSocket messages, as they stand on the wire."""
        return b"".join(map(binary_frame, self.odin.frames_of(texts)))

    def note_refused(self, problem: str) -> None:
        """Log the first request that was ignored, count the others."""
        self._refused += 1
        if self._refused == 1:
            log.warning("%s: ignored a request: %s", self, problem)
        else:
            log.debug("%s: ignored request number %d: %s", self, self._refused, problem)
