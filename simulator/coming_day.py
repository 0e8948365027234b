"""
The days of an endless market, each made while the one before it is played.

A day is made in another process, which gives way to this one, and opened in
another thread: whoever paces the present day is not disturbed. No more than
three days are on disk, and two in memory.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from simulator.blocks import Made
from simulator.day_maker import Answer, Work
from simulator.days import Days, endless_window, next_day, wall_window
from simulator.overnight import Morning
from simulator.recording import Recording
from simulator.replay import Replay
from simulator.synth import Wanted
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError, OdinError
from streamer.instruments import InstrumentTable

__all__ = ["ComingDay", "Hours"]

Hours = Literal["endless", "wall"]

_Replay = TypeVar("_Replay", bound=Replay)

_ONE_DAY = timedelta(days=1)
_MAX_LINE_BYTES = 64 * 2**20

log = logging.getLogger("simulator")


class ComingDay:
    """
    Makes one day ahead of the one that is played.

    Args:
        wanted: The first day.
        morning: What it begins with.
        hours: Which stretch of time each day has.
        folder: Where the recordings are kept as long as they are needed.
        table: Knows the instruments.
        calendar: Knows the trading days.

    """

    def __init__(
        self,
        wanted: Wanted,
        morning: Morning,
        *,
        hours: Hours,
        folder: Path,
        table: InstrumentTable,
        calendar: TradingCalendar,
    ) -> None:
        self._wanted = wanted
        self._morning = self._first = morning
        self._hours = hours
        self._folder = folder
        self._table = table
        self._calendar = calendar
        self._files: list[Path] = []
        self._coming: asyncio.Task[Replay] | None = None

    async def first(self, *, workers: int, made: Made) -> tuple[Days, Recording]:
        """
        Return the first day and its recording.

        Args:
            workers: Processes that make it.
            made: Is told now and then how many stocks have been made.

        Raises:
            OdinError: If it cannot be made.

        """
        recording = await self._made(workers, made)
        day = await asyncio.to_thread(self._opened, Days, recording)
        self._go_on()
        return day, recording

    def start_next(self) -> None:
        """Begin to make the next day, unless it is being made or there."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._next())
            self._coming.add_done_callback(_tell_failure)

    async def next(self) -> Replay:
        """
        Return the next day when it is there; the same until `turn`.

        What failed before is tried once more.

        Raises:
            OdinError: If it cannot be made.

        """
        if self._coming is not None and self._coming.done() and self._coming.exception():
            self._coming = None
        self.start_next()
        assert self._coming is not None
        return await asyncio.shield(self._coming)

    def turn(self) -> None:
        """Make the next day the present one: that before it is deleted, another one is begun."""
        for path in self._files[:-1]:
            path.unlink(missing_ok=True)
        self._files = self._files[-1:]
        self._coming = None
        self._go_on()
        self.start_next()

    async def close(self) -> None:
        """Make nothing more; idempotent."""
        if self._coming is not None:
            self._coming.cancel()
            with suppress(asyncio.CancelledError, OdinError):
                await self._coming

    def _go_on(self) -> None:
        day = next_day(self._wanted.day + _ONE_DAY, self._calendar)
        self._wanted = msgspec.structs.replace(self._wanted, day=day)

    async def _next(self) -> Replay:
        recording = await self._made(1, _tell_nobody)
        return await asyncio.to_thread(self._opened, Replay, recording)

    async def _made(self, workers: int, made: Made) -> Recording:
        wanted = self._wanted
        path = self._folder / f"{wanted.day}.parquet"
        work = Work(str(path), wanted, self._morning, self._first, workers)
        morning = await _make(work, made)
        recording = await asyncio.to_thread(Recording.open, [path], instruments=self._table)
        self._morning = morning
        self._files.append(path)
        return recording

    def _opened(self, kind: type[_Replay], recording: Recording) -> _Replay:
        wanted = self._wanted
        if self._hours == "wall":
            start, end = wall_window(wanted.day, self._calendar)
        else:
            start, end = endless_window(wanted.day, wanted.timetable)
        return kind(recording, start=start, end=end, calendar=self._calendar)


def _tell_nobody(_: int, __: int) -> None:
    pass


def _tell_failure(coming: asyncio.Task[Replay]) -> None:
    """Tell at once what would be told at the end of the day only."""
    if not coming.cancelled() and (error := coming.exception()) is not None:
        log.warning("%s; it is tried again when the present day ends", error)


async def _make(work: Work, made: Made) -> Morning:
    """Make a day in another process; end that if this is cancelled."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulator.day_maker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_MAX_LINE_BYTES,
        # Ctrl-C reaches the whole foreground group: it is ours to pass on.
        start_new_session=True,
    )
    answer = Answer()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(msgspec.json.encode(work))
            await process.stdin.drain()
            process.stdin.close()
        while line := await process.stdout.readline():
            answer = msgspec.json.decode(line, type=Answer)
            if answer.of:
                made(answer.made, answer.of)
        status = await process.wait()
    finally:
        if process.returncode is None:
            _kill(process)
            await process.wait()
    if answer.morning is None:
        why = answer.problem or f"its process ended with status {status}"
        raise ConfigError(f"the day {work.wanted.day} cannot be made: {why}")
    return answer.morning


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process with those that it has started."""
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
