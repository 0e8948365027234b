from __future__ import annotations

from contextlib import suppress
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.commands import (
    BeginFault,
    ClearFaults,
    Command,
    Loop,
    Pause,
    PlanFault,
    Resume,
    Seek,
    Speed,
    Step,
    parse_command,
)
from simulator.faults import parse_planned
from streamer.ist import ist_ns

DAY = date(2025, 9, 4)
NOW = ist_ns(DAY, "10:00")


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"command": "pause"}, Pause()),
        ({"command": "resume"}, Resume()),
        ({"command": "speed", "value": 10}, Speed(Fraction(10))),
        ({"command": "speed", "value": "0.5"}, Speed(Fraction(1, 2))),
        ({"command": "speed", "value": "max"}, Speed(None)),
        ({"command": "seek", "to": "14:30"}, Seek(ist_ns(DAY, "14:30"))),
        (
            {"command": "seek", "to": "2025-09-05T09:15:01"},
            Seek(ist_ns(date(2025, 9, 5), "09:15:01")),
        ),
        ({"command": "step", "seconds": 5}, Step(NOW + 5 * 10**9)),
        ({"command": "step", "seconds": 0.25}, Step(NOW + 25 * 10**7)),
        ({"command": "step", "to": "10:00:30"}, Step(NOW + 30 * 10**9)),
        ({"command": "loop", "passes": 3}, Loop(3)),
        ({"command": "loop", "passes": "forever"}, Loop(None)),
        (
            {"command": "fault", "fault": "drop:share=0.1@09:30:00+5m"},
            PlanFault(parse_planned("drop:share=0.1@09:30:00+5m")),
        ),
        (
            {"command": "fault", "fault": "drop:share=0.1+5m"},
            BeginFault(parse_planned("drop:share=0.1@10:00:00+5m")),
        ),
        ({"command": "fault", "fault": "reset"}, BeginFault(parse_planned("reset@10:00:00"))),
        ({"command": "clear-fault"}, ClearFaults(None, None)),
        ({"command": "clear-fault", "name": "drop"}, ClearFaults("drop", None)),
        ({"command": "clear-fault", "number": 3}, ClearFaults(None, 3)),
    ],
    ids=str,
)
def test_each_command(body: dict[str, Any], command: Command) -> None:
    """Times of day are on the day of the simulated time."""
    assert parse_command(body, now=NOW) == command


@pytest.mark.parametrize(
    ("body", "found", "expected"),
    [
        ({}, "command None found", "one of pause, resume, speed, seek, step, loop"),
        ({"command": "fault"}, "fault None found", "expected"),
        ({"command": "fault", "fault": "resett"}, "'resett'", "expected reset"),
        ({"command": "fault", "fault": "drop:share=9"}, "'9' as share of drop", "from 0.0 to 1.0"),
        ({"command": "fault", "fault": "drop:shore=1"}, "'shore' of drop", "expected share"),
        ({"command": "fault", "fault": "drop+soon"}, "'soon' as how long drop", "4s"),
        ({"command": "fault", "fault": "drop@soon"}, "'soon' as the time of drop", "HH:MM:SS"),
        ({"command": "fault", "fault": "a:b:c+d+e"}, "found", "expected"),
        ({"command": "clear-fault", "name": 3}, "name 3 found", "no name, expected"),
        ({"command": "clear-fault", "number": "3"}, "number '3' found", "whole number"),
        ({"command": "clear-fault", "number": 3, "name": "x"}, "name and number", "one of them"),
        ({"command": ["pause"]}, "command ['pause'] found", "expected"),
        ({"command": "speed"}, "value None found", "0.01 to 10000"),
        ({"command": "speed", "value": 0}, "'0' is out of range", "0.01 to 10000"),
        ({"command": "speed", "value": True}, "value True found", "0.01 to 10000"),
        ({"command": "seek", "to": "25:00"}, "'25:00' found", "HH:MM:SS"),
        ({"command": "seek", "to": 9}, "to 9 found", "HH:MM:SS"),
        ({"command": "seek", "to": "2025-13-01 09:15"}, "found", "YYYY-MM-DD"),
        ({"command": "step"}, "to None found", "HH:MM:SS"),
        ({"command": "step", "seconds": -1}, "seconds -1 found", "above 0"),
        ({"command": "step", "seconds": float("nan")}, "seconds nan found", "above 0"),
        ({"command": "loop", "passes": 0}, "passes 0 found", "forever"),
        ({"command": "loop", "passes": 1.5}, "passes 1.5 found", "forever"),
    ],
    ids=str,
)
def test_what_is_no_command(body: dict[str, Any], found: str, expected: str) -> None:
    """The error says what was found and what was expected."""
    with pytest.raises(ValueError, match="expected") as caught:
        parse_command(body, now=NOW)
    assert found in str(caught.value)
    assert expected in str(caught.value)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


@given(
    st.sampled_from(["speed", "seek", "step", "loop", "fault", "clear-fault"]),
    st.dictionaries(
        st.sampled_from(["value", "to", "seconds", "passes", "fault", "name", "number"]), SCALARS
    ),
)
def test_nothing_else_goes_wrong(name: str, rest: dict[str, Any]) -> None:
    """Whatever is sent is a command or a `ValueError`."""
    with suppress(ValueError):
        assert isinstance(parse_command(rest | {"command": name}, now=NOW), Command)
