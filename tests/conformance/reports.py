"""Reports to try the forms of reports on, made as the runner makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.case import Case, Level
from conformance.report import document
from conformance.reported import Report, of_document
from conformance.runner import Run, Settings
from conformance.target import Target
from conformance.verdicts import Result, Status, Verdict, exit_status
from conformance.wire import Frame
from conformance.world import World

QUOTE = (
    '{"type":"market_data","symbol":"SBIN","data":{"ltp":767.2,"timestamp":1756980000000},'
    '"timestamp":1756980001000}'
)
WIRE = (
    Frame(0.1, "peer 1", "note", "connects to ws://h/enhanced-stream"),
    Frame(7.2, "peer 1", "in", '{"type":"welcome","status":"connected"}'),
    Frame(7.5, "peer 1", "out", '{"action":"subscribe","stocks":["</script><b>"]}'),
    Frame(7.9, "peer 1", "in", '{"type":"market_data","symbol":"TCS","data":{"ltp":1.5}}'),
    Frame(7.9, "peer 1", "in", QUOTE),
    Frame(8.0, "", "note", "it is 11:00:02"),
)


async def play(world: World) -> None:
    """Nobody plays it."""


def case(id: str, level: Level = Level.MUST, title: str = "Stocks are named") -> Case:
    """Return a case that nobody runs."""
    return Case(
        id=id,
        title=title,
        rules=("S-1", "R-2"),
        level=level,
        explain="Servers that echo `3045` fail it.",
        body=play,
    )


def failed(id: str, level: Level = Level.MUST, **more: Any) -> Result:
    """Return a failure with all that a report tells of one."""
    return Result(
        case=case(id, level),
        verdict=Verdict.FAIL,
        why='expected subscribed_stocks ["SBIN"]; found []',
        expected='subscribed_stocks ["SBIN"]',
        found="[]",
        wire=WIRE,
        log=("$ server --port 1", "bell \x07 and <tag>"),
        seconds=0.0521,
        **more,
    )


def ended(id: str, verdict: Verdict, why: str = "", **more: Any) -> Result:
    """Return any other outcome."""
    return Result(case=case(id), verdict=verdict, why=why, **more)


ALL = (
    ended("CON-010", Verdict.PASS, seconds=0.01, wire=WIRE),
    failed("SUB-010"),
    failed("SUB-020", Level.SHOULD),
    failed("SUB-030", expected_failure="not built yet"),
    ended("SUB-040", Verdict.PASS, expected_failure="gone by now"),
    ended("SUB-050", Verdict.NON_STRICT, "expected open within 2 s; found 3 s late"),
    ended("SUB-060", Verdict.INFO, measured={"updates a second": 12}),
    ended("SUB-070", Verdict.SKIP, "judged in profile full"),
    ended("SUB-080", Verdict.INCONCLUSIVE, "no clock driver works here"),
    ended("SUB-090", Verdict.ERROR, "KeyError: 'x'", trace="Traceback: KeyError"),
)


def report(
    *results: Result, name: str = "Server <1>", status: Status | None = None, **settings: Any
) -> Report:
    """Return the report of a run with these results, ended as they say or with ``status``."""
    target = replace(Target.of_url("ws://h:1"), name=name)
    run = Run(target=target, cases=[], settings=Settings(**settings), results=list(results))
    run.clock_name = "feed"
    if status is None:
        status = exit_status(results, profile=run.settings.profile)
    return of_document(document(run, status, ["run", "ws://h:1"]))
