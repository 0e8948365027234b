"""
The streaming server as a child process: started, listened to, ended.

It is a process of its own, so that it meets the feed over a real socket. It
prints one JSON object a line on standard output (``listening``, ``upstream``,
``client_connected``, ...), log lines on standard error, and ends when its
standard input does: whatever becomes of this process, no orphan stays behind.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence

__all__ = ["StreamerProcess"]

_GRACE_S = 10.0
_TERMINATION_S = 3.0
_MAX_LINE_BYTES = 2**20


class StreamerProcess:
    """
    One run of ``odin-streamer serve``.

    Args:
        arguments: Options of ``serve``; ``--events`` is added.
        on_log: Takes each line of its log.

    """

    def __init__(self, arguments: Sequence[str], *, on_log: Callable[[str], None]) -> None:
        self.url = ""
        """Where clients connect, once it is up."""
        self.clients = 0
        """How many clients are connected."""
        self.delivered: int | None = None
        """Updates delivered to clients, once it has ended well."""
        self.last_log = ""
        """The last line of its log."""
        self._arguments = arguments
        self._on_log = on_log
        self._listening = False
        self._upstream = ""
        self._news = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int] | None = None

    async def start(self) -> None:
        """Start it; :meth:`wait_up` tells when it can be used."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "streamer",
            "serve",
            *self._arguments,
            "--events",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_BYTES,
            # Ctrl-C reaches the whole foreground group: it is ours to pass on.
            start_new_session=True,
        )
        self._ended = asyncio.create_task(self._read_until_end(self._process))

    async def wait_up(self) -> None:
        """Return when it listens to clients and is logged on to the feed."""
        while not (self._listening and self._upstream == "connected"):
            await self._wait_for_news()

    async def wait_client(self) -> None:
        """Return when a client is connected."""
        while not self.clients:
            await self._wait_for_news()

    async def wait_ended(self) -> int:
        """Return its exit status when it has ended and everything it printed was taken."""
        assert self._ended is not None, "started before"
        return await asyncio.shield(self._ended)

    async def stop(self) -> int:
        """
        Have it tell its clients, close and end; return its exit status.

        If it does not end within the time of grace, it is killed.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        for timeout_s, next_step in ((_GRACE_S, "terminate"), (_TERMINATION_S, "kill")):
            try:
                async with asyncio.timeout(timeout_s):
                    return await self.wait_ended()
            except TimeoutError:
                self._signal(next_step)
        return await self.wait_ended()

    def kill(self) -> None:
        """End it at once."""
        self._signal("kill")

    def _signal(self, step: str) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            getattr(self._process, step)()

    async def _wait_for_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _read_until_end(self, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        assert process.stderr is not None
        await asyncio.gather(
            self._read(process.stdout, self._take_event), self._read(process.stderr, self._take_log)
        )
        return await process.wait()

    async def _read(self, stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue  # Longer than any line that it means to print; it was dropped.
            if not line:
                return
            take(line.decode(errors="replace").rstrip("\n"))

    def _take_log(self, line: str) -> None:
        self.last_log = line
        self._on_log(line)

    def _take_event(self, line: str) -> None:
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, TypeError, KeyError):
            self._on_log(line)
            return
        if kind == "listening":
            self._listening = True
            self.url = str(event.get("url", ""))
        elif kind == "upstream":
            self._upstream = str(event.get("state", ""))
        elif kind in ("client_connected", "client_gone"):
            self.clients = int(event.get("clients", 0))
        elif kind == "stopped":
            self.delivered = int(event.get("delivered", 0))
        self._news.set()
