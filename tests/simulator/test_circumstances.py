from __future__ import annotations

import json
import platform
import sys

import msgspec
import pytest

from simulator.circumstances import FaultEvent, of_this_process


def test_a_command_can_be_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told of the command line is quoted as a shell wants it."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/odin-sim", "replay", "my day.parquet"])
    circumstances = of_this_process(simulated=True)
    assert circumstances.command == "odin-sim replay 'my day.parquet'"
    assert circumstances.versions["Python"] == platform.python_version()
    assert "odin-streamer" in circumstances.versions


def test_programs_get_the_same() -> None:
    """Seconds, and each beginning and end of a fault in its order."""
    event = FaultEvent(
        after_ns=1_500_000_000, time="2025-09-04T09:20:00+05:30", phase="begins", fault="mute"
    )
    told = msgspec.structs.replace(
        of_this_process(simulated=None), faults=[event], faults_left_out=2
    ).as_json_dict()
    assert json.loads(json.dumps(told))["faults"] == [
        {"after_s": 1.5, "time": "2025-09-04T09:20:00+05:30", "phase": "begins", "fault": "mute"}
    ]
    assert (told["simulated"], told["faults_left_out"]) == (None, 2)
