"""
What is planned to go wrong on a feed, and what is going wrong now.

A fault is on the plan from the start, or put there while the feed runs; then it
comes on each day and in each pass. Or it is begun by hand: then it comes once,
from now on, and a jump out of its time ends it. Either is numbered, from 1 on,
and can be cleared. What a fault does is told elsewhere (``simulator/faulty.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simulator.faults import Planned
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, NS_PER_SECOND, ist_clock

__all__ = ["MAX_PLANNED", "Entry", "FaultPlan", "second_of_day"]

MAX_PLANNED = 1_000
"""How many faults may be on a plan."""


class Entry(NamedTuple):
    """
    A fault on the plan.

    Args:
        number: Its place on the plan; numbers are not used again.
        planned: The fault.
        span: When it began and when it ends, UNIX nanoseconds, if it was
            begun by hand; None if it comes at its time each day.

    """

    number: int
    planned: Planned
    span: tuple[int, int] | None = None

    def is_on(self, now: int) -> bool:
        """Tell whether it is on at a time of the feed, UNIX nanoseconds."""
        if self.span is not None:
            return self.span[0] <= now < self.span[1]
        return self.planned.is_on(second_of_day(now))

    def ends_at(self, now: int) -> int:
        """Return when it ends if it is on at a time; both UNIX nanoseconds."""
        if self.span is not None:
            return self.span[1]
        midnight = now - (now + IST_OFFSET_NS) % NS_PER_DAY
        seconds = self.planned.at_s + max(self.planned.lasts_s, 1)
        return midnight + seconds * NS_PER_SECOND


class FaultPlan:
    """
    The faults of one feed, as its time passes.

    Args:
        plan: What comes at its time, each day.

    """

    def __init__(self, plan: Iterable[Planned] = ()) -> None:
        self.running: list[Entry] = []
        """What is on, in the order of the plan."""
        self.was_used = False
        """Whether anything was ever planned or begun."""
        self._entries: list[Entry] = []
        self._numbers = 0
        self._looked_at = -1
        self._has_changed = False
        for planned in plan:
            self._put(planned, None)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, planned: Planned) -> Entry:
        """
        Plan a fault for its time; it is on at once if that is now.

        Raises:
            ValueError: If the plan is full.

        """
        return self._put(planned, None)

    def begin(self, planned: Planned, since: int, until: int) -> Entry:
        """
        Have a fault on once, from one time to another, UNIX nanoseconds.

        Raises:
            ValueError: If the plan is full.

        """
        return self._put(planned, (since, until))

    def clear(self, *, name: str | None = None, number: int | None = None) -> list[Entry]:
        """
        Take faults off the plan; return them. One that is on ends with the next look.

        Args:
            name: What runs of this kind.
            number: This one, running or not. Without either all that runs.

        Raises:
            ValueError: If there is none of this name or number.

        """
        cleared = [
            entry for entry in self.running if name is None or entry.planned.fault.name == name
        ]
        if number is not None:
            cleared = [entry for entry in self._entries if entry.number == number]
        if not cleared and (name is not None or number is not None):
            raise ValueError(self._missing(name, number))
        self._entries = [entry for entry in self._entries if entry not in cleared]
        self._has_changed = True
        return cleared

    def look(self, now: int) -> tuple[Sequence[Entry], Sequence[Entry]] | None:
        """
        Come to a time of the feed, UNIX nanoseconds.

        Returns:
            What has begun and what has ended since the last look; None if it
            is the same second and nothing was planned or cleared.

        """
        if now // NS_PER_SECOND == self._looked_at and not self._has_changed:
            return None
        self._looked_at, self._has_changed = now // NS_PER_SECOND, False
        was_running = self.running
        self.running = [entry for entry in self._entries if entry.is_on(now)]
        self._entries = [
            entry for entry in self._entries if entry.span is None or entry in self.running
        ]
        begun = [entry for entry in self.running if entry not in was_running]
        return begun, [entry for entry in was_running if entry not in self.running]

    def described(self, now: int) -> list[dict[str, object]]:
        """Return the plan for programs: what runs first, then by the time of day."""
        second = second_of_day(now)

        def describe(entry: Entry) -> dict[str, object]:
            planned = entry.planned
            is_over = planned.at_s < second
            is_running = entry in self.running
            line: dict[str, object] = {
                "number": entry.number,
                "name": planned.fault.name,
                "fault": str(planned),
                "phase": "running" if is_running else "over" if is_over else "to come",
            }
            return line | ({"ends": ist_clock(entry.ends_at(now))} if is_running else {})

        ordered = sorted(
            self._entries,
            key=lambda entry: (entry not in self.running, entry.planned.at_s, entry.number),
        )
        return [describe(entry) for entry in ordered]

    def _put(self, planned: Planned, span: tuple[int, int] | None) -> Entry:
        if len(self._entries) >= MAX_PLANNED:
            raise ValueError(
                f"{MAX_PLANNED} faults are planned already; expected no more: clear some"
            )
        self._numbers += 1
        entry = Entry(self._numbers, planned, span)
        self._entries.append(entry)
        self._has_changed = self.was_used = True
        return entry

    def _missing(self, name: str | None, number: int | None) -> str:
        if number is not None:
            numbers = ", ".join(str(entry.number) for entry in self._entries)
            return f"fault number {number} found; expected " + (
                f"one of those planned: {numbers}" if numbers else "none, no fault is planned"
            )
        names = ", ".join(dict.fromkeys(entry.planned.fault.name for entry in self.running))
        return f"fault {name!r} found; expected " + (
            f"one that is running: {names}" if names else "none, no fault is running"
        )


def second_of_day(now: int) -> int:
    """Return the second of the day in India at a time, UNIX nanoseconds."""
    return (now + IST_OFFSET_NS) % NS_PER_DAY // NS_PER_SECOND
