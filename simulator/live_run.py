"""
``odin-sim live``, put together: days that follow each other, or the wall clock's hours.

What runs meanwhile is `simulator.running`'s subject; where the days come from
`simulator.coming_day`'s.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from simulator.coming_day import ComingDay, Hours
from simulator.commands import Command, Loop, Pause, Resume, Seek, Speed, Step
from simulator.days import Days, day_at, next_day
from simulator.overnight import Morning
from simulator.progress_line import ProgressLine
from simulator.recording import Recording
from simulator.replay import Replay
from simulator.report import Outcome, Standing, speed_text
from simulator.running import STATUS_COMPLETED, Run, RunOptions, prepare_pacing
from simulator.synth import Wanted
from simulator.universe_files import universe_of
from streamer.calendar import TradingCalendar
from streamer.instruments import InstrumentTable
from streamer.ist import NS_PER_SECOND, ist_date, ist_datetime

__all__ = ["LiveOptions", "run"]

KEPT_NS = 50_000_000
"""With the wall clock's hours, how far the clock may be off before it is set right."""

_SMALL = 200  # stocks that one process makes as fast as several
_CHECK_S = 1.0
_MINUTE_NS = 60 * NS_PER_SECOND
_NO_LOOP = "a live market does not come back to its days; loop belongs to odin-sim replay"
_NO_CONTROL = (
    "with --hours wall the time is the present one in India and cannot be changed; leave"
    " --hours wall out for a market whose clock can"
)

log = logging.getLogger("simulator")


class LiveOptions(RunOptions, frozen=True, kw_only=True):
    """The options of ``odin-sim live``, as on its command line."""

    hours: Hours = "endless"
    universe: str = "nifty50"
    profile: str = "normal"
    timetable: str | None = None
    day: date | None = None
    days: int | None = None
    seed: int = 1


def run(options: LiveOptions) -> int:
    """
    Be a market until it is stopped; return the exit status.

    Raises:
        ConfigError: If there is no such universe, kind of day or timetable, or
            no ordinary session on the first day.

    """
    table, calendar = InstrumentTable.bundled(), TradingCalendar.bundled()
    now = time.time_ns()
    if options.hours == "wall":
        day = day_at(now, calendar)
    else:
        day = options.day or next_day(ist_date(now), calendar)
    wanted = Wanted(
        day, options.seed, options.universe, options.profile, timetable=options.timetable
    )
    morning = Morning.first(universe_of(options.universe, table))
    plan = morning.market(day, options.seed, wanted.kind(), timetable=options.timetable)
    plan.check(calendar)
    with tempfile.TemporaryDirectory(prefix="odin-sim-live-") as folder:
        coming = ComingDay(
            wanted,
            morning,
            hours=options.hours,
            folder=Path(folder),
            table=table,
            calendar=calendar,
        )
        return asyncio.run(_live(options, coming, table, calendar, len(morning.stocks)))


async def _live(
    options: LiveOptions,
    coming: ComingDay,
    table: InstrumentTable,
    calendar: TradingCalendar,
    stocks: int,
) -> int:
    own = asyncio.current_task()
    assert own is not None
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, own.cancel)
    progress = ProgressLine()

    def made(done: int, total: int) -> None:
        more = "" if done < total else ", writing the day"
        progress.show(f"{done:,} of {total:,} stocks made{more}")

    try:
        workers = 1 if stocks <= _SMALL else os.cpu_count() or 1
        first, recording = await coming.first(workers=workers, made=made)
        progress.clear()
        prepare_pacing()
        return await _LiveRun(options, first, recording, coming, table, calendar).run()
    except asyncio.CancelledError:
        return STATUS_COMPLETED
    finally:
        progress.clear()
        await coming.close()


