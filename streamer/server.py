"""
The asyncio shell over the hub: accept, read, write, close.

It decides nothing. Whatever happens (a handshake, a frame, a tick, a timer) is
handed to the hub, and then :meth:`StreamServer.flush` carries out what
follows, always in the same order: save, write, tell the feed, set the timer.
Frames of clients that arrive together share one flush, and so one write to
disk.

Writing never waits. A socket that takes no more is marked slow, so that its
outbox conflates, and is left alone until it takes again; nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN

from streamer import native
from streamer.access import AccessList, digest_token
from streamer.admin import ADMIN_PATHS, Admin
from streamer.clients import ClientChanges
from streamer.connection import Connection, Refusal
from streamer.errors import StoreError
from streamer.frames import (
    SHARED_DEFLATE,
    FrameWriter,
    MessageWriter,
    WiredConnection,
    deflates,
    make_writer,
)
from streamer.handshake import (
    STREAM_PATH,
    bearer_token,
    origin_allowed,
    read_opening,
    split_target,
)
from streamer.health import health
from streamer.http_pages import QUOTES_PATH, Pages, asked_stocks, json_response
from streamer.hub import Hub, UpstreamState
from streamer.instruments import InstrumentTable
from streamer.journal import Journal
from streamer.links import Link, StallWatch, StreamSocket
from streamer.listening import BACKLOG, listen, port_of, url_host
from streamer.odin.messages import FeedMessage
from streamer.odin.tags import InstrumentKey
from streamer.pings import Pings
from streamer.relisting import Relisting
from streamer.speaker import SLOW_CONSUMER

_logger = logging.getLogger("streamer")

# At DEBUG the library logs request lines and headers, tokens included.
_library_logger = logging.getLogger("streamer.websockets")
_library_logger.setLevel(logging.WARNING)

INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012
ACCESS_REVOKED: Final = 4503

LONGEST_NAP_S: Final = 15.0
"""The machine's clock may be set while a timer runs; it is looked at this often."""

SAVE_AGAIN_S: Final = 1.0
"""How long a store that failed is left alone."""

FIRST_QUOTE_S: Final = 1.0
"""How long ``GET /api/quotes`` waits for the feed to tell of stocks that nobody asked for yet."""

RECONNECT_MARGIN_MS: Final = 1000


class ServerSettings(msgspec.Struct, frozen=True):
    """How the server treats sockets. Times are real time."""

    host: str = "localhost"
    port: int = 8080
    origins: tuple[str, ...] = ()
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0
    max_message_bytes: int = 256 * 1024
    high_water_bytes: int = 256 * 1024
    stall_s: float = 10.0
    close_timeout_s: float = 10.0
    drain_s: float = 5.0
    compression: bool = False


