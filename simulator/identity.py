"""
Which instrument each row of a recording is about.

A row names its instrument by token, by symbol, or by both, with or without its
exchange. Rows are resolved by their distinct names, once per name: a file has
millions of rows and at most some thousand names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from simulator.columns import BadValue, Int32Array, Int64Array, nulls_of, numbers_of
from streamer.instruments import Exchange, Instrument, InstrumentTable
from streamer.odin.tags import BSE_CASH, NSE_CASH, InstrumentKey

IDENTITY_COLUMNS = ("token", "symbol", "exchange", "segment")

MAX_TOKEN = 2**31 - 1
"""Tokens travel as 32-bit integers in the feed's native form."""

EXCHANGE_OF_SEGMENT: dict[int, Exchange] = {
    1: "NSE",
    2: "NSE",
    3: "BSE",
    4: "BSE",
    13: "NSE",
    14: "NSE",
    18: "BSE",
    19: "NSE",
    20: "NSE",
    38: "BSE",
    39: "BSE",
    40: "BSE",
}
"""The market segments that a recording may hold: those of the two exchanges."""

_CASH: dict[Exchange, int] = {"NSE": NSE_CASH, "BSE": BSE_CASH}
_EXPECTED_EXCHANGE = "NSE or BSE"
_EXPECTED_SEGMENT = "EQ, INDEX, NSE, BSE or a market segment number of NSE or BSE"


Name = tuple[Any, Any, Any, Any]
"""Values of `IDENTITY_COLUMNS`, in their order; None for what a row does not tell."""


class Identities:
    """
    The instruments of a recording, numbered in the order of their first row.

    Args:
        table: Knows symbols and tokens; a row that has both a token and a
            symbol needs no entry in it.

    """

    def __init__(self, table: InstrumentTable) -> None:
        self._table = table
        self._index: dict[InstrumentKey, int] = {}
        self._by_name: dict[Name, int] = {}
        self._dictionaries: dict[str, tuple[Any, list[Any]]] = {}
        self._closed = False
        self.instruments: dict[InstrumentKey, Instrument] = {}
        """Every instrument met so far; its position is its number."""

    @property
    def names(self) -> tuple[Name, ...]:
        """What rows have called their instruments so far, in the order of first rows."""
        return tuple(self._by_name)

    def close(self) -> None:
        """Take no more instruments: rows about others are refused from now on."""
        self._closed = True

    def numbers(self, names: Iterable[Name]) -> list[int]:
        """
        Return the numbers of instruments by names, as :attr:`names` has them.

        Raises:
            BadName: If an instrument cannot be told.

        """
        return [self._resolve(name) for name in names]

    def number(self, columns: Mapping[str, Any], rows: int) -> Int32Array:
        """
        Return the number of each row's instrument.

        Args:
            columns: The identity columns that the file has, as Arrow arrays.
            rows: Their length.

        Raises:
            BadName: At the first row whose instrument cannot be told.

        """
        codes: Any = None
        distinct: dict[str, list[Any]] = {}
        for name in (name for name in IDENTITY_COLUMNS if name in columns):
            encoded = _dictionary(columns[name])
            own = numbers_of(encoded.indices).astype(np.int64)
            if encoded.indices.null_count:
                own[nulls_of(encoded.indices)] = -1
            distinct[name] = [None, *self._values(name, encoded.dictionary)]
            codes = own + 1 if codes is None else codes * len(distinct[name]) + own + 1
        arrow = pa.Array.from_buffers(pa.int64(), len(codes), [None, pa.py_buffer(codes)])
        combined = pc.dictionary_encode(arrow)
        positions = numbers_of(combined.indices)
        names = _names(numbers_of(combined.dictionary), distinct)
        # Nearly all are known from the batches before: this line is where they are found.
        numbers = list(map(self._by_name.get, names))
        if None in numbers:
            for position, name_of_row in enumerate(names):
                try:
                    numbers[position] = self._resolve(name_of_row)
                except BadName as bad:
                    bad.row = int(np.argmax(positions == position))
                    raise
        result: Int32Array = np.array(numbers, dtype=np.int32)[positions]
        assert len(result) == rows
        return result

    def _values(self, column: str, dictionary: Any) -> list[Any]:
        """Return the values of a dictionary; the batches of a row group have one in common."""
        last = self._dictionaries.get(column)
        if last is None or not last[0].equals(dictionary):
            last = self._dictionaries[column] = (dictionary, dictionary.to_pylist())
        return last[1]

    def _resolve(self, name: Name) -> int:
        number = self._by_name.get(name)
        if number is None:
            instrument = self._instrument(*name)
            if self._closed and instrument.key not in self._index:
                raise BadName(
                    "symbol" if name[0] is None else "token",
                    name[1] if name[0] is None else name[0],
                    "the row is about an instrument that had no rows when the file was checked",
                    "one of those that had",
                )
            number = self._index.setdefault(instrument.key, len(self._index))
            self.instruments.setdefault(instrument.key, instrument)
            self._by_name[name] = number
        return number

    def _instrument(self, token: Any, symbol: Any, exchange: Any, segment: Any) -> Instrument:
        market = _segment(exchange, segment)
        is_index = isinstance(segment, str) and segment.strip().upper() == "INDEX"
        symbol = symbol.strip() if isinstance(symbol, str) and symbol.strip() else None
        if token is not None:
            return self._by_token(_token(token), symbol, market, is_index=is_index)
        if symbol is None:
            raise BadName("token", None, "the row has neither token nor symbol", "one of the two")
        name = symbol if market is None else f"{EXCHANGE_OF_SEGMENT[market]}:{symbol}"
        found = self._table.resolve(name)
        if found is None or (market is not None and found.segment != market):
            raise BadName(
                "symbol",
                symbol,
                "the symbol is not known",
                "a symbol of the instrument list, or a token",
            )
        return found

    def _by_token(
        self, token: int, symbol: str | None, market: int | None, *, is_index: bool
    ) -> Instrument:
        segments = (NSE_CASH, BSE_CASH) if market is None else (market,)
        known = next(
            (found for segment in segments if (found := self._table.get((segment, token)))), None
        )
        if known is not None:
            if symbol is None or symbol.upper() == known.symbol.upper():
                return known
            if self._table.resolve(f"{known.exchange}:{symbol}") is known:
                return known
            # The recording is right about itself: tokens are given anew over the years.
            return msgspec.structs.replace(known, symbol=symbol, name="", isin="")
        segment = segments[0]
        return Instrument(
            segment=segment,
            token=token,
            symbol=symbol or str(token),
            exchange=EXCHANGE_OF_SEGMENT[segment],
            series="INDEX" if is_index else "EQ",
            kind="index" if is_index else "equity",
        )


