from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.paths import (
    clustered,
    generator,
    last_true,
    returns,
    standing_bids,
    volatility_shape,
    volume_shape,
)


def test_draws_belong_to_their_words() -> None:
    """The same words draw the same, others something else."""
    one, again, other = (generator(*words).random() for words in ((1, 2), (1, 2), (2, 1)))
    assert one == again != other


@pytest.mark.parametrize("seconds", [21_600, 22_500])
def test_shapes_of_the_day(seconds: int) -> None:
    """Volatility falls from the morning on; volume is high at both ends."""
    volatility, volume = volatility_shape(seconds), volume_shape(seconds)
    assert np.mean(volatility**2) == pytest.approx(1)
    assert volatility[0] > 2 * volatility[seconds // 2]
    assert volatility[-1] > volatility[seconds // 2]
    assert volume[0] > 3 * volume[seconds // 2] < volume[-1]
    assert volume_shape(seconds, 7.0)[-1] > 3 * volume[-1]


def test_returns_are_those_of_the_day() -> None:
    """Whatever is drawn, a day's returns have the volatility that was asked for, and fat tails."""
    rng = generator(1)
    drawn = returns(rng, clustered(rng, 8, 0.5, 22_500), 0.01)
    assert np.sqrt(np.sum(drawn**2)) == pytest.approx(0.01)
    assert np.mean(drawn**4) / np.mean(drawn**2) ** 2 > 5


@given(
    path=st.lists(st.floats(100, 200), min_size=1, max_size=60),
    spread=st.integers(1, 9),
)
def test_quotes_stand_until_the_middle_leaves_them(path: list[float], spread: int) -> None:
    """The middle is between the quotes, to rounding; they move only when it had left them."""
    bids = standing_bids(np.array(path), spread)
    for second, (middle, bid) in enumerate(zip(path, bids.tolist(), strict=True)):
        assert bid - 0.5 <= middle <= bid + spread + 0.5
        if second and bids[second - 1] <= middle <= bids[second - 1] + spread:
            assert bid == bids[second - 1]


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_last_true_is_the_last_mark(marks: list[bool]) -> None:
    """For each place the nearest mark at or before it."""
    found = last_true(np.array(marks)).tolist()
    for place, last in enumerate(found):
        marked = [at for at in range(place + 1) if marks[at]]
        assert last == (marked[-1] if marked else 0)
