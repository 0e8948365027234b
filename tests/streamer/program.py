"""The real program in a process of its own, spoken to by signals, pipes and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import connect

from tests.streamer.serving import Client, http

START_S = 30.0


class Program:
    """
    ``odin-streamer serve --events`` with sessions in ``folder``.

    ``events`` are those read so far, ``log`` is what it wrote to standard
    error so far, whole once the program has ended.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        upstream: str = "ws://127.0.0.1:1",
        environ: Mapping[str, str] | None = None,
        db: str | None = "sessions.db",
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self.log = ""
        self.port = 0
        self._arguments = ["--upstream", upstream, "--events", "--port", "0", "--drain-s", "0"]
        if db is not None:
            self._arguments += ["--db", str(folder / db)]
        self._arguments += options
        inherited = {key: value for key, value in os.environ.items() if "ODIN_STREAMER" not in key}
        self._environ = inherited | {"XDG_STATE_HOME": str(folder)} | dict(environ or {})
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Task[None]
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.begin()
        listening = await self.event("listening")
        self.port = listening["port"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self.end()

    async def begin(self) -> None:
        """Start the process, which may well end at once."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streamer", "serve", *self._arguments),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=self._environ,
        )
        self._reading = asyncio.create_task(self._read())

    async def end(self) -> int:
        """Wait until the process has ended by itself; return its exit status."""
        async with asyncio.timeout(START_S):
            await self._reading
            status = await self._process.wait()
        self.close_input()
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def close_input(self) -> None:
        """Let standard input end."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def event(self, name: str, **fields: object) -> dict[str, Any]:
        """Wait for an event that has these fields; return the first such one."""
        async with asyncio.timeout(START_S):
            while True:
                for event in self.events:
                    if event["event"] == name and fields.items() <= event.items():
                        return event
                assert not self._reading.done(), f"ended without {name}: {self.log}"
                self._changed.clear()
                await self._changed.wait()

    async def logged(self, text: str) -> None:
        """Wait until the log holds a text."""
        async with asyncio.timeout(START_S):
            while text not in self.log:
                assert not self._reading.done(), f"ended without logging {text!r}: {self.log}"
                self._changed.clear()
                await self._changed.wait()

    async def http(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, Any]:
        """Send a plain HTTP request; return status and JSON body."""
        status, _, body = await http(self.port, path, headers, method)
        return status, json.loads(body)

    @asynccontextmanager
    async def client(self, client_id: str = "app", query: str = "") -> AsyncIterator[Client]:
        """Connect a client; its welcome is still to be read."""
        url = f"ws://localhost:{self.port}/enhanced-stream?client_id={client_id}&{query}"
        async with connect(url, ping_interval=None, max_queue=1, close_timeout=1) as socket:
            yield Client(socket)

    async def _read(self) -> None:
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        log = asyncio.create_task(self._read_log(stderr))
        async for line in stdout:
            self.events.append(json.loads(line))
            self._changed.set()
        await log
        self._changed.set()

    async def _read_log(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            self.log += line.decode()
            self._changed.set()
