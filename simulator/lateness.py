"""
A bounded histogram of how late things were: counts, quantiles, the worst.

Buckets grow with the value, 32 to each power of two, so that a quantile is
right to about three per cent whatever its size, in a few kilobytes. A path
tells how lateness went over a run, in a bounded number of stretches.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

__all__ = ["MAX_STRETCHES", "Lateness", "LatenessPath", "Stretch"]

MAX_STRETCHES = 240
"""How many stretches a path has at the most; then neighbours become one, and longer ones follow."""

_BITS = 5
_STEPS = 1 << _BITS


class Lateness:
    """How late updates were, in nanoseconds; what is early counts as on time."""

    def __init__(self) -> None:
        self.count = 0
        self.max_ns = 0
        self._buckets: Counter[int] = Counter()

    def add(self, late_ns: int, times: int = 1) -> None:
        """Count ``times`` updates that were ``late_ns`` late."""
        late_ns = max(late_ns, 0)
        self.count += times
        self.max_ns = max(self.max_ns, late_ns)
        shift = max(late_ns.bit_length() - _BITS - 1, 0)
        self._buckets[(shift << (_BITS + 1)) + (late_ns >> shift)] += times

    def quantile_ns(self, share: float) -> int | None:
        """
        Return a bound that ``share`` of all updates did not exceed, in nanoseconds.

        At most 1/32 above the exact value and never above the worst; None if
        there was no update.
        """
        if not self.count:
            return None
        wanted = share * self.count
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(_upper(bucket), self.max_ns)
        return self.max_ns

    def buckets(self) -> list[tuple[int, int]]:
        """Return (upper bound in nanoseconds, count) of each bucket in use, smallest first."""
        return [(_upper(bucket), self._buckets[bucket]) for bucket in sorted(self._buckets)]

    def copy(self) -> Lateness:
        """Return one that stays as this is now."""
        return self.joined(Lateness())

    def since(self, earlier: Lateness) -> Lateness:
        """Return what was added after ``earlier``, a copy of this; its worst to a 32nd part."""
        late = Lateness()
        late.count = self.count - earlier.count
        late._buckets = self._buckets - earlier._buckets
        if late._buckets:
            late.max_ns = min(_upper(max(late._buckets)), self.max_ns)
        return late

    def joined(self, other: Lateness) -> Lateness:
        """Return both together."""
        late = Lateness()
        late.count = self.count + other.count
        late.max_ns = max(self.max_ns, other.max_ns)
        late._buckets = self._buckets + other._buckets
        return late


class Stretch(NamedTuple):
    """
    A part of a run.

    Args:
        start_ns: Since the start of the run, real time.
        end_ns: The same.
        lateness: Of its updates, one or more.

    """

    start_ns: int
    end_ns: int
    lateness: Lateness


class LatenessPath:
    """
    How lateness went over a run.

    Args:
        lateness: Of the whole run; it grows meanwhile.
        stretch_ns: How long a stretch is at first.

    """

    def __init__(self, lateness: Lateness, stretch_ns: int) -> None:
        self.stretches: list[Stretch] = []
        """Those that had updates, in order."""
        self._lateness = lateness
        self._stretch_ns = stretch_ns
        self._start = 0
        self._before = lateness.copy()

    def note(self, now_ns: int) -> None:
        """Close the present stretch if it is long enough; ``now_ns`` is since the run's start."""
        if now_ns - self._start >= self._stretch_ns:
            self.close(now_ns)

    def close(self, now_ns: int) -> None:
        """Close the present stretch: the run has ended."""
        late = self._lateness.since(self._before)
        if late.count:
            self.stretches.append(Stretch(self._start, now_ns, late))
            self._before = self._lateness.copy()
        self._start = now_ns
        if len(self.stretches) > MAX_STRETCHES:
            self._join()

    def _join(self) -> None:
        self._stretch_ns *= 2
        pairs = [self.stretches[at : at + 2] for at in range(0, len(self.stretches), 2)]
        self.stretches = [
            Stretch(pair[0].start_ns, pair[-1].end_ns, _together(pair)) for pair in pairs
        ]


def _together(stretches: list[Stretch]) -> Lateness:
    late = Lateness()
    for stretch in stretches:
        late = late.joined(stretch.lateness)
    return late


def _upper(bucket: int) -> int:
    shift, top = divmod(bucket, 2 * _STEPS)
    return ((top + 1) << shift) - 1
