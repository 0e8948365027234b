"""
The wire as real clients know it: bytes captured from them, or decoded by them.

Each vector has its expectation here: the messages it must give, what must be
refused in it, or the error that ends the stream.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from streamer.errors import FrameError, MessageError
from streamer.odin.framing import (
    Dialect,
    RequestDecoder,
    ResponseDecoder,
    encode_frames,
    encode_request_frame,
)
from streamer.odin.messages import (
    NO_LEVEL,
    BestFive,
    BestFiveRequest,
    Disconnect,
    Heartbeat,
    KeepAlive,
    Level,
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
    decode_body,
    decode_message,
    decode_request,
    encode,
    encode_native,
    encode_request,
)
from streamer.odin.times import parse_stamp

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "feed-vectors.json").read_text("utf-8")
)
REQUESTS: list[dict[str, Any]] = VECTORS["requests"]
RESPONSES: dict[str, dict[str, Any]] = {case["name"]: case for case in VECTORS["responses"]}

SENT = parse_stamp(b"2026-09-04 101500")
LTT = parse_stamp(b"2026-09-04 101458")
LUT = parse_stamp(b"2026-09-04 101459")

T = Touchline(
    segment=1,
    token=2885,
    ltp=136550,
    ltq=25,
    volume=8053013,
    atp=136701,
    bid_qty=150,
    bid=136545,
    ask_qty=210,
    ask=136555,
    total_buy=412530,
    total_sell=389120,
    open=137180,
    high=137400,
    low=136030,
    close=137260,
    ltt=LTT,
    lut=LUT,
    high_52=155100,
    low_52=111555,
    sent=SENT,
    price_band="123535-150985",
)
BSE = replace(T, segment=3, token=500325)
NATIVE = replace(
    T,
    ltq=0,
    volume=0,
    atp=0,
    total_buy=0,
    total_sell=0,
    high_52=0,
    low_52=0,
    price_band="",
)
BUYS = tuple(Level(100 + 10 * i, 136545 - 5 * i, 3 + i) for i in range(5))
SELLS = tuple(Level(200 + 10 * i, 136555 + 5 * i, 4 + i) for i in range(5))
SIDE = replace(T, bid_qty=100, bid=136545, ask_qty=200, ask=136555)
BEST = BestFive(SIDE, BUYS, SELLS, SENT)
ACCEPTED = LogonAnswer(10000, sent=SENT)


def levels(side: tuple[Level, ...], count: int) -> tuple[Level, ...]:
    """Return the first levels of a side, filled up to five."""
    return side[:count] + (NO_LEVEL,) * (5 - count)


def best(touchline: Touchline) -> list[ServerMessage]:
    """Return the five levels of the vectors with a touchline of one's own."""
    return [BestFive(touchline, BUYS, SELLS, SENT)]


Outcome = list[ServerMessage] | str | FrameError
"""Messages, what the report of an unusable message or frame says, or the end of the stream."""

