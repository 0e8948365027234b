"""A feed client for tests: the adapter's half of the protocol on a real socket."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection as Socket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from streamer.odin import messages as wire
from streamer.odin.connection import ClientConnection
from streamer.odin.framing import Dialect, encode_request_frame
from streamer.odin.messages import FeedMessage, Request, encode_request
from streamer.odin.tags import InstrumentKey

DEADLINE_S = 20.0


class FeedClient:
    """Keeps every message it gets, in order, and waits for conditions on them."""

    def __init__(
        self, url: str, user: str = "TESTER", *, receive_buffer: int | None = None
    ) -> None:
        self.messages: list[FeedMessage] = []
        self.arrived_at: list[int] = []
        """Monotonic nanoseconds of each message."""
        self.odin = ClientConnection(user)
        self.close_code: int | None = None
        self.socket: Socket
        self._url = url
        self._receive_buffer = receive_buffer
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        at = urlsplit(self._url)
        plain = socket.socket()
        if self._receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, (at.hostname, at.port))
        self.socket = await connect(self._url, sock=plain, compression=None, max_queue=None)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.socket.close()
        await self._reading

    async def _read(self) -> None:
        try:
            while True:
                data = await self.socket.recv()
                assert isinstance(data, bytes)
                for message in self.odin.receive(data):
                    self.messages.append(message)
                    self.arrived_at.append(time.monotonic_ns())
                self._changed.set()
        except ConnectionClosed:
            self.close_code = self.socket.close_code
            self._changed.set()

    async def log_on(self) -> wire.LogonAnswer:
        """Log on; return the answer."""
        await self.socket.send(self.odin.logon(0))
        await self.until(lambda: self.odin.logged_on)
        return next(m for m in self.messages if isinstance(m, wire.LogonAnswer))

    async def ask(self, request: Request) -> None:
        """Send a request of any kind."""
        await self.socket.send(encode_request_frame(encode_request(request, 0), Dialect.PLAIN))

    async def subscribe(self, *keys: InstrumentKey, native: bool = False) -> None:
        """Ask for touchlines."""
        await self.ask(wire.TouchlineRequest(keys, True, native=native))

    async def wait_for_arrival(self) -> None:
        """Return when next something arrives, or the connection is closed."""
        self._changed.clear()
        await self._changed.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at after each arrival."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await self.wait_for_arrival()

    async def until_count(self, count: int) -> list[wire.Touchline]:
        """Return the touchlines when there are at least ``count``."""
        await self.until(lambda: len(self.touchlines) >= count)
        return self.touchlines

    async def answered(self) -> None:
        """Return when everything asked so far was taken: a heartbeat request comes back."""
        mark = f"mark{len(self.messages)}"
        await self.ask(wire.HeartbeatRequest(mark))
        await self.until(
            lambda: any(isinstance(m, wire.Heartbeat) and m.echo == mark for m in self.messages)
        )

    @property
    def touchlines(self) -> list[wire.Touchline]:
        """The touchlines so far."""
        return [m for m in self.messages if isinstance(m, wire.Touchline)]

    @property
    def heartbeats(self) -> list[int]:
        """The times of the feed's own heartbeats so far."""
        return [m.sent for m in self.messages if isinstance(m, wire.Heartbeat) and not m.echo]
