"""
Programs that a test starts, reads line by line, and ends.

Every wait has a deadline, and a wait that fails shows all that the program
said. A program runs in a process group of its own, so that what it starts ends
with it.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

import pytest

from tests.guide.page import ROOT

DEADLINE_S: Final = 30.0
SETUP: Final = "tests/guide/setup"

NODE_MODULES: Final = Path(__file__).parent / "node_modules"

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")


def require(*names: str) -> str:
    """
    Return the path of a tool, under whichever of its names it is installed.

    Skips the test where the tool is missing. With ``CI=true`` in the
    environment nothing may be skipped, and the test fails.
    """
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        missing(names[0])
    return path


def require_node_module(name: str) -> None:
    """Skip the test (or fail it, see :func:`require`) where ``npm ci`` was not run."""
    if not (NODE_MODULES / name).is_dir():
        missing(f"the npm package {name}")


def missing(tool: str) -> NoReturn:
    """Skip the test, or fail it with ``CI=true``, because a tool is not there."""
    reason = f"{tool} is not installed; {SETUP} installs it where it can"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def environment(**more: str) -> dict[str, str]:
    """Return the environment for programs: no proxies, no options of ours, nothing buffered."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in _PROXIES and not name.startswith("ODIN_")
    }
    return inherited | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"} | more


class Program:
    """
    A running program.

    Args:
        argv: The program and its arguments.
        env: Its environment; :func:`environment` when None.

    """

    def __init__(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        self.said: list[str] = []
        """The lines of its output and errors so far, as far as they were waited for."""
        self._argv = [str(part) for part in argv]
        self._process = subprocess.Popen(
            self._argv,
            cwd=ROOT,
            env=environment() if env is None else env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def expect(self, pattern: str, *, timeout_s: float = DEADLINE_S) -> re.Match[str]:
        """Wait for a line in which ``pattern`` is found, passing over the lines before it."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self._fail(f"did not say {pattern!r} within {timeout_s:g} s")
            if line is None:
                self._fail(f"ended without saying {pattern!r}")
            self.said.append(line)
            if found := re.search(pattern, line):
                return found

    def say(self, line: str) -> None:
        """Type a line to the program."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ask the program to end, as Ctrl-C in its terminal does; return its exit status."""
        self._signal(how)
        try:
            return self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._fail(f"did not end within {DEADLINE_S:g} s of {how.name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def _signal(self, how: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _fail(self, problem: str) -> NoReturn:
        with suppress(queue.Empty):
            while (line := self._lines.get_nowait()) is not None:
                self.said.append(line)
        said = "\n".join(self.said)
        pytest.fail(f"{self._argv[0]} {problem}; it said:\n{said}")
