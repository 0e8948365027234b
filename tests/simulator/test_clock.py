from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import SimClock, parse_rate

START = 1_756_957_500_000_000_000
RATES = st.integers(10_000, 10_000_000_000).map(lambda parts: Fraction(parts, 1_000_000))
STEPS = st.integers(0, 10**13)


class Monotonic:
    """A real clock that moves when told."""

    def __init__(self) -> None:
        self.now = 7_000_000_123

    def __call__(self) -> int:
        return self.now


def test_it_stands_still_until_it_is_resumed() -> None:
    """A new clock tells its start, whatever real time passes."""
    real = Monotonic()
    clock = SimClock(START, 60, monotonic=real)
    real.now += 10**9
    assert clock.paused
    assert clock.now() == START
    clock.resume()
    real.now += 10**9
    assert clock.now() == START + 60 * 10**9


@given(RATES, st.lists(STEPS, max_size=30))
def test_time_never_goes_back_at_a_positive_rate(rate: Fraction, steps: list[int]) -> None:
    """However real time moves forward, simulated time does not move back."""
    real = Monotonic()
    clock = SimClock(START, rate, monotonic=real)
    clock.resume()
    before = clock.now()
    for step in steps:
        real.now += step
        assert clock.now() >= before
        before = clock.now()


@given(st.lists(st.tuples(RATES, STEPS, st.booleans()), max_size=40))
def test_changes_of_rate_and_pauses_drift_by_nothing(
    changes: list[tuple[Fraction, int, bool]],
) -> None:
    """After any changes the time is the start plus the exact sum of rate times duration."""
    real = Monotonic()
    clock = SimClock(START, 1, monotonic=real)
    clock.resume()
    exact = Fraction(START)
    for rate, step, paused in changes:
        clock.set_rate(rate)
        if paused:
            clock.pause()
        else:
            clock.resume()
            exact += rate * step
        real.now += step
        assert clock.now() == exact.__floor__()


@given(RATES, st.lists(STEPS, min_size=1, max_size=200))
def test_anchoring_again_changes_nothing(rate: Fraction, steps: list[int]) -> None:
    """A clock told its own rate again and again stays equal to one that is left alone."""
    real = Monotonic()
    left_alone = SimClock(START, rate, monotonic=real)
    told_again = SimClock(START, rate, monotonic=real)
    left_alone.resume()
    told_again.resume()
    for step in steps:
        real.now += step
        told_again.set_rate(rate)
        assert told_again.now() == left_alone.now()


@given(RATES, st.lists(st.integers(START - 10**12, START + 10**12), max_size=9))
def test_many_are_due_when_each_is(rate: Fraction, times: list[int]) -> None:
    """And none at all where nothing is due."""
    clock = SimClock(START, rate, monotonic=Monotonic())
    assert clock.dues(times) is None
    clock.resume()
    assert clock.dues(times) == [clock.due(ts) for ts in times]
    assert not clock.is_max
    clock.set_rate(None)
    assert clock.is_max
    assert clock.dues(times) is None


def test_changes_are_counted() -> None:
    """Each that makes other moments the due ones; to look at the time is none."""
    clock = SimClock(START, 1, monotonic=Monotonic())
    seen = {clock.changes}
    for change in (clock.resume, lambda: clock.jump(START), lambda: clock.set_rate(2), clock.pause):
        change()
        assert clock.changes not in seen
        seen.add(clock.changes)
    before = clock.changes
    clock.now()
    clock.due(START)
    assert clock.changes == before


@given(RATES, STEPS, st.integers(-(10**15), 10**15))
def test_due_is_the_first_real_moment_at_which_the_time_is_reached(
    rate: Fraction, step: int, ahead: int
) -> None:
    """At ``due(ts)`` the clock shows ``ts`` or later, one nanosecond earlier it does not."""
    real = Monotonic()
    clock = SimClock(START, rate, monotonic=real)
    clock.resume()
    real.now += step
    ts = clock.now() + ahead
    due = clock.due(ts)
    assert due is not None
    real.now = due
    assert clock.now() >= ts
    real.now = due - 1
    assert clock.now() < ts


@given(RATES, STEPS, st.integers(-(10**15), 10**15), STEPS)
def test_a_jump_sets_the_time_and_keeps_the_rate(
    rate: Fraction, before: int, distance: int, after: int
) -> None:
    """After a jump, forwards or backwards, time runs on from there at the same rate."""
    real = Monotonic()
    clock = SimClock(START, rate, monotonic=real)
    clock.resume()
    real.now += before
    clock.jump(START + distance)
    real.now += after
    assert clock.now() == START + distance + (rate * after).__floor__()


def test_at_max_only_advance_moves_time_and_only_forward() -> None:
    """A clock at ``max`` ignores real time and jumps to deadlines."""
    real = Monotonic()
    clock = SimClock(START, None, monotonic=real)
    clock.advance(START + 3)
    assert clock.now() == START, "paused"
    clock.resume()
    real.now += 10**12
    assert clock.now() == START
    clock.advance(START + 5)
    clock.advance(START + 2)
    assert clock.now() == START + 5
    assert clock.rate is None
    assert clock.due(START + 10) is None


def test_a_paced_clock_cannot_be_advanced() -> None:
    """Deadlines are reached by waiting, unless the rate is ``max``."""
    clock = SimClock(START, 1, monotonic=Monotonic())
    clock.resume()
    clock.advance(START + 5)
    assert clock.now() == START


def test_nothing_is_due_on_a_paused_clock() -> None:
    """No real time leads anywhere while the clock stands."""
    clock = SimClock(START, 1, monotonic=Monotonic())
    assert clock.due(START + 1) is None


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1", Fraction(1)),
        ("0.01", Fraction(1, 100)),
        ("10000", Fraction(10_000)),
        ("2.5", Fraction(5, 2)),
        ("1e2", Fraction(100)),
        ("max", None),
        ("MAX", None),
    ],
)
def test_speeds_are_exact_numbers_or_max(text: str, rate: Fraction | None) -> None:
    """What a user writes is the rate, without a detour over binary fractions."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "0.009", "10000.1", "-1", "fast", "", "nan", "inf", "1/3"])
def test_other_speeds_are_refused(text: str) -> None:
    """The message names what was found and what was expected."""
    with pytest.raises(ValueError, match=r"0\.01 to 10000"):
        parse_rate(text)


@pytest.mark.parametrize("rate", [0, -1, Fraction(1, 3)])
def test_rates_that_cannot_be_kept_exactly_are_refused(rate: Fraction | int) -> None:
    """A third of a second per second would have to be rounded."""
    with pytest.raises(ValueError, match="millionth"):
        SimClock(START, rate, monotonic=Monotonic())
