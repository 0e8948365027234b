"""
``odin-sim replay``, put together: what is opened first, what ends it, what is told.

Opened in this order: the recording, the ports of feed and control, the player,
the streaming server as a process of its own. Ended the other way round, so
that the server's clients have everything before the feed is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from simulator.announcements import Announcements
from simulator.clock import SimClock, parse_rate
from simulator.control import LOGON_PATH, ControlServer
from simulator.desk import Desk
from simulator.extra_instruments import write_missing
from simulator.faults import Planned
from simulator.feed import STALL_LIMIT_S, FeedServer
from simulator.ledger import Ledger
from simulator.player import Player
from simulator.programme import Programme
from simulator.progress import Progress
from simulator.recording import Recording
from simulator.replay import Replay
from simulator.report import Outcome, Standing, progress_line, report, speed_text, summary
from simulator.sockets import address_of, open_listener
from simulator.streamer_process import StreamerProcess
from simulator.timer import DeadlineTimer
from simulator.window import chosen_keys, shift_of, window_end, window_start
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError, OdinError
from streamer.instruments import InstrumentTable
from streamer.ist import IST_OFFSET_NS, NS_PER_SECOND, ist_clock, ist_datetime, ist_rfc3339

__all__ = ["ReplayOptions", "run"]

STATUS_COMPLETED = 0
STATUS_FAILED = 1
STATUS_INTERRUPTED = 130

QUIET_S = 0.25
"""With ``--start-on subscribe``, how long no subscription may change before the start."""

_OVER = "the recording is over"
_DAY_S = 86_400
_LONG_NS = 30 * 10**9
# After the end of a replay with faults, for a server that has lost the feed.
_RECOVERY_S = 10.0
# The thread that reads ahead may keep the interpreter from the player for this
# long at a time; the default is 5 ms.
_SWITCH_INTERVAL_S = 0.0005
_STATUS_OF = {
    Outcome.COMPLETED: STATUS_COMPLETED,
    Outcome.FAILED: STATUS_FAILED,
    Outcome.INTERRUPTED: STATUS_INTERRUPTED,
}

log = logging.getLogger("simulator")


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of ``odin-sim replay``, as on its command line."""

    files: tuple[Path, ...]
    speed: str = "1"
    start: str | None = None
    end: str | None = None
    symbols: tuple[str, ...] = ()
    passes: int | None = 1
    start_on: Literal["now", "first-client", "subscribe"] = "now"
    hold: bool = False
    feed_only: bool = False
    lossless: bool = False
    host: str = "localhost"
    port: int = 8080
    feed_port: int = 4509
    control_port: int = 4510
    db: Path
    report: Path | None = None
    sort: bool = False
    plan: tuple[Planned, ...] = ()
    seed: int = 0
    ledger: Path | None = None
    max_p99_late_ns: int | None = None
    shift: Literal["today", "now"] | None = None

    @property
    def rate(self) -> Fraction | None:
        """Simulated seconds per second; None for ``max``."""
        return parse_rate(self.speed)


def run(options: ReplayOptions) -> int:
    """
    Replay as asked; return the exit status.

    Raises:
        RecordingError: If the recording is unusable, or empty in the window.
        ConfigError: If the window or a symbol is not in the recording.

    """
    table = InstrumentTable.bundled()
    calendar = TradingCalendar.bundled()
    recording = Recording.open(options.files, instruments=table, sort=options.sort)
    start = window_start(options.start, first_row=recording.start, calendar=calendar)
    end = window_end(options.end, last_row=recording.end, start=start)
    keys = None
    if options.symbols:
        keys = chosen_keys(options.symbols, instruments=recording.instruments, table=table)
    shift = shift_of(options.shift, start=start, now=time.time_ns())
    replay = Replay(recording, start=start, end=end, keys=keys, calendar=calendar, shift=shift)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # What is there by now stays: the collector need not look at it in the middle of pacing.
    gc.freeze()
    return asyncio.run(_replay(options, recording, replay, table))


async def _replay(
    options: ReplayOptions, recording: Recording, replay: Replay, table: InstrumentTable
) -> int:
    return await _Run(options, recording, replay, table).run()


