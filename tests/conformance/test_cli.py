"""The command, as a user and as a pipeline meet it: on our own server, and on broken ones."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.conformance.scripted import WELCOME, say, scripted
from tests.conformance.test_process import eventually, is_gone

STREAMER = "conformance/targets/streamer.toml"
ROOT = Path(__file__).parents[2]
LONG_S = 100


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
    )


def lines_of(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the verdict of each case that the console tells."""
    words = [line.split() for line in ended.stdout.splitlines() if line and line[0].isupper()]
    return {word[1]: word[0] for word in words if len(word) > 2 and word[0].isupper()}


async def half(socket: ServerConnection) -> None:
    """Be a server that welcomes, answers pings, and gets every subscribe wrong."""
    await socket.send(json.dumps(WELCOME | {"client_id": _client_id(socket)}))
    async for text in socket:
        if json.loads(text).get("action") == "ping":
            await say(socket, "pong", status="alive", client_id=_client_id(socket))
        else:
            await say(
                socket,
                "subscription_response",
                client_id=_client_id(socket),
                data={"action": "subscribe", "subscribed_stocks": [], "failed_stocks": []},
            )


def _client_id(socket: ServerConnection) -> str:
    assert socket.request is not None
    return socket.request.path.partition("client_id=")[2]


@pytest.fixture
def half_server() -> Iterator[str]:
    """Return the address of a server that can half of it, in a thread of its own."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    address: list[str] = []
    over = asyncio.Event()

    async def serve() -> None:
        async with scripted(half) as url:
            address.append(url)
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(20)
    yield address[0]
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


def test_our_server_passes_and_the_report_tells_how(tmp_path: Path) -> None:
    """Welcome, ticks, open and close, kill -9: started, fed and judged by one command."""
    report = tmp_path / "report.json"
    cases = ("CON-010", "SUB-010", "SUB-100", "MKT-010", "MKT-020", "PER-100")
    chosen = [word for case in cases for word in ("--case", case)]
    ended = run("run", "--target", STREAMER, "--json", str(report), "--seed", "7", *chosen)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert lines_of(ended) == dict.fromkeys(cases, "PASS")
    told = json.loads(report.read_text())
    assert (told["schema"], told["exit_status"], told["seed"]) == (1, 0, 7)
    assert told["clock"]["driver"] == "feed"
    ticks = next(case for case in told["cases"] if case["id"] == "SUB-100")
    assert {frame["direction"] for frame in ticks["wire"]} == {"in", "out", "note"}
    assert any('"market_data"' in frame["text"] for frame in ticks["wire"])
    assert ticks["rules"]["M-1"].startswith("`market_data` has")
    assert f"--target {STREAMER}" in ticks["again"]
    assert "--case 'SUB-100'" in ticks["again"]


def test_a_failure_says_what_was_expected_and_found(half_server: str, tmp_path: Path) -> None:
    """A running server is judged by its address alone; what cannot be judged is not passed."""
    report = tmp_path / "report.json"
    chosen = [word for case in ("CON-010", "SUB-010", "PER-100") for word in ("--case", case)]
    ended = run("run", half_server, "--json", str(report), *chosen)
    assert ended.returncode == 1, ended.stderr
    verdicts = lines_of(ended)
    assert verdicts["CON-010"] == "PASS"
    assert verdicts["SUB-010"] == "FAIL"
    assert verdicts["PER-100"] == "INCONCLUSIVE"
    assert 'subscribed_stocks ["SBIN", "RELIANCE"' in ended.stdout
    assert "found:     []" in ended.stdout
    cases: list[dict[str, Any]] = json.loads(report.read_text())["cases"]
    failed = next(case for case in cases if case["id"] == "SUB-010")
    assert failed["fails_run"]
    assert failed["found"] == "[]"


def test_inconclusive_is_not_passed(half_server: str) -> None:
    """Status 4, unless as many may be."""
    assert run("run", half_server, "--case", "PER-100").returncode == 4
    allowed = run("run", half_server, "--case", "PER-100", "--allow-inconclusive", "1")
    assert allowed.returncode == 0


def test_expected_failures_do_not_fail_and_unexpected_passes_do(
    half_server: str, tmp_path: Path
) -> None:
    """The list of known failures stays true."""
    target = tmp_path / "t.toml"
    text = f'name = "half"\n[server]\nurl = "{half_server}"\n[feed]\nkind = "none"\n'
    target.write_text(f'{text}[expected_failures]\n"SUB-*" = "not built yet"\n')
    arguments = ("run", "--target", str(target), "--case", "SUB-010", "--case", "CON-010")
    ended = run(*arguments)
    assert ended.returncode == 0, ended.stdout
    assert "not built yet" in ended.stdout
    target.write_text(f'{text}[expected_failures]\n"SUB-010" = "a"\n"CON-010" = "gone by now"\n')
    ended = run(*arguments)
    assert ended.returncode == 1
    assert "passed, but the target file expects a failure" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("run", "ws://127.0.0.1:1"), 3, "cannot be reached"),
        (("run",), 2, "either a URL or --target"),
        (("run", "ws://h", "--target", STREAMER), 2, "either a URL or --target"),
        (("run", "nowhere"), 2, "an address expected"),
        (("run", "--target", "nothing.toml"), 2, "No such file"),
        (("run", "ws://h", "--case", "XXX-*"), 2, "no case is named by"),
        (("run", "ws://h", "--timeout-scale", "0"), 2, "timeout-scale"),
        (("run", "ws://h", "--json", "no/folder/x.json"), 2, "there is no folder"),
        (("explain", "SUB-000"), 2, "no case is named by"),
    ],
)
def test_what_cannot_be_done_has_a_status(
    arguments: tuple[str, ...], status: int, said: str
) -> None:
    """Usage is 2, a server that is not there is 3; the message says what was found."""
    ended = run(*arguments)
    assert ended.returncode == status
    assert said in ended.stderr


def test_a_server_that_does_not_start_is_not_there(tmp_path: Path) -> None:
    """Its last words are told."""
    target = tmp_path / "t.toml"
    target.write_text(
        'name = "x"\n[feed]\nkind = "none"\n[server]\n'
        f"start = ['{sys.executable}', '-c', 'raise SystemExit(\"no licence\")']\n"
    )
    ended = run("run", "--target", str(target))
    assert ended.returncode == 3
    assert "no licence" in ended.stderr


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_nothing_outlives_the_suite(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    """Whatever ends the suite, feed and server end with it; a report is written if it can be."""
    marker = f"mark-{tmp_path.name}"
    target = tmp_path / "t.toml"
    text = (ROOT / STREAMER).read_text()
    assert 'start = [\n    "odin-streamer"' in text
    target.write_text(f'{text}\n[server.env]\nSUITE_MARK = "{marker}"\n')
    report = tmp_path / "r.json"
    suite = subprocess.Popen(
        [sys.executable, "-m", "conformance", "run", "--target", str(target), "--json", report],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert suite.stdout is not None
    said = ""
    while "CON-010" not in said:
        line = suite.stdout.readline()
        assert line, said
        said += line
    servers = _marked(marker)
    assert servers
    suite.send_signal(sent)
    said += suite.communicate(timeout=LONG_S)[0]
    assert suite.returncode == status, said
    asyncio.run(eventually(lambda: all(is_gone(pid) for pid in servers)))
    assert report.exists() is (sent is not signal.SIGKILL)


def _marked(marker: str) -> list[int]:
    """Return the processes that have a mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_cases_can_be_listed_and_explained() -> None:
    """By people and by programs."""
    listed = run("list", "--json", "--case", "SUB-010")
    assert json.loads(listed.stdout)[0]["id"] == "SUB-010"
    assert "SUB-010" in run("list", "--profile", "guide").stdout
    assert "MSG-900.order" not in run("list", "--profile", "guide").stdout
    explained = run("explain", "SUB-010").stdout
    assert "S-1: `subscribe` is answered by" in explained


@pytest.mark.parametrize("command", ["run", "list", "explain"])
def test_help_shows_examples(command: str) -> None:
    """Every command's help has an example; run's has the exit statuses."""
    said = run(command, "--help").stdout
    assert "Examples:" in said
    assert command != "run" or "130  interrupted" in said
