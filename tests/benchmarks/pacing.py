"""
How late updates are at 1x: at the feed's write, and at a client.

The whole of ``odin-sim replay`` runs as a user starts it, on a recording with
a steady random stream of updates. Lateness at the feed's write is the
program's own figure, from when an update was due to when it was handed to the
socket. Lateness at the client is measured here, when the client's library
hands the message over: feed, sockets, streaming server and client together.

It is measured beside a timer that only wakes up at such moments and writes as
many bytes to a socket, one write each time, which no program can beat on this
machine at that time, and twice: with a client of the
feed itself, and with one of the streaming server, whose process then shares
the machine with the feed.

It does not show bursts (the opening second of a day), many clients, or a
network. On two cores three processes are in each other's way, and so is
whatever else runs; on a virtual machine its host stops all of it for some
milliseconds now and then, and one per cent of that is in the p99.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator.timer import DeadlineTimer
from tests.benchmarks._command import Answer, Goal, at_most, parser, run
from tests.benchmarks._machine import quantile
from tests.simulator.feed_client import FeedClient
from tests.simulator.tapes import OPEN, write_tape

INSTRUMENTS = 50
FIRST_TOKEN = 900_000
SEED = 1
MS = 1_000_000
UPDATE_BYTES = 300
"""What one update takes on the wire of the feed, about."""
CLIENTS = ("feed", "streamer")
BARE = "bare timer"

Arrivals = list[tuple[int, int]]
"""(number of the update, UNIX nanoseconds of its arrival)"""


def write_workload(path: Path, updates: int, seconds: int) -> list[int]:
    """Write updates at random times; return for each its time in ns, by its number."""
    draw = random.Random(SEED)
    times_ms = sorted(draw.randrange(seconds * 1_000_000) / 1_000 for _ in range(updates))
    rows = [
        (at_ms, FIRST_TOKEN + draw.randrange(INSTRUMENTS), 100 + number / 100)
        for number, at_ms in enumerate(times_ms)
    ]
    write_tape(path, rows)
    return [OPEN + int(at_ms * MS) for at_ms in times_ms]


def number_of(price: float) -> int:
    """Return which update has a price; each has one of its own."""
    return round(price * 100) - 10_000


async def take_from_streamer(url: str) -> Arrivals:
    """Subscribe at the streaming server; return the arrivals until the end."""
    raw: list[tuple[str | bytes, int]] = []
    stocks = [f"MADEUP{FIRST_TOKEN + i}" for i in range(INSTRUMENTS)]
    async with connect(url, compression=None, max_queue=None, ping_interval=None) as client:
        await client.send(json.dumps({"type": "request", "action": "subscribe", "stocks": stocks}))
        try:
            while True:
                raw.append((await client.recv(), time.time_ns()))
        except ConnectionClosed:
            pass
    told = ((json.loads(text), at) for text, at in raw)
    return [(number_of(m["data"]["ltp"]), at) for m, at in told if m["type"] == "market_data"]


async def take_from_feed(url: str) -> Arrivals:
    """Subscribe at the feed; return the arrivals until the end."""
    offset = time.time_ns() - time.monotonic_ns()
    async with FeedClient(url) as client:
        await client.log_on()
        await client.subscribe(*((1, FIRST_TOKEN + i) for i in range(INSTRUMENTS)))
        async with asyncio.timeout(None):
            while client.close_code is None:
                await client.wait_for_arrival()
        return [
            (m.ltp - 10_000, at + offset)
            for m, at in zip(client.messages, client.arrived_at, strict=True)
            if hasattr(m, "ltp")
        ]


def processor_s(pid: int) -> float:
    """Return the processor time that a process has used; an `OSError` where that is not told."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def stolen_s() -> float:
    """Return how long the machine's host has run others instead of it; NaN if not told."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return math.nan


async def core_share(pid: int) -> float:
    """Follow a process until cancelled; return how much of a core it takes, NaN if not told."""
    looks: list[tuple[float, float]] = []
    try:
        while True:
            looks.append((time.monotonic(), processor_s(pid)))
            await asyncio.sleep(0.5)
    except (asyncio.CancelledError, OSError):
        pass
    if len(looks) < 2:
        return math.nan
    (since, used), (until, used_then) = looks[0], looks[-1]
    return (used_then - used) / (until - since)


async def measure(
    options: argparse.Namespace, directory: Path, *, through_streamer: bool
) -> dict[str, Any]:
    """Run the replay and a client of it; return the figures."""
    tape, report_path = directory / "tape.parquet", directory / "report.json"
    due = write_workload(tape, options.rate * options.seconds, options.seconds)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator.cli", "replay", str(tape), "--start-on", "subscribe",
        "--port", "0", "--feed-port", "0", "--control-port", "0",
        "--db", str(directory / "sessions.db"), "--report", str(report_path),
        *([] if through_streamer else ["--feed-only"]),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    wanted = re.compile(rb"(?:ODIN feed|WebSocket clients)\s+(ws://[^\s?]+)")
    while not (found := wanted.search(await process.stdout.readline())):
        if process.stdout.at_eof():
            raise SystemExit("the replay did not start")
    url = found[1].decode()
    following = asyncio.create_task(core_share(process.pid))
    stolen = stolen_s()
    arrivals = await (take_from_streamer(url) if through_streamer else take_from_feed(url))
    stolen = stolen_s() - stolen
    following.cancel()
    await process.communicate()
    report = json.loads(report_path.read_text())
    start = datetime.fromisoformat(report["window"]["start"][:26] + "+05:30").timestamp()
    # A timestamp's fraction has nanoseconds, more than datetime keeps.
    text = report["began"]
    began = round(datetime.fromisoformat(text[:19] + "+05:30").timestamp()) * 10**9
    began += int(text[20:29])
    late = sorted(at - (began + due[number] - round(start) * 10**9) for number, at in arrivals)
    if report["updates"] != len(due) or len(late) != len(due):
        raise SystemExit(f"{len(late):,} of {len(due):,} updates received")
    return {
        "write_ms": {k: report["lateness_ms"][k] for k in ("p50", "p99", "max")},
        "client_ms": {
            "p50": quantile(late, 0.5) / MS,
            "p99": quantile(late, 0.99) / MS,
            "max": late[-1] / MS,
        },
        "feed_core_share": await following,
        "stolen_share": stolen / options.seconds,
    }


async def measure_bare_timer(options: argparse.Namespace) -> dict[str, Any]:
    """Only wake up when updates would be due, write as much, and note how late that is."""
    draw = random.Random(SEED)
    length = options.seconds * 10**9
    begin = time.monotonic_ns() + 100 * MS
    count = options.rate * options.seconds
    due = sorted(begin + draw.randrange(length) for _ in range(count))
    late: list[int] = []
    timer = DeadlineTimer()
    near, far = socket.socketpair()
    reader = await asyncio.create_subprocess_exec(
        "cat", stdin=far.fileno(), stdout=asyncio.subprocess.DEVNULL
    )
    far.close()
    wakes = 0

    def wake() -> int | None:
        nonlocal wakes
        wakes += 1
        now = time.monotonic_ns()
        before = len(late)
        while len(late) < count and due[len(late)] <= now:
            late.append(now - due[len(late)])
        near.send(bytes(UPDATE_BYTES * (len(late) - before)))
        return due[len(late)] if len(late) < count else None

    stolen, used = stolen_s(), time.thread_time()
    await timer.wait_until(due[0], wake)
    used = time.thread_time() - used
    timer.close()
    near.close()
    await reader.wait()
    late.sort()
    found = {
        "p50": quantile(late, 0.5) / MS,
        "p99": quantile(late, 0.99) / MS,
        "max": late[-1] / MS,
    }
    return {
        "wake_ms": found,
        "stolen_share": (stolen_s() - stolen) / options.seconds,
        "core_share": used / options.seconds,
        "wakes_a_second": wakes / options.seconds,
    }


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every figure over the rounds."""
    first = rounds[0]
    return {
        name: medians([each[name] for each in rounds])
        if isinstance(value, dict)
        else statistics.median(each[name] for each in rounds)
        for name, value in first.items()
    }


