"""
Plays a programme on the feed: what is due goes out when it is due.

The one loop for every speed: let simulated time come to what is next, take
what is due, send it, sleep until the absolute deadline of what follows. It
says the time again whenever simulated time has not changed its second for a
real second, so that a paused or slow replay does not look like a dead feed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from simulator.clock import SimClock
from simulator.feed import FeedServer
from simulator.lateness import Lateness
from simulator.programme import Burst, Programme
from simulator.replay import Replay
from simulator.timer import DeadlineTimer

__all__ = ["Player"]

_SECOND_NS = 1_000_000_000

# The most that goes out before the sockets and other tasks get their turn.
_BATCH = 1024
_READ_AHEAD_GAP_NS = 50_000_000


class Player:
    """
    One run of a programme, from its first heartbeat to the end of its last pass.

    Args:
        replay: The rows of the programme, for reading ahead.
        programme: What is played.
        clock: Stands at the start of the programme, paused.
        feed: Where it is played.
        timer: Wakes the player.
        passes: How often the programme is played; None for ever.
        wait_for_sockets: Let a slow connection hold everything back.

    """

    def __init__(
        self,
        *,
        replay: Replay,
        programme: Programme,
        clock: SimClock,
        feed: FeedServer,
        timer: DeadlineTimer,
        passes: int | None = 1,
        wait_for_sockets: bool = False,
    ) -> None:
        self.lateness = Lateness()
        """From when an update was due to when it was handed to the sockets; empty at ``max``."""
        self.updates = 0
        """Updates of the recording that were played, in all passes."""
        self.passes_done = 0
        self.finished = asyncio.Event()
        """Set after the last pass."""
        self._replay = replay
        self._programme = programme
        self._clock = clock
        self._feed = feed
        self._timer = timer
        self._passes = passes
        self._wait_for_sockets = wait_for_sockets
        self._second = programme.start - programme.start % _SECOND_NS
        self._told_at = 0
        self._started_at: int | None = None
        self._ended_at: int | None = None
        self._read_ahead_at = 0
        self._reading_ahead: asyncio.Future[bool] | None = None

    @property
    def second(self) -> int:
        """The time that the feed told last."""
        return self._second

    @property
    def running_ns(self) -> int:
        """Real time since the start, up to the end of the last pass; 0 before the start."""
        if self._started_at is None:
            return 0
        ended_at = time.monotonic_ns() if self._ended_at is None else self._ended_at
        return ended_at - self._started_at

    @property
    def wanted_ns(self) -> int | None:
        """How long all passes should take in real time; None at ``max`` and for ever."""
        rate = self._clock.rate
        if rate is None or self._passes is None:
            return None
        return int(self._passes * (self._programme.end - self._programme.start) / rate)

    def start(self) -> None:
        """Let simulated time run; idempotent."""
        if self._started_at is None:
            self._started_at = time.monotonic_ns()
            self._clock.resume()
            self._timer.wake()

    async def run(self) -> None:
        """
        Tell the time until :meth:`start`, play, then tell the time until cancelled.

        `finished` is set in between, when the clock has come to the end of
        the last pass.

        Raises:
            RecordingError: If a file of the recording has been changed since
                it was opened.

        """
        try:
            while True:
                await self._play_what_is_due()
                now = time.monotonic_ns()
                if now - self._told_at >= _SECOND_NS:
                    self._tell_time_again(now)
                await self._timer.wait_until(self._next_deadline())
        finally:
            if self._ended_at is None:
                self._ended_at = time.monotonic_ns()

    async def _play_what_is_due(self) -> None:
        bursts = self._take_due()
        if bursts:
            self._send(bursts)
            if self._wait_for_sockets:
                await self._let_sockets_drain()
            self._read_ahead()
        elif self._is_pass_over():
            self._end_pass()

    def _take_due(self) -> list[Burst]:
        if self._clock.paused:
            return []
        if self._clock.rate is not None:
            return self._programme.take(self._clock.now(), _BATCH)
        bursts = self._programme.take(self._programme.end, _BATCH)
        if bursts:
            last = bursts[-1]
            self._clock.advance(last.updates[-1].ts if last.updates else last.second or 0)
        return bursts

    def _send(self, bursts: Sequence[Burst]) -> None:
        feed = self._feed
        for burst in bursts:
            if burst.second is not None:
                self._second = burst.second
                if burst.jumped:
                    feed.jump(burst.second)
                else:
                    feed.heartbeat(burst.second)
            feed.publish(burst.updates)
        feed.flush()
        written_at = time.monotonic_ns()
        for burst in bursts:
            if burst.second is not None:
                self._told_at = written_at
            self.updates += len(burst.updates)
            for update in burst.updates:
                due = self._clock.due(update.ts)
                if due is not None:
                    self.lateness.add(written_at - due)

    async def _let_sockets_drain(self) -> None:
        while not await self._feed.wait_drained(1.0):
            # Those that are not in the way hear that the feed is alive.
            self._tell_time_again(time.monotonic_ns())

    def _tell_time_again(self, now: int) -> None:
        self._feed.heartbeat(self._second)
        self._feed.flush()
        self._told_at = now

    def _is_pass_over(self) -> bool:
        if self._clock.paused or self._programme.next_due() is not None:
            return False
        if self._reading_ahead is not None and self._reading_ahead.done():
            # What looks like the last row may be where reading failed.
            self._reading_ahead.result()
        self._clock.advance(self._programme.end)
        return self._clock.now() >= self._programme.end

    def _end_pass(self) -> None:
        self.passes_done += 1
        if self.passes_done == self._passes:
            self._ended_at = time.monotonic_ns()
            self._clock.pause()
            self._clock.jump(self._programme.end)
            self.finished.set()
            return
        self._programme.begin_again()
        self._clock.jump(self._programme.start)

    def _next_deadline(self) -> int:
        repeat = self._told_at + _SECOND_NS
        if self._clock.paused:
            return repeat
        following = self._programme.next_due()
        due = self._clock.due(self._programme.end if following is None else following)
        # At the highest speed everything is due already.
        return 0 if due is None else min(due, repeat)

    def _read_ahead(self) -> None:
        """Have the recording read in another thread before its rows are due."""
        now = time.monotonic_ns()
        if now - self._read_ahead_at < _READ_AHEAD_GAP_NS:
            return
        if self._reading_ahead is not None:
            if not self._reading_ahead.done():
                return
            self._reading_ahead.result()
        self._read_ahead_at = now
        loop = asyncio.get_running_loop()
        self._reading_ahead = loop.run_in_executor(None, self._replay.prefetch)
