"""The figures of a session for a person or a program that asks, from a store and the calendar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Final

from streamer.calendar import TradingCalendar
from streamer.eod_session import without_files
from streamer.eod_store import EodStore
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import ist_midnight
from streamer.odin.tags import InstrumentKey
from streamer.reference import NO_FIGURES

_FIGURES: Final = {
    "prev_close": "prev. close",
    "week_52_high": "52-week high",
    "week_52_low": "52-week low",
    "avg_volume_5d": "avg. volume",
}


def look_up(
    path: Path, table: InstrumentTable, instruments: Iterable[Instrument], on: date
) -> dict[InstrumentKey, dict[str, Any]]:
    """
    Return the figures of instruments for the session of a day, or the next one, as JSON values.

    Args:
        path: The store; where there is none, nothing is known.
        table: The instruments of the server.
        instruments: Some of them.
        on: The day.

    Raises:
        StoreError: If the store cannot be read.

    """
    calendar = TradingCalendar.bundled()
    session = calendar.trading_day(ist_midnight(on))

    def is_session(day: date) -> bool:
        return bool(calendar.day(day).sessions)

    asked = list(instruments)
    # NSE's lists tell of BSE's shares too.
    twins = (table.resolve(f"NSE:{each.symbol}") for each in asked)
    listed = {each.key: each for each in (*asked, *twins) if each is not None}
    store = EodStore.read(path)
    if store is None:
        found = without_files(session, is_session)
    else:
        with store:
            found = store.session(session, listed.values(), is_session)
    return {
        each.key: {
            "session": session.isoformat(),
            **found.figures.get(each.key, NO_FIGURES).as_json(),
        }
        for each in asked
    }


def reference_facts(told: dict[str, Any]) -> dict[str, str]:
    """Return what :func:`look_up` tells of one instrument in words, by what it is about."""
    facts = {}
    for name, title in _FIGURES.items():
        value = told[name]
        if value is None:
            continue
        source = told["sources"][name]
        number = f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
        words = [number]
        if on := told.get(f"{name}_date"):
            words.append(f"on {on}")
        verb = "multiplied" if name == "avg_volume_5d" else "divided"
        factor = f", {verb} by {source['factor']}" if "factor" in source else ""
        words.append(f"({source['file']} for {source['effective']}{factor})")
        facts[title] = " ".join(words)
    if told["corporate_actions"]:
        facts["goes ex"] = "; ".join(each["purpose"] for each in told["corporate_actions"])
    if told["flags"]:
        facts["flags"] = ", ".join(told["flags"])
    return {"session": told["session"], **(facts or {"figures": "no end-of-day file tells any"})}
