"""
One row of an instrument file, each value checked where it stands.

Whatever a file looks like, a token, a symbol, an ISIN or a price step is read
by the same rule and refused in the same words. Which column holds what is the
business of `streamer.instrument_files` and `streamer.instrument_masters`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NoReturn, TypeVar

import msgspec

from streamer.errors import InstrumentError
from streamer.instruments import MAX_SYMBOL_LENGTH, Exchange

T = TypeVar("T")

EXCHANGES: Final[dict[str, Exchange]] = {"NSE": "NSE", "BSE": "BSE"}

MAX_TOKEN: Final = 2**31 - 1
MAX_LOT: Final = 10_000_000
MAX_TICK: Final = 99_999_999
"""In paise."""

SYMBOL: Final = re.compile(
    rf"[\x21-\x39\x3b-\x7e](?:[\x20-\x39\x3b-\x7e]{{0,{MAX_SYMBOL_LENGTH - 1}}})"
)
SERIES: Final = re.compile(r"[A-Za-z0-9]{0,8}")
ISIN: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]|")

_SYMBOL_EXPECTED: Final = (
    f"up to {MAX_SYMBOL_LENGTH} letters, digits and signs, no colon among them"
)
_WHOLE_DECIMAL: Final = re.compile(r"^([0-9]+)\.0+$")
_RUPEES: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,4})?|")
_PAISE: Final = re.compile(r"([0-9]{1,8})(?:\.0{1,6})?|")


class Row(msgspec.Struct, frozen=True):
    """
    What stands in each column of a row, the blanks around it cut.

    ``number`` counts lines of a text, items of a JSON array, or rows of a
    table, each from 1; ``unit`` says which. Every method raises
    :class:`InstrumentError` with this place.
    """

    file: str
    number: int
    cells: Mapping[str, str]
    unit: str = "line"

    def refuse(self, column: str, problem: str, expected: str) -> NoReturn:
        """Refuse what stands in a column."""
        raise InstrumentError(
            problem,
            expected=expected,
            file=self.file,
            line=self.number,
            unit=self.unit,
            column=column,
            value=self.cells.get(column, ""),
        )

    def match(self, column: str, pattern: re.Pattern[str], expected: str) -> str:
        """Return a text that fits a pattern as a whole."""
        value = self.cells[column]
        if not pattern.fullmatch(value):
            self.refuse(column, "it is unusable" if value else "it is empty", expected)
        return value

    def choose(self, column: str, choices: Mapping[str, T]) -> T:
        """Return what one of a few words stands for."""
        value = self.cells[column]
        if value not in choices:
            self.refuse(
                column, "it is unknown", " or ".join(choice for choice in choices if choice)
            )
        return choices[value]

    def token(self, column: str) -> int:
        """Return an exchange's number for an instrument."""
        return self._whole(column, self.cells[column], 1, MAX_TOKEN)

    def symbol(self, column: str) -> str:
        """Return a symbol, several blanks in it made one."""
        return " ".join(self.match(column, SYMBOL, _SYMBOL_EXPECTED).split())

    def series(self, column: str) -> str:
        """Return a series or group in capitals; it may be empty."""
        return self.match(column, SERIES, "up to 8 letters or digits, as EQ").upper()

    def isin(self, column: str) -> str:
        """Return an ISIN; it may be empty."""
        return self.match(column, ISIN, "12 letters and digits, as INE002A01018, or nothing")

    def lot(self, column: str) -> int:
        """Return the smallest quantity that trades; 1 where nothing is said, 1.0 is 1."""
        text = _WHOLE_DECIMAL.sub(r"\1", self.cells[column])
        return self._whole(column, text or "1", 1, MAX_LOT)

    def tick_in_rupees(self, column: str) -> int:
        """Return a price step in paise, told in rupees; 0 where nothing is said."""
        rupees = self.match(
            column, _RUPEES, "rupees, as 0.05; empty where the rule of the date applies"
        )
        paise = Decimal(rupees or 0) * 100
        if paise != int(paise):
            self.refuse(
                column, "it is no whole number of paise", "rupees with two decimals, as 0.05"
            )
        return int(paise)

    def tick_in_paise(self, column: str) -> int:
        """Return a price step in paise, told in paise; 0 where nothing is said."""
        self.match(column, _PAISE, "whole paise, as 5 or 5.0000 for 0.05 rupees, or nothing")
        return int(self.cells[column].partition(".")[0] or 0)

    def _whole(self, column: str, digits: str, lowest: int, highest: int) -> int:
        expected = f"a whole number from {lowest} to {highest}"
        if not digits.isascii() or not digits.isdigit() or len(digits) > 10:
            self.refuse(column, "it is no such number" if digits else "it is empty", expected)
        if not lowest <= int(digits) <= highest:
            self.refuse(column, "it is out of range", expected)
        return int(digits)
