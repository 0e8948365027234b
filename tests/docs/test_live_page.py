"""The page on live markets says what the command does."""

from __future__ import annotations

import re
from pathlib import Path

import click

from simulator.live_command import LIVE_EXAMPLES, live
from simulator.overnight import MAX_RATIO

PAGE = (Path(__file__).parents[2] / "docs" / "live.md").read_text(encoding="utf-8")
OPTIONS = {each.opts[0]: each for each in live.params if isinstance(each, click.Option)}


def table(title: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_option_is_described() -> None:
    """Its own in the order of the help, with default and choices; the shared ones by name."""
    rows = table("Options")
    own = [row[0].strip("`") for row in rows]
    shared = re.findall(
        r"`(--[a-z0-9-]+)`", PAGE.split("All others are those of")[1].split("\n")[0]
    )
    assert own + shared == list(OPTIONS)
    for name, default, text in rows:
        option = OPTIONS[name.strip("`")]
        real = option.default
        assert default.strip("`") == (str(real) if isinstance(real, str | int) else ""), name
        for choice in option.type.choices if isinstance(option.type, click.Choice) else ():
            assert f"`{choice}`" in text


def test_every_status_is_that_of_the_help() -> None:
    """The help and the page say the same."""
    told = re.findall(r"^  (\d+) +(.+)$", LIVE_EXAMPLES, re.MULTILINE)
    for (status, meaning), row in zip(told, table("Exit status"), strict=True):
        assert row == [status, f"{meaning[0].upper()}{meaning[1:]}."]


def test_numbers_are_the_codes() -> None:
    """Bounds and times on the page are those of the code."""
    assert f"further than {MAX_RATIO} times above or below" in PAGE
