"""
How prepared frames reach a WebSocket: the one place that knows how ``websockets`` works inside.

The hub builds each frame once and the server joins all that wait for a client.
:class:`DirectWriter` hands such bytes to the system, or to the connection's
transport while something waits there. The library keeps the handshake, pings,
the closing handshake and all that comes in; both write from one thread, so
their frames follow each other whole. Whether the library is in the middle of
something is looked at after each of its own writes, which is seldom, and not
before each of ours: with hundreds of clients most of what a look takes is
waiting for memory. That the installed library allows it is tried once, at
start, by :func:`make_writer`; where it does not, :class:`MessageWriter` sends
message by message through the library's public interface.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final, Protocol

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import DATA_OPCODES, PONG, Frame
from websockets.protocol import OPEN, Event

from streamer.outbox import Outbox, deflated_frame, text_frame

_logger = logging.getLogger("streamer")
_quiet = logging.getLogger("streamer.websockets")

TRIAL_S: Final = 5.0
TRIAL_PAYLOADS: Final = (b"{}", b"x" * 126, b"y" * 65536, "₹ and the rest".encode())
TRIAL_DEFLATED: Final = b'{"type":"market_data"}' * 8

SHARED_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True, client_no_context_takeover=True
)
"""How permessage-deflate is negotiated so that all clients can share a compressed frame."""


class WiredConnection(ServerConnection):
    """
    A connection of the library whose wire is told whenever the library may have written.

    It keeps nothing of what it has handed on: the library would keep a client's opening request
    as long as the client stays, and what it sent last, 64 KB of it if that named 5,000 stocks.
    """

    wire: Wire | None = None
    awaited_pong = b""
    """What the answer to the last ping has to say; empty once it has come."""

    def ping_at_once(self, payload: bytes) -> bool:
        """Send a ping, unless more waits than the client takes; return whether it was sent."""
        if self.paused or self.protocol.state is not OPEN:
            return False
        self.awaited_pong = payload
        self.protocol.send_ping(payload)
        self.send_data()
        return True

    def forget_handshake(self) -> None:
        """Let go of the headers of the opening request and of the answer to it."""
        for message in (self.request, self.response):
            if message is not None:
                message.headers.clear()

    def process_event(self, event: Event) -> None:
        """Take what was read; the parser, which holds its last frame, is not to hold its data."""
        if isinstance(event, Frame):
            if event.opcode in DATA_OPCODES:
                super().process_event(Frame(event.opcode, event.data, event.fin))
                event.data = b""
                return
            if event.opcode is PONG and event.data == self.awaited_pong:
                self.awaited_pong = b""
        super().process_event(event)

    def send_data(self) -> None:
        """Write what the library has to say: everything that it writes comes by here."""
        super().send_data()
        if self.wire is not None:
            self.wire.is_clear = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is gone."""
        if self.wire is not None:
            self.wire.is_clear = False
        super().connection_lost(exc)


class Wire:
    """
    One client's socket and what waits for it, as writers see them.

    Args:
        socket: An open connection of the library.
        outbox: What waits.

    """

    __slots__ = ("fd", "is_clear", "outbox", "socket", "transport", "written")

    def __init__(self, socket: ServerConnection, outbox: Outbox) -> None:
        self.socket = socket
        self.outbox = outbox
        self.transport = socket.transport
        self.fd = -1
        """Where bytes may be written past an idle transport; -1: nowhere."""
        self.is_clear = False
        """Whether that may be done now, without another :meth:`look`; if so, it is not slow."""
        self.written = 0
        """Bytes handed to the transport so far."""
        if isinstance(socket, WiredConnection) and is_plain(socket.transport):
            socket.wire = self
            self.fd = socket.transport.get_extra_info("socket").fileno()

    def look(self) -> bool:
        """Return whether nothing of the library's is under way, so that a frame may follow."""
        socket = self.socket
        self.is_clear = (
            self.fd >= 0
            and socket.send_in_progress is None
            # Behind a close frame nothing may follow. The descriptor is closed later.
            and socket.protocol.state is OPEN
            and not self.transport.get_write_buffer_size()
        )
        return self.is_clear


def is_plain(transport: asyncio.Transport) -> bool:
    """Return whether what a transport is given is what its socket sends."""
    return os.name == "posix" and transport.get_extra_info("ssl_object") is None


class FrameWriter(Protocol):
    """Writes outboxes to sockets; never waits."""

    takes_deflated: bool
    """Whether compressed frames may be among those that it writes."""

    def send(self, wire: Wire) -> bool:
        """
        Write all that waits; return whether all of it has left for the system.

        If the socket takes nothing at the moment, the outbox stays as it is,
        and the writer's ``on_ready`` is called once it is worth another try.
        On a socket that is closing, what waits is dropped.
        """

    async def settle(self, socket: ServerConnection) -> None:
        """Wait until all that was sent has reached the transport, and more can be sent."""


def deflates(socket: ServerConnection) -> bool:
    """Return whether a connection has negotiated permessage-deflate."""
    return any(isinstance(each, PerMessageDeflate) for each in socket.protocol.extensions)


