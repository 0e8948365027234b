"""
A bounded histogram of how late things were: counts, quantiles, the worst.

Buckets grow with the value, 32 to each power of two, so that a quantile is
right to about three per cent whatever its size, in a few kilobytes.
"""

from __future__ import annotations

from collections import Counter

__all__ = ["Lateness"]

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


def _upper(bucket: int) -> int:
    shift, top = divmod(bucket, 2 * _STEPS)
    return ((top + 1) << shift) - 1
