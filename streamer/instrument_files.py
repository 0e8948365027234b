"""
Instrument tables and aliases from CSV files, each value checked where it stands.

The files are described in docs/instruments.md. What an instrument is, and what
a client's words mean, is `streamer.instruments`' subject.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from streamer.errors import InstrumentError
from streamer.instruments import (
    MAX_SYMBOL_LENGTH,
    SEGMENTS,
    Alias,
    Exchange,
    Instrument,
    Kind,
)

T = TypeVar("T")

_REQUIRED = ("exchange", "token", "symbol")
_COLUMNS = (*_REQUIRED, "series", "name", "isin", "lot", "tick", "kind", "source")
_ALIAS_COLUMNS = ("exchange", "alias", "stands_for", "source")

_MAX_TOKEN = 2**31 - 1
_EXCHANGES: dict[str, Exchange] = {"NSE": "NSE", "BSE": "BSE"}
_KINDS: dict[str, Kind] = {"": "equity", "equity": "equity", "index": "index"}
_SYMBOL = re.compile(rf"[\x21-\x39\x3b-\x7e](?:[\x20-\x39\x3b-\x7e]{{0,{MAX_SYMBOL_LENGTH - 1}}})")
_SYMBOL_EXPECTED = f"up to {MAX_SYMBOL_LENGTH} letters, digits and signs, no colon among them"
_SERIES = re.compile(r"[A-Za-z0-9]{0,8}")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]|")
_TICK = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,4})?|")


def load_csv(path: Path) -> list[Instrument]:
    """
    Read a file of instruments, in the order of its lines.

    Raises:
        InstrumentError: If the file cannot be read, or a line of it is unusable.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InstrumentError(
            f"it cannot be read ({error.strerror or error})",
            expected="a CSV file of instruments",
            file=str(path),
        ) from error
    except UnicodeDecodeError as error:
        raise InstrumentError(
            f"byte {error.start} is no UTF-8", expected="text in UTF-8", file=str(path)
        ) from error
    return parse_instruments(text, file=str(path))


def parse_instruments(text: str, *, file: str) -> list[Instrument]:
    """
    Read instruments from the text of a file; ``file`` names it in errors.

    Raises:
        InstrumentError: At the first unusable line. The same exchange and
            token twice in one file is unusable too.

    """
    seen: dict[tuple[Exchange, int], int] = {}
    instruments = []
    for row in _rows(text, file=file, columns=_COLUMNS, required=_REQUIRED):
        instrument = _instrument(row)
        earlier = seen.setdefault((instrument.exchange, instrument.token), row.line)
        if earlier != row.line:
            row.refuse("token", f"it stands on line {earlier} already", "each instrument once")
        instruments.append(instrument)
    return instruments


def parse_aliases(text: str, *, file: str) -> list[Alias]:
    """
    Read aliases from the text of a file; ``file`` names it in errors.

    Raises:
        InstrumentError: At the first unusable line.

    """
    return [
        Alias(
            exchange=row.choose("exchange", _EXCHANGES),
            alias=row.match("alias", _SYMBOL, "a symbol or token"),
            stands_for=row.match("stands_for", _SYMBOL, "a symbol or token of the exchange"),
            source=row.cells["source"],
        )
        for row in _rows(text, file=file, columns=_ALIAS_COLUMNS, required=_ALIAS_COLUMNS)
    ]


def bundled_instruments() -> list[Instrument]:
    """Return the instruments that come with the server."""
    return parse_instruments(_bundled("instruments.csv"), file="instruments.csv")


def bundled_aliases() -> list[Alias]:
    """Return the aliases that come with the server."""
    return parse_aliases(_bundled("aliases.csv"), file="aliases.csv")


def _bundled(name: str) -> str:
    return (files("streamer") / "data" / name).read_text(encoding="utf-8")


