"""Ticks: what quotes are made of, read from whole bodies in one go."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.errors import MessageError
from streamer.odin.messages import (
    Heartbeat,
    ServerMessage,
    Tick,
    Touchline,
    decode_body_as_ticks,
    decode_message_generally,
    encode,
    tick_of,
)
from streamer.odin.tags import Tag
from streamer.odin.tick import decode_ticks
from streamer.odin.times import parse_stamp
from tests import strategies

SENT = parse_stamp(b"2026-09-04 101500")
T = Touchline(
    1, 2885, 136550, 25, 8053013, 136701, 150, 136545, 210, 136555, 412530, 389120,
    137180, 137400, 136030, 137260, SENT, SENT, sent=SENT, price_band="123535-150985",
)  # fmt: skip
TEXT = encode(T)
NOT_SHOWN = {
    *(Tag.LTQ, Tag.ATP, Tag.OPEN_INTEREST),
    *(Tag.BID_QUANTITY, Tag.BID, Tag.ASK_QUANTITY, Tag.ASK, Tag.TOTAL_BUY, Tag.TOTAL_SELL),
}


def body_of(*texts: bytes) -> bytes:
    """Return texts as a feed puts them into one body."""
    return b"".join(b"\x02%05d%b" % (len(text), text) for text in texts)


def is_read_alike(ticks: list[Tick] | None, text: bytes) -> bool:
    """Return whether the general reader reads the same, but for what no quote shows."""
    try:
        found = decode_message_generally(text)
    except MessageError as error:
        return error.tag in NOT_SHOWN
    return isinstance(found, Touchline) and ticks == [tick_of(found)]


@given(st.lists(strategies.touchlines(), min_size=1, max_size=4))
def test_touchlines_of_our_own_layout_are_read_at_once(touchlines: list[Touchline]) -> None:
    """All of a body, in order, as the general reader reads them."""
    plain = [
        replace(each, oi_change="", oi_high="", oi_low="", execution_range="")
        for each in touchlines
    ]
    assert decode_ticks(body_of(*map(encode, plain))) == [tick_of(each) for each in plain]


@given(st.lists(strategies.server_messages, max_size=4))
def test_in_any_layout_ticks_stand_in_place_of_touchlines(messages: list[ServerMessage]) -> None:
    """Whatever else a body holds comes as it is."""
    body = body_of(*map(encode, messages))
    found, problems = decode_body_as_ticks(body)
    assert problems == []
    assert list(found) == [
        tick_of(message) if isinstance(message, Touchline) else message for message in messages
    ]


@given(st.integers(0, len(TEXT)), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_text_is_never_read_as_anything_else(place: int, noise: bytes, cut: int) -> None:
    """Where a damaged text is read at once at all, the general reader reads the same."""
    text = TEXT[:place] + noise + TEXT[place + cut :]
    found = decode_ticks(body_of(text))
    assume(found is not None)
    assert is_read_alike(found, text)


@given(st.integers(0, len(TEXT)), st.sampled_from([b"0", b"9", b"-", b".", b"|", b" ", b""]))
def test_nor_is_one_with_digits_changed(place: int, noise: bytes) -> None:
    """The same, where damage is most likely to look like a value."""
    text = TEXT[:place] + noise + TEXT[place + 1 :]
    found = decode_ticks(body_of(text))
    assume(found is not None)
    assert is_read_alike(found, text)


@given(st.integers(0, 2 * len(TEXT) + 12), st.binary(max_size=3), st.integers(0, 3))
def test_damage_between_texts_is_seen(place: int, noise: bytes, cut: int) -> None:
    """Headers that do not fit leave the whole body to the reader that tells what is wrong."""
    body = body_of(TEXT, TEXT)
    body = body[:place] + noise + body[place + cut :]
    found = decode_ticks(body)
    assume(found is not None)
    assert len(found or ()) == 2
    assert len(body) == len(body_of(TEXT, TEXT))


def test_a_body_with_something_else_in_it_is_left_to_the_general_reader() -> None:
    """A heartbeat among touchlines, or nothing at all."""
    assert decode_ticks(body_of(TEXT, encode(Heartbeat(sent=SENT)))) is None
    assert not decode_ticks(b"")


def test_an_identity_that_is_none_is_left_to_the_general_reader() -> None:
    """Token 0 and numbers beyond 31 bits name no instrument."""
    for token in (b"0", b"2147483648"):
        assert decode_ticks(body_of(TEXT.replace(b"|7=2885|", b"|7=%b|" % token))) is None