class StreamServer:
    """
    All sockets of one server process.

    Args:
        hub: What decides.
        settings: How sockets are treated.
        save: Makes changes durable before it returns; raises StoreError.
        change_interest: Tells the feed what to send and what no longer.
        feed_stats: Returns how the line to the feed has fared.
        journal: Is told what happens.
        access: The valid tokens; None lets everybody in.
        admin: Answers the operator's requests; None where there is no such door.
        now: The machine's time in UNIX nanoseconds.

    """

    def __init__(
        self,
        hub: Hub,
        settings: ServerSettings,
        *,
        save: Callable[[ClientChanges], None],
        change_interest: Callable[[Sequence[InstrumentKey], Sequence[InstrumentKey]], None],
        feed_stats: Callable[[], Mapping[str, object]] = dict,
        journal: Journal | None = None,
        access: AccessList | None = None,
        admin: Admin | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.port = settings.port
        self.store_problem: str | None = None
        """Why sessions cannot be saved at the moment, if they cannot."""
        self._hub = hub
        self._settings = settings
        self._save = save
        self._change_interest = change_interest
        self._journal = journal or Journal()
        self._access = access
        self._admin = admin
        self._now = now
        self._pages = Pages(
            health=lambda: health(hub, now(), store_problem=self.store_problem),
            stats=lambda: (
                hub.stats(now())
                | {
                    "feed": feed_stats(),
                    "event_loop": _event_loop_name(),
                    "compiled": native.in_use(),
                }
            ),
            quotes=hub.quotes,
            may_read=self._may_read,
        )
        self._fed = asyncio.Event()
        self._servers: list[Server] = []
        self._writer: FrameWriter = MessageWriter(self._on_ready)
        self._links: dict[Connection, Link] = {}
        self._by_socket: dict[ServerConnection, Link] = {}
        self._asking: dict[Connection, None] = {}
        self._ready_again: dict[Link, None] = {}
        self._paused: set[Link] = set()
        self._no_one_paused = asyncio.Event()
        self._no_one_paused.set()
        self._stalls = StallWatch(settings.stall_s, self._on_stall)
        self._pings = Pings(settings.ping_interval_s, settings.ping_timeout_s, self._on_silence)
        self._flush_soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_deadline: int | None = None
        self._save_again_at = 0.0

    # --- life

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://{url_host(self._settings.host)}:{self.port}{STREAM_PATH}"

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If the host or the port cannot be used.

        """
        settings = self._settings
        sockets = listen(settings.host, settings.port)
        self.port = port_of(sockets)
        self._writer = await make_writer(self._on_ready)
        compresses = settings.compression and self._writer.takes_deflated
        for listener in sockets:
            self._servers.append(
                await serve(
                    self._serve_client,
                    sock=listener,
                    process_request=self._answer_handshake,
                    create_connection=StreamSocket,
                    backlog=BACKLOG,
                    compression=None,
                    extensions=[SHARED_DEFLATE] if compresses else None,
                    max_size=settings.max_message_bytes,
                    # Ours are sent for all connections together.
                    ping_interval=None,
                    close_timeout=settings.close_timeout_s,
                    write_limit=settings.high_water_bytes,
                    server_header="odin-streamer",
                    logger=_library_logger,
                )
            )
        self._journal.listening(settings.host, self.port, self.url)
        self.flush()

    async def stop(self, *, send_all: bool = False) -> None:
        """
        Let no one in, say good-bye to everyone, and return when all are gone (rule C-6).

        Args:
            send_all: Close each client once every byte meant for it has left,
                however long that takes while it reads. Else clients are closed
                one after the other over the drain time, so that they do not
                all come back at once.

        """
        for server in self._servers:
            server.close(close_connections=False)
        settings = self._settings
        drain_s = 0.0 if send_all else settings.drain_s
        self._hub.shut_down(round(drain_s * 1000) + RECONNECT_MARGIN_MS, self._now())
        self.flush()
        links = list(self._links.values())
        await asyncio.gather(
            *(
                self._finish(link, drain_s * index / len(links), send_all=send_all)
                for index, link in enumerate(links)
            )
        )
        for socket in list(StreamSocket.everyone):
            # Those that connected and never asked for anything, as browsers do.
            if socket.server in self._servers and socket.protocol.state is CONNECTING:
                socket.transport.abort()
        await asyncio.gather(*(server.wait_closed() for server in self._servers))
        self.flush()
        self._stalls.close()
        self._pings.close()
        for timer in (self._timer, self._flush_soon):
            if timer is not None:
                timer.cancel()

    def abort(self) -> None:
        """Cut all connections at once."""
        for server in self._servers:
            server.close(close_connections=False)
        for link in list(self._links.values()):
            link.socket.transport.abort()

    def replace_access(self, access: AccessList) -> None:
        """Take a new list of tokens; close the connections of those that are no longer valid."""
        self._access = access
        now = self._now()
        for connection, link in self._links.items():
            digest = link.socket.digest
            if digest is None or access.principal(digest) != link.socket.principal:
                self._hub.end(connection, ACCESS_REVOKED, "access revoked", now)
        self.flush()

    def relist(self, instruments: InstrumentTable) -> Relisting:
        """Take another list of instruments; return what is different in it."""
        relisting = self._hub.relist(instruments, self._now())
        self.flush()
        return relisting

    def renew_reference(self) -> None:
        """Take the figures of end-of-day files again: others were imported."""
        self._hub.renew_reference(self._now())
        self.flush()

    def pass_time(self) -> None:
        """Let the market's time come to the present, and write what follows."""
        self._hub.handle_timer(self._now())
        self.flush()

    # --- the feed

    def feed(self, messages: Sequence[FeedMessage]) -> None:
        """Take what the feed sent, and write what follows."""
        self._hub.feed(messages, self._now())
        self._fed.set()
        self.flush()

    def upstream(self, state: UpstreamState) -> None:
        """Note how the connection to the feed fares."""
        self._hub.upstream(state, self._now())
        self._journal.upstream(state)
        self.flush()

    async def ready_for_feed(self) -> None:
        """Wait until no client has more than the high-water mark waiting for it."""
        await self._no_one_paused.wait()

    # --- what follows from an input

    def flush(self) -> None:
        """Carry out what the hub left behind: save, write, tell the feed, set the timer."""
        if self._flush_soon is not None:
            self._flush_soon.cancel()
            self._flush_soon = None
        if self._hub.is_catching_up:
            self._hub.catch_up(self._now())
        self._save_changes()
        links, send = self._links, self._writer.send
        for connection in self._hub.take_dirty():
            link = links.get(connection)
            if link is None:
                continue
            if link.is_clear and connection.closing is None:
                # As _write would, if all goes well: this runs for every quote.
                if not send(link):
                    self._look_after(link)
            else:
                self._write(link)
        if self._ready_again:
            for link in list(self._ready_again):
                self._write(link)
            self._ready_again.clear()
        subscribe, unsubscribe = self._hub.take_interest()
        if subscribe or unsubscribe:
            self._change_interest(subscribe, unsubscribe)
        self._journal.look_at(self._hub)
        self._set_timer()
        if self._hub.is_catching_up:
            self._flush_later()

    def _flush_later(self) -> None:
        """Flush once this turn of the event loop is done, and all that came with it."""
        if self._flush_soon is None:
            self._flush_soon = asyncio.get_running_loop().call_soon(self.flush)

    def _save_changes(self) -> None:
        """Make changes durable, or see to it that nobody is told they are (rule P-2)."""
        changes = self._hub.take_changes()
        if changes:
            loop = asyncio.get_running_loop()
            try:
                if loop.time() < self._save_again_at:
                    raise StoreError(self.store_problem or "the session store failed")
                self._save(changes)
            except StoreError as error:
                self._hub.changes_failed(changes)
                self._refuse_to_acknowledge(changes, error)
            else:
                if self.store_problem is not None:
                    _logger.info("sessions are saved again")
                self.store_problem = None
        self._asking.clear()

    def _refuse_to_acknowledge(self, changes: ClientChanges, error: StoreError) -> None:
        if self.store_problem is None:
            _logger.error("sessions cannot be saved, requests go unanswered: %s", error)
        self.store_problem = str(error)
        loop = asyncio.get_running_loop()
        if loop.time() >= self._save_again_at:
            self._save_again_at = loop.time() + SAVE_AGAIN_S
            loop.call_later(SAVE_AGAIN_S, self._flush_later)
        unsaved = {record.client_id for record in changes.saved}.union(changes.removed)
        now = self._now()
        for connection in self._asking:
            if connection.client_id in unsaved:
                connection.outbox.take()
                self._hub.end(connection, INTERNAL_ERROR, "the session cannot be saved", now)

    def _write(self, link: Link) -> None:
        """Write what waits for a client, if it can be written."""
        if link.connection.closing is not None:
            self._begin_close(link)
        elif not link.outbox.slow and not self._writer.send(link):
            self._look_after(link)

    def _look_after(self, link: Link) -> None:
        """Follow a client that did not take everything at once."""
        if link.transport.get_write_buffer_size():
            self._stalls.watch(link)
        if link.outbox:
            link.outbox.slow = True

    def _begin_close(self, link: Link) -> None:
        closing = link.connection.closing
        if link.closing is None and closing is not None:
            self._writer.send(link)
            link.closing = asyncio.create_task(self._close(link, *closing))

    def _set_timer(self) -> None:
        """
        Let the hub's next deadline wake us.

        Woken too early, by a nap or a timer that is not exact, the hub does
        nothing, and the next flush sets the timer again.
        """
        deadline = self._hub.next_deadline()
        if deadline == self._timer_deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_deadline = deadline
        delay_s = min(max(0, deadline - self._now()) / 1e9, LONGEST_NAP_S)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer_deadline = None
        self.pass_time()

    # --- clients

    def _answer_handshake(
        self, socket: ServerConnection, request: Request
    ) -> Response | Awaitable[Response] | None:
        """Answer a plain HTTP request or refuse a handshake; None lets the upgrade happen."""
        assert isinstance(socket, StreamSocket)
        path, query = split_target(request.path)
        headers = request.headers
        if path in ADMIN_PATHS and self._admin is not None:
            return self._admin.answer(request.method, path, query, headers)
        if path == QUOTES_PATH:
            return self._answer_quotes(request.method, query, headers)
        if path != STREAM_PATH:
            return self._pages.answer(request.method, path, query, headers)
        if "websocket" not in ",".join(headers.get_all("Upgrade")).lower():
            refusal = Refusal.because(426, "invalid_request", "This path speaks WebSocket only")
            return json_response(refusal.status, refusal.body, Upgrade="websocket")
        refused = self._judge(socket, query, request)
        if refused is None:
            return None
        return json_response(refused.status, refused.body)

    async def _answer_quotes(self, method: str, query: str, headers: Headers) -> Response:
        """Answer once the feed has told of all stocks, or had the time to."""
        hub = self._hub
        authorization = next(iter(headers.get_all("Authorization")), None)
        if hub.upstream_state == "connected" and self._may_read(query, authorization) is None:
            keys = hub.ask_for(asked_stocks(query), self._now())
            self.flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_QUOTE_S):
                    while hub.lacks(keys):
                        self._fed.clear()
                        await self._fed.wait()
        return self._pages.answer(method, QUOTES_PATH, query, headers)

    def _judge(self, socket: StreamSocket, query: str, request: Request) -> Refusal | None:
        headers = request.headers
        origins = headers.get_all("Origin")
        for origin in origins:
            if not origin_allowed(origin, self._settings.origins):
                return Refusal.because(
                    403,
                    "unauthorised",
                    f"Pages of {origin} may not connect; the server allows others with --origin",
                )
        authorization = next(iter(headers.get_all("Authorization")), None)
        opening = read_opening(query, authorization)
        if isinstance(opening, Refusal):
            return opening
        if self._access is not None:
            socket.digest = digest_token(opening.token or "")
            socket.principal = self._access.principal(socket.digest)
            if socket.principal is None:
                return _no_access()
        socket.opening = opening
        return self._hub.admit(opening.client_id, socket.principal, self._now())

    def _may_read(self, query: str, authorization: str | None) -> Refusal | None:
        if self._access is None:
            return None
        opening = read_opening(query, authorization)
        token = bearer_token(authorization) if isinstance(opening, Refusal) else opening.token
        if token and self._access.principal(digest_token(token)) is not None:
            return None
        return _no_access()

    async def _serve_client(self, socket: ServerConnection) -> None:
        assert isinstance(socket, StreamSocket)
        hub, opening = self._hub, socket.opening
        connection = hub.connect(
            opening.client_id,
            self._now(),
            principal=socket.principal,
            heartbeat_s=opening.heartbeat_s,
            deflates=deflates(socket),
        )
        socket.forget_handshake()
        link = self._links[connection] = self._by_socket[socket] = Link(connection, socket)
        socket.on_pause = lambda paused: self._on_pause(link, paused)
        self._pings.add(socket)
        self._journal.client_connected(connection.client_id, hub.connections)
        self._flush_later()
        try:
            async for message in socket:
                self._asking[connection] = None
                hub.receive(connection, message, self._now())
                # Until the next one comes, for hours maybe, its text is of no use.
                del message
                self._flush_later()
                # One message, then the others' turn: reading does not wait as
                # long as messages are there.
                await asyncio.sleep(0)
        except ConnectionClosed:
            pass
        finally:
            self._forget(link)

    def _forget(self, link: Link) -> None:
        connection, socket = link.connection, link.socket
        del self._links[connection]
        del self._by_socket[socket]
        socket.on_pause = None
        self._pings.forget(socket)
        self._stalls.forget(link)
        self._ready_again.pop(link, None)
        self._asking.pop(connection, None)
        self._let_feed_go_on(link)
        self._hub.disconnect(connection, self._now())
        self._journal.client_gone(
            connection.client_id,
            self._hub.connections,
            socket.close_code,
            socket.close_reason or "",
        )
        self._flush_later()

    async def _close(self, link: Link, code: int, reason: str) -> None:
        """Close a socket after what was handed over; a client that does not read is cut off."""
        socket = link.socket
        self._stalls.forget(link)
        self._let_feed_go_on(link)
        try:
            async with asyncio.timeout(self._settings.close_timeout_s):
                while link.outbox:
                    await self._writer.settle(socket)
                    self._writer.send(link)
                await self._writer.settle(socket)
                await socket.close(code, reason)
        except TimeoutError:
            socket.transport.abort()

    async def _finish(self, link: Link, delay_s: float, *, send_all: bool) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await link.socket.wait_closed()
        if send_all:
            await self._send_all(link)
        self._hub.end(link.connection, SERVICE_RESTART, "the server is shutting down", self._now())
        self.flush()
        await link.socket.wait_closed()

    async def _send_all(self, link: Link) -> None:
        """Wait until a client was sent everything; being stalled for long ends it as ever."""
        socket = link.socket
        # With no high-water mark, draining means that nothing is left.
        link.transport.set_write_buffer_limits(high=0)
        try:
            while socket.protocol.state is OPEN:
                self.flush()
                await self._writer.settle(socket)
                await socket.drain()
                if link.connection.last_quotes:
                    # Each flush sends some of them.
                    await asyncio.sleep(0)
                elif not link.outbox and not link.transport.get_write_buffer_size():
                    return
        except OSError:
            # The connection broke; reading notices and forgets it.
            pass

    # --- slow clients

    def _on_pause(self, link: Link, paused: bool) -> None:
        """Follow a socket above and below its high-water mark (rule M-5)."""
        link.outbox.slow = paused
        if paused:
            self._paused.add(link)
            self._no_one_paused.clear()
        else:
            self._let_feed_go_on(link)
            self._ready_again[link] = None
            self._flush_later()

    def _on_ready(self, socket: ServerConnection) -> None:
        link = self._by_socket.get(socket)
        if link is not None:
            link.outbox.slow = link.socket.paused
            self._ready_again[link] = None
            self._flush_later()

    def _let_feed_go_on(self, link: Link) -> None:
        self._paused.discard(link)
        if not self._paused:
            self._no_one_paused.set()

    def _on_silence(self, socket: WiredConnection) -> None:
        connection = self._by_socket[socket].connection
        self._hub.end(connection, INTERNAL_ERROR, "keepalive ping timeout", self._now())
        self._flush_later()

    def _on_stall(self, link: Link) -> None:
        reason = f"slow consumer: read nothing for {self._settings.stall_s:g} s"
        self._hub.end(link.connection, SLOW_CONSUMER, reason, self._now())
        self._flush_later()


def _event_loop_name() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def _no_access() -> Refusal:
    return Refusal.because(
        401,
        "unauthorised",
        "Found no valid access token; expected ?token= or an Authorization: Bearer header",
    )
