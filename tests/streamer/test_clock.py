"""The two clocks of the market."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.clock import MAX_STEP_NS, FeedClock, Move, WallClock
from streamer.odin.messages import Heartbeat, LogonAnswer
from tests.streamer.desk import SECOND, at, touchline

NINE = at("09:00")


def test_the_wall_clock_is_the_machines_time_whatever_the_feed_says() -> None:
    """Nothing that a feed says moves the wall clock."""
    clock = WallClock()
    assert clock.observe(Heartbeat(sent=NINE)) is Move.NONE
    assert clock.read(5) == 5


def test_the_feed_clock_knows_no_time_before_the_feed_told_one() -> None:
    """The machine's time never shows through (rule H-5)."""
    assert FeedClock().read(123456789) is None


@pytest.mark.parametrize(
    "message",
    [Heartbeat(sent=NINE), LogonAnswer(status=10000, sent=NINE)],
    ids=lambda m: type(m).__name__,
)
def test_a_heartbeat_or_a_logon_answer_sets_the_clock(message: Heartbeat | LogonAnswer) -> None:
    """Both may jump, forward and back."""
    for before, move in ((at("03:00"), Move.FORWARD), (at("15:00"), Move.BACK), (NINE, Move.NONE)):
        clock = FeedClock()
        clock.observe(Heartbeat(sent=before))
        assert clock.observe(message) is move
        assert clock.read(0) == NINE


def test_a_touchline_moves_the_clock_forward_only_and_by_a_minute_at_most() -> None:
    """One wrong time in one message moves nothing."""
    clock = FeedClock()
    assert clock.observe(touchline(lut=NINE)) is Move.NONE
    assert clock.read(0) is None
    clock.observe(Heartbeat(sent=NINE))
    assert clock.observe(touchline(sent=NINE + MAX_STEP_NS)) is Move.FORWARD
    assert clock.observe(touchline(sent=NINE)) is Move.NONE
    assert clock.observe(touchline(sent=NINE + 2 * MAX_STEP_NS + SECOND)) is Move.NONE
    assert clock.observe(touchline(sent=0)) is Move.NONE
    assert clock.read(0) == NINE + MAX_STEP_NS


@pytest.mark.parametrize(
    "sent", [0, 1, at("00:00", date(1989, 12, 31)), at("12:00", date(9999, 12, 31))]
)
def test_an_absurd_time_moves_nothing(sent: int) -> None:
    """Not even a heartbeat may carry the market to where no calendar is."""
    clock = FeedClock()
    assert clock.observe(Heartbeat(sent=sent)) is Move.NONE
    assert clock.read(0) is None


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 10 * MAX_STEP_NS).map(lambda step: NINE + step))
    )
)
def test_only_a_heartbeat_moves_the_clock_back(steps: list[tuple[bool, int]]) -> None:
    """Whatever touchlines say, the clock falls back only where a heartbeat told an earlier time."""
    clock = FeedClock()
    for is_heartbeat, sent in steps:
        before = clock.read(0)
        move = clock.observe(Heartbeat(sent=sent) if is_heartbeat else touchline(sent=sent))
        after = clock.read(0)
        if before is not None and after is not None and after < before:
            assert is_heartbeat
            assert move is Move.BACK
        assert (move is Move.NONE) == (before == after)
