"""
The columns of a recording: their names, types and units, and how values become integers.

Every figure leaves this module as a 64-bit integer: times in nanoseconds since
the UNIX epoch, prices in paise, quantities in shares, and `UNTOLD` where a row
says nothing. A value that cannot be meant is refused with its place in the
array (`BadValue`); which file and row group that is, the caller knows. The
same table stands in ``docs/recordings.md``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from streamer.ist import NS_PER_SECOND

Int64Array = npt.NDArray[np.int64]
Int32Array = npt.NDArray[np.int32]

UNTOLD = -1
"""Stands for a null: the row does not tell this figure. No figure of a recording is negative."""

MAX_PRICE = 1_000_000_000
"""The highest price taken for one, in paise: ten million rupees."""

MAX_QUANTITY = 10**15
"""The highest quantity taken for one; no exchange trades as much in a year."""

DEPTH_LEVELS = 5

_MIN_SECOND = 631_152_000  # 1990-01-01
_MAX_SECOND = 4_102_444_800  # 2100-01-01
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": NS_PER_SECOND}


class Kind(StrEnum):
    """What a column's values are, and so how they are read and which are refused."""

    TIME = "time"
    PRICE = "price"
    AVERAGE = "average price"
    QUANTITY = "quantity"
    NUMBER_OR_NAME = "number or name"
    NAME = "name"


class Column(NamedTuple):
    """
    One column of the schema.

    Args:
        name: As it stands in the file.
        kind: What its values are.
        meaning: In words.
        required: A file without it is refused; nulls in it are refused.

    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False


def _depth_columns() -> list[Column]:
    columns = []
    for level in range(1, DEPTH_LEVELS + 1):
        for side in ("bid", "ask"):
            word = "best" if level == 1 else f"level {level} of the"
            tail = "" if level == 1 else f"_{level}"
            columns += [
                Column(f"{side}_price{tail}", Kind.PRICE, f"{word} {side}, price; 0: no {side}"),
                Column(f"{side}_qty{tail}", Kind.QUANTITY, f"{word} {side}, quantity"),
                Column(f"{side}_orders{tail}", Kind.QUANTITY, f"{word} {side}, number of orders"),
            ]
    return columns


COLUMNS: tuple[Column, ...] = (
    Column("ts", Kind.TIME, "when the update was sent by the exchange or received", required=True),
    Column("token", Kind.NUMBER_OR_NAME, "the exchange's number for the instrument"),
    Column("symbol", Kind.NAME, "the exchange's symbol, needed where there is no token"),
    Column("exchange", Kind.NAME, "NSE or BSE; without it NSE"),
    Column("segment", Kind.NUMBER_OR_NAME, "market segment number, or EQ, INDEX, NSE, BSE"),
    Column("ltp", Kind.PRICE, "last traded price", required=True),
    Column("ltq", Kind.QUANTITY, "quantity of the last trade"),
    Column("volume", Kind.QUANTITY, "traded on this day so far"),
    *_depth_columns(),
    Column("open", Kind.PRICE, "the day's first price"),
    Column("high", Kind.PRICE, "the day's highest price so far"),
    Column("low", Kind.PRICE, "the day's lowest price so far"),
    Column("prev_close", Kind.PRICE, "official close of the previous trading day"),
    Column("atp", Kind.AVERAGE, "the day's average traded price so far"),
    Column("total_buy_qty", Kind.QUANTITY, "all buy orders in the book"),
    Column("total_sell_qty", Kind.QUANTITY, "all sell orders in the book"),
    Column("open_interest", Kind.QUANTITY, "open interest"),
    Column("week_52_high", Kind.PRICE, "52-week high before this day, adjusted"),
    Column("week_52_low", Kind.PRICE, "52-week low before this day, adjusted"),
)
"""The schema, in the order of the documentation."""

BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}

TYPES: dict[Kind, str] = {
    Kind.TIME: "datetime with a zone; s, ms, us or ns",
    Kind.PRICE: "rupees: float, decimal or integer; exact to the paisa",
    Kind.AVERAGE: "rupees: float, decimal or integer; rounded to the paisa",
    Kind.QUANTITY: "integer, or float holding whole numbers",
    Kind.NUMBER_OR_NAME: "integer or text",
    Kind.NAME: "text",
}
"""What each kind is in the file, in the words of the documentation and the errors."""


class Batch(NamedTuple):
    """
    Some consecutive rows of a recording, column by column.

    Args:
        ts: UNIX nanoseconds, never falling.
        instrument: Number of each row's instrument, as `Recording.keys` has it.
        figures: The told figures by column name; `UNTOLD` where a row does not tell one.

    """

    ts: Int64Array
    instrument: Int32Array
    figures: dict[str, Int64Array]

    def rows(self, selection: slice | npt.NDArray[Any]) -> Batch:
        """Return the selected rows, in the order of the selection."""
        figures = {name: values[selection] for name, values in self.figures.items()}
        return Batch(self.ts[selection], self.instrument[selection], figures)


class BadValue(Exception):  # noqa: N818 - an answer to the caller, who names the place
    """One value of a column cannot be meant; ``row`` is its index in the array."""

    def __init__(self, row: int, value: object, problem: str, expected: str) -> None:
        super().__init__(problem)
        self.row = row
        self.value = str(value)
        self.problem = problem
        self.expected = expected


def type_problem(column: Column, data_type: pa.DataType) -> tuple[str, str] | None:
    """Return what is wrong with a column's type and what was expected; None if nothing is."""
    if column.kind is Kind.TIME:
        if not pt.is_timestamp(data_type):
            return f"the column holds {data_type}", TYPES[Kind.TIME]
        if data_type.tz is None:
            return "the column has no time zone", 'times with a zone, such as "Asia/Kolkata" or UTC'
        return None
    if column.kind in (Kind.NUMBER_OR_NAME, Kind.NAME):
        value_type = data_type.value_type if pt.is_dictionary(data_type) else data_type
        is_number = pt.is_integer(value_type) and column.kind is Kind.NUMBER_OR_NAME
        is_text = any(
            is_(value_type) for is_ in (pt.is_string, pt.is_large_string, pt.is_string_view)
        )
        if is_number or is_text:
            return None
        return f"the column holds {data_type}", TYPES[column.kind]
    if pt.is_integer(data_type) or pt.is_floating(data_type):
        return None
    if pt.is_decimal(data_type) and column.kind is not Kind.QUANTITY:
        return None
    return f"the column holds {data_type}", TYPES[column.kind]


