"""The calendar and the instruments: those bundled, joined by the files that an operator names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streamer.calendar import TradingCalendar
from streamer.calendar_files import load_calendar
from streamer.instrument_files import load_csv
from streamer.instrument_parquet import MAGIC_BYTES, is_parquet, load_parquet
from streamer.instruments import Instrument, InstrumentTable


def trading_calendar(more: Path | None) -> TradingCalendar:
    """
    Return the bundled calendar, with the days of a file put in the place of its own.

    Raises:
        CalendarError: If the file is unusable.

    """
    calendar = TradingCalendar.bundled()
    return calendar if more is None else calendar.merged(load_calendar(more))


def instrument_table(more: Iterable[Path]) -> InstrumentTable:
    """
    Return the bundled instruments, joined by those of files, CSV or Parquet.

    Raises:
        InstrumentError: If a file is unusable.

    """
    added = [instrument for path in more for instrument in _load(path)]
    return InstrumentTable.bundled().with_instruments(added)


def _load(path: Path) -> list[Instrument]:
    try:
        with path.open("rb") as file:
            start = file.read(MAGIC_BYTES)
    except OSError:
        # The loader of CSV files says why.
        start = b""
    return load_parquet(path) if is_parquet(start) else load_csv(path)
