"""
Which part of a recording is replayed, and as when: options given meaning.

``--from`` and ``--to``, ``--symbols``, ``--shift``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import NS_PER_SECOND, ist_date, ist_datetime, ist_midnight, ist_ns
from streamer.odin.tags import InstrumentKey

__all__ = ["LEAD_NS", "chosen_keys", "shift_of", "window_end", "window_start"]

LEAD_NS = 5_000_000_000
"""How long before the open a replay begins, so that one sees the market open."""


def window_start(text: str | None, *, first_row: int, calendar: TradingCalendar) -> int:
    """
    Return where a window begins, UNIX nanoseconds.

    Args:
        text: ``HH:MM[:SS]`` in India on the day of the first row, or
            ``start``: the first row. None is 5 s before the session opens,
            also for a recording that begins within the session; 5 s before
            the first row where no session follows it on its day.
        first_row: Time of the recording's first row.
        calendar: Tells when sessions open.

    Raises:
        ConfigError: If ``text`` is no such time.

    """
    day = ist_date(first_row)
    if text == "start":
        return first_row
    if text is not None:
        return _clock_on(day, text, "--from", "start")
    for session in calendar.day(day).sessions:
        if first_row < session.close:
            return session.open - LEAD_NS
    return first_row - LEAD_NS


def window_end(text: str | None, *, last_row: int, start: int) -> int:
    """
    Return where a window ends, UNIX nanoseconds; rows from then on are not replayed.

    Args:
        text: ``HH:MM[:SS]`` in India on the day of the last row, or ``end``,
            also the default: behind the last row.
        last_row: Time of the recording's last row.
        start: Where the window begins.

    Raises:
        ConfigError: If ``text`` is no such time, or not after the start.

    """
    end = last_row + 1
    if text is not None and text != "end":
        end = _clock_on(ist_date(last_row), text, "--to", "end")
    if end <= start:
        raise ConfigError(
            f"the window would end at {ist_datetime(end)} IST, not after its start at"
            f" {ist_datetime(start)} IST; expected --from before --to, both within the recording"
        )
    return end


def shift_of(word: str | None, *, start: int, now: int) -> int:
    """
    Return what is added to every time of a replay, in nanoseconds: whole seconds.

    Args:
        word: ``today`` moves the window's first day to the day of ``now``,
            at the same times of day; ``now`` moves its start to ``now``;
            None moves nothing.
        start: Where the window begins.
        now: UNIX nanoseconds.

    """
    if word == "today":
        return ist_midnight(ist_date(now)) - ist_midnight(ist_date(start))
    if word == "now":
        return (now - start) // NS_PER_SECOND * NS_PER_SECOND
    return 0


def _clock_on(day: date, text: str, option: str, word: str) -> int:
    try:
        return ist_ns(day, text)
    except ValueError:
        raise ConfigError(
            f"{option} {text}: expected a time of day in India, HH:MM or HH:MM:SS, or {word}"
        ) from None


def chosen_keys(
    names: Sequence[str],
    *,
    instruments: Mapping[InstrumentKey, Instrument],
    table: InstrumentTable,
) -> Collection[InstrumentKey]:
    """
    Return the instruments of a recording that ``names`` choose.

    Args:
        names: Symbols or tokens, with or without exchange, as a client of the
            streamer writes them.
        instruments: Those of the recording.
        table: Knows aliases, and how a bare name is understood.

    Raises:
        ConfigError: If a name means nothing, or nothing in the recording.

    """
    own = InstrumentTable(instruments.values())
    keys: dict[InstrumentKey, None] = {}
    for name in names:
        found = own.resolve(name) or table.resolve(name)
        if found is None or found.key not in instruments:
            some = ", ".join(instrument.symbol for instrument in list(instruments.values())[:8])
            more = ", ..." if len(instruments) > 8 else ""
            raise ConfigError(f"{name!r} is not in the recording; expected any of {some}{more}")
        keys[found.key] = None
    return keys.keys()
