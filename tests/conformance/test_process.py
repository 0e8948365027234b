"""Programs that the suite starts are heard, and end for certain."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.process import Guardian, Program, StartError

SLEEPER = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)",
]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, reaped or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


async def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_program_is_started_heard_and_stopped() -> None:
    """Its lines are kept; SIGTERM ends it, and its status is told."""
    guardian = Guardian()
    program = Program("it", guardian)
    await program.start(SLEEPER)
    await eventually(lambda: "up" in program.said)
    assert program.running
    assert await program.stop(signal.SIGTERM, within_s=10) == -signal.SIGTERM
    assert not program.running
    guardian.close()


async def test_one_that_does_not_end_is_killed() -> None:
    """A program that ignores SIGTERM has no status, and is gone all the same."""
    guardian = Guardian()
    program = Program("it", guardian)
    code = "import signal; signal.signal(15, signal.SIG_IGN)\n" + SLEEPER[2].replace("; ", "\n")
    await program.start([sys.executable, "-c", code])
    await eventually(lambda: "up" in program.said)
    pid = program.pid
    assert await program.stop(signal.SIGTERM, within_s=0.1) is None
    assert is_gone(pid)
    guardian.close()


async def test_what_a_program_started_ends_with_it() -> None:
    """A kill takes the whole process group."""
    guardian = Guardian()
    program = Program("it", guardian)
    await program.start(PARENT)
    await eventually(lambda: len(program.said) > 1)
    child = int(program.said[-1])
    await program.kill()
    await eventually(lambda: is_gone(child))
    guardian.close()


async def test_no_such_program_is_told() -> None:
    """The message names what was looked for."""
    guardian = Guardian()
    with pytest.raises(StartError, match="odin-nothing"):
        await Program("it", guardian).start(["odin-nothing"])
    guardian.close()


def test_programs_end_though_the_suite_was_killed(tmp_path: Path) -> None:
    """After kill -9 of the suite the guardian ends what it started, and removes its folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    script = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        from conformance.process import Guardian, Program
        async def main():
            guardian = Guardian()
            guardian.remove(Path({str(folder)!r}))
            program = Program("it", guardian)
            await program.start({PARENT!r})
            while len(program.said) < 2:
                await asyncio.sleep(0.01)
            print(program.pid, program.said[-1], flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """)
    suite = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert suite.stdout is not None
    parent, child = map(int, suite.stdout.readline().split())
    os.kill(suite.pid, signal.SIGKILL)
    suite.wait()
    suite.stdout.close()
    ended = eventually(lambda: is_gone(parent) and is_gone(child) and not folder.exists())
    asyncio.run(ended)


def test_no_other_suite_is_given_the_same_port() -> None:
    """As long as a suite runs, its ports are its own, before anything listens there."""
    guardian = Guardian()
    mine = [guardian.free_port() for _ in range(50)]
    assert len(set(mine)) == 50
    if sys.platform.startswith("linux"):
        assert taken_elsewhere(mine) == 50
    guardian.close()
    assert taken_elsewhere(mine) == 0


def test_a_free_port_is_free() -> None:
    """Nobody listens there, and somebody can."""
    guardian = Guardian()
    port = guardian.free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert guardian.free_port() != port
    guardian.close()


def taken_elsewhere(ports: list[int]) -> int:
    """Return how many of the ports another process cannot reserve."""
    code = f"import conformance.process as p\nprint([p._reserve(n) for n in {ports}].count(None))"
    # The other process leaves what it reserved to its end.
    argv = [sys.executable, "-W", "ignore", "-c", code]
    return int(subprocess.run(argv, capture_output=True, check=True).stdout)
