"""
How much memory a connection costs that does nothing, its session included.

``odin-streamer serve`` runs as a user starts it. Clients connect, subscribe 50
stocks each, and are silent; the memory of the process is looked at with 200 and
with 1,000 of them. The difference is what 800 connections with their sessions
cost, without what the process holds anyway. Beside it stands the library alone.

It does not show connections that lag (at most ``--high-water-bytes`` and one
update of each instrument each), nor what the kernel holds for a socket.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.benchmarks._command import Answer, Goal, at_most, parser, run
from tests.benchmarks._load import medians
from tests.benchmarks._machine import resident_bytes
from tests.benchmarks._streamer import (
    ROOT,
    Plain,
    allow_many_sockets,
    folder,
    serving,
    subscribe_to,
)
from tests.benchmarks._workload import symbol

FEW, MANY = 200, 1000
STOCKS = 50
INSTRUMENTS = 500
KB = 1024

PEER = """
import asyncio, sys
from websockets.asyncio.server import serve
async def main():
    async def take(socket):
        async for message in socket:
            await socket.send('{"type":"subscription_response"}')
    async with serve(take, "127.0.0.1", 0, compression=None, backlog=1024) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""


@contextmanager
def the_library() -> Iterator[tuple[int, int]]:
    """Run a server of the library alone; return its process and port."""
    process = subprocess.Popen(
        [sys.executable, "-c", PEER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@contextmanager
def the_product() -> Iterator[tuple[int, int]]:
    """Run the streaming server; return its process and port."""
    with folder() as place, serving(place, count=INSTRUMENTS) as server:
        yield server.pid, server.port


def slope(pid: int, port: int) -> float:
    """Return how many bytes a connection adds."""
    clients: list[Plain] = []
    looks: list[int] = []
    for count in (FEW, MANY):
        while len(clients) < count:
            number = len(clients)
            client = Plain(port, f"idle-{number}")
            stocks = [symbol((number * 7 + i) % INSTRUMENTS) for i in range(STOCKS)]
            client.send(subscribe_to(stocks))
            client.next("subscription_response")
            clients.append(client)
        looks.append(resident_bytes(pid))
    for client in clients:
        client.close()
    return (looks[1] - looks[0]) / (MANY - FEW)


def measure(rounds: int) -> dict[str, float]:
    """Return KB for each connection; the servers take turns."""
    allow_many_sockets()
    kinds: dict[str, Callable[[], object]] = {"odin-streamer": the_product, "library": the_library}
    runs = []
    for _ in range(rounds):
        found = {}
        for name, kind in kinds.items():
            with kind() as (pid, port):  # type: ignore[attr-defined]
                found[name] = slope(pid, port) / KB
        runs.append({"busy": 0.0, **found})
    figures = medians(runs)
    return {name: figures[name] for name in kinds}


def goals(found: dict[str, float]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    what = "memory for an idle connection with a session"
    return [at_most(what, 16, found["odin-streamer"], "KB")]


def show(answer: Answer) -> None:
    """Print the table."""
    print(f"\n{'':<16}{'KB a connection':>18}")
    for name, size in answer["kb"].items():
        print(f"{name:<16}{size:>18.1f}")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options = parser("memory", __doc__).parse_args(arguments)

    def measure_all() -> Answer:
        found = measure(1 if options.quick else options.rounds)
        return {"kb": found, "goals": goals(found)}

    told = {"connections": f"{FEW} and {MANY}", "stocks each": STOCKS, "rounds": options.rounds}
    return run(options, told, measure_all, show)
