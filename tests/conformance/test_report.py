"""What a run tells programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import report
from conformance.target import Target
from conformance.verdicts import Status
from tests.conformance.test_console import FAILED, a_run


def test_the_report_tells_everything(tmp_path: Path) -> None:
    """It is JSON, with the case's rules, its frames, and whether it fails the run."""
    path = tmp_path / "r.json"
    report.write(path, report.document(a_run(FAILED), Status.FAILED, ["run"]))
    content = json.loads(path.read_text())
    assert (content["schema"], content["exit_status"], content["counts"]["FAIL"]) == (1, 1, 1)
    (case,) = content["cases"]
    assert case["rules"]["S-1"].startswith("`subscribe` is answered")
    assert case["wire"] == [{"ms": 1.5, "peer": "peer 1", "direction": "out", "text": "{}"}]
    assert (case["expected"], case["found"], case["fails_run"]) == ("[1]", "[2]", True)
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]


def test_the_command_that_runs_a_case_again_is_whole() -> None:
    """With the target as it was given, and the cases in which a watched rule was broken."""
    run = a_run(FAILED)
    run.target = replace(Target.of_url("ws://h:1"), source="my/target.toml")
    again = report.again(run, replace(FAILED, seen_in=("CON-010", "PER-100")))
    assert again == (
        "odin-conformance run --target my/target.toml --case 'SUB-999' --case 'CON-010'"
        " --case 'PER-100' --profile full --seed 3 --timeout-scale 2"
    )
    run.target = replace(run.target, source="my server/target.toml")
    assert "--target 'my server/target.toml' --case" in report.again(run, FAILED)
    run.target = replace(run.target, source="ws://h:1/x?a=1&b=2")
    assert "run 'ws://h:1/x?a=1&b=2' --case" in report.again(run, FAILED)


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where it cannot be written, what was there stays."""
    with pytest.raises(OSError, match="No such file"):
        report.write(tmp_path / "no" / "r.json", {})
