"""The instruments of a recording that the streaming server does not know, as a file for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from streamer.errors import InstrumentError
from streamer.instrument_files import parse_instruments
from streamer.instruments import Instrument, InstrumentTable

__all__ = ["write_missing"]

_COLUMNS = ("exchange", "token", "symbol", "series", "name", "isin", "lot", "tick", "kind")


def write_missing(
    path: Path, instruments: Iterable[Instrument], table: InstrumentTable
) -> tuple[Path | None, list[Instrument]]:
    """
    Write the instruments that are not in ``table`` to a CSV file of instruments.

    Returns:
        The path, None if the table has all of them; and those that such a
        file cannot hold, because they are of another market segment.

    """
    lines = [_line(_COLUMNS)]
    left_out: list[Instrument] = []
    for instrument in instruments:
        if table.get(instrument.key) is not None:
            continue
        line = _line(_cells(instrument))
        try:
            (read,) = parse_instruments(lines[0] + line, file=path.name)
        except InstrumentError:
            left_out.append(instrument)
            continue
        if read.key == instrument.key:
            lines.append(line)
        else:
            left_out.append(instrument)
    if len(lines) == 1:
        return None, left_out
    path.write_text("".join(lines), encoding="utf-8")
    return path, left_out


def _cells(instrument: Instrument) -> tuple[str, ...]:
    return (
        instrument.exchange,
        str(instrument.token),
        instrument.symbol,
        "" if instrument.series == "INDEX" else instrument.series,
        instrument.name,
        instrument.isin,
        str(instrument.lot),
        f"{instrument.tick / 100:.2f}" if instrument.tick else "",
        instrument.kind,
    )


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
