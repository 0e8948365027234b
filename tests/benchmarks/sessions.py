"""
What a client's subscriptions cost: asked for, saved, acknowledged, restored.

``odin-streamer serve`` runs as a user starts it. A client subscribes 5,000
stocks in one request; the time is that from the request to the acknowledgement,
which comes when they are saved. Then it hangs up and comes again: its welcome
names all 5,000. How much longer that takes than for a client without any is
what restoring costs. A watch in the server's process tells how long one
callback held the event loop at the most meanwhile; other clients wait so long.
It costs some microseconds for each callback. Every acknowledgement and welcome
is looked at.

Then the store alone: saves of one client after the other into a real file, each
timed on the thread that makes it, which in the server is the one that serves
clients. Beside it stands the same with SQLite's own folding of the log instead
of the thread that does it. Reading is what a start reads, for each client.

It does not show how long a disk takes that is busy with other things, nor a
file system in which ``fsync`` is slow: give ``--folder`` a place on it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from streamer.clients import ClientChanges, ClientRecord
from streamer.store import ClientStore, Durability
from tests.benchmarks._command import Answer, Goal, at_most, parser, run
from tests.benchmarks._machine import quantile
from tests.benchmarks._streamer import Plain, Running, serving, subscribe_to
from tests.benchmarks._workload import symbol

STOCKS = 5_000
CLIENTS = 200
SEED = 1
US = 1000
DEADLINE_S = 10.0

Row = dict[str, float | int | str]


def held_ms(server: Running, told: Path) -> tuple[float, float]:
    """Return the longest callback since the last call, by the clock and in processor time."""
    told.unlink(missing_ok=True)
    os.kill(server.pid, signal.SIGUSR1)
    deadline = time.monotonic() + DEADLINE_S
    while not told.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the server does not tell how long its loop was held")
        time.sleep(0.001)
    found = json.loads(told.read_text())
    return found["wall_ms"], found["cpu_ms"]


def welcomed(port: int, client_id: str, stocks: int) -> tuple[Plain, float]:
    """Connect; return the client and the ms until its welcome, which names so many stocks."""
    began = time.perf_counter()
    client = Plain(port, client_id)
    data = client.next("welcome")["data"]
    took = client.arrived - began
    if len(data["restored_stocks"]) != stocks or data["subscribed_stocks"] != stocks:
        raise SystemExit(f"{len(data['restored_stocks']):,} stocks restored; expected {stocks:,}")
    return client, took * 1e3


def subscribed_ms(client: Plain, stocks: Sequence[str]) -> float:
    """Subscribe; return the ms until it is acknowledged."""
    began = client.send(subscribe_to(stocks))
    answer = client.next("subscription_response")
    took = client.arrived - began
    if answer["status"] != "success" or len(answer["data"]["subscribed_stocks"]) != len(stocks):
        raise SystemExit(f"not everything was subscribed: {json.dumps(answer)[:300]}")
    return took * 1e3


def whole(folder: Path, times: int) -> dict[str, float]:
    """Return the medians of ``times`` clients that subscribe and come again; ms."""
    stocks = [symbol(number) for number in range(STOCKS)]
    told = folder / "held.json"
    found: dict[str, list[float]] = {
        name: [] for name in ("subscribe", "held", "held_cpu", "welcome", "plain_welcome")
    }
    program = ("tests.benchmarks._held", str(told))
    with serving(folder, count=STOCKS, program=program) as server:
        for number in range(times + 1):
            held_ms(server, told)
            client, _ = welcomed(server.port, f"whole-{number}", 0)
            took = {"subscribe": subscribed_ms(client, stocks)}
            took["held"], took["held_cpu"] = held_ms(server, told)
            client.close()
            client, took["welcome"] = welcomed(server.port, f"whole-{number}", STOCKS)
            client.close()
            client, took["plain_welcome"] = welcomed(server.port, f"plain-{number}", 0)
            client.close()
            # The first one warms up what all share.
            if number:
                for name, value in took.items():
                    found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def saves(
    folder: Path,
    instruments: int,
    count: int,
    *,
    durability: Durability = "process",
    sqlite_folds: bool = False,
) -> Row:
    """Save so often, read all, and return the figures in microseconds."""
    draw = random.Random(SEED)
    keys = tuple((1, draw.randrange(1, 600_000)) for _ in range(instruments))
    path = folder / f"{instruments}-{durability}-{sqlite_folds}.db"
    took = []
    with closing(ClientStore.open(path, durability=durability)) as store:
        if sqlite_folds:
            store._connection.execute("PRAGMA wal_autocheckpoint=1000")
            store._checkpointer = None
        for number in range(count):
            changes = ClientChanges(saved=(ClientRecord(f"app-{number % CLIENTS}", keys, number),))
            began = time.perf_counter_ns()
            store.save(changes)
            took.append(time.perf_counter_ns() - began)
            # As between requests: the thread that folds gets its turn.
            time.sleep(0.0005)
        began = time.perf_counter_ns()
        kept = len(store.load())
        read_ns = (time.perf_counter_ns() - began) // kept
    took.sort()
    return {
        "instruments": instruments,
        "durability": durability,
        "folded_by": "SQLite" if sqlite_folds else "a thread",
        "p50_us": quantile(took, 0.5) / US,
        "p99_us": quantile(took, 0.99) / US,
        "max_us": took[-1] / US,
        "read_us": read_ns / US,
    }


def store_rows(folder: Path, count: int) -> list[Row]:
    """Return what saves cost by their size and kind."""
    rows = [saves(folder, instruments, count) for instruments in (1, 50, 500, STOCKS)]
    rows.append(saves(folder, STOCKS, count, sqlite_folds=True))
    rows.append(saves(folder, STOCKS, count, durability="power"))
    return rows


def goals(answer: dict[str, Any]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    ms = answer["ms"]
    stocks = f"{STOCKS:,} stocks"
    rows = [
        at_most(f"{stocks} subscribed, saved and acknowledged", 10, ms["subscribe"], "ms"),
        at_most("the event loop held meanwhile, at the most", 5, ms["held"], "ms"),
        at_most(f"{stocks} restored", 2, ms["welcome"] - ms["plain_welcome"], "ms"),
    ]
    read = next((row for row in answer["rows"] if row["instruments"] == STOCKS), None)
    if read:
        rows.append(at_most(f"{stocks} read at a start", 2, read["read_us"] / US, "ms"))
    return rows


def show(answer: Answer) -> None:
    """Print the tables."""
    ms = answer["ms"]
    print(f"\none client with {STOCKS:,} stocks, ms")
    for name, what in (
        ("subscribe", "request to acknowledgement, saved"),
        ("held", "the loop held by one callback, at the most"),
        ("held_cpu", "the same, in processor time"),
        ("welcome", "connecting again, to the welcome with all"),
        ("plain_welcome", "connecting without any, to the welcome"),
    ):
        print(f"{what:<45}{ms[name]:>9.2f}")
    print(f"\n{'one client with':<17}{'durability':<12}{'log folded by':<14}", end="")
    print(f"{'p50':>8}{'p99':>8}{'max':>9}{'read':>8}  microseconds")
    for row in answer["rows"]:
        print(f"{row['instruments']:>5} instruments{'':<1}", end="")
        print(f"{row['durability']:<12}{row['folded_by']:<14}", end="")
        print(f"{row['p50_us']:>8.0f}{row['p99_us']:>8.0f}{row['max_us']:>9.0f}", end="")
        print(f"{row['read_us']:>8.0f}")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options_parser = parser("sessions", __doc__)
    options_parser.add_argument("--saves", type=int, help="saves for each line (2000; quick 200)")
    options_parser.add_argument("--folder", type=Path, help="where the files are made and removed")
    options = options_parser.parse_args(arguments)
    count = options.saves or (200 if options.quick else 2000)

    def measure_all() -> Answer:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            ms = whole(folder, max(options.rounds, 3 if options.quick else 15))
            answer: Answer = {"ms": ms, "rows": store_rows(folder, count)}
        return {**answer, "goals": goals(answer)}

    told = {"stocks": STOCKS, "saves": count, "clients saved": CLIENTS, "rounds": options.rounds}
    return run(options, told, measure_all, show)
