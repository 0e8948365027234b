"""Another list of instruments under a running hub: subscriptions are to identities."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.instruments import Instrument, InstrumentTable
from streamer.odin.tags import InstrumentKey
from tests.streamer.desk import Desk, at, kinds, touchline

NAMES = ("ALPHA", "BETA", "GAMMA")
LISTED = {
    name: Instrument(1, token, name, "NSE", "EQ") for token, name in enumerate(NAMES, 900_001)
}
ALPHA, BETA, _ = LISTED.values()


def table(*instruments: Instrument) -> InstrumentTable:
    """Return a list of instruments without any other."""
    return InstrumentTable(instruments)


def open_desk(*instruments: Instrument) -> Desk:
    """Return a hub at ten, the market open."""
    desk = Desk(instruments=table(*instruments))
    desk.log_on("10:00")
    return desk


def relist(desk: Desk, *instruments: Instrument) -> None:
    """Put another list in the place of the one in use."""
    desk.hub.relist(table(*instruments), desk.now)
    desk.settle()


def test_a_quote_goes_on_under_the_new_symbol() -> None:
    """M-3: ``seq`` counts on, and the client need do nothing."""
    desk = open_desk(ALPHA)
    client = desk.connect()
    desk.subscribe(client, "ALPHA")
    desk.feed(touchline(ALPHA.key, lut=at("10:00")))
    desk.read(client)
    relist(desk, replace(ALPHA, symbol="OMEGA"))
    desk.feed(touchline(ALPHA.key, volume=9, lut=at("10:00")))
    [quote] = desk.read(client)
    assert (quote["symbol"], quote["data"]["symbol"], quote["seq"]) == ("OMEGA", "OMEGA", 2)
    assert desk.subscribe(client, "ALPHA")["data"]["failed_stocks"] == ["ALPHA"]
    assert desk.subscribe(client, "OMEGA")["data"]["total_subscribed"] == 1
    assert list(desk.asked) == [ALPHA.key]


def test_a_vanished_instrument_rests_and_is_back() -> None:
    """The feed is no longer asked for it; back in the list, it is subscribed as before."""
    desk = open_desk(ALPHA, BETA)
    client = desk.connect()
    desk.subscribe(client, "ALPHA", "BETA")
    desk.feed(touchline(BETA.key, lut=at("10:00")))
    assert kinds(desk.read(client)) == ["market_data"]
    relist(desk, ALPHA)
    desk.feed(touchline(BETA.key, volume=9, lut=at("10:00")))
    assert desk.read(client) == []
    assert list(desk.asked) == [ALPHA.key]
    reply, *_ = desk.ask(client, {"action": "get_subscriptions"})
    assert reply["data"]["subscribed_symbols"] == ["ALPHA"]
    assert BETA.key in desk.saved["app"].instruments
    relist(desk, ALPHA, BETA)
    assert set(desk.asked) == {ALPHA.key, BETA.key}
    assert kinds(desk.read(client)) == ["market_data"], "M-4: its last quote follows at once"


def test_a_resting_subscription_outlives_the_connection() -> None:
    """P-1: whoever comes again while it rests has it when it is back."""
    desk = open_desk(ALPHA, BETA)
    client = desk.connect()
    desk.subscribe(client, "BETA")
    desk.disconnect(client)
    relist(desk, ALPHA)
    again = desk.connect()
    welcome, *_ = desk.read(again)
    assert welcome["data"]["restored_stocks"] == []
    relist(desk, ALPHA, BETA)
    reply, *_ = desk.ask(again, {"action": "get_subscriptions"})
    assert reply["data"]["subscribed_symbols"] == ["BETA"]
    assert BETA.key in desk.asked


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("subscribe"), st.sampled_from(NAMES)),
        st.tuples(st.just("unsubscribe"), st.sampled_from(NAMES)),
        st.tuples(st.just("relist"), st.sets(st.sampled_from(NAMES))),
        st.tuples(st.just("reconnect"), st.booleans()),
    ),
    max_size=30,
)


@given(steps=STEPS)
def test_subscriptions_are_what_was_asked_for_and_is_listed(
    steps: list[tuple[str, str | set[str] | bool]],
) -> None:
    """In any order of requests, reconnects and lists, against two plain sets."""
    desk = open_desk(*LISTED.values())
    client = desk.connect()
    listed, wanted = set(NAMES), set[str]()
    for step, value in steps:
        if step == "subscribe":
            desk.subscribe(client, value)
            wanted |= {str(value)} & listed
        elif step == "unsubscribe":
            desk.ask(client, {"action": "unsubscribe", "stocks": [value]})
            wanted -= {str(value)} & listed
        elif step == "relist":
            assert isinstance(value, set)
            listed = value
            relist(desk, *(LISTED[name] for name in NAMES if name in listed))
        else:
            # The new connection takes over, or comes after the old one is gone.
            if value:
                desk.disconnect(client)
            desk.pass_time(60)
            client = desk.connect()
        desk.read(client)
        reply, *_ = desk.ask(client, {"action": "get_subscriptions"})
        assert set(reply["data"]["subscribed_symbols"]) == wanted & listed
        assert set(desk.asked) == keys(wanted & listed)
        saved = desk.saved.get("app")
        assert set(saved.instruments if saved else ()) == keys(wanted)


def keys(names: set[str]) -> set[InstrumentKey]:
    """Return the identities of names."""
    return {LISTED[name].key for name in names}
