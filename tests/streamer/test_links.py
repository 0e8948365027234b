"""Finding clients that make no progress."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

from streamer.connection import Connection
from streamer.links import Link, StallWatch, StreamSocket
from streamer.outbox import Outbox
from tests.streamer.serving import wait_until


class Transport:
    """Bytes that wait to be read, as many as the test says."""

    def __init__(self, left: int) -> None:
        self.left = left

    def get_write_buffer_size(self) -> int:
        return self.left


def link_with(left: int) -> tuple[Link, Transport]:
    """Return a link of which ``left`` bytes have not left yet."""
    transport = Transport(left)
    socket = cast(StreamSocket, SimpleNamespace(transport=transport))
    link = Link(cast(Connection, SimpleNamespace(outbox=Outbox())), socket)
    link.written = left
    return link, transport


async def test_no_progress_is_a_stall_once() -> None:
    """M-5: the time without progress counts from when the link was first looked at."""
    stalled: list[Link] = []
    watch = StallWatch(0.1, stalled.append)
    link, _ = link_with(1000)
    began = asyncio.get_running_loop().time()
    watch.watch(link)
    watch.watch(link)
    await wait_until(lambda: bool(stalled))
    assert asyncio.get_running_loop().time() - began >= 0.1
    watch.close()
    assert stalled == [link]


async def test_progress_is_what_has_left_not_what_is_left() -> None:
    """M-5: a client that reads is not stalled, though it is written more than it reads."""
    stalled: list[Link] = []
    watch = StallWatch(0.1, stalled.append)
    reading, transport = link_with(1000)
    idle, _ = link_with(1000)
    watch.watch(reading)
    watch.watch(idle)

    def read_and_write() -> bool:
        reading.written += 20
        transport.left += 10
        return bool(stalled)

    await wait_until(read_and_write)
    watch.close()
    assert stalled == [idle]


async def test_who_has_read_everything_is_not_looked_at_any_more() -> None:
    """While nobody lags, nothing runs."""
    stalled: list[Link] = []
    watch = StallWatch(0.05, stalled.append)
    link, transport = link_with(10)
    watch.watch(link)
    transport.left = 0
    await wait_until(lambda: not watch._watched)
    assert watch._timer is None
    assert stalled == []


async def test_a_forgotten_link_does_not_stall() -> None:
    """A link that is being closed has a time-out of its own."""
    stalled: list[Link] = []
    watch = StallWatch(0.05, stalled.append)
    link, _ = link_with(10)
    watch.watch(link)
    watch.forget(link)
    await wait_until(lambda: watch._timer is None)
    assert stalled == []
