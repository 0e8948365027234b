from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from simulator.lateness import MAX_STRETCHES, Lateness, LatenessPath


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


@given(st.lists(st.integers(0, 10**12), max_size=50), st.lists(st.integers(0, 10**12), max_size=50))
def test_parts_make_the_whole(before: list[int], after: list[int]) -> None:
    """What was added since a copy was taken is what was added; joined to it, it is the whole."""
    whole, alone = Lateness(), Lateness()
    for value in before:
        whole.add(value)
    copy = whole.copy()
    for value in after:
        whole.add(value)
        alone.add(value)
    since = whole.since(copy)
    assert (since.count, since.buckets()) == (alone.count, alone.buckets())
    assert alone.max_ns <= since.max_ns <= alone.max_ns + alone.max_ns // 32
    joined = copy.joined(since)
    assert (joined.count, joined.buckets()) == (whole.count, whole.buckets())
    assert copy.count == len(before)


@given(st.lists(st.tuples(st.integers(1, 10**10), st.integers(0, 10**9)), max_size=1500))
def test_a_path_is_short_and_loses_nothing(steps: list[tuple[int, int]]) -> None:
    """However long the run, at most so many stretches, in order, with every update in one."""
    lateness = Lateness()
    path = LatenessPath(lateness, 10**9)
    now = 0
    for gap, late in steps:
        now += gap
        lateness.add(late)
        path.note(now)
        assert len(path.stretches) <= MAX_STRETCHES
    path.close(now + 1)
    assert sum(stretch.lateness.count for stretch in path.stretches) == len(steps)
    edges = [edge for stretch in path.stretches for edge in (stretch.start_ns, stretch.end_ns)]
    assert edges == sorted(edges)


def test_a_stretch_has_its_own_lateness() -> None:
    """A bad second shows as one, and a quiet one not at all."""
    lateness = Lateness()
    path = LatenessPath(lateness, 10)
    lateness.add(1_000)
    path.note(9)
    lateness.add(5_000)
    path.note(10)
    path.note(20)
    lateness.add(2_000)
    path.close(25)
    assert [
        (stretch.start_ns, stretch.end_ns, stretch.lateness.count) for stretch in path.stretches
    ] == [(0, 10, 2), (20, 25, 1)]
    assert path.stretches[1].lateness.max_ns < 2_100
