"""
A small real ODIN feed for tests: it speaks the wire, and does what the test says.

::

    async with FeedPeer() as feed:
        ...                                     # start what dials feed.url
        await feed.wait_for_interest(RELIANCE)  # logged on, and asked for it
        feed.send(touchline(RELIANCE, 136550), Heartbeat(sent=...))
        feed.log_off()                          # or feed.hang(), or feed.drop()

It accepts any logon (or answers ``logon_status``), remembers what each
connection asks for, answers a subscribe with the touchlines put into
``states``, and sends what it is told to every connection that is logged on.
Conditions are awaited, with a deadline; nothing here sleeps.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from streamer.odin import connection as odin
from streamer.odin.messages import Logoff, ServerMessage, Touchline, encode
from streamer.odin.tags import LOGON_ACCEPTED, InstrumentKey

DEADLINE_S = 10.0


class FeedPeer:
    """
    A feed server on a free port of 127.0.0.1.

    Args:
        simulated: What the logon answer says of the feed.
        logon_status: Tag 70 of the logon answer; any but 10000 refuses. None
            answers no logon at all.
        time: What time the logon answer tells, UNIX nanoseconds; the machine's
            when None.

    """

    def __init__(
        self,
        *,
        simulated: bool = True,
        logon_status: int | None = LOGON_ACCEPTED,
        time: int | None = None,
    ) -> None:
        self.simulated = simulated
        self.logon_status = logon_status
        self.time = time
        self.states: dict[InstrumentKey, Touchline] = {}
        """What a subscribe is answered with at once, by instrument."""
        self.logons: list[str] = []
        """The user of each logon so far, accepted or not."""
        self.asked: list[odin.InterestChanged] = []
        """Each request that subscribed or unsubscribed something, oldest first."""
        self.port = 0
        self._server: Server | None = None
        self._peers: dict[ServerConnection, odin.ServerConnection] = {}
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        """Where to dial."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many sockets are open, logged on or not."""
        return len(self._peers)

    @property
    def interest(self) -> set[InstrumentKey]:
        """What is subscribed, over all connections."""
        return {key for peer in self._peers.values() for key in peer.interest()}

    @property
    def unsent(self) -> int:
        """How many bytes wait in this process because nobody reads them."""
        return sum(socket.transport.get_write_buffer_size() for socket in self._peers)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shut()

    async def open(self) -> None:
        """Listen; again on the same port after :meth:`shut`."""
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, compression=None, ping_interval=None
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def shut(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        self._server.close(close_connections=False)
        self.drop()
        await self._server.wait_closed()
        self._server = None

    def send(self, *messages: ServerMessage) -> None:
        """Send messages, in one frame where they fit, to every connection that is logged on."""
        self.send_encoded([encode(message) for message in messages])

    def send_encoded(self, messages: Sequence[bytes]) -> None:
        """Send messages that are encoded already; they need not be valid."""
        for socket, peer in self._peers.items():
            if peer.logged_on:
                for message in messages:
                    peer.send(message)
                self._write(socket, peer)

    def send_raw(self, *data: bytes) -> None:
        """Send bytes, each as one WebSocket message, to every connection, logged on or not."""
        for socket in self._peers:
            for each in data:
                socket.protocol.send_binary(each)
            socket.send_data()

    def log_off(self, reason: str = "end of day", sent: int = 0) -> None:
        """Say logoff (109); the sockets stay open."""
        self.send(Logoff(reason=reason, sent=sent or time.time_ns()))

    def hang(self) -> None:
        """Go silent on the open connections: nothing is read, so no ping is answered either."""
        for socket in self._peers:
            socket.transport.pause_reading()

    def drop(self) -> None:
        """Cut every connection without a close frame."""
        for socket in list(self._peers):
            socket.transport.abort()

    async def close(self, code: int) -> None:
        """Close every connection with a close frame; listen on."""
        for socket in list(self._peers):
            await socket.close(code)

    async def wait_for_interest(self, *keys: InstrumentKey) -> None:
        """Wait until exactly ``keys`` are subscribed."""
        await self.wait_until(lambda: self.interest == set(keys))

    async def wait_for_logons(self, count: int) -> None:
        """Wait until ``count`` logons have come since the start."""
        await self.wait_until(lambda: len(self.logons) >= count)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is looked at whenever a peer did something."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _serve(self, socket: ServerConnection) -> None:
        peer = self._peers[socket] = odin.ServerConnection()
        self._changed.set()
        try:
            async for data in socket:
                assert isinstance(data, bytes), "the feed's wire has binary messages only"
                self._take(peer, data)
                self._write(socket, peer)
                self._changed.set()
        except ConnectionClosed:
            pass
        finally:
            del self._peers[socket]
            self._changed.set()

    def _take(self, peer: odin.ServerConnection, data: bytes) -> None:
        for event in peer.receive(data, time.time_ns()):
            if isinstance(event, odin.LogonAsked):
                self.logons.append(event.request.user)
                now = time.time_ns() if self.time is None else self.time
                if self.logon_status == LOGON_ACCEPTED:
                    peer.accept(now, simulated=self.simulated)
                elif self.logon_status is not None:
                    peer.refuse(self.logon_status, now)
            elif isinstance(event, odin.InterestChanged):
                self.asked.append(event)
                for key in event.added:
                    if key in self.states:
                        peer.send(encode(self.states[key]))

    def _write(self, socket: ServerConnection, peer: odin.ServerConnection) -> None:
        # Straight to the transport: sending must not wait, and a peer that does
        # not read must not hold up the test.
        frames = peer.data_to_send()
        if socket.state is not State.OPEN:
            return  # It is gone, and its reader has not been told yet.
        for frame in frames:
            socket.protocol.send_binary(frame)
        socket.send_data()
