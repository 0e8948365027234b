"""The page on replaying says what the commands, the control port and the events are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from simulator import announcements, checkpoints, cli, control, desk, player
from simulator.commands import parse_command
from simulator.ctl_command import ctl

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "replaying.md").read_text(encoding="utf-8")
OPTIONS = {each.opts[0]: each for each in cli.replay.params if isinstance(each, click.Option)}


def table(title: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its head."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_option_has_its_row() -> None:
    """In the order of the help, with the real default, and with each choice named."""
    rows = table("What is replayed")
    assert [row[0].strip("`") for row in rows] == list(OPTIONS)
    for name, default, text in rows:
        option = OPTIONS[name.strip("`")]
        real = option.default
        shown = str(real) if isinstance(real, str | int) and not isinstance(real, bool) else ""
        assert default.strip("`") == shown, name
        for choice in option.type.choices if isinstance(option.type, click.Choice) else ():
            assert f"`{choice}`" in text


def test_every_status_is_that_of_the_help() -> None:
    """The help and the page say the same."""
    told = re.findall(r"^  (\d+) +(.+)$", cli.REPLAY_EXAMPLES, re.MULTILINE)
    for (status, meaning), row in zip(told, table("Exit status"), strict=True):
        assert row == [status, f"{meaning[0].upper()}{meaning[1:]}."]


def test_every_command_has_its_row() -> None:
    """In the order in which they are defined."""
    named = [row[0].strip("`").split()[0] for row in table("Control while it runs")]
    assert named == list(ctl.commands)


@pytest.mark.parametrize("line", re.findall(r"^\{.*\}$", PAGE, re.MULTILINE))
def test_every_example_is_a_command(line: str) -> None:
    """Each line of JSON is taken."""
    parse_command(json.loads(line), now=0)


def test_every_request_is_answered() -> None:
    """The paths on the page are those of the control port."""
    source = Path(str(control.__file__)).read_text(encoding="utf-8")
    paths = set(re.findall(r'"(/[a-z]*)"', source)) | {control.LOGON_PATH}
    assert {row[0].strip("`").split()[1] for row in table("Control API")} == paths


def test_every_event_is_described() -> None:
    """Those that the code tells are those of the page, and those that the console shows."""
    names = []
    for module in (player, cli):
        folder = Path(str(module.__file__)).parent
        for path in (folder / f"{name}.py" for name in ("player", "running", "live_run", "feed")):
            text = path.read_text(encoding="utf-8")
            names += re.findall(r'(?:_tell|announcements\.tell)\("([a-z]+)"', text)
    described = [row[0].strip("`") for row in table("Events")]
    assert set(described) == set(names)
    console = (ROOT / "simulator" / "pages" / "console.html").read_text(encoding="utf-8")
    shown = re.search(r"for \(const name of (\[.*?\])\)", console)
    assert shown is not None
    assert json.loads(shown[1].replace("'", '"')) == described


def test_numbers_are_the_codes() -> None:
    """Limits on the page are those of the code."""
    assert f"up to {desk.SHOWN} instruments" in PAGE
    assert f"at most {desk.MAX_STRETCHES:,} stretches" in PAGE
    assert f"of the last {announcements.KEPT}" in PAGE
    assert f"Up to {announcements.MAX_LISTENERS} may listen" in PAGE
    assert f"every {checkpoints.ROWS_APART:,} rows" in PAGE
    assert f"within {checkpoints.MAX_BYTES // 2**20} MiB" in PAGE
    assert f"more than {player.GAP_NS // 10**9} simulated seconds" in PAGE
    assert f"{control.LEDGER_LINES:,} at the most" in PAGE
    assert "250 ms" in PAGE
