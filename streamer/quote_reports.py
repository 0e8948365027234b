"""
Quotes for whoever asks, open or closed: the feed's newest, else the last session's from a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamer.beginnings import Beginnings
from streamer.hours import MarketHours
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import ist_ns
from streamer.odin.messages import Day, Tick
from streamer.odin.tags import InstrumentKey
from streamer.quotes import Quote
from streamer.reference import Bar
from streamer.timetables import REGULAR_WINDOW


def report_quotes(
    stocks: Iterable[str],
    instruments: InstrumentTable,
    quotes: Mapping[InstrumentKey, Quote],
    beginnings: Beginnings,
    hours: MarketHours,
) -> tuple[list[bytes], list[str]]:
    """
    Return the quote of each stock as JSON, and the stocks of which there is none.

    A quote is the ``data`` of rule M-1 with ``sources`` and ``flags``, in the
    order of the stocks, each instrument once. One that the feed has told
    nothing of is quoted by the newest end-of-day file before the present
    session. The second list has the words that name no instrument, and those
    of instruments of which nothing is known.
    """
    found: dict[InstrumentKey, bytes] = {}
    failed = []
    for stock in stocks:
        instrument = instruments.resolve(stock)
        if instrument is not None and instrument.key in found:
            continue
        report = None
        if instrument is not None:
            quote = quotes.get(instrument.key)
            if quote is not None and quote.tick is not None:
                report = quote.reported()
            else:
                report = _report_of_file(instrument, beginnings, hours)
        if instrument is None or report is None:
            failed.append(stock)
        else:
            found[instrument.key] = report
    return list(found.values()), failed


def _report_of_file(
    instrument: Instrument, beginnings: Beginnings, hours: MarketHours
) -> bytes | None:
    if hours.time is None:
        return None
    today = hours.calendar.trading_day(hours.time)
    bar = beginnings(instrument.key, today).figures.last_bar
    if bar is None or not bar.close:
        return None
    sessions = hours.calendar.day(bar.day).sessions
    closed = sessions[-1].close if sessions else ist_ns(bar.day, REGULAR_WINDOW[1])
    quote = Quote(instrument, beginnings)
    quote.update(_tick(instrument, bar, closed), closed)
    return quote.reported(bar.source.as_json())


def _tick(instrument: Instrument, bar: Bar, closed: int) -> Tick:
    """Return what the feed would have said at the end of a session."""
    return Tick(
        key=instrument.key,
        sent=closed,
        ltp=bar.close,
        volume=0 if instrument.kind == "index" else bar.volume,
        moment=closed,
        day=Day(
            close=0,
            open=bar.open or bar.close,
            high=bar.high or bar.close,
            low=bar.low or bar.close,
            locator=100,
        ),
    )
