from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.errors import MessageError
from streamer.odin.framing import ResponseDecoder, encode_frames
from streamer.odin.messages import (
    Heartbeat,
    LogonAnswer,
    MarketStatus,
    ServerMessage,
    Touchline,
    Unknown,
    decode_body,
    decode_message,
    encode,
    encode_disconnect,
    encode_heartbeat,
    encode_logoff,
    encode_logon_answer,
    encode_native,
)
from streamer.odin.times import parse_stamp
from tests import strategies

SENT = parse_stamp(b"2026-09-04 101500")
T = Touchline(
    1, 2885, 136550, 25, 8053013, 136701, 150, 136545, 210, 136555, 412530, 389120,
    137180, 137400, 136030, 137260, SENT, SENT, sent=SENT, price_band="123535-150985",
)  # fmt: skip
TEXT = encode(T)
INFERRED_HEAD = b"63=FT3.0|64=%d|65=1|66=04092026 101500|"


def body(*texts: bytes) -> bytes:
    """Return a body that holds ``texts``."""
    return b"".join(b"\x02%05d%b" % (len(text), text) for text in texts)


class TestRoundTrips:
    @given(strategies.server_messages)
    def test_what_is_written_is_read_again(self, message: ServerMessage) -> None:
        """decode(encode(x)) == x for every message of a server."""
        assert decode_message(encode(message)) == message

    @given(strategies.native_touchlines)
    def test_native_touchlines(self, touchline: Touchline) -> None:
        """What fits into a native block survives it."""
        assert decode_message(encode_native(touchline, touchline.sent)) == touchline

    @given(strategies.touchlines())
    def test_large_values_are_capped_in_native_form(self, touchline: Touchline) -> None:
        """No value of a block is one that a client could read as negative."""
        found = decode_message(encode_native(touchline, touchline.sent))
        assert isinstance(found, Touchline)
        assert found.ltp == min(touchline.ltp, 2**31 - 1)
        assert found.bid_qty == min(touchline.bid_qty, 2**31 - 1)
        assert found.close == min(touchline.close, 2**31 - 1)

    @given(st.lists(strategies.server_messages, max_size=6))
    def test_a_body_is_the_messages_in_it(self, messages: list[ServerMessage]) -> None:
        """Messages of any kinds share a body and keep their order."""
        assert decode_body(body(*map(encode, messages))) == (messages, [])

    @given(strategies.server_messages)
    def test_texts_keep_the_rules_of_the_wire(self, message: ServerMessage) -> None:
        """ASCII, a true length, no empty field, no field without a value's sign."""
        text = encode(message)
        assert text.isascii()
        assert b"\x00" not in text
        assert b"\x02" not in text
        pieces = text.split(b"|")
        assert [piece.partition(b"=")[0] for piece in pieces[:4]] == [b"63", b"64", b"65", b"66"]
        assert int(pieces[2][3:]) == len(text)
        assert all(b"=" in piece for piece in pieces)


class TestControl:
    @pytest.mark.parametrize(
        ("status", "accepted"),
        [(10000, True), (10004, True), (10001, False), (0, False), (1, False)],
    )
    def test_two_statuses_let_a_client_in(self, status: int, accepted: bool) -> None:
        """Every other status is a refusal, a missing one too."""
        assert LogonAnswer(status).accepted is accepted

    def test_a_simulator_says_so_in_its_logon_answer(self) -> None:
        """The private tag is there for the simulator alone."""
        text = encode_logon_answer(LogonAnswer(10000, simulated=True), SENT)
        assert text.endswith(b"|70=10000|1=1|9000=1")
        assert b"9000" not in encode_logon_answer(LogonAnswer(10000), SENT)

    def test_control_messages_without_content_are_their_header(self) -> None:
        """No empty field ends a text."""
        for text in (encode_heartbeat(SENT), encode_logoff(SENT), encode_disconnect(SENT)):
            assert text.endswith(b"|66=04092026 101500")

    def test_codes_we_do_not_know_are_handed_on(self) -> None:
        """Servers send messages that no published client decodes."""
        text = INFERRED_HEAD % 907 + b"96=news|96=more"
        assert decode_message(text) == Unknown(907, text, SENT)
        assert encode(Unknown(907, text, SENT)) == text

    def test_a_status_without_a_segment(self) -> None:
        """The body of 110 is not known for sure, so all of it may be missing."""
        assert decode_message(INFERRED_HEAD % 110) == MarketStatus(0, "", SENT)


class TestHeader:
    @pytest.mark.parametrize(
        ("header", "sent"),
        [
            (b"66=04092026 101500", SENT),
            (b"66=2026-09-04 10:15:00", SENT),
            (b"66=10:15:00", 0),
            (b"66=", 0),
            (b"4=", 0),
        ],
    )
    def test_the_time_sent(self, header: bytes, sent: int) -> None:
        """A time that cannot be read is 0; the message is read all the same."""
        text = b"63=FIX3.0|64=350|65=1|" + header + b"|351=x"
        assert decode_message(text) == Heartbeat("x", sent)

    def test_what_stands_before_the_header_is_skipped(self) -> None:
        """Some readers hand texts on with the digits of their length."""
        assert decode_message(b"00289" + TEXT) == T

    @pytest.mark.parametrize(
        "text", [b"", b"garbage", b"63=FT3.0", b"63=FT3.0|64=x", b"63=FT3.0|64=|65=1", b"64=209"]
    )
    def test_a_text_without_a_code_is_unusable(self, text: bytes) -> None:
        """Nothing is guessed from the rest."""
        with pytest.raises(MessageError):
            decode_message(text)


class TestBody:
    def test_an_unusable_message_does_not_touch_its_neighbours(self) -> None:
        """The others are read; what was wrong is told."""
        bad = TEXT.replace(b"|8=136550|", b"|8=1365.50|")
        messages, problems = decode_body(body(TEXT, bad, encode_heartbeat(SENT)))
        assert messages == [T, Heartbeat(sent=SENT)]
        assert [(problem.code, problem.tag) for problem in problems] == [(209, 8)]

    @given(st.binary(max_size=300))
    def test_garbage_gives_reports_and_nothing_else(self, garbage: bytes) -> None:
        """No body raises."""
        _, problems = decode_body(garbage)
        assert all(isinstance(problem, MessageError) for problem in problems)

    @given(
        strategies.server_messages,
        st.integers(0, 600),
        st.binary(max_size=6),
        st.integers(0, 6),
    )
    def test_damaged_texts_give_a_message_or_the_documented_error(
        self, message: ServerMessage, place: int, noise: bytes, cut: int
    ) -> None:
        """No text raises anything but a MessageError."""
        text = encode(message)
        with contextlib.suppress(MessageError):
            decode_message(text[:place] + noise + text[place + cut :])

    @given(st.integers(1, 400))
    def test_batches_of_any_size(self, count: int) -> None:
        """As many messages come out of frames as went in, however many frames it took."""
        sent = [replace(T, token=1 + i) for i in range(count)]
        decoder = ResponseDecoder()
        received: list[ServerMessage] = []
        for frame in encode_frames([encode(touchline) for touchline in sent]):
            for content in decoder.feed(frame):
                messages, problems = decode_body(content)
                received += messages
                assert problems == []
        assert received == sent
