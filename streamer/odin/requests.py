"""
What a client asks of a feed, typed: logon, subscriptions, pause, heartbeat.

Requests of all known clients are read; they are written as two of them do,
one for each dialect.
"""

from __future__ import annotations

import msgspec

from streamer.errors import MessageError
from streamer.odin.fields import (
    Fields,
    code_of,
    identifier,
    optional_text,
    parse_fields,
    sized,
    text_value,
)
from streamer.odin.framing import Dialect
from streamer.odin.tags import Code, InstrumentKey, Tag
from streamer.odin.times import clock

_BAR = b"|"


class Logon(msgspec.Struct, frozen=True, gc=False):
    """Who is there (101); ``key`` is a password or a token and may be empty."""

    user: str
    key: str = ""


class TouchlineRequest(msgspec.Struct, frozen=True, gc=False):
    """
    Subscribe or unsubscribe touchlines (206).

    ``native`` asks for 64-byte blocks, ``on_change`` for updates that change
    the last traded price alone. ``skipped`` counts the instruments of the
    request that could not be read.
    """

    instruments: tuple[InstrumentKey, ...]
    subscribe: bool = True
    native: bool = False
    on_change: bool = False
    skipped: int = 0


class LtpRequest(msgspec.Struct, frozen=True, gc=False):
    """Subscribe or unsubscribe LTP touchlines (347)."""

    instruments: tuple[InstrumentKey, ...]
    subscribe: bool = True
    skipped: int = 0


