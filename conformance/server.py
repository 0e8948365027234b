"""The server under test as a process: started, stopped, killed, started again at the same port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from conformance.expect import Inconclusive
from conformance.patience import Patience, at_most
from conformance.process import Guardian, Program, StartError
from conformance.target import PLACEHOLDERS, ServerTarget, filled

__all__ = ["Dress", "Server"]

_ATTEMPTS: Final = 3
_LOOK_AGAIN_S: Final = 0.01


@dataclass(frozen=True)
class Dress:
    """What a clock driver adds to the command that starts the server."""

    prefix: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


class Server:
    """
    One server, with its state folder.

    Args:
        target: What its file says of it.
        state: Its folder, kept over restarts.
        guardian: Sees to the end of its process.
        places: Returns placeholders, of the feed: its ports are known once it is started.
        variant: Name of a variant of the target file.
        scale: What time-outs are multiplied by.

    """

    def __init__(
        self,
        target: ServerTarget,
        *,
        state: Path,
        guardian: Guardian,
        places: Callable[[], Mapping[str, object]],
        variant: str = "",
        scale: float = 1.0,
    ) -> None:
        self.starts = 0
        """How often it was started."""
        self.dress = Dress()
        self._target = target
        self._state = state
        self._places = places
        self._more = target.variants[variant] if variant else ()
        self._scale = scale
        self._port = 0
        self._program = Program("the server", guardian)

    @property
    def ours(self) -> bool:
        """Whether the suite starts it."""
        return bool(self._target.start)

    @property
    def state(self) -> Path:
        """The folder that it is given for what it keeps."""
        return self._state

    @property
    def running(self) -> bool:
        """Whether it runs, as far as is known."""
        return not self.ours or self._program.running

    @property
    def url(self) -> str:
        """Where clients connect, without a query."""
        return self._target.url.format_map(self._values())

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        secure = parts.scheme in ("wss", "https")
        return parts.hostname or "localhost", parts.port or (443 if secure else 80)

    @property
    def said(self) -> list[str]:
        """The last lines of its output."""
        return list(self._program.said)

    async def start(self) -> None:
        """
        Start it and wait until it takes connections; at the same port as before.

        Raises:
            StartError: If it does not come up.

        """
        if not self.ours:
            await self._wait_listening()
            return
        first = not self._port
        for attempt in range(_ATTEMPTS):
            if first:
                self._port = self._program.guardian.free_port()
            command = filled((*self._target.start, *self._more), self._values())
            command = [*self.dress.prefix, *command, *self.dress.args]
            env = {
                name: value.format_map(self._values()) for name, value in self._target.env.items()
            }
            await self._program.start(command, env={**env, **self.dress.env}, cwd=self._target.cwd)
            try:
                await self._wait_listening()
                self.starts += 1
                return
            except StartError:
                await self._program.kill()
                if not first or attempt == _ATTEMPTS - 1:
                    raise

    async def stop(self) -> int | None:
        """Ask it to end and wait; return its exit status, None if it did not end in time."""
        within_s = self._target.stop_s * self._scale
        if not self._target.stop:
            return await self._program.stop(signal.SIGTERM, within_s=within_s)
        await self.run(self._target.stop, {})
        return await self._program.stop(None, within_s=within_s)

    async def kill(self) -> None:
        """End it at once, without a chance to save anything."""
        if self._target.kill:
            await self.run(self._target.kill, {})
        await self._program.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it: SIGHUP, SIGSTOP, SIGCONT."""
        self._program.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        return await self._program.ended()

    async def run(self, command: tuple[str, ...], places: Mapping[str, object]) -> None:
        """
        Run a command of the target file and wait for its end.

        Raises:
            Inconclusive: If it fails, or does not end in time.

        """
        program = Program(command[0], self._program.guardian)
        status: int | None = None
        try:
            words = filled(command, {**self._values(), **places})
            await program.start(words, cwd=self._target.cwd)
            with contextlib.suppress(TimeoutError):
                async with at_most(self._target.stop_s * self._scale):
                    status = await program.ended()
            await program.kill()
        except StartError as error:
            raise Inconclusive(str(error)) from None
        if status != 0:
            raise Inconclusive(f"{command[0]} ended with {status}: {program.last_words()}")

    async def _wait_listening(self) -> None:
        within_s = self._target.ready_s * self._scale if self.ours else 5.0 * self._scale
        host, port = self.address
        patience = Patience(within_s)
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                return
            except OSError as error:
                why = error.strerror or str(error)
            if self.ours and not self._program.running:
                raise StartError(f"the server ended at once: {self._program.last_words()}")
            if patience.ends():
                said = f": {self._program.last_words()}" if self.ours else ""
                raise StartError(
                    f"nothing listens at {host}:{port} after {within_s:g} s ({why}){said}"
                )
            if not self.ours:
                raise StartError(f"{self.url} cannot be reached: {why}")
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _values(self) -> dict[str, object]:
        pid = self._program.pid if self._program.running else ""
        blank = dict.fromkeys(PLACEHOLDERS, "")
        return {**blank, **self._places(), "port": self._port, "state": self._state, "pid": pid}
