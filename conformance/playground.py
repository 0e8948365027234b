"""
A market to try a client on: a simulator, a streaming server on it, and a clock to move.

They are the programs ``odin-sim`` and ``odin-streamer`` as anybody starts them,
on the suite's own recording or another. Time stands still until the clock is
moved. Everything here can be called from a plain function, which blocks, and
from a coroutine, which awaits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from conformance.aside import Aside, Doing
from conformance.feed import Feed
from conformance.invariants import Watch
from conformance.plain_http import request
from conformance.process import Guardian
from conformance.stage import Stage
from conformance.tape import NS, QUIET, STOCKS, Row, Stock, Tape, at, moment
from conformance.target import Target

__all__ = ["MarketClock", "OdinServer", "OdinSim", "Setting"]

TAPE_DAY: Final = "2025-09-04"
BEGINS: Final = "09:14:50"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is played, from when, and how the programs are started."""

    recording: Path | None = None
    """A recording; None is the suite's own, on which every tick is known."""
    day: str = ""
    """``YYYY-MM-DD``; by default 2025-09-04 on the suite's recording, else the first day."""
    at: str = BEGINS
    """When the clock stands at first, ``HH:MM`` or ``HH:MM:SS``."""
    options: Sequence[str] = ()
    """More options of ``odin-streamer serve``."""
    sim_options: Sequence[str] = ()
    """More options of ``odin-sim replay``."""

    def __post_init__(self) -> None:
        """
        Refuse what the playground itself could not live with.

        Raises:
            ValueError: If the server is to ask for access tokens.

        """
        if any(option.partition("=")[0] == "--tokens" for option in self.options):
            raise ValueError(
                "--tokens found; a server without access tokens expected: the connection by which"
                " the clock sees the server follow has none"
            )


class MarketClock:
    """
    The market's time, which moves when it is told to.

    Times are ``HH:MM`` or ``HH:MM:SS``, in India.
    """

    def __init__(self, world: _World) -> None:
        self._world = world

    @property
    def now(self) -> datetime:
        """What time it is on the market."""
        return moment(self._world.feed.now)

    def advance_to(self, time: str, *, day: str = "") -> Doing[None]:
        """
        Let time pass up to ``time``, inclusive; everything due until then is sent.

        When this is done the feed has sent it, and a streaming server has
        written what follows from it to every client that reads.

        Raises:
            ValueError: If it is later than that already.

        """
        ts = self._ts(time, day)
        if ts < self._world.feed.now:
            raise ValueError(f"{time} found; it is {self.now:%Y-%m-%d %H:%M:%S} already")
        return self._world.aside.do(self._world.advance(ts), f"advance_to({time!r})")

    def advance(self, seconds: int) -> Doing[None]:
        """Let some seconds pass, as :meth:`advance_to` does."""
        if seconds < 0:
            raise ValueError(f"{seconds} found; 0 s or more expected")
        ts = self._world.feed.now + seconds * NS
        return self._world.aside.do(self._world.advance(ts), f"advance({seconds})")

    def jump_to(self, time: str, *, day: str = "") -> Doing[None]:
        """
        Go to a time, forward or back; nothing in between is sent.

        If the market is open there, subscribed clients get the quotes of that time.
        """
        return self._world.aside.do(self._world.jump(self._ts(time, day)), f"jump_to({time!r})")

    def _ts(self, time: str, day: str) -> int:
        return at(day or f"{self.now:%Y-%m-%d}", _with_seconds(time))


class OdinSim:
    """A simulator that stands on a recording: an ODIN feed to dial, and its control API."""

    def __init__(self, world: _World) -> None:
        self._world = world
        self.clock = MarketClock(world)
        """Moves the market's time."""

    @property
    def url(self) -> str:
        """Address of the ODIN feed, ws://."""
        return self._world.feed.url

    @property
    def control_url(self) -> str:
        """Address of the control API and the REST logon, http://."""
        return self._world.feed.control_url

    @property
    def said(self) -> list[str]:
        """The last lines of its output."""
        return self._world.feed.said

    def ticks(self, symbol: str, since: str, until: str, *, exchange: str = "NSE") -> list[Row]:
        """
        Return a stock's ticks after ``since``, up to ``until`` inclusive, on the present day.

        Prices are in paise. Known on the suite's own recording alone.

        Raises:
            LookupError: If there is no such stock on it.

        """
        stock = _stock(symbol, exchange)
        day = f"{self.clock.now:%Y-%m-%d}"
        tape = self._world.feed.tape
        if stock is None or not tape.rows:
            raise LookupError(f"{symbol} of {exchange} is not on the suite's recording")
        first, last = (at(day, _with_seconds(time)) for time in (since, until))
        return tape.between(stock, first, last)


class OdinServer:
    """A streaming server on a simulator."""

    def __init__(self, world: _World, sim: OdinSim) -> None:
        self._world = world
        self.sim = sim
        """The simulator that feeds it."""
        self.clock = sim.clock
        """Moves the market's time."""

    @property
    def url(self) -> str:
        """Where clients connect, ws://, without a query."""
        return self._world.stage.server.url

    def url_for(self, client_id: str) -> str:
        """Return where the client of this id connects."""
        return f"{self.url}?client_id={quote(client_id)}"

    @property
    def http_url(self) -> str:
        """Where plain HTTP is answered: ``/api/health`` and its like."""
        host, port = self._world.stage.server.address
        return f"http://{host}:{port}"

    @property
    def said(self) -> list[str]:
        """The last lines of its log."""
        return self._world.stage.server.said

    def stop(self) -> Doing[int | None]:
        """Stop it as SIGTERM does: clients are told, then closed."""
        return self._world.aside.do(self._world.stage.stop_server(), "stop()")

    def kill(self) -> Doing[None]:
        """End it with kill -9."""
        return self._world.aside.do(self._world.stage.kill_server(), "kill()")

    def start(self) -> Doing[None]:
        """Start it again, at the same address and with what it had stored."""
        return self._world.aside.do(self._world.start_server(), "start()")

    def restart(self) -> Doing[None]:
        """Stop it and start it again."""
        return self._world.aside.do(self._world.restart_server(), "restart()")


