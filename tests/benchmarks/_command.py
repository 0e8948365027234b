"""What all benchmarks have in common on the command line, and how they print their goals."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.benchmarks._machine import describe, machine

Goal = dict[str, Any]
Answer = dict[str, Any]


def at_least(what: str, goal: float, measured: float, unit: str = "x") -> Goal:
    """Return a row of what is wanted; more is better."""
    return {"what": what, "at_least": goal, "measured": _short(measured), "unit": unit}


def at_most(what: str, goal: float, measured: float, unit: str = "x") -> Goal:
    """Return a row of what is wanted; less is better."""
    return {"what": what, "at_most": goal, "measured": _short(measured), "unit": unit}


def is_met(goal: Goal) -> bool:
    """Return whether a row is met."""
    measured: float = goal["measured"]
    if "at_least" in goal:
        return bool(measured >= goal["at_least"])
    return bool(measured <= goal["at_most"])


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """Return the options that every benchmark has."""
    found = argparse.ArgumentParser(
        prog=f"python -m tests.benchmarks {name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--rounds", type=int, default=3, help="runs of which medians are taken (3)")
    found.add_argument("--quick", action="store_true", help="shorter runs and fewer kinds")
    found.add_argument("--json", action="store_true", help="print one JSON object")
    return found


def run(
    options: argparse.Namespace,
    workload: Mapping[str, Any],
    measure: Callable[[], Answer],
    show: Callable[[Answer], None],
) -> int:
    """
    Measure, and print it.

    Args:
        options: As :func:`parser` reads them.
        workload: What is measured, for the reader.
        measure: Returns the figures, with ``goals`` among them.
        show: Prints them as tables.

    """
    where = machine()
    where["others"] = others()
    answer = {"machine": where, "workload": dict(workload), **measure()}
    if options.json:
        print(json.dumps(answer))
        return 0
    print(describe(where))
    print("; ".join(f"{name} {value}" for name, value in workload.items()))
    show(answer)
    show_goals(answer["goals"])
    return 0


def show_goals(goals: Sequence[Goal]) -> None:
    """Print what is wanted beside what was measured."""
    if not goals:
        return
    width = max(len(goal["what"]) for goal in goals)
    print(f"\n{'goal':<{width}}{'wanted':>14}{'measured':>14}")
    for goal in goals:
        sign, wanted = (">=", goal["at_least"]) if "at_least" in goal else ("<=", goal["at_most"])
        print(
            f"{goal['what']:<{width}}{f'{sign} {number(wanted)}':>14}"
            f"{number(goal['measured']):>14} {goal['unit']:<6} {'' if is_met(goal) else 'missed'}"
        )


def number(value: float) -> str:
    """Return a figure with the digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def others() -> dict[str, str]:
    """Return the versions of programs that are not Python's."""
    found = {"libc": " ".join(platform.libc_ver())}
    for name in ("node", "cc"):
        if shutil.which(name):
            told = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
            found[name] = told.stdout.splitlines()[0] if told.stdout else "?"
    return found
