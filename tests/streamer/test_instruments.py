"""What a client's words mean: symbols, tokens, exchanges, series, aliases; and the tick rule."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.instruments import (
    MAX_STOCK_LENGTH,
    MAX_SYMBOL_LENGTH,
    TICK_RULES,
    Alias,
    Exchange,
    Instrument,
    InstrumentTable,
    tick_size,
)
from tests.streamer.market_strategies import instruments

BUNDLED = InstrumentTable.bundled()

NAM_INDIA = Instrument(1, 357, "NAM-INDIA", "NSE", "EQ")
TABLE = BUNDLED.with_instruments(
    [
        NAM_INDIA,
        Instrument(1, 19585, "BSE", "NSE", "EQ"),
        Instrument(1, 11, "ONLYBE", "NSE", "BE"),
        Instrument(1, 12, "TWICE", "NSE", "SM"),
        Instrument(1, 13, "TWICE", "NSE", "EQ"),
        Instrument(1, 14, "TWICE", "NSE", "BE"),
        Instrument(3, 500001, "ONLYBSE", "BSE", "B"),
        Instrument(3, 500002, "ONLYBE", "BSE", "B"),
    ]
)


@pytest.mark.parametrize(
    ("stock", "label", "token"),
    [
        ("SBIN", "SBIN (NSE)", 3045),
        ("sbin", "SBIN (NSE)", 3045),
        (" SbIn\t", "SBIN (NSE)", 3045),
        ("3045", "SBIN (NSE)", 3045),
        (" 3045 ", "SBIN (NSE)", 3045),
        ("NSE:SBIN", "SBIN (NSE)", 3045),
        ("nse:3045", "SBIN (NSE)", 3045),
        ("BSE:500112", "SBIN (BSE)", 500112),
        ("500112", "SBIN (BSE)", 500112),
        ("BSE:SBIN", "SBIN (BSE)", 500112),
        ("SBIN:BSE", "SBIN (BSE)", 500112),
        ("sbin : bse", "SBIN (BSE)", 500112),
        ("SBIN-EQ", "SBIN (NSE)", 3045),
        ("NSE:SBIN-EQ", "SBIN (NSE)", 3045),
        ("SBIN-EQ:NSE", "SBIN (NSE)", 3045),
        ("M&M", "M&M (NSE)", 2031),
        ("BSE:M&M", "M&M (BSE)", 500520),
        ("BAJAJ-AUTO", "BAJAJ-AUTO (NSE)", 16669),
        ("bajaj-auto-eq", "BAJAJ-AUTO (NSE)", 16669),
        ("NAM-INDIA", "NAM-INDIA (NSE)", 357),
        ("ONLYBSE", "ONLYBSE (BSE)", 500001),
        ("ONLYBE", "ONLYBE (NSE)", 11),
        ("TWICE", "TWICE (NSE)", 13),
        ("TWICE-BE", "TWICE (NSE)", 14),
        ("TWICE-SM", "TWICE (NSE)", 12),
        # The share of BSE Limited is listed on NSE.
        ("BSE", "BSE (NSE)", 19585),
        ("NSE:BSE", "BSE (NSE)", 19585),
        ("nse:bse", "BSE (NSE)", 19585),
    ],
)
def test_a_stock_is_named_in_many_ways(stock: str, label: str, token: int) -> None:
    """Rule R-2: symbol, token or either with its exchange; NSE before BSE, EQ before the rest."""
    found = TABLE.resolve(stock)
    assert found is not None
    assert (found.label, found.token) == (label, token)


@pytest.mark.parametrize(
    ("stock", "label"),
    [
        ("356", "HINDUNILVR (NSE)"),
        ("424", "ITC (NSE)"),
        ("492", "KOTAKBANK (NSE)"),
        ("NSE:356", "HINDUNILVR (NSE)"),
        ("356:nse", "HINDUNILVR (NSE)"),
    ],
)
def test_the_guides_wrong_tokens_are_aliases(stock: str, label: str) -> None:
    """Rule R-3: the three wrong tokens of the guide mean its stocks, with their real tokens."""
    found = BUNDLED.resolve(stock)
    assert found is not None
    assert found.label == label
    assert found is BUNDLED.resolve(found.symbol)


@pytest.mark.parametrize(
    ("stock", "symbol"),
    [
        ("NIFTY 50", "NIFTY 50"),
        ("Nifty 50", "NIFTY 50"),
        ("nifty  50", "NIFTY 50"),
        ("26000", "NIFTY 50"),
        ("NIFTY", "NIFTY 50"),
        ("NIFTY50", "NIFTY 50"),
        ("NSE:NIFTY", "NIFTY 50"),
        ("NIFTY BANK", "NIFTY BANK"),
        ("BANKNIFTY", "NIFTY BANK"),
        ("NIFTYBANK", "NIFTY BANK"),
        ("INDIA VIX", "INDIA VIX"),
        ("INDIAVIX", "INDIA VIX"),
        ("VIX", "INDIA VIX"),
        ("FINNIFTY", "NIFTY FIN SERVICE"),
        ("MIDCPNIFTY", "NIFTY MID SELECT"),
        ("NIFTYIT", "NIFTY IT"),
        ("SENSEX", "SENSEX"),
        ("BSE:SENSEX", "SENSEX"),
    ],
)
def test_an_index_is_named_as_by_the_exchange_or_by_custom(stock: str, symbol: str) -> None:
    """Rule R-9: the exchange's name in any case, and the customary short names."""
    found = BUNDLED.resolve(stock)
    assert found is not None
    assert (found.symbol, found.kind, found.series) == (symbol, "index", "INDEX")


