from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simulator.cli import cli
from tests.simulator.tapes import counted_rows, write_tape
from tests.simulator.test_replay_run import replaying

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def control(port: int, *words: str) -> tuple[int, str, str]:
    """Run ``odin-sim ctl``; return its exit status, its output and its errors."""
    result = CliRunner().invoke(cli, ["ctl", "--control-port", str(port), *words])
    return result.exit_code, result.stdout, result.stderr


async def test_a_running_replay_does_as_it_is_told(tmp_path: Path) -> None:
    """Each command takes effect and is answered by how the replay stands then."""
    tape = write_tape(tmp_path / "tape.parquet", counted_rows(1000))
    options = ("--feed-only", "--start-on", "first-client", "--from", "start", "--hold")
    async with replaying(tape, *options) as sim:
        port = int((await sim.until(r"Console\s+http://\S+:(\d+)/"))[1])

        async def ctl(*words: str) -> str:
            status, out, errors = await asyncio.to_thread(control, port, *words)
            assert status == 0, errors
            return out

        async def standing() -> dict[str, Any]:
            found: dict[str, Any] = json.loads(await ctl("status", "--json"))
            return found

        assert "waiting" in await ctl("status")
        assert "2025-09-04 09:15:02 IST · paused" in await ctl("step", "2")
        assert (await standing())["updates"] == 201
        assert "09:15:07 IST · paused" in await ctl("step", "09:15:07")
        assert "09:15:04 IST · paused" in await ctl("seek", "09:15:04")
        assert "09:15:03 IST · paused" in await ctl("seek", "2025-09-04 09:15:03")
        assert "100x" in await ctl("speed", "100")
        assert "pass 1 of 2" in await ctl("loop", "2")
        assert "playing" in await ctl("resume")
        await sim.until("held until interrupted")
        done = await standing()
        assert (done["ended"], done["passes"], done["speed"]) == ("completed", 2, 100.0)
        assert "pass 2 of 2" in await ctl("seek", "09:15:09")
        assert "paused" in await ctl("pause")
        status, out, errors = await asyncio.to_thread(control, port, "seek", "08:00:00")
        assert (status, out) == (1, "")
        assert "08:00:00 IST found; a time in the window" in errors
        await ctl("resume")
        await sim.until(r"(?s)held until interrupted.*held until interrupted")


@pytest.mark.parametrize(
    "words",
    [
        ("speed", "fast"),
        ("seek", "noon"),
        ("step", "many"),
        ("loop", "often"),
        ("jump",),
        ("seek",),
    ],
    ids=" ".join,
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    """It is found before anything is asked for."""
    assert control(1, *words)[0] == 2


def test_nothing_to_control() -> None:
    """A port on which nobody listens, and what to do about it."""
    with socket.socket() as bound:
        bound.bind(("localhost", 0))
        status, out, errors = control(bound.getsockname()[1], "pause")
    assert (status, out) == (1, "")
    assert "No replay was reached at localhost" in errors
    assert "expected a running odin-sim replay" in errors
