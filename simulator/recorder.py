"""
``odin-sim record``, put together: the adapter at one end, files at the other.

The line to the feed is the streamer's own, `streamer.upstream`: what is
recorded is what a server would have got. This shell owns the sockets, the
clock, the signals and the order of things; what becomes a row is decided by
`simulator.transcript`, and what a file goes through by `simulator.tape_journal`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import click
import msgspec

from simulator.progress import Progress
from simulator.tape_journal import FolderHold, Journal, Origin, recover
from simulator.transcript import Counts, Row, Transcript
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError, OdinError
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import NS_PER_SECOND, ist_clock, ist_date, ist_datetime, ist_midnight, ist_rfc3339
from streamer.loading import instrument_table
from streamer.odin.connection import MAX_INSTRUMENTS
from streamer.odin.framing import Dialect
from streamer.odin.messages import FeedMessage
from streamer.upstream import Upstream, UpstreamSettings

__all__ = ["RecordOptions", "run"]

STATUS_RECORDED: Final = 0
STATUS_FAILED: Final = 1

MAX_PENDING_ROWS: Final = 16_384
"""So many rows are written at once, however long the flush interval."""

log = logging.getLogger("simulator")

_LEFT_OUT: Final = {
    "other_day": "updates of an earlier day, sent upon subscribing",
    "no_price": "updates without a price",
    "unasked": "updates of instruments that were not asked for",
}
_MOVED: Final = {
    "late": "updates told an earlier time than the row before, and got that one's",
    "ahead": "updates told a time more than a minute ahead, and got the feed's own",
}


class RecordOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of ``odin-sim record``, as on its command line; times are in seconds."""

    upstream: str
    symbols: tuple[str, ...]
    folder: Path
    rotate_s: float = 900.0
    flush_s: float = 2.0
    user: str = "ODIN"
    key: str = ""
    dialect: Literal["plain", "+4"] = "plain"
    until: str | None = None
    instruments: tuple[Path, ...] = ()


def run(options: RecordOptions, *, now: Callable[[], int] = time.time_ns) -> int:
    """
    Record as asked; return the exit status.

    Args:
        options: What to record, and where.
        now: The machine's time in UNIX nanoseconds.

    Raises:
        ConfigError: If an instrument is not known, the address is none, or
            another recorder writes to the folder.
        InstrumentError: If a file of instruments is unusable.
        OSError: If the folder cannot be made or read.

    """
    chosen = chosen_instruments(options.symbols, instrument_table(options.instruments))
    options.folder.mkdir(parents=True, exist_ok=True)
    hold = FolderHold(options.folder)
    try:
        for path, rows in recover(options.folder):
            click.echo(f"Recovered {path}: {rows:,} rows of a recorder that was killed")
        return asyncio.run(_Recorder(options, chosen, now).run())
    finally:
        hold.release()


def chosen_instruments(names: Sequence[str], table: InstrumentTable) -> tuple[Instrument, ...]:
    """
    Return the instruments that ``names`` mean, each once; ``all`` means the whole table.

    Raises:
        ConfigError: If a name means none, or they are too many for a connection.

    """
    if [name.lower() for name in names] == ["all"]:
        chosen = {instrument.key: instrument for instrument in table}
    else:
        chosen = {}
        for name in names:
            found = table.resolve(name)
            if found is None:
                raise ConfigError(
                    f"--symbols: {name!r} is not known; expected a symbol or token of the "
                    "instrument list (--instruments adds to it), or all"
                )
            chosen[found.key] = found
    if len(chosen) > MAX_INSTRUMENTS:
        raise ConfigError(
            f"--symbols: {len(chosen):,} instruments; expected {MAX_INSTRUMENTS:,} at the most, "
            "which is what a connection to the feed holds"
        )
    return tuple(chosen.values())


def window_of(ts: int, rotate_ns: int) -> int:
    """Return the beginning of the file that a row belongs to; no file has two days in India."""
    midnight = ist_midnight(ist_date(ts))
    return ts - (ts - midnight) % rotate_ns


