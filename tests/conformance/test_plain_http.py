"""Bare HTTP and WebSocket frames, as a client that follows no rules sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame
from websockets.streams import StreamReader

from conformance.plain_http import RawSocket, frame, request
from tests.conformance.scripted import scripted


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """Serve one answer to whatever is asked, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?y=1"


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n',
        b'HTTP/1.0 200 OK\r\n\r\n{"a":1}',
    ],
)
async def test_an_answer_is_read(answer: bytes) -> None:
    """By its length, in chunks, or up to the end of the connection."""
    async with answering(answer) as url:
        reply = await request(url)
    assert (reply.status, reply.json()) == (200, {"a": 1})


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n"])
async def test_what_is_no_answer_is_no_connection(answer: bytes) -> None:
    """Another protocol, or an end, is an OSError."""
    async with answering(answer) as url:
        with pytest.raises(OSError, match="no HTTP answer"):
            await request(url)


@given(
    opcode=st.sampled_from([1, 2, 9, 10]),
    payload=st.binary(max_size=125) | st.binary(min_size=126, max_size=70_000),
)
def test_a_frame_is_read_by_a_library_as_it_was_meant(opcode: int, payload: bytes) -> None:
    """What is sent masked is what websockets unmasks."""
    if opcode > 7:
        payload = payload[:125]
    reader = StreamReader()
    reader.feed_data(frame(opcode, payload))
    parsing = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    assert (done.value.value.opcode, bytes(done.value.value.data)) == (opcode, payload)


async def test_a_bare_socket_speaks_websocket() -> None:
    """An upgrade, frames both ways, and the close code."""

    async def echo(socket: ServerConnection) -> None:
        await socket.send(await socket.recv())
        await socket.close(4001)

    async with scripted(echo) as url:
        host, port = url.removeprefix("ws://").split("/")[0].split(":")
        async with await RawSocket.open(host, int(port)) as raw:
            assert (await raw.upgrade(url)).status == 101
            await raw.send_frame(1, b"hello")
            assert await raw.read_frame() == (1, b"hello")
            assert await raw.wait_close() == 4001
        async with await RawSocket.open(host, int(port)) as raw:
            assert (await raw.upgrade(url, Sec_WebSocket_Version="12")).status == 400
        async with await RawSocket.open(host, int(port)) as raw:
            assert (await raw.upgrade(url, Upgrade="")).status == 426