class _Row(msgspec.Struct, frozen=True):
    """One line of a file: what is in each column, the blanks around it cut."""

    file: str
    line: int
    cells: Mapping[str, str]

    def refuse(self, column: str, problem: str, expected: str) -> NoReturn:
        raise InstrumentError(
            problem,
            expected=expected,
            file=self.file,
            line=self.line,
            column=column,
            value=self.cells[column],
        )

    def match(self, column: str, pattern: re.Pattern[str], expected: str) -> str:
        value = self.cells[column]
        if not pattern.fullmatch(value):
            self.refuse(column, "it is unusable" if value else "it is empty", expected)
        return value

    def choose(self, column: str, choices: Mapping[str, T]) -> T:
        value = self.cells[column]
        if value not in choices:
            self.refuse(
                column, "it is unknown", " or ".join(choice for choice in choices if choice)
            )
        return choices[value]

    def number(self, column: str, lowest: int, highest: int, default: str = "") -> int:
        digits = self.cells[column] or default
        expected = f"a whole number from {lowest} to {highest}"
        if not digits.isascii() or not digits.isdigit() or len(digits) > 10:
            self.refuse(column, "it is no such number" if digits else "it is empty", expected)
        if not lowest <= int(digits) <= highest:
            self.refuse(column, "it is out of range", expected)
        return int(digits)


def _instrument(row: _Row) -> Instrument:
    exchange = row.choose("exchange", _EXCHANGES)
    kind = row.choose("kind", _KINDS)
    series = row.match("series", _SERIES, "up to 8 letters or digits, as EQ").upper()
    rupees = row.match("tick", _TICK, "rupees, as 0.05; empty where the rule of the date applies")
    paise = Decimal(rupees or 0) * 100
    if paise != int(paise):
        row.refuse("tick", "it is no whole number of paise", "rupees with two decimals, as 0.05")
    return Instrument(
        segment=SEGMENTS[exchange],
        token=row.number("token", 1, _MAX_TOKEN),
        symbol=" ".join(row.match("symbol", _SYMBOL, _SYMBOL_EXPECTED).split()),
        exchange=exchange,
        series=series or ("INDEX" if kind == "index" else "EQ" if exchange == "NSE" else ""),
        name=row.cells["name"],
        isin=row.match("isin", _ISIN, "12 letters and digits, as INE002A01018, or nothing"),
        lot=row.number("lot", 1, 10_000_000, default="1"),
        tick=int(paise),
        kind=kind,
    )


def _rows(
    text: str, *, file: str, columns: tuple[str, ...], required: tuple[str, ...]
) -> Iterator[_Row]:
    """Yield the lines below the header, without empty ones and those that begin with ``#``."""
    header: list[str] | None = None
    # A comment may hold a stray quote, so comments go before csv sees them; an
    # empty line keeps its place, so that the numbers of lines stay true.
    lines = ["" if line.lstrip().startswith("#") else line for line in text.split("\n")]
    reader = csv.reader(lines, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InstrumentError(
                str(error), expected="a line of CSV", file=file, line=reader.line_num
            ) from error
        if cells is None:
            break
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if header is None:
            header = _header(
                cells, file=file, line=reader.line_num, columns=columns, required=required
            )
            continue
        if len(cells) != len(header):
            raise InstrumentError(
                f"{len(cells)} columns found",
                expected=f"{len(header)}, as in the header",
                file=file,
                line=reader.line_num,
            )
        yield _Row(
            file,
            reader.line_num,
            dict.fromkeys(columns, "") | dict(zip(header, cells, strict=True)),
        )
    if header is None:
        raise InstrumentError(
            "no header found", expected=f"the columns {', '.join(required)}", file=file
        )


def _header(
    cells: list[str], *, file: str, line: int, columns: tuple[str, ...], required: tuple[str, ...]
) -> list[str]:
    header = [cell.lower() for cell in cells]
    wrong = next(
        (
            cell
            for index, cell in enumerate(header)
            if cell not in columns or cell in header[:index]
        ),
        None,
    )
    if wrong is not None:
        raise InstrumentError(
            "this column is unknown or stands there twice",
            expected=f"columns from {', '.join(columns)}",
            file=file,
            line=line,
            column=wrong,
        )
    missing = [column for column in required if column not in header]
    if missing:
        raise InstrumentError(
            f"no column {missing[0]!r} found",
            expected=f"at least the columns {', '.join(required)}",
            file=file,
            line=line,
        )
    return header
