"""The page on instruments says what the table and its loader do."""

from __future__ import annotations

import re
from pathlib import Path

from streamer.instrument_files import bundled_aliases, parse_instruments
from streamer.instrument_masters import MASTERS
from streamer.instruments import (
    MAX_STOCK_LENGTH,
    TICK_RULES,
    Instrument,
    InstrumentTable,
)

PAGE = (Path(__file__).parents[2] / "docs" / "instruments.md").read_text(encoding="utf-8")
BUNDLED = InstrumentTable.bundled()


def section(title: str) -> str:
    """The text below a heading, up to the next heading."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_file_can_be_used() -> None:
    """The example parses, and its rows are found by symbol in a table that has them."""
    [text] = re.findall(r"^```csv\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    rows = parse_instruments(text, file="example.csv")
    assert [row.symbol for row in rows] == ["NAM-INDIA", "NIFTYBEES", "NIFTY 100"]
    assert [row.tick for row in rows] == [0, 1, 0]
    table = BUNDLED.with_instruments(rows)
    assert [table.resolve(row.symbol) for row in rows] == rows


def test_every_column_is_described() -> None:
    """The page has a row for each column of the file, and the loader takes no other."""
    described = re.findall(r"^\| `(\w+)` \| (yes|no) \|", PAGE, re.MULTILINE)
    header = ",".join(name for name, _ in described)
    assert parse_instruments(f"{header}\n", file="all.csv") == []
    needed = ",".join(name for name, need in described if need == "yes")
    assert parse_instruments(f"{needed}\n", file="needed.csv") == []
    assert {name for name, _ in described} == {*Instrument.__struct_fields__, "source"} - {
        "segment"
    }


def test_the_ways_to_name_an_instrument_work() -> None:
    """All the words of one row of the table mean one instrument (rule R-2)."""
    rows = re.findall(r"^\| (`.*?) \|", section("How clients name an instrument"), re.MULTILINE)
    meanings = []
    for row in rows:
        found = {BUNDLED.resolve(word) for word in re.findall(r"`([^`]*)`", row)}
        if "M&M" in row:
            assert {one.symbol for one in found if one} == {"M&M", "BAJAJ-AUTO"}
            continue
        [meant] = found
        assert meant is not None
        meanings.append(meant.label)
    nse, bse, index = "SBIN (NSE)", "SBIN (BSE)", "NIFTY 50 (NSE)"
    assert meanings == [nse, nse, nse, bse, nse, index]
    assert f"longer than {MAX_STOCK_LENGTH} characters" in PAGE


def test_the_aliases_of_the_page_are_bundled() -> None:
    """Each alias that the page names is in the file (rules R-3 and R-9)."""
    text = section("Aliases")
    aliases = {alias.alias for alias in bundled_aliases()}
    named = set(re.findall(r"`([A-Z0-9]+)`", text)) - {"ETERNAL"} | {"356", "424", "492"}
    assert named <= aliases
    assert len(named) > 10


def test_the_bundled_indices_are_listed() -> None:
    """The page lists every bundled index and no other."""
    text = section("What is bundled").split("\n\n")[0]
    listed = set(re.findall(r"`([A-Z0-9 ]+)`", text.replace("\n", " ")))
    assert listed == {row.symbol for row in BUNDLED if row.kind == "index"}


def test_the_price_steps_are_the_rules() -> None:
    """Each rule has its row, with its steps in the order of the prices."""
    rows = re.findall(r"^\| (NSE|BSE) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    expected = []
    for rule in TICK_RULES:
        start = "the beginning" if rule.start.year == 1 else str(rule.start)
        expected.append((rule.exchange, start, [f"{step / 100:.2f}" for _, step in rule.steps]))
    assert [
        (exchange, start, re.findall(r"\b\d\.\d\d\b", steps)) for exchange, start, steps in rows
    ] == expected


LISTS = {"udiff": "UDiFF", "nse-mii": "MII", "equity-l": "EQUITY_L.csv"} | {
    name: name.title() for name in ("angel", "dhan", "kite", "shoonya", "upstox")
}


def test_every_kind_of_list_is_described() -> None:
    """A row for each list that an import recognises, and none besides but that of our own."""
    assert LISTS.keys() == {each.name for each in MASTERS}
    text = section("The lists of exchanges and brokers")
    header, _, *rows = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    assert header == "list"
    assert [sum(word in row for row in rows) for word in LISTS.values()] == [1] * len(MASTERS)
    assert len(rows) == len(MASTERS) + 1
