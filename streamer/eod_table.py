"""
One table of an end-of-day file: its cells, checked where they stand, and what is kept of them.

The kinds of file are `streamer.eod_forms`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Final, Literal, NoReturn

import msgspec

from streamer.errors import EodError
from streamer.instruments import Exchange

Kind = Literal["udiff", "sec_bhavdata_full", "bhavcopy", "pd", "52_week", "bc"]

_MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_DATE: Final = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)|(?P<d2>\d\d)[-/](?P<m2>[A-Za-z]{3}|\d\d)[-/](?P<y2>\d{4})"
)
# NSE's 52-week file writes 80 paise as .80
_PRICE: Final = re.compile(r"(?=\.?\d)\d{0,12}(?:\.\d{1,4})?")
_QUANTITY: Final = re.compile(r"\d{1,15}(?:\.0+)?")


class BarRow(msgspec.Struct, frozen=True):
    """One instrument's session; ``token`` is 0 and ``isin`` empty where the file has none."""

    symbol: str
    series: str
    token: int
    isin: str
    open: int
    high: int
    low: int
    close: int
    volume: int


class RangeRow(msgspec.Struct, frozen=True):
    """One instrument's 52-week range; 0 and None are unknown."""

    symbol: str
    series: str
    high: int
    high_on: date | None
    low: int
    low_on: date | None


class ActionRow(msgspec.Struct, frozen=True):
    """One corporate action of one instrument."""

    symbol: str
    series: str
    ex_date: date
    purpose: str


class EodFile(msgspec.Struct, frozen=True):
    """
    The content of one file, without what no quote needs.

    ``effective`` is the session that a bhavcopy is of, or that a 52-week file
    is made for; for ``bc`` the day on which it was published. ``sha256`` is of
    the file itself, whatever it was packed in.
    """

    kind: Kind
    exchange: Exchange
    effective: date
    name: str
    sha256: str
    bars: tuple[BarRow, ...] = ()
    ranges: tuple[RangeRow, ...] = ()
    actions: tuple[ActionRow, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows are kept of it."""
        return len(self.bars) + len(self.ranges) + len(self.actions)


class OtherFile(msgspec.Struct, frozen=True):
    """A file that the exchanges publish too, and that no quote needs."""

    kind: str
    name: str


class Table(msgspec.Struct, frozen=True):
    """The rows below a header, and what is known of the file that they are in."""

    file: str
    above: str
    columns: Mapping[str, int]
    rows: Sequence[tuple[int, list[str]]]

    def each(self) -> Iterator[Row]:
        """Yield the rows in their order."""
        for line, cells in self.rows:
            yield Row(self, line, cells)


class Row(msgspec.Struct, frozen=True):
    """One line of a file."""

    table: Table
    line: int
    cells: list[str]

    def text(self, column: str) -> str:
        """Return a cell, without the blanks around it."""
        return self.cells[self.table.columns[column]]

    def refuse(self, column: str, problem: str, expected: str) -> NoReturn:
        """Raise `EodError` for a cell."""
        raise EodError(
            problem,
            expected=expected,
            file=self.table.file,
            line=self.line,
            column=column,
            value=self.text(column),
        )

    def required(self, column: str) -> str:
        """Return a cell that must not be empty, with single blanks inside."""
        value = self.text(column)
        if not value:
            self.refuse(column, "it is empty", "a value")
        return " ".join(value.split())

    def price(self, column: str, *, unknown: str | None = None, exact: bool = True) -> int:
        """
        Return paise; ``unknown`` stands for no price, and gives 0.

        Where it need not be ``exact``, parts of a paisa are rounded, half of
        one up: India VIX has four decimals.
        """
        value = self.text(column)
        if unknown is not None and value == unknown:
            return 0
        if not _PRICE.fullmatch(value):
            self.refuse(column, "it is no price", "rupees, as 1365.50")
        paise = Decimal(value) * 100
        if exact and paise != int(paise):
            self.refuse(column, "it is no whole number of paise", "rupees with two decimals")
        return int(paise.quantize(Decimal(1), ROUND_HALF_UP))

    def quantity(self, column: str) -> int:
        """Return a whole number, 0 or more."""
        value = self.text(column)
        if not _QUANTITY.fullmatch(value):
            self.refuse(column, "it is no number of shares", "a whole number, 0 or more")
        return int(value.partition(".")[0])

    def date(self, column: str, *, unknown: str | None = None) -> date | None:
        """Return a date; ``unknown`` stands for none."""
        value = self.text(column)
        if unknown is not None and value == unknown:
            return None
        found = parse_date(value)
        if found is None:
            self.refuse(column, "it is no date", "a date, as 2025-12-17 or 17-Dec-2025")
        return found

    def bar(
        self,
        symbol: str,
        series: str,
        columns: tuple[str, str, str, str, str],
        *,
        token: int = 0,
        isin: str = "",
        exact: bool = True,
    ) -> BarRow:
        """Return the row's session; ``columns`` are those of open, high, low, close, volume."""
        first, high, low, close, volume = columns
        return BarRow(
            symbol=symbol,
            series=series,
            token=token,
            isin=isin,
            open=self.price(first, exact=exact),
            high=self.price(high, exact=exact),
            low=self.price(low, exact=exact),
            close=self.price(close, exact=exact),
            volume=self.quantity(volume),
        )


def parse_date(text: str) -> date | None:
    """Return the date of ``2025-12-17``, ``17-Dec-2025``, ``17-DEC-2025`` or ``17/12/2025``."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    if match["y"]:
        year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
    else:
        name = match["m2"].upper()
        year, day = int(match["y2"]), int(match["d2"])
        month = _month(name)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def base_name(file: str) -> str:
    """Return a file's own name, without its folder or archive."""
    return Path(file.rpartition(":")[2]).name


def _month(text: str) -> int:
    if not text.isalpha():
        return int(text)
    return _MONTHS.index(text) + 1 if text in _MONTHS else 0
