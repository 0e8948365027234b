"""
A running market: the feed, the control port, the player and the streaming server, together.

What `odin-sim replay` and `odin-sim live` have in common. Opened in this order:
the ports of feed and control, the player, the streaming server as a process of
its own. Ended the other way round, so that the server's clients have
everything before the feed is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

import click
import msgspec

from simulator.announcements import Announcements
from simulator.circumstances import of_this_process
from simulator.clock import SimClock, parse_rate
from simulator.commands import Command
from simulator.control import LOGON_PATH, ControlServer
from simulator.desk import Desk
from simulator.extra_instruments import write_missing
from simulator.faults import Planned
from simulator.feed import STALL_LIMIT_S, FeedServer
from simulator.ledger import Ledger
from simulator.player import Player
from simulator.programme import Programme
from simulator.progress import Progress
from simulator.replay import Replay
from simulator.report import Outcome, Standing, progress_line, report, summary
from simulator.run_report import RunReport
from simulator.sockets import address_of, open_listener
from simulator.streamer_process import StreamerProcess
from simulator.timer import DeadlineTimer
from streamer.errors import ConfigError, OdinError, RecordingError
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import IST_OFFSET_NS, NS_PER_SECOND, ist_rfc3339
from streamer.odin.tags import InstrumentKey

__all__ = ["STATUS_FAILED", "Run", "RunOptions", "prepare_pacing"]

STATUS_COMPLETED = 0
STATUS_FAILED = 1
STATUS_INTERRUPTED = 130

QUIET_S = 0.25
"""With ``--start-on subscribe``, how long no subscription may change before the start."""

_DAY_S = 86_400
# After the end of a replay with faults, for a server that has lost the feed.
_RECOVERY_S = 10.0
# The thread that reads ahead may keep the interpreter from the player for this
# long at a time; the default is 5 ms.
_SWITCH_INTERVAL_S = 0.0005

log = logging.getLogger("simulator")


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked of any running market, as on the command line."""

    speed: str = "1"
    start_on: Literal["now", "first-client", "subscribe"] = "now"
    feed_only: bool = False
    lossless: bool = False
    host: str = "localhost"
    port: int = 8080
    feed_port: int = 4509
    control_port: int = 4510
    db: Path
    reports: tuple[Path, ...] = ()
    plan: tuple[Planned, ...] = ()
    seed: int = 0
    ledger: Path | None = None
    max_p99_late_ns: int | None = None

    @property
    def rate(self) -> Fraction | None:
        """Simulated seconds per second; None for ``max``."""
        return parse_rate(self.speed)


