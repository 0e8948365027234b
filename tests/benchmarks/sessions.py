"""
What it costs to save a client's subscriptions, and to read them back.

Saves one client after the other into a real file, and times each save on the
thread that makes it, which in the server is the one that serves clients. Beside
it stands the same with SQLite's own folding of the log instead of the thread
that does it. Reading is the whole of what a start reads, by client.

It does not show how long a disk takes that is busy with other things, nor a
file system in which ``fsync`` is slow: give ``--folder`` a place on it.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from streamer.clients import ClientChanges, ClientRecord
from streamer.store import ClientStore, Durability
from tests.benchmarks._machine import describe, machine, quantile

CLIENTS = 200
SEED = 1
US = 1000

Row = dict[str, float | int | str]


def measure(
    folder: Path,
    instruments: int,
    saves: int,
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
        for number in range(saves):
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


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks sessions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--saves", type=int, default=2000, help="saves for each line (2000)")
    parser.add_argument("--folder", type=Path, help="where the files are made and removed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    where = machine()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        rows = [measure(folder, count, options.saves) for count in (1, 50, 500, 5000)]
        rows.append(measure(folder, 5000, options.saves, sqlite_folds=True))
        rows.append(measure(folder, 5000, options.saves, durability="power"))
    if options.json:
        workload = {"saves": options.saves, "clients": CLIENTS, "seed": SEED}
        print(json.dumps({"machine": where, "workload": workload, "rows": rows}))
        return 0
    print(describe(where))
    print(f"{options.saves:,} saves of one client each, {CLIENTS} clients, a save every 0.5 ms")
    print(f"{'one client with':<17}{'durability':<12}{'log folded by':<14}", end="")
    print(f"{'p50':>8}{'p99':>8}{'max':>9}{'read':>8}  microseconds")
    for row in rows:
        print(f"{row['instruments']:>5} instruments{'':<1}", end="")
        print(f"{row['durability']:<12}{row['folded_by']:<14}", end="")
        print(f"{row['p50_us']:>8.0f}{row['p99_us']:>8.0f}{row['max_us']:>9.0f}", end="")
        print(f"{row['read_us']:>8.0f}")
    return 0
