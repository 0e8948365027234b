from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.errors import MessageError
from streamer.odin.messages import (
    BestFive,
    Level,
    Touchline,
    decode_message,
    decode_message_generally,
    encode,
    encode_touchline,
)
from streamer.odin.times import parse_stamp
from streamer.odin.touchline import decode_known_layout
from tests import strategies

SENT = parse_stamp(b"2026-09-04 101500")
T = Touchline(
    1, 2885, 136550, 25, 8053013, 136701, 150, 136545, 210, 136555, 412530, 389120,
    137180, 137400, 136030, 137260, SENT, SENT, sent=SENT, price_band="123535-150985",
)  # fmt: skip
TEXT = encode(T)
INFERRED_HEAD = b"63=FT3.0|64=%d|65=1|66=04092026 101500|"


class TestShortcut:
    """The general reader is the oracle of the shortcut for our own layout."""

    @given(strategies.touchlines())
    def test_it_reads_what_we_write(self, touchline: Touchline) -> None:
        """It is taken whenever no field without a fixed place is there."""
        plain = replace(touchline, oi_change="", oi_high="", oi_low="", execution_range="")
        text = encode(plain)
        assert decode_known_layout(text) == plain
        assert decode_message_generally(text) == plain

    @given(st.integers(0, len(TEXT)), st.binary(max_size=4), st.integers(0, 4))
    def test_it_never_reads_anything_else(self, place: int, noise: bytes, cut: int) -> None:
        """Where it reads a damaged text at all, it reads what the general reader reads."""
        text = TEXT[:place] + noise + TEXT[place + cut :]
        found = decode_known_layout(text)
        assume(found is not None)
        assert found == decode_message_generally(text)

    @given(st.integers(0, len(TEXT)), st.sampled_from([b"0", b"9", b"-", b".", b"|", b""]))
    def test_nor_with_digits_changed(self, place: int, noise: bytes) -> None:
        """The same, where damage is most likely to look like a value."""
        text = TEXT[:place] + noise + TEXT[place + 1 :]
        found = decode_known_layout(text)
        assume(found is not None)
        assert found == decode_message_generally(text)


