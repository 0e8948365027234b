"""
What the columns of a CSV file of market data are: their names, matched leniently, and their values.

Headers are compared without case, blanks and signs, so that ``Last Traded
Price``, ``last_traded_price`` and ``LastTradedPrice`` are the same. Values are
read whole columns at a time; what cannot be meant is left to the caller to
refuse, with the words for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import polars as pl

from simulator.columns import BY_NAME, MAX_PRICE, MAX_QUANTITY, Kind
from streamer.errors import ConfigError

__all__ = ["NAMES", "NumberColumn", "named", "numbers"]

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "time": ("timestamp", "datetime", "dateandtime", "ts", "exchangetimestamp", "timestampist"),
    "date": ("date", "tradedate", "tradingdate", "day"),
    "clock": ("time", "tradetime", "lasttradetime", "ltt"),
    "symbol": ("symbol", "tradingsymbol", "ticker", "stock", "scrip", "scripname", "stockname"),
    "token": ("token", "exchangetoken", "scripcode", "securityid", "symboltoken"),
    "exchange": ("exchange", "exch"),
    "ltp": ("ltp", "lasttradedprice", "lasttradeprice", "lastprice", "last", "price"),
    "ltq": ("ltq", "lasttradedquantity", "lastquantity", "lastqty", "quantity", "qty"),
    "volume": ("volume", "vol", "v", "tradedvolume", "totaltradedvolume", "volumetraded"),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice"),
    "prev_close": ("prevclose", "previousclose", "pclose"),
    "bid_price": ("bid", "bidprice", "bestbid", "bestbidprice", "buyprice"),
    "bid_qty": ("bidqty", "bidquantity", "bidsize", "bestbidqty", "bestbidquantity", "buyqty"),
    "ask_price": ("ask", "askprice", "bestask", "bestaskprice", "sellprice", "offer"),
    "ask_qty": ("askqty", "askquantity", "asksize", "bestaskqty", "bestaskquantity", "sellqty"),
    "atp": ("atp", "vwap", "averageprice", "avgprice", "averagetradedprice"),
    "open_interest": ("openinterest", "oi"),
}
"""What a column may be, and the headers that it may have, in small letters without signs."""

_ROLE_OF: Final = {header: role for role, headers in NAMES.items() for header in headers}
_NONE: Final = ("", "-", "na", "n/a", "nan", "null", "none")


class NumberColumn(NamedTuple):
    """
    A column of numbers.

    Args:
        values: Paise or shares; null where the text says nothing or cannot be meant.
        refused: Where the text cannot be meant.
        expected: What was expected there.

    """

    values: pl.Series
    refused: pl.Series
    expected: str


def named(headers: Sequence[str], *, file: str) -> dict[str, str]:
    """
    Return for each role the header of its column.

    Raises:
        ConfigError: If two columns have the same role.

    """
    found: dict[str, str] = {}
    for header in headers:
        role = _ROLE_OF.get(re.sub(r"[^a-z0-9]", "", header.lower()))
        if role is None:
            continue
        if role in found:
            raise ConfigError(
                f"{file}: the columns {found[role]!r} and {header!r} both look like {role}; "
                "expected one of them: rename or remove the other"
            )
        found[role] = header
    return found


def numbers(texts: pl.Series, column: str, *, required: bool) -> NumberColumn:
    """
    Return the numbers of a column as integers.

    Args:
        texts: As they stand in the file; commas between digits are allowed.
        column: Of the recording; its kind says what the numbers are.
        required: Texts that say nothing are refused.

    """
    kind = BY_NAME[column].kind
    text = pl.col("text")
    says_nothing = text.is_null() | text.str.to_lowercase().is_in(_NONE)
    number = text.str.replace_all(",", "").cast(pl.Float64, strict=False)
    if kind is Kind.QUANTITY:
        value, lowest, highest = number, 0, MAX_QUANTITY
        is_whole = number == number.round()
        expected = f"a whole number from 0 to {MAX_QUANTITY:,}"
    else:
        value, lowest, highest = number * 100, 1 if required else 0, MAX_PRICE
        noise = pl.min_horizontal(value * 1e-6, 0.25)
        is_whole = (value - value.round()).abs() <= noise
        if kind is Kind.AVERAGE:
            is_whole = pl.lit(True)
        least = "above 0" if required else "from 0"
        expected = f"a price {least} and up to {MAX_PRICE // 100:,} rupees, in rupees and paise"
    is_good = number.is_finite() & is_whole & value.is_between(lowest, highest)
    frame = pl.DataFrame({"text": texts.cast(pl.String).str.strip_chars()}).select(
        pl.when(is_good & ~says_nothing)
        .then(value.round())
        .cast(pl.Int64, strict=False)
        .alias("values"),
        (~is_good.fill_null(False) & (pl.lit(required) | ~says_nothing)).alias("refused"),
    )
    return NumberColumn(frame["values"], frame["refused"], expected)
