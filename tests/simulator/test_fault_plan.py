from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fault_plan import MAX_PLANNED, FaultPlan
from simulator.faults import parse_planned
from tests.simulator.tapes import OPEN, SECOND

DAY_NS = 86_400 * SECOND


def names(entries: object) -> list[str]:
    """Return the names of faults on a plan."""
    return [entry.planned.fault.name for entry in entries]  # type: ignore[attr-defined]


def test_what_is_planned_comes_every_day() -> None:
    """At its time, for its length, as soon as it is planned if that is now."""
    plan = FaultPlan([parse_planned("mute@09:15:02+3s")])
    assert plan.look(OPEN) == ([], [])
    assert plan.look(OPEN + SECOND // 2) is None
    plan.add(parse_planned("drop@09:15:00+2s"))
    for day in range(2):
        seen = [plan.look(OPEN + day * DAY_NS + second * SECOND) for second in range(6)]
        told = [(names(each[0]), names(each[1])) for each in seen if each is not None]
        assert told == [
            (["drop"], []),
            ([], []),
            (["mute"], ["drop"]),
            ([], []),
            ([], []),
            ([], ["mute"]),
        ]
    assert len(plan) == 2


@given(st.integers(0, 5), st.integers(-3, 10))
def test_what_is_begun_by_hand_comes_once(second: int, later: int) -> None:
    """It ends after its time, and by a jump to before or behind it; then it is forgotten."""
    plan = FaultPlan()
    assert not plan.was_used
    since = OPEN + second * SECOND
    plan.begin(parse_planned("mute@09:15:00+4s"), since, since + 4 * SECOND)
    assert plan.was_used
    assert plan.look(since) == (plan.running, [])
    assert names(plan.running) == ["mute"]
    plan.look(since + later * SECOND)
    assert names(plan.running) == (["mute"] if 0 <= later < 4 else [])
    assert len(plan) == len(plan.running)


def test_what_runs_can_be_cleared() -> None:
    """All of it, those of a name, or one by its number; a number takes what is to come, too."""
    plan = FaultPlan(
        map(parse_planned, ("drop@09:15:00+9s", "mute@09:15:00+9s", "drop@10:00:00+9s"))
    )
    plan.look(OPEN)
    assert names(plan.clear(name="drop")) == ["drop"]
    assert plan.look(OPEN) is not None
    assert names(plan.running) == ["mute"]
    assert names(plan.clear(number=3)) == ["drop"]
    assert names(plan.clear()) == ["mute"]
    plan.look(OPEN)
    assert plan.clear() == []
    assert len(plan) == 0


def test_the_plan_is_told() -> None:
    """What runs comes first, with its end; then by the time of day, what is over included."""
    plan = FaultPlan(map(parse_planned, ("drop@09:20:00+9s", "reset@09:00:00")))
    plan.begin(parse_planned("mute@09:15:00+4s"), OPEN, OPEN + 4 * SECOND)
    plan.look(OPEN)
    assert plan.described(OPEN) == [
        {
            "number": 3,
            "name": "mute",
            "fault": "mute@09:15:00+4s",
            "phase": "running",
            "ends": "09:15:04",
        },
        {"number": 2, "name": "reset", "fault": "reset@09:00:00+0s", "phase": "over"},
        {
            "number": 1,
            "name": "drop",
            "fault": "drop:share=1.0@09:20:00+9s",
            "phase": "to come",
        },
    ]


def test_what_is_not_there_cannot_be_cleared() -> None:
    """The refusal says what is."""
    plan = FaultPlan([parse_planned("drop@09:15:00+9s")])
    with pytest.raises(ValueError, match="'drop' found; expected none, no fault is running"):
        plan.clear(name="drop")
    plan.look(OPEN)
    with pytest.raises(ValueError, match="'dorp' found; expected one that is running: drop"):
        plan.clear(name="dorp")
    with pytest.raises(ValueError, match="number 2 found; expected one of those planned: 1"):
        plan.clear(number=2)


def test_a_plan_is_bounded() -> None:
    """A full one takes no more, and says so."""
    plan = FaultPlan([parse_planned("drop@09:15:00")] * MAX_PLANNED)
    with pytest.raises(ValueError, match="clear some"):
        plan.add(parse_planned("drop@09:15:00"))
