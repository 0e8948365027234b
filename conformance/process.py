"""
Programs that the suite starts, and their certain end.

Each runs in a process group of its own, so that what it starts ends with it. A
guardian, a small process at the other end of a pipe, ends the groups that are
left when the suite itself is gone, even by kill -9.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.patience import at_most

__all__ = ["Guardian", "Program", "StartError"]

_KEPT_LINES: Final = 200
_MAX_LINE: Final = 2**16
_KILL_S: Final = 10.0
# Below the ports that systems hand out for outgoing connections, which would
# otherwise come in between the moment a port is chosen and the one it is used.
_PORTS: Final = range(20_000, 30_000)

_GUARDIAN: Final = """
import os, shutil, signal, sys
groups, folders = set(), set()
signal.signal(signal.SIGINT, signal.SIG_IGN)
for line in sys.stdin:
    what = line[1:-1]
    if line[0] == "=":
        folders.add(what)
    else:
        (groups.add if line[0] == "+" else groups.discard)(int(what))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


class StartError(Exception):
    """A program could not be started, or did not come up."""


_LOOPBACKS: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def _is_free(family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        # Without IPv6 there is nothing to be in the way.
        return family == socket.AF_INET6 and error.errno != errno.EADDRINUSE
    return True


def _reserve(port: int) -> socket.socket | None:
    """Take a name for the port that the kernel gives to one process at a time."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0odin-conformance-port-{port}")
    except OSError:
        name.close()
        return None
    return name


class Guardian:
    """Ends process groups that outlive the suite, removes its folder, and hands out ports."""

    def __init__(self) -> None:
        self._reserved: list[socket.socket] = []
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARDIAN],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """End this process group if the suite ends first."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Forget a group that has ended; its number may be given to others."""
        self._tell(f"-{group}\n")

    def free_port(self) -> int:
        """
        Return a port that nothing listens on, on either of localhost's addresses.

        No other suite on this machine is given it until the guardian is closed,
        where the system can tell (Linux): a server that found its port taken
        would otherwise be mistaken for the other suite's.
        """
        for port in random.SystemRandom().sample(_PORTS, 200):
            if sys.platform.startswith("linux"):
                name = _reserve(port)
                if name is None:
                    continue
                self._reserved.append(name)
            if all(_is_free(family, host, port) for family, host in _LOOPBACKS):
                return port
        raise StartError(f"no free port from {_PORTS[0]} to {_PORTS[-1]}")

    def remove(self, folder: Path) -> None:
        """Remove a folder in the end, if it is still there."""
        self._tell(f"={folder}\n")

    def close(self) -> None:
        """End what is left, and the guardian."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        for name in self._reserved:
            name.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


class Program:
    """
    A running program; what it says is read and the last lines are kept.

    Args:
        name: What it is, for messages.
        guardian: Sees to its end.

    """

    def __init__(self, name: str, guardian: Guardian) -> None:
        self.name = name
        self.said: deque[str] = deque(maxlen=_KEPT_LINES)
        """The last lines of its output and errors."""
        self.guardian = guardian
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "started before"
        return self._process.pid

    async def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """
        Start it.

        Args:
            argv: The program and its arguments; programs installed beside
                this suite are found though they are not on the PATH.
            env: Set on top of the suite's own environment.
            cwd: Where it runs; by default where the suite does.

        Raises:
            StartError: If there is no such program.

        """
        environ = environment() | dict(env or {})
        found = shutil.which(argv[0], path=environ["PATH"])
        if found is None:
            raise StartError(f"{self.name}: there is no program {argv[0]!r}")
        self.said.append(f"$ {' '.join(argv)}")
        try:
            self._process = await asyncio.create_subprocess_exec(
                found,
                *argv[1:],
                env=environ,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_MAX_LINE,
                start_new_session=True,
            )
        except OSError as error:
            raise StartError(f"{self.name}: {argv[0]} cannot be started: {error}") from None
        self.guardian.watch(self._process.pid)
        self._reading = asyncio.create_task(self._read(self._process))

    async def stop(self, how: signal.Signals | None, *, within_s: float) -> int | None:
        """
        Send a signal to it, if one is given, and wait for its end; kill what is left of its group.

        Returns the exit status, or None if it had to be killed because it did
        not end in time.
        """
        if self._process is None:
            return None
        process, status = self._process, None
        if how is not None:
            self.send_signal(how)
        with contextlib.suppress(TimeoutError):
            async with at_most(within_s):
                status = await process.wait()
        await self.kill()
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself."""
        assert self._process is not None, "started before"
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def kill(self) -> None:
        """Kill it and whatever it has started, with SIGKILL."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        async with asyncio.timeout(_KILL_S):
            await process.wait()
            if self._reading is not None:
                await self._reading
        self.guardian.release(process.pid)

    async def ended(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        assert self._process is not None, "started before"
        return await self._process.wait()

    def last_words(self, count: int = 5) -> str:
        """Return the last lines that it said."""
        return " | ".join(list(self.said)[-count:])

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # Longer than the limit; what was read of it is dropped.
            if not line:
                return
            self.said.append(line.decode(errors="replace").rstrip("\r\n"))


def environment() -> dict[str, str]:
    """Return the environment of programs: no proxies; the suite's own folder of programs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("ODIN_")
    }
    folder = str(Path(sys.executable).parent)
    path = kept.get("PATH", os.defpath)
    return kept | {"PATH": f"{folder}{os.pathsep}{path}", "PYTHONUNBUFFERED": "1"}