class BadName(BadValue):
    """A row's instrument cannot be told; ``column`` says which word is at fault."""

    def __init__(self, column: str, value: object, problem: str, expected: str) -> None:
        super().__init__(0, value, problem, expected)
        self.column = column


def _names(codes: Int64Array, distinct: dict[str, list[Any]]) -> list[Name]:
    """Take combined codes apart; return what each stands for, as `IDENTITY_COLUMNS` has it."""
    columns: dict[str, list[Any]] = {}
    for name in reversed(distinct):
        values = distinct[name]
        codes, places = np.divmod(codes, len(values))
        columns[name] = list(map(values.__getitem__, places.tolist()))
    untold = [None] * len(codes)
    return list(zip(*(columns.get(name, untold) for name in IDENTITY_COLUMNS), strict=True))


def _dictionary(array: Any) -> Any:
    if isinstance(array, pa.DictionaryArray):
        return array
    if pt.is_string_view(array.type):
        array = array.cast(pa.string())
    return pc.dictionary_encode(array)


def _token(value: Any) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_TOKEN):
        raise BadName("token", value, "the token is no number", f"a number from 1 to {MAX_TOKEN}")
    return int(text)


def _segment(exchange: Any, segment: Any) -> int | None:
    """Return the market segment that the two columns name together; None if they name none."""
    by_exchange = None
    if exchange is not None:
        by_exchange = _cash(exchange)
        if by_exchange is None:
            raise BadName("exchange", exchange, "the exchange is not known", _EXPECTED_EXCHANGE)
    by_segment = None
    if segment is not None:
        text = str(segment).strip().upper()
        if text not in ("EQ", "INDEX"):
            by_segment = int(text) if text.isascii() and text.isdigit() else _cash(text)
            if by_segment not in EXCHANGE_OF_SEGMENT:
                raise BadName("segment", segment, "the segment is not known", _EXPECTED_SEGMENT)
    if by_segment is None:
        return by_exchange
    if exchange is not None and _cash(exchange) != _CASH[EXCHANGE_OF_SEGMENT[by_segment]]:
        raise BadName(
            "segment",
            segment,
            f"the segment is not one of {exchange}",
            "exchange and segment that agree",
        )
    return by_segment


def _cash(exchange: str) -> int | None:
    word = exchange.strip().upper()
    return _CASH["NSE"] if word == "NSE" else _CASH["BSE"] if word == "BSE" else None
