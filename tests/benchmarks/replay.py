"""
How fast a recording goes through feed and streamer, beside a straightforward pipeline.

Two processes: ``odin-sim replay --speed max --lossless --feed-only`` as a user
runs it, and the streamer's own reader, hub and server, with one client that
subscribes to everything (a message for every row) or with nobody left who
subscribes (no message). The pipeline does the same in the way that is written
first: a dictionary, a compressed frame and an awaited send for each row, and a
dictionary and ``json.dumps`` at the other end. Where isal is installed, which
compresses, or parts are compiled, the product runs without them too.

Then a whole day of 3,000 stocks, as ``odin-sim synth`` makes it, through the
whole program to one WebSocket client that subscribes to all of it; the client
is cheap, but it counts and looks at every message. And what a recording's length
costs: the time to the first update, and the memory to read it to its end, for
recordings as the product writes them and for one without a seal, as of other
programs. ``--lengths`` measures that alone.

It does not show paced replays (``pacing``), many clients (``fanout``), or what
the feed's bytes cost alone (``ingest``).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streamer.native import in_use
from streamer.odin.framing import FAST_COMPRESS
from tests.benchmarks import _replaying, _tape
from tests.benchmarks._command import Answer, Goal, at_least, at_most, parser, run
from tests.benchmarks._load import Bench, Figures, medians
from tests.benchmarks._streamer import ROOT

INSTRUMENTS = 3_000
MB = 1 << 20
MOST_GROWTH_MB = 32.0
"""Between a file and one ten times as long; the same file read twice differs by about as much."""

EVERY, NONE, PIPELINE = "a message for every row", "nobody subscribes", "pipeline"
WITHOUT_ISAL = f"{EVERY}, no isal"
PLAIN = f"{EVERY}, in Python"


def compare(folder: Path, rows: int, rounds: int) -> dict[str, Figures]:
    """Return the medians of each kind; they take turns in another order each time."""
    tape = _tape.write(folder / "tape.parquet", rows, INSTRUMENTS)
    # It is ten times as slow; what it does with a row does not depend on how many come.
    kinds: dict[str, Callable[[], Figures]] = {
        EVERY: lambda: _replaying.product(folder, tape, rows, makes_json=True),
        NONE: lambda: _replaying.product(folder, tape, rows, makes_json=False),
        PIPELINE: lambda: _replaying.pipeline(tape, rows // 5),
    }
    if FAST_COMPRESS is not None:
        kinds[WITHOUT_ISAL] = lambda: _replaying.product(
            folder, tape, rows, makes_json=True, environ=_replaying.without_isal(folder)
        )
    if in_use():
        kinds[PLAIN] = lambda: _replaying.product(
            folder, tape, rows, makes_json=True, environ=_replaying.without_compiled()
        )
    found: dict[str, list[Figures]] = {name: [] for name in kinds}
    for number in range(rounds):
        order = list(kinds)
        random.Random(number).shuffle(order)
        for name in order:
            found[name].append(kinds[name]() | {"busy": 0.0})
    return {name: medians(runs) for name, runs in found.items()}


def make_day(path: Path, universe: str) -> Path:
    """Make a synthetic day."""
    command = [
        sys.executable, "-m", "simulator.cli", "synth", "--date", "2025-09-04",
        "--universe", universe, "-o", str(path),
    ]  # fmt: skip
    subprocess.run(
        command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return path


def lengths(folder: Path, longest: int, rounds: int) -> dict[str, Figures]:
    """Return what reading costs by the length of the file: short, long, long without a seal."""
    found: dict[str, list[Figures]] = {}
    for rows, sealed in ((longest // 10, True), (longest, True), (longest, False)):
        tape = _tape.write(folder / "long.parquet", rows, INSTRUMENTS, sealed=sealed)
        runs = [_replaying.first_updates(tape) | {"busy": 0.0} for _ in range(rounds)]
        found[f"{rows:,}{'' if sealed else ', no seal'}"] = runs
        tape.unlink()
    return {name: medians(runs) for name, runs in found.items()}


def goals(answer: dict[str, Any]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    found: list[Goal] = []
    if rows := answer.get("two_processes"):
        pipeline = rows[PIPELINE]["rows_per_s"]
        for name, times, rate in ((EVERY, 8, 250_000), (NONE, 14, 450_000)):
            ours = rows[name]["rows_per_s"]
            found += [
                at_least(f"replay, {name}: of the pipeline", times, ours / pipeline),
                at_least(f"replay, {name}", rate, ours, "rows/s"),
            ]
    if day := answer.get("day"):
        found += [
            at_most("a whole day of 3,000 stocks to one client", 30, day["wall_s"], "s"),
            at_most("the same: memory of the feed", 500, day["feed_peak_bytes"] / MB, "MB"),
            at_most("the same: memory of the streamer", 500, day["streamer_peak_bytes"] / MB, "MB"),
        ]
    if by_length := answer.get("lengths"):
        short, long = list(by_length.values())[:2]
        growth = (long["grown_bytes"] - short["grown_bytes"]) / MB
        found += [
            at_most(f"first update of {long['rows']:,.0f} rows", 250, long["first_s"] * 1e3, "ms"),
            at_most("memory of a file ten times as long: more by", MOST_GROWTH_MB, growth, "MB"),
        ]
    return found


def show(answer: Answer) -> None:
    """Print the tables."""
    if rows := answer.get("two_processes"):
        print(f"\n{'two processes':<42}{'rows/s':>11}{'CPU us a row: feed':>20}{'streamer':>10}")
        for name, row in rows.items():
            print(
                f"{name:<42}{row['rows_per_s']:>11,.0f}{row['feed_us_a_row']:>20.2f}"
                f"{row['us_a_row']:>10.2f}"
            )
    if day := answer.get("day"):
        print(
            f"\nwhole day: {day['received']:,.0f} messages to the client in {day['wall_s']:.1f} s"
            f" ({day['received'] / day['wall_s']:,.0f} a second), each the next of its instrument;"
            f" {day['checked']:,.0f} compared with the recording\n"
            f"memory at most: feed {day['feed_peak_bytes'] / MB:,.0f} MB,"
            f" streamer {day['streamer_peak_bytes'] / MB:,.0f} MB;"
            f" the client was busy {day['busiest']:.0%} of the time"
        )
    if by_length := answer.get("lengths"):
        print(
            f"\n{'rows of the file':<22}{'first update s':>15}{'of it opening':>15}"
            f"{'read whole s':>14}{'memory +MB':>12}"
        )
        for name, row in by_length.items():
            print(
                f"{name:<22}{row['first_s']:>15.3f}{row['open_s']:>15.3f}{row['read_s']:>14.1f}"
                f"{row['grown_bytes'] / MB:>12.0f}"
            )


def measure(options: argparse.Namespace) -> Answer:
    """Return all figures."""
    with Bench.open() as bench:
        answer: Answer = {}
        if not options.lengths:
            answer["two_processes"] = compare(bench.folder, options.rows, options.rounds)
        if not (options.quick or options.lengths) or options.day:
            day = options.day or make_day(bench.folder / "day.parquet", str(INSTRUMENTS))
            runs = [_replaying.whole_day(bench, day) for _ in range(options.long_rounds)]
            answer["day"] = medians(runs)
        if not options.quick or options.lengths:
            answer["lengths"] = lengths(bench.folder, options.longest, options.long_rounds)
    return {**answer, "goals": goals(answer)}


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options_parser = parser("replay", __doc__)
    options_parser.add_argument("--rows", type=int, help="rows of a run (400,000; quick 100,000)")
    options_parser.add_argument("--day", type=Path, help="a recording to take for the whole day")
    options_parser.add_argument(
        "--longest", type=int, default=10_000_000, help="rows of the longest file (10,000,000)"
    )
    options_parser.add_argument(
        "--long-rounds", type=int, help="runs of the day and of long files (as --rounds)"
    )
    options_parser.add_argument(
        "--lengths", action="store_true", help="measure what the length of a file costs, alone"
    )
    options = options_parser.parse_args(arguments)
    options.long_rounds = options.long_rounds or options.rounds
    options.rows = options.rows or (100_000 if options.quick else 400_000)
    told = {
        "rows": options.rows,
        "instruments": INSTRUMENTS,
        "rounds": options.rounds,
        "of the day and of long files": options.long_rounds,
    }
    return run(options, told, lambda: measure(options), show)
