"""Ticks: what quotes are made of, read from whole bodies in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.errors import MessageError
from streamer.odin.messages import (
    Heartbeat,
    ServerMessage,
    Tick,
    Ticks,
    Touchline,
    decode_body,
    decode_body_as_ticks,
    decode_message_generally,
    encode,
    encode_native,
    tick_of,
)
from streamer.odin.tags import Tag
from streamer.odin.tick import read_ticks, read_ticks_plainly
from streamer.odin.times import parse_stamp
from tests import strategies

SENT = parse_stamp(b"2026-09-04 101500")
T = Touchline(
    1, 2885, 136550, 25, 8053013, 136701, 150, 136545, 210, 136555, 412530, 389120,
    137180, 137400, 136030, 137260, SENT, SENT, sent=SENT, price_band="123535-150985",
)  # fmt: skip
TEXT = encode(T)
TICK = tick_of(T)
Other = TypeVar("Other")
Read = Callable[[bytes], list[Ticks | bytes] | None]

with_each_reader = pytest.mark.parametrize(
    "read",
    [
        pytest.param(read_ticks_plainly, id="plain"),
        pytest.param(
            read_ticks,
            id="compiled",
            marks=pytest.mark.skipif(
                read_ticks is read_ticks_plainly, reason="no compiled reader is installed"
            ),
        ),
    ],
)
NOT_SHOWN = {
    *(Tag.LTQ, Tag.ATP, Tag.OPEN_INTEREST),
    *(Tag.BID_QUANTITY, Tag.BID, Tag.ASK_QUANTITY, Tag.ASK, Tag.TOTAL_BUY, Tag.TOTAL_SELL),
}


def body_of(*texts: bytes) -> bytes:
    """Return texts as a feed puts them into one body."""
    return b"".join(b"\x02%05d%b" % (len(text), text) for text in texts)


def one_by_one(found: Sequence[Ticks | Other]) -> list[Tick | Other]:
    """Return ticks without those that came together, which have one time."""
    flat: list[Tick | Other] = []
    for each in found:
        if isinstance(each, Ticks):
            assert each.ticks
            assert {tick.sent for tick in each.ticks} == {each.sent}
            flat += each.ticks
        else:
            flat.append(each)
    return flat


def is_read_alike(ticks: list[Tick | bytes], text: bytes) -> bool:
    """Return whether the general reader reads the same, but for what no quote shows."""
    try:
        found = decode_message_generally(text)
    except MessageError as error:
        return error.tag in NOT_SHOWN
    return isinstance(found, Touchline) and ticks == [tick_of(found)]


@with_each_reader
@given(st.lists(strategies.touchlines(), min_size=1, max_size=4))
def test_touchlines_of_our_own_layout_are_read_at_once(
    read: Read, touchlines: list[Touchline]
) -> None:
    """All of a body, in order, as the general reader reads them."""
    plain = [
        replace(each, oi_change="", oi_high="", oi_low="", execution_range="")
        for each in touchlines
    ]
    found = read(body_of(*map(encode, plain)))
    assert one_by_one(found or []) == [tick_of(each) for each in plain]


@given(st.lists(strategies.server_messages, max_size=4))
def test_in_any_layout_ticks_stand_in_place_of_touchlines(messages: list[ServerMessage]) -> None:
    """Whatever else a body holds comes as it is."""
    body = body_of(*map(encode, messages))
    found, problems = decode_body_as_ticks(body)
    assert problems == []
    assert one_by_one(found) == [
        tick_of(message) if isinstance(message, Touchline) else message for message in messages
    ]


@with_each_reader
@given(st.integers(0, len(TEXT)), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_text_is_never_read_as_anything_else(
    read: Read, place: int, noise: bytes, cut: int
) -> None:
    """Where a damaged text is read at once at all, the general reader reads the same."""
    text = TEXT[:place] + noise + TEXT[place + cut :]
    found = one_by_one(read(body_of(text)) or [])
    assume(found and isinstance(found[0], Tick))
    assert is_read_alike(found, text)


@with_each_reader
@given(st.integers(0, len(TEXT)), st.sampled_from([b"0", b"9", b"-", b".", b"|", b" ", b""]))
def test_nor_is_one_with_digits_changed(read: Read, place: int, noise: bytes) -> None:
    """The same, where damage is most likely to look like a value."""
    text = TEXT[:place] + noise + TEXT[place + 1 :]
    found = one_by_one(read(body_of(text)) or [])
    assume(found and isinstance(found[0], Tick))
    assert is_read_alike(found, text)


@given(st.integers(-8, 8), st.booleans(), st.binary(max_size=3), st.integers(0, 3))
def test_damage_between_texts_is_seen(near: int, is_first: bool, noise: bytes, cut: int) -> None:
    """Both readers make the same of a damaged body."""
    body = body_of(TEXT, TEXT)
    place = max(near, 0) if is_first else len(TEXT) + 6 + near
    body = body[:place] + noise + body[place + cut :]
    found, problems = decode_body_as_ticks(body)
    general, same_problems = decode_body(body)
    assert one_by_one(found) == [
        tick_of(each) if isinstance(each, Touchline) else each for each in general
    ]
    assert list(map(str, problems)) == list(map(str, same_problems))


@with_each_reader
def test_other_texts_come_as_they_are(read: Read) -> None:
    """A heartbeat among touchlines, and nothing at all."""
    beat = encode(Heartbeat(sent=SENT))
    found = read(body_of(TEXT, TEXT, beat, TEXT))
    assert found == [Ticks(SENT, [TICK, TICK]), beat, Ticks(SENT, [TICK])]
    assert read(b"") == []


@with_each_reader
def test_an_identity_that_is_none_is_left_to_the_general_reader(read: Read) -> None:
    """Token 0 and numbers beyond 31 bits name no instrument."""
    for token in (b"0", b"2147483648"):
        assert read(body_of(TEXT.replace(b"|7=2885|", b"|7=%b|" % token))) is None


@with_each_reader
def test_native_blocks_are_left_to_the_general_reader(read: Read) -> None:
    """They may hold the byte that stands between texts."""
    sent = replace(T, segment=2, token=2)
    body = body_of(TEXT, encode_native(sent, SENT))
    assert read(body) is None
    found, problems = decode_body_as_ticks(body)
    assert one_by_one(found) == [TICK, tick_of(replace(sent, volume=0, high_52=0, low_52=0))]
    assert problems == []


bodies = st.lists(
    st.sampled_from([TEXT, TEXT.replace(b"|7=2885|", b"|7=11536|"), encode(Heartbeat(sent=SENT))])
    | strategies.touchlines().map(encode)
    | strategies.server_messages.map(encode),
    max_size=5,
).map(lambda texts: body_of(*texts))
noises = st.binary(max_size=3) | st.sampled_from(
    [b"|", b"\x02", b"0", b"9" * 19, b"=", b"\x0200000"]
)
damages = st.lists(st.tuples(st.integers(0, 2000), noises, st.integers(0, 3)), max_size=3)


@pytest.mark.skipif(read_ticks is read_ticks_plainly, reason="no compiled reader is installed")
@given(bodies, damages)
def test_the_compiled_reader_reads_as_the_plain_one(
    body: bytes, damage: list[tuple[int, bytes, int]]
) -> None:
    """Whatever a body holds, damaged or not; days that were read before make no difference."""
    for place, noise, cut in damage:
        place = min(place, len(body))
        body = body[:place] + noise + body[place + cut :]
    wanted = read_ticks_plainly(body)
    assert read_ticks(body) == wanted
    assert read_ticks(body) == wanted
