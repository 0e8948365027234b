"""
The line to the feed: dialled, held, watched, and dialled again.

This shell owns the socket and its time-outs, which run on real time. What is
said on the wire is for :mod:`streamer.odin` to know; what instruments are
wanted and what becomes of the feed's messages is for its owner.

::

    connecting --logon accepted--> connected --silence--> stale --> connecting ...
        ^                              |
        +---- back-off ---- down <-----+  dropped, closed, logged off, unreadable

While ``on_messages`` is awaited nothing is read, so that a server which must
not lose an update can hold the feed back. That time counts as nobody's
silence.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection as Socket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from streamer.errors import ConfigError, FrameError
from streamer.hub import UpstreamState
from streamer.odin.connection import ClientConnection
from streamer.odin.framing import Dialect
from streamer.odin.messages import Disconnect, FeedMessage, Logoff, LogonAnswer, Ticks
from streamer.odin.tags import InstrumentKey

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
"""A longer WebSocket message ends the connection; real frames are below 100,006 bytes."""

_MAX_TOLD_PROBLEMS: Final = 100
_MAX_DOUBLINGS: Final = 30

_logger = logging.getLogger("streamer.upstream")

# At DEBUG the library would write each frame, the logon with its key included.
_socket_logger = logging.getLogger("streamer.upstream.socket")
_socket_logger.setLevel(logging.WARNING)


class UpstreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the feed is dialled and watched; all times are real seconds."""

    dialect: Dialect = Dialect.PLAIN
    use_proxy: bool = False
    """Dial through the proxy that the environment names, if it names one."""
    open_timeout_s: float = 10.0
    logon_timeout_s: float = 10.0
    close_timeout_s: float = 1.0
    """How long a feed may take to return a close before its socket is cut."""
    mute_after_s: float = 30.0
    """Without any message for so long the feed is stale. A simulator speaks each second."""
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0
    """With neither data nor an answer for so long after a ping, the feed is dead."""
    first_delay_s: float = 0.25
    longest_delay_s: float = 15.0
    refused_delay_s: float = 60.0
    """How long to wait after a refused logon: asking faster would not change the answer."""
    stable_after_s: float = 30.0
    """A connection that was held for so long makes the next one's delay short again."""


def backoff(
    attempt: int, chance: random.Random, *, first_s: float = 0.25, longest_s: float = 15.0
) -> float:
    """
    Return how many seconds to wait before dialling again.

    Exponential with full jitter: anything from nothing to a bound that
    doubles with each attempt, so that servers which lost a feed together do
    not come back to it together.

    Args:
        attempt: How many attempts have failed in a row before this one, from 0.
        chance: The source of jitter.
        first_s: The bound of attempt 0.
        longest_s: The bound of all bounds.

    """
    return chance.uniform(0.0, min(longest_s, first_s * 2.0 ** min(attempt, _MAX_DOUBLINGS)))


