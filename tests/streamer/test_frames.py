"""Prepared frames on the installed websockets library, and the way around them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

import streamer.frames
from streamer.frames import (
    DirectWriter,
    FrameWriter,
    MessageWriter,
    Wire,
    WiredConnection,
    is_plain,
    make_writer,
    split_frames,
    try_writer,
)
from streamer.outbox import Outbox, text_frame
from tests.streamer.serving import DEADLINE_S

MakeWriter = Callable[[Callable[[ServerConnection], None]], FrameWriter]


def waiting(*frames: bytes) -> Outbox:
    """Return an outbox in which frames wait."""
    outbox = Outbox()
    for frame in frames:
        outbox.put(frame)
    return outbox


both = pytest.mark.parametrize("make", [DirectWriter, MessageWriter])


@given(st.lists(st.binary(max_size=300) | st.integers(65_000, 66_000).map(bytes)))
def test_split_frames_undoes_text_frame(payloads: list[bytes]) -> None:
    """Joined frames of any lengths come apart as they were."""
    assert split_frames(b"".join(map(text_frame, payloads))) == payloads


async def test_the_installed_library_takes_prepared_frames() -> None:
    """The fast way works here; should a new library end this, it is noticed."""
    assert isinstance(await make_writer(lambda _: None), DirectWriter)


@both
async def test_the_trial_passes_with_each_writer(make: MakeWriter) -> None:
    """Both ways deliver the same messages in the same order."""
    await try_writer(make(lambda _: None))


@pytest.mark.parametrize(
    "error", [AttributeError("no transport"), AssertionError("lost"), OSError()]
)
async def test_a_library_that_forbids_it_is_used_as_it_likes(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed trial is told once, and messages go out one by one."""

    async def fail(_: FrameWriter) -> None:
        raise error

    monkeypatch.setattr(streamer.frames, "try_writer", fail)
    assert isinstance(await make_writer(lambda _: None), MessageWriter)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "slower" in record.message


async def test_a_frame_that_does_not_arrive_is_noticed() -> None:
    """The trial compares what arrives, not only that nothing raises."""

    class Losing(DirectWriter):
        def send(self, wire: Wire) -> bool:
            del wire.outbox.frames[1:]
            return super().send(wire)

    with pytest.raises(AssertionError, match="3 of 7"):
        await try_writer(Losing(lambda _: None))


async def test_what_clients_have_in_common_is_joined_once() -> None:
    """Each gets its own frames all the same, alike or not, one or several or none."""
    writer = DirectWriter(lambda _: None)
    one, two, three = (text_frame(payload) for payload in (b"1", b"2", b"3"))
    everyone = [[one, two], [one, two], [], [one], [one, three], [one, two, three], [one, two]]
    meant = iter(everyone)

    async def send(socket: ServerConnection) -> None:
        assert writer.send(Wire(socket, waiting(*next(meant))))

    async with serve(send, "127.0.0.1", 0, create_connection=WiredConnection) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        for frames in everyone:
            async with connect(f"ws://127.0.0.1:{port}") as client:
                arrived = [str(message).encode() async for message in client]
            assert arrived == split_frames(b"".join(frames))


@both
async def test_no_frame_cuts_a_fragmented_message_in_two(make: MakeWriter) -> None:
    """While the library sends a message in parts, the writer is not ready, and says when it is."""
    ready = asyncio.Event()

    async def parts(socket: ServerConnection) -> AsyncIterator[str]:
        yield '{"a":'
        # The message is half sent here: a frame now would break it.
        if isinstance(writer, DirectWriter):
            assert not writer.send(Wire(socket, outbox))
            assert outbox
        yield "1}"

    async def handle(connection: ServerConnection) -> None:
        await connection.send(parts(connection))
        if isinstance(writer, DirectWriter):
            await ready.wait()
        writer.send(Wire(connection, outbox))
        assert not outbox
        await writer.settle(connection)

    outbox = waiting(text_frame(b"2"))
    writer = make(lambda _: ready.set())
    async with (
        asyncio.timeout(DEADLINE_S),
        serve(handle, "127.0.0.1", 0, create_connection=WiredConnection) as server,
    ):
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as client:
            assert [json.loads(message) async for message in client] == [{"a": 1}, 2]


