"""What rows come to, and which are refused on the way."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from simulator.columns import UNTOLD
from simulator.decoding import Decoder, RowGroup, Tally
from simulator.identity import Identities
from streamer.errors import RecordingError
from tests.simulator.parquet_files import TABLE, at, rows
from tests.simulator.sealed_files import table_of


def decoder(names: list[str]) -> Decoder:
    """One of a file with some columns."""
    return Decoder(Path("a.parquet"), names, Identities(TABLE))


def test_columns_are_told_apart() -> None:
    """Figures, what names the instrument, and what means nothing here."""
    found = decoder(["colour", "symbol", "ltp", "ts", "token", "volume"])
    assert found.figure_columns == ["ltp", "volume"]
    assert found.identity_columns == ["token", "symbol"]
    assert found.ignored_columns == ["colour"]
    assert found.wanted(["volume", "open"]) == ["ts", "token", "symbol", "volume"]


def test_batches_have_every_wanted_figure() -> None:
    """Whether the file does or not."""
    table = table_of(rows(3))
    coming = decoder(table.column_names).batches(table.to_batches(2), 0, 7, ("ltp", "open"))
    found = list(coming)
    assert [row for row, _ in found] == [7, 9]
    assert found[1][1].figures["ltp"].tolist() == [137260]
    assert found[1][1].figures["open"].tolist() == [UNTOLD]


def test_a_tally_adds_up_row_groups() -> None:
    """Their times and rows, the days and the instruments; told of as they come."""
    moments = [at("15:29"), at("09:15", date(2025, 9, 5)), at("09:16", date(2025, 9, 5))]
    table = table_of(rows(3, ts=moments, token=[2885, 3045, 2885]))
    told: list[int] = []
    tally = Tally(decoder(table.column_names), told.append)
    tally.take_group(0, table.slice(0, 2).to_batches())
    tally.take_group(1, [])
    tally.take_group(2, table.slice(2).to_batches())
    assert tally.groups == [
        RowGroup(0, 0, 2, moments[0], moments[1]),
        RowGroup(2, 2, 1, moments[2], moments[2]),
    ]
    assert tally.days == {date(2025, 9, 4): 1, date(2025, 9, 5): 2}
    assert tally.rows_of.tolist() == [2, 1]
    assert (tally.rows, told) == (3, [2, 1])


def test_a_tally_refuses_what_goes_back() -> None:
    """Behind the row group before as well, with the row's place in the file."""
    table = table_of(rows(2, ts=[at("09:15"), at("09:16")]))
    tally = Tally(decoder(table.column_names))
    tally.take_group(0, table.to_batches())
    with pytest.raises(RecordingError, match=r"row group 1, row 2, column 'ts'.*time goes back"):
        tally.take_group(1, table.to_batches())