@pytest.mark.parametrize(
    "stock",
    [
        "",
        " ",
        ":",
        "NSE:",
        ":SBIN:",
        "NSE:NSE:SBIN",
        "NSE:500112",
        "BSE:3045",
        "BSE:356",
        "NSE:SENSEX",
        "BSE:NSE",
        "SBI",
        "SBIN-",
        "SBIN-BE",
        "SBIN-XX",
        "SB IN",
        "03045",
        "+3045",
        "-3045",
        "3045.0",
        "3_045",
        "3 045",
        "٣٠٤٥",
        "３０４５",
        "ſbin",
        "ＳＢＩＮ",
        "SBIN\u200b",
        "SBIN\x00",
        "*",
        "INVALID_SYMBOL",
        "S" * (MAX_STOCK_LENGTH + 1),
        "SBIN" + " " * (MAX_STOCK_LENGTH - 3),
    ],
)
def test_words_that_mean_nothing(stock: str) -> None:
    """A text that names no instrument resolves to none, however near it comes to one."""
    assert TABLE.resolve(stock) is None


def test_the_longest_symbol_leaves_room_for_exchange_and_series() -> None:
    """A symbol of the greatest length is found with its exchange, its series and small letters."""
    long = Instrument(1, 7, "L" * MAX_SYMBOL_LENGTH, "NSE", "ABCDEFGH")
    table = InstrumentTable([long])
    assert table.resolve(f"nse:{long.symbol}-{long.series}".lower()) is long
    assert table.resolve(" " * (MAX_STOCK_LENGTH - MAX_SYMBOL_LENGTH) + long.symbol) is long


@given(stock=st.text() | st.text("NSEBSIN:-& 0123456789\u017f", max_size=20))
def test_any_text_is_answered(stock: str) -> None:
    """No text makes resolve raise, and what it finds is in the table."""
    found = BUNDLED.resolve(stock)
    assert found is None or BUNDLED.get(found.key) is found


@given(drawn=st.lists(instruments(), max_size=30), pad=st.text(" \t\n", max_size=3))
def test_every_instrument_is_found_by_its_own_words(drawn: list[Instrument], pad: str) -> None:
    """
    With its exchange each instrument is found by token and by symbol.

    By symbol it is itself or the one that is preferred: of an earlier series,
    or a later row of the same.
    """
    table = InstrumentTable(drawn)
    order = ["EQ", "BE", "BZ", "SM", "ST"]

    def rank(instrument: Instrument) -> int:
        return order.index(instrument.series) if instrument.series in order else len(order)

    rows = list(table)
    for place, instrument in enumerate(rows):
        by_token = table.resolve(f"{pad}{instrument.exchange.lower()}:{instrument.token}{pad}")
        assert by_token is instrument
        for words in (instrument.symbol, instrument.symbol.lower()):
            meant = table.resolve(f"{pad}{instrument.exchange}:{words}{pad}")
            assert meant is not None
            assert (meant.exchange, meant.symbol) == (instrument.exchange, instrument.symbol)
            assert rank(meant) <= rank(instrument)
            if rank(meant) == rank(instrument):
                assert rows.index(meant) >= place


@given(drawn=st.lists(instruments(), max_size=30))
def test_bare_words_mean_nse_first(drawn: list[Instrument]) -> None:
    """Without an exchange a word means what it means on NSE, else what it means on BSE."""
    table = InstrumentTable(drawn)
    with_series = {f"{instrument.symbol}-{instrument.series}" for instrument in table}
    for instrument in table:
        for word in {str(instrument.token), instrument.symbol} - with_series:
            on_nse, on_bse = table.resolve(f"NSE:{word}"), table.resolve(f"BSE:{word}")
            assert table.resolve(word) is (on_nse or on_bse)


@given(drawn=st.lists(instruments(), max_size=30), more=st.lists(instruments(), max_size=10))
def test_later_rows_win(drawn: list[Instrument], more: list[Instrument]) -> None:
    """A table is a dictionary by key: the later row replaces the earlier in its place."""
    table = InstrumentTable(drawn).with_instruments(more)
    expected = {instrument.key: instrument for instrument in [*drawn, *more]}
    assert list(table) == list(expected.values())
    assert len(table) == len(expected)
    for key, instrument in expected.items():
        assert table.get(key) == instrument
    assert table.get((9, 1)) is None