def measure_all(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the medians for each kind of client; the kinds take turns."""
    kinds = [options.client] if options.client else list(CLIENTS)
    rounds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in (*kinds, BARE)}
    for _ in range(options.rounds):
        rounds[BARE].append(asyncio.run(measure_bare_timer(options)))
        for kind in kinds:
            with tempfile.TemporaryDirectory() as directory:
                through = kind == "streamer"
                found = asyncio.run(measure(options, Path(directory), through_streamer=through))
                rounds[kind].append(found)
    return {kind: medians(found) for kind, found in rounds.items()}


def goals(figures: dict[str, dict[str, Any]]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    found: list[Goal] = []
    if feed := figures.get("feed"):
        found += [
            at_most("p99 lateness at the feed's write", 0.25, feed["write_ms"]["p99"], "ms"),
            at_most("a core's share that the feed takes", 0.15, feed["feed_core_share"], ""),
        ]
    if streamer := figures.get("streamer"):
        late = streamer["client_ms"]["p99"]
        found.append(at_most("p99 lateness at a client of the streaming server", 5, late, "ms"))
    return found


def show(answer: Answer) -> None:
    """Print the tables."""
    figures = dict(answer["client_of"])
    bare = figures.pop(BARE)
    share, wakes = bare.get("core_share", math.nan), bare.get("wakes_a_second", math.nan)
    print(
        f"\na timer that does nothing but write (it takes {share:.0%} of a core,"
        f" {wakes:,.0f} wake-ups a second; the host took {bare['stolen_share']:.1%} of one away)"
    )
    row = bare["wake_ms"]
    print(f"{'late by, ms':<21}{'p50':>9}{'p99':>9}{'max':>9}")
    print(f"{'at the wake-up':<21}{row['p50']:>9.3f}{row['p99']:>9.3f}{row['max']:>9.3f}")
    for kind, found in figures.items():
        share = found["feed_core_share"]
        print(
            f"\nwith one client of the {kind} (the feed takes {share:.0%} of a core;"
            f" the host took {found['stolen_share']:.1%} of one away)"
        )
        print(f"{'late by, ms':<21}{'p50':>9}{'p99':>9}{'max':>9}")
        for name, key in (("at the feed's write", "write_ms"), ("at the client", "client_ms")):
            row = found[key]
            print(f"{name:<21}{row['p50']:>9.3f}{row['p99']:>9.3f}{row['max']:>9.3f}")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options_parser = parser("pacing", __doc__)
    options_parser.add_argument("--rate", type=int, default=5000, help="updates a second (5000)")
    options_parser.add_argument("--seconds", type=int, help="length of the recording (10; quick 3)")
    options_parser.add_argument(
        "--client", choices=CLIENTS, help="only with a client of this (both)"
    )
    options = options_parser.parse_args(arguments)
    options.seconds = options.seconds or (3 if options.quick else 10)

    def measure_them() -> Answer:
        figures = measure_all(options)
        return {"client_of": figures, "goals": goals(figures)}

    told = {
        "updates a second": options.rate,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "instruments": INSTRUMENTS,
        "speed": 1,
        "seed": SEED,
    }
    return run(options, told, measure_them, show)
