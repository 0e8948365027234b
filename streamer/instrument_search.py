"""
Looking for instruments by what one remembers of them, and telling one from its relatives.

A client's words are `streamer.instruments`' subject and mean one instrument or
none; here a person asks, and gets all that may be meant, the likeliest first.
"""

from __future__ import annotations

from streamer.instruments import Instrument, InstrumentTable

_EXACT, _BEGINS, _WORD_BEGINS, _HOLDS = range(4)


def search(table: InstrumentTable, text: str) -> list[Instrument]:
    """
    Return the instruments that ``text`` may mean, the likeliest first.

    First what the text means to a client, then its symbols, tokens and ISINs,
    then symbols that begin with it, names with a word that does, and symbols
    and names that hold it anywhere. Letters of either case are the same.
    Nothing but blanks means nothing.
    """
    wanted = " ".join(text.upper().split())
    if not wanted:
        return []
    meant = table.resolve(text)
    found = [
        (each is not meant, rank, len(each.symbol), each.symbol, each.segment, each.token, each)
        for each in table
        if (rank := _EXACT if each is meant else _rank(each, wanted)) is not None
    ]
    return [each for *_, each in sorted(found, key=lambda one: one[:-1])]


def relatives(table: InstrumentTable, instrument: Instrument) -> list[Instrument]:
    """Return its other series and the other exchange's: of the same symbol or ISIN."""
    return [
        each
        for each in table
        if each is not instrument
        and (each.symbol == instrument.symbol or (bool(each.isin) and each.isin == instrument.isin))
    ]


def aliases_of(table: InstrumentTable, instrument: Instrument) -> list[str]:
    """Return the other words that mean an instrument."""
    return [
        each.alias
        for each in table.aliases
        if table.resolve(f"{each.exchange}:{each.alias}") is instrument
    ]


def _rank(instrument: Instrument, wanted: str) -> int | None:
    symbol, name = instrument.symbol.upper(), instrument.name.upper()
    if wanted in (symbol, instrument.isin, str(instrument.token)):
        return _EXACT
    if symbol.startswith(wanted):
        return _BEGINS
    if f" {wanted}" in f" {name}":
        return _WORD_BEGINS
    return _HOLDS if wanted in symbol or wanted in name else None
