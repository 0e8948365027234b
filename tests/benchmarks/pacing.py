"""
How late updates are at 1x: at the feed's write, and at a client.

The whole of ``odin-sim replay`` runs as a user starts it, on a recording with
a steady random stream of updates. Lateness at the feed's write is the
program's own figure, from when an update was due to when it was handed to the
socket. Lateness at the client is measured here, when the client's library
hands the message over: feed, sockets, streaming server and client together.

It does not show bursts (the opening second of a day), many clients, or a
network. Three processes share the machine: on two cores they are in each
other's way, and so is whatever else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.benchmarks._machine import describe, machine, quantile
from tests.simulator.feed_client import FeedClient
from tests.simulator.tapes import OPEN, write_tape

INSTRUMENTS = 50
FIRST_TOKEN = 900_000
SEED = 1
MS = 1_000_000

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


async def measure(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Run the replay and a client of it; return the figures."""
    tape, report_path = directory / "tape.parquet", directory / "report.json"
    due = write_workload(tape, options.rate * options.seconds, options.seconds)
    through_feed = options.client == "feed"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator.cli", "replay", str(tape), "--start-on", "subscribe",
        "--port", "0", "--feed-port", "0", "--control-port", "0",
        "--db", str(directory / "sessions.db"), "--report", str(report_path),
        *(["--feed-only"] if through_feed else []),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    wanted = re.compile(rb"(?:ODIN feed|WebSocket clients)\s+(ws://[^\s?]+)")
    while not (found := wanted.search(await process.stdout.readline())):
        if process.stdout.at_eof():
            raise SystemExit("the replay did not start")
    url = found[1].decode()
    arrivals = await (take_from_feed(url) if through_feed else take_from_streamer(url))
    await process.communicate()
    report = json.loads(report_path.read_text())
    start = datetime.fromisoformat(report["window"]["start"][:26] + "+05:30").timestamp()
    # A timestamp's fraction has nanoseconds, more than datetime keeps.
    text = report["began"]
    began = round(datetime.fromisoformat(text[:19] + "+05:30").timestamp()) * 10**9
    began += int(text[20:29])
    late = sorted(at - (began + due[number] - round(start) * 10**9) for number, at in arrivals)
    return {
        "feed_write_ms": {k: report["lateness_ms"][k] for k in ("p50", "p99", "max")},
        "client_ms": {
            "p50": quantile(late, 0.5) / MS,
            "p99": quantile(late, 0.99) / MS,
            "max": late[-1] / MS,
        },
        "updates": report["updates"],
        "received": len(arrivals),
    }


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks pacing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rate", type=int, default=5000, help="updates a second (5000)")
    parser.add_argument("--seconds", type=int, default=20, help="length of the recording (20)")
    parser.add_argument(
        "--client",
        choices=["streamer", "feed"],
        default="streamer",
        help="where the client is connected (streamer)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    where = machine()
    with tempfile.TemporaryDirectory() as directory:
        figures = asyncio.run(measure(options, Path(directory)))
    workload = {
        "updates_per_s": options.rate,
        "seconds": options.seconds,
        "instruments": INSTRUMENTS,
        "speed": 1,
        "client_of": options.client,
        "seed": SEED,
    }
    if options.json:
        print(json.dumps({"machine": where, "workload": workload, **figures}))
        return 0
    print(describe(where))
    print(
        f"{options.rate:,} updates/s at random times for {options.seconds} s, {INSTRUMENTS}"
        f" instruments, 1x, one client of the {options.client}"
    )
    print(f"{'late by, ms':<18}{'p50':>9}{'p99':>9}{'max':>9}")
    for name, key in (("at the feed's write", "feed_write_ms"), ("at the client", "client_ms")):
        row = figures[key]
        print(f"{name:<18} {row['p50']:>8.3f} {row['p99']:>8.3f} {row['max']:>8.3f}")
    print(f"{figures['received']:,} of {figures['updates']:,} updates received")
    return 0