def test_a_table_is_not_changed_by_adding_to_it() -> None:
    """with_instruments gives a new table and leaves the old one as it was."""
    before = list(BUNDLED)
    assert BUNDLED.with_instruments([NAM_INDIA]).resolve("NAM-INDIA") is NAM_INDIA
    assert BUNDLED.resolve("NAM-INDIA") is None
    assert list(BUNDLED) == before


def test_a_symbol_with_its_series_is_no_other_symbol() -> None:
    """BAJAJ-AUTO is itself, though a BAJAJ of a series AUTO were listed, too."""
    odd = Instrument(1, 7, "BAJAJ", "NSE", "AUTO")
    table = BUNDLED.with_instruments([odd])
    found = table.resolve("BAJAJ-AUTO")
    assert found is not None
    assert found.token == 16669
    assert table.resolve("BAJAJ") is odd


@pytest.mark.parametrize(
    ("exchange", "token", "symbol"), [("NSE", 356, "NEWLISTED"), ("BSE", 356, "NEWLISTED")]
)
def test_an_alias_gives_way_to_a_real_instrument(
    exchange: Exchange, token: int, symbol: str
) -> None:
    """Rule R-3: a real instrument of an alias's number takes it, and the table says so."""
    segment = {"NSE": 1, "BSE": 3}[exchange]
    real = Instrument(segment, token, symbol, exchange, "EQ")
    table = BUNDLED.with_instruments([real])
    assert table.resolve("356") is real
    assert [alias.alias for alias in table.shadowed_aliases] == ["356"]
    assert BUNDLED.shadowed_aliases == ()
    unchanged = table.resolve("424")
    assert unchanged is not None
    assert unchanged.symbol == "ITC"


def test_an_alias_without_its_instrument_means_nothing() -> None:
    """An alias for what the table does not have resolves to none, and none raises."""
    table = InstrumentTable([NAM_INDIA], [Alias("NSE", "356", "1394")])
    assert table.resolve("356") is None
    assert table.shadowed_aliases == ()


def test_an_alias_of_both_exchanges_means_nse_first() -> None:
    """A former symbol that both exchanges have leads to NSE without an exchange."""
    for stock, label in (
        ("ZOMATO", "ETERNAL (NSE)"),
        ("NSE:ZOMATO", "ETERNAL (NSE)"),
        ("BSE:ZOMATO", "ETERNAL (BSE)"),
    ):
        found = BUNDLED.resolve(stock)
        assert found is not None
        assert found.label == label


@pytest.mark.parametrize(
    ("exchange", "on", "month_end_close", "tick"),
    [
        ("NSE", "2024-06-09", 100_00, 5),
        ("NSE", "2024-06-10", 249_99, 1),
        ("NSE", "2024-06-10", 250_00, 5),
        ("NSE", "2025-04-14", 30_000_00, 5),
        ("NSE", "2025-04-15", 249_99, 1),
        ("NSE", "2025-04-15", 250_00, 5),
        ("NSE", "2025-04-15", 1_000_00, 5),
        ("NSE", "2025-04-15", 1_000_01, 10),
        ("NSE", "2025-04-15", 5_000_00, 10),
        ("NSE", "2025-04-15", 5_000_01, 50),
        ("NSE", "2025-04-15", 10_000_00, 50),
        ("NSE", "2025-04-15", 10_000_01, 100),
        ("NSE", "2025-04-15", 20_000_00, 100),
        ("NSE", "2025-04-15", 20_000_01, 500),
        ("NSE", "2025-09-04", 0, 1),
        ("BSE", "2023-02-28", 50_00, 5),
        ("BSE", "2023-03-01", 99_99, 1),
        ("BSE", "2023-03-01", 100_00, 5),
        ("BSE", "2025-09-04", 30_000_00, 5),
    ],
)
def test_the_tick_follows_price_and_date(
    exchange: Exchange, on: str, month_end_close: int, tick: int
) -> None:
    """Each edge of each exchange's table, on the first day of the rule and the last before it."""
    share = Instrument(1, 1, "ANY", exchange, "EQ")
    assert tick_size(share, date.fromisoformat(on), month_end_close) == tick


def test_an_instruments_own_tick_wins() -> None:
    """An ETF keeps its 0.01 whatever it costs; an index moves by the paisa."""
    etf = Instrument(1, 1, "NIFTYBEES", "NSE", "EQ", tick=1)
    assert tick_size(etf, date(2025, 9, 4), 30_000_00) == 1
    index = BUNDLED.resolve("NIFTY 50")
    assert index is not None
    assert tick_size(index, date(2025, 9, 4), 24_000_00) == 1


def test_tick_rules_are_tables_with_sources() -> None:
    """Each rule has a source and rising prices from zero on, so that every price has a tick."""
    for rule in TICK_RULES:
        prices = [price for price, _ in rule.steps]
        assert prices == sorted(set(prices))
        assert prices[0] == 0
        assert rule.source
