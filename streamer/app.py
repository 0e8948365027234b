"""
The whole program, put together: what is opened first, what is closed last.

Opened in this order: files, the session store, the port, the line to the feed.
Closed in the reverse one, so that a client is told good-bye while everything
behind it still stands, and what it subscribed is on disk before the store is
let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

import msgspec

from streamer import native
from streamer.access import AccessList
from streamer.admin import Admin
from streamer.clock import FeedClock, WallClock
from streamer.config import Config
from streamer.connection import HubSettings
from streamer.errors import ConfigError, OdinError, StoreError
from streamer.hub import Hub
from streamer.ist import ist_datetime
from streamer.journal import Event, Journal
from streamer.loading import trading_calendar
from streamer.odin.framing import Dialect
from streamer.odin.messages import FeedMessage, Logoff
from streamer.reference_desk import ReferenceDesk
from streamer.reloading import Reloaded, Reloader, read_instruments
from streamer.server import ServerSettings, StreamServer
from streamer.store import ClientStore
from streamer.upstream import Upstream, UpstreamSettings

_logger = logging.getLogger("streamer")

MUTE_AFTER_S: Final = {"wall": 30.0, "feed": 10.0}
"""How long the feed may say nothing while something is expected of it, by the clock in use."""

REFERENCE_LOOK_S: Final = 15.0
"""How often the store is looked at for end-of-day files that were imported."""

STATUS_CLEAN: Final = 0
STATUS_FAILED: Final = 1
STATUS_INTERRUPTED: Final = 130


class Ending(msgspec.Struct, frozen=True):
    """Why the server ends, with which exit status, and whether clients get everything first."""

    reason: str
    status: int = STATUS_CLEAN
    send_all: bool = False


def run(
    config: Config, environ: Mapping[str, str], *, now: Callable[[], int] = time.time_ns
) -> int:
    """
    Serve until told to end; return the exit status.

    Args:
        config: All options.
        environ: Says where the user's files are.
        now: The machine's time in UNIX nanoseconds.

    Raises:
        OdinError: If a file, the store, the port or the event loop cannot be used.

    """
    new_loop = _loop_factory(config.event_loop)
    access = None if config.tokens is None else AccessList.load(config.tokens)
    instruments = read_instruments(config)
    calendar = trading_calendar(config.calendar)
    _allow_many_sockets()
    with contextlib.closing(_open_store(config, environ)) as store:
        desk = ReferenceDesk(config.session_file(environ), lambda: hub.instruments, calendar)
        hub = Hub(
            instruments=instruments,
            calendar=calendar,
            clock=FeedClock() if config.clock == "feed" else WallClock(),
            epoch=secrets.token_urlsafe(9),
            records=store.load(),
            settings=HubSettings(
                max_subscriptions=config.max_subscriptions,
                max_connections=config.max_connections,
                request_rate=config.request_rate,
                request_burst=config.request_burst,
                session_ttl_s=config.session_ttl,
                closed_policy=config.closed_policy,
                lossless=config.lossless,
            ),
            reference=desk,
            now=now(),
        )
        _logger.info(
            "%d clients remembered, %d instruments, %s clock, event loop %s, compiled: %s",
            hub.clients,
            len(instruments),
            config.clock,
            config.event_loop,
            ", ".join(native.in_use()) or "nothing",
        )
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(_serve(config, hub, store, desk, access, now))


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop of this name."""
    if name == "asyncio":
        return asyncio.new_event_loop
    try:
        found: Callable[[], asyncio.AbstractEventLoop] = import_module(name).new_event_loop
    except ImportError as error:
        raise ConfigError(
            f"event_loop is {name!r}, and no package {name} was found; expected it to be "
            f"installed, or event_loop asyncio"
        ) from error
    return found


async def _serve(
    config: Config,
    hub: Hub,
    store: ClientStore,
    desk: ReferenceDesk,
    access: AccessList | None,
    now: Callable[[], int],
) -> int:
    return await _App(config, hub, store, desk, access, now).serve()


