"""What outcomes mean, for a case and for a run."""

from __future__ import annotations

import pytest

from conformance.case import Case, Level, Profile
from conformance.expect import Inconclusive, Loose, Unmet
from conformance.verdicts import Result, Status, Verdict, exit_status, judge


def a_case(level: Level = Level.MUST) -> Case:
    """Return a case that is in no catalogue."""
    return Case(id="SUB-999", title="x", rules=("S-1",), explain="x", level=level)


def a_result(verdict: Verdict, level: Level = Level.MUST, expected_failure: str = "") -> Result:
    """Return a result of such a case."""
    return Result(case=a_case(level), verdict=verdict, expected_failure=expected_failure)


@pytest.mark.parametrize(
    ("level", "error", "profile", "verdict"),
    [
        (Level.MUST, None, Profile.FULL, Verdict.PASS),
        (Level.INFO, None, Profile.FULL, Verdict.INFO),
        (Level.MUST, Unmet("a", "b"), Profile.FULL, Verdict.FAIL),
        (Level.MUST, Loose("a", "b"), Profile.FULL, Verdict.NON_STRICT),
        (Level.MUST, Loose("a", "b"), Profile.STRICT, Verdict.FAIL),
        (Level.MUST, Inconclusive("x"), Profile.FULL, Verdict.INCONCLUSIVE),
        (Level.MUST, KeyError("x"), Profile.FULL, Verdict.ERROR),
        (Level.MUST, AssertionError(), Profile.FULL, Verdict.ERROR),
    ],
)
def test_an_outcome_has_one_verdict(
    level: Level, error: Exception | None, profile: Profile, verdict: Verdict
) -> None:
    """How a case ends decides; what the suite itself does wrong is never the server's failure."""
    assert judge(a_case(level), error, profile)[0] is verdict


@pytest.mark.parametrize(
    ("results", "profile", "allowed", "status"),
    [
        ([], Profile.FULL, 0, Status.PASSED),
        ([a_result(Verdict.PASS), a_result(Verdict.SKIP)], Profile.FULL, 0, Status.PASSED),
        ([a_result(Verdict.NON_STRICT)], Profile.FULL, 0, Status.PASSED),
        ([a_result(Verdict.FAIL)], Profile.FULL, 0, Status.FAILED),
        ([a_result(Verdict.ERROR)], Profile.FULL, 0, Status.FAILED),
        ([a_result(Verdict.FAIL, Level.SHOULD)], Profile.FULL, 0, Status.PASSED),
        ([a_result(Verdict.FAIL, Level.SHOULD)], Profile.STRICT, 0, Status.FAILED),
        ([a_result(Verdict.INCONCLUSIVE)], Profile.FULL, 0, Status.INCONCLUSIVE),
        ([a_result(Verdict.INCONCLUSIVE)], Profile.FULL, 1, Status.PASSED),
        ([a_result(Verdict.INCONCLUSIVE)] * 2, Profile.FULL, 1, Status.INCONCLUSIVE),
        (
            [a_result(Verdict.INCONCLUSIVE), a_result(Verdict.FAIL)],
            Profile.FULL,
            0,
            Status.FAILED,
        ),
        ([a_result(Verdict.FAIL, expected_failure="known")], Profile.FULL, 0, Status.PASSED),
        ([a_result(Verdict.PASS, expected_failure="known")], Profile.FULL, 0, Status.FAILED),
    ],
)
def test_a_run_has_one_status(
    results: list[Result], profile: Profile, allowed: int, status: Status
) -> None:
    """Failures go before what is inconclusive; what was not judged is never a pass."""
    assert exit_status(results, profile=profile, allow_inconclusive=allowed) is status