class BestFiveRequest(msgspec.Struct, frozen=True, gc=False):
    """Subscribe or unsubscribe best five of one instrument (127)."""

    instrument: InstrumentKey
    subscribe: bool = True


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Pause or resume the whole connection (106)."""

    paused: bool


class HeartbeatRequest(msgspec.Struct, frozen=True, gc=False):
    """Ask for a sign of life (349); ``echo`` comes back in the answer."""

    echo: str = ""


class KeepAlive(msgspec.Struct, frozen=True, gc=False):
    """Say that the client is there (1000); not answered."""

    session: str = ""


class UnknownRequest(msgspec.Struct, frozen=True, gc=False):
    """A request whose code we do not know."""

    code: int
    text: bytes


Request = (
    Logon
    | TouchlineRequest
    | LtpRequest
    | BestFiveRequest
    | Pause
    | HeartbeatRequest
    | KeepAlive
    | UnknownRequest
)


def _text(code: int, body: str, sent: int, dialect: Dialect) -> bytes:
    time = clock(sent)
    if dialect is Dialect.PLUS_FOUR:
        return sized(f"63=FT3.0|64={code}|65=", f"|66={time}|{body}").encode("ascii")
    # The vendor's clients write these constants; no server reads tag 65.
    length = 74 if code == Code.LOGON else 84
    return f"63=FT3.0|64={code}|65={length}|66={time}|{body}".encode("ascii")


def _pairs(instruments: tuple[InstrumentKey, ...]) -> str:
    return "".join(f"1={segment}$7={token}|" for segment, token in instruments)


def _action(first: bool) -> str:
    return "230=1" if first else "230=2"


def _logon_body(request: Logon, dialect: Dialect) -> str:
    user = text_value(request.user)
    key = text_value(request.key)
    if dialect is Dialect.PLUS_FOUR:
        return f"67={user}|68={key}|4=|400=0|401={2 if key else 1}|396=HO|51=4|"
    return f"67={user}|68={key}|401=2" if key else f"67={user}|68="


def _touchline_body(request: TouchlineRequest, dialect: Dialect) -> str:
    pairs = _pairs(request.instruments)
    if not request.subscribe:
        return f"4=|{pairs}230=2"
    native = "49=1|" if request.native else ""
    if dialect is Dialect.PLUS_FOUR:
        changes = "200=1|" if request.on_change else ""
        return f"{native}{changes}4=|{pairs}230=1"
    return f"{native}200={1 if request.on_change else 0}|{pairs}230=1"


def _best_five_body(request: BestFiveRequest, dialect: Dialect) -> str:
    segment, token = request.instrument
    if dialect is Dialect.PLUS_FOUR:
        return f"7={token}|1={segment}|{_action(request.subscribe)}"
    return f"1={segment}|7={token}|{_action(request.subscribe)}"


def encode_request(request: Request, sent: int, dialect: Dialect = Dialect.PLAIN) -> bytes:
    """
    Return the text of a request, as the known client of that dialect writes it.

    Args:
        request: An unknown request is returned as it was read.
        sent: For the header: UNIX time in nanoseconds.
        dialect: Its client's habits are followed to the byte.

    Raises:
        ValueError: If one of its texts cannot stand in a field.

    """
    match request:
        case Logon():
            return _text(Code.LOGON, _logon_body(request, dialect), sent, dialect)
        case TouchlineRequest():
            body = _touchline_body(request, dialect)
            return _text(Code.TOUCHLINE_REQUEST, body, sent, dialect)
        case LtpRequest():
            body = _pairs(request.instruments) + _action(request.subscribe)
            return _text(Code.LTP_REQUEST, body, sent, dialect)
        case BestFiveRequest():
            body = _best_five_body(request, dialect)
            return _text(Code.BEST_FIVE_REQUEST, body, sent, dialect)
        case Pause():
            return _text(Code.PAUSE, _action(request.paused), sent, dialect)
        case HeartbeatRequest():
            body = f"351={text_value(request.echo)}"
            return _text(Code.HEARTBEAT_REQUEST, body, sent, dialect)
        case KeepAlive():
            return _text(Code.KEEP_ALIVE, f"4={text_value(request.session)}", sent, dialect)
        case UnknownRequest():
            return request.text


def _is_first_action(fields: Fields) -> bool:
    """Tell 1 (subscribe, pause) from 2 (unsubscribe, resume)."""
    value = fields.get(Tag.ACTION, b"")
    if value not in (b"1", b"2"):
        raise MessageError(f"found {value[:40]!r}, expected 1 or 2", tag=Tag.ACTION)
    return value == b"1"


def _is_pair(piece: bytes) -> bool:
    return piece.startswith((b"1=", b"7=")) and b"$" in piece


def _pair(piece: bytes) -> InstrumentKey:
    fields = parse_fields(piece.replace(b"$", _BAR))
    return (
        identifier(fields.get(Tag.SEGMENT, b""), Tag.SEGMENT),
        identifier(fields.get(Tag.TOKEN, b""), Tag.TOKEN),
    )


def _instruments(pairs: list[bytes], fields: Fields) -> tuple[tuple[InstrumentKey, ...], int]:
    """
    Return the instruments of a request in its order, and how many could not be read.

    An instrument is a field ``1=SEGMENT$7=TOKEN``, either way round, or (one
    alone) two fields of their own.
    """
    found: list[InstrumentKey] = []
    skipped = 0
    if not pairs and (Tag.SEGMENT in fields or Tag.TOKEN in fields):
        pairs = [b"1=%b$7=%b" % (fields.get(Tag.SEGMENT, b""), fields.get(Tag.TOKEN, b""))]
    for piece in pairs:
        try:
            found.append(_pair(piece))
        except MessageError:
            skipped += 1
    return tuple(found), skipped


def _required_text(fields: Fields, tag: int) -> str:
    value = fields.get(tag)
    text = (value or b"").decode("ascii", "replace")
    if value is None or not (text.isascii() and text.isprintable()):
        raise MessageError(f"found {value!r}, expected a text", tag=tag)
    return text


def decode_request(text: bytes) -> Request:
    """
    Return what a client asks, whatever its dialect.

    Header length and time are not looked at, nor are the order of fields, an
    ending ``|``, session ids and unknown tags. Instruments that cannot be
    read are skipped, the others served.

    Raises:
        MessageError: If the text has no code, or a request lacks what it
            cannot do without.

    """
    start = text.find(b"63=")
    text = text[max(start, 0) :].rstrip(b"\x00")
    pieces = text.split(_BAR)
    pairs = [piece for piece in pieces if _is_pair(piece)]
    fields = parse_fields(_BAR.join(piece for piece in pieces if not _is_pair(piece)))
    code = code_of(fields)
    try:
        return _decode(code, text, pairs, fields)
    except MessageError as error:
        raise MessageError(error.problem, code=code, tag=error.tag) from None


def _decode(code: int, text: bytes, pairs: list[bytes], fields: Fields) -> Request:
    match code:
        case Code.LOGON:
            return Logon(_required_text(fields, Tag.USER), optional_text(fields, Tag.KEY))
        case Code.TOUCHLINE_REQUEST:
            subscribe = _is_first_action(fields)
            instruments, skipped = _instruments(pairs, fields)
            return TouchlineRequest(
                instruments,
                subscribe,
                native=subscribe and fields.get(Tag.NATIVE_MODE) == b"1",
                on_change=subscribe and fields.get(Tag.ON_CHANGE) == b"1",
                skipped=skipped,
            )
        # The old method of one client asks with the code of the answer.
        case Code.LTP_REQUEST | Code.LTP_TOUCHLINE:
            instruments, skipped = _instruments(pairs, fields)
            return LtpRequest(instruments, _is_first_action(fields), skipped)
        case Code.BEST_FIVE_REQUEST:
            instruments, skipped = _instruments(pairs, fields)
            if len(instruments) != 1 or skipped:
                raise MessageError("found not exactly one instrument")
            return BestFiveRequest(instruments[0], _is_first_action(fields))
        case Code.PAUSE:
            return Pause(_is_first_action(fields))
        case Code.HEARTBEAT_REQUEST:
            return HeartbeatRequest(optional_text(fields, Tag.ECHO))
        case Code.KEEP_ALIVE:
            return KeepAlive(optional_text(fields, Tag.SESSION))
        case _:
            return UnknownRequest(code, text)
