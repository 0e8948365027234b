"""JUnit XML tells of each verdict what CI can do with it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from conformance.junit import junit
from conformance.verdicts import Status, Verdict
from tests.conformance.reports import ALL, ended, report


def cases_of(content: bytes) -> dict[str, ET.Element]:
    """Return the test cases by the id that begins their names."""
    return {
        test.get("name", "").split()[0]: test for test in ET.fromstring(content).iter("testcase")
    }


def told(test: ET.Element) -> list[str]:
    """Return what a test case has that makes it other than passed."""
    return [child.tag for child in test if child.tag != "system-out"]


def test_each_verdict_has_its_place() -> None:
    """What fails the run is failed or in error; what was not judged is never passed."""
    tests = cases_of(junit(report(*ALL)))
    assert {id: told(test) for id, test in tests.items()} == {
        "CON-010": [],
        "SUB-010": ["failure"],
        "SUB-020": ["skipped"],
        "SUB-030": ["skipped"],
        "SUB-040": ["failure"],
        "SUB-050": [],
        "SUB-060": [],
        "SUB-070": ["skipped"],
        "SUB-080": ["skipped"],
        "SUB-090": ["error"],
    }


def test_a_failure_says_all_that_is_needed() -> None:
    """Expected and found, the rules, the command that runs it alone, and the wire log."""
    failure = cases_of(junit(report(*ALL)))["SUB-010"].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert 'expected: subscribed_stocks ["SBIN"]' in failure.text
    assert "found:    []" in failure.text
    assert "S-1: `subscribe` is answered by" in failure.text
    assert "odin-conformance run ws://h:1 --case 'SUB-010'" in failure.text
    assert '7.2 ms peer 1 < {"type":"welcome"' in failure.text
    assert "bell \N{REPLACEMENT CHARACTER} and <tag>" in failure.text


def test_the_counts_are_those_of_the_cases() -> None:
    """Of one report, and of several in one file."""
    root = ET.fromstring(junit(report(*ALL), report(ALL[0], name="other")))
    counts = [
        [element.get(key) for key in ("tests", "failures", "errors", "skipped")]
        for element in (root, *root)
    ]
    assert counts == [["11", "2", "1", "4"], ["10", "2", "1", "4"], ["1", "0", "0", "0"]]


def test_an_inconclusive_run_is_in_error() -> None:
    """Too many inconclusive cases are not skipped over."""
    case = ended("SUB-080", Verdict.INCONCLUSIVE, "no clock driver works here")
    assert told(cases_of(junit(report(case)))["SUB-080"]) == ["error"]
    allowed = report(case, status=Status.PASSED)
    assert told(cases_of(junit(allowed))["SUB-080"]) == ["skipped"]


def test_a_run_without_an_end_is_in_error() -> None:
    """A server that was not reached, or an interruption, is no pass for want of cases."""
    for status in (Status.UNREACHABLE, Status.INTERRUPTED):
        root = ET.fromstring(junit(report(ALL[0], status=status)))
        assert root.get("errors") == "1"
