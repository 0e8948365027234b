from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from simulator.lateness import Lateness


@given(
    st.lists(st.integers(-(10**6), 10**12), min_size=1, max_size=300),
    st.sampled_from([0.0, 0.5, 0.99, 1.0]),
)
def test_quantiles_are_right_to_a_32nd_part(values: list[int], share: float) -> None:
    """Never below the exact quantile, at most 1/32 above it, and the worst is exact."""
    lateness = Lateness()
    for value in values:
        lateness.add(value)
    ordered = sorted(max(value, 0) for value in values)
    exact = ordered[max(math.ceil(share * len(ordered)) - 1, 0)]
    found = lateness.quantile_ns(share)
    assert found is not None
    assert exact <= found <= exact + exact // 32
    assert lateness.max_ns == ordered[-1]
    assert lateness.count == len(values)


def test_without_updates_there_is_no_quantile() -> None:
    """Nothing was late, and nothing was on time either."""
    assert Lateness().quantile_ns(0.5) is None


@given(st.lists(st.integers(0, 10**15), max_size=2000))
def test_it_stays_small(values: list[int]) -> None:
    """However many values, the buckets are bounded and count them all."""
    lateness = Lateness()
    for value in values:
        lateness.add(value, times=2)
    buckets = lateness.buckets()
    assert len(buckets) <= 64 * 32
    assert sum(count for _, count in buckets) == 2 * len(values)
    assert [bound for bound, _ in buckets] == sorted({bound for bound, _ in buckets})
