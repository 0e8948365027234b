"""
HTTP/1.1 requests and bare sockets, as plain as they come.

For the simulator's control port, and for cases about what happens before or
beneath a WebSocket, where a library would refuse to do what has to be tried.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

import orjson

__all__ = ["HttpReply", "RawSocket", "request"]

_MAX_HEAD: Final = 64 * 1024
_MAX_BODY: Final = 16 * 1024 * 1024
_MAX_FRAME: Final = 64 * 1024 * 1024


class HttpReply(NamedTuple):
    """An HTTP answer; names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        """Return the body's JSON, or None if it holds none."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            return None


async def request(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: object = None,
) -> HttpReply:
    """
    Send one request on a connection of its own.

    Args:
        url: ``http://…``; ``ws://`` is taken as the same.
        method: GET, POST, ….
        headers: Besides Host, Content-Length and Connection.
        body: Sent as JSON; None sends none.

    Raises:
        OSError: If there is no connection, or the answer is none.

    """
    address = urlsplit(url)
    path = (address.path or "/") + (f"?{address.query}" if address.query else "")
    content = b"" if body is None else orjson.dumps(body)
    lines = {"Host": address.netloc, "Connection": "close", **(headers or {})}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    async with await RawSocket.open(address.hostname or "", address.port or 80) as raw:
        await raw.send(_head(f"{method} {path} HTTP/1.1", lines) + content)
        return await raw.read_reply()


def _head(first: str, headers: Mapping[str, str]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class RawSocket:
    """A TCP connection that sends whatever it is told; an async context manager."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect."""
        return cls(*await asyncio.open_connection(host, port, limit=_MAX_FRAME))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection at once."""
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def upgrade(self, url: str, **headers: str) -> HttpReply:
        """
        Ask for a WebSocket at ``url`` and return the answer; 101 if it was granted.

        Args:
            url: ``ws://…`` with its query.
            headers: More headers, ``_`` for ``-``; an empty value leaves out a usual one.

        """
        address = urlsplit(url)
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        usual = {
            "Host": address.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {
            name: value for name, value in usual.items() if name.lower() not in map(str.lower, more)
        }
        lines = kept | {name: value for name, value in more.items() if value}
        await self.send(_head(f"GET {path} HTTP/1.1", lines))
        return await self.read_reply()

    async def read_reply(self) -> HttpReply:
        """Read an HTTP answer, with its body unless it is 101."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ConnectionError(f"no HTTP answer ({error})") from None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise ConnectionError(f"no HTTP answer: {first[:100]!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        status = int(words[1])
        if status == 101:
            return HttpReply(status, headers, b"")
        return HttpReply(status, headers, await self._body(headers))

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", ""):
            body = bytearray()
            while size := int(await self.reader.readline() or b"0", 16):
                body += await self.reader.readexactly(size)
                await self.reader.readline()
            return bytes(body)
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        body = bytearray()
        with contextlib.suppress(ConnectionError):
            while chunk := await self.reader.read(65536):
                body += chunk
        return bytes(body)

    async def send_frame(
        self,
        opcode: int,
        payload: bytes = b"",
        *,
        fin: bool = True,
        masked: bool = True,
        rsv: int = 0,
    ) -> None:
        """Send a WebSocket frame, right or wrong."""
        await self.send(frame(opcode, payload, fin=fin, masked=masked, rsv=rsv))

    async def read_frame(self) -> tuple[int, bytes]:
        """
        Return opcode and payload of the next frame.

        Raises:
            ConnectionError: If the connection ended instead.

        """
        try:
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ConnectionError("the connection ended") from None

    async def wait_close(self) -> int | None:
        """
        Read until the end; return the code of the close frame, None if there was none.

        A close frame is answered, as a client does.
        """
        code: int | None = None
        with contextlib.suppress(ConnectionError):
            while True:
                opcode, payload = await self.read_frame()
                if opcode == 8 and code is None:
                    code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                    await self.send_frame(8, payload[:2])
        return code


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0
) -> bytes:
    """Return a WebSocket frame as a client sends it."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65536:
        head += bytes([mask_bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    repeated = key * (size // 4 + 1)
    body = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:size], "big")
    return head + key + body.to_bytes(size, "big")