class _Run:
    """The parts of a running replay, and what ends it."""

    def __init__(
        self, options: ReplayOptions, recording: Recording, replay: Replay, table: InstrumentTable
    ) -> None:
        self._options = options
        self._recording = recording
        self._replay = replay
        self._table = table
        self._outcome = Outcome.WAITING
        self._why = "waiting for the servers"
        waits = options.lossless or options.rate is None
        programme = Programme(replay, start=replay.start, end=replay.end)
        self._ledger = None if options.ledger is None else Ledger(options.ledger)
        self._feed = FeedServer(
            replay.state,
            second=replay.start,
            conflate=not waits,
            plan=options.plan,
            seed=options.seed,
            ledger=self._ledger,
        )
        self._timer = DeadlineTimer()
        announcements = Announcements(lambda: self._player.now)
        self._player = Player(
            replay=replay,
            programme=programme,
            clock=SimClock(replay.start, options.rate, monotonic=time.monotonic_ns),
            feed=self._feed,
            timer=self._timer,
            passes=options.passes,
            wait_for_sockets=waits,
            tell=announcements.tell,
        )
        self._desk = Desk(
            player=self._player,
            replay=replay,
            feed=self._feed,
            instruments=recording.instruments,
            announcements=announcements,
            status=self._status,
        )
        self._control: ControlServer
        self._streamer: StreamerProcess | None = None
        self._feed_url = ""
        self._control_url = ""
        self._interrupted = asyncio.Event()
        self._signal = ""
        self._began: int | None = None
        self._progress = Progress(lambda: progress_line(self._standing()))

    async def run(self) -> int:
        """Do everything, and tell how it ended."""
        self._listen_to_signals()
        self._log_above_progress()
        try:
            async with AsyncExitStack() as stack:
                try:
                    await self._open(stack)
                    await self._until_something_ends_it()
                except OdinError as error:
                    self._end(Outcome.FAILED, str(error))
                self._desk.closed = self._why
                self._desk.announcements.tell("stopped", {"why": self._why})
        except OdinError as error:
            self._end(Outcome.FAILED, str(error))
        finally:
            self._progress.stop()
            self._timer.close()
            if self._ledger is not None:
                self._ledger.close()
        if self._outcome is Outcome.COMPLETED:
            self._judge_lateness()
        if self._outcome is Outcome.FAILED:
            click.echo(f"Error: {self._why}", err=True)
        told_already = self._outcome is Outcome.COMPLETED and self._options.hold
        if self._began is not None and not told_already:
            click.echo(summary(self._standing()))
        status = _STATUS_OF[self._outcome]
        self._write_report(status)
        return status

    async def _open(self, stack: AsyncExitStack) -> None:
        options = self._options
        feed = open_listener(options.host, options.feed_port, option="--feed-port")
        stack.callback(feed.close)
        control = open_listener(options.host, options.control_port, option="--control-port")
        stack.callback(control.close)
        self._feed_url = f"ws://{address_of(feed, options.host)}"
        self._control_url = f"http://{address_of(control, options.host)}"
        await self._feed.start(feed)
        stack.push_async_callback(self._close_feed)
        self._control = ControlServer(feed_url=self._feed_url, controls=self._desk)
        await self._control.start(control, self._control_url)
        stack.push_async_callback(self._control.close)
        if not options.feed_only:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="odin-sim-"))
            self._streamer = StreamerProcess(
                self._streamer_arguments(Path(directory)), on_log=self._progress.print
            )
            await self._streamer.start()
            stack.push_async_callback(self._streamer.stop)

    async def _close_feed(self) -> None:
        if self._outcome is Outcome.COMPLETED:
            await self._feed.close(_OVER, patience_s=STALL_LIMIT_S)
        else:
            await self._feed.close("the simulator was stopped")

    def _streamer_arguments(self, directory: Path) -> list[str]:
        options = self._options
        arguments = ["--upstream", self._feed_url, "--clock", "feed"]
        arguments += ["--host", options.host, "--port", str(options.port)]
        arguments += ["--db", str(_made(options.db))]
        arguments += ["--drain-s", "5" if options.plan else "1"]
        if options.lossless:
            arguments.append("--lossless")
        # With faults, a logoff may come in the middle, or not arrive in the end.
        if not (options.hold or options.plan):
            arguments.append("--until-logoff")
        missing, left_out = write_missing(
            directory / "recorded-instruments.csv",
            self._recording.instruments.values(),
            self._table,
        )
        if missing is not None:
            arguments += ["--instruments", str(missing)]
        if left_out:
            log.warning(
                "%d instruments of the recording are on the feed only, %s for one: the"
                " streaming server knows cash market instruments",
                len(left_out),
                left_out[0].symbol,
            )
        return arguments

    async def _until_something_ends_it(self) -> None:
        """Return when the replay is over, interrupted, or can go on no more."""
        watches: list[Coroutine[Any, Any, None]] = [
            self._play(),
            self._player.run(),
            self._watch_interrupt(),
        ]
        if self._streamer is not None:
            watches.append(self._watch_streamer(self._streamer))
        tasks = [asyncio.create_task(watch) for watch in watches]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self) -> None:
        if self._streamer is not None:
            await self._streamer.wait_up()
        click.echo(self._welcome())
        self._progress.start()
        await self._wait_for_start()
        self._outcome, self._why = Outcome.PLAYING, ""
        self._began = time.time_ns()
        self._player.start()
        await self._player.finished.wait()
        while self._options.hold:
            self._end(Outcome.COMPLETED, "the whole window was replayed; held until interrupted")
            self._progress.stop()
            self._write_report(None)
            click.echo(summary(self._standing()))
            click.echo("Both servers stay up until Ctrl-C.")
            await self._player.sought_back.wait()
            self._progress.start()
            await self._player.finished.wait()
        self._desk.closed = _OVER
        if self._options.plan and self._standing().clients:
            await self._wait_for_recovery()
        await self._feed.log_off(_OVER)
        if self._streamer is not None:
            # It ends when every client has been sent everything (C-6).
            ended = self._streamer.stop if self._options.plan else self._streamer.wait_ended
            status = await ended()
            if status:
                self._end(Outcome.FAILED, f"the streaming server ended with status {status}")
                return
        self._end(Outcome.COMPLETED, "the whole window was replayed")

    async def _wait_for_start(self) -> None:
        """Return when what starts the clock is there, or somebody has started it by hand."""
        waits = [self._player.started.wait(), self._wait_for_clients()]
        tasks = [asyncio.create_task(wait) for wait in waits]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait_for_clients(self) -> None:
        match self._options.start_on:
            case "subscribe":
                self._why = "waiting for a subscription"
                await self._feed.wait_subscribed(QUIET_S)
            case "first-client" if self._streamer is not None:
                self._why = "waiting for a client"
                await self._streamer.wait_client()
            case "first-client":
                self._why = "waiting for a client of the feed"
                await self._feed.wait_logged_on()
            case "now":
                pass

    async def _watch_interrupt(self) -> None:
        await self._interrupted.wait()
        if self._outcome is not Outcome.COMPLETED:
            self._end(Outcome.INTERRUPTED, f"by {self._signal}")

    async def _watch_streamer(self, streamer: StreamerProcess) -> None:
        status = await streamer.wait_ended()
        if self._player.finished.is_set() and not self._options.hold:
            # It has heard the logoff, and ended as it should.
            await asyncio.Event().wait()
        said = f": {streamer.last_log}" if streamer.last_log else ""
        self._end(Outcome.FAILED, f"the streaming server ended early, with status {status}{said}")

    async def _wait_for_recovery(self) -> None:
        """Give a server that lost the feed time to come back, and to see how the day ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RECOVERY_S):
                await self._feed.wait_logged_on()
                await self._feed.wait_subscribed(QUIET_S)

    def _judge_lateness(self) -> None:
        limit, late = self._options.max_p99_late_ns, self._player.lateness.quantile_ns(0.99)
        if limit is not None and late is not None and late > limit:
            self._end(
                Outcome.FAILED,
                f"one update in a hundred was more than {late / 1e6:.3f} ms late;"
                f" --max-p99-late allows {limit / 1e6:g} ms",
            )

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._on_signal, number)
            except NotImplementedError:
                # Windows: the handler runs between two steps of the loop, which sleeps.
                signal.signal(number, self._call_soon_on_signal)

    def _call_soon_on_signal(self, number: int, _: object) -> None:
        asyncio.get_event_loop().call_soon_threadsafe(self._on_signal, signal.Signals(number))

    def _on_signal(self, number: signal.Signals) -> None:
        self._signal = number.name
        if self._interrupted.is_set():
            self._feed.abort()
            if self._streamer is not None:
                self._streamer.kill()
        self._interrupted.set()

    def _end(self, outcome: Outcome, why: str) -> None:
        self._outcome, self._why = outcome, why

    def _standing(self) -> Standing:
        options = self._options
        streamer = self._streamer
        finished = self._player.finished.is_set()
        outcome, why = self._outcome, self._why
        if outcome is Outcome.COMPLETED and not finished:
            # Held up after its end, and sought back since.
            outcome, why = Outcome.PLAYING, ""
        return Standing(
            recording=tuple(str(path) for path in options.files),
            start=self._replay.start,
            end=self._replay.end,
            reached=self._replay.end if finished else max(self._player.second, self._replay.start),
            speed=_speed_of(self._player.rate),
            paused=self._player.paused,
            passes=self._player.passes_done,
            passes_wanted=self._player.passes,
            updates=self._player.updates,
            updates_in_window=self._replay.rows_total,
            updates_sent=self._feed.updates_sent,
            updates_replaced=self._feed.updates_replaced,
            began=self._began,
            clients=self._feed.connections if streamer is None else streamer.clients,
            wanted_ns=self._player.wanted_ns,
            actual_ns=self._player.running_ns,
            lateness=self._player.lateness,
            outcome=outcome,
            why=why,
        )

    def _status(self) -> dict[str, object]:
        streamer = self._streamer
        return report(self._standing()) | {
            "feed_url": self._feed_url,
            "url": None if streamer is None else streamer.url,
            "feed_connections": self._feed.connections,
            "time": ist_rfc3339(self._player.now),
            "paused": self._player.paused,
        }

    def _write_report(self, status: int | None) -> None:
        path = self._options.report
        if path is None:
            return
        text = json.dumps(report(self._standing(), exit_status=status), indent=2)
        try:
            part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            part.write_text(text + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            click.echo(f"Cannot write the report to {path}: {error.strerror}", err=True)

    def _log_above_progress(self) -> None:
        self._progress.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[self._progress], force=True)
        # Strangers that open the feed's port and speak no WebSocket are no failure of ours.
        logging.getLogger("websockets").setLevel(logging.CRITICAL)
        # With a streaming server in between, the feed has one client, its own.
        log.setLevel(logging.INFO if self._options.feed_only else logging.WARNING)

    def _welcome(self) -> str:
        replay = self._replay
        some = next(iter(self._recording.instruments.values())).symbol
        known = {instrument.symbol for instrument in self._recording.instruments.values()}
        subscribe = msgspec.json.encode(
            {
                "type": "request",
                "action": "subscribe",
                "stocks": ["RELIANCE" if "RELIANCE" in known else some],
            }
        ).decode()
        lines = [
            f"Replaying {', '.join(str(path) for path in self._options.files)}:"
            f" {ist_datetime(replay.start)} to {ist_datetime(replay.end)} IST,"
            f" {replay.rows_total:,} updates, {speed_text(self._options.speed)}",
            "",
        ]
        rest = (
            f"  REST logon         {self._control_url}{LOGON_PATH}\n"
            f"  Console            {self._control_url}/"
        )
        if self._streamer is None:
            lines += [
                f"  ODIN feed          {self._feed_url}",
                rest,
                "",
                f"Try: odin-streamer serve --upstream {self._feed_url} --clock feed",
            ]
        else:
            url = f"{self._streamer.url}?client_id=demo"
            lines += [
                f"  WebSocket clients  {url}",
                f"  ODIN feed          {self._feed_url}",
                rest,
                "",
                f"Try: wscat -c '{url}'",
                f"and type: {subscribe}",
            ]
        waiting_for = {
            "subscribe": "The clock starts with the first subscriptions.",
            "first-client": "The clock starts with the first client.",
        }.get(self._options.start_on)
        notes = [
            note
            for note in (waiting_for, self._note_on_first_update(), self._note_on_faults())
            if note
        ]
        return "\n".join([*lines, *notes, ""])

    def _note_on_faults(self) -> str | None:
        """Return a line that says how many faults are planned, and how many in vain."""
        plan = self._options.plan
        if not plan:
            return None
        start = (self._replay.start + IST_OFFSET_NS) // NS_PER_SECOND
        lasts_s = (self._replay.end - self._replay.start) // NS_PER_SECOND
        outside = sum(
            (fault.at_s - start) % _DAY_S > lasts_s and not fault.is_on(start % _DAY_S)
            for fault in plan
        )
        planned = "1 fault is" if len(plan) == 1 else f"{len(plan)} faults are"
        vain = f", {outside} of them outside the window" if outside else ""
        return f"{planned} planned{vain}; random numbers come from seed {self._options.seed}."

    def _note_on_first_update(self) -> str | None:
        """Return a line that says when the first update comes, if that takes long."""
        first, rate = self._replay.next_due(), self._options.rate
        if first is None or rate is None or (first - self._replay.start) / rate < _LONG_NS:
            return None
        return f"The first update comes at {ist_clock(first)} IST; --from start begins there."


def _speed_of(rate: Fraction | None) -> str:
    if rate is None:
        return "max"
    return str(rate) if rate.denominator == 1 else f"{float(rate):.6f}".rstrip("0")


def _made(db: Path) -> Path:
    """Return the path of the sessions' file; its folder exists then."""
    try:
        db.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{db.parent} cannot be made ({error.strerror}): give a place for sessions with --db"
        ) from None
    return db