class Upstream:
    """
    One feed, for as long as :meth:`run` runs.

    Args:
        url: ``ws://`` or ``wss://``.
        user: The user id of the logon.
        key: The password or token of the logon, if the feed wants one. It is
            never logged.
        on_messages: Takes all messages of a frame, in order; what it returns
            is awaited before the next frame is read, and cancelled if the
            line is closed in that time. Called first with the frame that
            holds the accepted logon answer.
        on_state: Told each change of state.
        interest: Everything that is wanted now; asked once after each logon.
        settings: How the feed is dialled and watched.
        ticks: Hand on ticks in place of touchlines.
        expects_messages: Whether silence means that something is wrong; a
            real feed says nothing at night. Pings tell a dead line from a
            silent one all the same.
        clock: UNIX nanoseconds, for the headers of what is sent.
        chance: The source of jitter.

    Raises:
        ConfigError: If ``url`` is no address of a feed.

    """

    def __init__(
        self,
        url: str,
        *,
        user: str,
        key: str,
        on_messages: Callable[[list[FeedMessage]], Awaitable[None] | None],
        on_state: Callable[[UpstreamState], None],
        interest: Callable[[], list[InstrumentKey]],
        settings: UpstreamSettings | None = None,
        ticks: bool = False,
        expects_messages: Callable[[], bool] = lambda: True,
        clock: Callable[[], int] = time.time_ns,
        chance: random.Random | None = None,
    ) -> None:
        try:
            address = urlsplit(url)
            port = address.port
        except ValueError as error:
            raise ConfigError(f"The feed's address: {error}; expected ws://HOST:PORT") from error
        if address.scheme not in ("ws", "wss") or not address.hostname:
            raise ConfigError(
                f"The feed's address has the scheme {address.scheme!r} and the host "
                f"{address.hostname!r}; expected ws://HOST:PORT"
            )
        self.settings = settings or UpstreamSettings()
        self.state: UpstreamState = "down"
        self.reason = ""
        """Why the feed is not connected; empty while it is."""
        self.reconnects = 0
        """Logons that the feed accepted after the first one."""
        self.messages = 0
        """Messages handed on since the start."""
        self.unusable = 0
        """Messages and frames of the feed that could not be used, since the start."""
        self.last_message_at: float | None = None
        """When messages last came, by the event loop's clock."""
        self._url = url
        # Without a user or a password that the address may hold.
        self._where = f"{address.hostname}:{port}" if port else address.hostname
        self._user = user
        self._key = key
        self._on_messages = on_messages
        self._on_state = on_state
        self._interest = interest
        self._ticks = ticks
        self._expects_messages = expects_messages
        self._clock = clock
        self._chance = chance or random.Random()
        self._closing = False
        self._life: asyncio.Task[None] | None = None
        self._line: _Line | None = None
        self._logons = 0
        self._faults = _FaultLog(self._where)

    def change_interest(
        self, subscribe: Sequence[InstrumentKey], unsubscribe: Sequence[InstrumentKey]
    ) -> None:
        """
        Have the feed asked for the difference; returns at once.

        Changes of one turn of the event loop go out together; an instrument
        that comes and goes before that is not asked for, and one that goes
        and comes is asked for once more, so that its present state follows.
        What waits is at most one change for each instrument. Without a
        logged-on connection there is nothing to do: the next one asks for
        everything that is wanted then.
        """
        if self._line is not None:
            self._line.change_interest(subscribe, unsubscribe)

    def stats(self) -> dict[str, object]:
        """Return how the line has fared since the start, for people and monitoring."""
        return {
            "state": self.state,
            "reason": self.reason,
            "reconnects": self.reconnects,
            "messages": self.messages,
            "unusable": self.unusable,
        }

    async def run(self) -> None:
        """Hold the line until cancelled or closed; a feed that fails is dialled again."""
        if self._closing:
            return
        self._life = asyncio.ensure_future(self._live())
        try:
            await self._life
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._closing or (task is not None and task.cancelling()):
                raise
        finally:
            self._become("down")

    async def close(self) -> None:
        """End :meth:`run` and wait for that; calling it again does nothing."""
        self._closing = True
        if self._life is not None and not self._life.done():
            self._life.cancel()
            await asyncio.wait([self._life])

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        settings = self.settings
        attempt = 0
        while True:
            self._become("connecting")
            line = None
            dialled_at = loop.time()
            try:
                line = self._line = _Line(self, await self._dial())
                await line.hold()
            except _FaultError as fault:
                found = fault
                self.reason = str(fault)
                self._become("stale" if fault.kind == "mute" else "down")
            finally:
                self._line = None
                if line is not None:
                    await line.close()
            if line is not None and line.is_logged_on:
                # That a mute line stayed open for long is no merit.
                end = self.last_message_at if found.kind == "mute" else loop.time()
                if end is not None and end - dialled_at >= settings.stable_after_s:
                    attempt = 0
                    self._faults.forget()
            self._faults.tell(found)
            delay_s = backoff(
                attempt,
                self._chance,
                first_s=settings.first_delay_s,
                longest_s=settings.longest_delay_s,
            )
            attempt += 1
            await asyncio.sleep(settings.refused_delay_s if found.kind == "refused" else delay_s)

    async def _dial(self) -> Socket:
        settings = self.settings
        try:
            return await connect(
                self._url,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                # The line pings by itself: the library counts the time in
                # which the owner lets nothing be read as the feed's silence.
                ping_interval=None,
                open_timeout=settings.open_timeout_s,
                close_timeout=settings.close_timeout_s,
                proxy=True if settings.use_proxy else None,
                logger=_socket_logger,
            )
        except (OSError, InvalidHandshake) as error:
            raise _FaultError("dial", f"cannot be dialled: {error or 'timed out'}") from error

    def _become(self, state: UpstreamState) -> None:
        if state != self.state:
            self.state = state
            self._on_state(state)

    def _logged_on(self) -> None:
        """Take note that the feed let us in."""
        self._logons += 1
        self.reconnects = self._logons - 1
        self.reason = ""
        self._faults.tell_connected()
        self._become("connected")