EXPECTED: dict[str, Outcome] = {
    "logon_ok": [ACCEPTED],
    "logon_expiring": [LogonAnswer(10004, days_to_expiry=7, sent=SENT)],
    "logon_rejected_empty70": [LogonAnswer(0, sent=SENT)],
    "logon_no70": [LogonAnswer(0, sent=SENT)],
    "touchline_text": [T],
    "touchline_batch": [T, BSE],
    "touchline_trailing_bar": [T],
    "touchline_native": [NATIVE],
    "mixed_text_native": [T, NATIVE, BEST],
    "ltp_touchline": [LtpTouchline(1, 2885, LUT, 136550, 137260, 100, SENT)],
    "best_five": [BEST],
    "heartbeat_350": [Heartbeat("1", SENT)],
    "market_status_110": [MarketStatus(1, "1", SENT)],
    "disconnect_1111": [Disconnect("", SENT)],
    "split_two_ws_messages": [T],
    "split_in_header": [T],
    "two_frames_one_ws": [T, BSE],
    "byte_by_byte": [T],
    "zlib_level_1": [T],
    "zlib_level_6": [T],
    "zlib_level_9": [T],
    "outer_trailer_counted": [T],
    "outer_trailer_uncounted": [T],
    "inner_nul_uncounted": [T],
    "inner_nul_counted": [T],
    "two_inner_nul_uncounted": [T, BSE],
    "two_inner_nul_counted": [T, BSE],
    "no_inner_header": [T, BSE],
    "no_inner_at_all": [T],
    "native_then_nul": [NATIVE],
    "flag2_raw": [T],
    "flag2_zlib": [T],
    "inner_marker_5": [T],
    "inner_len_too_long": [T],
    "inner_len_too_short": [T],
    "bad_zlib": "lost a frame of 170 bytes",
    "truncated_zlib": "lost a frame of 40 bytes",
    "garbage_prefix": FrameError("", offset=0),
    "garbage_05_binary": FrameError("", offset=0),
    "outer_len_zero": [T],
    "field_without_equals": [T],
    "touch_without_1": "tag 1",
    "touch_without_7": "tag 7",
    "touch_without_73": [replace(T, ltt=0)],
    "touch_without_74": [replace(T, lut=0)],
    "touch_without_8": "tag 8",
    "touch_without_54": [T],
    "touch_without_9": [replace(T, ltq=0)],
    "touch_without_2": [replace(T, bid_qty=0)],
    "touch_without_3": [replace(T, bid=0)],
    "touch_without_5": [replace(T, ask_qty=0)],
    "touch_without_6": [replace(T, ask=0)],
    "touch_without_79": [replace(T, volume=0)],
    "touch_without_76": [replace(T, close=0)],
    "touch_without_80": [replace(T, atp=0)],
    "touch_without_399": [T],
    "touch_without_75": [replace(T, open=0)],
    "touch_without_77": [replace(T, high=0)],
    "touch_without_78": [replace(T, low=0)],
    "touch_without_81": [replace(T, total_buy=0)],
    "touch_without_82": [replace(T, total_sell=0)],
    "touch_without_93": [replace(T, high_52=0)],
    "touch_without_94": [replace(T, low_52=0)],
    "touch_without_88": [T],
    "touch_without_393": [T],
    "touch_without_380": [replace(T, price_band="")],
    "best5_without_1": "tag 1",
    "best5_without_7": "tag 7",
    "best5_without_74": best(replace(SIDE, lut=0)),
    "best5_without_73": best(replace(SIDE, ltt=0)),
    "best5_without_8": best(replace(SIDE, ltp=0)),
    "best5_without_9": best(replace(SIDE, ltq=0)),
    "best5_without_79": best(replace(SIDE, volume=0)),
    "best5_without_80": best(replace(SIDE, atp=0)),
    "best5_without_81": best(replace(SIDE, total_buy=0)),
    "best5_without_82": best(replace(SIDE, total_sell=0)),
    "best5_without_75": best(replace(SIDE, open=0)),
    "best5_without_76": best(replace(SIDE, close=0)),
    "best5_without_77": best(replace(SIDE, high=0)),
    "best5_without_78": best(replace(SIDE, low=0)),
    "best5_without_54": [BEST],
    "best5_without_399": [BEST],
    "best5_without_93": best(replace(SIDE, high_52=0)),
    "best5_without_94": best(replace(SIDE, low_52=0)),
    "best5_without_380": best(replace(SIDE, price_band="")),
    "best5_without_88": [BEST],
    "touch_locator_empty": [T],
    "touch_locator_0": [T],
    "touch_locator_2": "tag 399",
    "touch_locator_100_00": [T],
    "touch_locator_10000": [replace(T, locator=10_000)],
    "touch_cds_10000000": [
        replace(
            T,
            segment=13,
            token=1234,
            ltp=835475000,
            bid=835474995,
            ask=835475005,
            locator=10_000_000,
        )
    ],
    "touch_cds_10000": [
        replace(T, segment=13, token=1234, ltp=835475, bid=835470, ask=835480, locator=10_000)
    ],
    "touch_cds_100": [replace(T, segment=13, token=1234, ltp=8354, bid=8349, ask=8359)],
    "touch_mcx_100": [replace(T, segment=5, token=214599, ltp=6543200, bid=6543195, ask=6543205)],
    "touch_fo": [replace(T, segment=2, token=45450, open_interest=1250000)],
    "touch_bfo": [replace(T, segment=4, token=861384)],
    "touch_index": [
        replace(
            T,
            token=26000,
            volume=0,
            ltp=2478030,
            ltq=0,
            bid_qty=0,
            bid=0,
            ask_qty=0,
            ask=0,
            total_buy=0,
            total_sell=0,
        )
    ],
    "touch_float_price": "tag 8",
    "touch_float_qty": "tag 79",
    "touch_empty_ltp": "tag 8",
    "touch_zero_ltp": [replace(T, ltp=0)],
    "touch_negative_pct_signed": [T],
    "touch_lut_seconds": [T],
    "touch_lut_epoch": [T],
    "touch_fix3": [T],
    "best5_4_4": [BestFive(SIDE, levels(BUYS, 4), levels(SELLS, 4), SENT)],
    "best5_5_3": [BestFive(SIDE, BUYS, levels(SELLS, 3), SENT)],
    "best5_0_0": [
        BestFive(
            replace(SIDE, bid_qty=0, bid=0, ask_qty=0, ask=0),
            levels(BUYS, 0),
            levels(SELLS, 0),
            SENT,
        )
    ],
    "best5_6_6": [BEST],
    "best5_3_5": [BestFive(SIDE, levels(BUYS, 3), SELLS, SENT)],
    "best5_zero_levels": [BestFive(SIDE, levels(BUYS, 3), levels(SELLS, 3), SENT)],
    "best5_empty_numbers": best(
        replace(SIDE, ltp=0, ltq=0, volume=0, atp=0, open=0, high=0, low=0)
    ),
    "best5_locator_100_00": [BEST],
    "best5_amp": [BEST],
    "best5_tag12x": [BEST],
    "best5_depth_first": [BEST],
    "native_token_0x02": [replace(NATIVE, token=0x02020200)],
    "native_token_bar50": [replace(NATIVE, token=int.from_bytes(b"|50=", "little"))],
    "native_token_7c_end": [NATIVE],
    "native_high_bit": "negative value in a native block",
    "native_short_60": "native block of 60 bytes",
    "native_24": "native block, which only a touchline has",
    "native_long_72": [NATIVE],
    "native_two_in_one": [NATIVE, replace(NATIVE, token=3045)],
    "native_lut_neg": [replace(NATIVE, lut=0)],
    "text_bytes_0x02_in_value": [replace(T, price_band="")],
    "text_non_ascii": [T],
    "big_frame": [replace(T, token=1000 + i) for i in range(340)],
    "inner_99999": [T],
    "outer_over_99999": FrameError("", offset=6 + 5242),
}

