"""
How long synthetic days take to be made and measured, and in how much memory.

Runs `odin-sim synth` and `odin-sim facts` as a user would, start included. Memory
is the most that any one process held; with workers several hold as much.

It does not show the quality of a day: that is what `odin-sim facts` is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks._command import Answer, parser, run

UNIVERSES = ("nifty50", "500", "3000")

Row = dict[str, float | int | str]


def timed(arguments: Sequence[str]) -> tuple[float, float]:
    """Run the command; return the seconds and the most megabytes of one of its processes."""
    command = [sys.executable, "-m", "simulator.cli", *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def measure(folder: Path, universe: str) -> Row:
    """Make and measure one day."""
    path = folder / "day.parquet"
    made_s, made_mb = timed(
        ["synth", "--date", "2025-09-04", "--universe", universe, "-o", str(path)]
    )
    rows = json.loads(path.with_suffix(".json").read_text())["rows"]
    facts_s, facts_mb = timed(["facts", str(path)])
    return {
        "universe": universe,
        "rows": rows,
        "synth_s": round(made_s, 2),
        "synth_mb": round(made_mb),
        "facts_s": round(facts_s, 2),
        "facts_mb": round(facts_mb),
    }


def show(answer: Answer) -> None:
    """Print the table."""
    print(f"\n{'universe':>10} {'rows':>10} {'synth s':>9} {'MB':>6} {'facts s':>9} {'MB':>6}")
    for row in answer["days"]:
        print(
            f"{row['universe']:>10} {row['rows']:>10,} {row['synth_s']:>9} {row['synth_mb']:>6} "
            f"{row['facts_s']:>9} {row['facts_mb']:>6}"
        )


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options_parser = parser("synth", __doc__)
    options_parser.add_argument("--universe", action="append", help=f"({', '.join(UNIVERSES)})")
    options = options_parser.parse_args(arguments)
    universes = options.universe or (UNIVERSES[:1] if options.quick else UNIVERSES)

    def measure_all() -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            return {"days": [measure(Path(folder), name) for name in universes], "goals": []}

    return run(options, {"universes": ", ".join(universes), "rounds": 1}, measure_all, show)
