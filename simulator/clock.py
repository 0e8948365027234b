"""
The simulator's one clock: simulated time as a line over a monotonic clock.

Simulated time runs at an exact rate from an anchor; a change of rate, a pause
and a jump each set a new anchor. All of it is integer arithmetic, so that a
million changes drift by nothing. The monotonic clock is given to it: this
module reads none itself, and it waits for nothing (see ``simulator/timer.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

__all__ = ["SimClock", "parse_rate"]

# Positions are kept in millionths of a nanosecond and rates in millionths:
# each product of the two is exact, and so is every re-anchoring.
_PARTS = 1_000_000

MIN_RATE = Fraction(1, 100)
MAX_RATE = Fraction(10_000)


def parse_rate(text: str) -> Fraction | None:
    """
    Return the rate that ``text`` names, in simulated seconds per second.

    ``max`` is None: as fast as the receivers take it.

    Raises:
        ValueError: If it is neither ``max`` nor a number from 0.01 to 10000
            with at most six decimals.

    """
    if text.strip().lower() == "max":
        return None
    expected = "expected a number from 0.01 to 10000, with at most six decimals, or max"
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a speed; {expected}") from None
    if not MIN_RATE <= rate <= MAX_RATE or _PARTS % rate.denominator:
        raise ValueError(f"{text!r} is out of range; {expected}")
    return rate


class SimClock:
    """
    Simulated UNIX time in nanoseconds; it stands still until :meth:`resume`.

    Args:
        start: The simulated time to begin at.
        rate: Simulated seconds per second, positive, a multiple of one
            millionth; None for ``max``: time then moves by :meth:`advance`
            alone.
        monotonic: The real clock, in nanoseconds; it never goes back.

    """

    def __init__(
        self, start: int, rate: Fraction | int | None, *, monotonic: Callable[[], int]
    ) -> None:
        self.changes = 0
        """How often it was paused, resumed, set to another rate, or made to jump."""
        self._monotonic = monotonic
        self._paused = True
        self._parts_per_ns = 0 if rate is None else _exact(rate)
        self._real = monotonic()
        self._position = start * _PARTS

    @property
    def rate(self) -> Fraction | None:
        """The rate at which time runs when it is not paused; None means ``max``."""
        return Fraction(self._parts_per_ns, _PARTS) if self._parts_per_ns else None

    @property
    def is_max(self) -> bool:
        """Whether :attr:`rate` is ``max``."""
        return not self._parts_per_ns

    @property
    def paused(self) -> bool:
        """Whether time stands still."""
        return self._paused

    def now(self) -> int:
        """Return the simulated time, in nanoseconds since the UNIX epoch, rounded down."""
        return self._position_at(self._monotonic()) // _PARTS

    def due(self, ts: int) -> int | None:
        """
        Return the real time at which the simulated time is first at or after ``ts``.

        It lies in the past for a ``ts`` that has passed since the last
        change. None if no passing of real time leads there: the clock is
        paused, or its rate is ``max``.
        """
        if self._paused or not self._parts_per_ns:
            return None
        return self._real - (self._position - ts * _PARTS) // self._parts_per_ns

    def dues(self, times: Iterable[int]) -> list[int] | None:
        """Return :meth:`due` of each time; None where that is None."""
        if self._paused or not self._parts_per_ns:
            return None
        real, position, parts = self._real, self._position, self._parts_per_ns
        return [real - (position - ts * _PARTS) // parts for ts in times]

    def pause(self) -> None:
        """Stand still from now on; idempotent."""
        self._anchor()
        self._paused = True

    def resume(self) -> None:
        """Run on from the present simulated time; idempotent."""
        self._anchor()
        self._paused = False

    def set_rate(self, rate: Fraction | int | None) -> None:
        """Run on at ``rate`` from the present simulated time; a paused clock stays paused."""
        parts_per_ns = 0 if rate is None else _exact(rate)
        self._anchor()
        self._parts_per_ns = parts_per_ns

    def jump(self, to: int) -> None:
        """Make the present simulated time ``to``, forwards or backwards; run on as before."""
        self.changes += 1
        self._real = self._monotonic()
        self._position = to * _PARTS

    def advance(self, to: int) -> None:
        """
        Jump forward to ``to``, the next deadline, if the clock runs at ``max``.

        At any other rate, on a paused clock and for a time that has passed
        it does nothing: real time leads there, or nothing does.
        """
        if not self._paused and not self._parts_per_ns and to * _PARTS > self._position:
            self.jump(to)

    def _position_at(self, real: int) -> int:
        if self._paused:
            return self._position
        return self._position + (real - self._real) * self._parts_per_ns

    def _anchor(self) -> None:
        self.changes += 1
        real = self._monotonic()
        self._position = self._position_at(real)
        self._real = real


def _exact(rate: Fraction | int) -> int:
    parts = Fraction(rate) * _PARTS
    if parts <= 0 or parts.denominator != 1:
        raise ValueError(f"rate {rate} is not a positive multiple of one millionth")
    return parts.numerator
