from __future__ import annotations

from pathlib import Path

from simulator.extra_instruments import write_missing
from streamer.instrument_files import load_csv
from streamer.instruments import Instrument, InstrumentTable

TABLE = InstrumentTable.bundled()


def test_what_the_server_lacks_is_read_back_as_it_was(tmp_path: Path) -> None:
    """Equities and indices of both exchanges, with signs in their names."""
    missing = [
        Instrument(1, 987654, "MADEUP", "NSE", "EQ"),
        Instrument(1, 987655, 'A&B "Q", C', "NSE", "BE", name="A, B", lot=25, tick=5),
        Instrument(3, 987656, "BSEONE", "BSE", "X"),
        Instrument(1, 987657, "NIFTY MADE UP", "NSE", "INDEX", kind="index"),
    ]
    path, left_out = write_missing(tmp_path / "more.csv", missing, TABLE)
    assert path is not None
    assert left_out == []
    assert load_csv(path) == missing


def test_nothing_is_written_for_what_the_server_knows(tmp_path: Path) -> None:
    """The bundled instruments stay as they are."""
    path, left_out = write_missing(tmp_path / "more.csv", list(TABLE), TABLE)
    assert path is None
    assert left_out == []
    assert list(tmp_path.iterdir()) == []


def test_other_segments_and_impossible_symbols_are_left_out(tmp_path: Path) -> None:
    """They are told, and the others are written."""
    derivative = Instrument(2, 35001, "NIFTY25SEPFUT", "NSE", "FUTIDX")
    odd = Instrument(1, 987658, "A:B", "NSE", "EQ")
    good = Instrument(1, 987654, "MADEUP", "NSE", "EQ")
    path, left_out = write_missing(tmp_path / "more.csv", [derivative, odd, good], TABLE)
    assert path is not None
    assert load_csv(path) == [good]
    assert left_out == [derivative, odd]