async def test_one_by_one_the_rest_waits_until_what_was_sent_is_out() -> None:
    """The slow way takes no more than it can send, so that the rest can still be conflated."""
    ready = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        writer.send(Wire(connection, waiting(text_frame(b"1"), text_frame(b"2"))))
        rest = Wire(connection, waiting(text_frame(b"3")))
        writer.send(rest)
        assert rest.outbox
        await ready.wait()
        writer.send(rest)
        assert not rest.outbox
        await writer.settle(connection)

    writer = MessageWriter(lambda _: ready.set())
    async with asyncio.timeout(DEADLINE_S), serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as client:
            assert [message async for message in client] == ["1", "2", "3"]


@both
async def test_nothing_is_written_after_a_close(make: MakeWriter) -> None:
    """A frame behind the close frame would be a protocol error."""
    ended = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        await connection.close(4008, "enough")
        writer.send(Wire(connection, waiting(text_frame(b"late"))))
        await writer.settle(connection)
        ended.set()

    writer = make(lambda _: None)
    async with asyncio.timeout(DEADLINE_S), serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as client:
            await ended.wait()
            await client.wait_closed()
            assert client.close_code == 4008


@asynccontextmanager
async def joined(
    handle: Callable[[Wire], Awaitable[None]],
) -> AsyncIterator[ClientConnection]:
    """Give a client's wire to ``handle``, and the client to the test; both have a deadline."""
    failures: list[BaseException] = []

    async def take(socket: ServerConnection) -> None:
        try:
            await handle(Wire(socket, Outbox()))
        except BaseException as error:
            failures.append(error)
            raise

    async with (
        asyncio.timeout(DEADLINE_S),
        serve(take, "127.0.0.1", 0, create_connection=WiredConnection) as server,
    ):
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", max_size=None) as client:
            yield client
    assert not failures


@pytest.mark.skipif(os.name != "posix", reason="sockets are no files there")
async def test_an_idle_transport_is_passed_by() -> None:
    """What the system takes whole never reaches the transport; the library's own stands between."""
    writer = DirectWriter(lambda _: None)

    async def handle(wire: Wire) -> None:
        for number in range(3):
            wire.outbox.put(text_frame(b"%d" % number))
            assert writer.send(wire)
            assert wire.is_clear
            await wire.socket.send(f"the library's {number}")
            assert not wire.is_clear
        assert wire.written == 0

    async with joined(handle) as client:
        arrived = [message async for message in client]
    assert arrived == ["0", "the library's 0", "1", "the library's 1", "2", "the library's 2"]


async def test_what_the_system_does_not_take_keeps_its_place() -> None:
    """A client that reads late reads everything in order, and is written to directly again."""
    writer = DirectWriter(lambda _: None)
    reads = asyncio.Event()
    payload = b"x" * 1_000_000
    sent = 0

    async def handle(wire: Wire) -> None:
        nonlocal sent
        whole = True
        while whole:
            wire.outbox.put(text_frame(b"%d%b" % (sent, payload)))
            sent += 1
            whole = writer.send(wire)
        assert wire.transport.get_write_buffer_size()
        wire.outbox.put(text_frame(b"behind it"))
        assert not writer.send(wire)
        wire.transport.set_write_buffer_limits(high=0)
        reads.set()
        await wire.socket.drain()
        wire.outbox.put(text_frame(b"and again"))
        assert not wire.is_clear
        assert writer.send(wire) == (wire.fd >= 0)

    async with joined(handle) as client:
        await reads.wait()
        arrived = [str(message)[:9] async for message in client]
    big = [f"{number}{'x' * 9}"[:9] for number in range(sent)]
    assert arrived == [*big, "behind it", "and again"]


async def test_a_broken_socket_ends_its_connection_and_no_other() -> None:
    """An error of the system is the transport's to tell; behind the end nothing is written."""
    writer = DirectWriter(lambda _: None)
    gone = asyncio.Event()

    async def handle(wire: Wire) -> None:
        assert wire.look() == (wire.fd >= 0)
        await gone.wait()
        while wire.transport.get_extra_info("socket").fileno() >= 0:
            wire.outbox.put(text_frame(b"x" * 65536))
            writer.send(wire)
            await asyncio.sleep(0)
        assert not wire.is_clear
        wire.outbox.put(text_frame(b"late"))
        assert not writer.send(wire)
        assert not wire.look()

    async with joined(handle) as client:
        client.transport.abort()
        gone.set()


def test_an_encrypted_transport_is_not_passed_by() -> None:
    """What TLS is given is not what its socket sends."""
    assert is_plain(asyncio.Transport()) == (os.name == "posix")
    assert not is_plain(asyncio.Transport(extra={"ssl_object": object()}))
