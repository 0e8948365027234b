from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import MessageError
from streamer.odin.fields import (
    code_of,
    locator,
    number,
    optional_text,
    parse_fields,
    server_text,
    sized,
)
from streamer.odin.tags import Tag


@given(st.text("x", max_size=200), st.text("y", max_size=100_000))
def test_a_text_tells_its_own_length(head: str, tail: str) -> None:
    """The number counts itself, at every change in its number of digits too."""
    text = sized(head, tail)
    assert text == f"{head}{len(text)}{tail}"


@pytest.mark.parametrize("size", range(90, 110))
def test_lengths_around_a_hundred(size: int) -> None:
    """One more digit makes the text one longer, which must be counted."""
    text = sized("", "x" * size)
    assert text == f"{len(text)}{'x' * size}"


def test_pieces_that_are_no_fields_are_skipped() -> None:
    """Words, empty pieces and tags that are no numbers mean nothing."""
    assert parse_fields(b"1=2|JUNK||x=3|=4|5=|6=a=b|") == {1: b"2", 5: b"", 6: b"a=b"}


def test_two_values_of_one_tag_are_refused_unless_they_are_the_same() -> None:
    """There is no telling which one is meant."""
    assert parse_fields(b"8=1|8=1") == {8: b"1"}
    assert parse_fields(b"7=1|8=1|8=2", repeatable=(8,)) == {7: b"1"}
    with pytest.raises(MessageError) as raised:
        parse_fields(b"8=1|8=2")
    assert raised.value.tag == 8


@given(st.integers(0, 10**18 - 1))
def test_unsigned_integers_are_read(value: int) -> None:
    """Up to eighteen digits, leading zeros or not."""
    assert number(b"%d" % value, Tag.LTP) == value
    assert number((b"%d" % value).zfill(18), Tag.LTP) == value


@given(st.binary(max_size=25).filter(lambda value: not value.isdigit()))
def test_nothing_else_is_a_number(value: bytes) -> None:
    """Signs, points, spaces and letters are refused with the tag they stand in."""
    with pytest.raises(MessageError) as raised:
        number(value, Tag.LTP)
    assert raised.value.tag == Tag.LTP


@given(st.integers(0, 9))
def test_locators_are_powers_of_ten(zeros: int) -> None:
    """With zeros behind a point or without."""
    assert locator({Tag.LOCATOR: b"%d" % 10**zeros}) == 10**zeros
    assert locator({Tag.LOCATOR: b"%d.00" % 10**zeros}) == 10**zeros


@pytest.mark.parametrize("value", [b"", b"0", b"00", b"0.00", b"."])
def test_no_locator_means_a_hundred(value: bytes) -> None:
    """As the vendor's own example, which has none, is read."""
    assert locator({Tag.LOCATOR: value}) == 100
    assert locator({}) == 100


@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"1234567890"])
def test_a_code_is_a_number(value: bytes) -> None:
    """A text without one says nothing."""
    with pytest.raises(MessageError):
        code_of({Tag.CODE: value})


@pytest.mark.parametrize("value", [b"a\x02b", "₹".encode(), b"\xff"])
def test_texts_that_are_not_printable_are_unknown(value: bytes) -> None:
    """They are for show; a message is not refused for their sake, nor do they travel on."""
    assert optional_text({Tag.PRICE_BAND: value}, Tag.PRICE_BAND) == ""


def test_the_header_of_a_server() -> None:
    """Version, code, length, time; a body follows behind a bar, or nothing does."""
    assert server_text(350, "", 0) == b"63=FT3.0|64=350|65=40|66=01011980 000000"
    assert server_text(350, "351=1", 0) == b"63=FT3.0|64=350|65=46|66=01011980 000000|351=1"
