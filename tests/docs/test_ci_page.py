"""The page on CI and the action at the top of the tree: both hold, and run as printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
OURS = "OWNER/odin-streamer@main"
INSTALL = "pip install "
WITHIN_S = 100
BIN = Path(sys.executable).parent


def steps(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every step in a workflow, or in a part of one."""
    if isinstance(value, dict):
        if "uses" in value or "run" in value:
            yield value
        yield from (step for each in value.values() for step in steps(each))
    elif isinstance(value, list):
        yield from (step for each in value for step in steps(each))


STEPS = [step for block in BLOCKS for step in steps(block)]
COMMANDS = sorted(
    {step["run"] for step in STEPS if "run" in step}
    | {
        line
        for block in BLOCKS
        if "conformance" in block
        for line in block["conformance"]["script"]
    }
)


def table(header: str) -> list[list[str]]:
    """Return the rows of the table whose header begins so."""
    rows = PAGE.split(f"| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def target(folder: Path, *more: str) -> str:
    """Write a target file of the reference server, with more options; return its name."""
    text = (ROOT / "tests/conformance/reference/target.toml").read_text(encoding="utf-8")
    options = "".join(f', "{option}"' for option in more)
    text = text.replace('"../../.."', f'"{ROOT}"').replace('"0",', f'"0"{options},')
    (folder / "conformance.toml").write_text(text)
    return "conformance.toml"


def told(step: dict[str, Any], folder: Path, **inputs: str) -> tuple[int, dict[str, str], str]:
    """Run a step of the action as GitHub does; return its status, its outputs and its summary."""
    given = {name: str(each["default"]) for name, each in ACTION["inputs"].items()} | inputs
    known = {f"inputs.{name}": value for name, value in given.items()}
    env = {
        name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], value)
        for name, value in step["env"].items()
    }
    suite = folder / "odin-conformance"
    suite.mkdir(exist_ok=True)
    if not (suite / "bin").exists():
        (suite / "bin").symlink_to(BIN)
    files = {name: folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for path in files.values():
        path.write_text("")
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=os.environ | {"RUNNER_TEMP": str(folder)} | {k: str(v) for k, v in files.items()} | env,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    return ended.returncode, outputs, files["GITHUB_STEP_SUMMARY"].read_text()


@pytest.fixture
def judge() -> dict[str, Any]:
    """The step of the action that judges the server."""
    (found,) = (step for step in ACTION["runs"]["steps"] if step.get("id") == "judge")
    return dict(found)


def test_the_tables_are_the_actions() -> None:
    """Each input and output, its default and what it is, in their order."""
    inputs = [
        [name, each["default"], each["description"]] for name, each in ACTION["inputs"].items()
    ]
    assert table("input | default | is") == inputs
    outputs = [[name, each["description"]] for name, each in ACTION["outputs"].items()]
    assert table("output | is") == outputs


def test_examples_use_the_action_as_it_is() -> None:
    """No input that it has not; everything else that is used is GitHub's own."""
    ours = [step for step in STEPS if step.get("uses") == OURS]
    assert len(ours) > 1
    assert all(set(step["with"]) <= set(ACTION["inputs"]) for step in ours)
    used = {step["uses"] for step in [*STEPS, *steps(ACTION)] if "uses" in step} - {OURS}
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in used)


def test_the_action_hands_over_what_it_has() -> None:
    """Each expression names an input, an output of a step, or what GitHub gives."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"inputs\.([a-z-]+)", text))
    assert named == set(ACTION["inputs"])
    assert set(re.findall(r"steps\.([a-z]+)\.", text)) == {
        step["id"] for step in ACTION["runs"]["steps"] if "id" in step
    }


def test_the_action_passes_a_good_server(judge: dict[str, Any], tmp_path: Path) -> None:
    """Reports are written, outputs set, the summary told; patterns reach the suite whole."""
    (tmp_path / "SUB-01").write_text("a file that a pattern might become\n")
    inputs = {"target": target(tmp_path), "cases": "SUB-01* QRY-100\n!SUB-019", "html": "page.html"}
    status, outputs, summary = told(judge, tmp_path, **inputs)
    assert (status, outputs) == (0, {"status": "0", "failures": "0"})
    assert "exit status 0" in summary
    assert "<!doctype html>" in (tmp_path / "page.html").read_text()
    ids = [
        case["id"] for case in json.loads((tmp_path / "odin-conformance.json").read_text())["cases"]
    ]
    assert ids == ["SUB-010", "QRY-100"]
    assert ET.parse(tmp_path / "odin-conformance.xml").getroot().get("tests") == "2"


def test_the_action_fails_a_broken_server(judge: dict[str, Any], tmp_path: Path) -> None:
    """With the run's status, and after the reports are written."""
    broken = target(tmp_path, "--break", "subscribe-replaces")
    status, outputs, summary = told(judge, tmp_path, target=broken, cases="SUB-040")
    assert (status, outputs) == (1, {"status": "1", "failures": "1"})
    assert "FAIL" in summary
    assert "SUB-040" in (tmp_path / "odin-conformance.html").read_text()


def test_the_action_tells_wrong_usage(judge: dict[str, Any], tmp_path: Path) -> None:
    """Neither a target nor an address: the suite's own words, and its status."""
    status, outputs, summary = told(judge, tmp_path)
    assert (status, outputs) == (2, {"status": "2"})
    assert "either a URL or --target expected" in summary


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("odin-conformance run")])
def test_commands_run_as_printed(command: str, tmp_path: Path) -> None:
    """On a server that passes, with one case alone; what is kept afterwards is there."""
    target(tmp_path)
    ended = subprocess.run(
        [BIN / "odin-conformance", *shlex.split(command)[1:], "--case", "SUB-010"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    kept = {"report.html", "report.xml", "report.json"}
    assert {path.name for path in tmp_path.iterdir()} == kept | {"conformance.toml"}


def test_every_other_command_is_known() -> None:
    """What the page has readers run, beside their own."""
    others = [c for c in COMMANDS if not c.startswith(("odin-conformance run", INSTALL))]
    assert sorted(others) == ["npm ci", "pytest --junit-xml=tests.xml"]
    installs = [command for command in COMMANDS if command.startswith(INSTALL)]
    assert all(command.endswith(f"git+https://github.com/{OURS}") for command in installs)
