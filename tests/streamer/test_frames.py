"""Prepared frames on the installed websockets library, and the way around them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

import streamer.frames
from streamer.frames import (
    DirectWriter,
    FrameWriter,
    MessageWriter,
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
        def send(self, socket: ServerConnection, outbox: Outbox) -> int:
            return super().send(socket, waiting(outbox.take()[0]))

    with pytest.raises(AssertionError, match="3 of 7"):
        await try_writer(Losing(lambda _: None))


async def test_what_clients_have_in_common_is_joined_once() -> None:
    """Each gets its own frames all the same, alike or not, one or several or none."""
    writer = DirectWriter(lambda _: None)
    one, two, three = (text_frame(payload) for payload in (b"1", b"2", b"3"))
    everyone = [[one, two], [one, two], [], [one], [one, three], [one, two, three], [one, two]]
    meant = iter(everyone)

    async def send(socket: ServerConnection) -> None:
        frames = next(meant)
        assert writer.send(socket, waiting(*frames)) == len(b"".join(frames))

    async with serve(send, "127.0.0.1", 0) as server:
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
            assert writer.send(socket, outbox) == 0
            assert outbox
        yield "1}"

    async def handle(connection: ServerConnection) -> None:
        await connection.send(parts(connection))
        if isinstance(writer, DirectWriter):
            await ready.wait()
        assert writer.send(connection, outbox) == len(text_frame(b"2"))
        await writer.settle(connection)

    outbox = waiting(text_frame(b"2"))
    writer = make(lambda _: ready.set())
    async with asyncio.timeout(DEADLINE_S), serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as client:
            assert [json.loads(message) async for message in client] == [{"a": 1}, 2]


async def test_one_by_one_the_rest_waits_until_what_was_sent_is_out() -> None:
    """The slow way takes no more than it can send, so that the rest can still be conflated."""
    ready = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        assert writer.send(connection, waiting(text_frame(b"1"), text_frame(b"2"))) > 0
        rest = waiting(text_frame(b"3"))
        assert writer.send(connection, rest) == 0
        await ready.wait()
        assert writer.send(connection, rest) > 0
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
        writer.send(connection, waiting(text_frame(b"late")))
        await writer.settle(connection)
        ended.set()

    writer = make(lambda _: None)
    async with asyncio.timeout(DEADLINE_S), serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as client:
            await ended.wait()
            await client.wait_closed()
            assert client.close_code == 4008
