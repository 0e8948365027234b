"""
How long an update takes to reach many clients under a steady load, beside other servers.

An update every 5 ms goes to 500 clients: 100,000 messages a second. Latency is
from when the update is handed to the server (a stamp in shared memory) to when
the receiver's ``recv()`` brings it, over all messages of all clients. With many
clients it is the time that the server takes to go round them. ``odin-streamer``
makes its messages; the others are given them.

It does not show the way from the feed to the server (``pacing`` does), nor a
network. What else the machine runs shows in the tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.benchmarks._command import Answer, Goal, at_least, at_most, parser, run
from tests.benchmarks._load import PRODUCT, Bench
from tests.benchmarks._workload import Workload

CLIENTS = 500
TURNS_PER_S = 200


def goals(found: dict[str, Any]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    ours = found[PRODUCT]["p99_us"]
    wanted = {"broadcast": 0.6, "C": 1.3}
    rate = CLIENTS * TURNS_PER_S
    rows = [
        at_most(
            f"p99 at {rate:,} msg/s to {CLIENTS} clients: of {peer}",
            goal,
            ours / found[peer]["p99_us"],
        )
        for peer, goal in wanted.items()
        if peer in found
    ]
    sent = found[PRODUCT]["messages_per_s"] / rate
    return [*rows, at_least("share of the wanted rate that was held", 0.98, sent)]


def show(answer: Answer) -> None:
    """Print the table."""
    print(f"\n{'':<22}{'p50 us':>10}{'p99 us':>10}{'p99.9 us':>10}{'core':>8}{'receiver':>10}")
    for name, row in answer["servers"].items():
        print(
            f"{name:<22}{row['p50_us']:>10,.0f}{row['p99_us']:>10,.0f}{row['p999_us']:>10,.0f}"
            f"{row['cpu_s'] / row['wall_s']:>8.0%}{row['busiest']:>10.0%}"
        )


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options = parser("latency", __doc__).parse_args(arguments)
    workload = Workload(
        clients=CLIENTS,
        burst=1,
        instruments=1,
        subscribed=1,
        seconds=0.5 if options.quick else 2.0,
        turns_per_s=TURNS_PER_S,
    )

    def measure_all() -> Answer:
        with Bench.open() as bench:
            # Node.js writes no stamps.
            variants = [name for name in bench.variants() if name != "node ws"]
            found = bench.rounds(variants, workload, options.rounds, nap_us=0)
        return {"servers": found, "goals": goals(found)}

    told = {
        "clients": CLIENTS,
        "updates a second": TURNS_PER_S,
        "seconds a run": workload.seconds,
        "rounds": options.rounds,
    }
    return run(options, told, measure_all, show)
