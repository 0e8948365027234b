"""Instrument files: what a file says is what is read, and a bad line is refused by place."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import InstrumentError
from streamer.instrument_files import (
    bundled_aliases,
    bundled_instruments,
    load_csv,
    parse_aliases,
    parse_instruments,
)
from streamer.instruments import MAX_SYMBOL_LENGTH, Alias, Instrument
from tests.streamer.market_strategies import instruments

COLUMNS = ["exchange", "token", "symbol", "series", "name", "isin", "lot", "tick", "kind"]

# The constituents on 2025-09-04: after the change of 2025-03-28, before that of 2025-09-30.
CONSTITUENTS = """
ADANIENT ADANIPORTS APOLLOHOSP ASIANPAINT AXISBANK BAJAJ-AUTO BAJFINANCE BAJAJFINSV BEL BHARTIARTL
CIPLA COALINDIA DRREDDY EICHERMOT ETERNAL GRASIM HCLTECH HDFCBANK HDFCLIFE HEROMOTOCO HINDALCO
HINDUNILVR ICICIBANK INDUSINDBK INFY ITC JIOFIN JSWSTEEL KOTAKBANK LT M&M MARUTI NESTLEIND NTPC
ONGC POWERGRID RELIANCE SBILIFE SBIN SHRIRAMFIN SUNPHARMA TATACONSUM TATAMOTORS TATASTEEL TCS
TECHM TITAN TRENT ULTRACEMCO WIPRO
"""
NIFTY_50 = set(CONSTITUENTS.split())


def as_csv(rows: list[Instrument]) -> str:
    """Write instruments as their author would."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        cells = (row.exchange, row.token, row.symbol, row.series, row.name, row.isin, row.lot)
        writer.writerow([*cells, f"{row.tick / 100:.2f}", row.kind])
    return text.getvalue()


