"""The calendar and the instruments: those bundled, joined by the files that an operator names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streamer.calendar import TradingCalendar
from streamer.calendar_files import load_calendar
from streamer.instrument_files import load_csv
from streamer.instruments import InstrumentTable


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
    Return the bundled instruments, joined by those of files.

    Raises:
        InstrumentError: If a file is unusable.

    """
    table = InstrumentTable.bundled()
    for path in more:
        table = table.with_instruments(load_csv(path))
    return table
