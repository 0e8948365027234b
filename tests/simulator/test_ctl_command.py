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


async def test_faults_are_begun_and_ended(tmp_path: Path) -> None:
    """In a run that was started without any; each answer lists them, and events tell them."""
    tape = write_tape(tmp_path / "tape.parquet", counted_rows(1000))
    options = ("--feed-only", "--start-on", "first-client", "--from", "start", "--hold")
    async with replaying(tape, *options) as sim:
        port = int((await sim.until(r"Console\s+http://\S+:(\d+)/"))[1])

        async def ctl(*words: str) -> tuple[int, str, str]:
            return await asyncio.to_thread(control, port, "fault", *words)

        assert "No fault is running or planned" in (await ctl("list"))[1]
        said = (await ctl("drop:share=0.25+2m"))[1]
        assert "1  running  drop:share=0.25@09:15:00+120s  until 09:17:00" in said
        said = (await ctl("close:code=4000@09:20"))[1]
        assert "2  to come  close:code=4000@09:20:00+0s" in said
        listed = json.loads((await ctl("list", "--json"))[1])
        assert [(each["number"], each["name"]) for each in listed] == [(1, "drop"), (2, "close")]
        status, out, errors = await ctl("clear", "reset")
        assert (status, out) == (1, "")
        assert "'reset' found; expected one that is running: drop" in errors
        assert "drop" not in (await ctl("clear", "drop"))[1]
        status, _, errors = await ctl("clear", "7")
        assert (status, "one of those planned: 2" in errors) == (1, True)
        assert "No fault is running or planned" in (await ctl("clear", "2"))[1]
        assert (await ctl("clear"))[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("resett",), "expected reset"),
        (("drop:shore=1",), "expected share"),
        (("drop:share=2",), "a number from 0.0 to 1.0"),
        (("drop", "share=0.1"), "drop:share=0.1+5m"),
        (("drop@noon",), "HH:MM:SS"),
        (("drop+5",), None),
        (("drop+5x",), "as 4s"),
        (("list", "drop"), "nothing expected"),
        (("begin", "drop"), "found the fault 'begin'"),
    ],
    ids=str,
)
def test_wrong_faults(words: tuple[str, ...], told: str | None) -> None:
    """What was found and what was expected, before anything is asked for."""
    status, _, errors = control(1, "fault", *words)
    assert (status, told is None or told in errors) == (1 if told is None else 2, True), errors


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
