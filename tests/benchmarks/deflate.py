"""
What compressing each message once for all clients saves.

99 of 100 clients negotiate permessage-deflate, the last one does not: its
messages are looked at one by one, theirs are counted. ``odin-streamer`` runs
with ``--compression``; it makes and compresses each message once.
``websockets.broadcast`` compresses the same message, given to it ready made,
for each client anew, as the library does by default. Beside both stands what
they deliver without compression.

A figure is messages for each second of the server's processor time.

It does not show thin lines, which are what compression is for, and needs a C
compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.benchmarks._command import Answer, Goal, at_least, parser, run
from tests.benchmarks._load import PRODUCT, Bench
from tests.benchmarks._workload import Workload
from tests.benchmarks.fanout import own_us, per_core

CLIENTS = 100
BURSTS = (1, 8)
GOAL = 4.0
KINDS = {"compressed": "deflate", "plain": None}

Row = dict[str, Any]


def measure(bench: Bench, workload: Workload, rounds: int) -> Row:
    """Return the figures of both servers, with and without compression."""
    return {
        "burst": workload.burst,
        "servers": {
            kind: bench.rounds([PRODUCT, "broadcast"], workload, rounds, compression=compression)
            for kind, compression in KINDS.items()
        },
    }


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    return [
        at_least(
            f"{CLIENTS} clients, {row['burst']} a turn, compressed: of broadcast",
            GOAL,
            per_core(row["servers"]["compressed"][PRODUCT])
            / per_core(row["servers"]["compressed"]["broadcast"]),
        )
        for row in rows
    ]


def show(answer: Answer) -> None:
    """Print a table for each load."""
    for row in answer["rows"]:
        print(f"\n{CLIENTS} clients, {row['burst']} updates a turn")
        print(f"{'':<28}{'msg/core-s':>12}{'CPU us':>9}{'its own':>9}{'bytes':>8}")
        for kind, servers in row["servers"].items():
            for name, figures in servers.items():
                print(
                    f"{f'{name}, {kind}':<28}{per_core(figures):>12,.0f}"
                    f"{figures['us_per_message']:>9.3f}{own_us(figures):>9}"
                    f"{figures['bytes'] / figures['received']:>8.0f}"
                )


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options = parser("deflate", __doc__).parse_args(arguments)
    seconds = 0.3 if options.quick else 1.0

    def measure_all() -> Answer:
        with Bench.open() as bench:
            if bench.cc is None:
                raise SystemExit("found no C compiler; expected cc, gcc or clang")
            rows = [
                measure(
                    bench,
                    Workload(
                        clients=CLIENTS,
                        burst=burst,
                        instruments=burst,
                        subscribed=burst,
                        seconds=seconds,
                    ),
                    options.rounds,
                )
                for burst in BURSTS
            ]
        return {"rows": rows, "goals": goals(rows)}

    return run(options, {"seconds a run": seconds, "rounds": options.rounds}, measure_all, show)
