"""
The servers that are compared, each in a process of its own.

    python -m tests.benchmarks._servers VARIANT CONFIG.json

``product`` is :class:`streamer.server.StreamServer` as ``odin-streamer serve``
runs it, with the hub and the session store, given the updates of a turn as its
reader of the feed gives them for one frame; it makes the messages.
``product-uvloop`` is the same on that event loop. The others are given the
messages: ``broadcast`` sends them with ``websockets.broadcast``, ``naive`` with
``await connection.send`` for one client after the other.

Prints its port as JSON, begins when a line comes on standard input, and prints
what it did.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import mmap
import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, broadcast, serve

from streamer.odin.framing import encode_frames
from streamer.odin.messages import FeedMessage
from streamer.odin.touchline import encode_touchline
from streamer.server import ServerSettings, StreamServer
from streamer.store import ClientStore
from tests.benchmarks._machine import resident_bytes
from tests.benchmarks._workload import MOMENT, PRICES, Workload, new_hub, reader, symbol, touchline

HIGH_WATER = 256 * 1024
LOOK_EVERY = 16
"""Peers without back-pressure look every so many turns whether anybody lags."""

Turn = Callable[[int], Coroutine[Any, Any, None]]


class Config(msgspec.Struct, frozen=True):
    """What to send, and where the files are."""

    workload: Workload
    heads: str
    stamps: str
    compression: str | None = None


class Stamps:
    """The file of times that the receiver reads latency from."""

    def __init__(self, path: str) -> None:
        with Path(path).open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def note(self, turn: int) -> None:
        """Write down that the updates of a turn are made now."""
        struct.pack_into("<Q", self._map, turn * 8, time.monotonic_ns())


def say(**what: object) -> None:
    """Print one JSON object."""
    print(json.dumps(what), flush=True)


async def told_to_go() -> None:
    """Wait for a line on standard input."""
    await asyncio.to_thread(sys.stdin.readline)


async def run_turns(config: Config, turn: Turn, ready: Turn) -> int:
    """Do turn after turn until the time is over; say what that took; return how many."""
    workload = config.workload
    stamps = Stamps(config.stamps)
    period = 1 / workload.turns_per_s if workload.turns_per_s else 0.0
    most_bytes = resident_bytes()
    first_bytes = most_bytes
    cpu, user, began = time.process_time(), os.times().user, time.monotonic()
    number = 0
    while number < workload.max_turns - 1 and time.monotonic() - began < workload.seconds:
        await ready(number)
        if period:
            await asyncio.sleep(max(0.0, began + number * period - time.monotonic()))
        number += 1
        stamps.note(number)
        await turn(number)
        if number % 128 == 0:
            most_bytes = max(most_bytes, resident_bytes())
        # Each turn is one of the event loop, as frames of a feed make it.
        await asyncio.sleep(0)
    say(
        turns=number,
        cpu_s=time.process_time() - cpu,
        user_s=os.times().user - user,
        wall_s=time.monotonic() - began,
        grown_bytes=most_bytes - first_bytes,
    )
    return number


def turns_of(workload: Workload) -> Callable[[int], Sequence[FeedMessage]]:
    """Return what gives the updates of a turn; they are read once, and come again."""
    odin = reader()
    seqs = [0] * workload.instruments
    # After as many turns each instrument stands where it began.
    period = math.lcm(workload.burst, workload.instruments * PRICES) // workload.burst
    pool: list[list[FeedMessage]] = []
    for turn in range(1, period + 1):
        texts: list[bytes] = []
        for number in workload.turn_numbers(turn):
            seqs[number] += 1
            texts.append(encode_touchline(touchline(number, seqs[number]), MOMENT))
        pool.append([message for frame in encode_frames(texts) for message in odin.receive(frame)])
    return lambda turn: pool[(turn - 1) % period]


async def product(config: Config) -> None:
    """Let the streaming server deliver."""
    workload = config.workload
    hub = new_hub(workload)
    batch = turns_of(workload)
    with tempfile.TemporaryDirectory() as folder:
        store = ClientStore.open(Path(folder) / "sessions.db")
        server = StreamServer(
            hub,
            ServerSettings(
                host="127.0.0.1", port=0, stall_s=60, compression=config.compression is not None
            ),
            save=store.save,
            change_interest=lambda new, gone: None,
        )
        await server.start()
        say(port=server.port)

        async def turn(number: int) -> None:
            server.feed(batch(number))

        async def ready(number: int) -> None:
            if workload.lossless:
                await server.ready_for_feed()

        await told_to_go()
        await run_turns(config, turn, ready)
        if not workload.lossless:
            await told_to_go()
        await server.stop(send_all=True)
        store.close()
        say(delivered=hub.delivered)


async def peer(config: Config, heads: Sequence[str], send: str) -> None:
    """Let the library deliver, in one of the two ways its users know."""
    workload = config.workload
    everyone: list[ServerConnection] = []
    subscribers: list[list[ServerConnection]] = [[] for _ in range(workload.instruments)]
    numbers = {symbol(number): number for number in range(workload.instruments)}

    async def take_client(socket: ServerConnection) -> None:
        request = json.loads(await socket.recv())
        for stock in request["stocks"]:
            subscribers[numbers[stock]].append(socket)
        everyone.append(socket)
        await socket.send('{"type":"subscription_response"}')
        await socket.wait_closed()

    seqs = [0] * workload.instruments

    async def turn(number: int) -> None:
        for which in workload.turn_numbers(number):
            seqs[which] += 1
            message = f"{heads[which]}{seqs[which]}}}"
            if send == "broadcast":
                broadcast(subscribers[which], message)
            else:
                for socket in subscribers[which]:
                    await socket.send(message)

    async def ready(number: int) -> None:
        if workload.lossless and number % LOOK_EVERY == 0:
            for socket in everyone:
                if socket.transport.get_write_buffer_size() > HIGH_WATER:
                    await socket.drain()

    server = await serve(
        take_client,
        "127.0.0.1",
        0,
        backlog=4096,
        compression=config.compression,
        ping_interval=None,
        write_limit=HIGH_WATER,
        max_queue=None,
    )
    say(port=next(iter(server.sockets)).getsockname()[1])
    await told_to_go()
    await run_turns(config, turn, ready)
    if not workload.lossless:
        await told_to_go()
    await asyncio.gather(*(socket.close() for socket in everyone))
    server.close()


def main() -> None:
    """Run the server that the command line names."""
    variant, path = sys.argv[1:]
    config = msgspec.json.decode(Path(path).read_bytes(), type=Config)
    if variant == "product-uvloop":
        new_loop = importlib.import_module("uvloop").new_event_loop
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(product(config))
    elif variant == "product":
        asyncio.run(product(config))
    else:
        asyncio.run(peer(config, Path(config.heads).read_text().split("\n"), variant))


if __name__ == "__main__":
    main()
