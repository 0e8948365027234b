"""A real server on a free port, over a real hub and a real SQLite file, and clients for it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamer.access import AccessList
from streamer.calendar import TradingCalendar
from streamer.clock import FeedClock, WallClock
from streamer.connection import HubSettings
from streamer.hub import Hub
from streamer.instruments import InstrumentTable
from streamer.journal import Journal
from streamer.odin.messages import Heartbeat
from streamer.server import ServerSettings, StreamServer
from streamer.store import ClientStore
from tests.streamer.desk import Message, at

DEADLINE_S = 10.0


class Client:
    """A client's socket, each wait with a deadline."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def next(self) -> Message:
        """Return the next message."""
        async with asyncio.timeout(DEADLINE_S):
            text = await self.socket.recv()
        assert isinstance(text, str), "C-1: frames are text"
        message: Message = json.loads(text)
        return message

    async def until(self, kind: str) -> Message:
        """Return the next message of a type, skipping others."""
        while (message := await self.next())["type"] != kind:
            pass
        return message

    async def send(self, request: object) -> None:
        """Send a request: text and bytes as they are, anything else as JSON."""
        plain = isinstance(request, str | bytes)
        await self.socket.send(request if plain else json.dumps(request))  # type: ignore[arg-type]

    async def ask(self, request: object) -> Message:
        """Send a request and return its reply, skipping what comes unasked."""
        await self.send(request)
        while (message := await self.next())["type"] == "market_data" or message[
            "status"
        ] == "info":
            pass
        return message

    async def subscribe(self, *stocks: str, **fields: object) -> Message:
        """Subscribe and return the reply."""
        return await self.ask({"action": "subscribe", "stocks": stocks, **fields})

    async def rest(self) -> tuple[list[Message], int | None]:
        """Read to the end; return what came and the close code."""
        messages = []
        try:
            while True:
                messages.append(await self.next())
        except ConnectionClosed as closed:
            return messages, closed.rcvd.code if closed.rcvd else None


class Serving:
    """
    A running server; by default under the feed's clock, with a quick end.

    ``asked`` is what the feed would be asked for, ``events`` what a parent
    process would be told. ``settings`` are those of :class:`ServerSettings`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: FeedClock | WallClock | None = None,
        limits: HubSettings | None = None,
        access: AccessList | None = None,
        now: Callable[[], int] = time.time_ns,
        **settings: Any,
    ) -> None:
        self.store = ClientStore.open(folder / "sessions.db")
        self.asked: set[tuple[int, int]] = set()
        self.events: list[dict[str, object]] = []
        self.hub = Hub(
            instruments=InstrumentTable.bundled(),
            calendar=TradingCalendar.bundled(),
            clock=clock or FeedClock(),
            epoch="epoch-1",
            records=self.store.load(),
            settings=limits,
            now=now(),
        )
        self.server = StreamServer(
            self.hub,
            ServerSettings(**{"port": 0, "drain_s": 0.0, **settings}),
            save=self.store.save,
            change_interest=self._change_interest,
            journal=Journal(self.events.append),
            access=access,
            now=now,
        )

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.server.stop()
        self.store.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def tell_time(self, clock: str) -> None:
        """Let the feed's heartbeat tell a time on 2025-09-04, a trading day."""
        self.server.feed([Heartbeat(sent=at(clock))])

    @asynccontextmanager
    async def client(
        self,
        client_id: str | None = "app",
        query: str = "",
        *,
        host: str = "127.0.0.1",
        receive_buffer: int | None = None,
        compression: str | None = None,
        **options: Any,
    ) -> AsyncIterator[Client]:
        """Connect a client; its welcome is still to be read."""
        parameters = "&".join(
            part for part in (client_id and f"client_id={client_id}", query) if part
        )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        plug = socket.socket(family)
        if receive_buffer is not None:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plug.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plug, (host, self.port))
        async with connect(
            f"ws://localhost:{self.port}/enhanced-stream?{parameters}",
            sock=plug,
            compression=compression,
            ping_interval=None,
            close_timeout=1,
            **options,
        ) as connection:
            yield Client(connection)

    async def refusal(self, query: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Connect in vain; return the HTTP status and the JSON body."""
        with pytest.raises(InvalidStatus) as refused:
            async with self.client(None, query, **options):
                pass
        response = refused.value.response
        assert response.headers["Content-Type"] == "application/json"
        return response.status_code, json.loads(response.body or b"")

    async def http(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a plain HTTP request; return status, headers in lower case, and body."""
        return await http(self.port, path, headers, method)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds."""
        await wait_until(condition)

    def _change_interest(
        self, subscribe: Sequence[tuple[int, int]], unsubscribe: Sequence[tuple[int, int]]
    ) -> None:
        self.asked.update(subscribe)
        self.asked.difference_update(unsubscribe)


async def http(
    port: int, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    """Send a plain HTTP request; return status, headers in lower case, and body."""
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    pairs = (field.split(": ", 1) for field in fields)
    return int(status.split()[1]), {name.lower(): value for name, value in pairs}, body


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds, looking each millisecond."""
    for _ in range(round(DEADLINE_S * 1000)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise TimeoutError("the condition does not hold")
