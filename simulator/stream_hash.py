"""
The SHA-256 of what a feed says: one figure that two runs can be compared by.

The window is played for real, on a socket, to a client that subscribes every
instrument, at any speed. Hashed are the texts of the feed as they come out of
the frames, each behind its length: how they were spread over frames depends on
the speed, what they say does not. Heartbeats that only repeat the time, and
the end of the connection, are left out.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from fractions import Fraction

from websockets.asyncio.client import connect

from simulator.clock import SimClock
from simulator.faults import CATALOGUE, Layer, Planned
from simulator.feed import FeedServer
from simulator.player import Player
from simulator.programme import Programme
from simulator.replay import Replay
from simulator.sockets import open_listener
from simulator.timer import DeadlineTimer
from streamer.errors import ConfigError
from streamer.odin.connection import MAX_INSTRUMENTS, ClientConnection
from streamer.odin.framing import ResponseDecoder, split_body
from streamer.odin.tags import Code, InstrumentKey

__all__ = ["HASHABLE", "stream_hash"]

HASHABLE = frozenset(fault.name for fault in CATALOGUE if fault.layer is Layer.MESSAGE) | {
    "mute",
    "burst",
    "heartbeat-stops",
}
"""Faults that change what the feed says; the others change how, or whether, it arrives."""

_HEARTBEAT = b"|64=%d|" % Code.HEARTBEAT
_LOGOFF = b"|64=%d|" % Code.LOGOFF


class _Digest:
    """Takes frames in any order of sizes; knows when the feed has logged off."""

    def __init__(self) -> None:
        self.has_ended = False
        self.texts = 0
        self._hash = hashlib.sha256()
        self._decoder = ResponseDecoder()
        self._heartbeat = b""

    def take(self, frame: bytes) -> None:
        for body in self._decoder.feed(frame):
            for text in split_body(body):
                head = text[:32]
                if _LOGOFF in head:
                    self.has_ended = True
                if self.has_ended or (_HEARTBEAT in head and text == self._heartbeat):
                    continue
                if _HEARTBEAT in head:
                    self._heartbeat = text
                self._hash.update(b"%05d" % len(text))
                self._hash.update(text)
                self.texts += 1

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


async def stream_hash(
    replay: Replay,
    keys: Sequence[InstrumentKey],
    *,
    rate: Fraction | None,
    plan: Sequence[Planned] = (),
    seed: int = 0,
    on_progress: Callable[[int], None] = lambda updates: None,
) -> tuple[str, int]:
    """
    Play a window; return the SHA-256 of its stream, and how many texts it has.

    Args:
        replay: The window, at its start.
        keys: Every instrument that is subscribed, in order.
        rate: Simulated seconds per second; None for as fast as it goes.
        plan: Faults, all of them `HASHABLE`.
        seed: Chooses what is random about them.
        on_progress: Told now and then how many updates were played.

    Raises:
        ConfigError: If a fault is not hashable, or there are too many
            instruments for one connection.

    """
    for planned in plan:
        if planned.fault.name not in HASHABLE:
            raise ConfigError(
                f"found the fault {planned.fault.name}, which changes how the stream arrives and"
                f" not what it says; expected one of {', '.join(sorted(HASHABLE))}"
            )
    if len(keys) > MAX_INSTRUMENTS:
        raise ConfigError(
            f"found {len(keys)} instruments; expected {MAX_INSTRUMENTS} at most, which is what"
            " one connection may subscribe"
        )
    programme = Programme(replay, start=replay.start, end=replay.end)
    # Everything is heard, whatever the speed: the client holds the feed back.
    feed = FeedServer(replay.state, second=replay.start, conflate=False, plan=plan, seed=seed)
    digest = _Digest()
    async with AsyncExitStack() as stack:
        listener = open_listener("127.0.0.1", 0, option="the feed's port")
        await feed.start(listener)
        stack.push_async_callback(feed.close, "the stream is hashed")
        timer = DeadlineTimer()
        stack.callback(timer.close)
        player = Player(
            replay=replay,
            programme=programme,
            clock=SimClock(replay.start, rate, monotonic=time.monotonic_ns),
            feed=feed,
            timer=timer,
            wait_for_sockets=True,
        )
        port = listener.getsockname()[1]
        client = await stack.enter_async_context(
            connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None, ping_interval=None)
        )
        odin = ClientConnection("HASH")
        for frame in (odin.logon(0), *odin.subscribe(keys, 0)):
            await client.send(frame)
        while feed.instruments_wanted < len(keys):
            await feed.wait_for_news()
        player.start()
        playing = asyncio.create_task(_play(player, feed))
        try:
            while not digest.has_ended:
                digest.take(await client.recv(decode=False))
                on_progress(player.updates)
                if playing.done():
                    playing.result()
            await playing
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
    return digest.hexdigest(), digest.texts


async def _play(player: Player, feed: FeedServer) -> None:
    running = asyncio.create_task(player.run())
    finished = asyncio.create_task(player.finished.wait())
    try:
        await asyncio.wait([running, finished], return_when=asyncio.FIRST_COMPLETED)
        try:
            if running.done():
                running.result()
        finally:
            # The client waits for it, also where a row cannot be replayed.
            await feed.log_off("the window is over")
    finally:
        for task in (running, finished):
            task.cancel()
        await asyncio.gather(running, finished, return_exceptions=True)
