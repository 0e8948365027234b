"""
The page of all figures: measured on request, written from what was measured.

    python -m tests.benchmarks report [--run [NAME ...]] [--quick]

Each benchmark's JSON lies in ``docs/performance/NAME.json``, its charts beside
it, and the page is ``docs/performance.md``. What people have to say about goals
that are missed stands in ``docs/performance/notes.md`` and is taken over: a
heading there names a benchmark, or a benchmark and how the goals begin that the
text is about (``## fanout: 100 clients, 1 a turn``).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks._charts import charts
from tests.benchmarks._command import is_met, number
from tests.benchmarks._machine import describe
from tests.benchmarks._svg import svg

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
NOTES = "notes.md"

Answers = Mapping[str, Mapping[str, Any]]

HEAD = """\
# Performance

What the product does, how fast, beside what. `make bench` measures it all again on your machine
and writes this page; one benchmark alone is `python -m tests.benchmarks NAME`.

Product and peers run in turns, in another order each time, and figures are medians. Ratios of one
run are what counts: absolute figures move with the machine and with what else it does. In every run
messages are counted, none may be lost, and those of a sample client are looked at one by one.
"""


def measure(names: Sequence[str], *, quick: bool) -> int:
    """Run benchmarks one after the other; return how many failed, which keep their old JSON."""
    FOLDER.mkdir(exist_ok=True)
    failed = 0
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "tests.benchmarks", name, "--json"]
        told = subprocess.run(
            command + ["--quick"] * quick, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT
        )
        if told.returncode:
            print(f"{name} failed with status {told.returncode}", file=sys.stderr)
            failed += 1
            continue
        answer = json.loads(told.stdout.splitlines()[-1])
        (FOLDER / f"{name}.json").write_text(json.dumps(answer, indent=1) + "\n")
    return failed


def read(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what was measured, by benchmark, in the order of the names."""
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def read_notes(text: str) -> dict[str, str]:
    """Return the hand-written texts by their headings."""
    found: dict[str, str] = {}
    for part in text.split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        found[heading.strip()] = body.strip()
    return found


def notes_about(name: str, missed: Sequence[str], notes: Mapping[str, str]) -> dict[str, str]:
    """Return the notes on goals that a benchmark missed, and those on itself."""
    return {
        heading: text
        for heading, text in notes.items()
        if heading == name or any(f"{name}: {what}".startswith(heading) for what in missed)
    }


def unexplained(answers: Answers, notes: Mapping[str, str]) -> list[str]:
    """Return the goals that are missed and of which no note tells why."""
    missed = [
        f"{name}: {goal['what']}"
        for name, answer in answers.items()
        for goal in answer.get("goals", ())
        if not is_met(goal)
    ]
    return [what for what in missed if not any(what.startswith(heading) for heading in notes)]


def page(
    answers: Answers,
    notes: Mapping[str, str],
    shown: Callable[[str, Mapping[str, Any]], str],
    about: Callable[[str], str],
) -> tuple[str, dict[str, str]]:
    """
    Return the page, and the charts by their file names.

    Args:
        answers: What was measured.
        notes: The hand-written texts.
        shown: Returns the tables of a benchmark as it prints them.
        about: Returns what a benchmark measures, and what it does not show.

    """
    files: dict[str, str] = {}
    parts = [HEAD, _goals(answers)]
    for name, answer in answers.items():
        missed = [goal["what"] for goal in answer.get("goals", ()) if not is_met(goal)]
        parts += [f"## {name}\n", about(name) + "\n"]
        parts.append(
            f"{describe(answer['machine'])}  \n{_workload(answer)}\n".replace("\n", "  \n", 1)
        )
        parts.append(f"```text\n{shown(name, answer).strip(chr(10))}\n```\n")
        for count, chart in enumerate(charts(name, answer), start=1):
            file = f"{name}-{count}.svg"
            files[file] = svg(chart)
            parts.append(f"![{chart.title}]({FOLDER.name}/{file})\n")
        for heading, text in notes_about(name, missed, notes).items():
            what = heading.partition(": ")[2]
            parts.append(f"**{what}.** {text}\n" if what else f"{text}\n")
    return "\n".join(parts), files


def _goals(answers: Answers) -> str:
    rows = [
        "## Goals\n",
        "| benchmark | what | goal | measured | |",
        "| --- | --- | --- | --- | --- |",
    ]
    met = total = 0
    for name, answer in answers.items():
        for goal in answer.get("goals", ()):
            sign, wanted = ("≥", goal["at_least"]) if "at_least" in goal else ("≤", goal["at_most"])
            unit = {"x": "x", "": ""}.get(goal["unit"], f" {goal['unit']}")
            good = is_met(goal)
            met, total = met + good, total + 1
            rows.append(
                f"| [{name}](#{name}) | {goal['what']} | {sign} {number(wanted)}{unit} | "
                f"{number(goal['measured'])}{unit} | {'met' if good else '**not met**'} |"
            )
    rows.append(f"\n{met} of {total} are met; why others are not stands with the benchmark.\n")
    return "\n".join(rows)


def _workload(answer: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {value}" for name, value in answer["workload"].items())


def main(arguments: Sequence[str], names: Sequence[str], load: Callable[[str], Any]) -> int:
    """
    Measure if asked to, and write the page.

    Args:
        arguments: Of the command line.
        names: Of all benchmarks.
        load: Returns the module of one.

    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--run", nargs="*", metavar="NAME", choices=names, help="measure these first; all, if none"
    )
    parser.add_argument("--quick", action="store_true", help="measure with short runs")
    options = parser.parse_args(arguments)
    failed = 0
    if options.run is not None:
        failed = measure(options.run or names, quick=options.quick)

    def shown(name: str, answer: Mapping[str, Any]) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            load(name).show(answer)
        return text.getvalue()

    answers = read(FOLDER, names)
    notes = read_notes((FOLDER / NOTES).read_text()) if (FOLDER / NOTES).exists() else {}
    text, files = page(answers, notes, shown, lambda name: (load(name).__doc__ or "").strip())
    PAGE.write_text(text)
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    for file, drawing in files.items():
        (FOLDER / file).write_text(drawing)
    for what in unexplained(answers, notes):
        print(f"not met, and {NOTES} does not say why: {what}", file=sys.stderr)
    print(f"{PAGE.relative_to(ROOT)}: {len(answers)} benchmarks, {len(files)} charts")
    return 1 if failed else 0