class _LiveRun(Run):
    """A running market without end."""

    over = "the market has ended"
    # To be stopped is how a market without end ends.
    statuses: ClassVar[Mapping[Outcome, int]] = {
        **Run.statuses,
        Outcome.INTERRUPTED: STATUS_COMPLETED,
    }

    def __init__(
        self,
        options: LiveOptions,
        first: Days,
        recording: Recording,
        coming: ComingDay,
        table: InstrumentTable,
        calendar: TradingCalendar,
    ) -> None:
        self._live = options
        self._coming = coming
        self._calendar = calendar
        self._days = first
        self._stocks = len(recording.instruments)
        self._is_wall = options.hours == "wall"
        self._played = 0
        self._began_at = first.start
        self._turning = False
        refusals: dict[type[Command], str] = {Loop: _NO_LOOP}
        if self._is_wall:
            refusals |= dict.fromkeys((Pause, Resume, Speed, Seek, Step), _NO_CONTROL)
        super().__init__(options, self._days, recording.instruments, table, refusals=refusals)

    async def _open(self, stack: AsyncExitStack) -> None:
        if self._is_wall:
            # Nobody is to be told another time than the present one.
            await self._turn(self._days)
        await super()._open(stack)

    def _watches(self) -> list[Coroutine[Any, Any, None]]:
        return [*super()._watches(), *([self._keep_present()] if self._is_wall else [])]

    async def _play_all(self) -> str:
        if self._is_wall:
            await self._turn(self._days)
            self._began_at = self._player.now
        self._player.start()
        self._coming.start_next()
        while True:
            await self._player.finished.wait()
            if self._is_last():
                self._played += 1
                return f"{self._played} {'day was' if self._played == 1 else 'days were'} played"
            following = await self._coming.next()
            if not self._player.finished.is_set():
                continue  # Somebody has gone back into the day meanwhile.
            self._days.offer(following)
            await self._turn(following)
            self._played += 1
            self._coming.turn()
            self._announcements.tell("day", {"date": str(ist_date(following.start))})

    def _is_last(self) -> bool:
        return self._live.days is not None and self._played + 1 >= self._live.days

    async def _turn(self, day: Replay) -> None:
        """Go to where a day begins: its start, or the present if that is in it."""
        begin = day.start
        if self._is_wall:
            begin = min(max(time.time_ns(), day.start), day.end)
        self._turning = True
        try:
            await self._player.seek(begin)
        finally:
            self._turning = False

    async def _keep_present(self) -> None:
        """Keep the simulated time the present one, whatever becomes of the machine's clocks."""
        while True:
            await asyncio.sleep(_CHECK_S)
            if self._turning or not self._player.started.is_set() or self._player.finished.is_set():
                continue
            off = time.time_ns() - self._clock.now()
            if abs(off) > _MINUTE_NS:
                log.warning("the clock was %+.0f s off: set to the present", off / NS_PER_SECOND)
                await self._turn(self._days)
            elif abs(off) > KEPT_NS:
                self._clock.jump(time.time_ns())
                self._timer.wake()

    def _tell(self, event: str, details: Mapping[str, object]) -> None:
        # The end of a day and the way to the next are one event, told as such.
        if (event == "seeked" and self._turning) or (event == "completed" and not self._is_last()):
            return
        super()._tell(event, details)

    def _standing(self) -> Standing:
        return msgspec.structs.replace(
            super()._standing(), start=self._days.start, wanted_ns=None, days=self._played,
            began_at=self._began_at,
        )  # fmt: skip

    def _heading(self) -> str:
        live = self._live
        day = ist_date(self._days.start)
        kind = f"{self._stocks:,} instruments, profile {live.profile}, seed {live.seed}"
        if self._is_wall:
            return f"A synthetic market in the hours of the real one, on {day} IST: {kind}"
        many = "without end" if live.days is None else f"of {live.days:,} days"
        speed = speed_text(live.speed)
        return f"A synthetic market {many}, from {day} on: {kind}, {speed}"

    def _notes(self) -> Sequence[str | None]:
        return (self._note_on_start(), self._note_on_hours(), self._note_on_faults())

    def _note_on_hours(self) -> str | None:
        """Return a line that says when the market opens, or how to have the same days again."""
        now = time.time_ns()
        if not self._is_wall:
            day = ist_date(self._days.start)
            return (
                f"The same ticks again: odin-sim live --date {day} --seed {self._live.seed}"
                if self._live.day is None
                else None
            )
        if self._calendar.is_open(now):
            return None
        opens = ist_datetime(self._calendar.next_open(now))
        return f"The market is closed; it opens at {opens} IST. Without --hours wall it opens now."
