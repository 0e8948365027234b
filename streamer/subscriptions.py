"""
Which stocks a request names, and what it makes of a client's subscriptions.

The rules of names, limits and repeats (R-2, R-6, R-8, S-1 to S-4) as one
outcome, which the hub turns into a reply.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

import msgspec

from streamer.connection import Client
from streamer.instruments import Instrument, InstrumentTable, Meaning
from streamer.odin.tags import InstrumentKey
from streamer.protocol import failed_text, stock_text

EVERYTHING = ("*",)


class Outcome(msgspec.Struct):
    """
    What a subscribe or an unsubscribe did.

    ``named`` is every instrument it spoke of to effect, with the name that the
    reply gives it; ``changed`` those that were not subscribed (or subscribed)
    before; ``failed`` the client's own strings; ``is_known`` whether any stock
    was found in the list of instruments; ``is_over`` whether the limit cut
    some off.
    """

    named: dict[InstrumentKey, str] = {}
    changed: list[InstrumentKey] = []
    failed: list[str] = []
    is_known: bool = False
    is_over: bool = False

    @property
    def names(self) -> list[str]:
        """The names for the reply, each instrument once, in the order of the request."""
        return list(self.named.values())


def subscribe(
    client: Client, stocks: Sequence[object], instruments: InstrumentTable, limit: int
) -> Outcome:
    """
    Add ``stocks`` to what ``client`` subscribes, up to ``limit`` in all.

    Args:
        client: Whose subscriptions grow.
        stocks: The items of the request, of any JSON type.
        instruments: What can be subscribed.
        limit: How many subscriptions a client may have.

    """
    meanings = mean(stocks, instruments)
    named = _names(meanings)
    before = set(client.subscriptions)
    changed = [key for key in named if key not in before] if before else list(named)
    room = max(0, limit - len(before))
    outcome = Outcome(named=named, changed=changed, is_known=bool(named))
    if len(changed) > room:
        outcome.is_over = True
        for key in changed[room:]:
            del named[key]
        del changed[room:]
    if outcome.is_over or not all(meanings):
        outcome.failed = _failed(stocks, meanings, named)
    client.subscriptions += tuple(changed)
    return outcome


def unsubscribe(client: Client, stocks: Sequence[object], instruments: InstrumentTable) -> Outcome:
    """Take ``stocks`` out of what ``client`` subscribes; ``["*"]`` is everything (rule R-8)."""
    if tuple(stocks) == EVERYTHING:
        found = subscribed(client, instruments)
        outcome = Outcome(named={each.key: each.symbol for each in found}, is_known=True)
        # Else what no list knows today would be back on another day (rule P-3).
        client.unlisted = ()
    else:
        meanings = mean(stocks, instruments)
        before = set(client.subscriptions)
        named = {key: name for key, name in _names(meanings).items() if key in before}
        outcome = Outcome(named=named, failed=_failed(stocks, meanings, named), is_known=True)
    outcome.changed = list(outcome.named)
    client.subscriptions = tuple([key for key in client.subscriptions if key not in outcome.named])
    return outcome


def subscribed(client: Client, instruments: InstrumentTable) -> list[Instrument]:
    """Return what ``client`` subscribes, oldest first."""
    return instruments.get_all(client.subscriptions)


def mean(stocks: Sequence[object], instruments: InstrumentTable) -> list[Meaning | None]:
    """Return what each item of a request means; None for what means nothing (rules R-2, R-4)."""
    meanings = instruments.mean_as_spelt(stocks)
    if not all(meanings):
        for index, meaning in enumerate(meanings):
            if meaning is None and (text := stock_text(stocks[index])) is not None:
                meanings[index] = instruments.mean(text)
    return meanings


def _names(meanings: Sequence[Meaning | None]) -> dict[InstrumentKey, str]:
    """Return each instrument once, by the first name that was given to it (rule S-3)."""
    known = [each for each in meanings if each is not None]
    names = {each.key: each.name for each in known}
    if len(names) < len(known):
        names.clear()
        for each in known:
            names.setdefault(each.key, each.name)
    return names


def _failed(
    stocks: Sequence[object], meanings: Sequence[Meaning | None], named: Container[InstrumentKey]
) -> list[str]:
    """Return the items that mean nothing, or nothing that is ``named`` (rule S-2)."""
    return [
        failed_text(item)
        for item, meaning in zip(stocks, meanings, strict=True)
        if meaning is None or meaning.key not in named
    ]
