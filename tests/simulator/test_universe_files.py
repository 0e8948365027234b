from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from simulator.universe import FIRST_MADE_UP_TOKEN, LIQUIDITY_CLASSES, Stock, nifty_50
from simulator.universe_files import COLUMNS, universe_of
from streamer.errors import ConfigError
from streamer.instruments import InstrumentTable

TABLE = InstrumentTable.bundled()
BY_SYMBOL = {stock.symbol: stock for stock in nifty_50()}


def read(folder: Path, text: str) -> tuple[Stock, ...]:
    """The universe of a CSV file."""
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return universe_of(str(path), TABLE)


def test_a_name_and_numbers() -> None:
    """The NIFTY 50, fewer of its heaviest, or more with made-up stocks behind."""
    assert universe_of("nifty50", TABLE) == nifty_50()
    assert [stock.symbol for stock in universe_of("2", TABLE)] == ["HDFCBANK", "ICICIBANK"]
    many = universe_of("5000", TABLE)
    assert len({stock.token for stock in many}) == len({stock.symbol for stock in many}) == 5_000
    assert set(many[:50]) == set(nifty_50())
    assert all(stock.token > FIRST_MADE_UP_TOKEN for stock in many[50:])
    assert (many[50].symbol, many[-1].symbol) == ("SIM0051", "SIM5000")
    for stock in many:
        assert stock.week_52_low < stock.prev_close < stock.week_52_high
    assert [liquidity.last_rank for liquidity in LIQUIDITY_CLASSES][-1] == 5_000


def test_a_file_of_symbols(tmp_path: Path) -> None:
    """Members have their levels, others levels of their token; indices and repeats are passed."""
    stocks = read(tmp_path, "# mine\nsymbol,token\nsbin,\nXYZ,4242\nNIFTY 50,\nSBIN,\nABC,\n")
    sbin, xyz, abc = stocks
    assert sbin == BY_SYMBOL["SBIN"]
    assert (xyz.symbol, xyz.token) == ("XYZ", 4242)
    assert abc.token >= 1_000_000_000
    assert read(tmp_path, "symbol\nABC\n") == (abc,)


def test_a_made_up_stock_is_known_by_its_name(tmp_path: Path) -> None:
    """A file may name the stocks of a number, and gets the same; other such words are new names."""
    ranked = universe_of("60", TABLE)[59]
    assert read(tmp_path, "symbol,token\nSIM0060,\n") == (ranked,)
    assert read(tmp_path, f"symbol,token\nSIM0060,{ranked.token}\n") == (ranked,)
    for symbol in ("SIM0060,4242", "SIM0050,", "SIM60,", "SIM9999,", "SIMPLEX,"):
        (stock,) = read(tmp_path, f"symbol,token\n{symbol}\n")
        assert stock.token not in range(FIRST_MADE_UP_TOKEN, FIRST_MADE_UP_TOKEN + 10_000)


def test_a_parquet_file(tmp_path: Path) -> None:
    """A recording is a universe too: whatever it has besides is not looked at."""
    frame = pl.DataFrame({"symbol": ["XYZ", "XYZ", "SBIN"], "token": [4242, 4242, 3045]})
    frame.with_columns(ltp=1.0, volume=7).write_parquet(tmp_path / "mine.parquet")
    stocks = universe_of(str(tmp_path / "mine.parquet"), TABLE)
    assert [(stock.symbol, stock.token) for stock in stocks] == [("XYZ", 4242), ("SBIN", 3045)]


def test_a_file_may_tell_levels(tmp_path: Path) -> None:
    """Previous close, volume and trades of the file go before what is drawn."""
    (stock,) = read(tmp_path, "symbol,prev_close,day_volume,trades\nXYZ,812.35,123456,9000\n")
    assert (stock.prev_close, stock.volume, stock.trades) == (81_235, 123_456, 9_000)
    assert stock.week_52_low < 81_235 < stock.week_52_high
    assert set(COLUMNS) == {"symbol", "token", "prev_close", "day_volume", "trades"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token\n1\n", "row 1: no symbol found"),
        ("symbol\n", "names no stock"),
        ("symbol\nNIFTY BANK\n", "names no stock"),
        ("symbol,token\nA,x\n", "row 1, A: invalid literal"),
        ("symbol,token\nA,0\n", "row 1, A: token 0 found"),
        ("symbol,token\nA,7\nB,7\n", "row 2: token 7 is A's already"),
        ("symbol,token\nA,26000\n", "token 26000 is NIFTY 50's already"),
        ("symbol,prev_close\nA,0\n", "row 1, A: prev_close found; 1 to 500,000 rupees"),
        ("symbol,prev_close\nA,inf\n", "row 1, A: "),
        ("symbol,day_volume\nA,-1\n", "row 1, A: day_volume -1 found"),
        ("symbol\nNIFTY IT\n", "an index found; a stock expected"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """The message names the row and what was expected."""
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)


def test_what_is_no_universe(tmp_path: Path) -> None:
    """No such name, number or file; no Parquet."""
    (tmp_path / "a.parquet").write_bytes(b"none")
    for name, message in (
        ("nifty", "universe 'nifty' found; nifty50, a number of stocks, or a file expected"),
        ("5001", "1 to 5,000 stocks expected"),
        (str(tmp_path / "a.parquet"), "cannot be read as Parquet"),
    ):
        with pytest.raises(ConfigError, match=message):
            universe_of(name, TABLE)
