"""The sockets of the reference server: who may connect, what is read and written, how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from contextlib import AsyncExitStack, suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from tests.conformance.reference.breaks import broken
from tests.conformance.reference.connection import SLOW, Connection
from tests.conformance.reference.feed import follow
from tests.conformance.reference.hub import Hub
from tests.conformance.reference.instruments import TABLE
from tests.conformance.reference.settings import Settings
from tests.conformance.reference.store import Store

PATH: Final = "/enhanced-stream"
CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._:@-]{1,128}", re.ASCII)
LOOPBACK: Final = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.ASCII)
RESTART: Final = 1012
CLOSE_S: Final = 5.0
CLOSE_STALLED_S: Final = 0.5
LOOK_EVERY_S: Final = 1.0


class ReferenceServer:
    """Serves clients until it is told to end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hub = Hub(settings, Store(settings.state))
        self._one_at_a_time = asyncio.Lock()
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Listen, say where, and serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        settings, servers = self._settings, []
        async with AsyncExitStack() as stack:
            for listener in listeners(settings.port):
                server = serve(
                    self._handle,
                    sock=listener,
                    process_request=self._admit,
                    compression=None,
                    max_size=largest_message(settings),
                    ping_interval=None if broken("never-pings") else settings.ping_interval,
                    ping_timeout=settings.ping_timeout,
                    close_timeout=CLOSE_S,
                )
                servers.append(await stack.enter_async_context(server))
            tasks = [asyncio.create_task(self._watch_the_clock())]
            if settings.feed:
                hub = self._hub
                feed = follow(settings.feed, TABLE, hub.on_state, hub.on_texts)
                tasks.append(asyncio.create_task(feed))
            port = servers[0].sockets[0].getsockname()[1]
            print(f"listening ws://localhost:{port}{PATH}", flush=True)  # noqa: T201
            await self._ending.wait()
            await self._drain(servers)
            for task in tasks:
                task.cancel()

    async def _watch_the_clock(self) -> None:
        while self._settings.clock == "wall":
            # Never longer than a second: the wall clock of a test may be moved.
            await asyncio.sleep(min(LOOK_EVERY_S, self._hub.next_change_in()))
            self._hub.pass_time()

    async def _drain(self, servers: list[Server]) -> None:
        """End every connection with a word, one after the other (C-6)."""
        for server in servers:
            server.close(close_connections=False)
        connections = list(self._hub.connections)
        self._hub.shut_down()
        for connection in connections:
            code = 1001 if broken("shutdown-closes-1001") else RESTART
            connection.close(code, "the server ends")
            await asyncio.sleep(self._settings.drain / len(connections))

    # --- opening

    def _admit(self, websocket: ServerConnection, request: Request) -> Response | None:
        """Refuse what may not connect, before the upgrade (C-1, C-2, C-4, C-7)."""
        target = urlsplit(request.path)
        query = parse_qs(target.query, keep_blank_values=True)
        if target.path != PATH and not broken("any-path"):
            return refuse(websocket, 404, "invalid_request", f"No such path; expected {PATH}")
        if "Upgrade" not in request.headers and broken("plain-get-succeeds"):
            return refuse(websocket, 200, "", "This is a WebSocket server")
        if "Upgrade" not in request.headers:
            return refuse(websocket, 426, "invalid_request", "Expected a WebSocket upgrade")
        origin = request.headers.get("Origin")
        if not self._is_welcome(origin):
            return refuse(websocket, 403, "unauthorised", f"Pages of {origin} may not connect")
        ids = query.get("client_id", [""])
        if len(ids) > 1 and not broken("client-id-twice-accepted"):
            return refuse(websocket, 400, "invalid_request", "Found client_id twice; expected once")
        if ids[0] and not CLIENT_ID.fullmatch(ids[0]) and not broken("client-id-unchecked"):
            is_long = len(ids[0]) > 128 and CLIENT_ID.fullmatch(ids[0][:128])
            if not (is_long and broken("client-id-of-any-length")):
                message = "Found a client_id that may not be; expected 1 to 128 of A-Za-z0-9._:@-"
                return refuse(websocket, 400, "invalid_request", message)
        if "heartbeat" in query and heartbeat_seconds(query["heartbeat"][0]) is None:
            return refuse(websocket, 400, "invalid_request", "Expected a heartbeat of 1 to 60 s")
        refusal = self._hub.refusal(ids[0])
        return refuse(websocket, *refusal) if refusal else None

    def _is_welcome(self, origin: str | None) -> bool:
        if origin is None or broken("any-origin"):
            return True
        if origin == "null":
            return not broken("file-pages-refused")
        return bool(LOOPBACK.fullmatch(origin)) or origin in self._settings.origins

    # --- serving

    async def _handle(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        query = parse_qs(urlsplit(websocket.request.path).query)
        connection = self._hub.connect(query.get("client_id", [""])[0])
        break_frames(websocket, connection)
        tasks = [asyncio.create_task(self._write(websocket, connection))]
        if "heartbeat" in query and not broken("heartbeat-ignored"):
            every = heartbeat_seconds(query["heartbeat"][0]) or 0
            tasks.append(asyncio.create_task(self._beat(connection, every)))
        try:
            await self._read(websocket, connection)
        except ConnectionClosed:
            pass
        finally:
            for task in tasks:
                task.cancel()
            self._hub.disconnect(connection, was_clean=websocket.protocol.close_rcvd is not None)

    async def _read(self, websocket: ServerConnection, connection: Connection) -> None:
        while True:
            frame = await websocket.recv(decode=False)
            if not connection.is_deaf and connection.closing is None:
                self._hub.receive(connection, frame)

    async def _beat(self, connection: Connection, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            self._hub.heartbeat(connection)

    async def _write(self, websocket: ServerConnection, connection: Connection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await connection.wake.wait()
                connection.wake.clear()
                try:
                    await self._write_all(websocket, connection)
                except TimeoutError:
                    # It reads nothing, so it will not read the close either.
                    websocket.close_timeout = CLOSE_STALLED_S
                    connection.close(SLOW, "slow consumer")
                if connection.closing:
                    await websocket.close(*connection.closing)
                    return

    async def _write_all(self, websocket: ServerConnection, connection: Connection) -> None:
        while connection.outbox:
            _, text = connection.outbox.popitem(last=False)
            stall = None if broken("slow-client-never-closed") else self._settings.stall
            async with asyncio.timeout(stall), AsyncExitStack() as stack:
                if broken("slow-client-delays-others"):
                    await stack.enter_async_context(self._one_at_a_time)
                connection.is_slow = True
                await websocket.send(text, text=connection.is_text)
                connection.is_slow = False


def listeners(port: int) -> list[socket.socket]:
    """Return sockets that listen on localhost, 127.0.0.1 and ::1, on one port (C-7)."""
    first = socket.create_server(("127.0.0.1", port))
    found = [first]
    if socket.has_ipv6 and not broken("ipv4-alone"):
        with suppress(OSError):
            address = ("::1", first.getsockname()[1])
            found.append(socket.create_server(address, family=socket.AF_INET6))
    return found


def largest_message(settings: Settings) -> int | None:
    """Return how many bytes a message of a client may have (R-5)."""
    if broken("small-messages-alone"):
        return 8192
    return None if broken("oversize-accepted") else settings.max_message_bytes


def refuse(websocket: ServerConnection, status: int, code: str, message: str) -> Response:
    """Return a refusal whose body is JSON that says why."""
    error = {"type": "error", "status": "error", "message": message, "code": code}
    response = websocket.respond(status, json.dumps(error))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    if broken("refusals-without-reason"):
        response.body = b""
        del response.headers["Content-Length"]
    return response


def heartbeat_seconds(text: str) -> float | None:
    """Return the seconds between heartbeats, None if they may not be (C-5)."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 1 <= seconds <= 60 else None


def break_frames(websocket: ServerConnection, connection: Connection) -> None:
    """Break what the WebSocket library does well."""
    protocol = websocket.protocol
    send, receive = protocol.send_frame, protocol.recv_frame

    def send_broken(frame: Frame) -> None:
        if frame.opcode is Opcode.PONG and broken("websocket-pings-unanswered"):
            return
        if frame.opcode is Opcode.CLOSE and protocol.close_rcvd and broken("close-unanswered"):
            return
        send(frame)

    def receive_broken(frame: Frame) -> None:
        if not frame.fin and broken("fragments-refused"):
            protocol.fail(1003, "fragments")
        if frame.opcode is Opcode.BINARY and broken("binary-refused"):
            protocol.fail(1003, "binary")
        if frame.opcode is Opcode.BINARY and broken("binary-answered-in-binary"):
            connection.is_text = False
        receive(frame)

    protocol.send_frame = send_broken  # type: ignore[method-assign]
    protocol.recv_frame = receive_broken  # type: ignore[method-assign]
