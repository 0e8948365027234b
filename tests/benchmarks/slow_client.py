"""
What one client of 100 that does not read costs the others, and the server.

32 instruments, each updated 40 times a second, go to 100 clients: 128,000
messages a second. In half of the runs one client does not read. The others'
latency is compared, and each of their messages is counted. The server's memory
is looked at while it runs. After the last update the client reads again: by
then it must have the newest update of each instrument, and no update may follow
a newer one of its instrument. Beside it stands ``websockets.broadcast``, which
keeps for that client whatever it was sent.

It does not show a client that stays away for longer than the server has
patience (``--stall``); such a one is closed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from tests.benchmarks._command import Answer, Goal, at_most, parser, run
from tests.benchmarks._load import PRODUCT, Bench, Figures
from tests.benchmarks._workload import Workload

CLIENTS = 100
BURST = 32
TURNS_PER_S = 40
STILL = 50
MB = 1 << 20
MOST_MB = 2.0
"""A quarter of a megabyte may wait in the transport; the rest is room for noise."""


def measure(bench: Bench, workload: Workload, rounds: int) -> dict[str, Figures]:
    """Return the medians with and without the client, which take turns."""
    kinds = {
        "odin-streamer, all read": (PRODUCT, -1),
        "odin-streamer": (PRODUCT, STILL),
        "broadcast, all read": ("broadcast", -1),
        "broadcast": ("broadcast", STILL),
    }
    found: dict[str, list[Figures]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (variant, still) in kinds.items():
            found[name].append(bench.measure_again(variant, workload, nap_us=0, still=still))
    return {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for name, runs in found.items()
    }


def goals(found: dict[str, Any]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    ours, calm = found["odin-streamer"], found["odin-streamer, all read"]
    return [
        at_most("one of 100 does not read: the others' p99", 1.2, ours["p99_us"] / calm["p99_us"]),
        at_most(
            "one of 100 does not read: the server's memory grows by",
            MOST_MB,
            (ours["grown_bytes"] - calm["grown_bytes"]) / MB,
            "MB",
        ),
    ]


def show(answer: Answer) -> None:
    """Print the table."""
    print(f"\n{'':<26}{'p50 us':>9}{'p99 us':>9}{'memory +MB':>12}{'it got, of':>12}{'':>9}")
    for name, row in answer["servers"].items():
        got = f"{row['still']:,.0f}" if row["still"] else ""
        print(
            f"{name:<26}{row['p50_us']:>9,.0f}{row['p99_us']:>9,.0f}"
            f"{row['grown_bytes'] / MB:>12.1f}{got:>12}{row['turns'] * BURST:>9,.0f}"
        )


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options = parser("slow-client", __doc__).parse_args(arguments)
    workload = Workload(
        clients=CLIENTS,
        burst=BURST,
        instruments=BURST,
        subscribed=BURST,
        seconds=3.0 if options.quick else 8.0,
        turns_per_s=TURNS_PER_S,
        lossless=False,
    )

    def measure_all() -> Answer:
        with Bench.open() as bench:
            found = measure(bench, workload, options.rounds)
        return {"servers": found, "goals": goals(found)}

    told = {
        "clients": CLIENTS,
        "updates a turn": BURST,
        "turns a second": TURNS_PER_S,
        "seconds a run": workload.seconds,
        "rounds": options.rounds,
    }
    return run(options, told, measure_all, show)
