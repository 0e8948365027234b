from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.findings import KINDS, Finding, Findings, Severity


def finding(number: int, kind: str = "gap") -> Finding:
    """One of many."""
    return Finding(kind=kind, file="a.parquet", row=number, problem="odd")


@given(counts=st.lists(st.integers(0, 9), max_size=6), limit=st.integers(1, 12))
def test_the_first_are_listed_and_all_are_counted(counts: list[int], limit: int) -> None:
    """In the order in which they were found, however they came."""
    findings = Findings(limit)
    number = 0
    for count in counts:
        first = number
        findings.add_many("gap", count, lambda i, first=first: finding(first + i))  # type: ignore[misc]
        number += count
    assert findings.counts.get("gap", 0) == number
    assert [each.row for each in findings.listed.get("gap", [])] == list(range(min(number, limit)))


def test_the_worst_decides() -> None:
    """Nothing, a warning, an error."""
    findings = Findings(1)
    assert findings.worst is None
    findings.add(finding(0))
    assert findings.worst is Severity.WARNING
    findings.add(finding(0, "order"))
    findings.add(finding(1))
    assert findings.worst is Severity.ERROR


def test_errors_come_first() -> None:
    """The kinds are told in this order."""
    severities = [kind.severity for kind in KINDS.values()]
    assert severities == sorted(severities)
    assert {kind.name for kind in KINDS.values()} == set(KINDS)


def test_a_finding_tells_what_is_known_of_its_place() -> None:
    """And nothing else."""
    assert finding(7).place == "a.parquet, row 7"
    told = finding(7).as_json_dict()
    assert set(told) == {"kind", "severity", "file", "row", "problem", "what_to_do"}
