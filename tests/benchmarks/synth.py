"""
How long synthetic days take to be made and measured, and in how much memory.

Runs `odin-sim synth` and `odin-sim facts` as a user would, start included. Memory
is the most that any one process held; with workers several hold as much.

It does not show the quality of a day: that is what `odin-sim facts` is for.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks._machine import describe, machine

UNIVERSES = ("nifty50", "500", "3000")

Row = dict[str, float | int | str]


def run(arguments: Sequence[str]) -> tuple[float, float]:
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
    made_s, made_mb = run(
        ["synth", "--date", "2025-09-04", "--universe", universe, "-o", str(path)]
    )
    rows = json.loads(path.with_suffix(".json").read_text())["rows"]
    facts_s, facts_mb = run(["facts", str(path)])
    return {
        "universe": universe,
        "rows": rows,
        "synth_s": round(made_s, 2),
        "synth_mb": round(made_mb),
        "facts_s": round(facts_s, 2),
        "facts_mb": round(facts_mb),
    }


def main(arguments: Sequence[str]) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks synth", description=__doc__)
    parser.add_argument("--universe", action="append", help=f"default: {', '.join(UNIVERSES)}")
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    options = parser.parse_args(arguments)
    found = machine()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(Path(folder), name) for name in options.universe or UNIVERSES]
    if options.json:
        print(json.dumps({"machine": found, "days": rows}, indent=2))
        return 0
    print(describe(found))
    print(f"\n{'universe':>10} {'rows':>10} {'synth s':>9} {'MB':>6} {'facts s':>9} {'MB':>6}")
    for row in rows:
        print(
            f"{row['universe']:>10} {row['rows']:>10,} {row['synth_s']:>9} {row['synth_mb']:>6} "
            f"{row['facts_s']:>9} {row['facts_mb']:>6}"
        )
    return 0
