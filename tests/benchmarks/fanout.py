"""
How many messages a second one core delivers to many clients, beside other servers.

``odin-streamer`` is the streaming server as it ships: hub, outboxes, prepared
frames and the library's sockets, given what one frame of the feed brings at a
time. It makes each message (JSON of some 600 bytes). The others are given the
same messages ready made, which favours them: ``websockets.broadcast``, one
``await send`` after the other (``naive``), Node.js with ``ws`` and its sockets
corked, and a C program that calls ``send()`` once for each client and turn.
Where uvloop is installed the product runs on it too, beside itself.

A figure is messages for each second of the server's processor time: the server
has a core to itself and is never idle, and what else the machine runs does not
count. Beside it stands what came in a second of the clock, and the processor
time of a message, with the part that is the server's own and not the system's. Every client's
messages are counted and must be those sent, and in order; one client's are
looked at one by one.

It does not show networks, TLS, clients that do not keep up (``slow-client``),
or what it takes to read the feed (``ingest``): the updates are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.benchmarks._command import Answer, Goal, at_least, parser, run
from tests.benchmarks._load import PRODUCT, Bench, Figures, is_ours
from tests.benchmarks._workload import Workload

Row = dict[str, Any]

MIXED = (200, 64, 2000, 200)
SAME = [(100, 1), (500, 1), (100, 8), (500, 8), (100, 64)]
QUICK = [(100, 1), (100, 8)]

MOST_FOR_C = 8
"""With longer bursts the C program is faster than the receiver reads."""

WANTED: dict[int, dict[str, float]] = {
    1: {"broadcast": 1.6, "naive": 3, "C": 0.75},
    8: {"broadcast": 10, "C": 0.85, "node ws": 1.6},
    64: {"broadcast": 15},
}
"""How many times what a peer delivers, by the updates of a turn."""

WANTED_MIXED: dict[str, float] = {"broadcast": 6, "naive": 10}


def workloads(seconds: float, *, quick: bool) -> list[Workload]:
    """Return what is sent to whom."""
    same = [
        Workload(clients=clients, burst=burst, instruments=burst, subscribed=burst, seconds=seconds)
        for clients, burst in (QUICK if quick else SAME)
    ]
    clients, burst, instruments, subscribed = MIXED
    mixed = Workload(
        clients=clients,
        burst=burst,
        instruments=instruments,
        subscribed=subscribed,
        seconds=seconds,
    )
    return [*same, mixed]


def measure(bench: Bench, workload: Workload, rounds: int) -> Row:
    """Return the figures of all servers under one load."""
    variants = bench.variants()
    if not workload.is_same_for_all or workload.burst > MOST_FOR_C:
        variants = [name for name in variants if is_ours(name) or name in ("broadcast", "naive")]
    found = bench.rounds(variants, workload, rounds)
    return {
        "clients": workload.clients,
        "burst": workload.burst,
        "instruments": workload.instruments,
        "subscribed": workload.subscribed,
        "servers": found,
    }


def per_core(figures: Figures) -> float:
    """Return how many messages a second of processor time delivers."""
    return float(1e6 / figures["us_per_message"])


def own_us(figures: Figures) -> str:
    """Return the processor time a message that is not the system's, where it is known."""
    user: float | None = figures.get("user_s")
    return "" if user is None else f"{user / figures['received'] * 1e6:.3f}"


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    found: list[Goal] = []
    for row in rows:
        servers, clients = row["servers"], row["clients"]
        burst: int = row["burst"]
        is_mixed = row["subscribed"] != row["instruments"]
        name = f"{clients} clients, {burst} a turn"
        if is_mixed:
            each = row["subscribed"]
            name = f"{clients} clients x {each} of {row['instruments']:,}, {burst} a turn"
        ours = per_core(servers[PRODUCT])
        wanted = WANTED_MIXED if is_mixed else WANTED[burst]
        found += [
            at_least(f"{name}: of {peer}", goal, ours / per_core(servers[peer]))
            for peer, goal in wanted.items()
            if peer in servers
        ]
        if is_mixed:
            found.append(at_least(f"{name}: on one core", 1_400_000, ours, "msg/s"))
    return found


def show(answer: Answer) -> None:
    """Print a table for each load."""
    for row in answer["rows"]:
        servers = row["servers"]
        ours = per_core(servers[PRODUCT])
        print(
            f"\n{row['clients']} clients, each {row['subscribed']:,} of {row['instruments']:,}"
            f" instruments; {row['burst']} updates a turn"
        )
        print(
            f"{'':<22}{'msg/core-s':>12}{'msg/s':>12}{'CPU us':>9}{'its own':>9}{'receiver':>10}"
            f"{'ours/it':>9}"
        )
        for name, figures in servers.items():
            print(
                f"{name:<22}{per_core(figures):>12,.0f}{figures['messages_per_s']:>12,.0f}"
                f"{figures['us_per_message']:>9.3f}{own_us(figures):>9}{figures['busiest']:>10.0%}"
                f"{ours / per_core(figures):>9.2f}"
            )


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options_parser = parser("fanout", __doc__)
    options_parser.add_argument("--seconds", type=float, help="length of a run (1; quick 0.3)")
    options = options_parser.parse_args(arguments)
    seconds = options.seconds or (0.3 if options.quick else 1.0)

    def measure_all() -> Answer:
        with Bench.open() as bench:
            rows = [
                measure(bench, workload, options.rounds)
                for workload in workloads(seconds, quick=options.quick)
            ]
        return {"rows": rows, "goals": goals(rows)}

    workload = {"seconds a run": seconds, "rounds": options.rounds}
    return run(options, workload, measure_all, show)