def prepare_pacing() -> None:
    """Keep other threads and the collector from the player, as far as that goes."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # What is there by now stays: the collector need not look at it in the middle of pacing.
    gc.freeze()


class Run(ABC):
    """
    The parts of a running market, and what ends it.

    Args:
        options: As on the command line.
        replay: What is played.
        instruments: All that may occur in it.
        table: What the streaming server knows of itself.
        passes: How often the window is played; None for ever.
        simulated: Whether the data are made up; None where nobody says.
        refusals: Commands of the control port that cannot be carried out, and why.

    """

    over: ClassVar[str]
    """Said to the feed's clients when all has been played."""

    statuses: ClassVar[Mapping[Outcome, int]] = {
        Outcome.COMPLETED: STATUS_COMPLETED,
        Outcome.FAILED: STATUS_FAILED,
        Outcome.INTERRUPTED: STATUS_INTERRUPTED,
    }

    status_unusable: ClassVar[int] = STATUS_FAILED
    """Where a row that is read on the way cannot be replayed."""

    def __init__(
        self,
        options: RunOptions,
        replay: Replay,
        instruments: Mapping[InstrumentKey, Instrument],
        table: InstrumentTable,
        *,
        passes: int | None = 1,
        simulated: bool | None = True,
        refusals: Mapping[type[Command], str] | None = None,
    ) -> None:
        self._options = options
        self._replay = replay
        self._instruments = instruments
        self._table = table
        self._outcome = Outcome.WAITING
        self._why = "waiting for the servers"
        waits = options.lossless or options.rate is None
        self._ledger = None if options.ledger is None else Ledger(options.ledger)
        self._feed = FeedServer(
            replay.state,
            second=replay.start,
            conflate=not waits,
            plan=options.plan,
            seed=options.seed,
            ledger=self._ledger,
            tell=self._tell,
        )
        self._timer = DeadlineTimer()
        self._clock = SimClock(replay.start, options.rate, monotonic=time.monotonic_ns)
        self._announcements = Announcements(lambda: self._player.now)
        self._player = Player(
            replay=replay,
            programme=Programme(replay, start=replay.start, end=replay.end),
            clock=self._clock,
            feed=self._feed,
            timer=self._timer,
            passes=passes,
            wait_for_sockets=waits,
            tell=self._tell,
        )
        self._report = RunReport(
            options.reports,
            circumstances=of_this_process(simulated=simulated),
            lateness=self._player.lateness,
            elapsed=lambda: self._player.running_ns,
        )
        self._desk = Desk(
            player=self._player,
            replay=replay,
            feed=self._feed,
            instruments=instruments,
            announcements=self._announcements,
            status=self._status,
            refusals=refusals,
        )
        self._control: ControlServer
        self._streamer: StreamerProcess | None = None
        self._feed_url = ""
        self._control_url = ""
        self._interrupted = asyncio.Event()
        self._signal = ""
        self._began: int | None = None
        self._has_ended_well = False
        self._is_told = False
        self._is_unusable = False
        self._stays_up = False
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
                    self._fail(error)
                self._desk.closed = self._why
                self._announcements.tell("stopped", {"why": self._why})
        except OdinError as error:
            self._fail(error)
        finally:
            self._progress.stop()
            self._timer.close()
            if self._ledger is not None:
                self._ledger.close()
        if self.statuses[self._outcome] == STATUS_COMPLETED:
            self._judge_lateness()
        if self._outcome is Outcome.FAILED:
            click.echo(f"Error: {self._why}", err=True)
        if self._began is not None and not self._is_told:
            click.echo(summary(self._standing()))
        status = self.statuses[self._outcome]
        if self._outcome is Outcome.FAILED and self._is_unusable:
            status = self.status_unusable
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
            await self._feed.close(self.over, patience_s=STALL_LIMIT_S)
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
        if not (self._stays_up or options.plan):
            arguments.append("--until-logoff")
            self._desk.ends_with_logoff = True
        missing, left_out = write_missing(
            directory / "recorded-instruments.csv",
            self._instruments.values(),
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
        tasks = [asyncio.create_task(watch) for watch in self._watches()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _watches(self) -> list[Coroutine[Any, Any, None]]:
        """Return what runs meanwhile; the first that returns or fails ends everything."""
        watches = [self._play(), self._player.run(), self._watch_interrupt()]
        if self._streamer is not None:
            watches.append(self._watch_streamer(self._streamer))
        if self._options.reports:
            watches.append(self._report.watch())
        return watches

    async def _play(self) -> None:
        if self._streamer is not None:
            await self._streamer.wait_up()
        click.echo(self._welcome())
        self._progress.start()
        await self._wait_for_start()
        self._outcome, self._why = Outcome.PLAYING, ""
        self._began = time.time_ns()
        why = await self._play_all()
        self._desk.closed = self.over
        if self._feed.fault_plan.was_used:
            self._feed.fault_plan.clear()
            self._feed.follow_faults()
            if self._standing().clients:
                await self._wait_for_recovery()
        self._has_ended_well = True
        await self._feed.log_off(self.over)
        if self._streamer is not None:
            # It ends when every client has been sent everything (C-6).
            hears_of_it = self._desk.ends_with_logoff and self._feed.connections
            status = await (self._streamer.wait_ended() if hears_of_it else self._streamer.stop())
            if status:
                self._end(Outcome.FAILED, f"the streaming server ended with status {status}")
                return
        self._end(Outcome.COMPLETED, why)

    @abstractmethod
    async def _play_all(self) -> str:
        """Let time run until all has been played; return how it ended, in words."""

    @abstractmethod
    def _heading(self) -> str:
        """Return the first line of the welcome: what is played."""

    def _notes(self) -> Sequence[str | None]:
        """Return the last lines of the welcome; None is left out."""
        return (self._note_on_start(), self._note_on_faults())

    def _tell(self, event: str, details: Mapping[str, object]) -> None:
        """Tell an event of the player or the feed to those who listen, and to the reports."""
        self._report.note(event, ist_rfc3339(self._player.now), details)
        self._announcements.tell(event, details)

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
        if self._has_ended_well:
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

    def _fail(self, error: OdinError) -> None:
        self._is_unusable = isinstance(error, RecordingError)
        self._end(Outcome.FAILED, str(error))

    def _end(self, outcome: Outcome, why: str) -> None:
        self._outcome, self._why = outcome, why

    def _standing(self) -> Standing:
        """Return how it stands."""
        streamer = self._streamer
        replay, player = self._replay, self._player
        reached = replay.end if player.finished.is_set() else max(player.second, replay.start)
        return Standing(
            recording=(),
            start=replay.start,
            end=replay.end,
            reached=reached,
            speed=_speed_of(player.rate),
            paused=player.paused,
            passes=player.passes_done,
            passes_wanted=player.passes,
            updates=player.updates,
            updates_in_window=replay.rows_total,
            updates_sent=self._feed.updates_sent,
            updates_replaced=self._feed.updates_replaced,
            began=self._began,
            clients=self._feed.connections if streamer is None else streamer.clients,
            wanted_ns=player.wanted_ns,
            actual_ns=player.running_ns,
            lateness=player.lateness,
            outcome=self._outcome,
            why=self._why,
        )

    def _status(self) -> dict[str, object]:
        streamer = self._streamer
        return report(self._standing()) | {
            "feed_url": self._feed_url,
            "url": None if streamer is None else streamer.url,
            "feed_connections": self._feed.connections,
            "time": ist_rfc3339(self._player.now),
            "paused": self._player.paused,
            "faults": self._desk.faults(),
        }

    def _write_report(self, status: int | None) -> None:
        for failure in self._report.write(self._standing(), status):
            click.echo(failure, err=True)

    def _log_above_progress(self) -> None:
        self._progress.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[self._progress], force=True)
        # Strangers that open the feed's port and speak no WebSocket are no failure of ours.
        logging.getLogger("websockets").setLevel(logging.CRITICAL)
        # With a streaming server in between, the feed has one client, its own.
        log.setLevel(logging.INFO if self._options.feed_only else logging.WARNING)

    def _welcome(self) -> str:
        symbols = [instrument.symbol for instrument in self._instruments.values()]
        some = "RELIANCE" if "RELIANCE" in symbols else symbols[0]
        request = {"type": "request", "action": "subscribe", "stocks": [some]}
        rest = (
            f"  REST logon         {self._control_url}{LOGON_PATH}\n"
            f"  Console            {self._control_url}/"
        )
        lines = [self._heading(), ""]
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
                f"and type: {msgspec.json.encode(request).decode()}",
            ]
        return "\n".join([*lines, *(note for note in self._notes() if note), ""])

    def _note_on_start(self) -> str | None:
        """Return a line that says what the clock waits for, if anything."""
        return {
            "subscribe": "The clock starts with the first subscriptions.",
            "first-client": "The clock starts with the first client.",
        }.get(self._options.start_on)

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
