from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import MessageError
from streamer.odin.framing import Dialect, RequestDecoder, encode_request_frame
from streamer.odin.requests import (
    BestFiveRequest,
    HeartbeatRequest,
    Logon,
    LtpRequest,
    Request,
    TouchlineRequest,
    UnknownRequest,
    decode_request,
    encode_request,
)
from tests import strategies

HEAD = b"63=FT3.0|64=%d|65=84|66=10:15:00|"


@given(strategies.requests, strategies.times, st.sampled_from(Dialect))
def test_what_is_written_is_read_again(request: Request, sent: int, dialect: Dialect) -> None:
    """decode(encode(x)) == x for every request in both dialects, through a frame."""
    frame = encode_request_frame(encode_request(request, sent, dialect), dialect)
    (text,) = RequestDecoder().feed(frame)
    assert decode_request(text) == request


@given(st.binary(max_size=200))
def test_garbage_gives_the_documented_error_or_a_request(garbage: bytes) -> None:
    """No text raises anything but a MessageError."""
    for text in (garbage, HEAD % 206 + garbage, HEAD % 101 + garbage, HEAD % 127 + garbage):
        with contextlib.suppress(MessageError):
            decode_request(text)


@pytest.mark.parametrize(
    ("instruments", "found", "skipped"),
    [
        (b"1=1$7=2885", ((1, 2885),), 0),
        (b"7=2885$1=1", ((1, 2885),), 0),
        (b"1=1$7=2885|1=1|1=3$7=5", ((1, 2885), (3, 5)), 0),
        (b"1=1$7=x|1=1$7=2885|1=$7=|1=1$|1=1$7=-5|1=1$7=99999999999", ((1, 2885),), 5),
        (b"1=1|7=2885", ((1, 2885),), 0),
        (b"1=1", (), 1),
        (b"", (), 0),
    ],
)
def test_instruments_that_can_be_read_are_served(
    instruments: bytes, found: tuple[tuple[int, int], ...], skipped: int
) -> None:
    """One malformed pair does not cost the others."""
    text = HEAD % 206 + instruments + b"|230=1"
    assert decode_request(text) == TouchlineRequest(found, skipped=skipped)
    text = HEAD % 347 + instruments + b"|230=2|"
    assert decode_request(text) == LtpRequest(found, subscribe=False, skipped=skipped)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"63=FT3.0",
        HEAD % 101,
        HEAD % 206 + b"1=1$7=2885",
        HEAD % 206 + b"1=1$7=2885|230=3",
        HEAD % 106 + b"230=",
        HEAD % 127 + b"1=1|230=1",
        HEAD % 127 + b"1=1$7=1|1=1$7=2|230=1",
        HEAD % 206 + b"1=1$7=2885|230=1|230=2",
        HEAD % 101 + b"67=\xff",
    ],
)
def test_a_request_that_lacks_what_it_needs_is_refused(text: bytes) -> None:
    """Subscribe and unsubscribe are never guessed, nor who logs on."""
    with pytest.raises(MessageError):
        decode_request(text)


def test_best_five_takes_its_instrument_as_a_pair_too() -> None:
    """It is one instrument in either form."""
    assert decode_request(HEAD % 127 + b"7=2885$1=1|230=1") == BestFiveRequest((1, 2885))


def test_passwords_may_look_like_pairs() -> None:
    """A dollar in a password or in a user's name means nothing."""
    assert decode_request(HEAD % 101 + b"67=A$B|68=1=1$7=2") == Logon("A$B", "1=1$7=2")


def test_requests_we_do_not_know_are_handed_on() -> None:
    """A server decides for itself what to do about them."""
    text = HEAD % 999 + b"5=6"
    assert decode_request(text) == UnknownRequest(999, text)
    assert encode_request(UnknownRequest(999, text), 0) == text


@pytest.mark.parametrize("dialect", Dialect)
def test_texts_that_cannot_stand_in_a_field_are_not_written(dialect: Dialect) -> None:
    """A user id with a bar in it could turn into another request."""
    for request in (Logon("a|230=1"), Logon("a", "é"), HeartbeatRequest("\x00")):
        with pytest.raises(ValueError, match="cannot be the value"):
            encode_request(request, 0, dialect)
