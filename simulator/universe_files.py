"""
Universes by name, by number, or from a file of symbols.

``nifty50`` is the NIFTY 50, a number the largest so many stocks, anything else
a CSV or Parquet file. What a stock is, is `simulator.universe`'s subject.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from simulator.paths import generator
from simulator.universe import (
    INDICES,
    LIQUIDITY_CLASSES,
    MOST_STOCKS,
    Stock,
    class_of,
    largest,
    made_up_stock,
    nifty_50,
    stock_named,
)
from streamer.errors import ConfigError
from streamer.instruments import InstrumentTable
from streamer.odin.tags import NSE_CASH

NAMED = "nifty50"

COLUMNS: dict[str, str] = {
    "symbol": "required; a member of the NIFTY 50 has its own levels",
    "token": "NSE's number; without it that of the list of instruments, else a made-up one",
    "prev_close": "rupees; without it drawn for the token",
    "day_volume": "shares on an ordinary day; without it drawn for the token",
    "trades": "on an ordinary day; decides how often the stock has an update",
}
"""The columns of a file that are read, and what they mean."""

_FIRST_TOKEN = 1_000_000_000  # of symbols that nobody knows; real ones have up to five digits
_RANK = 8  # the generator's word for how liquid an unknown stock is


def universe_of(name: str, table: InstrumentTable) -> tuple[Stock, ...]:
    """
    Return the stocks that ``--universe`` means.

    Args:
        name: ``nifty50``, a number of stocks, or a file's path.
        table: Knows the tokens of symbols.

    Raises:
        ConfigError: If there is no such universe, or the file cannot be used.

    """
    if name == NAMED:
        return nifty_50()
    if name.isascii() and name.isdigit():
        if not 1 <= int(name) <= MOST_STOCKS:
            raise ConfigError(f"universe {name} found; 1 to {MOST_STOCKS:,} stocks expected")
        return largest(int(name))
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            f"universe {name!r} found; {NAMED}, a number of stocks, or a file expected"
        )
    return _from_rows(_read(path), path, table)


def _read(path: Path) -> Sequence[Mapping[str, Any]]:
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return list(csv.DictReader(line for line in lines if line and not line.startswith("#")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as CSV ({error})") from error


def _read_parquet(path: Path) -> Sequence[Mapping[str, Any]]:
    # Here, since most days are made without such a file, and it takes long to import.
    import polars as pl
    from polars.exceptions import PolarsError

    try:
        frame = pl.scan_parquet(path)
        wanted = [name for name in COLUMNS if name in frame.collect_schema().names()]
        # A recording names a symbol in each of its rows.
        if "symbol" in wanted:
            frame = frame.unique("symbol", keep="first", maintain_order=True)
        return frame.select(wanted).collect().to_dicts()
    except (OSError, PolarsError) as error:
        raise ConfigError(f"{path} cannot be read as Parquet ({error})") from error


def _from_rows(
    rows: Iterable[Mapping[str, Any]], path: Path, table: InstrumentTable
) -> tuple[Stock, ...]:
    members = {stock.symbol: stock for stock in nifty_50()}
    indices = {index.symbol for index in INDICES}
    taken = {index.token: index.symbol for index in INDICES}
    stocks: dict[str, Stock] = {}
    for number, row in enumerate(rows, 1):
        cells = {name: str(row.get(name) or "").strip() for name in COLUMNS}
        symbol = cells["symbol"].upper()
        if not symbol:
            raise ConfigError(f"{path}, row {number}: no symbol found; a column symbol expected")
        # The indices are always made.
        if symbol in stocks or symbol in indices:
            continue
        try:
            stock = members.get(symbol) or _unknown(symbol, cells["token"], table)
            stock = _told(stock, cells)
        except (ValueError, OverflowError) as error:
            raise ConfigError(f"{path}, row {number}, {symbol}: {error}") from error
        if taken.setdefault(stock.token, symbol) != symbol:
            raise ConfigError(
                f"{path}, row {number}: token {stock.token} is {taken[stock.token]}'s already; "
                f"another for {symbol} expected"
            )
        stocks[symbol] = stock
        if len(stocks) > MOST_STOCKS:
            raise ConfigError(f"{path} has more than {MOST_STOCKS:,} stocks")
    if not stocks:
        raise ConfigError(f"{path} names no stock; one symbol or more expected")
    return tuple(stocks.values())


def _unknown(symbol: str, token: str, table: InstrumentTable) -> Stock:
    """Return a stock that is no member; its levels depend on its token alone."""
    ranked = stock_named(symbol)
    if ranked is not None and token in ("", str(ranked.token)):
        return ranked
    known = table.resolve(f"NSE:{symbol}")
    if known is not None and known.kind == "index":
        raise ValueError("an index found; a stock expected")
    if token:
        number = int(token)
        if not 0 < number < 2**31:
            raise ValueError(f"token {token} found; one from 1 to {2**31 - 1} expected")
    elif known is not None and known.segment == NSE_CASH:
        number = known.token
    else:
        number = _FIRST_TOKEN + zlib.crc32(symbol.encode()) % _FIRST_TOKEN
    rank = int(generator(_RANK, number).integers(1, LIQUIDITY_CLASSES[-2].last_rank + 1))
    return made_up_stock(symbol, number, class_of(rank))


def _told(stock: Stock, cells: Mapping[str, str]) -> Stock:
    """Return the stock with what the file tells of it."""
    changes: dict[str, Any] = {}
    if cells["prev_close"]:
        prev_close = round(float(cells["prev_close"]) * 100)
        if not 100 <= prev_close <= 50_000_000:
            raise ValueError("prev_close found; 1 to 500,000 rupees expected")
        scale = prev_close / stock.prev_close
        changes["prev_close"] = prev_close
        changes["week_52_high"] = round(stock.week_52_high * scale)
        changes["week_52_low"] = round(stock.week_52_low * scale)
    for name, figure in (("day_volume", "volume"), ("trades", "trades")):
        if cells[name]:
            changes[figure] = round(float(cells[name]))
            if not 0 < changes[figure] < 10**12:
                raise ValueError(f"{name} {cells[name]} found; a number above 0 expected")
    return msgspec.structs.replace(stock, **changes) if changes else stock
