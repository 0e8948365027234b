"""
Which stocks a request names, and what it makes of a client's subscriptions.

The rules of names, limits and repeats (R-2, R-6, R-8, S-1 to S-4) as one
outcome, which the hub turns into a reply.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamer.connection import Client
from streamer.instruments import Instrument, InstrumentTable
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
    outcome = Outcome()
    named, changed, subscriptions = outcome.named, outcome.changed, client.subscriptions
    for item in stocks:
        instrument, name = resolve(item, instruments)
        if instrument is None:
            outcome.failed.append(failed_text(item))
            continue
        outcome.is_known = True
        key = (instrument.segment, instrument.token)
        if key not in subscriptions:
            if len(subscriptions) >= limit:
                outcome.is_over = True
                outcome.failed.append(failed_text(item))
                continue
            subscriptions[key] = None
            changed.append(key)
        named.setdefault(key, name)
    return outcome


def unsubscribe(client: Client, stocks: Sequence[object], instruments: InstrumentTable) -> Outcome:
    """Take ``stocks`` out of what ``client`` subscribes; ``["*"]`` is everything (rule R-8)."""
    outcome = Outcome(is_known=True)
    if tuple(stocks) == EVERYTHING:
        outcome.named = {found.key: found.symbol for found in subscribed(client, instruments)}
        # Else what no list knows today would be back on another day (rule P-3).
        client.unlisted = ()
    else:
        for item in stocks:
            instrument, name = resolve(item, instruments)
            if instrument is None or instrument.key not in client.subscriptions:
                outcome.failed.append(failed_text(item))
            else:
                outcome.named.setdefault(instrument.key, name)
    outcome.changed = list(outcome.named)
    for key in outcome.changed:
        del client.subscriptions[key]
    return outcome


def subscribed(client: Client, instruments: InstrumentTable) -> list[Instrument]:
    """Return what ``client`` subscribes, oldest first."""
    found = map(instruments.get, client.subscriptions)
    return [instrument for instrument in found if instrument is not None]


def resolve(item: object, instruments: InstrumentTable) -> tuple[Instrument | None, str]:
    """Return the instrument that ``item`` names, and how the reply names it (rules R-2, S-1)."""
    text = item if type(item) is str else stock_text(item)
    instrument = None if text is None else instruments.resolve(text)
    if text is None or instrument is None:
        return None, ""
    if text == instrument.symbol and not text.isdigit():
        return instrument, text
    if ":" in text or text.strip().isdigit():
        return instrument, f"{instrument.symbol} ({instrument.exchange})"
    return instrument, instrument.symbol
