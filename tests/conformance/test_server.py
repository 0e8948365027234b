"""The server under test as a process: started, dressed, stopped by commands, seen to fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.expect import Inconclusive
from conformance.process import Guardian, StartError
from conformance.server import Dress, Server
from conformance.target import ServerTarget
from tests.conformance.test_process import is_gone

LISTENER = """
import os, socket, sys
os.write(1, b"arguments %a mark %s\\n" % (sys.argv[2:], os.environb.get(b"MARK")))
place = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    place.accept()[0].close()
"""


@pytest.fixture
def guardian() -> Iterator[Guardian]:
    """Return a guardian that is closed in the end."""
    guardian = Guardian()
    yield guardian
    guardian.close()


def a_server(guardian: Guardian, folder: Path, **settings: object) -> Server:
    """Return a server that listens and says how it was started."""
    given: dict[str, object] = {
        "url": "ws://127.0.0.1:{port}/x",
        "start": (sys.executable, "-c", LISTENER, "{port}", "{feed}", "{state}"),
        "env": {"MARK": "{feed}!"},
        "variants": {"odd": ("--odd",)},
        "ready_s": 20.0,
    }
    target = ServerTarget(**(given | settings))  # type: ignore[arg-type]
    return Server(
        target, state=folder, guardian=guardian, places=lambda: {"feed": "ws://f"}, variant="odd"
    )


async def test_it_is_started_as_its_target_and_clock_say(
    guardian: Guardian, tmp_path: Path
) -> None:
    """Placeholders, variant, environment and what a clock driver adds; again at the same port."""
    server = a_server(guardian, tmp_path)
    await server.start()
    url = server.url
    await server.kill()
    server.dress = Dress(prefix=("env", "MARK=dressed"), args=("--late",))
    await server.start()
    assert (server.url, server.starts) == (url, 2)
    assert not url.endswith(":0/x")
    await server.kill()
    told = [line for line in server.said if line.startswith("arguments")]
    assert told == [
        f"arguments ['ws://f', '{tmp_path}', '--odd'] mark ws://f!",
        f"arguments ['ws://f', '{tmp_path}', '--odd', '--late'] mark dressed",
    ]


async def test_commands_of_the_target_end_it(guardian: Guardian, tmp_path: Path) -> None:
    """Stop and kill may be the target's own; the process id is filled in."""
    server = a_server(
        guardian,
        tmp_path,
        stop=("sh", "-c", f"kill -TERM {{pid}}; touch {tmp_path}/stopped"),
        kill=("sh", "-c", f"kill -KILL {{pid}}; touch {tmp_path}/killed"),
    )
    await server.start()
    assert await server.stop() == -15
    assert (tmp_path / "stopped").exists()
    await server.start()
    await server.kill()
    assert (tmp_path / "killed").exists()
    assert not server.running


async def test_a_command_that_fails_is_inconclusive(guardian: Guardian, tmp_path: Path) -> None:
    """Its last words are told."""
    server = a_server(guardian, tmp_path)
    with pytest.raises(Inconclusive, match=r"ended with 3.*no such luck"):
        await server.run(("sh", "-c", "echo no such luck; exit 3"), {})
    with pytest.raises(Inconclusive, match="no program"):
        await server.run(("odin-nothing",), {})


async def test_one_that_does_not_come_up_is_told(guardian: Guardian, tmp_path: Path) -> None:
    """It ended at once, or it listens nowhere; it is gone then."""
    ends = a_server(guardian, tmp_path, start=(sys.executable, "-c", "exit('no licence')"))
    with pytest.raises(StartError, match="no licence"):
        await ends.start()
    deaf = a_server(guardian, tmp_path, start=(sys.executable, "-c", "input()", "--"), ready_s=0.05)
    with pytest.raises(StartError):
        await deaf.start()
    assert not deaf.running


async def test_one_that_is_not_ours_is_only_reached(guardian: Guardian, tmp_path: Path) -> None:
    """Without a start command nothing is started, and nobody listening is told at once."""
    ours = a_server(guardian, tmp_path)
    await ours.start()
    other = a_server(guardian, tmp_path, start=(), url=ours.url, variants={"odd": ()})
    assert not other.ours
    await other.start()
    pid = ours._program.pid
    await ours.kill()
    assert is_gone(pid)
    with pytest.raises(StartError, match="cannot be reached"):
        await other.start()
