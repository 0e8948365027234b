"""
One client connection, as a case sees it.

Messages are read as they come and kept in order. A wait takes the first
message that it was for and has not been taken yet; whatever else comes stays.
Every wait has a deadline, and one that passes says what came instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from conformance.expect import Unmet, shown
from conformance.patience import at_most
from conformance.plain_http import HttpReply
from conformance.wire import WireLog

__all__ = ["REPLY_TYPES", "WAIT_S", "Message", "Peer", "Refused", "Watcher"]

WAIT_S: Final = 5.0
"""How long a reply may take, before --timeout-scale."""

_SLICE_S: Final = 0.25
MAX_RECEIVED: Final = 200_000
_REMEMBERED: Final = 200

REPLY_TYPES: Final[Mapping[str, str]] = {
    "subscribe": "subscription_response",
    "unsubscribe": "subscription_response",
    "get_subscriptions": "subscriptions",
    "market_status": "market_status",
    "ping": "pong",
}


class Message(dict[str, Any]):
    """A JSON object that came, its keys in the order in which they came."""

    __slots__ = ("index", "ms", "raw", "taken")

    def __init__(self, fields: Mapping[str, Any], *, raw: str, ms: float, index: int) -> None:
        super().__init__(fields)
        self.raw = raw
        self.ms = ms
        """When it came, since the case began."""
        self.index = index
        """Its place among all frames of its connection, from 0."""
        self.taken = False

    @property
    def type(self) -> str:
        """Its type; empty if it has none."""
        kind = self.get("type")
        return kind if isinstance(kind, str) else ""

    @property
    def is_notice(self) -> bool:
        """Whether it is a market_status that nobody asked for: the market opened or closed."""
        if self.type != "market_status":
            return False
        data = self.get("data")
        return self.get("status") == "info" or (isinstance(data, dict) and "event" in data)


class Watcher(Protocol):
    """Sees every frame of every connection, for what must hold always."""

    def opened(self, peer: Peer) -> None:
        """A connection was made."""

    def sent(self, peer: Peer, fields: Mapping[str, Any]) -> None:
        """A request goes out."""

    def came(self, peer: Peer, message: Message) -> None:
        """A JSON object came."""

    def strange(self, peer: Peer, frame: str | bytes, why: str) -> None:
        """A frame came that is no JSON object in text."""


class Refused(Exception):
    """The server answered the opening request with something else than an upgrade."""

    def __init__(self, reply: HttpReply) -> None:
        super().__init__(f"HTTP {reply.status}: {reply.body[:200].decode(errors='replace')}")
        self.reply = reply


class Peer:
    """
    A client; made by ``world.connect``.

    Args:
        name: What the wire log calls it.
        socket: Its connection.
        wire: Takes down its frames.
        watcher: Sees them.
        scale: What deadlines are multiplied by.

    """

    def __init__(
        self,
        name: str,
        client_id: str | None,
        socket: ClientConnection,
        *,
        wire: WireLog,
        watcher: Watcher,
        scale: float,
    ) -> None:
        self.name = name
        self.client_id = client_id or ""
        """As it was asked for; once the welcome is read, as the server told it."""
        self.welcome: Message
        self.received: list[Message] = []
        """Every JSON object that came, in order."""
        self.closed: tuple[int, str] | None = None
        """Close code and reason once the connection has ended; 1006 without a close frame."""
        self.socket = socket
        self._wire = wire
        self._watcher = watcher
        self._scale = scale
        self.forgets = False
        """Whether only the newest messages are kept, for a client that hears all of a run."""
        self._frames = 0
        self._pings_of_case = 0
        self._settling: asyncio.Future[None] | None = None
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        name: str,
        url: str,
        client_id: str | None,
        *,
        wire: WireLog,
        watcher: Watcher,
        scale: float,
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
        **settings: Any,
    ) -> Self:
        """
        Connect.

        Args:
            name: What the wire log calls it.
            url: With its query.
            client_id: As in the query; None if it is left out there.
            wire: Takes down its frames.
            watcher: Sees them.
            scale: What deadlines are multiplied by.
            headers: More headers of the opening request.
            receive_buffer: Bytes of the socket's buffer, for a client that reads slowly.
            settings: Of websockets' connect.

        Raises:
            Refused: If the server answers with another status than 101.
            Unmet: If there is no connection, or no answer.

        """
        if receive_buffer is not None:
            settings["sock"] = await _small_socket(url, receive_buffer)
        options: dict[str, Any] = {
            "compression": None,
            "ping_interval": None,
            "max_queue": None,
            "max_size": 2**26,
            "close_timeout": 2.0 * scale,
            "open_timeout": None,
            "proxy": None,
            "additional_headers": dict(headers or {}),
        }
        wire.add(name, "note", f"connects to {url}")
        try:
            async with at_most(WAIT_S * scale):
                socket = await connect(url, **(options | settings))
        except InvalidStatus as error:
            answer = error.response
            reply = HttpReply(
                answer.status_code,
                {key.lower(): value for key, value in answer.headers.raw_items()},
                bytes(answer.body or b""),
            )
            wire.add(name, "note", f"refused with HTTP {reply.status}")
            raise Refused(reply) from None
        except TimeoutError:
            wire.add(name, "note", "no connection in time")
            expected = f"a WebSocket connection within {WAIT_S * scale:g} s"
            raise Unmet(expected, "an opening handshake that does not end") from None
        except (OSError, InvalidHandshake) as error:
            wire.add(name, "note", f"no connection: {error}")
            raise Unmet("a WebSocket connection", str(error) or type(error).__name__) from None
        peer = cls(name, client_id, socket, wire=wire, watcher=watcher, scale=scale)
        watcher.opened(peer)
        return peer

    # --- sending

    async def send_json(self, fields: Mapping[str, Any]) -> None:
        """Send one JSON object."""
        self._watcher.sent(self, fields)
        if fields.get("action") == "ping":
            self._pings_of_case += 1
        await self.send_text(orjson.dumps(fields).decode())

    async def send_text(self, text: str | bytes) -> None:
        """Send a text frame; bytes go out as they are, be they UTF-8 or not."""
        self._wire.add(self.name, "out", text)
        await self._send(text, text=True)

    async def send_binary(self, data: bytes) -> None:
        """Send a binary frame."""
        self._wire.add(self.name, "out", data)
        await self._send(data, text=False)

    async def request(self, action: str, *, within: float = WAIT_S, **fields: Any) -> Message:
        """
        Send a request and return its reply, or the error that came in its place.

        Other messages that come first stay in ``received``.
        """
        sent = {"action": action, **fields}
        await self.send_json(sent)
        return await self.reply_to(action, within=within)

    async def reply_to(self, action: str, *, within: float = WAIT_S) -> Message:
        """Wait for the reply to a request that was sent already, or for an error."""
        kind = REPLY_TYPES.get(action, "error")
        return await self.wait_for(
            kind, "error", where=lambda message: not message.is_notice, within=within
        )

    async def subscribe(self, *stocks: Any, **fields: Any) -> Message:
        """Subscribe stocks and return the reply."""
        return await self.request("subscribe", stocks=list(stocks), **fields)

    async def unsubscribe(self, *stocks: Any, **fields: Any) -> Message:
        """Unsubscribe stocks and return the reply."""
        return await self.request("unsubscribe", stocks=list(stocks), **fields)

    # --- waiting

    async def wait_for(
        self,
        *types: str,
        where: Callable[[Message], bool] = lambda _: True,
        what: str = "",
        within: float = WAIT_S,
    ) -> Message:
        """
        Take the first message of these types that ``where`` holds for; wait if there is none yet.

        Args:
            types: Any of them; none given: of any type.
            where: What else must hold.
            what: What is waited for, in words, if the types do not say it.
            within: Seconds, multiplied by --timeout-scale.

        Raises:
            Unmet: If none comes in time, or the connection ends before.

        """
        expected = what or f"a {' or '.join(types) or 'message'}"
        looked_at = 0
        left = seconds = within * self._scale
        while True:
            for message in self.received[looked_at:]:
                if not message.taken and (not types or message.type in types) and where(message):
                    message.taken = True
                    return message
            looked_at = 0 if self.forgets else len(self.received)
            if self.closed is not None:
                raise Unmet(expected, f"the connection closed with {self._ending()}")
            if left <= 0:
                raise Unmet(f"{expected} within {seconds:g} s", self._untaken())
            left = await self._news_within(left)

    async def wait_closed(self, *, within: float = WAIT_S) -> tuple[int, str]:
        """
        Wait for the connection's end; return close code and reason.

        Raises:
            Unmet: If it does not end in time.

        """
        left = seconds = within * self._scale
        while self.closed is None:
            if left <= 0:
                raise Unmet(f"the connection closed within {seconds:g} s", "an open one")
            left = await self._news_within(left)
        return self.closed

    async def ping(self, *, within: float = WAIT_S) -> Message:
        """Send the guide's ping and return the pong."""
        return await self.request("ping", within=within)

    async def ping_frame(self, *, within: float = WAIT_S) -> None:
        """Send a WebSocket ping and wait for its pong."""
        try:
            async with at_most(within * self._scale):
                await (await self.socket.ping())
        except (TimeoutError, ConnectionClosed) as error:
            raise Unmet("a WebSocket pong", type(error).__name__) from None

    # --- looking back

    def mark(self) -> int:
        """Return the present place in ``received``, for :meth:`messages`."""
        return len(self.received)

    def messages(self, *types: str, since: int = 0) -> list[Message]:
        """Return the messages of these types (all without any) that came since a mark."""
        return [message for message in self.received[since:] if not types or message.type in types]

    def data(self, symbol: str = "", *, since: int = 0) -> list[Message]:
        """Return ``market_data``, of one symbol or all, that came since a mark."""
        return [
            message
            for message in self.messages("market_data", since=since)
            if not symbol or message.get("symbol") == symbol
        ]

    def notices(self, *, since: int = 0) -> list[Message]:
        """Return the market_status messages that came unasked since a mark."""
        return [message for message in self.received[since:] if message.is_notice]

    # --- ending

    async def close(self, code: int = 1000) -> None:
        """Close cleanly."""
        self._wire.add(self.name, "note", f"closes with {code}")
        await self.socket.close(code)
        await self._reading

    async def drop(self) -> None:
        """Cut the line without a close frame (TCP RST)."""
        self._wire.add(self.name, "note", "drops the connection")
        transport = self.socket.transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await self._reading

    def pause_reading(self) -> None:
        """Read nothing more from the socket, as a client does that hangs."""
        self._wire.add(self.name, "note", "stops reading")
        with contextlib.suppress(RuntimeError):
            self.socket.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._wire.add(self.name, "note", "reads on")
        with contextlib.suppress(RuntimeError):
            self.socket.transport.resume_reading()

    # --- reading

    async def settle(self, *, within: float = WAIT_S) -> None:
        """
        Wait until what was sent before has come: a ping of the suite's own, and its pong.

        The pong does not stand in ``received``.
        """
        pong = self._settling = asyncio.get_running_loop().create_future()
        seconds = within * self._scale
        try:
            await self.send_text('{"action":"ping"}')
            async with at_most(seconds):
                await pong
        except TimeoutError:
            raise Unmet(f"a pong to a ping within {seconds:g} s", self._untaken()) from None
        finally:
            self._settling = None
            if pong.done() and not pong.cancelled():
                # Looked at, for the connection may have ended before anybody waited.
                pong.exception()

    async def _send(self, data: str | bytes, *, text: bool) -> None:
        try:
            async with at_most(WAIT_S * self._scale):
                await self.socket.send(data, text=text)
        except ConnectionClosed:
            await self._reading
            raise Unmet("an open connection", f"it closed with {self._ending()}") from None
        except TimeoutError:
            raise Unmet("a server that reads", "one that takes nothing any more") from None

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self.socket.recv())
        except ConnectionClosed as error:
            frame = error.rcvd
            self.closed = (1006, "") if frame is None else (frame.code, frame.reason)
            self._wire.add(self.name, "note", f"closed with {self._ending()}")
        finally:
            if self.closed is None:
                self.closed = (1006, "the suite stopped reading")
            if self._settling is not None and not self._settling.done():
                self._settling.set_exception(
                    Unmet("a pong to a ping", f"the connection closed with {self._ending()}")
                )
            self._news.set()

    def _take(self, frame: str | bytes) -> None:
        index = self._frames
        self._frames += 1
        self._wire.add(self.name, "in", frame)
        if isinstance(frame, bytes):
            self._watcher.strange(self, frame, "a binary frame")
            return
        try:
            fields = orjson.loads(frame)
        except ValueError as error:
            self._watcher.strange(self, frame, f"no JSON: {error}")
            return
        if not isinstance(fields, dict):
            self._watcher.strange(self, frame, "JSON, but no object")
            return
        message = Message(fields, raw=frame, ms=self._wire.elapsed_ms(), index=index)
        self._watcher.came(self, message)
        if message.type == "pong" and self._is_settled():
            return
        if len(self.received) < MAX_RECEIVED:
            self.received.append(message)
        if self.forgets and len(self.received) > _REMEMBERED:
            del self.received[: _REMEMBERED // 2]
        self._news.set()

    def _is_settled(self) -> bool:
        """Take a pong that nobody but the suite has asked for."""
        if self._pings_of_case:
            self._pings_of_case -= 1
            return False
        if self._settling is None or self._settling.done():
            return False
        self._settling.set_result(None)
        return True

    def _ending(self) -> str:
        code, reason = self.closed or (1006, "")
        return f"{code} {reason}".rstrip()

    async def _news_within(self, left: float) -> float:
        """
        Wait for news, a slice of the time at most; return the seconds that are left then.

        A slice counts as such, however long it took: a machine that stood still
        for a minute has not waited a minute for the server.
        """
        self._news.clear()
        loop = asyncio.get_running_loop()
        began, slice_s = loop.time(), min(left, _SLICE_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(slice_s):
                await self._news.wait()
        return left - min(loop.time() - began, slice_s)

    def _untaken(self) -> str:
        others = [message for message in self.received if not message.taken]
        if not others:
            return "nothing"
        last: Sequence[Message] = others[-1:]
        return f"{len(others)} other messages, the last {shown(last[0])}"


async def _small_socket(url: str, size: int) -> socket.socket:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    address = (await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM))[0]
    raw = socket.socket(address[0], socket.SOCK_STREAM)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    raw.setblocking(False)
    await loop.sock_connect(raw, address[4])
    return raw
