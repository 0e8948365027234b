"""
The JSON report: everything that is known of a run, for programs and other reports.

The schema has a version, raised when a key changes its meaning or goes; keys
may be added without. Other forms (console, JUnit, HTML) tell less of the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import orjson

from conformance.rules import rule
from conformance.runner import Run
from conformance.verdicts import Result, Status, Verdict, counts

__all__ = ["SCHEMA", "again", "document", "write"]

SCHEMA: Final = 1


def document(run: Run, status: Status, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """
    Return a run as JSON values.

    Args:
        run: The run, whole or interrupted.
        status: Its exit status.
        arguments: Those of the command that made it.

    """
    settings = run.settings
    tally = counts(run.results)
    return {
        "schema": SCHEMA,
        "suite": {"name": "odin-conformance", "version": _version()},
        "target": {"name": run.target.name, "source": run.target.source},
        "profile": settings.profile.name.lower(),
        "seed": settings.seed,
        "timeout_scale": settings.scale,
        "arguments": list(arguments),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "clock": {"driver": run.clock_name, "refused": run.clock_refusals},
        "exit_status": int(status),
        "counts": {verdict.value: tally[verdict] for verdict in Verdict},
        "cases": [_case(run, result) for result in run.results],
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """
    Write a report, whole or not at all.

    Raises:
        OSError: If it cannot be written.

    """
    part = path.with_name(f".{path.name}.tmp")
    part.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    part.replace(path)


def again(run: Run, result: Result) -> str:
    """Return the one command that runs this case alone, as this run did."""
    source = run.target.source
    words = ["odin-conformance run"]
    words.append(("" if "://" in source else "--target ") + shlex.quote(source))
    words.append(f"--case '{result.case.id}'")
    if result.seen_in:
        words += [f"--case '{id}'" for id in result.seen_in]
    words.append(f"--profile {run.settings.profile.name.lower()} --seed {run.settings.seed}")
    if run.settings.scale != 1:
        words.append(f"--timeout-scale {run.settings.scale:g}")
    return " ".join(words)


def _case(run: Run, result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "chapter": case.chapter,
        "title": case.title,
        "level": case.level.value,
        "profile": case.profile.name.lower(),
        "needs": sorted(need.value for need in case.needs),
        "begins": f"{case.day} {case.at}" if case.body else "",
        "rules": {id: rule(id) for id in case.rules},
        "explain": case.explain,
        "verdict": result.verdict.value,
        "fails_run": result.is_failure(run.settings.profile),
        "why": result.why,
        "expected": result.expected,
        "found": result.found,
        "expected_failure": result.expected_failure,
        "unexpected_pass": result.unexpected_pass,
        "seen_in": list(result.seen_in),
        "seconds": round(result.seconds, 4),
        "measured": dict(result.measured),
        "again": again(run, result),
        "wire": [
            {"ms": frame.ms, "peer": frame.peer, "direction": frame.direction, "text": frame.text}
            for frame in result.wire
        ],
        "wire_left_out": result.wire_left_out,
        "log": list(result.log),
        "trace": result.trace,
    }


def _version() -> str:
    try:
        return version("odin-streamer")
    except PackageNotFoundError:
        return "0"
