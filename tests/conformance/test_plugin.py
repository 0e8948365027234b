"""The pytest plugin, in sessions of pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.scripted import WELCOME

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/conformance.md"
REFERENCE = ROOT / "tests/conformance/reference/target.toml"
WITHIN_S = 100

# A server that welcomes clients and answers pings, and knows nothing else.
HALF = f"""
import asyncio, json, sys
from websockets.asyncio.server import serve

async def talk(socket):
    client_id = socket.request.path.partition("client_id=")[2]
    await socket.send(json.dumps({WELCOME!r} | {{"client_id": client_id}}))
    async for text in socket:
        if json.loads(text).get("action") == "ping":
            reply = {{"type": "pong", "status": "alive", "client_id": "c", "timestamp": 1}}
            await socket.send(json.dumps(reply))

async def main():
    async with serve(talk, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()

asyncio.run(main())
"""


def session(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, with the plugin, whether it is installed or not."""
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    known = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ("-p", "conformance.plugin", "-p", "pytest_asyncio.plugin")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-rA", "-W", "error", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        env=known | {"PYTEST_ADDOPTS": ""} | env,
    )


def test_it_costs_other_sessions_nothing(tmp_path: Path) -> None:
    """Who does not ask for it has the plugin's own module, and nothing that it might import."""
    (tmp_path / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n"
        "    ours = {name for name in sys.modules if name.startswith('conformance')}\n"
        "    assert ours == {'conformance', 'conformance.plugin'}\n"
        "    assert not {'websockets', 'polars', 'msgspec', 'click'} & set(sys.modules)\n"
    )
    ended = session(tmp_path, "--strict-markers", "--strict-config")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def target(folder: Path, more: str = "") -> str:
    """Write a target file of the half server; return its path."""
    (folder / "server.py").write_text(HALF)
    path = folder / "target.toml"
    path.write_text(
        f'name = "half"\n[feed]\nkind = "none"\n[server]\ncwd = "."\n'
        f'start = ["{sys.executable}", "server.py", "{{port}}"]\n{more}'
    )
    return str(path)


def test_each_case_is_an_item_with_its_verdict(tmp_path: Path) -> None:
    """Passed, failed in words, skipped, expected to fail, passed against expectation."""
    known = '[expected_failures]\n"UNS-010" = "not built yet"\n"CON-020.user" = "gone by now"\n'
    path = target(tmp_path, f"{known}[features]\nsnapshot = false\n")
    ids = ("CON-020", "SUB-010", "SUB-400", "UNS-010.symbol-by-symbol")
    cases = [word for id in ids for word in ("--odin-case", id)]
    ended = session(tmp_path, f"--odin-target={path}", *cases, "--odin-timeout-scale", "0.1")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    outcomes = re.findall(r"^([A-Z]+) odin-conformance::(\S+)", ended.stdout, re.MULTILINE)
    assert {id: outcome for outcome, id in outcomes} == {
        "CON-020.app": "PASSED",
        "CON-020.user": "FAILED",
        "SUB-010": "FAILED",
        "UNS-010.symbol-by-symbol": "XFAIL",
    }
    assert re.search(r"SKIPPED .* the server has no snapshot", ended.stdout)
    assert "passed, but the target file expects: gone by now" in ended.stdout
    assert "not built yet" in ended.stdout
    assert "alone: odin-conformance run --target" in ended.stdout
    assert "peer 1 < {" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_what_cannot_be_judged_fails_unless_it_may(tmp_path: Path) -> None:
    """Inconclusive is never passed."""
    path = target(tmp_path)
    arguments = (f"--odin-target={path}", "--odin-case", "SUB-100")
    strict = session(tmp_path, *arguments)
    assert strict.returncode == 1, strict.stdout
    assert "INCONCLUSIVE: needs known ticks" in strict.stdout
    lenient = session(tmp_path, *arguments, "--odin-inconclusive-ok")
    assert lenient.returncode == 0, lenient.stdout
    assert "1 skipped" in lenient.stdout


def test_a_whole_server_passes_among_other_tests(tmp_path: Path) -> None:
    """Known ticks and a restart included; -k and -m choose among cases as among tests."""
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    text = REFERENCE.read_text().replace('"../../.."', f'"{ROOT}"')
    (tmp_path / "reference.toml").write_text(text)
    ended = session(
        tmp_path,
        "--odin-target=reference.toml",
        "-k",
        "test_own or SUB-100 or PER-100",
        "--junit-xml=out.xml",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 passed" in ended.stdout
    assert 'name="verdict" value="PASS"' in (tmp_path / "out.xml").read_text()


def test_one_worker_plays_all_cases(tmp_path: Path) -> None:
    """With pytest-xdist there is one server and one clock, whatever else is run beside it."""
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    arguments = ("-p", "xdist", "-n", "2", "--dist", "loadfile", "-v")
    ids = ("--odin-case", "CON-010", "--odin-case", "CON-020", "--odin-timeout-scale", "0.1")
    ended = session(tmp_path, f"--odin-target={target(tmp_path)}", *arguments, *ids)
    workers = re.findall(r"\[(gw\d)\].* odin-conformance::", ended.stdout)
    assert len(workers) > 2, ended.stdout + ended.stderr
    assert len(set(workers)) == 1
    assert re.search(r"PASSED odin-conformance::CON-020.app", ended.stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--odin-url", "ws://h", "--odin-target", "x.toml"), "either --odin-url or --odin-target"),
        (("--odin-url", "nowhere"), "an address expected"),
        (("--odin-target", "nothing.toml"), "No such file"),
        (("--odin-url", "ws://h", "--odin-case", "XXX-1"), "no case is named by XXX-1"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """As pytest tells of its own options."""
    ended = session(tmp_path, *arguments)
    assert ended.returncode == 4
    assert said in ended.stderr + ended.stdout


def test_a_server_that_is_not_there_fails_every_case(tmp_path: Path) -> None:
    """And is not waited for again and again."""
    arguments = ("--odin-url", "ws://127.0.0.1:1", "--odin-timeout-scale", "0.1")
    ended = session(tmp_path, *arguments, "--odin-case", "SUB-0*")
    assert ended.returncode == 1
    assert "The server cannot be reached" in ended.stdout
    assert " passed" not in ended.stdout


def test_a_marker_that_means_nothing_is_told(tmp_path: Path) -> None:
    """Else a test would be on another market than it says."""
    (tmp_path / "test_own.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.odin('10:00')\ndef test_time(odin_sim):\n    pass\n\n"
        "@pytest.mark.odin(option=[])\ndef test_name(odin_sim):\n    pass\n"
    )
    ended = session(tmp_path)
    assert "2 errors" in ended.stdout
    assert "pytest.mark.odin: '10:00' found; recording, day, at" in ended.stdout
    assert "pytest.mark.odin: option found; recording, day, at" in ended.stdout


def test_the_example_of_the_page_runs_as_printed(tmp_path: Path) -> None:
    """A client's tests, sync and async: a client developer's first look at the fixtures."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (example,) = (block for block in blocks if "odin_server" in block)
    (tmp_path / "test_client.py").write_text(example)
    ended = session(tmp_path, "test_client.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{example.count('def test_')} passed" in ended.stdout
