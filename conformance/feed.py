"""
The feed of the server under test: the simulator as a process, steered over HTTP.

It is any other program to the suite, started by its command. It stands paused
on the suite's tape; a seek goes to a time, a step plays up to one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final

from conformance.expect import Inconclusive, Unmet
from conformance.patience import Patience, at_most
from conformance.plain_http import request
from conformance.process import Guardian, Program, StartError
from conformance.tape import Row, Stock, Tape, at, moment
from conformance.target import FeedTarget, filled

__all__ = ["Feed"]

_ATTEMPTS: Final = 3
_LOOK_AGAIN_S: Final = 0.01
_STEP_S: Final = 30.0
# Simulated time, which stands still meanwhile or is moved by a case.
_LONG: Final = "12h"


class Feed:
    """
    One simulator.

    Args:
        target: How it is started.
        tape: What it plays, and where that was written.
        path: The tape's file.
        guardian: Sees to the end of its process.
        options: More arguments for its command.
        scale: What time-outs are multiplied by.

    """

    def __init__(
        self,
        target: FeedTarget,
        tape: Tape,
        path: Path,
        *,
        guardian: Guardian,
        options: Sequence[str] = (),
        scale: float = 1.0,
    ) -> None:
        self.tape = tape
        self.now = tape.rows[0].ts if tape.rows else 0
        """The market's time, nanoseconds since 1970, as far as the suite moved it."""
        self._target = target
        self._path = path
        self._options = tuple(options)
        self._scale = scale
        self._port = self._control_port = 0
        self._lost = False
        self._program = Program("the feed", guardian)

    @property
    def url(self) -> str:
        """Where servers dial."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def control_url(self) -> str:
        """Where it is steered."""
        return f"http://127.0.0.1:{self._control_port}"

    @property
    def places(self) -> dict[str, object]:
        """The placeholders of commands that it fills in."""
        return {
            "feed": self.url,
            "feed_port": self._port,
            "control": self.control_url,
            "control_port": self._control_port,
            "tape": self._path,
        }

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._program.running

    @property
    def reachable(self) -> bool:
        """Whether a server that dials it is let in."""
        return self.running and not self._lost

    @property
    def said(self) -> list[str]:
        """The last lines of its output."""
        return list(self._program.said)

    async def start(self) -> None:
        """
        Start it, paused; at the same ports as before.

        Raises:
            StartError: If it does not come up.

        """
        first = not self._port
        for attempt in range(_ATTEMPTS):
            if first:
                guardian = self._program.guardian
                self._port, self._control_port = guardian.free_port(), guardian.free_port()
            command = filled((*self._target.start, *self._options), self.places)
            await self._program.start(command)
            try:
                await self._wait_up()
                break
            except StartError:
                await self._program.kill()
                if not first or attempt == _ATTEMPTS - 1:
                    raise
        await self.command("pause")
        if not first:
            await self.seek(self.now)

    async def stop(self) -> None:
        """End it at once, for good: one that is started again tells the tape's first time."""
        await self._program.kill()

    async def lose(self) -> None:
        """Cut every connection, and new ones as they are made, until :meth:`restore`."""
        self._lost = True
        await self.fault(f"refuse+{_LONG}")

    async def restore(self) -> None:
        """Take connections again; a server that dials finds the feed at its present time."""
        await self.calm()

    async def fault(self, fault: str) -> None:
        """Make it go wrong, as ``odin-sim faults`` lists: ``mute+10s``, ``reset``."""
        await self.command("fault", fault=fault)

    async def clear_fault(self, name: str) -> None:
        """End a fault."""
        await self.command("clear-fault", name=name)

    async def calm(self) -> None:
        """End every fault."""
        await self.command("clear-fault")
        self._lost = False

    async def wait_client(self, *, within: float = 15.0, but: Collection[str] = ()) -> None:
        """
        Wait until a server is logged on; of the connections named by ``but``, none counts.

        Raises:
            Unmet: If none is in time.

        """
        if not await self._comes(lambda names: bool(names - set(but)), within):
            seconds = within * self._scale
            raise Unmet(f"a server that dials its feed again within {seconds:g} s", "none")

    async def wait_alone(self, *, within: float = 15.0) -> None:
        """
        Wait until no server is logged on any more.

        Raises:
            Inconclusive: If one is there all the time.

        """
        if not await self._comes(lambda names: not names, within):
            raise Inconclusive("the feed has not lost the server that is logged on")

    async def logged_on(self) -> set[str]:
        """Return the names of the connections of servers that are logged on."""
        return {
            str(client.get("client"))
            for client in await self.connections()
            if client.get("logged_on")
        }

    async def _comes(self, holds: Callable[[set[str]], bool], within: float) -> bool:
        patience = Patience(within * self._scale)
        while not holds(await self.logged_on()):
            if patience.ends():
                return False
            await asyncio.sleep(_LOOK_AGAIN_S)
        return True

    async def seek(self, to: int) -> None:
        """Go to a time; nothing in between is sent."""
        await self.command("seek", to=f"{moment(to):%Y-%m-%d %H:%M:%S}")
        self.now = to

    async def play(self, until: int) -> None:
        """Send everything that is due up to a whole second, inclusive."""
        if until > self.now:
            await self.command("step", to=f"{moment(until):%Y-%m-%d %H:%M:%S}")
            self.now = until

    async def command(self, name: str, /, **fields: object) -> dict[str, Any]:
        """
        Steer it by its control API; return how it stands then.

        Raises:
            Inconclusive: If it refuses, or does not answer.

        """
        try:
            async with at_most(_STEP_S * self._scale):
                reply = await request(
                    f"{self.control_url}/control", method="POST", body={"command": name, **fields}
                )
        except (OSError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise Inconclusive(f"the feed did not carry out {name}: {why}") from None
        answer = reply.json()
        if reply.status != 200 or not isinstance(answer, dict):
            raise Inconclusive(f"the feed refused {name} {fields}: {answer}")
        return answer

    async def connections(self) -> list[dict[str, Any]]:
        """Return the feed's clients: ``logged_on``, ``instruments`` (how many) and more."""
        reply = await request(f"{self.control_url}/clients")
        answer = reply.json()
        return answer if isinstance(answer, list) else []

    def rows(self, stock: Stock, since: str, until: str, *, day: str = "") -> list[Row]:
        """
        Return a stock's rows after ``since``, up to ``until`` inclusive, on the present day.

        Raises:
            Inconclusive: If there are none.

        """
        date = day or f"{moment(self.now):%Y-%m-%d}"
        rows = self.tape.between(stock, at(date, since), at(date, until))
        if not rows:
            raise Inconclusive(f"the tape has no row of {stock.label} from {since} to {until}")
        return rows

    def tick_of(self, stock: Stock, time: str = "", *, day: str = "") -> Row:
        """
        Return a stock's last row up to a time, inclusive; by default up to the present.

        Raises:
            Inconclusive: If it has none on that day.

        """
        date = day or f"{moment(self.now):%Y-%m-%d}"
        row = self.tape.last(stock, at(date, time) if time else self.now)
        if row is None:
            raise Inconclusive(f"the tape has no row of {stock.label} on {date} up to {time}")
        return row

    async def _wait_up(self) -> None:
        patience = Patience(self._target.ready_s * self._scale)
        while True:
            try:
                if (await request(f"{self.control_url}/status")).status == 200:
                    return
                why = "its control port is another program's"
            except OSError as error:
                why = error.strerror or str(error)
            if not self._program.running:
                raise StartError(f"the feed ended at once: {self._program.last_words()}")
            if patience.ends():
                raise StartError(f"the feed is not up ({why}): {self._program.last_words()}")
            await asyncio.sleep(_LOOK_AGAIN_S)