class _FaultError(Exception):
    """Why a connection to the feed is of no use any more; ``kind`` groups what is alike."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class _FaultLog:
    """Says what is wrong with a feed once, then counts."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._told: set[str] = set()
        self._untold = 0
        self._tell_connected = True
        self._problems: set[tuple[int | None, int | None]] = set()

    def tell(self, fault: _FaultError) -> None:
        """Warn of a fault, unless that was done for its kind since the line was last good."""
        if fault.kind in self._told:
            self._untold += 1
            _logger.debug("feed %s %s (%d faults untold)", self._where, fault, self._untold)
            return
        _logger.warning("feed %s %s; dialling again%s", self._where, fault, self._so_far())
        self._told.add(fault.kind)
        self._tell_connected = True

    def tell_connected(self) -> None:
        """Say that the feed is there, if its absence was told or it is the first time."""
        if self._tell_connected:
            _logger.info("feed %s is connected%s", self._where, self._so_far())
        self._tell_connected = False

    def tell_problem(self, problem: Exception | None) -> None:
        """Warn of a message that cannot be used, once for each code and tag."""
        kind = getattr(problem, "code", None), getattr(problem, "tag", None)
        if kind not in self._problems and len(self._problems) < _MAX_TOLD_PROBLEMS:
            self._problems.add(kind)
            _logger.warning(
                "feed %s sent what cannot be used: %s; more of its kind are only counted",
                self._where,
                problem,
            )

    def forget(self) -> None:
        """Take the next fault for a new one: the connection was good for long."""
        self._told.clear()

    def _so_far(self) -> str:
        untold, self._untold = self._untold, 0
        return f" (after {untold} more faults like those told)" if untold else ""


