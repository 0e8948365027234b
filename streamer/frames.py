"""
How prepared frames reach a WebSocket: the one place that knows how ``websockets`` works inside.

The hub builds each frame once and the server joins all that wait for a client.
:class:`DirectWriter` hands such bytes to the connection's transport. The
library keeps the handshake, pings, the closing handshake and all that comes
in; both write to one transport from one thread, so their frames follow each
other whole. That the installed library allows it is tried once, at start, by
:func:`make_writer`; where it does not, :class:`MessageWriter` sends message by
message through the library's public interface.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.protocol import OPEN

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


class FrameWriter(Protocol):
    """Writes outboxes to sockets; never waits."""

    takes_deflated: bool
    """Whether compressed frames may be among those that it writes."""

    def send(self, socket: ServerConnection, outbox: Outbox) -> int:
        """
        Write all that waits in ``outbox``; return how many bytes that was.

        If ``socket`` takes nothing at the moment, the outbox stays as it is,
        and the writer's ``on_ready`` is called once it is worth another try.
        On a socket that is closing, what waits is dropped.
        """

    async def settle(self, socket: ServerConnection) -> None:
        """Wait until all that was sent has reached the transport, and more can be sent."""


def deflates(socket: ServerConnection) -> bool:
    """Return whether a connection has negotiated permessage-deflate."""
    return any(isinstance(each, PerMessageDeflate) for each in socket.protocol.extensions)


class DirectWriter:
    """Hands frames to the transport as they are."""

    takes_deflated = True

    def __init__(self, on_ready: Callable[[ServerConnection], None]) -> None:
        self._on_ready = on_ready
        self._frames: list[bytes] = []
        self._joined = b""
        """What the last ``_frames`` make together: clients with the same subscriptions share it."""

    def send(self, socket: ServerConnection, outbox: Outbox) -> int:
        """Write at once, unless a fragmented message of the library's is under way."""
        sending = socket.send_in_progress
        if sending is not None:
            sending.add_done_callback(lambda _: self._on_ready(socket))
            return 0
        frames = outbox.take()
        if len(frames) == 1:
            data = frames[0]
        else:
            if frames != self._frames:
                self._frames, self._joined = frames, b"".join(frames)
            data = self._joined
        # Behind a close frame nothing may follow.
        if socket.protocol.state is OPEN:
            socket.transport.write(data)
        return len(data)

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

    def send(self, socket: ServerConnection, outbox: Outbox) -> int:
        """Begin to send, unless something is being sent to ``socket``."""
        if socket in self._tasks:
            return 0
        frames = b"".join(outbox.take())
        if frames:
            self._tasks[socket] = asyncio.create_task(self._send(socket, frames))
        return len(frames)

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
        writer.send(socket, outbox)
        await writer.settle(socket)
        await socket.send("last")

    payloads = (*TRIAL_PAYLOADS, *([TRIAL_DEFLATED] if writer.takes_deflated else []))
    expected = ["first", *(payload.decode() for payload in payloads), "last"]
    extensions = [SHARED_DEFLATE]
    async with serve(
        send_all, "127.0.0.1", 0, compression=None, extensions=extensions, logger=_quiet
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", proxy=None) as client:
            arrived = [message async for message in client]
    assert arrived == expected, f"{len(arrived)} of {len(expected)} messages arrived as sent"
