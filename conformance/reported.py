"""
A report as other forms of it are made from: a JSON report in types, read from a file or from a run.

Keys that are not known are passed over, so that a newer suite's report of the
same schema can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from conformance.report import SCHEMA
from conformance.verdicts import Status, Verdict

__all__ = ["CaseReport", "FrameReport", "Report", "ReportError", "of_document", "read"]


class ReportError(Exception):
    """A file is no report that can be read; the message says what was found and expected."""


class FrameReport(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a wire log."""

    ms: float
    peer: str
    direction: str
    text: str


class CaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of one case."""

    id: str
    chapter: str
    title: str
    level: str
    profile: str
    needs: tuple[str, ...]
    begins: str = ""
    """The market's time at its beginning, if that can be moved; empty if it watches others."""
    rules: dict[str, str]
    explain: str
    verdict: Verdict
    fails_run: bool
    why: str
    expected: str
    found: str
    expected_failure: str
    unexpected_pass: bool
    seen_in: tuple[str, ...]
    seconds: float
    measured: dict[str, Any]
    again: str
    wire: tuple[FrameReport, ...]
    wire_left_out: int
    log: tuple[str, ...]
    trace: str


class SuiteReport(msgspec.Struct, frozen=True, kw_only=True):
    """Which suite made it."""

    name: str
    version: str


class TargetReport(msgspec.Struct, frozen=True, kw_only=True):
    """Which server was judged."""

    name: str
    source: str


class ClockReport(msgspec.Struct, frozen=True, kw_only=True):
    """How its time was moved."""

    driver: str
    refused: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a run."""

    schema: int
    suite: SuiteReport
    target: TargetReport
    profile: str
    seed: int
    timeout_scale: float
    arguments: tuple[str, ...]
    ended: str
    seconds: float
    clock: ClockReport
    exit_status: int
    cases: tuple[CaseReport, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the server was reached and every case that was chosen was run."""
        return self.exit_status not in (Status.UNREACHABLE, Status.INTERRUPTED)


def of_document(document: Mapping[str, Any]) -> Report:
    """Return what :func:`conformance.report.document` gave, in types."""
    return msgspec.convert(document, Report)


def read(path: Path) -> Report:
    """
    Read a report that ``run --json`` wrote.

    Raises:
        ReportError: If there is none, or one of another schema.

    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}") from None
    try:
        document = msgspec.json.decode(content)
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise ReportError(
                f"{path}: schema {schema!r} found; a report of odin-conformance run --json with"
                f" schema {SCHEMA} expected"
            )
        return msgspec.convert(document, Report)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ReportError(f"{path}: {error}; a report of run --json expected") from None