def to_integers(column: Column, array: Any) -> Int64Array:
    """
    Return the values of an Arrow array as 64-bit integers in this project's units.

    Nulls of an optional column become `UNTOLD`.

    Raises:
        BadValue: At the first value that is null in a required column, not a
            number, out of range, or a price off the paisa.

    """
    missing = _missing(column, array)
    if column.kind is Kind.TIME:
        values = _times(array)
    elif column.kind is Kind.QUANTITY:
        values = _quantities(array, missing)
    else:
        values = _paise(column, array, missing)
    if missing is not None:
        values[missing] = UNTOLD
    return values


def numbers_of(array: Any) -> npt.NDArray[Any]:
    """
    Return the values of an Arrow array of numbers, to be read only; any value where it is null.

    Made of the buffer: Arrow's own way imports pandas where that is installed,
    which takes longer than all the rest of opening a recording.
    """
    buffer = array.buffers()[1]
    kind = "f" if pt.is_floating(array.type) else "u" if pt.is_unsigned_integer(array.type) else "i"
    dtype = np.dtype(f"{kind}{array.type.bit_width // 8}")
    if buffer is None or not len(array):
        return np.zeros(len(array), dtype=dtype)
    return np.frombuffer(buffer, dtype=dtype, count=array.offset + len(array))[array.offset :]


def nulls_of(array: Any) -> npt.NDArray[np.bool_]:
    """Return where an Arrow array is null."""
    return numbers_of(pc.is_null(array).cast(pa.uint8())).astype(np.bool_)


def _missing(column: Column, array: Any) -> npt.NDArray[np.bool_] | None:
    """Return where the array is null; None if it is nowhere."""
    if not array.null_count:
        return None
    missing = nulls_of(array)
    if column.required:
        raise BadValue(int(missing.argmax()), "null", "the value is missing", "one in every row")
    return missing


def _times(array: Any) -> Int64Array:
    per_second = _PER_SECOND[array.type.unit]
    counts = numbers_of(array.cast(pa.int64()))
    bad = (counts < _MIN_SECOND * per_second) | (counts >= _MAX_SECOND * per_second)
    if bad.any():
        row = int(bad.argmax())
        # As it stands in the file: such a time may be none that Python could show.
        value = f"{int(counts[row])} {array.type.unit} since 1970"
        raise BadValue(row, value, "the time is out of range", "a time from 1990 to 2099")
    nanoseconds: Int64Array = counts * (NS_PER_SECOND // per_second)
    return nanoseconds


def _floats(array: Any, missing: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.float64]:
    """Return the array as floats, 0 where it is null; refuse what is no number."""
    floats: npt.NDArray[np.float64] = numbers_of(array.cast(pa.float64()))
    if missing is not None:
        floats = np.where(missing, 0.0, floats)
    finite = np.isfinite(floats)
    if not finite.all():
        row = int(finite.argmin())
        raise BadValue(row, array[row], "the value is no number", "a number; null where not known")
    return floats


def _quantities(array: Any, missing: npt.NDArray[np.bool_] | None) -> Int64Array:
    expected = f"a whole number from 0 to {MAX_QUANTITY:,}"
    if pt.is_floating(array.type):
        floats = _floats(array, missing)
        odd = floats != np.rint(floats)
        if odd.any():
            row = int(odd.argmax())
            raise BadValue(row, array[row], "the quantity is no whole number", expected)
        bad = (floats < 0) | (floats > MAX_QUANTITY)
        values = np.where(bad, 0, floats).astype(np.int64)
    else:
        numbers = numbers_of(array)
        if missing is not None:
            numbers = np.where(missing, 0, numbers)
        bad = (numbers < 0) | (numbers > MAX_QUANTITY)
        values = numbers.astype(np.int64)
    if bad.any():
        row = int(bad.argmax())
        raise BadValue(row, array[row], "the quantity is out of range", expected)
    return values


def _paise(column: Column, array: Any, missing: npt.NDArray[np.bool_] | None) -> Int64Array:
    scaled = _floats(array, missing) * 100.0
    rounded = np.rint(scaled)
    if column.required:
        bad = (rounded < 1) | (rounded > MAX_PRICE)
        expected = "a price above 0 and up to 10,000,000 rupees"
    else:
        bad = (scaled < 0) | (rounded > MAX_PRICE)
        expected = "a price from 0 (none) to 10,000,000 rupees"
    if missing is not None:
        bad &= ~missing
    if bad.any():
        row = int(bad.argmax())
        raise BadValue(row, array[row], "the price is out of range", expected)
    if column.kind is Kind.PRICE:
        # 32-bit floats and sums of floats lie a little beside the paisa; a
        # millionth is noise, but never more than a quarter of a paisa.
        off = np.abs(scaled - rounded) > np.minimum(scaled * 1e-6, 0.25)
        if off.any():
            row = int(off.argmax())
            raise BadValue(
                row, array[row], "the price is no whole number of paise", "rupees and paise"
            )
    paise: Int64Array = rounded.astype(np.int64)
    return paise