def isin_is_whole(isin: str) -> bool:
    """Check the last digit of an ISIN (ISO 6166: Luhn over the letters as numbers)."""
    digits = "".join(str(int(letter, 36)) for letter in isin[:-1])
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return (sum(n // 10 + n % 10 for n in doubled) + int(isin[-1])) % 10 == 0


@given(drawn=st.lists(instruments(), max_size=20, unique_by=lambda row: row.key))
def test_reading_what_was_written_gives_the_instruments_back(drawn: list[Instrument]) -> None:
    """Every field of every row survives the file, in the order of the rows."""
    assert parse_instruments(as_csv(drawn), file="drawn.csv") == drawn


def test_all_columns_are_read() -> None:
    """Ticks are rupees in the file and paise in the instrument; the rest is as it stands."""
    text = (
        "exchange,token,symbol,series,name,isin,lot,tick,kind,source\n"
        'NSE,2031,M&M,EQ,"Mahindra & Mahindra, Ltd.",INE101A01026,1,0.05,equity,a list\n'
    )
    assert parse_instruments(text, file="mine.csv") == [
        Instrument(
            segment=1,
            token=2031,
            symbol="M&M",
            exchange="NSE",
            series="EQ",
            name="Mahindra & Mahindra, Ltd.",
            isin="INE101A01026",
            lot=1,
            tick=5,
            kind="equity",
        )
    ]


def test_three_columns_are_enough() -> None:
    """What a file leaves out takes its default; comments, blanks and empty lines do not matter."""
    text = '# mine, "unclosed\n\n Symbol , TOKEN, exchange\n  NAM-INDIA , 357 , NSE\nX,500001,BSE\n'
    assert parse_instruments(text, file="mine.csv") == [
        Instrument(1, 357, "NAM-INDIA", "NSE", "EQ"),
        Instrument(3, 500001, "X", "BSE", ""),
    ]


def test_an_index_needs_no_series() -> None:
    """An index without a series is of series INDEX."""
    text = "exchange,token,symbol,kind\nNSE,26000,NIFTY  50,index\n"
    assert parse_instruments(text, file="mine.csv") == [
        Instrument(1, 26000, "NIFTY 50", "NSE", "INDEX", kind="index")
    ]


def test_the_longest_symbol_is_read() -> None:
    """A symbol of the greatest length is accepted; the next longer one is a bad line, below."""
    long = "A" * MAX_SYMBOL_LENGTH
    [row] = parse_instruments(f"exchange,token,symbol\nNSE,1,{long}\n", file="mine.csv")
    assert row.symbol == long


def test_a_file_is_read_from_disk(tmp_path: Path) -> None:
    """A file with a byte order mark and DOS line ends is read like any other."""
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbfexchange,token,symbol\r\n# one\r\nNSE,357,NAM-INDIA\r\n")
    assert load_csv(path) == [Instrument(1, 357, "NAM-INDIA", "NSE", "EQ")]


def test_the_nifty_50_is_bundled_on_both_exchanges() -> None:
    """The fifty constituents of 2025-09-04 are there once on each exchange, with whole ISINs."""
    shares = [row for row in bundled_instruments() if row.kind == "equity"]
    for exchange, series in (("NSE", "EQ"), ("BSE", None)):
        listed = [row for row in shares if row.exchange == exchange]
        assert len(listed) == 50
        assert {row.symbol for row in listed} == NIFTY_50
        assert all(row.series == series or series is None for row in listed)
    assert all(isin_is_whole(row.isin) for row in shares)
    isins = {(row.symbol, row.isin) for row in shares}
    assert len(isins) == len({isin for _, isin in isins}) == 50


def test_bse_codes_have_six_digits() -> None:
    """BSE codes of shares have six digits, NSE tokens up to five: no number is on both."""
    for row in bundled_instruments():
        if row.exchange == "BSE" and row.kind == "equity":
            assert 500_000 <= row.token < 600_000
        else:
            assert row.token < 100_000


def test_the_indices_are_bundled() -> None:
    """The indices that rule R-9 names, and the customary others, have the exchange's tokens."""
    indices = {
        row.symbol: (row.exchange, row.token)
        for row in bundled_instruments()
        if row.kind == "index"
    }
    assert indices == {
        "NIFTY 50": ("NSE", 26000),
        "NIFTY BANK": ("NSE", 26009),
        "INDIA VIX": ("NSE", 26017),
        "NIFTY FIN SERVICE": ("NSE", 26037),
        "NIFTY MID SELECT": ("NSE", 26074),
        "NIFTY NEXT 50": ("NSE", 26013),
        "NIFTY IT": ("NSE", 26008),
        "NIFTY AUTO": ("NSE", 26029),
        "NIFTY PHARMA": ("NSE", 26023),
        "NIFTY FMCG": ("NSE", 26021),
        "NIFTY METAL": ("NSE", 26030),
        "NIFTY REALTY": ("NSE", 26018),
        "NIFTY PSU BANK": ("NSE", 26025),
        "NIFTY PVT BANK": ("NSE", 26047),
        "NIFTY MEDIA": ("NSE", 26031),
        "SENSEX": ("BSE", 19000),
    }


@pytest.mark.parametrize("name", ["instruments.csv", "aliases.csv"])
def test_each_bundled_row_has_a_source(name: str) -> None:
    """A fact without its source is no fact."""
    text = (Path(__file__).parents[2] / "streamer" / "data" / name).read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert rows
    assert all(row["source"] for row in rows)


def test_each_bundled_alias_stands_for_a_bundled_instrument() -> None:
    """No alias leads nowhere, and none stands there twice."""
    words = {
        (row.exchange, word)
        for row in bundled_instruments()
        for word in (str(row.token), row.symbol)
    }
    aliases = bundled_aliases()
    assert all((alias.exchange, alias.stands_for) in words for alias in aliases)
    assert len({(alias.exchange, alias.alias) for alias in aliases}) == len(aliases)


def test_aliases_are_read() -> None:
    """An alias file has four columns, all needed."""
    text = "exchange,alias,stands_for,source\nNSE,356,1394,the guide\n"
    assert parse_aliases(text, file="a.csv") == [Alias("NSE", "356", "1394", "the guide")]
    with pytest.raises(InstrumentError, match=r"a\.csv, line 1: no column 'source' found"):
        parse_aliases("exchange,alias,stands_for\n", file="a.csv")


BAD_LINES = {
    "exchange": ("MCX,1,A,EQ,,,1,,", "exchange", "MCX", "it is unknown", "NSE or BSE"),
    "no exchange": (",1,A,EQ,,,1,,", "exchange", "", "it is unknown", "NSE or BSE"),
    "no token": ("NSE,,A,EQ,,,1,,", "token", "", "it is empty", "a whole number from 1 to"),
    "token text": ("NSE,x1,A,EQ,,,1,,", "token", "x1", "it is no such number", "a whole number"),
    "token zero": ("NSE,0,A,EQ,,,1,,", "token", "0", "it is out of range", "from 1 to 2147483647"),
    "token large": ("NSE,9999999999,A,EQ,,,1,,", "token", "9999999999", "out of range", "from 1"),
    "token huge": (f"NSE,{'9' * 99},A,EQ,,,1,,", "token", "9" * 99, "no such number", "from 1"),
    "token arabic": ("NSE,٣,A,EQ,,,1,,", "token", "٣", "it is no such number", "a whole number"),
    "no symbol": ("NSE,1,,EQ,,,1,,", "symbol", "", "it is empty", "up to 48 letters"),
    "symbol with colon": ("NSE,1,A:B,EQ,,,1,,", "symbol", "A:B", "unusable", "no colon"),
    "symbol not ascii": ("NSE,1,Ä,EQ,,,1,,", "symbol", "Ä", "it is unusable", "letters"),
    "symbol long": (f"NSE,1,{'A' * 49},EQ,,,1,,", "symbol", "A" * 49, "unusable", "up to 48"),
    "series": ("NSE,1,A,E-Q,,,1,,", "series", "E-Q", "it is unusable", "up to 8 letters"),
    "isin": ("NSE,1,A,EQ,,INE1,1,,", "isin", "INE1", "it is unusable", "12 letters and digits"),
    "lot": ("NSE,1,A,EQ,,,0,,", "lot", "0", "it is out of range", "from 1 to"),
    "lot text": ("NSE,1,A,EQ,,,one,,", "lot", "one", "it is no such number", "from 1 to"),
    "tick text": ("NSE,1,A,EQ,,,1,5p,", "tick", "5p", "it is unusable", "rupees, as 0.05"),
    "tick negative": ("NSE,1,A,EQ,,,1,-0.05,", "tick", "-0.05", "unusable", "rupees"),
    "tick fine": ("NSE,1,A,EQ,,,1,0.0025,", "tick", "0.0025", "no whole number of paise", "two"),
    "kind": ("NSE,1,A,EQ,,,1,,bond", "kind", "bond", "it is unknown", "equity or index"),
    "twice": (
        "NSE,9,B,EQ,,,1,,",
        "token",
        "9",
        "it stands on line 2 already",
        "each instrument once",
    ),
}


@pytest.mark.parametrize(
    ("line", "column", "value", "found", "expected"), BAD_LINES.values(), ids=BAD_LINES
)
def test_a_bad_line_is_refused_with_its_place(
    line: str, column: str, value: str, found: str, expected: str
) -> None:
    """The error names file, line, column and value, what was found and what was expected."""
    text = f"{','.join(COLUMNS)}\nNSE,9,A9,EQ,,,1,,\n# a comment\n{line}\n"
    with pytest.raises(InstrumentError) as caught:
        parse_instruments(text, file="mine.csv")
    error = caught.value
    assert (error.file, error.line, error.column, error.value) == ("mine.csv", 4, column, value)
    assert found in error.problem
    assert expected in error.expected
    assert str(error).startswith(f"mine.csv, line 4, column '{column}', value '{value}': ")


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("", None, "no header found"),
        ("# nothing\n\n", None, "no header found"),
        ("exchange,token\n", 1, "no column 'symbol' found"),
        ("exchange,token,symbol,colour\n", 1, "this column is unknown"),
        ("exchange,token,symbol,token\n", 1, "stands there twice"),
        ("exchange,token,symbol\nNSE,1\n", 2, "2 columns found"),
        ("exchange,token,symbol\nNSE,1,A,EQ\n", 2, "4 columns found"),
        ('exchange,token,symbol\nNSE,1,"A', 2, "unexpected end of data"),
    ],
)
def test_a_bad_table_is_refused(text: str, line: int | None, found: str) -> None:
    """A file whose columns do not fit is refused at the line that shows it."""
    with pytest.raises(InstrumentError) as caught:
        parse_instruments(text, file="mine.csv")
    assert caught.value.line == line
    assert found in caught.value.problem


@given(
    text=st.text() | st.text('exchangtoksymbl,NSE123"\n# ').map("exchange,token,symbol\n".__add__)
)
def test_garbage_is_refused_by_the_documented_error(text: str) -> None:
    """Any text is either a table or an InstrumentError."""
    with suppress(InstrumentError):
        parse_instruments(text, file="garbage")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "no utf-8"])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A file that is not there, or is no text, is named in the error."""
    path = tmp_path / "mine.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InstrumentError, match=r"mine\.csv: .*; expected"):
        load_csv(path)
