"""
Plays a programme on the feed: what is due goes out when it is due.

The one loop for every speed: let simulated time come to what is next, take
what is due, send it, sleep until the absolute deadline of what follows. It
says the time again whenever simulated time has not changed its second for a
real second, so that a paused or slow replay does not look like a dead feed.
A seek, a step, a pause and a change of speed take effect between two turns of
that loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from simulator.clock import SimClock
from simulator.feed import FeedServer
from simulator.lane import Lane
from simulator.lateness import Lateness
from simulator.programme import Burst, Programme
from simulator.replay import Replay
from simulator.timer import DeadlineTimer
from streamer.ist import ist_datetime, ist_rfc3339
from streamer.odin.tags import InstrumentKey

__all__ = ["Player"]

_SECOND_NS = 1_000_000_000

# The most that goes out before the sockets and other tasks get their turn.
_BATCH = 1024
_READ_AHEAD_GAP_NS = 50_000_000

# From this speed on texts are written many at a time, which is less work and comes in lumps.
_HASTY_RATE = 100

# So many rows at a time are looked at in advance: that takes some hundredths of a millisecond.
_LANE_ROWS = 128

_NOBODY: frozenset[InstrumentKey] = frozenset()

GAP_NS = 60 * _SECOND_NS
"""Simulated time without an update that is told as a gap."""


class _Step(NamedTuple):
    """A run to a moment at the highest speed, on a clock that stands."""

    to: int
    done: asyncio.Event


def _tell_nobody(_: str, __: Mapping[str, object]) -> None:
    pass


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
        wait_for_sockets: Let a slow connection hold everything back, at any
            speed; at ``max`` and in a step it always does.
        tell: Hears of each event by its name, with what belongs to it.

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
        tell: Callable[[str, Mapping[str, object]], None] = _tell_nobody,
    ) -> None:
        self.lateness = Lateness()
        """From when an update was due to when it was handed to the sockets; empty at ``max``."""
        self.updates = 0
        """Updates of the recording that were played, in all passes."""
        self.passes_done = 0
        self.finished = asyncio.Event()
        """Set after the last pass, until a seek leads away from its end."""
        self.sought_back = asyncio.Event()
        """Set by such a seek."""
        self.started = asyncio.Event()
        self._replay = replay
        self._programme = programme
        self._clock = clock
        self._feed = feed
        self._timer = timer
        self._passes = passes
        self._wait_for_sockets = wait_for_sockets
        self._tell = tell
        self._held = False
        self._changed_on_the_way = False
        self._step: _Step | None = None
        self._finding = False
        self._seeks = asyncio.Lock()
        self._lane: Lane | None = None
        self._lane_set = 0
        self._is_fast = clock.rate is not None and clock.rate >= _HASTY_RATE
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
    def now(self) -> int:
        """The simulated time."""
        return self._clock.now()

    @property
    def paused(self) -> bool:
        """Whether it is paused, by :meth:`pause` or after a step."""
        return self._held

    @property
    def rate(self) -> Fraction | None:
        """Simulated seconds per second; None at ``max``."""
        return self._clock.rate

    @property
    def passes(self) -> int | None:
        """How often the programme is played; None for ever."""
        return self._passes

    @property
    def running_ns(self) -> int:
        """Real time since the start, up to the end of the last pass; 0 before the start."""
        if self._started_at is None:
            return 0
        ended_at = time.monotonic_ns() if self._ended_at is None else self._ended_at
        return ended_at - self._started_at

    @property
    def wanted_ns(self) -> int | None:
        """
        How long all passes should take in real time.

        None at ``max``, for ever, and once somebody has taken a hand in it.
        """
        rate = self._clock.rate
        if rate is None or self._passes is None or self._changed_on_the_way:
            return None
        return int(self._passes * (self._programme.end - self._programme.start) / rate)

    def start(self) -> None:
        """Let simulated time run, unless it has been paused; idempotent."""
        if self._started_at is None:
            self._started_at = time.monotonic_ns()
            self.started.set()
            self._tell("started", {})
            self._run_on()

    def pause(self) -> None:
        """Let simulated time stand still; the feed goes on telling it."""
        self._hold()
        self._tell("paused", {})

    def resume(self) -> None:
        """Let simulated time run on; also starts what has not been started."""
        self._end_step()
        self._held = False
        self.start()
        self._run_on()
        self._tell("resumed", {})

    def set_rate(self, rate: Fraction | None) -> None:
        """Run on at another speed; None is ``max``. A pause remains one."""
        self._changed_on_the_way = True
        self._clock.set_rate(rate)
        self._is_fast = rate is not None and rate >= _HASTY_RATE
        self._timer.wake()
        self._tell("speed", {"speed": "max" if rate is None else float(rate)})

    def set_passes(self, passes: int | None) -> None:
        """
        Play the programme so often in all; None is for ever.

        Raises:
            ValueError: If it has been played as often, the present pass included.

        """
        if passes is not None and passes <= self.passes_done:
            raise ValueError(
                f"{passes} found; the pass being played is number {self.passes_done + 1},"
                " that many or more expected"
            )
        self._passes = passes

    async def seek(self, to: int) -> None:
        """
        Go to ``to``, forwards or back; paused or running as before.

        Returns when the feed has been told: the time first, then the state of
        each instrument that is subscribed. A step under way ends.

        Raises:
            ValueError: If ``to`` is not in the window.
            RecordingError: If a file of the recording has been changed.

        """
        self._end_step()
        async with self._seeks:
            self._finding = True
            self._lane = None
            try:
                loop = asyncio.get_running_loop()
                place = await loop.run_in_executor(None, self._replay.find, to)
            finally:
                self._finding = False
                self._timer.wake()
            self._end_step()
            left = self._clock.now()
            self._changed_on_the_way = True
            self._programme.go(place)
            self._clock.jump(to)
            if self.finished.is_set():
                self._play_pass_again()
            self._send(self._programme.take(to, 1))
            self._tell("seeked", {"left": ist_rfc3339(left)})

    async def step(self, to: int) -> None:
        """
        Play up to ``to``, inclusive, as fast as the sockets take it, then pause.

        Returns when that is done, or something else has been asked for
        meanwhile. Starts what has not been started.

        Raises:
            ValueError: If ``to`` is not in the window, or has passed.

        """
        now = self._clock.now()
        if not now <= to <= self._programme.end:
            raise ValueError(
                f"{ist_datetime(to)} IST found; a time from now, {ist_datetime(now)}, to"
                f" {ist_datetime(self._programme.end)} IST expected; a seek leads back"
            )
        self._hold()
        self.start()
        self._step = _Step(to, asyncio.Event())
        self._timer.wake()
        await self._step.done.wait()

    def _hold(self) -> None:
        self._changed_on_the_way = True
        self._end_step()
        self._held = True
        self._clock.pause()

    def _run_on(self) -> None:
        if not self._held and not self.finished.is_set():
            self._clock.resume()
            self._timer.wake()

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.done.set()
            self._step = None

    def _play_pass_again(self) -> None:
        self.passes_done -= 1
        self._ended_at = None
        self.finished.clear()
        self.sought_back.set()
        self._run_on()

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
                self._play_what_is_due()
                if self._sockets_hold:
                    await self._let_sockets_drain()
                self._tell_time_that_stands()
                await self._timer.wait_until(self._next_deadline(), self._play_on)
        finally:
            if self._ended_at is None:
                self._ended_at = time.monotonic_ns()

    @property
    def _sockets_hold(self) -> bool:
        """Whether a slow connection holds everything back."""
        return self._wait_for_sockets or self._step is not None or self._clock.is_max

    @property
    def _is_hasty(self) -> bool:
        """Whether it matters how many updates a second go out, and not when each does."""
        return self._step is not None or self._is_fast or self._clock.is_max

    def _play_on(self) -> int | None:
        """Play what is due at a deadline; return the next, or None if the sockets must drain."""
        if self._sockets_hold:
            return None
        if self._lane is not None:
            now = time.monotonic_ns()
            repeat = self._told_at + _SECOND_NS
            if now < repeat and self._lane.holds(now) and self._lane_set == self._clock.changes:
                return min(self._play_lane(self._lane, now), repeat)
        self._play_what_is_due()
        self._tell_time_that_stands()
        self._lane = self._next_lane()
        deadline = self._next_deadline()
        if self._lane is None:
            return deadline
        return min(self._lane.wake_at, self._told_at + _SECOND_NS)

    def _play_lane(self, lane: Lane, now: int) -> int:
        """Play what is due of rows that were made ready; return when to go on."""
        while dues := lane.send(now):
            now = time.monotonic_ns()
            self._programme.pass_over(len(dues))
            self.updates += len(dues)
            for due in dues:
                self.lateness.add(now - due)
            lane.go_on(now)
            if lane.is_over:
                self._lane = self._next_lane()
                return self._next_deadline() if self._lane is None else self._lane.wake_at
            now = time.monotonic_ns()
        return lane.wake_at

    def _next_lane(self) -> Lane | None:
        """Return the next rows on their short way, if there is one."""
        if self._finding or self._is_hasty:
            return None
        channel = self._feed.channel()
        if channel is None:
            return None
        rows = self._programme.upcoming(_LANE_ROWS)
        dues = self._clock.dues(rows.times) if rows is not None and len(rows) > 1 else None
        if rows is None or dues is None:
            return None
        self._lane_set = self._clock.changes
        return Lane(channel, rows, dues)

    def _play_what_is_due(self) -> None:
        self._lane = None
        bursts = self._take_due()
        if bursts:
            self._send(bursts)
            self._tell_gaps(bursts)
            self._replay.expect_texts(self._feed.text_interest if self._is_hasty else _NOBODY)
            self._read_ahead()
        elif self._is_pass_over():
            self._end_pass()

    def _take_due(self) -> list[Burst]:
        if self._finding:
            return []
        if self._step is not None:
            return self._take_of_step(self._step)
        if self._clock.paused:
            return []
        if not self._clock.is_max:
            return self._programme.take(self._clock.now(), _BATCH, whole=self._is_hasty)
        bursts = self._programme.take(self._programme.end, _BATCH, whole=True)
        if bursts:
            self._clock.advance(_end_of(bursts[-1]))
        return bursts

    def _take_of_step(self, step: _Step) -> list[Burst]:
        bursts = self._programme.take(step.to, _BATCH, whole=True)
        if bursts:
            self._clock.jump(max(self._clock.now(), _end_of(bursts[-1])))
        else:
            self._clock.jump(step.to)
            self._end_step()
            self._tell("paused", {})
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
        is_paced = not (self._clock.is_max or self._clock.paused)
        for burst in bursts:
            if burst.second is not None:
                self._told_at = written_at
            self.updates += len(burst.updates)
            if is_paced:
                self._note_lateness(burst.times, written_at)

    def _note_lateness(self, times: Sequence[int], written_at: int) -> None:
        for ts in times:
            due = self._clock.due(ts)
            if due is not None:
                self.lateness.add(written_at - due)

    def _tell_gaps(self, bursts: Sequence[Burst]) -> None:
        busy = [span for burst in bursts if (span := burst.span) is not None]
        followers = [first for first, _ in busy[1:]]
        following = self._replay.next_due()
        if following is not None:
            followers.append(following)
        for (_, last), until in zip(busy, followers, strict=False):
            if until - last > GAP_NS:
                self._tell("gap", {"since": ist_rfc3339(last), "until": ist_rfc3339(until)})

    async def _let_sockets_drain(self) -> None:
        while not await self._feed.wait_drained(1.0):
            # Those that are not in the way hear that the feed is alive.
            self._tell_time_again(time.monotonic_ns())

    def _tell_time_that_stands(self) -> None:
        now = time.monotonic_ns()
        if now - self._told_at >= _SECOND_NS:
            self._tell_time_again(now)

    def _tell_time_again(self, now: int) -> None:
        self._feed.heartbeat(self._second)
        self._feed.flush()
        self._told_at = now

    def _is_pass_over(self) -> bool:
        if self._clock.paused or self._finding or self._programme.next_due() is not None:
            return False
        if self._reading_ahead is not None and self._reading_ahead.done():
            # What looks like the last row may be where reading failed.
            self._reading_ahead.result()
        self._clock.advance(self._programme.end)
        return self._clock.now() >= self._programme.end

    def _end_pass(self) -> None:
        self.passes_done += 1
        if self._passes is not None and self.passes_done >= self._passes:
            self._ended_at = time.monotonic_ns()
            self._clock.pause()
            self._clock.jump(self._programme.end)
            self.sought_back.clear()
            self.finished.set()
            self._tell("completed", {})
            return
        self._programme.begin_again()
        self._clock.jump(self._programme.start)
        self._tell("looped", {"passes": self.passes_done})

    def _next_deadline(self) -> int:
        repeat = self._told_at + _SECOND_NS
        if self._finding:
            return repeat
        if self._step is not None:
            return 0
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


def _end_of(burst: Burst) -> int:
    """Return the time of the last that a burst tells."""
    span = burst.span
    return burst.second or 0 if span is None else span[1]
