"""
Instrument tables and aliases from CSV files, each value checked where it stands.

The files are described in docs/instruments.md. What an instrument is, and what
a client's words mean, is `streamer.instruments`' subject.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from importlib.resources import files
from pathlib import Path

from streamer.errors import InstrumentError
from streamer.instrument_rows import EXCHANGES, SYMBOL, Row
from streamer.instruments import SEGMENTS, Alias, Exchange, Instrument, Kind

_REQUIRED = ("exchange", "token", "symbol")
_COLUMNS = (*_REQUIRED, "series", "name", "isin", "lot", "tick", "kind", "source")
_ALIAS_COLUMNS = ("exchange", "alias", "stands_for", "source")

_KINDS: dict[str, Kind] = {"": "equity", "equity": "equity", "index": "index"}


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
    for row in own_rows(text, file=file):
        instrument = read_own_row(row)
        earlier = seen.setdefault((instrument.exchange, instrument.token), row.number)
        if earlier != row.number:
            row.refuse("token", f"it stands on line {earlier} already", "each instrument once")
        instruments.append(instrument)
    return instruments


def is_own_header(cells: Collection[str]) -> bool:
    """Return whether a header is that of an instrument file of ours."""
    names = {cell.lower() for cell in cells}
    return names.issuperset(_REQUIRED) and names.issubset(_COLUMNS)


def own_rows(text: str, *, file: str) -> Iterator[Row]:
    """
    Yield the rows of an instrument file of ours, none of which was looked at.

    Raises:
        InstrumentError: At the first line that does not fit the header.

    """
    return _rows(text, file=file, columns=_COLUMNS, required=_REQUIRED)


def parse_aliases(text: str, *, file: str) -> list[Alias]:
    """
    Read aliases from the text of a file; ``file`` names it in errors.

    Raises:
        InstrumentError: At the first unusable line.

    """
    return [
        Alias(
            exchange=row.choose("exchange", EXCHANGES),
            alias=row.match("alias", SYMBOL, "a symbol or token"),
            stands_for=row.match("stands_for", SYMBOL, "a symbol or token of the exchange"),
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


def read_own_row(row: Row) -> Instrument:
    """
    Return the instrument of a row whose columns are those of our own files.

    Raises:
        InstrumentError: If a value is unusable.

    """
    exchange = row.choose("exchange", EXCHANGES)
    kind = row.choose("kind", _KINDS)
    series = row.series("series")
    return Instrument(
        segment=SEGMENTS[exchange],
        token=row.token("token"),
        symbol=row.symbol("symbol"),
        exchange=exchange,
        series=series or ("INDEX" if kind == "index" else "EQ" if exchange == "NSE" else ""),
        name=row.cells["name"],
        isin=row.isin("isin"),
        lot=row.lot("lot"),
        tick=row.tick_in_rupees("tick"),
        kind=kind,
    )


def _rows(
    text: str, *, file: str, columns: tuple[str, ...], required: tuple[str, ...]
) -> Iterator[Row]:
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
        yield Row(
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
            expected=f"columns from {', '.join(columns)}; a list of an exchange or a broker "
            "is made a file of ours by odin-streamer instruments import",
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