class TestTouchline:
    @pytest.mark.parametrize(
        ("ltp", "close", "locator", "per_cent", "rupees"),
        [
            (136550, 137260, 100, b"-0.52", b"-7.10"),
            (137260, 136550, 100, b"0.52", b"7.10"),
            (100, 100, 100, b"0.00", b"0.00"),
            (1_000_000, 1_000_001, 100, b"0.00", b"-0.01"),
            (0, 137260, 100, b"0.00", b"0.00"),
            (136550, 0, 100, b"0.00", b"0.00"),
            (200, 100, 1, b"100.00", b"100.00"),
            (105, 100, 10, b"5.00", b"0.50"),
            (835475, 830000, 10_000, b"0.66", b"0.5475"),
            (201, 200, 100, b"0.50", b"0.01"),
            (10005, 10000, 100, b"0.05", b"0.05"),
            (9995, 10000, 100, b"-0.05", b"-0.05"),
        ],
    )
    def test_changes_follow_from_the_prices(
        self, ltp: int, close: int, locator: int, per_cent: bytes, rupees: bytes
    ) -> None:
        """Two decimals of a per cent, as many of a rupee as the locator has zeros."""
        text = encode(replace(T, ltp=ltp, close=close, locator=locator))
        assert b"|54=%b|" % per_cent in text
        assert b"|393=%b|" % rupees in text

    @pytest.mark.parametrize("value", [b"136550.5", b"-136550", b"+136550", b"1e5", b"", b"NaN"])
    @pytest.mark.parametrize("tag", [b"8"])
    def test_a_last_price_that_is_none_makes_the_message_unusable(
        self, tag: bytes, value: bytes
    ) -> None:
        """A wrong price is worse than none."""
        text = TEXT.replace(b"|%b=136550|" % tag, b"|%b=%b|" % (tag, value))
        with pytest.raises(MessageError) as raised:
            decode_message(text)
        assert (raised.value.code, raised.value.tag) == (209, 8)

    @pytest.mark.parametrize("tag", [2, 3, 5, 6, 9, 75, 76, 77, 78, 79, 80, 81, 82, 88, 93, 94])
    @pytest.mark.parametrize("value", [b"-1", b"x", b"1 ", b"1_0", "१".encode(), b"9" * 19])
    def test_every_number_is_unsigned_and_whole(self, tag: int, value: bytes) -> None:
        """Whatever the tag, a value that is no plain number is refused, not read somehow."""
        pieces = [
            b"%d=%b" % (tag, value) if piece.startswith(b"%d=" % tag) else piece
            for piece in TEXT.split(b"|")
        ]
        with pytest.raises(MessageError) as raised:
            decode_message(b"|".join(pieces))
        assert raised.value.tag == tag

    def test_an_empty_number_other_than_the_last_price_is_unknown(self) -> None:
        """Before the first trade of a day senders leave values empty."""
        assert decode_message(TEXT.replace(b"|75=137180|", b"|75=|")) == replace(T, open=0)

    def test_a_decimal_total_of_an_index_is_no_quantity(self) -> None:
        """Indices carry their market capitalisation where the total buy quantity stands."""
        text = TEXT.replace(b"|81=412530|", b"|81=18950000.25|")
        assert decode_message(text) == replace(T, total_buy=0)

    def test_one_tag_with_two_values_is_refused(self) -> None:
        """There is no telling which of two prices is meant."""
        with pytest.raises(MessageError, match="two values"):
            decode_message(TEXT + b"|8=136551")
        assert decode_message(TEXT + b"|8=136550") == T

    @pytest.mark.parametrize("value", [b"2", b"0100x", b"-100", b"250", b"100.5", b"1" + b"0" * 10])
    def test_a_locator_that_is_no_power_of_ten_is_refused(self, value: bytes) -> None:
        """Some take it for a divisor, some for a number of decimals: one shows a wrong price."""
        with pytest.raises(MessageError) as raised:
            decode_message(TEXT.replace(b"|399=100|", b"|399=%b|" % value))
        assert raised.value.tag == 399

    @pytest.mark.parametrize("segment", [b"0", b"2147483648", b""])
    def test_an_instrument_must_be_one(self, segment: bytes) -> None:
        """Market segments and tokens are positive and fit the native block."""
        with pytest.raises(MessageError):
            decode_message(TEXT.replace(b"|1=1|", b"|1=%b|" % segment))

    def test_texts_that_cannot_stand_in_a_field_are_not_written(self) -> None:
        """A value with a bar in it would become two fields."""
        for field in ("price_band", "oi_change"):
            with pytest.raises(ValueError, match="cannot be the value"):
                encode_touchline(replace(T, **{field: "1|8=2"}), SENT)


class TestBestFive:
    def test_a_side_has_five_levels(self) -> None:
        """One of the known clients shows nothing if there are six."""
        with pytest.raises(ValueError, match="exactly 5"):
            encode(BestFive(T, (Level(),) * 6, (Level(),) * 5))

    @pytest.mark.parametrize(
        "depth",
        [
            b"12=1$14=2$37=3|11=1",
            b"11=1|12=1$14=-2$37=3",
            b"11=1|12=1$14=2.5$37=3",
            b"11=1|12=1$37=3",
            b"11=1|12=1$14=2$14=3$37=3",
            b"11=3|12=1$14=2$37=3",
            b"11=1|12=1$14=2$37=3|11=1|12=1$14=2$37=3",
            b"11=",
        ],
    )
    def test_a_depth_that_cannot_be_followed_is_refused(self, depth: bytes) -> None:
        """A level on the wrong side, or a price cut short, is worse than none."""
        with pytest.raises(MessageError) as raised:
            decode_message(INFERRED_HEAD % 128 + b"1=1|7=2885|8=100|" + depth)
        assert raised.value.code == 128

    def test_the_number_of_orders_may_be_missing(self) -> None:
        """A level is its price and its quantity."""
        found = decode_message(INFERRED_HEAD % 128 + b"1=1|7=2885|11=1|12=5$14=100")
        assert isinstance(found, BestFive)
        assert found.buys[0] == Level(5, 100, 0)
        assert (found.touchline.bid_qty, found.touchline.bid) == (5, 100)
