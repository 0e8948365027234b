"""
A report as JUnit XML, for whatever shows test results in CI.

The form knows passed, failed, in error and skipped. What fails the run is
failed or in error there; what was not judged is skipped, never passed: if it
makes the run inconclusive, it is in error. A failure that does not fail the
run (a SHOULD, or one that the target file expects) is skipped with its reason.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Final

from conformance.reported import CaseReport, Report
from conformance.verdicts import Status, Verdict

__all__ = ["junit"]

# What XML 1.0 cannot hold, however it is written.
_UNFIT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_BROKEN_OFF: Final = {
    Status.UNREACHABLE: "The server could not be reached, or did not start",
    Status.INTERRUPTED: "The run was interrupted; the cases that are left were not run",
}


def junit(*reports: Report) -> bytes:
    """Return reports as one XML document, each a suite of tests."""
    root = ET.Element("testsuites", name="odin-conformance")
    for report in reports:
        root.append(_suite(report))
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    root.set("time", f"{sum(report.seconds for report in reports):.3f}")
    ET.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root) + b"\n"


def _suite(report: Report) -> ET.Element:
    suite = ET.Element("testsuite", name=_fit(report.target.name), timestamp=report.ended)
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("profile", report.profile),
        ("seed", report.seed),
        ("clock", report.clock.driver),
        ("suite", f"{report.suite.name} {report.suite.version}"),
        ("target", report.target.source),
    ):
        ET.SubElement(properties, "property", name=name, value=_fit(str(value)))
    is_inconclusive = report.exit_status == Status.INCONCLUSIVE
    for case in report.cases:
        suite.append(_test(case, is_inconclusive=is_inconclusive))
    if not report.is_whole:
        test = ET.SubElement(suite, "testcase", classname="run", name="The run comes to its end")
        ET.SubElement(test, "error", message=_BROKEN_OFF[Status(report.exit_status)])
    suite.set("tests", str(len(suite.findall("testcase"))))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{report.seconds:.3f}")
    return suite


def _test(case: CaseReport, *, is_inconclusive: bool) -> ET.Element:
    test = ET.Element(
        "testcase",
        classname=f"odin-conformance.{case.chapter}",
        name=_fit(f"{case.id} {case.title}"),
        time=f"{case.seconds:.4f}",
    )
    verdict = case.verdict.value
    if case.fails_run:
        tag = "error" if case.verdict is Verdict.ERROR else "failure"
        why = case.why
        if case.unexpected_pass:
            why = f"It passed, but the target file expects a failure: {case.expected_failure}"
        element = ET.SubElement(test, tag, type=verdict, message=_fit(why))
        element.text = _fit(_story(case))
    elif case.verdict is Verdict.INCONCLUSIVE and is_inconclusive:
        ET.SubElement(test, "error", type=verdict, message=_fit(case.why))
    elif case.verdict in (Verdict.SKIP, Verdict.INCONCLUSIVE):
        ET.SubElement(test, "skipped", type=verdict, message=_fit(f"{verdict}: {case.why}"))
    elif case.verdict is Verdict.FAIL:
        reason = case.expected_failure or f"a {case.level}, which does not fail the run"
        ET.SubElement(
            test, "skipped", type=verdict, message=_fit(f"{verdict}: {case.why} ({reason})")
        )
    if case.verdict is Verdict.NON_STRICT:
        ET.SubElement(test, "system-out").text = _fit(f"{verdict}: {case.why}")
    elif case.measured:
        lines = [f"{name}: {value}" for name, value in case.measured.items()]
        ET.SubElement(test, "system-out").text = _fit("\n".join(lines))
    return test


def _story(case: CaseReport) -> str:
    """Return all that somebody needs who sees nothing but this text."""
    lines = []
    if case.expected:
        lines += [f"expected: {case.expected}", f"found:    {case.found}"]
    if case.seen_in:
        lines.append(f"seen in:  {', '.join(case.seen_in)}")
    lines += ["", *(f"{id}: {text}" for id, text in case.rules.items())]
    lines += ["", case.explain, "", "To run it alone:", f"  {case.again}"]
    if case.trace:
        lines += ["", case.trace]
    if case.log:
        lines += ["", "What server and feed said:", *(f"  {line}" for line in case.log)]
    if case.wire:
        lines += ["", "What went over the wire:"]
        arrows = {"in": "<", "out": ">", "note": "-"}
        for frame in case.wire:
            arrow = arrows.get(frame.direction, frame.direction)
            lines.append(f"  {frame.ms:9.1f} ms {frame.peer} {arrow} {frame.text}")
    return "\n".join(lines)


def _fit(text: str) -> str:
    return _UNFIT.sub("�", text)
