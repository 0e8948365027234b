"""
Two reports held against each other: what became worse, what became better. Values alone.

Worse is a case that fails now and did not before, one that held and holds only
loosely now, and one that held and cannot be judged any more. A case that is
skipped now was left out on purpose; it is told, and is no regression. Neither
is a failure that is expected: only what fails a run is worse.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Literal, NamedTuple

from conformance.reported import CaseReport, Report
from conformance.verdicts import Verdict

__all__ = ["Change", "Changed", "Comparison", "compared"]


class Changed(enum.Enum):
    """In which way a case is another than before."""

    REGRESSION = "regressions"
    FIX = "fixes"
    LEFT_OUT = "not judged any more"
    JUDGED = "judged now"
    NEW = "new cases"
    GONE = "gone cases"


class Change(NamedTuple):
    """One case that is another than before; a side is None where it has no such case."""

    how: Changed
    old: CaseReport | None
    new: CaseReport | None

    @property
    def case(self) -> CaseReport:
        """The newer side that there is."""
        found = self.new or self.old
        assert found is not None
        return found


class Comparison(NamedTuple):
    """All that changed, in the order of the new report, and how many did not."""

    changes: tuple[Change, ...]
    unchanged: int
    remarks: tuple[str, ...]
    """What makes the two less comparable."""
    is_whole: bool
    """Whether the new run came to its end."""

    def of(self, how: Changed) -> list[Change]:
        """Return the changes of a kind."""
        return [change for change in self.changes if change.how is how]

    @property
    def is_worse(self) -> bool:
        """Whether there is a regression, or none can be ruled out."""
        return bool(self.of(Changed.REGRESSION)) or not self.is_whole


def compared(old: Report, new: Report) -> Comparison:
    """Return what changed from one report to another."""
    before = {case.id: case for case in old.cases}
    after = {case.id: case for case in new.cases}
    changes = []
    unchanged = 0
    for case in new.cases:
        earlier = before.get(case.id)
        how = Changed.NEW if earlier is None else _how(earlier, case)
        if how is None:
            unchanged += 1
        else:
            changes.append(Change(how, earlier, case))
    changes += [Change(Changed.GONE, case, None) for case in old.cases if case.id not in after]
    return Comparison(tuple(changes), unchanged, tuple(_remarks(old, new)), new.is_whole)


def _how(old: CaseReport, new: CaseReport) -> Changed | None:
    if new.fails_run and not old.fails_run:
        return Changed.REGRESSION
    was, now = _standing(old), _standing(new)
    match was, now:
        case "left out", "left out":
            return None
        case "left out", _:
            return Changed.JUDGED
        case (("held" | "loose"), "left out") if new.verdict is Verdict.INCONCLUSIVE:
            return Changed.REGRESSION
        case _, "left out":
            return Changed.LEFT_OUT
        case "held", "loose":
            return Changed.REGRESSION
        case ("failed", "held" | "loose") | ("loose", "held"):
            return Changed.FIX
    return Changed.FIX if old.fails_run and not new.fails_run else None


def _standing(case: CaseReport) -> Literal["held", "loose", "failed", "left out"]:
    match case.verdict:
        case Verdict.PASS | Verdict.INFO:
            return "held"
        case Verdict.NON_STRICT:
            return "loose"
        case Verdict.SKIP | Verdict.INCONCLUSIVE:
            return "left out"
        case _:
            return "failed"


def _remarks(old: Report, new: Report) -> Iterable[str]:
    for what, before, after in (
        ("profile", old.profile, new.profile),
        ("clock driver", old.clock.driver or "none", new.clock.driver or "none"),
        ("seed", old.seed, new.seed),
    ):
        if before != after:
            yield f"the {what} was {before} and is {after}"
    if not old.is_whole:
        yield "the old run did not come to its end"
    if not new.is_whole:
        yield "the new run did not come to its end: what it did not run is unknown"
