"""Two reports are held against each other, verdict by verdict."""

from __future__ import annotations

import pytest

from conformance.case import Level, Profile
from conformance.compare import Changed, compared
from conformance.verdicts import Result, Status, Verdict
from tests.conformance.reports import ended, failed, report

V = Verdict


def outcome(verdict: Verdict) -> Result:
    """Return a result of one case."""
    return failed("SUB-010") if verdict is V.FAIL else ended("SUB-010", verdict)


@pytest.mark.parametrize(
    ("old", "new", "how"),
    [
        (V.PASS, V.PASS, None),
        (V.FAIL, V.FAIL, None),
        (V.PASS, V.FAIL, Changed.REGRESSION),
        (V.PASS, V.ERROR, Changed.REGRESSION),
        (V.SKIP, V.FAIL, Changed.REGRESSION),
        (V.INCONCLUSIVE, V.FAIL, Changed.REGRESSION),
        (V.PASS, V.NON_STRICT, Changed.REGRESSION),
        (V.PASS, V.INCONCLUSIVE, Changed.REGRESSION),
        (V.NON_STRICT, V.INCONCLUSIVE, Changed.REGRESSION),
        (V.FAIL, V.PASS, Changed.FIX),
        (V.ERROR, V.PASS, Changed.FIX),
        (V.FAIL, V.NON_STRICT, Changed.FIX),
        (V.NON_STRICT, V.PASS, Changed.FIX),
        (V.PASS, V.SKIP, Changed.LEFT_OUT),
        (V.FAIL, V.SKIP, Changed.LEFT_OUT),
        (V.FAIL, V.INCONCLUSIVE, Changed.LEFT_OUT),
        (V.SKIP, V.PASS, Changed.JUDGED),
        (V.INCONCLUSIVE, V.PASS, Changed.JUDGED),
        (V.FAIL, V.ERROR, None),
        (V.SKIP, V.INCONCLUSIVE, None),
        (V.INFO, V.PASS, None),
    ],
)
def test_each_change_has_its_kind(old: Verdict, new: Verdict, how: Changed | None) -> None:
    """Only what fails now, holds less, or lost its judgement is worse."""
    comparison = compared(report(outcome(old)), report(outcome(new)))
    assert [change.how for change in comparison.changes] == ([] if how is None else [how])
    assert comparison.is_worse is (how is Changed.REGRESSION)
    assert comparison.unchanged == (how is None)


def test_cases_come_and_go() -> None:
    """A new case that fails is no regression: nothing was better before."""
    comparison = compared(report(ended("SUB-010", V.PASS)), report(failed("SUB-020")))
    assert [(change.how, change.case.id) for change in comparison.changes] == [
        (Changed.NEW, "SUB-020"),
        (Changed.GONE, "SUB-010"),
    ]
    assert not comparison.is_worse


def test_an_expected_failure_is_no_regression() -> None:
    """Nor is a SHOULD; one that becomes unexpected is."""
    held = report(ended("SUB-010", V.PASS))
    known = report(failed("SUB-010", expected_failure="not built yet"))
    assert not compared(held, known).is_worse
    assert not compared(held, report(failed("SUB-010", Level.SHOULD))).is_worse
    assert compared(known, report(failed("SUB-010"))).is_worse


def test_a_run_without_an_end_is_worse() -> None:
    """What it did not run may have failed."""
    held = ended("SUB-010", V.PASS)
    comparison = compared(report(held), report(status=Status.UNREACHABLE))
    assert comparison.is_worse
    assert "did not come to its end" in comparison.remarks[0]


def test_what_differs_between_the_runs_is_told() -> None:
    """Another profile or seed explains changes."""
    comparison = compared(report(), report(profile=Profile.GUIDE, seed=3))
    assert comparison.remarks == (
        "the profile was full and is guide",
        "the seed was 0 and is 3",
    )
