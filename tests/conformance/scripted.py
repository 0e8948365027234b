"""A WebSocket server that does what a test's coroutine says, and a client of the suite's to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from conformance.invariants import Watch
from conformance.peer import Peer
from conformance.wire import WireLog

Script = Callable[[ServerConnection], Awaitable[None]]

WELCOME = {"type": "welcome", "status": "connected", "data": {}, "client_id": "c", "timestamp": 1}


async def say(socket: ServerConnection, kind: str, **fields: Any) -> None:
    """Send a message with a whole envelope."""
    await socket.send(
        json.dumps({"type": kind, "status": "success", "client_id": "c", "timestamp": 1} | fields)
    )


async def answer_pings(socket: ServerConnection) -> None:
    """Answer the guide's ping until the client leaves, and nothing else."""
    async for text in socket:
        if json.loads(text).get("action") == "ping":
            await say(socket, "pong", status="alive")


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """Serve; yields the address."""
    async with serve(script, "127.0.0.1", 0, close_timeout=0.1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/enhanced-stream"


@asynccontextmanager
async def client(
    script: Script, *, scale: float = 1.0, watch: Watch | None = None, client_id: str = "c"
) -> AsyncIterator[Peer]:
    """Serve, and connect a client of the suite's."""
    async with scripted(script) as url:
        peer = await Peer.open(
            "peer 1",
            f"{url}?client_id={client_id}",
            client_id,
            wire=WireLog(),
            watcher=watch or Watch(),
            scale=scale,
        )
        try:
            yield peer
        finally:
            await peer.drop()
