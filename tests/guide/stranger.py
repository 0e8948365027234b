"""A client that sends what it is told, letter by letter, and hands back what comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from tests.guide.program import DEADLINE_S

Message = dict[str, Any]

UNASKED: Final = ("market_data", "market_status")


class Stranger:
    """
    One connection.

    Args:
        socket: Open, and its ``welcome`` not read yet.

    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def read(self) -> Message:
        """Return the next message."""
        async with asyncio.timeout(DEADLINE_S):
            message: Message = json.loads(await self._socket.recv())
        return message

    async def ask(self, text: str) -> Message:
        """Send ``text`` as it is and return its reply, passing over what comes unasked."""
        await self._socket.send(text)
        while True:
            message = await self.read()
            is_notice = message["type"] in UNASKED and message.get("status") != "success"
            if not is_notice:
                return message

    async def quote(self, symbol: str) -> Message:
        """Return the next ``market_data`` of a stock, passing over everything else."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.read()
                if message["type"] == "market_data" and message["symbol"] == symbol:
                    return message


@asynccontextmanager
async def stranger(url: str) -> AsyncIterator[tuple[Stranger, Message]]:
    """Connect to ``url``; yield the client and the ``welcome`` that it got."""
    async with asyncio.timeout(DEADLINE_S):
        socket = await connect(url, proxy=None)
    async with socket:
        client = Stranger(socket)
        welcome = await client.read()
        assert welcome["type"] == "welcome"
        yield client, welcome
