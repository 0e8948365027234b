"""How often a client may ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.rates import SECOND_NS, TokenBucket


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    """After the burst each event has to wait for its share of a second."""
    bucket = TokenBucket(10, 3, 0)
    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, SECOND_NS // 10]
    assert bucket.take(SECOND_NS // 10) == 0
    assert bucket.take(SECOND_NS // 10) > 0


def test_a_clock_that_steps_back_refills_nothing() -> None:
    """An event after a step back is judged as if no time had passed."""
    bucket = TokenBucket(1, 1, SECOND_NS)
    assert bucket.take(SECOND_NS) == 0
    assert bucket.take(0) == SECOND_NS


@given(st.lists(st.integers(0, SECOND_NS), max_size=200))
def test_no_more_than_burst_and_rate_pass(gaps: list[int]) -> None:
    """Over any stretch of time, burst + rate x time is the most that passes."""
    bucket, now, passed = TokenBucket(5, 4, 0), 0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now) == 0
        assert passed <= 4 + 5 * now / SECOND_NS + 1e-6