class _World:
    """The programs of one test; its coroutines run aside."""

    def __init__(self, setting: Setting, aside: Aside) -> None:
        self.setting = setting
        self.aside = aside
        self._stack = AsyncExitStack()
        self._stage: Stage | None = None
        self._feed: Feed | None = None
        self._folder = Path()
        self._guardian: Guardian | None = None

    @property
    def feed(self) -> Feed:
        assert self._feed is not None, "opened before"
        return self._feed

    @property
    def stage(self) -> Stage:
        assert self._stage is not None, "opened before"
        return self._stage

    async def open_sim(self) -> None:
        """Start the simulator, and go to where the clock stands at first."""
        setting = self.setting
        self._folder = Path(
            self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="odin-sim-", ignore_cleanup_errors=True)
            )
        )
        self._guardian = Guardian()
        self._stack.callback(self._guardian.close)
        self._guardian.remove(self._folder)
        if setting.recording is None:
            tape, path = Tape.made(), self._folder / "tape.parquet"
            tape.write(path)
        else:
            tape, path = Tape(()), setting.recording
        feed = self._feed = Feed(
            _target().feed, tape, path, guardian=self._guardian, options=setting.sim_options
        )
        self._stack.push_async_callback(feed.stop)
        await feed.start()
        day = setting.day or (TAPE_DAY if setting.recording is None else await self._first_day())
        await feed.seek(at(day, _with_seconds(setting.at)))

    async def open_server(self) -> None:
        """Start the streaming server on the simulator."""
        assert self._guardian is not None, "the simulator is opened before"
        target = _target()
        server = replace(target.server, start=(*target.server.start, *self.setting.options))
        stage = self._stage = Stage(
            replace(target, server=server),
            folder=self._folder / "server",
            tape=self.feed.tape,
            tape_path=self._folder,
            guardian=self._guardian,
            watch=Watch(),
            scale=1.0,
            feed=self.feed,
        )
        self._stack.push_async_callback(stage.close)
        await stage.open()

    async def close(self) -> None:
        """End everything."""
        await self._stack.aclose()

    async def advance(self, ts: int) -> None:
        """Play, and see the server follow."""
        if self._serves:
            # A subscribe is answered before the feed is asked for the stock.
            stats = await request(f"{self._http_url}/api/stats")
            counts: Any = stats.json()
            await self.stage.interested(counts["instruments_asked_of_feed"])
        await self.feed.play(ts)
        if self._serves:
            await self.stage.reached(ts)

    async def jump(self, ts: int) -> None:
        """Seek, and see the server follow."""
        await self.feed.seek(ts)
        if self._serves:
            await self.stage.reached(ts)

    async def start_server(self) -> None:
        """Start the server again."""
        await self.stage.start_server()

    async def restart_server(self) -> None:
        """Stop the server and start it again."""
        await self.stage.stop_server()
        await self.stage.start_server()

    @property
    def _serves(self) -> bool:
        return self._stage is not None and self._stage.server.running

    @property
    def _http_url(self) -> str:
        host, port = self.stage.server.address
        return f"http://{host}:{port}"

    async def _first_day(self) -> str:
        status: Any = (await request(f"{self.feed.control_url}/status")).json()
        return date.fromisoformat(status["window"]["start"][:10]).isoformat()


def _target() -> Target:
    """Return our own streaming server, as its shipped target file describes it."""
    return Target.of_file(Path(str(files("conformance").joinpath("targets", "streamer.toml"))))


def _stock(symbol: str, exchange: str) -> Stock | None:
    known = {(stock.symbol, stock.exchange): stock for stock in (*STOCKS, *QUIET)}
    return known.get((symbol, exchange))


def _with_seconds(time: str) -> str:
    """Return ``HH:MM`` or ``HH:MM:SS`` with its seconds."""
    for form in ("%H:%M:%S", "%H:%M"):
        try:
            datetime.strptime(time, form)  # noqa: DTZ007
        except ValueError:
            continue
        return time if form.endswith("S") else f"{time}:00"
    raise ValueError(f"{time!r} found; a time of day expected: 09:15 or 09:15:30")


class Playground:
    """
    Opens and closes what a test plays on.

    Args:
        setting: What is played.

    """

    def __init__(self, setting: Setting) -> None:
        self._aside = Aside()
        self._world = _World(setting, self._aside)

    def open_sim(self) -> OdinSim:
        """Start a simulator."""
        self._aside.call(self._world.open_sim())
        return OdinSim(self._world)

    def open_server(self, sim: OdinSim) -> OdinServer:
        """Start a streaming server on the simulator."""
        self._aside.call(self._world.open_server())
        return OdinServer(self._world, sim)

    def close(self) -> None:
        """End everything that was started."""
        try:
            self._aside.call(self._world.close())
        finally:
            self._aside.close()