class DirectWriter:
    """Hands frames to the system, or to the transport while something waits there."""

    takes_deflated = True

    def __init__(self, on_ready: Callable[[ServerConnection], None]) -> None:
        self._on_ready = on_ready
        self._frames: list[bytes] = []
        self._joined = b""
        """What the last ``_frames`` make together: clients with the same subscriptions share it."""
        self._spare: list[bytes] = []
        """Empty, for the next outbox: a list made anew for each would cost more than its use."""

    def send(self, wire: Wire) -> bool:
        """Write at once, unless a fragmented message of the library's is under way."""
        if not wire.is_clear and not wire.look():
            self._send_through(wire)
            return False
        outbox = wire.outbox
        frames = outbox.frames
        data = frames.pop() if len(frames) == 1 and not outbox.size else self._join(outbox)
        # As a transport does that has nothing waiting, on any event loop.
        try:
            sent = os.write(wire.fd, data)
        except OSError:
            sent = 0
        if sent == len(data):
            return True
        wire.is_clear = False
        self._write(wire, data[sent:])
        return False

    def _send_through(self, wire: Wire) -> None:
        socket = wire.socket
        sending = socket.send_in_progress
        if sending is not None:
            sending.add_done_callback(lambda _: self._on_ready(socket))
            return
        data = self._join(wire.outbox)
        if socket.protocol.state is OPEN:
            self._write(wire, data)

    def _write(self, wire: Wire, data: bytes) -> None:
        """Leave to the transport what the system did not take, and any error."""
        wire.written += len(data)
        wire.transport.write(data)

    def _join(self, outbox: Outbox) -> bytes:
        frames = outbox.frames
        if outbox.size:
            frames = outbox.take()
        else:
            outbox.frames = self._spare
        if frames == self._frames:
            self._spare = frames
        else:
            self._spare, self._frames = self._frames, frames
            self._joined = b"".join(frames)
        self._spare.clear()
        return self._joined

    async def settle(self, socket: ServerConnection) -> None:
        """Wait for the end of a fragmented message, if there is one."""
        if socket.send_in_progress is not None:
            await asyncio.wait([socket.send_in_progress])


class MessageWriter:
    """Sends frames as messages of the library, one after the other, in a task per busy socket."""

    takes_deflated = False

    def __init__(self, on_ready: Callable[[ServerConnection], None]) -> None:
        self._on_ready = on_ready
        self._tasks: dict[ServerConnection, asyncio.Task[None]] = {}

    def send(self, wire: Wire) -> bool:
        """Begin to send, unless something is being sent to the client."""
        socket = wire.socket
        if socket not in self._tasks:
            frames = b"".join(wire.outbox.take())
            wire.written += len(frames)
            if frames:
                self._tasks[socket] = asyncio.create_task(self._send(socket, frames))
        return False

    async def settle(self, socket: ServerConnection) -> None:
        """Wait until all is sent."""
        task = self._tasks.get(socket)
        if task is not None:
            await asyncio.wait([task])

    async def _send(self, socket: ServerConnection, frames: bytes) -> None:
        try:
            for payload in split_frames(frames):
                await socket.send(payload, text=True)
        except ConnectionClosed:
            pass
        finally:
            del self._tasks[socket]
            self._on_ready(socket)


def split_frames(frames: bytes) -> list[bytes]:
    """Return the payloads of joined, unmasked text frames."""
    payloads = []
    start = 0
    while start < len(frames):
        size = frames[start + 1]
        start += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(frames[start : start + width], "big")
            start += width
        payloads.append(frames[start : start + size])
        start += size
    return payloads


async def make_writer(on_ready: Callable[[ServerConnection], None]) -> FrameWriter:
    """
    Return the fastest writer that works with the installed library.

    Args:
        on_ready: Called when a socket that was not ready is.

    """
    direct = DirectWriter(on_ready)
    try:
        async with asyncio.timeout(TRIAL_S):
            await try_writer(direct)
    except (AttributeError, TypeError, AssertionError, WebSocketException, OSError) as error:
        # TimeoutError, too, is an OSError.
        _logger.warning(
            "prepared frames do not pass the installed websockets library (%s: %s); "
            "sending message by message, which is slower",
            type(error).__name__,
            error,
        )
        return MessageWriter(on_ready)
    return direct


async def try_writer(writer: FrameWriter) -> None:
    """
    Send frames of every length form through a loopback connection of its own.

    Raises:
        Exception: Whatever the library raises when it cannot be used so.

    """

    async def send_all(socket: ServerConnection) -> None:
        # The library's own messages stand around ours: the order must hold.
        await socket.send("first")
        outbox = Outbox()
        for payload in TRIAL_PAYLOADS:
            outbox.put(text_frame(payload))
        if writer.takes_deflated:
            outbox.put(deflated_frame(TRIAL_DEFLATED))
        wire = Wire(socket, outbox)
        writer.send(wire)
        await writer.settle(socket)
        await socket.send("last")
        assert not wire.is_clear, "the library writes where a wire does not notice it"

    payloads = (*TRIAL_PAYLOADS, *([TRIAL_DEFLATED] if writer.takes_deflated else []))
    expected = ["first", *(payload.decode() for payload in payloads), "last"]
    extensions = [SHARED_DEFLATE]
    async with serve(
        send_all,
        "127.0.0.1",
        0,
        create_connection=WiredConnection,
        compression=None,
        extensions=extensions,
        logger=_quiet,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", proxy=None) as client:
            arrived = [message async for message in client]
    assert arrived == expected, f"{len(arrived)} of {len(expected)} messages arrived as sent"
