"""The figures of a session for whoever asks."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streamer.eod_files import parse_eod_file
from streamer.eod_store import EodStore
from streamer.eod_table import EodFile
from streamer.instruments import InstrumentTable
from streamer.reference_lookup import look_up, reference_facts
from tests.streamer import eod_samples as samples

TABLE = InstrumentTable.bundled()
THURSDAY, FRIDAY, MONDAY = (date(2025, 12, day) for day in (18, 19, 22))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store with a Friday of SBIN on both exchanges, and a bonus on Monday."""
    prices = (800.0, 810.0, 790.0, 805.0, 1234)
    contents = (
        (samples.udiff(FRIDAY, {("SBIN", "EQ", 3045, ""): prices}), "nse.csv"),
        (samples.udiff(FRIDAY, {("SBIN", "A", 500112, ""): prices}, exchange="BSE"), "bse.csv"),
        (samples.bc([("SBIN", MONDAY, "BONUS 1:1")]), "bc19122025.csv"),
    )
    with EodStore.open(tmp_path / "sessions.db") as store:
        for content, name in contents:
            found = parse_eod_file(content, file=name)
            assert isinstance(found, EodFile)
            store.save(found)
    return tmp_path / "sessions.db"


def told(path: Path, stock: str, on: date) -> dict[str, Any]:
    """Return what is told of a stock."""
    instrument = TABLE.resolve(stock)
    assert instrument is not None
    return look_up(path, TABLE, [instrument], on)[instrument.key]


@pytest.mark.parametrize("stock", ["SBIN", "BSE:SBIN"])
@pytest.mark.parametrize("on", [date(2025, 12, 20), date(2025, 12, 21), MONDAY])
def test_a_weekend_asks_for_monday(path: Path, stock: str, on: date) -> None:
    """The next session; a list of NSE tells of the share on BSE, also when that is asked alone."""
    found = told(path, stock, on)
    assert found["session"] == "2025-12-22"
    assert found["prev_close"] == 402.5
    assert found["avg_volume_5d"] == 2468
    assert found["corporate_actions"][0]["purpose"] == "BONUS 1:1"


def test_the_day_of_a_file_has_nothing_of_it(path: Path) -> None:
    """It serves the next session only."""
    assert told(path, "SBIN", FRIDAY)["prev_close"] is None


def test_without_a_store_nothing_is_known(tmp_path: Path) -> None:
    """And that is told in words."""
    found = told(tmp_path / "none.db", "SBIN", MONDAY)
    assert found["sources"] == {}
    assert reference_facts(found) == {
        "session": "2025-12-22",
        "figures": "no end-of-day file tells any",
    }


def test_figures_are_told_in_words(path: Path) -> None:
    """Each with its file, and what was done to it."""
    assert reference_facts(told(path, "SBIN", MONDAY)) == {
        "session": "2025-12-22",
        "prev. close": "402.50 (nse.csv for 2025-12-19, divided by 2)",
        "avg. volume": "2,468 (nse.csv for 2025-12-19, multiplied by 2)",
        "goes ex": "BONUS 1:1",
        "flags": "corporate_action, avg_volume_partial",
    }
