"""Which stocks a request names, and what it makes of a client's subscriptions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.connection import Client
from streamer.instruments import InstrumentTable
from streamer.subscriptions import resolve, subscribe, subscribed, unsubscribe
from tests.streamer.desk import RELIANCE, SBIN, TCS

TABLE = InstrumentTable.bundled()
NAMES = st.sampled_from(
    ["SBIN", "3045", 3045, "BSE:SBIN", "TCS", "INFY", "2885", "NOPE", None, "424", "NIFTY"]
)


def test_r2_names_are_answered_in_their_own_form() -> None:
    """R-2, S-1: bare symbol, token, integer, with exchange; a BSE stock by its code."""
    for item, key, name in (
        ("sbin ", SBIN, "SBIN"),
        ("3045", SBIN, "SBIN (NSE)"),
        (2885, RELIANCE, "RELIANCE (NSE)"),
        ("NSE:TCS", TCS, "TCS (NSE)"),
        ("BSE:500112", (3, 500112), "SBIN (BSE)"),
        ("500112", (3, 500112), "SBIN (BSE)"),
    ):
        instrument, answered = resolve(item, TABLE)
        assert instrument is not None
        assert (instrument.key, answered) == (key, name)


@given(st.lists(st.tuples(st.booleans(), st.lists(NAMES, max_size=6))), st.integers(1, 4))
def test_subscriptions_are_an_ordered_set_within_the_limit(
    steps: list[tuple[bool, list[object]]], limit: int
) -> None:
    """Against a plain list: order of first subscription, no doubles, never over the limit."""
    client = Client("c", None, False, 0)
    model: list[tuple[int, int]] = []
    for is_subscribe, stocks in steps:
        keys = [found.key for found, _ in (resolve(item, TABLE) for item in stocks) if found]
        if is_subscribe:
            outcome = subscribe(client, stocks, TABLE, limit)
            changed = []
            for key in keys:
                if key not in model and len(model) < limit:
                    model.append(key)
                    changed.append(key)
            assert outcome.is_known == bool(keys)
        else:
            outcome = unsubscribe(client, stocks, TABLE)
            changed = [key for key in dict.fromkeys(keys) if key in model]
            model = [key for key in model if key not in changed]
        assert outcome.changed == changed
        assert [found.key for found in subscribed(client, TABLE)] == model
        assert len(outcome.names) == len(outcome.named)
        assert len(outcome.failed) + len(outcome.named) <= len(stocks)
