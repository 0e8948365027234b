"""
Reports as one page for people, in one file: it loads nothing and connects to nowhere.

Several reports stand beside each other, a column each: a matrix of servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from conformance.case import CHAPTERS
from conformance.reported import CaseReport, Report

__all__ = ["page"]


def page(*reports: Report) -> str:
    """
    Return the page on one report or several, as HTML.

    Cases stand in the order of the catalogue's chapters, then by id; a server
    that was not judged by a case has an empty cell there.
    """
    data = msgspec.json.encode(
        {
            "chapters": dict(CHAPTERS),
            "runs": [_run(report) for report in reports],
            "rules": {id: text for case in _all(reports) for id, text in case.rules.items()},
            "cases": _cases(reports),
        }
    ).decode()
    text = _part("report.html")
    for name, content in (
        ("STYLE", _part("report.css")),
        ("SCRIPT", _part("report.js")),
        # Nothing inside may end the element that holds it.
        ("DATA", data.replace("<", "\\u003c")),
    ):
        text = text.replace(f"/*{name}*/", content)
    return text


def _part(name: str) -> str:
    return files("conformance").joinpath("pages", name).read_text(encoding="utf-8")


def _all(reports: Iterable[Report]) -> Iterable[CaseReport]:
    return (case for report in reports for case in report.cases)


def _run(report: Report) -> dict[str, Any]:
    return {
        "name": report.target.name,
        "source": report.target.source,
        "profile": report.profile,
        "seed": report.seed,
        "clock": report.clock.driver,
        "refused": report.clock.refused,
        "ended": report.ended,
        "seconds": report.seconds,
        "status": report.exit_status,
        "suite": f"{report.suite.name} {report.suite.version}",
    }


def _cases(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return what is the same for every server, and beside it what became of each."""
    told: dict[str, dict[str, Any]] = {}
    for column, report in enumerate(reports):
        for case in report.cases:
            entry = told.setdefault(
                case.id,
                {
                    "id": case.id,
                    "chapter": case.chapter,
                    "title": case.title,
                    "level": case.level,
                    "profile": case.profile,
                    "needs": case.needs,
                    "begins": case.begins,
                    "rules": list(case.rules),
                    "explain": case.explain,
                    "results": [None] * len(reports),
                },
            )
            entry["results"][column] = _result(case)
    order = list(CHAPTERS)
    places = {chapter: order.index(chapter) for chapter in order}
    return sorted(told.values(), key=lambda c: (places.get(c["chapter"], len(order)), c["id"]))


def _result(case: CaseReport) -> dict[str, Any]:
    return {
        "verdict": case.verdict.value,
        "fails": case.fails_run,
        "why": case.why,
        "expected": case.expected,
        "found": case.found,
        "known": case.expected_failure,
        "surprise": case.unexpected_pass,
        "seen": case.seen_in,
        "ms": round(case.seconds * 1000, 1),
        "measured": case.measured,
        "again": case.again,
        "wire": [(frame.ms, frame.peer, frame.direction, frame.text) for frame in case.wire],
        "left_out": case.wire_left_out,
        "log": case.log,
        "trace": case.trace,
    }
