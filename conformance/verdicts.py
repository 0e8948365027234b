"""
What becomes of a case, and what a whole run's exit status is. Values alone.

| a case | verdict |
| --- | --- |
| returns | PASS; INFO if its level is INFO |
| raises `Loose` | NON-STRICT: a tolerance was met, but only loosely; in profile strict FAIL |
| raises `Unmet` | FAIL |
| raises `Inconclusive` | INCONCLUSIVE: what had to happen could not be brought about |
| is left out | SKIP |
| raises anything else | ERROR: the suite's own fault |
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conformance.case import Case, Level, Profile
from conformance.expect import Inconclusive, Loose, Unmet
from conformance.wire import Frame

__all__ = [
    "Result",
    "Status",
    "Verdict",
    "counts",
    "exit_status",
    "judge",
]


class Verdict(enum.Enum):
    """What became of a case."""

    PASS = "PASS"
    NON_STRICT = "NON-STRICT"
    FAIL = "FAIL"
    INFO = "INFO"
    SKIP = "SKIP"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


class Status(enum.IntEnum):
    """Exit statuses of ``odin-conformance run``."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INCONCLUSIVE = 4
    INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Result:
    """One case's outcome, with all that a report tells of it."""

    case: Case
    verdict: Verdict
    why: str = ""
    """One line; empty for PASS."""
    expected: str = ""
    found: str = ""
    seconds: float = 0.0
    measured: Mapping[str, object] = field(default_factory=dict)
    wire: tuple[Frame, ...] = ()
    wire_left_out: int = 0
    log: tuple[str, ...] = ()
    """What the server and the feed said meanwhile, if the case did not pass."""
    trace: str = ""
    """The traceback of an ERROR."""
    seen_in: tuple[str, ...] = ()
    """The cases in which a rule that is watched in every message was broken."""
    expected_failure: str = ""
    """Why the target file expects it to fail; empty if it does not."""

    @property
    def unexpected_pass(self) -> bool:
        """Whether it passed though the target file expects it to fail."""
        return bool(self.expected_failure) and self.verdict in (Verdict.PASS, Verdict.NON_STRICT)

    def is_failure(self, profile: Profile) -> bool:
        """Return whether it fails the run."""
        if self.verdict is Verdict.ERROR or self.unexpected_pass:
            return True
        if self.verdict is not Verdict.FAIL or self.expected_failure:
            return False
        return self.case.level is Level.MUST or profile is Profile.STRICT


def judge(case: Case, error: BaseException | None, profile: Profile) -> tuple[Verdict, str]:
    """Return the verdict on a case that ended with ``error`` (None: it returned), and why."""
    match error:
        case None:
            return (Verdict.INFO if case.level is Level.INFO else Verdict.PASS), ""
        case Loose():
            strict = profile is Profile.STRICT
            return (Verdict.FAIL if strict else Verdict.NON_STRICT), str(error)
        case Unmet():
            return Verdict.FAIL, str(error)
        case Inconclusive():
            return Verdict.INCONCLUSIVE, str(error)
        case _:
            return Verdict.ERROR, f"{type(error).__name__}: {error}"


def counts(results: Iterable[Result]) -> Counter[Verdict]:
    """Return how many results have each verdict."""
    return Counter(result.verdict for result in results)


def exit_status(
    results: Iterable[Result], *, profile: Profile, allow_inconclusive: int = 0
) -> Status:
    """Return the exit status of a run that was not interrupted."""
    results = list(results)
    if any(result.is_failure(profile) for result in results):
        return Status.FAILED
    if counts(results)[Verdict.INCONCLUSIVE] > allow_inconclusive:
        return Status.INCONCLUSIVE
    return Status.PASSED
