"""The page on reference data says what is so."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import get_args

import click
import pytest

from streamer.app import REFERENCE_LOOK_S
from streamer.beginnings import OFFICIAL_AFTER_NS
from streamer.cli import cli
from streamer.eod_files import parse_eod_file
from streamer.eod_store import EOD_VERSION, EodStore
from streamer.eod_table import EodFile
from streamer.instruments import Instrument
from streamer.reference import AVERAGE_SESSIONS, MAX_MISSING_SESSIONS, Flag
from tests.streamer import eod_samples as samples

PAGE = (Path(__file__).parents[2] / "docs" / "reference-data.md").read_text(encoding="utf-8")


def test_each_flag_is_explained() -> None:
    """No more and no fewer than there are."""
    [table] = re.findall(r"^\| flag \| meaning \|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    named = [
        flag for row in table.splitlines()[1:] for flag in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    assert sorted(named) == sorted(get_args(Flag))


def test_the_numbers_are_the_codes() -> None:
    """Times and bounds on the page are those in force."""
    assert f"every {REFERENCE_LOOK_S:.0f} seconds" in PAGE
    assert (AVERAGE_SESSIONS, MAX_MISSING_SESSIONS) == (5, 5), "the page says five"
    assert OFFICIAL_AFTER_NS == 30 * 10**9, "the page says half a minute"


def test_the_tables_are_the_stores(tmp_path: Path) -> None:
    """Those that are named, and their version."""
    path = tmp_path / "sessions.db"
    EodStore.open(path).__exit__()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'eod_%'")
        tables = {name for (name,) in rows}
    assert set(re.findall(r"`(eod_\w+)`", PAGE)) == tables
    assert f"has their own version, now {EOD_VERSION}." in PAGE


def test_the_example_of_a_bonus_is_right(tmp_path: Path) -> None:
    """The figures on the page come out of files that say so."""
    stock = Instrument(1, 11654, "LALPATHLAB", "NSE", "EQ")
    prices = (2840.0, 2866.0, 2794.0, 2816.0, 139_433)
    contents = (
        (samples.full(date(2025, 12, 18), {"LALPATHLAB": prices}), "full.csv"),
        (samples.bc([("LALPATHLAB", date(2025, 12, 19), "BONUS 1:1")]), "bc18122025.csv"),
    )
    with EodStore.open(tmp_path / "sessions.db") as store:
        for content, name in contents:
            found = parse_eod_file(content, file=name)
            assert isinstance(found, EodFile)
            store.save(found)
        reference = store.session(date(2025, 12, 19), [stock], lambda day: day.weekday() < 5)
    figure = reference.figures[stock.key].prev_close
    assert figure is not None
    told = re.search(r"close of (\d+\.\d+) a `prev_close` of (\d+\.\d+)", PAGE)
    assert told is not None
    assert (float(told[1]), float(told[2])) == (2816.0, figure.value / 100)


def test_the_example_of_an_answer_is_json() -> None:
    """But for the remark that more stands there."""
    [block] = re.findall(r"^```jsonc\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    answer = json.loads(re.sub(r"//.*", "", block))
    assert list(answer) == ["quotes", "failed_stocks"]
    assert list(answer["quotes"][0])[-2:] == ["sources", "flags"]


@pytest.mark.parametrize("line", re.findall(r"odin-streamer (\w+ \w+) ", PAGE))
def test_the_commands_exist(line: str) -> None:
    """With the options that the page names."""
    group, name = line.split()
    found = cli.commands[group]
    assert isinstance(found, click.Group)
    assert name in found.commands
