"""
How long the commands take to start.

``odin-sim --help`` whole, as a user runs it, and ``odin-sim replay`` of the day
that comes with it until it prints where clients connect, which is when they
may. Each is run so often that the best and the median can be told; the median
is what counts, from warm disk caches. ``--imports`` prints the modules that
took longest to import instead.

It does not show a first start after installing, when Python compiles its
modules, nor a recording that was never read before.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from tests.benchmarks._command import Answer, Goal, at_most, parser, run
from tests.benchmarks._streamer import ROOT

SIM = [sys.executable, "-m", "simulator.cli"]
HELP, REPLAY = "odin-sim --help", "odin-sim replay to first listening"
DAY = ROOT / "recordings" / "day.parquet"
LISTENING = b"WebSocket clients"


def help_s() -> float:
    """Return how long the help takes."""
    began = time.perf_counter()
    subprocess.run([*SIM, "--help"], stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
    return time.perf_counter() - began


def replay_s() -> float:
    """Return how long a replay takes until clients can connect."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *SIM, "replay", str(DAY), "--port", "0", "--feed-port", "0", "--control-port", "0",
            "--db", f"{folder}/sessions.db", "--start-on", "subscribe",
        ]  # fmt: skip
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if LISTENING in line:
                    return time.perf_counter() - began
        finally:
            process.terminate()
            process.communicate()
    raise SystemExit("the replay did not start")


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Return the seconds of each; they take turns in another order each time."""
    kinds = {HELP: help_s, REPLAY: replay_s}
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds):
        order = list(kinds)
        random.Random(number).shuffle(order)
        for name in order:
            found[name].append(kinds[name]())
    return {
        name: {"median_s": statistics.median(times), "best_s": min(times)}
        for name, times in found.items()
    }


def goals(found: dict[str, dict[str, float]]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    return [
        at_most(HELP, 0.25, found[HELP]["median_s"], "s"),
        at_most(REPLAY, 1.0, found[REPLAY]["median_s"], "s"),
    ]


def show(answer: Answer) -> None:
    """Print the table."""
    print(f"\n{'':<38}{'median s':>10}{'best s':>10}")
    for name, row in answer["seconds"].items():
        print(f"{name:<38}{row['median_s']:>10.3f}{row['best_s']:>10.3f}")


def show_imports() -> None:
    """Print what takes longest to import for the help."""
    command = [sys.executable, "-X", "importtime", "-m", "simulator.cli", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stderr
    rows = [line.split("|") for line in told.splitlines() if "|" in line and "self" not in line]
    rows.sort(key=lambda row: int(row[1]), reverse=True)
    for _, cumulative, name in rows[:25]:
        print(f"{int(cumulative) / 1000:>9.1f} ms {name.strip()}")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options_parser = parser("startup", __doc__)
    options_parser.add_argument("--imports", action="store_true", help="print the slowest imports")
    options = options_parser.parse_args(arguments)
    if options.imports:
        show_imports()
        return 0

    def measure_all() -> Answer:
        found = measure(options.rounds if options.quick else max(options.rounds, 9))
        return {"seconds": found, "goals": goals(found)}

    return run(options, {"rounds": options.rounds}, measure_all, show)
