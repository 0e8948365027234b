"""A connection of the feed: frames of its own among the library's, and what it tells of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from simulator.fault_plan import FaultPlan
from simulator.faulty import Faults
from simulator.peer import FeedSocket

SIZES = (0, 1, 125, 126, 65_535, 65_536)
"""Of payloads: each form of a frame's length, at its ends."""

Said = Callable[[FeedSocket], Awaitable[None]]


@asynccontextmanager
async def client_of(say: Said) -> AsyncIterator[ClientConnection]:
    """Serve one connection, on which ``say`` speaks; yield its other end."""

    async def handle(socket: ServerConnection) -> None:
        assert isinstance(socket, FeedSocket)
        await say(socket)

    made = cast(type[FeedSocket], partial(FeedSocket, faults=Faults(FaultPlan([]))))
    async with serve(handle, "127.0.0.1", 0, create_connection=made, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", proxy=None, max_size=None) as client:
            yield client


async def test_messages_of_every_length_arrive_whole_and_in_order() -> None:
    """Between those that the library sends."""
    payloads = [bytes([size % 251]) * size for size in SIZES]

    async def say(socket: FeedSocket) -> None:
        await socket.send(b"first")
        socket.write_messages(payloads)
        await socket.send(b"last")

    async with client_of(say) as client:
        assert [message async for message in client] == [b"first", *payloads, b"last"]


async def test_nothing_is_written_behind_a_close() -> None:
    """And whoever waits for room in the buffer waits no longer."""
    ended: asyncio.Future[FeedSocket] = asyncio.get_running_loop().create_future()

    async def say(socket: FeedSocket) -> None:
        await socket.part(4000, "enough", 5.0)
        socket.write_messages([b"too late"])
        ended.set_result(socket)

    async with client_of(say) as client:
        with pytest.raises(ConnectionClosedError):
            await client.recv()
        socket = await ended
        assert (client.close_code, client.close_reason) == (4000, "enough")
        assert not socket.takes_frames
        assert socket.writable.is_set()
        assert socket.unsent_bytes == 0
