"""Instruments in Parquet: the same as were written, each value checked, quickly loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import InstrumentError
from streamer.instrument_parquet import ORIGIN, is_parquet, load_parquet, write_parquet
from streamer.instruments import SEGMENTS, Exchange, Instrument
from tests.streamer.instrument_samples import ALPHA
from tests.streamer.market_strategies import instruments


@given(drawn=st.lists(instruments(), max_size=20, unique_by=lambda row: row.key))
def test_reading_what_was_written_gives_the_instruments_back(drawn: list[Instrument]) -> None:
    """Every field of every instrument survives; NSE's come first, by token."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "instruments.parquet"
        write_parquet(path, drawn, {})
        assert is_parquet(path.read_bytes())
        assert load_parquet(path) == sorted(drawn, key=lambda each: each.key)
        assert [each.name for each in folder.iterdir()] == [path.name]


def test_the_same_instruments_give_the_same_bytes(tmp_path: Path) -> None:
    """An import can be compared with an earlier one by its checksum."""
    other = Instrument(3, 590001, "ALPHA", "BSE", "A")
    for name, listed in (("a", [ALPHA, other]), ("b", [other, ALPHA])):
        write_parquet(tmp_path / name, listed, {"files": [{"file": "x"}]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pl.read_parquet_metadata(tmp_path / "a")[ORIGIN] == '{"files":[{"file":"x"}]}'


BAD_VALUES: dict[str, tuple[str, Any]] = {
    "exchange": ("exchange", "MCX"),
    "token": ("token", 0),
    "no token": ("token", None),
    "symbol": ("symbol", "A:B"),
    "symbol with a line": ("symbol", "A\nB"),
    "no symbol": ("symbol", ""),
    "series": ("series", "E-Q"),
    "name": ("name", "x" * 2000),
    "isin": ("isin", "INE1"),
    "lot": ("lot", 0),
    "tick": ("tick", -5),
    "kind": ("kind", "bond"),
    "twice": ("token", 101),
}


@pytest.mark.parametrize(("column", "value"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_wrong_value_is_refused_with_its_place(tmp_path: Path, column: str, value: Any) -> None:
    """Row, column and value: a file may have been changed since it was written."""
    path = tmp_path / "instruments.parquet"
    second = Instrument(1, 102, "BETA", "NSE", "EQ")
    write_parquet(path, [ALPHA, second], {})
    frame = pl.read_parquet(path)
    values = [frame[column][0], value]
    frame.with_columns(pl.Series(column, values, dtype=frame.schema[column])).write_parquet(path)
    with pytest.raises(InstrumentError) as caught:
        load_parquet(path)
    error = caught.value
    assert (error.line, error.unit, error.column) == (2, "row", column)
    assert error.value == (None if value is None else str(value))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda frame: frame.drop("tick"), "this column is missing"),
        (lambda frame: frame.cast({"token": pl.String}), "this column holds String"),
        (lambda frame: frame.with_columns(more=pl.lit(1)), "the columns exchange, token"),
    ],
)
def test_other_columns_are_refused(tmp_path: Path, change: Any, problem: str) -> None:
    """A recording, say, is no list of instruments."""
    path = tmp_path / "instruments.parquet"
    write_parquet(path, [ALPHA], {})
    change(pl.read_parquet(path)).write_parquet(path)
    with pytest.raises(InstrumentError, match=problem):
        load_parquet(path)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """The error names the file and the command that writes such files."""
    path = tmp_path / "instruments.parquet"
    write_parquet(path, [ALPHA], {})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InstrumentError, match="odin-streamer instruments import"):
        load_parquet(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Nothing is written, and the error says where it was to be."""
    with pytest.raises(InstrumentError, match=r"none/x\.parquet: it cannot be written"):
        write_parquet(tmp_path / "none" / "x.parquet", [ALPHA], {})


_LOAD = """
import sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
from streamer.loading import instrument_table
begin = time.process_time()
table = instrument_table([Path(sys.argv[1])])
print(len(table), time.process_time() - begin)
"""


def test_twelve_thousand_instruments_load_in_a_moment(tmp_path: Path) -> None:
    """A server begins with them within a second of CPU, the reader's own import included."""
    exchanges: tuple[Exchange, ...] = ("NSE", "BSE")
    listed = [
        Instrument(SEGMENTS[exchange], 600_000 + number, f"S{number}", exchange, "EQ", "A name")
        for exchange in exchanges
        for number in range(6000)
    ]
    path = tmp_path / "instruments.parquet"
    write_parquet(path, listed, {})
    command = [sys.executable, "-c", _LOAD, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    count, seconds = told.stdout.split()
    assert int(count) >= 12_000
    # 0.2 s on an idle machine; the bound holds on one that is busy.
    assert float(seconds) < 1.0
