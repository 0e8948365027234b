"""The lists of exchanges and brokers: every kind read to the same instruments."""

from __future__ import annotations

import csv
import io
import json

import pytest

from streamer.errors import InstrumentError
from streamer.instrument_masters import (
    ANOTHER_MARKET,
    DELETED,
    MASTERS,
    NO_INDEX_TOKEN,
    Details,
    Master,
    Passed,
    Reading,
    recognise,
)
from streamer.instrument_rows import Row
from streamer.instruments import Instrument, InstrumentTable
from tests.streamer import instrument_samples as samples

BUNDLED = InstrumentTable.bundled()
NIFTY, SENSEX = BUNDLED.resolve("NIFTY 50"), BUNDLED.resolve("SENSEX")


def master(name: str) -> Master:
    """Return a kind of list."""
    return next(each for each in MASTERS if each.name == name)


def cells_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a sample as texts."""
    if text.startswith("["):
        return [{name: str(each) for name, each in item.items()} for item in json.loads(text)]
    return [
        {name.strip(): (cell or "").strip() for name, cell in line.items() if name}
        for line in csv.DictReader(io.StringIO(text))
    ]


def read(name: str, cells: dict[str, str]) -> Reading:
    """Read one row as a list of some kind."""
    kind = master(name)
    missing = dict.fromkeys(kind.columns + kind.optional, "")
    return kind.read(Row("list", 2, missing | cells), BUNDLED)


def readings(name: str, text: str) -> list[Reading]:
    """Read every row of a sample."""
    return [read(name, cells) for cells in cells_of(text)]


def found_in(name: str, text: str) -> dict[tuple[str, int], Instrument]:
    """Return the instruments of a sample by exchange and token."""
    found = [each for each in readings(name, text) if isinstance(each, Instrument)]
    return {(each.exchange, each.token): each for each in found}


@pytest.mark.parametrize("name", [name for name in samples.EVERY_KIND if name != "own"])
def test_each_kind_is_told_by_its_header(name: str) -> None:
    """No header is that of two kinds, whatever order they are looked at."""
    text = samples.EVERY_KIND[name]
    header = cells_of(text)[0].keys()
    is_json = text.startswith("[")
    assert recognise(header, is_json=is_json) is master(name)
    assert [each.name for each in MASTERS if each.is_json is is_json and each.fits(header)] == [
        name
    ]
    assert recognise(header, is_json=not is_json) is None


@pytest.mark.parametrize("name", [name for name in samples.EVERY_KIND if name != "own"])
def test_each_kind_gives_the_same_share(name: str) -> None:
    """Whatever the columns and units are, ALPHA is token 101 of series EQ, its step 5 paise."""
    alpha = found_in(name, samples.EVERY_KIND[name])["NSE", 101]
    assert (alpha.key, alpha.symbol, alpha.series, alpha.lot) == ((1, 101), "ALPHA", "EQ", 1)
    assert alpha.kind == "equity"
    # A bhavcopy tells no step.
    assert alpha.tick == (0 if name == "udiff" else 5)
    if alpha.isin:
        assert alpha.isin == samples.ALPHA_ISIN


@pytest.mark.parametrize("name", ["udiff", "nse-mii", "angel", "kite", "dhan", "shoonya"])
def test_signs_stay_in_the_symbol(name: str) -> None:
    """A&B-C is one symbol, wherever a series hangs on it."""
    assert found_in(name, samples.EVERY_KIND[name])["NSE", 102].symbol == "A&B-C"


@pytest.mark.parametrize("name", ["angel", "kite", "upstox", "dhan", "shoonya"])
def test_both_exchanges_are_read(name: str) -> None:
    """BSE's share is another instrument, of segment 3."""
    found = found_in(name, samples.EVERY_KIND[name])
    assert found["BSE", 590001].key == (3, 590001)
    assert found["BSE", 590001].symbol == found["NSE", 101].symbol


