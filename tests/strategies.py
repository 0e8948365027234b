"""
Hypothesis strategies of the feed's values, shared by all property tests.

What they draw is what the wire can carry: whole seconds, unsigned integers,
printable texts.
"""

from __future__ import annotations

from hypothesis import strategies as st

from streamer.odin.fields import MAX_ID
from streamer.odin.messages import (
    BestFive,
    BestFiveRequest,
    Disconnect,
    Heartbeat,
    HeartbeatRequest,
    KeepAlive,
    Level,
    Logoff,
    Logon,
    LogonAnswer,
    LtpRequest,
    LtpTouchline,
    MarketStatus,
    Pause,
    Request,
    ServerMessage,
    Touchline,
    TouchlineRequest,
)
from streamer.odin.tags import InstrumentKey

EPOCH_1980_IST_NS = 315_513_000_000_000_000
"""1980-01-01 00:00:00 IST, the wire's zero, as UNIX nanoseconds."""

segments = st.sampled_from([1, 2, 3, 4, 5, 13, 38]) | st.integers(1, MAX_ID)
tokens = st.sampled_from([2885, 500325, 26000]) | st.integers(1, MAX_ID)
keys: st.SearchStrategy[InstrumentKey] = st.tuples(segments, tokens)

prices = st.just(0) | st.integers(1, 200_000_00) | st.integers(0, 10**18 - 1)
quantities = st.just(0) | st.integers(1, 10**7) | st.integers(0, 10**18 - 1)
locators = st.just(100) | st.sampled_from([10**n for n in range(10)])

times = st.just(0) | st.integers(1, 2**31 - 1).map(
    lambda seconds: EPOCH_1980_IST_NS + seconds * 10**9
)
"""Whole seconds that text and native form can both carry; 0 is unknown."""

texts = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="|"), max_size=20
)
"""What can stand in a field."""

bands = texts.filter(lambda text: text != "0-0")


def touchlines(sent: st.SearchStrategy[int] = times) -> st.SearchStrategy[Touchline]:
    """Draw touchlines with every field that the text form has."""
    return st.builds(
        Touchline,
        segment=segments,
        token=tokens,
        ltp=prices,
        ltq=quantities,
        volume=quantities,
        atp=prices,
        bid_qty=quantities,
        bid=prices,
        ask_qty=quantities,
        ask=prices,
        total_buy=quantities,
        total_sell=quantities,
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        ltt=times,
        lut=times,
        locator=locators,
        high_52=prices,
        low_52=prices,
        open_interest=quantities,
        sent=sent,
        price_band=bands,
        oi_change=texts,
        oi_high=texts,
        oi_low=texts,
        execution_range=texts,
    )


_small = st.integers(0, 2**31 - 1)

native_touchlines = st.builds(
    Touchline,
    segment=segments,
    token=tokens,
    ltp=_small,
    ltq=st.just(0),
    volume=st.just(0),
    atp=st.just(0),
    bid_qty=_small,
    bid=_small,
    ask_qty=_small,
    ask=_small,
    total_buy=st.just(0),
    total_sell=st.just(0),
    open=_small,
    high=_small,
    low=_small,
    close=_small,
    ltt=times,
    lut=times,
    locator=locators,
    sent=times,
)
"""Touchlines that lose nothing in native form."""

ltp_touchlines = st.builds(
    LtpTouchline,
    segment=segments,
    token=tokens,
    lut=times,
    ltp=prices,
    close=prices,
    locator=locators,
    sent=times,
)

levels = st.builds(Level, quantity=quantities, price=prices, orders=quantities)


@st.composite
def best_fives(draw: st.DrawFn) -> BestFive:
    """Draw best five messages; bid and ask of the touchline are the first levels."""
    side = st.tuples(levels, levels, levels, levels, levels)
    buys = draw(side)
    sells = draw(side)
    sent = draw(times)
    touchline = draw(touchlines(st.just(sent)))
    fields = {name: getattr(touchline, name) for name in touchline.__struct_fields__}
    fields |= {
        "bid_qty": buys[0].quantity,
        "bid": buys[0].price,
        "ask_qty": sells[0].quantity,
        "ask": sells[0].price,
    }
    return BestFive(Touchline(**fields), buys, sells, sent)


logon_answers = st.builds(
    LogonAnswer,
    status=st.sampled_from([0, 10000, 10001, 10004]) | st.integers(0, 99_999),
    segments=texts,
    days_to_expiry=st.none() | st.integers(0, 999),
    simulated=st.booleans(),
    sent=times,
)

server_messages: st.SearchStrategy[ServerMessage] = st.one_of(
    touchlines(),
    ltp_touchlines,
    best_fives(),
    logon_answers,
    st.builds(Heartbeat, echo=texts, sent=times),
    st.builds(MarketStatus, segment=segments | st.just(0), status=texts, sent=times).filter(
        lambda status: status.segment < 10**9
    ),
    st.builds(Logoff, reason=texts, sent=times),
    st.builds(Disconnect, reason=texts, sent=times),
)

_instruments = st.lists(keys, max_size=60).map(tuple)

requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Logon, user=texts, key=texts),
    st.builds(
        TouchlineRequest,
        instruments=_instruments,
        subscribe=st.just(True),
        native=st.booleans(),
        on_change=st.booleans(),
    ),
    st.builds(TouchlineRequest, instruments=_instruments, subscribe=st.just(False)),
    st.builds(LtpRequest, instruments=_instruments, subscribe=st.booleans()),
    st.builds(BestFiveRequest, instrument=keys, subscribe=st.booleans()),
    st.builds(Pause, paused=st.booleans()),
    st.builds(HeartbeatRequest, echo=texts),
    st.builds(KeepAlive, session=texts),
)


@st.composite
def chunked(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """Draw a way to cut ``stream`` into pieces, empty ones included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
