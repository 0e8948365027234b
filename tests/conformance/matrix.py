"""
Which case of the suite fails which broken server.

``python -m tests.conformance.matrix`` judges every variant of the reference
server by the whole suite and prints a line for each: the cases that failed it,
and whether it was caught. A variant is caught when the case made for it fails
(``made_for.toml``), every case could be judged, and nothing else failed that is
not about it: a failed MUST case of another chapter that shares no rule with
the variant is a stray. ``--write`` puts what was found on the page.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Final, NamedTuple

from conformance.case import Case, Level
from conformance.verdicts import Result, Verdict
from tests.conformance.bench import bench, cases_named
from tests.conformance.reference import breaks
from tests.conformance.reference.breaks import VARIANTS, Variant
from tests.conformance.table import PAGE, with_outcomes

SPOILS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "empty-subscribe-succeeds": (
        ("MSG-*",),
        "The guide shows no other error, so what errors look like is judged by this one.",
    ),
    "subscribe-replaces": (
        ("UNS-120", "QRY-040", "LIM-100", "RES-010", "RES-100"),
        "An order of stocks, a limit of them, and what is subscribed while the feed is away take "
        "more than one subscribe.",
    ),
    "stocks-sorted-by-name": (
        ("LIM-110",),
        "Which stocks fit below the limit is told by a reply, in its order.",
    ),
    "total-of-the-request": (
        ("LIM-100",),
        "How many stocks there are at the limit is told by the total.",
    ),
    "exchange-unknown": (
        ("PER-*", "RES-430.*"),
        "What outlives a restart is a stock of each exchange.",
    ),
    "takeover-refused": (
        ("PER-310",),
        "That a session which is in use stays is seen by a client that comes again meanwhile.",
    ),
    "token-echoed": (
        ("DAT-900.subscribed",),
        "Whose data may come is known by the names in the replies.",
    ),
    "bse-named-as-nse": (
        ("DAT-900.subscribed",),
        "Whose data may come is known by the names in the replies.",
    ),
    "binary-answered-in-binary": (
        ("ERR-040.*", "ERR-050"),
        "What is asked in a binary frame is answered in one; a client that reads text has nothing.",
    ),
    "updates-out-of-order": (
        ("LIM-420", "MKT-030", "MKT-040"),
        "An update that waits for the next to overtake it is missing from those that are counted.",
    ),
    "price-in-paise": (
        ("RES-320", "RES-500"),
        "That a quote is news of a feed that came back is told by its price.",
    ),
    "prices-in-single-precision": (
        ("RES-320", "RES-500"),
        "That a quote is news of a feed that came back is told by its price.",
    ),
    "quotes-of-others-leak": (
        ("PER-130",),
        "That a share of BSE comes back as one is told by the data that come.",
    ),
    "subscriptions-newest-first": (
        ("LIM-100",),
        "Which stocks have room below the limit is told in the order of the subscriptions.",
    ),
    "symbols-beside-wrong-tokens": (
        ("LIM-100",),
        "Which stocks have room below the limit is told in the order of the subscriptions.",
    ),
    "last-quote-while-closed": (
        ("PER-170",),
        "Who comes back in the evening is to hear nothing before the morning.",
    ),
    "notice-at-each-connect": (
        ("RES-500",),
        "That a mute feed brings no notice is seen by a client that has had none.",
    ),
    "acknowledged-before-durable": (
        ("DAT-900.subscribed",),
        "A share whose unsubscribe is lost comes back and brings its data.",
    ),
    "subscriptions-dropped-at-close": (
        ("DAT-340", "DAT-650"),
        "What the next day brings is seen by clients that stay subscribed over the night.",
    ),
    "subscribe-refused-while-closed": (
        ("MKT-*", "PER-170", "RES-410", "RES-420"),
        "Who may not subscribe before the open cannot be seen to get data from the open on.",
    ),
    "clients-dropped-at-close": (
        ("DAT-340", "DAT-650"),
        "What the next day brings is seen by clients that stay over the night.",
    ),
    "exchange-not-stored": (
        ("DAT-900.subscribed",),
        "The share that comes back in place of another brings its data.",
    ),
    "unsubscribe-not-stored": (
        ("DAT-900.subscribed",),
        "The share that comes back brings its data.",
    ),
    "small-messages-alone": (
        ("ERR-060.*", "ERR-070.*", "ERR-140.long"),
        "Deep nesting, many keys, long numbers and long names take more than 8 KiB.",
    ),
    "pong-without-alive": (
        ("MSG-900.envelope",),
        "The status of every type of message is looked at wherever one comes.",
    ),
}
"""
What a variant cannot but fail, or leave open, as well, and why: patterns of cases that have to
rely on what it breaks.
"""


class Outcome(NamedTuple):
    """What the suite made of one broken server."""

    variant: Variant
    failed: tuple[str, ...]
    """Every case that failed."""
    strays: tuple[str, ...]
    """The failed MUST cases of other chapters that share no rule with it, without an excuse."""
    odd: tuple[str, ...]
    """The cases that ended in an error, or could not be judged."""

    @property
    def made_for(self) -> str:
        """The case that is made for it; empty if none is known."""
        return breaks.made_for().get(self.variant.name, "")

    @property
    def is_caught(self) -> bool:
        """Whether the case made for it failed, no stranger did, and all was judged."""
        return self.made_for in self.failed and not self.strays and not self.odd


def outcome(variant: Variant, results: Sequence[Result]) -> Outcome:
    """Tell what the results of a variant say of it."""
    failed = [result.case for result in results if result.verdict is Verdict.FAIL]
    strays = [
        case.id
        for case in failed
        if case.level is Level.MUST
        and case.chapter != variant.chapter
        and not set(case.rules) & set(variant.rules)
        and not _is_excused(variant, case)
    ]
    odd = [
        result.case.id
        for result in results
        if result.verdict is Verdict.ERROR
        or (result.verdict is Verdict.INCONCLUSIVE and not _is_excused(variant, result.case))
    ]
    return Outcome(variant, tuple(case.id for case in failed), tuple(strays), tuple(odd))


def _is_excused(variant: Variant, case: Case) -> bool:
    patterns, _ = SPOILS.get(variant.name, ((), ""))
    return any(fnmatch(case.id, pattern) for pattern in patterns)


async def judged(variants: Sequence[Variant], cases: Sequence[Case], jobs: int) -> list[Outcome]:
    """Judge each variant by these cases, some at the same time; print each as it is known."""
    waiting = list(reversed(variants))
    outcomes = []

    async def work() -> None:
        async with bench() as stand:
            while waiting:
                variant = waiting.pop()
                outcomes.append(outcome(variant, await stand.judge(cases, variant)))
                print(told(outcomes[-1]), flush=True)  # noqa: T201

    async with asyncio.TaskGroup() as workers:
        for _ in range(min(jobs, len(variants))):
            workers.create_task(work())
    return outcomes


def told(found: Outcome) -> str:
    """Return the line that is printed of an outcome."""
    variant = found.variant
    mark = "caught" if found.is_caught else "MISSED"
    line = f"{mark}  {variant.chapter} {variant.name}: for {found.made_for or '-'}"
    line += f", failed {' '.join(found.failed) or '-'}"
    line += f", stray {' '.join(found.strays)}" if found.strays else ""
    line += f", odd {' '.join(found.odd)}" if found.odd else ""
    return line


def main() -> int:
    """Judge the variants; return 1 if one was not caught as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.matrix", description=__doc__)
    parser.add_argument("variants", nargs="*", metavar="NAME", help="patterns; all by default")
    parser.add_argument("--case", action="append", default=[], help="only these cases")
    parser.add_argument("--chapter", action="append", default=[], help="variants of a chapter")
    parser.add_argument(
        "--write", action="store_true", help=f"write the table of docs/{PAGE.name} anew"
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
    outcomes = asyncio.run(judged(chosen, cases_named(*options.case), options.jobs))
    if options.write:
        failed = {found.variant.name: found.failed for found in outcomes}
        PAGE.write_text(with_outcomes(PAGE.read_text(), failed))
    missed = sum(not found.is_caught for found in outcomes)
    print(f"{len(chosen)} variants, {len(chosen) - missed} caught as they should be")  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
