"""
Texts of the feed to and from typed messages, both directions.

This is the door of the package for messages: market data comes from
:mod:`streamer.odin.touchline`, requests from :mod:`streamer.odin.requests`,
and the few control messages are defined here. Frames are not known here but
for the cutting of a body into texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamer.errors import MessageError
from streamer.odin.fields import (
    Fields,
    code_of,
    is_simulated,
    optional_text,
    parse_fields,
    server_text,
    text_value,
)
from streamer.odin.framing import cut_body
from streamer.odin.requests import (
    BestFiveRequest,
    HeartbeatRequest,
    KeepAlive,
    Logon,
    LtpRequest,
    Pause,
    Request,
    TouchlineRequest,
    UnknownRequest,
    decode_request,
    encode_request,
)
from streamer.odin.tags import (
    LOGON_ACCEPTED,
    LOGON_ACCEPTED_EXPIRING,
    Code,
    Tag,
)
from streamer.odin.tick import Day, Tick, Ticks, as_ticks, read_ticks, tick_of
from streamer.odin.times import parse_stamp
from streamer.odin.touchline import (
    DEPTH,
    NO_LEVEL,
    BestFive,
    Level,
    LtpTouchline,
    Touchline,
    decode_best_five,
    decode_known_layout,
    decode_ltp,
    decode_native,
    decode_touchline,
    encode_best_five,
    encode_ltp,
    encode_native,
    encode_plain_touchline,
    encode_touchline,
)

__all__ = [
    "DEPTH",
    "NO_LEVEL",
    "BestFive",
    "BestFiveRequest",
    "Day",
    "Disconnect",
    "FeedMessage",
    "Heartbeat",
    "HeartbeatRequest",
    "KeepAlive",
    "Level",
    "Logoff",
    "Logon",
    "LogonAnswer",
    "LtpRequest",
    "LtpTouchline",
    "MarketStatus",
    "Pause",
    "Request",
    "ServerMessage",
    "Tick",
    "Ticks",
    "Touchline",
    "TouchlineRequest",
    "Unknown",
    "UnknownRequest",
    "as_ticks",
    "decode_body",
    "decode_body_as_ticks",
    "decode_message",
    "decode_request",
    "encode",
    "encode_best_five",
    "encode_disconnect",
    "encode_heartbeat",
    "encode_logoff",
    "encode_logon_answer",
    "encode_ltp",
    "encode_market_status",
    "encode_native",
    "encode_plain_touchline",
    "encode_request",
    "encode_touchline",
    "tick_of",
]


class LogonAnswer(msgspec.Struct, frozen=True, gc=False):
    """
    Whether the feed lets the client in (102).

    ``status`` is 0 if it is missing or no number, which is no acceptance.
    ``segments`` are the market segments allowed, as the feed writes them.
    """

    status: int
    segments: str = "1"
    days_to_expiry: int | None = None
    simulated: bool = False
    sent: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the client is logged on now."""
        return self.status in (LOGON_ACCEPTED, LOGON_ACCEPTED_EXPIRING)


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """A sign of life (350); ``echo`` is that of the request, if it answers one."""

    echo: str = ""
    sent: int = 0


class MarketStatus(msgspec.Struct, frozen=True, gc=False):
    """The state of a market segment (110), in the feed's own words; 0 is no segment."""

    segment: int = 0
    status: str = ""
    sent: int = 0


class Logoff(msgspec.Struct, frozen=True, gc=False):
    """The feed has ended (109)."""

    reason: str = ""
    sent: int = 0


