from __future__ import annotations

import json
from pathlib import Path

from simulator.circumstances import MAX_FAULTS, of_this_process
from simulator.run_report import RunReport
from tests.simulator.test_report import PLAYED


def reports(*paths: Path) -> RunReport:
    """Reports of a run that lasted half a second so far."""
    return RunReport(
        paths,
        circumstances=of_this_process(simulated=True),
        lateness=PLAYED.lateness,
        elapsed=lambda: 500_000_000,
    )


def test_each_path_gets_the_form_of_its_suffix(tmp_path: Path) -> None:
    """JSON for programs, a page for people, in one run; no temporary file stays behind."""
    told, shown = tmp_path / "run.json", tmp_path / "run.HTML"
    assert reports(told, shown).write(PLAYED, 0) == []
    found = json.loads(told.read_text("utf-8"))
    assert (found["updates"], found["exit_status"], found["simulated"]) == (1_000, 0, True)
    assert shown.read_text("utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.HTML", "run.json"]


def test_faults_are_told_other_events_are_not(tmp_path: Path) -> None:
    """Of very many only the first are listed, the others counted."""
    run = reports(tmp_path / "run.json")
    run.note("paused", "2025-09-04T09:20:00+05:30", {})
    for _ in range(MAX_FAULTS + 3):
        run.note("fault", "2025-09-04T09:20:00+05:30", {"fault": "mute", "phase": "begins"})
    run.write(PLAYED, 0)
    found = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert len(found["faults"]) == MAX_FAULTS
    assert found["faults_left_out"] == 3
    assert found["faults"][0] == {
        "after_s": 0.5,
        "time": "2025-09-04T09:20:00+05:30",
        "phase": "begins",
        "fault": "mute",
    }


def test_what_cannot_be_written_is_said_and_the_others_are(tmp_path: Path) -> None:
    """A folder that has gone costs one report, not all."""
    gone, there = tmp_path / "gone" / "run.json", tmp_path / "run.html"
    (failure,) = reports(gone, there).write(PLAYED, 0)
    assert str(gone) in failure
    assert there.exists()