LOST_FRAMES = {"outer_len_zero": 1, "bad_zlib": 1, "truncated_zlib": 1}


def websocket_messages(case: dict[str, Any]) -> list[bytes]:
    """Return the WebSocket messages of a vector; the one too large to be kept is made again."""
    if case["name"] == "outer_over_99999":
        stream = zlib.compress(b"x" * 105_221, 0)
        assert len(stream) == 105_242
        return [b"\x05" + f"{len(stream)}"[1:].encode() + stream]
    pieces = case["websocket_messages_hex"]
    if case["name"] == "byte_by_byte":
        whole = bytes.fromhex("".join(pieces))
        return [whole[i : i + 1] for i in range(len(whole))]
    return [bytes.fromhex(piece) for piece in pieces]


def received(
    messages: list[bytes],
) -> tuple[list[ServerMessage], list[MessageError], ResponseDecoder]:
    """Return what a new connection makes of WebSocket messages."""
    decoder = ResponseDecoder()
    found: list[ServerMessage] = []
    problems: list[MessageError] = []
    for data in messages:
        for body in decoder.feed(data):
            decoded, unusable = decode_body(body)
            found += decoded
            problems += unusable
    return found, problems, decoder


def test_every_vector_has_an_expectation() -> None:
    """No vector is skipped and none is invented."""
    assert set(EXPECTED) == set(RESPONSES)


@pytest.mark.parametrize("name", EXPECTED)
def test_response(name: str) -> None:
    """A vector gives exactly its messages, its report, or its end of the stream."""
    messages = websocket_messages(RESPONSES[name])
    match EXPECTED[name]:
        case FrameError() as error:
            with pytest.raises(FrameError) as raised:
                received(messages)
            assert raised.value.offset == error.offset
        case str() as report:
            found, problems, decoder = received(messages)
            assert found == []
            assert decoder.lost_frames == LOST_FRAMES.get(name, 0)
            reports = [str(problem) for problem in problems] or [str(decoder.last_problem)]
            assert len(reports) == 1
            assert report in reports[0]
        case expected:
            found, problems, decoder = received(messages)
            assert found == expected
            assert problems == []
            assert decoder.lost_frames == LOST_FRAMES.get(name, 0)


RECOMMENDED = [name for name, case in RESPONSES.items() if case["recommended_form"]]


@pytest.mark.parametrize("name", RECOMMENDED)
def test_recommended_form_is_what_we_write(name: str) -> None:
    """What we make of a recommended vector is written again byte for byte."""
    outcome = EXPECTED[name]
    assert isinstance(outcome, list)
    texts = [
        encode_native(message, message.sent)
        if isinstance(message, Touchline) and not message.volume
        else encode(message)
        for message in outcome
    ]
    (frame,) = encode_frames(texts)
    body = bytes.fromhex(RESPONSES[name]["inflated_hex"])
    if name == "best5_zero_levels":
        # Made from another vector, this one kept that one's tag 65; we write the true length.
        assert body[1:6] == b"00451"
        body = body.replace(b"|65=391|", b"|65=451|")
    assert ResponseDecoder().feed(frame) == [body]


