"""
Which case of the suite fails which broken server.

``python -m tests.conformance.matrix`` judges every variant of the reference
server by the whole suite and prints a line for each: the cases that failed it,
and whether it was caught as it should be. A variant is caught when a case of
its chapter fails; a failed MUST case of another chapter that shares no rule
with it is a stray.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.conformance.reference import breaks
from tests.conformance.reference.breaks import MADE_FOR, VARIANTS, Variant
from tests.guide.page import ROOT

TARGET: Final = ROOT / "tests/conformance/reference/target.toml"
WITHIN_S: Final = 900

SPOILS: Final = {
    "replies-twice": ("SUB", "UNS", "QRY", "ERR"),
    "quotes-of-others-leak": ("SUB", "UNS", "PER", "MKT"),
    "subscribe-replaces": ("CON", "UNS", "QRY", "PER"),
    "empty-subscribe-succeeds": ("MSG",),
    "token-echoed": ("UNS",),
    "token-named-without-exchange": ("UNS",),
    "bse-named-as-nse": ("UNS",),
    "failed-normalised": ("UNS",),
}
"""
The chapters whose cases a variant cannot but fail as well, because they have to
rely on what it breaks.
"""


class Outcome(NamedTuple):
    """What the suite made of one broken server."""

    variant: Variant
    caught_by: tuple[str, ...]
    """The failed cases of its chapter, and those that share a rule with it."""
    strays: tuple[str, ...]
    """The failed MUST cases that do not, and that it cannot be excused for."""
    odd: tuple[str, ...]
    """The cases that ended in an error, or could not be judged."""
    seconds: float

    @property
    def is_caught(self) -> bool:
        """Whether it was failed by a case of its own chapter, and by no stranger."""
        own = any(id.startswith(f"{self.variant.chapter}-") for id in self.caught_by)
        return own and not self.strays and not self.odd


def write_target(variant: Variant | None, folder: Path) -> Path:
    """Write a target file of the reference server, broken in a way; return its path."""
    text = TARGET.read_text().replace('cwd = "../../.."', f"cwd = {json.dumps(str(ROOT))}")
    if variant is not None:
        text = text.replace('"--drain-s", "0",', f'"--drain-s", "0", "--break", "{variant.name}",')
    path = folder / "target.toml"
    path.write_text(text)
    return path


def run_suite(variant: Variant | None, cases: Sequence[str] = ()) -> dict[str, Any]:
    """Judge the reference server, broken in a way; return the suite's report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = folder / "report.json"
        command = [sys.executable, "-m", "conformance", "run", "--quiet"]
        command += ["--target", str(write_target(variant, folder)), "--json", str(report)]
        for case in cases:
            command += ["--case", case]
        told = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
        if not report.exists():
            raise RuntimeError(f"the suite wrote no report: {told.stdout}{told.stderr}")
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def outcome(variant: Variant, report: dict[str, Any]) -> Outcome:
    """Tell what a report says of a variant."""
    failed = [case for case in report["cases"] if case["verdict"] == "FAIL"]
    related = [
        case["id"]
        for case in failed
        if case["id"].startswith(f"{variant.chapter}-") or set(case["rules"]) & set(variant.rules)
    ]
    excused = SPOILS.get(variant.name, ())
    strays = [
        case["id"]
        for case in failed
        if case["id"] not in related
        and case["level"] == "MUST"
        # What is watched in every message may be broken by any variant.
        and "-900" not in case["id"]
        and case["chapter"] not in excused
    ]
    odd = [c["id"] for c in report["cases"] if c["verdict"] in ("ERROR", "INCONCLUSIVE")]
    return Outcome(variant, tuple(related), tuple(strays), tuple(odd), report["seconds"])


def record(outcomes: Sequence[Outcome]) -> None:
    """Note for each variant the case of its chapter that fails the fewest others."""
    failing = Counter(id for found in outcomes for id in found.caught_by)
    table = dict(breaks.made_for())
    for found in outcomes:
        name, chapter = found.variant.name, found.variant.chapter
        own = [id for id in found.caught_by if id.startswith(f"{chapter}-")]
        if own:
            table[name] = min(own, key=lambda id: ("-900" in id, failing[id], id))
    lines = [f'{one.name} = "{table[one.name]}"' for one in VARIANTS if one.name in table]
    head = "# The case that is made for each broken server; matrix.py --record writes this.\n\n"
    MADE_FOR.write_text(head + "\n".join(lines) + "\n")


def main() -> int:
    """Judge the variants; return 1 if one was not caught as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.matrix", description=__doc__)
    parser.add_argument("variants", nargs="*", metavar="NAME", help="patterns; all by default")
    parser.add_argument("--case", action="append", default=[], help="only these cases")
    parser.add_argument("--chapter", action="append", default=[], help="variants of a chapter")
    parser.add_argument(
        "--record", action="store_true", help=f"note in {MADE_FOR.name} what caught"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, help="how many at the same time")
    options = parser.parse_args()
    patterns = options.variants or ["*"]
    chosen = [
        variant
        for variant in VARIANTS
        if any(fnmatch(variant.name, pattern) for pattern in patterns)
        and (not options.chapter or variant.chapter in options.chapter)
    ]
    missed = 0
    outcomes = []
    with ThreadPoolExecutor(options.jobs) as pool:
        reports = pool.map(lambda variant: run_suite(variant, options.case), chosen)
        for variant, report in zip(chosen, reports, strict=True):
            found = outcome(variant, report)
            outcomes.append(found)
            if options.record:
                record(outcomes)
            missed += not found.is_caught
            mark = "caught" if found.is_caught else "MISSED" if not found.caught_by else "STRAYS"
            print(  # noqa: T201
                f"{mark}  {variant.chapter} {variant.name}: {' '.join(found.caught_by) or '-'}"
                f"{'  stray: ' + ' '.join(found.strays) if found.strays else ''}"
                f"{'  odd: ' + ' '.join(found.odd) if found.odd else ''}  {found.seconds:.1f} s",
                flush=True,
            )
    print(f"{len(chosen)} variants, {len(chosen) - missed} caught as they should be")  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
