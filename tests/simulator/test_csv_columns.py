from __future__ import annotations

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.columns import BY_NAME, MAX_PRICE, MAX_QUANTITY
from simulator.csv_columns import NAMES, named, numbers
from streamer.errors import ConfigError


def read(text: str | None, column: str, *, required: bool = False) -> tuple[int | None, bool]:
    """The number of one text, and whether it was refused."""
    found = numbers(pl.Series([text], dtype=pl.String), column, required=required)
    return found.values[0], found.refused[0]


@pytest.mark.parametrize(
    "header",
    ["Last Traded Price", "last_traded_price", "LTP", " ltp ", "Last-Price", "LastTradedPrice"],
)
def test_headers_are_matched_leniently(header: str) -> None:
    """Without case, blanks and signs."""
    assert named([header, "Colour"], file="x.csv") == {"ltp": header}


def test_no_header_means_two_things() -> None:
    """Each word stands for one column, written as it is compared."""
    words = [word for headers in NAMES.values() for word in headers]
    assert len(set(words)) == len(words)
    assert all(word.isalnum() and word == word.lower() for word in words)


def test_two_columns_of_one_meaning_are_refused() -> None:
    """Which of them is meant is for the user to say."""
    with pytest.raises(ConfigError, match="'LTP' and 'Price' both look like ltp"):
        named(["LTP", "Price"], file="x.csv")


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("1365.50", "ltp", 136550),
        (" 1,365.50 ", "ltp", 136550),
        ("1,23,456.05", "ltp", 12345605),
        ("1365.5000", "ltp", 136550),
        ("12,34,567", "volume", 1234567),
        ("1000.0", "volume", 1000),
        ("1365.123456", "atp", 136512),
        ("0", "bid_price", 0),
        (str(MAX_PRICE // 100), "ltp", MAX_PRICE),
        (str(MAX_QUANTITY), "volume", MAX_QUANTITY),
    ],
)
def test_numbers_that_are_meant(text: str, column: str, expected: int) -> None:
    """With commas in the Indian places, decimals that are zeros, and the limits themselves."""
    assert read(text, column) == (expected, False)


@pytest.mark.parametrize("text", ["", None, "-", "NaN", "null", " N/A "])
def test_texts_that_say_nothing(text: str | None) -> None:
    """They are nulls where the column is optional, refused where it is not."""
    assert read(text, "volume") == (None, False)
    assert read(text, "ltp", required=True) == (None, True)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("abc", "ltp"),
        ("1365.505", "ltp"),
        ("-1", "ltp"),
        ("inf", "ltp"),
        ("0", "ltp"),
        ("1e300", "ltp"),
        (str(MAX_PRICE // 100 + 1), "ltp"),
        ("1.5", "volume"),
        ("-5", "volume"),
        ("1e16", "volume"),
        ("0x10", "volume"),
    ],
)
def test_numbers_that_cannot_be_meant(text: str, column: str) -> None:
    """No number, off the paisa, not whole, out of range."""
    assert read(text, column, required=column == "ltp") == (None, True)


@given(paise=st.integers(1, MAX_PRICE), width=st.integers(2, 6))
def test_every_price_is_read_exactly(paise: int, width: int) -> None:
    """Rupees and paise, with however many zeros behind them."""
    text = f"{paise // 100}.{paise % 100:02d}".ljust(width, "0")
    assert read(text, "ltp", required=True) == (paise, False)


@given(text=st.text(max_size=12), column=st.sampled_from(["ltp", "volume", "atp"]))
def test_any_text_is_a_number_nothing_or_refused(text: str, column: str) -> None:
    """Nothing raises, and a number is within the limits of its kind."""
    value, refused = read(text, column)
    limit = MAX_QUANTITY if BY_NAME[column].kind.value == "quantity" else MAX_PRICE
    assert not (refused and value is not None)
    assert value is None or 0 <= Fraction(value) <= limit
