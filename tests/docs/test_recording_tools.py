"""The page on the tools for recordings says what is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from simulator import inspection
from simulator.cli import cli
from simulator.csv_columns import NAMES
from simulator.csv_times import EXPECTED
from simulator.findings import KINDS
from simulator.recording import Recording
from tests.simulator.parquet_files import TABLE, rows, write
from tests.simulator.test_conversion import TICKS, converted
from tests.simulator.test_tape_journal import row, written

PAGE = (Path(__file__).parents[2] / "docs" / "recording-tools.md").read_text(encoding="utf-8")
SECTIONS = {
    "record": "Recording a feed",
    "check": "Checking a recording",
    "info": "What a recording is",
    "convert": "Converting CSV files",
}
OPTION = re.compile(r"^\| (?:`-o`, )?`(--[a-z-]+)` \| (.*?) ?\| .+ \|$", re.MULTILINE)


def section(title: str) -> str:
    """The text below a heading, up to the next one of its kind."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


def options(command: str) -> dict[str, click.Option]:
    """The options of a command by their long names."""
    params = cli.commands[command].params
    return {each.opts[-1]: each for each in params if isinstance(each, click.Option)}


@pytest.mark.parametrize("command", SECTIONS)
def test_every_option_has_its_row_in_the_order_of_the_help(command: str) -> None:
    """With its default, and nothing made up."""
    found = OPTION.findall(section(SECTIONS[command]))
    known = options(command)
    assert [name for name, _ in found] == list(known)
    for name, default in found:
        option: Any = known[name]
        assert default == (str(option.default) if option.show_default else "")


@pytest.mark.parametrize("command", SECTIONS)
def test_help_has_an_example_and_the_exit_statuses(command: str) -> None:
    """And the page names the same statuses."""
    text = CliRunner().invoke(cli, [command, "--help"], terminal_width=100).output
    assert f"odin-sim {command} " in text
    statuses = re.findall(r"^ +(\d)  ", text, re.MULTILINE)
    assert len(statuses) > 2
    said = re.search(r"exit\s+status is (.*?)\.\s", section(SECTIONS[command]), re.DOTALL)
    assert said is not None
    assert re.findall(r"\b(\d)\b", said[1]) == statuses


def test_every_kind_of_finding_is_described() -> None:
    """In the words of the program."""
    table = re.findall(
        r"^\| `([a-z-]+)` \| (error|warning) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE
    )
    assert table == [
        (kind.name, kind.severity.value, kind.meaning, kind.what_to_do) for kind in KINDS.values()
    ]
    assert f"After {inspection.MAX_BAD_VALUES:,} bad values" in PAGE


def test_every_header_is_listed() -> None:
    """By the column that it stands for."""
    text = section(SECTIONS["convert"])
    for name, headers in NAMES.items():
        assert f"| `{name}` | {', '.join(f'`{header}`' for header in headers)} |" in text


def test_every_form_of_a_time_is_shown() -> None:
    """Those that a refusal names."""
    text = section(SECTIONS["convert"]).replace("`", "")
    for form in re.split(r", (?:or )?", EXPECTED.split(", or")[0]):
        assert form in " ".join(text.split())


def test_footers_are_described(tmp_path: Path) -> None:
    """Each entry that a recorder and a conversion write is named."""
    recorded = written(tmp_path, [row(0)]).finish("ended")
    made = converted(tmp_path, TICKS).path
    for path, title in ((recorded, "record"), (made, "convert")):
        for name in Recording.open([path], instruments=TABLE).metadata[0]:
            assert f"`{name}`" in section(SECTIONS[title]) or f'"{name}":' in PAGE, name


def test_the_example_of_a_check_is_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line by line."""
    monkeypatch.chdir(tmp_path)
    volume = [number if number != 41 else 39 for number in range(22_500)]
    write(tmp_path / "day.parquet", rows(22_500, volume=volume))
    result = CliRunner().invoke(cli, ["check", "day.parquet"])
    (example,) = re.findall(r"^\$ odin-sim check day.parquet\n(.*?)^```", PAGE, re.M | re.DOTALL)
    assert result.output == example


def test_the_example_of_a_conversion_is_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refused line and the result."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ticks.csv").write_text(TICKS.replace("1372.70", "x"))
    result = CliRunner().invoke(cli, ["convert", "ticks.csv", "-o", "day.parquet"])
    (example,) = re.findall(r"^\$ odin-sim convert ticks.*?\n(.*?)^```", PAGE, re.M | re.DOTALL)
    assert result.output == example