class _Recorder:
    """One run of the recorder."""

    def __init__(
        self, options: RecordOptions, chosen: Sequence[Instrument], now: Callable[[], int]
    ) -> None:
        self._options = options
        self._chosen = chosen
        self._now = now
        self._calendar = TradingCalendar.bundled()
        self._began = now()
        self._rotate_ns = round(options.rotate_s * NS_PER_SECOND)
        keys = [instrument.key for instrument in chosen]
        self._transcript = Transcript(keys, until=options.until, now=self._began)
        self._upstream = Upstream(
            options.upstream,
            user=options.user,
            key=options.key,
            on_messages=self._take,
            on_state=self._on_state,
            interest=lambda: keys,
            settings=UpstreamSettings(dialect=Dialect(options.dialect)),
            # A real feed says nothing while the market is closed.
            expects_messages=lambda: bool(
                self._transcript.simulated or self._calendar.is_open(now())
            ),
        )
        self._journal: Journal | None = None
        self._window = 0
        self._finished: list[Path] = []
        # One thread: files are finished one after the other, while the next one is being written.
        self._finisher = ThreadPoolExecutor(1, "finish")
        self._finishing: list[asyncio.Future[Path]] = []
        self._ended = asyncio.Event()
        self._why = ""
        self._progress = Progress(self._line)

    async def run(self) -> int:
        """Record until something ends it; tell how it went."""
        self._listen_to_signals()
        self._log_above_progress()
        where = urlsplit(self._options.upstream)
        click.echo(
            f"Recording {len(self._chosen):,} instruments of {where.hostname} to "
            f"{self._options.folder}; Ctrl-C ends it"
        )
        self._progress.start()
        tasks = [
            asyncio.create_task(each)
            for each in (self._upstream.run(), self._flush_for_ever(), self._ended.wait())
        ]
        problem = ""
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (OdinError, OSError) as error:
            problem = str(error)
        finally:
            await self._upstream.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._progress.stop()
        return await self._end(problem)

    async def _end(self, problem: str) -> int:
        """Store what is left, finish the last file, tell how it went."""
        try:
            if not problem:
                self._store()
            self._rotate("ended")
            for path in await asyncio.gather(*self._finishing):
                self._finished.append(path)
        except (OdinError, OSError) as error:
            problem = problem or str(error)
        finally:
            self._finisher.shutdown()
        click.echo(self._summary())
        if problem:
            click.echo(f"Error: {problem}", err=True)
            click.echo(
                f"What is not in a file yet is in journals in {self._options.folder}; the next "
                "recording to that folder recovers them",
                err=True,
            )
            return STATUS_FAILED
        if not self._transcript.counts.rows:
            click.echo("Error: nothing was recorded", err=True)
            return STATUS_FAILED
        return STATUS_RECORDED

    def _take(self, messages: list[FeedMessage]) -> None:
        self._transcript.take(messages, self._now())
        if self._transcript.pending >= MAX_PENDING_ROWS:
            self._store()
        if self._transcript.ended:
            self._stop(self._transcript.ended)

    def _on_state(self, state: str) -> None:
        if state in ("down", "stale"):
            self._transcript.note_away(self._upstream.reason)

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._options.flush_s)
            self._store()
            self._transcript.pass_time(self._now())
            if self._transcript.ended:
                self._stop(self._transcript.ended)

    def _store(self) -> None:
        """Make what has come since the last time durable, each row in the file of its window."""
        rows, gaps = self._transcript.take_rows()
        before = self._transcript.counts.rows - len(rows)
        start = 0
        while start < len(rows):
            window = window_of(rows[start][0], self._rotate_ns)
            end = _end_of_window(rows, start, window, self._rotate_ns)
            if self._journal is None or window != self._window:
                self._rotate("rotated")
                self._journal = Journal.create(self._options.folder, self._origin(), window)
                self._window = window
            part = range(before + start, before + end)
            self._journal.append(rows[start:end], [gap for gap in gaps if gap.row in part])
            start = end

    def _rotate(self, ended: str) -> None:
        """Have the present file finished, in another thread."""
        journal, self._journal = self._journal, None
        if journal is not None:
            loop = asyncio.get_running_loop()
            finishing = loop.run_in_executor(self._finisher, journal.finish, ended)
            finishing.add_done_callback(self._tell_unfinished)
            self._finishing.append(finishing)

    def _tell_unfinished(self, finishing: asyncio.Future[Path]) -> None:
        """Say at once that a file could not be made; the recording goes on, its journal stays."""
        error = None if finishing.cancelled() else finishing.exception()
        if error is not None:
            log.error("a file could not be finished, its journal stays: %s", error)

    def _origin(self) -> Origin:
        where = urlsplit(self._options.upstream)
        return Origin(
            feed=f"{where.hostname}:{where.port}" if where.port else str(where.hostname),
            simulated=bool(self._transcript.simulated),
            software=f"odin-streamer {version('odin-streamer')}",
            began=ist_rfc3339(self._began),
            asked=len(self._chosen),
            symbols=tuple(
                (each.segment, each.token, each.symbol, each.exchange) for each in self._chosen
            ),
        )

    def _stop(self, why: str) -> None:
        self._why = self._why or why
        self._ended.set()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._on_signal, number)
            except NotImplementedError:
                # Windows: the handler runs between two steps of the loop, which sleeps.
                signal.signal(
                    number,
                    lambda number, _: loop.call_soon_threadsafe(
                        self._on_signal, signal.Signals(number)
                    ),
                )

    def _on_signal(self, number: signal.Signals) -> None:
        if self._ended.is_set():
            # Asked twice: the journals stay as they are, and the next start recovers them.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._stop(number.name)

    def _log_above_progress(self) -> None:
        self._progress.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[self._progress], force=True)
        logging.getLogger("streamer").setLevel(logging.INFO)

    def _line(self) -> str:
        transcript = self._transcript
        state = "" if self._upstream.state == "connected" else f" · {self._upstream.state}"
        return (
            f"{ist_clock(transcript.reached(self._now()))} IST · "
            f"{transcript.counts.rows:,} rows · {len(self._finishing)} files finished{state}"
        )

    def _summary(self) -> str:
        counts = self._transcript.counts
        last, line = self._transcript.last, self._upstream
        lines = [
            ("Recorded", f"{counts.rows:,} rows in {len(self._finished)} files"),
            *(("", str(path)) for path in self._finished),
            ("Until", f"{ist_datetime(last)} IST" if last else "nothing came"),
            ("Line", f"{line.reconnects} reconnects, {line.unusable} unusable messages"),
            *(("Left out", text) for text in _in_words(counts, _LEFT_OUT)),
            *(("Times", text) for text in _in_words(counts, _MOVED)),
            ("Ended", self._why or "by an error"),
        ]
        return "\n".join(f"{name:<9} {text}" for name, text in lines)


def _end_of_window(rows: Sequence[Row], start: int, window: int, rotate_ns: int) -> int:
    """Return where the rows of a window end."""
    if window_of(rows[-1][0], rotate_ns) == window:
        return len(rows)
    end = start
    while window_of(rows[end][0], rotate_ns) == window:
        end += 1
    return end


def _in_words(counts: Counts, words: Mapping[str, str]) -> list[str]:
    """Return the counts that are not 0, in words."""
    numbered = ((getattr(counts, name), text) for name, text in words.items())
    return [f"{count:,} {text}" for count, text in numbered if count]