class Disconnect(msgspec.Struct, frozen=True, gc=False):
    """The server is about to close the socket (1111)."""

    reason: str = ""
    sent: int = 0


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A message whose code we do not know; ``text`` is the whole of it."""

    code: int
    text: bytes
    sent: int = 0


ServerMessage = (
    Touchline
    | LtpTouchline
    | BestFive
    | LogonAnswer
    | Heartbeat
    | MarketStatus
    | Logoff
    | Disconnect
    | Unknown
)

FeedMessage = ServerMessage | Ticks
"""What a reader of the feed gets: ticks in place of touchlines, if it asks for them."""


def encode_logon_answer(message: LogonAnswer, sent: int) -> bytes:
    """Return the text of a logon answer: 102, with our private tag if the feed is a simulator."""
    body = f"70={message.status}|1={text_value(message.segments)}"
    if message.days_to_expiry is not None:
        body += f"|97={message.days_to_expiry}"
    if message.simulated:
        body += f"|{Tag.SIMULATED:d}=1"
    return server_text(Code.LOGON_ANSWER, body, sent)


def encode_heartbeat(sent: int, echo: str = "") -> bytes:
    """Return the text of a heartbeat: 350."""
    return server_text(Code.HEARTBEAT, f"351={text_value(echo)}" if echo else "", sent)


def encode_market_status(message: MarketStatus, sent: int) -> bytes:
    """Return the text of a market status: 110."""
    segment = f"1={message.segment}|" if message.segment else ""
    return server_text(Code.MARKET_STATUS, f"{segment}38={text_value(message.status)}", sent)


def encode_logoff(sent: int, reason: str = "") -> bytes:
    """Return the text of a logoff: 109."""
    return server_text(Code.LOGOFF, _reason(reason), sent)


def encode_disconnect(sent: int, reason: str = "") -> bytes:
    """Return the text of a notice that the socket will be closed: 1111."""
    return server_text(Code.DISCONNECT, _reason(reason), sent)


def _reason(reason: str) -> str:
    return f"58={text_value(reason)}" if reason else ""


def encode(message: ServerMessage) -> bytes:
    """
    Return the text of any message of a server, with its own ``sent`` in the header.

    Touchlines are written in text form; an unknown message as it was read.

    Raises:
        ValueError: If one of its texts cannot stand in a field.

    """
    match message:
        case Touchline():
            return encode_touchline(message, message.sent)
        case LtpTouchline():
            return encode_ltp(message, message.sent)
        case BestFive():
            return encode_best_five(message, message.sent)
        case LogonAnswer():
            return encode_logon_answer(message, message.sent)
        case Heartbeat():
            return encode_heartbeat(message.sent, message.echo)
        case MarketStatus():
            return encode_market_status(message, message.sent)
        case Logoff():
            return encode_logoff(message.sent, message.reason)
        case Disconnect():
            return encode_disconnect(message.sent, message.reason)
        case Unknown():
            return message.text


def _number_or(fields: Fields, tag: int, default: int) -> int:
    """Return a number that is not a price: one that cannot be read may be done without."""
    value = fields.get(tag, b"")
    return int(value) if value.isdigit() and len(value) < 10 else default


def _logon_answer(fields: Fields, sent: int) -> LogonAnswer:
    days = _number_or(fields, Tag.DAYS_TO_EXPIRY, -1)
    return LogonAnswer(
        status=_number_or(fields, Tag.LOGON_STATUS, 0),
        segments=optional_text(fields, Tag.SEGMENT),
        days_to_expiry=None if days < 0 else days,
        simulated=is_simulated(fields),
        sent=sent,
    )


def decode_message(text: bytes) -> ServerMessage:
    """
    Return the message that one text of a server tells.

    What stands before ``63=`` and NULs at the end are ignored; a message may
    lack all but its code and what it cannot do without.

    Raises:
        MessageError: If the text is unusable: no code, or a value that a
            reader could take for another.

    """
    return decode_known_layout(text) or decode_message_generally(text)


def decode_message_generally(text: bytes) -> ServerMessage:
    """Return the message of a text without the shortcut for our own layout."""
    start = text.find(b"63=F")
    if start < 0:
        raise MessageError(f"found {text[:40]!r}, expected a text that begins with 63=")
    text = text[start:]
    head, native_mark, block = text.partition(b"|50=")
    if not native_mark:
        text = head = text.rstrip(b"\x00")
    # Depth records repeat their tags, so the header alone is read before the code is known.
    fields = parse_fields(b"|".join(head.split(b"|", 4)[:4]))
    code = code_of(fields)
    sent = parse_stamp(fields.get(Tag.SENT, b""))
    try:
        if native_mark:
            return _decode_native(code, block, sent)
        return _decode_text(code, text, sent)
    except MessageError as error:
        raise MessageError(error.problem, code=code, tag=error.tag) from None


def _decode_native(code: int, block: bytes, sent: int) -> ServerMessage:
    if code != Code.TOUCHLINE:
        raise MessageError("found a native block, which only a touchline has", tag=Tag.NATIVE)
    return decode_native(block, sent)


def _decode_text(code: int, text: bytes, sent: int) -> ServerMessage:
    if code == Code.BEST_FIVE:
        return decode_best_five(text, sent)
    if code not in _KNOWN_CODES:
        return Unknown(code, text, sent)
    fields = parse_fields(text)
    match code:
        case Code.TOUCHLINE:
            return decode_touchline(fields, sent)
        case Code.LTP_TOUCHLINE:
            return decode_ltp(fields, sent)
        case Code.LOGON_ANSWER:
            return _logon_answer(fields, sent)
        case Code.HEARTBEAT:
            return Heartbeat(optional_text(fields, Tag.ECHO), sent)
        case Code.MARKET_STATUS:
            segment = _number_or(fields, Tag.SEGMENT, 0)
            return MarketStatus(segment, optional_text(fields, Tag.STATUS), sent)
        case Code.LOGOFF:
            return Logoff(optional_text(fields, Tag.REASON), sent)
        case _:
            return Disconnect(optional_text(fields, Tag.REASON), sent)


_KNOWN_CODES = frozenset(
    {
        Code.TOUCHLINE,
        Code.LTP_TOUCHLINE,
        Code.LOGON_ANSWER,
        Code.HEARTBEAT,
        Code.MARKET_STATUS,
        Code.LOGOFF,
        Code.DISCONNECT,
    }
)


def decode_body(body: bytes) -> tuple[list[ServerMessage], list[MessageError]]:
    """
    Return the messages of a whole inflated frame, in order, and what was unusable in it.

    An unusable message does not touch its neighbours.
    """
    texts, problems = cut_body(body)
    messages: list[ServerMessage] = []
    for text in texts:
        try:
            messages.append(decode_message(text))
        except MessageError as problem:
            problems.append(problem.with_traceback(None))
    return messages, problems


def decode_body_as_ticks(body: bytes) -> tuple[list[FeedMessage], list[MessageError]]:
    """Return what :func:`decode_body` does, with ticks in place of touchlines."""
    texts: Sequence[Ticks | bytes] | None = read_ticks(body)
    problems: list[MessageError] = []
    if texts is None:
        texts, problems = cut_body(body)
    messages: list[FeedMessage] = []
    for text in texts:
        if isinstance(text, Ticks):
            messages.append(text)
            continue
        try:
            message = decode_message(text)
        except MessageError as problem:
            problems.append(problem.with_traceback(None))
        else:
            messages.append(as_ticks(message) if isinstance(message, Touchline) else message)
    return messages, problems
