"""Which stocks a request names, and what it makes of a client's subscriptions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.connection import Client
from streamer.instruments import InstrumentTable
from streamer.protocol import failed_text
from streamer.subscriptions import mean, subscribe, subscribed, unsubscribe
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
        (meaning,) = mean([item], TABLE)
        assert meaning is not None
        assert (meaning.key, meaning.name) == (key, name)


def test_r4_items_of_any_type_fail_one_by_one() -> None:
    """R-4: what is no name of a stock takes none of the others with it."""
    stocks = ["SBIN", None, ["TCS"], {"stock": "TCS"}, 2885, True, 1.5, "nope", "tcs"]
    client = Client("c", None, False, 0)
    outcome = subscribe(client, stocks, TABLE, 10)
    assert outcome.names == ["SBIN", "RELIANCE (NSE)", "TCS"]
    assert outcome.failed == ["null", '["TCS"]', '{"stock":"TCS"}', "true", "1.5", "nope"]
    assert client.subscriptions == (SBIN, RELIANCE, TCS)
    assert unsubscribe(client, stocks, TABLE).failed == outcome.failed


@given(st.lists(st.tuples(st.booleans(), st.lists(NAMES, max_size=6))), st.integers(1, 4))
def test_subscriptions_are_an_ordered_set_within_the_limit(
    steps: list[tuple[bool, list[object]]], limit: int
) -> None:
    """Against a plain list, item by item: order, names, failures, never over the limit."""
    client = Client("c", None, False, 0)
    model: list[tuple[int, int]] = []
    for is_subscribe, stocks in steps:
        named: dict[tuple[int, int], str] = {}
        failed, changed = [], []
        for item in stocks:
            (meaning,) = mean([item], TABLE)
            if (
                is_subscribe
                and meaning is not None
                and meaning.key not in model
                and len(model) < limit
            ):
                model.append(meaning.key)
                changed.append(meaning.key)
            if meaning is None or meaning.key not in model:
                failed.append(failed_text(item))
            else:
                named.setdefault(meaning.key, meaning.name)
        if is_subscribe:
            outcome = subscribe(client, stocks, TABLE, limit)
            known = [each.key for each in mean(stocks, TABLE) if each is not None]
            assert outcome.is_known == bool(known)
            assert outcome.is_over == (not set(known) <= set(model))
        else:
            outcome = unsubscribe(client, stocks, TABLE)
            changed = list(named)
            model = [key for key in model if key not in named]
        assert (outcome.named, outcome.failed, outcome.changed) == (named, failed, changed)
        assert client.subscriptions == tuple(model)
        assert [found.key for found in subscribed(client, TABLE)] == model


def test_r6_a_limit_that_was_lowered_lets_nothing_more_in() -> None:
    """R-6: a client of an earlier process keeps what it has, and gets no more."""
    client = Client("c", None, False, 0)
    client.subscriptions = (SBIN, TCS)
    outcome = subscribe(client, ["RELIANCE", "INFY", "TCS"], TABLE, 1)
    assert (outcome.names, outcome.failed) == (["TCS"], ["RELIANCE", "INFY"])
    assert client.subscriptions == (SBIN, TCS)
