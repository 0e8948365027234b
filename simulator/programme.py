"""
What the feed says, in its one order: heartbeats and updates, second by second.

For each simulated second comes first its heartbeat and then its rows, whatever
the speed, and however much is taken at a time. Heartbeats that only repeat the
time, in a pause or on a slow replay, are the player's and not in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simulator.replay import Place, Replay
from simulator.stretch import Stretch
from simulator.updates import Update

__all__ = ["Burst", "Programme"]

_SECOND_NS = 1_000_000_000


class Burst(NamedTuple):
    """
    A heartbeat, and updates of its second that are due with it.

    Args:
        second: The heartbeat's time, UNIX nanoseconds, a whole second; None
            if the heartbeat of this second was in an earlier burst.
        updates: In the order in which they are sent.
        jumped: Time did not pass to get here: after the heartbeat comes the
            state of every subscribed instrument. Such a burst has no updates
            and is the last that is taken, so that the states are those
            before the updates that follow.

    """

    second: int | None
    updates: Sequence[Update]
    jumped: bool = False

    @property
    def span(self) -> tuple[int, int] | None:
        """The times of the first and of the last update; None if there is none."""
        updates = self.updates
        if not updates:
            return None
        if isinstance(updates, Stretch):
            return updates.first_ts, updates.last_ts
        return updates[0].ts, updates[-1].ts

    @property
    def times(self) -> list[int]:
        """The time of each update."""
        if isinstance(self.updates, Stretch):
            return self.updates.times
        return [update.ts for update in self.updates]


class Programme:
    """
    A window of a recording as the feed's outbound stream.

    Heartbeats cover every second from the one in which the window begins to
    the one in which it ends, rows or not.

    Args:
        replay: Gives the rows; its window is the one given here.
        start: UNIX nanoseconds.
        end: UNIX nanoseconds.

    """

    def __init__(self, replay: Replay, *, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self._replay = replay
        self._last_second = end - end % _SECOND_NS
        self._begin()
        self._jumped = False

    def begin_again(self) -> None:
        """Go back to the start of the window; the next burst has ``jumped`` set."""
        self._begin()
        self._jumped = True

    def go(self, place: Place) -> None:
        """Go to a place of the replay; the next burst has ``jumped`` set."""
        self._replay.go(place)
        # A replay that moves on from day to day may be in another one now.
        self.start, self.end = self._replay.start, self._replay.end
        self._last_second = self.end - self.end % _SECOND_NS
        self._begin_at(place.ts)
        self._jumped = True

    def _begin(self) -> None:
        self._replay.begin()
        self._begin_at(self.start)

    def _begin_at(self, ts: int) -> None:
        self._from = ts
        self._next_second = ts - ts % _SECOND_NS

    def next_due(self) -> int | None:
        """Return the simulated time of the next heartbeat or update; None after the last."""
        row = self._replay.next_due()
        if self._next_second > self._last_second:
            return row
        beat = max(self._next_second, self._from)
        return beat if row is None else min(beat, row)

    def take(self, until: int, limit: int, *, whole: bool = False) -> list[Burst]:
        """
        Return what is due up to ``until``, inclusive, and not taken yet.

        Args:
            until: Simulated time, UNIX nanoseconds.
            limit: The most heartbeats and updates together.
            whole: Let updates be stretches of rows, which are made many at a
                time, instead of lists. What they say is the same.

        """
        bursts: list[Burst] = []
        while limit > 0:
            second = self._take_heartbeat(until)
            if second is not None:
                limit -= 1
                if self._jumped:
                    self._jumped = False
                    bursts.append(Burst(second, [], jumped=True))
                    break
            before_next = min(until, self._next_second - 1)
            row = self._replay.next_due()
            updates: Sequence[Update] = []
            if limit > 0 and row is not None and row <= before_next:
                if whole:
                    updates = self._replay.take_rows(before_next, limit) or []
                else:
                    updates = self._replay.take(before_next, limit)
            if second is None and not updates:
                break
            limit -= len(updates)
            bursts.append(Burst(second, updates))
        return bursts

    def upcoming(self, limit: int) -> Stretch | None:
        """Return the next rows before the next heartbeat, at most ``limit``, and leave them."""
        if self._jumped:
            return None
        is_last = self._next_second > self._last_second
        return self._replay.upcoming_rows(self.end + 1 if is_last else self._next_second, limit)

    def pass_over(self, count: int) -> None:
        """Take so many of the rows that `upcoming` has returned."""
        self._replay.pass_over(count)

    def _take_heartbeat(self, until: int) -> int | None:
        second = self._next_second
        if second > self._last_second or second > until:
            return None
        row = self._replay.next_due()
        if row is not None and row < second:
            return None  # The limit cut the second before; its rows come first.
        self._next_second += _SECOND_NS
        return second