class _App:
    """The parts of a running server, and what ends it."""

    def __init__(
        self,
        config: Config,
        hub: Hub,
        store: ClientStore,
        desk: ReferenceDesk,
        access: AccessList | None,
        now: Callable[[], int],
    ) -> None:
        self._config = config
        self._hub = hub
        self._now = now
        self._desk = desk
        self._journal = Journal(self._emit if config.events else None)
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._server = StreamServer(
            hub,
            _server_settings(config),
            save=store.save,
            # Looked up when it is called: the line is made from the server's parts.
            change_interest=lambda new, gone: self._upstream.change_interest(new, gone),
            feed_stats=lambda: self._upstream.stats(),
            journal=self._journal,
            access=access,
            admin=Admin(config.admin_token, self._reload, self._halt, self._resume)
            if config.admin_token
            else None,
            now=now,
        )
        self._reloader = Reloader(
            config, relist=self._server.relist, replace_access=self._server.replace_access
        )
        self._reloads: set[asyncio.Task[None]] = set()
        self._upstream = Upstream(
            config.upstream,
            user=config.upstream_user,
            key=config.upstream_key,
            on_messages=self._take,
            on_state=self._server.upstream,
            interest=hub.interest,
            ticks=True,
            settings=UpstreamSettings(
                dialect=Dialect(config.upstream_dialect),
                mute_after_s=MUTE_AFTER_S[config.clock],
            ),
            # A real feed says nothing while the market is closed, or nothing
            # is asked of it; a simulated one speaks each second.
            expects_messages=lambda: (
                config.clock == "feed" or (hub.market_open and bool(hub.interest()))
            ),
            clock=now,
        )

    async def serve(self) -> int:
        """Run until something ends it; return the exit status."""
        await self._server.start()
        # Instruments, calendar and clients of earlier days stay: collections of garbage, which
        # hold up everything, need not look through them.
        gc.collect()
        gc.freeze()
        line = asyncio.create_task(self._upstream.run())
        line.add_done_callback(self._on_task_ended)
        looking = asyncio.create_task(self._keep_reference())
        looking.add_done_callback(self._on_task_ended)
        self._listen_to_signals()
        if self._config.events:
            _call_at_end_of_input(lambda: self.end(Ending("standard input has ended")))
        ending = await self._ending
        looking.cancel()
        self._journal.stopping(ending.reason)
        if ending.send_all:
            # The feed said good-bye. It is not to be dialled again while
            # clients read what they have not read yet.
            await self._upstream.close()
        await self._server.stop(send_all=ending.send_all)
        await self._upstream.close()
        self._journal.stopped(ending.reason, self._hub.delivered)
        return ending.status

    async def _keep_reference(self) -> None:
        """Have the figures of the coming session at hand before its first quote."""
        while True:
            time = self._hub.hours.time
            day = None if time is None else self._hub.hours.calendar.trading_day(time)
            if await asyncio.to_thread(self._desk.prepare, day):
                self._server.renew_reference()
            await asyncio.sleep(REFERENCE_LOOK_S)

    def end(self, ending: Ending) -> None:
        """Have the server end; what comes second changes nothing any more."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _take(self, messages: Sequence[FeedMessage]) -> None:
        if self._config.lossless:
            await self._server.ready_for_feed()
        self._server.feed(messages)
        if self._config.until_logoff and any(isinstance(each, Logoff) for each in messages):
            self.end(Ending("the feed has logged off", send_all=True))

    def _on_task_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _logger.error("the server failed", exc_info=error)
            self.end(Ending("the server failed", STATUS_FAILED))

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number, status in (
            (signal.SIGTERM, STATUS_CLEAN),
            (signal.SIGINT, STATUS_INTERRUPTED),
        ):
            _on_signal(loop, number, self._on_end_signal, Ending(number.name, status))
        if hasattr(signal, "SIGHUP"):
            _on_signal(loop, signal.SIGHUP, self._on_hangup)

    def _on_end_signal(self, ending: Ending) -> None:
        if self._ending.done():
            _logger.warning("%s again: cutting all connections", ending.reason)
            self._server.abort()
        self.end(ending)

    def _on_hangup(self) -> None:
        if not self._reloader.has_files:
            self.end(Ending("SIGHUP"))
            return
        task = asyncio.create_task(self._reload_or_log())
        # The loop itself holds tasks weakly.
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload_or_log(self) -> None:
        with contextlib.suppress(OdinError):
            await self._reload()

    async def _reload(self) -> Reloaded:
        try:
            return await self._reloader.reload()
        except OdinError as error:
            _logger.error("tokens and instruments stay as they were: %s", error)
            raise

    def _halt(self, until: str | None) -> Mapping[str, object]:
        halt = self._hub.hours.halt(self._now(), until)
        self._journal.operator_halts(halt)
        self._server.pass_time()
        return {"phase": "halted", "since": ist_datetime(halt.begin), "until": halt.until}

    def _resume(self) -> Mapping[str, object]:
        phase = self._hub.hours.resume(self._now())
        self._journal.operator_resumes(phase)
        self._server.pass_time()
        return {"phase": phase}

    def _emit(self, event: Event) -> None:
        try:
            sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
            sys.stdout.flush()
        except OSError:
            # Nobody reads any more, and what is left in the buffer would fail
            # again, loudly, at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.end(Ending("standard output has ended"))


def _server_settings(config: Config) -> ServerSettings:
    return ServerSettings(
        host=config.host,
        port=config.port,
        origins=config.origin,
        ping_interval_s=config.ping_interval,
        ping_timeout_s=config.ping_timeout,
        max_message_bytes=config.max_message_bytes,
        high_water_bytes=config.high_water_bytes,
        compression=config.compression,
        stall_s=config.stall,
        drain_s=config.drain_s,
    )


def _open_store(config: Config, environ: Mapping[str, str]) -> ClientStore:
    path = config.session_file(environ)
    if config.db is None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: cannot be made ({error.strerror}); expected a place for sessions: "
                "give one with --db"
            ) from error
    return ClientStore.open(path, durability=config.durability)


def _on_signal(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, act: Callable[..., None], *args: object
) -> None:
    try:
        loop.add_signal_handler(number, act, *args)
    except NotImplementedError:
        # Windows: the handler runs between two steps of the loop, which sleeps.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(act, *args) and None)


def _call_at_end_of_input(act: Callable[[], None]) -> None:
    """
    Call ``act`` when standard input ends, which is when the parent process does.

    A thread reads, because an event loop cannot watch every kind of input (a
    file, a console of Windows).
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        # The loop may have ended before the input did.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(act)

    threading.Thread(target=read, name="end-of-input", daemon=True).start()


def _allow_many_sockets() -> None:
    """Raise the limit of open files as far as the system lets us: each client is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
