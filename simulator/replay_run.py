"""
``odin-sim replay``, put together: which recording, where it ends, what is told of it.

What runs meanwhile is `simulator.running`'s subject.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
import msgspec

from simulator.progress_line import ProgressLine
from simulator.recording import Recording
from simulator.replay import Replay
from simulator.report import Outcome, Standing, speed_text, summary
from simulator.running import Run, RunOptions, prepare_pacing
from simulator.window import chosen_keys, shift_of, window_end, window_start
from streamer.calendar import TradingCalendar
from streamer.instruments import InstrumentTable
from streamer.ist import ist_clock, ist_datetime

__all__ = ["ReplayOptions", "run"]

STATUS_UNUSABLE = 3

_LONG_NS = 30 * 10**9


class ReplayOptions(RunOptions, frozen=True, kw_only=True):
    """The options of ``odin-sim replay``, as on its command line."""

    files: tuple[Path, ...]
    start: str | None = None
    end: str | None = None
    symbols: tuple[str, ...] = ()
    passes: int | None = 1
    hold: bool = False
    sort: bool = False
    shift: Literal["today", "now"] | None = None


def run(options: ReplayOptions) -> int:
    """
    Replay as asked; return the exit status.

    Raises:
        RecordingError: If the recording is unusable, or empty in the window.
        ConfigError: If the window or a symbol is not in the recording.

    """
    table = InstrumentTable.bundled()
    calendar = TradingCalendar.bundled()
    with ProgressLine() as line:
        recording = Recording.open(
            options.files,
            instruments=table,
            sort=options.sort,
            on_rows=lambda rows: line.show(f"Checking: {rows:,} rows"),
        )
    start = window_start(options.start, first_row=recording.start, calendar=calendar)
    end = window_end(options.end, last_row=recording.end, start=start)
    keys = None
    if options.symbols:
        keys = chosen_keys(options.symbols, instruments=recording.instruments, table=table)
    shift = shift_of(options.shift, start=start, now=time.time_ns())
    replay = Replay(recording, start=start, end=end, keys=keys, calendar=calendar, shift=shift)
    prepare_pacing()
    return asyncio.run(_replay(options, recording, replay, table))


async def _replay(
    options: ReplayOptions, recording: Recording, replay: Replay, table: InstrumentTable
) -> int:
    return await _ReplayRun(options, recording, replay, table).run()


class _ReplayRun(Run):
    """A running replay."""

    over = "the recording is over"
    status_unusable = STATUS_UNUSABLE

    def __init__(
        self, options: ReplayOptions, recording: Recording, replay: Replay, table: InstrumentTable
    ) -> None:
        super().__init__(
            options,
            replay,
            recording.instruments,
            table,
            passes=options.passes,
            simulated=recording.simulated,
        )
        self._paths = tuple(str(path) for path in options.files)
        self._stays_up = options.hold

    async def _play_all(self) -> str:
        self._player.start()
        await self._player.finished.wait()
        while self._stays_up:
            self._end(Outcome.COMPLETED, "the whole window was replayed; held until interrupted")
            self._progress.stop()
            self._write_report(None)
            click.echo(summary(self._standing()))
            self._is_told = True
            click.echo("Both servers stay up until Ctrl-C.")
            await self._player.sought_back.wait()
            self._progress.start()
            await self._player.finished.wait()
        return "the whole window was replayed"

    def _standing(self) -> Standing:
        now = msgspec.structs.replace(super()._standing(), recording=self._paths)
        if now.outcome is Outcome.COMPLETED and not self._player.finished.is_set():
            # Held up after its end, and sought back since.
            return msgspec.structs.replace(now, outcome=Outcome.PLAYING, why="")
        return now

    def _heading(self) -> str:
        replay = self._replay
        return (
            f"Replaying {', '.join(self._paths)}: {ist_datetime(replay.start)} to"
            f" {ist_datetime(replay.end)} IST, {replay.rows_total:,} updates,"
            f" {speed_text(self._options.speed)}"
        )

    def _notes(self) -> Sequence[str | None]:
        return (self._note_on_start(), self._note_on_first_update(), self._note_on_faults())

    def _note_on_first_update(self) -> str | None:
        """Return a line that says when the first update comes, if that takes long."""
        first, rate = self._replay.next_due(), self._options.rate
        if first is None or rate is None or (first - self._replay.start) / rate < _LONG_NS:
            return None
        return f"The first update comes at {ist_clock(first)} IST; --from start begins there."