class _Line:
    """One connection to the feed, from its logon to its end."""

    def __init__(self, owner: Upstream, socket: Socket) -> None:
        self._owner = owner
        self._socket = socket
        self._core = ClientConnection(
            owner._user, owner._key, dialect=owner.settings.dialect, ticks=owner._ticks
        )
        self._loop = asyncio.get_running_loop()
        self._asked: set[InstrumentKey] = set()
        """What the feed has been asked for, or will have been by the frames being sent."""
        self._changes: dict[InstrumentKey, bool] = {}
        """What is to be asked (True) or asked no more (False)."""
        self._changed = asyncio.Event()
        self._logged_on = asyncio.Event()
        self._is_handling = False
        self._unusable = 0
        self._message_at = self._alive_at = self._loop.time()

    @property
    def is_logged_on(self) -> bool:
        return self._logged_on.is_set()

    def change_interest(
        self, subscribe: Sequence[InstrumentKey], unsubscribe: Sequence[InstrumentKey]
    ) -> None:
        if not self.is_logged_on:
            return
        for key in subscribe:
            # What was to be asked no more and is wanted again is asked again:
            # the owner counts on the present state, which is the answer.
            if key not in self._asked or key in self._changes:
                self._changes[key] = True
        for key in unsubscribe:
            if key in self._asked:
                self._changes[key] = False
            else:
                self._changes.pop(key, None)
        if self._changes:
            self._changed.set()

    async def hold(self) -> None:
        """
        Log on, then read and write until something ends the connection.

        Raises:
            _FaultError: Always, unless the owner's own code raises.

        """
        tasks = [asyncio.ensure_future(each) for each in (self._read(), self._watch())]
        # The writer just ends with the socket: what came before the end is
        # still to be read, and why it ended is for the reader to say.
        tasks.append(asyncio.ensure_future(self._write()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        ended = [task for task in tasks if task in done and not task.cancelled()]
        errors = [error for task in ended if (error := task.exception()) is not None]
        # What the owner's code raised goes before what the feed did.
        raise next((each for each in errors if not isinstance(each, _FaultError)), errors[0])

    async def close(self) -> None:
        """Let go of the socket, politely but not for long."""
        await self._socket.close()

    async def _read(self) -> None:
        core, socket = self._core, self._socket
        try:
            await socket.send(core.logon(self._owner._clock()))
            while True:
                data = await socket.recv(decode=False)
                self._alive_at = self._loop.time()
                try:
                    messages = core.receive(data)
                except FrameError as error:
                    raise _FaultError("frame", f"cannot be followed: {error}") from error
                finally:
                    self._count_unusable()
                if messages:
                    await self._take(messages)
        except ConnectionClosed as error:
            raise _FaultError("closed", f"closed the connection: {error}") from error

    async def _take(self, messages: list[FeedMessage]) -> None:
        """Hand messages on, and act on those that are about the connection itself."""
        # Both hold for nearly every frame, and then there are none such.
        is_plain = self.is_logged_on and self._core.logged_on
        logons = () if is_plain else [each for each in messages if isinstance(each, LogonAnswer)]
        is_new = False
        for answer in logons:
            if not answer.accepted:
                raise _FaultError(
                    "refused", f"refuses our logon (status {answer.status}); expected 10000"
                )
            is_new = is_new or not self.is_logged_on
            self._logged_on.set()
        if is_new:
            self._owner._logged_on()
        if self.is_logged_on:
            await self._hand_on(messages)
        if is_new:
            self.change_interest(self._owner._interest(), ())
        if not is_plain:
            for message in messages:
                if isinstance(message, Logoff):
                    raise _FaultError("logoff", f"logged us off: {message.reason or 'no reason'}")
                if isinstance(message, Disconnect):
                    raise _FaultError("logoff", "says that it disconnects")

    async def _hand_on(self, messages: list[FeedMessage]) -> None:
        owner = self._owner
        owner.messages += sum(
            len(each.ticks) if isinstance(each, Ticks) else 1 for each in messages
        )
        owner.last_message_at = self._loop.time()
        self._is_handling = True
        try:
            waiting = owner._on_messages(messages)
            if waiting is not None:
                await waiting
        finally:
            self._is_handling = False
            self._message_at = self._alive_at = self._loop.time()

    async def _write(self) -> None:
        core, clock = self._core, self._owner._clock
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                changes, self._changes = self._changes, {}
                gone = [key for key, is_wanted in changes.items() if not is_wanted]
                new = [key for key, is_wanted in changes.items() if is_wanted]
                self._asked.difference_update(gone)
                self._asked.update(new)
                for frame in core.unsubscribe(gone, clock()) + core.subscribe(new, clock()):
                    await self._socket.send(frame)
        except ConnectionClosed:
            return

    async def _watch(self) -> None:
        """Find out that the feed is silent or dead, by what has not come."""
        settings, owner = self._owner.settings, self._owner
        try:
            async with asyncio.timeout(settings.logon_timeout_s):
                await self._logged_on.wait()
        except TimeoutError:
            raise _FaultError(
                "logon", f"did not answer our logon within {settings.logon_timeout_s:g} s"
            ) from None
        pinged_at = self._loop.time()
        while True:
            now = self._loop.time()
            if self._is_handling:
                # Nothing is read, so nothing is known. Nor is anything
                # written: if the feed has closed meanwhile, writing would
                # make the kernel drop what is still to be read.
                self._message_at = self._alive_at = pinged_at = now
            if not owner._expects_messages():
                self._message_at = now
            mute_at = self._message_at + settings.mute_after_s
            dead_at = self._alive_at + settings.ping_interval_s + settings.ping_timeout_s
            if now >= mute_at:
                raise _FaultError("mute", f"has been mute for {settings.mute_after_s:g} s")
            if now >= dead_at:
                raise _FaultError("dead", f"has not answered a ping: {settings.ping_timeout_s:g} s")
            if now >= pinged_at + settings.ping_interval_s:
                pinged_at = now
                await self._ping()
            ping_at = pinged_at + settings.ping_interval_s
            await asyncio.sleep(min(mute_at, dead_at, ping_at) - now)

    async def _ping(self) -> None:
        try:
            # A line so full that not even a ping can be written is dead too.
            async with asyncio.timeout(self._owner.settings.ping_timeout_s):
                pong = asyncio.ensure_future(await self._socket.ping())
        except TimeoutError:
            raise _FaultError("dead", "takes nothing that we send") from None
        except ConnectionClosed:
            return
        pong.add_done_callback(self._note_pong)

    def _note_pong(self, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self._alive_at = self._loop.time()

    def _count_unusable(self) -> None:
        found = self._core.unusable - self._unusable
        if found:
            self._unusable += found
            self._owner.unusable += found
            self._owner._faults.tell_problem(self._core.last_problem)
