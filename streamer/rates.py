"""How often a client may ask: a token bucket as a value, with time handed in."""

from __future__ import annotations

SECOND_NS = 1_000_000_000


class TokenBucket:
    """
    Lets ``burst`` events pass at once and ``rate`` events a second for ever.

    Args:
        rate: Events per second.
        burst: Events that may come at once.
        now: Nanoseconds of any clock; a step back of that clock refills nothing.

    """

    __slots__ = ("_burst_ns", "_cost_ns", "_filled_at", "_level_ns")

    def __init__(self, rate: float, burst: float, now: int) -> None:
        self._cost_ns = round(SECOND_NS / rate)
        self._burst_ns = round(self._cost_ns * burst)
        self._level_ns = self._burst_ns
        self._filled_at = now

    def take(self, now: int) -> int:
        """Take one event's worth; return 0, or the nanoseconds until one may pass."""
        self._level_ns = min(self._burst_ns, self._level_ns + max(0, now - self._filled_at))
        self._filled_at = now
        missing = self._cost_ns - self._level_ns
        if missing > 0:
            return missing
        self._level_ns -= self._cost_ns
        return 0
