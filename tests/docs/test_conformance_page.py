"""The page on the conformance suite names what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from conformance.case import CHAPTERS, Level, Profile
from conformance.cli import cli
from conformance.clock import DRIVERS
from conformance.verdicts import Status, Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def column(header: str) -> list[str]:
    """Return the first cells of the table whose header begins so."""
    table = PAGE.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("chapter | about", list(CHAPTERS)),
        ("level | a failure", [level.value for level in Level]),
        ("profile | judges by", [profile.name.lower() for profile in Profile]),
        ("verdict | meaning", [verdict.value for verdict in Verdict]),
        ("exit status | meaning", [str(int(status)) for status in Status]),
        ("driver | how | for", list(DRIVERS)),
    ],
)
def test_each_table_is_whole(header: str, names: list[str]) -> None:
    """Chapters, levels, profiles, verdicts, statuses, drivers: all, in the order of the code."""
    assert column(header) == names


def test_every_option_of_a_run_is_described() -> None:
    """As its help has them."""
    command = cli.commands["run"]
    options = {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    } - {"--help"}
    described = {re.split("[ =]", cell)[0] for cell in column("option | default | meaning")}
    assert described == options


def test_commands_on_the_page_are_commands() -> None:
    """What a reader copies is understood."""
    used = set(re.findall(r"odin-conformance (\w+)", PAGE))
    assert used <= set(cli.commands)
    assert {"run", "list", "explain"} <= used
