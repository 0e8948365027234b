"""What a run tells on the terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest

from conformance.case import Case, Level
from conformance.console import Told
from conformance.runner import Run, Settings
from conformance.target import Target
from conformance.verdicts import Result, Status, Verdict
from conformance.wire import Frame

CASE = Case(id="SUB-999", title="It holds [really]", rules=("S-1",), explain="Why.")
INFO = Case(id="LIM-999", title="So fast", rules=("M-5",), explain="Why.", level=Level.INFO)

FAILED = Result(
    case=CASE,
    verdict=Verdict.FAIL,
    why="expected [1]; found [2]",
    expected="[1]",
    found="[2]",
    seconds=0.25,
    wire=(Frame(1.5, "peer 1", "out", "{}"),),
)


def a_run(*results: Result) -> Run:
    """Return a run that has ended."""
    run = Run(target=Target.of_url("ws://h:1"), cases=[CASE], settings=Settings(seed=3, scale=2))
    run.results = list(results)
    return run


def told(*results: Result, quiet: bool = False, status: Status = Status.PASSED) -> str:
    """Return what is told of results."""
    file = io.StringIO()
    console = Told(quiet=quiet, file=file)
    for result in results:
        console.result(result)
    console.ends(a_run(*results), status)
    return file.getvalue()


def test_a_failure_tells_what_was_expected_and_found() -> None:
    """And how to run it again; brackets in texts are no markup."""
    said = told(FAILED, status=Status.FAILED)
    assert "FAIL         SUB-999                    It holds [really] 250 ms" in said
    assert "    expected:  [1]\n    found:     [2]\n" in said
    assert "odin-conformance run ws://h:1 --case 'SUB-999'" in said
    assert "--profile full --seed 3 --timeout-scale 2" in said
    assert "1 FAIL in" in said


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"verdict": Verdict.SKIP, "why": "no calendar"}, "why:       no calendar"),
        ({"verdict": Verdict.ERROR, "trace": "Traceback\n  here"}, "      here"),
        (
            {"verdict": Verdict.FAIL, "expected_failure": "known"},
            "expected failure: known",
        ),
        (
            {"verdict": Verdict.PASS, "expected_failure": "known"},
            "passed, but the target file expects a failure: known",
        ),
        ({"verdict": Verdict.FAIL, "expected": "a", "seen_in": ("CON-010",)}, "CON-010"),
        ({"case": INFO, "verdict": Verdict.INFO, "measured": {"ticks a second": 9}}, "9"),
    ],
)
def test_each_verdict_tells_its_own(changes: dict[str, Any], line: str) -> None:
    """Reasons, tracebacks, expected failures, measures."""
    given: dict[str, Any] = {"case": CASE} | changes
    assert line in told(Result(**given))


def test_quiet_tells_of_what_did_not_pass() -> None:
    """A pass and a skip have no line then."""
    said = told(Result(case=CASE, verdict=Verdict.PASS), FAILED, quiet=True)
    assert said.count("SUB-999 ") == 1
    assert "1 PASS, 1 FAIL" in said