@pytest.mark.parametrize("name", ["angel", "kite", "upstox", "dhan", "shoonya"])
def test_indices_have_the_exchanges_name_and_number(name: str) -> None:
    """NIFTY 50 is 26000, though Kite calls it 1001 and Dhan 13, a number that a share has."""
    indices = [
        each for each in found_in(name, samples.EVERY_KIND[name]).values() if each.kind == "index"
    ]
    assert NIFTY in indices
    assert all(each in (NIFTY, SENSEX) for each in indices)


@pytest.mark.parametrize("name", ["udiff", "angel", "kite", "upstox", "dhan", "shoonya"])
def test_other_markets_are_passed_over(name: str) -> None:
    """Derivatives and currencies are no instruments of ours, even with a share's number."""
    assert Passed(ANOTHER_MARKET) in readings(name, samples.EVERY_KIND[name])


def test_an_index_that_nobody_knows_is_passed_over() -> None:
    """A broker's own number must not be taken for the exchange's."""
    assert Passed(NO_INDEX_TOKEN) in readings("kite", samples.KITE)


def test_what_nse_deleted_is_passed_over() -> None:
    """The security file keeps such rows for a while."""
    assert readings("nse-mii", samples.MII)[-1] == Passed(DELETED)


def test_a_small_companys_lot_is_read() -> None:
    """Lots of SME shares are larger than 1."""
    for name in ("udiff", "angel", "kite"):
        small = found_in(name, samples.EVERY_KIND[name])["NSE", 103]
        assert (small.symbol, small.series, small.lot) == ("SMALLCO", "SM", 1200)


def test_a_list_without_tokens_gives_details() -> None:
    """EQUITY_L.csv alone names no instrument."""
    assert readings("equity-l", samples.EQUITY_L)[1] == Details(
        "A&B-C", "EQ", "A & B Limited", samples.BETA_ISIN, 1
    )


@pytest.mark.parametrize(
    ("trading_symbol", "symbol", "series"),
    [
        ("ALPHA", "ALPHA", "EQ"),
        ("ALPHA-BE", "ALPHA", "BE"),
        ("BAJAJ-AUTO", "BAJAJ-AUTO", "EQ"),
        ("BAJAJ-AUTO-BE", "BAJAJ-AUTO", "BE"),
        ("NAM-INDIA", "NAM-INDIA", "EQ"),
        ("MCDOWELL-N", "MCDOWELL-N", "EQ"),
        ("ALPHA-RE-BE", "ALPHA-RE", "BE"),
        ("ALPHA-N2", "ALPHA", "N2"),
    ],
)
def test_only_a_known_series_is_taken_off_a_symbol(
    trading_symbol: str, symbol: str, series: str
) -> None:
    """Hyphens belong to many symbols."""
    cells = cells_of(samples.KITE)[0] | {"tradingsymbol": trading_symbol}
    found = read("kite", cells)
    assert isinstance(found, Instrument)
    assert (found.symbol, found.series) == (symbol, series)


@pytest.mark.parametrize(
    ("name", "change", "column", "expected"),
    [
        ("kite", {"instrument_token": "25860"}, "instrument_token", "1, that of NSE"),
        ("kite", {"exchange_token": "102"}, "exchange_token", "101, its rest"),
        ("kite", {"segment": "INDICES"}, "instrument_token", "9, that of an index"),
        ("nse-mii", {"Xchg": "BSE"}, "Xchg", "NSE"),
        ("nse-mii", {"BidIntrvl": "0.05"}, "BidIntrvl", "whole paise"),
        ("angel", {"instrumenttype": "AMXIDX"}, "token", "as 99926000"),
        ("angel", {"tick_size": "0.050000"}, "tick_size", "whole paise"),
        ("upstox", {"exchange_token": ""}, "exchange_token", "a whole number"),
        ("udiff", {"Src": "MSE"}, "Src", "NSE or BSE"),
        ("shoonya", {"Symbol": "A:B", "Instrument": "EQ"}, "Symbol", "no colon"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(
    name: str, change: dict[str, str], column: str, expected: str
) -> None:
    """A guess would give one share the quotes of another."""
    with pytest.raises(InstrumentError) as caught:
        read(name, cells_of(samples.EVERY_KIND[name])[0] | change)
    assert caught.value.column == column
    assert expected in caught.value.expected
