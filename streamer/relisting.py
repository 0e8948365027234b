"""
What changes when one list of instruments takes another's place while the server runs.

An instrument's identity is its market segment and token. Of the same identity
a new symbol is a rename; an identity that is gone has vanished, though its
company may be there under another token, as after a move to another series.
"""

from __future__ import annotations

import msgspec

from streamer.instruments import Instrument, InstrumentTable
from streamer.odin.tags import InstrumentKey


class Renamed(msgspec.Struct, frozen=True):
    """An instrument whose symbol is another now."""

    before: Instrument
    after: Instrument

    @property
    def is_doubtful(self) -> bool:
        """Whether the ISIN is another, too: the exchange may have given the token away."""
        return bool(self.before.isin and self.after.isin and self.before.isin != self.after.isin)

    def __str__(self) -> str:
        text = f"{self.before.label} is {self.after.label} now, token {self.after.token}"
        if self.is_doubtful:
            text += f"; its ISIN was {self.before.isin} and is {self.after.isin}"
        return text


class Vanished(msgspec.Struct, frozen=True):
    """An instrument that is listed no more, and the new one of its ISIN, if there is one."""

    instrument: Instrument
    successor: Instrument | None = None

    def __str__(self) -> str:
        text = f"{self.instrument.label}, token {self.instrument.token}, is listed no more"
        if self.successor is not None:
            new = self.successor
            text += f"; of its ISIN is {new.label}, token {new.token}, series {new.series}"
        return text


class Relisting(msgspec.Struct, frozen=True):
    """
    The difference between two lists.

    ``come`` and ``gone`` are the identities that only the new list has, or only
    the old one; ``changed`` counts those that differ in anything but their symbol.
    """

    listed: int
    come: frozenset[InstrumentKey]
    gone: frozenset[InstrumentKey]
    changed: int
    renamed: tuple[Renamed, ...]
    vanished: tuple[Vanished, ...]


def compare(before: InstrumentTable, after: InstrumentTable) -> Relisting:
    """Return what is different in ``after``, in the order of the lists."""
    come = {each.key: each for each in after if before.get(each.key) is None}
    by_isin = {(each.exchange, each.isin): each for each in come.values() if each.isin}
    renamed, vanished, changed = [], [], 0
    for old in before:
        new = after.get(old.key)
        if new is None:
            vanished.append(Vanished(old, by_isin.get((old.exchange, old.isin))))
        elif new.symbol != old.symbol:
            renamed.append(Renamed(old, new))
        elif new != old:
            changed += 1
    return Relisting(
        listed=len(after),
        come=frozenset(come),
        gone=frozenset(each.instrument.key for each in vanished),
        changed=changed,
        renamed=tuple(renamed),
        vanished=tuple(vanished),
    )