@pytest.mark.parametrize("name", RECOMMENDED)
def test_the_vendor_client_reads_the_same(name: str) -> None:
    """What the vendor's own client hands on means what we read."""
    outcome = EXPECTED[name]
    assert isinstance(outcome, list)
    theirs = [
        decode_message(text.encode()) for text in RESPONSES[name]["decoded"]["omf"]["messages"]
    ]
    # In native form that client calls the indicative close by the tag of the open interest.
    theirs = [
        replace(message, open_interest=0)
        if isinstance(message, Touchline) and not message.volume
        else message
        for message in theirs
    ]
    assert theirs == outcome


PAIR = ((1, 2885), (3, 500325))

REQUESTS_BY_PURPOSE: dict[str, Request] = {
    "touchline subscribe": TouchlineRequest(PAIR),
    "LTP touchline subscribe": LtpRequest(PAIR),
    "best five subscribe": BestFiveRequest((1, 2885)),
    "touchline native subscribe": TouchlineRequest(PAIR, native=True),
    "touchline price-change-only subscribe": TouchlineRequest(PAIR, on_change=True),
    "pause": Pause(True),
    "resume": Pause(False),
    "touchline unsubscribe": TouchlineRequest(PAIR, subscribe=False),
    "LTP touchline unsubscribe": LtpRequest(PAIR, subscribe=False),
    "best five unsubscribe": BestFiveRequest((1, 2885), subscribe=False),
    "touchline subscribe, tag 4 after the pairs": TouchlineRequest(((1, 193),)),
    "touchline subscribe, many pairs": TouchlineRequest(((1, 22), (1, 1594))),
    "touchline subscribe, pair order reversed, no 66": TouchlineRequest(((1, 15083), (1, 236))),
    "keep-alive": KeepAlive("SESSION1"),
    "subscribe sent with the response code 348": LtpRequest(((1, 2885),)),
    "logon whose password is the literal %s": Logon("DEMO01", "%s"),
}
LOGONS = {
    "pycloudrestapi 1.0.0": Logon("DEMO01"),
    "Go client with the +4 framing": Logon("USER1", "APIKEY"),
}
VENDOR = ("PyPI odin-market-feed 1.0.0", "npm odin-market-feed-client 1.0.1")
ORIGINAL = "pycloudrestapi 1.0.0"


def expected_request(case: dict[str, Any]) -> Request:
    """Return what a captured request asks."""
    client, purpose = case["client"], case["purpose"]
    if purpose == "logon":
        return LOGONS.get(client, Logon("DEMO01", "DEMOKEY"))
    if client == "PyPI kkunal 1.5.2" and purpose == "touchline subscribe":
        return TouchlineRequest(((1, 2885),))
    return REQUESTS_BY_PURPOSE[purpose]


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: f"{case['client']}: {case['purpose']}")
def test_request(case: dict[str, Any]) -> None:
    """Every captured request is read, whatever its dialect."""
    decoder = RequestDecoder()
    (text,) = decoder.feed(bytes.fromhex(case["frame_hex"]))
    assert text.decode() == case["text"]
    assert decoder.unparsed_bytes == 0
    assert decoder.lost_frames == 0
    assert decode_request(text) == expected_request(case)


@pytest.mark.parametrize(
    "case",
    [case for case in REQUESTS if case["client"] in (*VENDOR, ORIGINAL)],
    ids=lambda case: f"{case['client']}: {case['purpose']}",
)
def test_request_is_written_as_its_client_does(case: dict[str, Any]) -> None:
    """The two dialects we write are those of their clients, to the byte."""
    dialect = Dialect.PLUS_FOUR if case["client"] == ORIGINAL else Dialect.PLAIN
    time = case["text"].partition("|66=")[2][:8]
    sent = parse_stamp(f"2026-11-22 {time}".encode())
    text = encode_request(expected_request(case), sent, dialect)
    assert text.decode() == case["text"]
    frame = encode_request_frame(text, dialect)
    if case["client"] == VENDOR[1]:
        # Node's own copy of zlib compresses a little differently.
        assert RequestDecoder().feed(frame) == [text]
    else:
        assert frame.hex() == case["frame_hex"]
