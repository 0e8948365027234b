"""
Market data of the feed: touchlines (text and native), LTP touchlines, best five.

Prices are scaled integers as on the wire (rupees times the locator),
quantities are integers, times are UNIX nanoseconds; 0 is absent or unknown.
The changes from the previous close (tags 54 and 393) are computed when a
message is written and not read: they follow from the prices.
"""

from __future__ import annotations

import re
from struct import Struct as Layout

import msgspec

from streamer.errors import MessageError
from streamer.odin.fields import (
    MAX_DIGITS,
    MAX_ID,
    Fields,
    locator,
    number,
    optional_number,
    optional_text,
    parse_fields,
    required_identifier,
    required_number,
    server_text,
    sized,
    text_value,
)
from streamer.odin.tags import Code, InstrumentKey, Tag
from streamer.odin.times import (
    from_seconds_since_1980,
    header_stamp,
    header_stamp_bytes,
    parse_stamp,
    parse_time,
    seconds_since_1980,
    stamp,
    stamp_bytes,
)

DEPTH = 5
"""Levels on each side of a best five message."""

_MAX_NATIVE = 2**31 - 1
_NATIVE = Layout("<16i")
_NO_BAND = "0-0"
"""What stands in tag 380, which some clients need, when there is no price band."""
_NO_BAND_BYTES = _NO_BAND.encode()


class Touchline(msgspec.Struct, frozen=True, gc=False):
    """
    The best bid and ask, the last trade and the day so far of one instrument (209).

    ``close`` is the previous day's official close. In native form volume,
    traded quantities, average, totals, 52-week values and open interest do
    not exist and are 0.
    """

    segment: int
    token: int
    ltp: int
    ltq: int
    volume: int
    atp: int
    bid_qty: int
    bid: int
    ask_qty: int
    ask: int
    total_buy: int
    total_sell: int
    open: int
    high: int
    low: int
    close: int
    ltt: int
    lut: int
    locator: int = 100
    high_52: int = 0
    low_52: int = 0
    open_interest: int = 0
    sent: int = 0
    price_band: str = ""
    oi_change: str = ""
    oi_high: str = ""
    oi_low: str = ""
    execution_range: str = ""

    @property
    def key(self) -> InstrumentKey:
        """What names the instrument."""
        return (self.segment, self.token)


class LtpTouchline(msgspec.Struct, frozen=True, gc=False):
    """The last traded price of one instrument (348)."""

    segment: int
    token: int
    lut: int
    ltp: int
    close: int
    locator: int = 100
    sent: int = 0

    @property
    def key(self) -> InstrumentKey:
        """What names the instrument."""
        return (self.segment, self.token)


class Level(msgspec.Struct, frozen=True, gc=False):
    """One price level of the order book."""

    quantity: int = 0
    price: int = 0
    orders: int = 0


NO_LEVEL = Level()


class BestFive(msgspec.Struct, frozen=True, gc=False):
    """
    Five levels a side, and the touchline that goes with them (128).

    Both sides have exactly five levels, the missing ones empty. The
    touchline's bid and ask are those of the first level; only the levels are
    written.
    """

    touchline: Touchline
    buys: tuple[Level, ...]
    sells: tuple[Level, ...]
    sent: int = 0

    @property
    def key(self) -> InstrumentKey:
        """What names the instrument."""
        return self.touchline.key


def _changes(ltp: int, close: int, divisor: int) -> tuple[str, str]:
    """Return the change from the close in per cent and in rupees, rounded half away from 0."""
    if not ltp or not close:
        return "0.00", "0.00"
    if ltp < close:
        difference = close - ltp
        sign = "-"
    else:
        difference = ltp - close
        sign = ""
    hundredths = (difference * 20_000 + close) // (2 * close)
    per_cent = f"{sign if hundredths else ''}{hundredths // 100}.{hundredths % 100:02d}"
    whole, rest = divmod(difference, divisor)
    if divisor == 100:
        return per_cent, f"{sign if difference else ''}{whole}.{rest:02d}"
    decimals = f"{rest:0{len(str(divisor)) - 1}d}" if divisor > 1 else ""
    return per_cent, f"{sign if difference else ''}{whole}.{decimals.ljust(2, '0')}"


def _open_interest_texts(t: Touchline) -> str:
    """Return the fields that have no fixed place, each preceded by ``|``."""
    return "".join(
        f"|{tag:d}={text_value(value)}"
        for tag, value in (
            (Tag.OI_CHANGE, t.oi_change),
            (Tag.OI_HIGH, t.oi_high),
            (Tag.OI_LOW, t.oi_low),
            (Tag.EXECUTION_RANGE, t.execution_range),
        )
        if value
    )


_TAIL = (
    b"|66=%b|1=%d|73=%b|7=%d|79=%d|8=%d|54=%b%d.%02d|9=%d|80=%d|74=%b|2=%d|3=%d|5=%d|6=%d"
    b"|81=%d|82=%d|76=%d|75=%d|77=%d|78=%d|399=100|93=%d|94=%d|88=%d|393=%b%d.%02d|380=0-0"
)
_HEADS = [
    b"63=FT3.0|64=209|65=%d" % (len(sized("63=FT3.0|64=209|65=", " " * size)))
    for size in range(1024)
]
"""What stands before a tail, by the length of that."""


def encode_plain_touchline(
    segment: int,
    token: int,
    ltp: int,
    ltq: int,
    volume: int,
    atp: int,
    bid_qty: int,
    bid: int,
    ask_qty: int,
    ask: int,
    total_buy: int,
    total_sell: int,
    open_: int,
    high: int,
    low: int,
    close: int,
    ltt: int,
    lut: int,
    high_52: int,
    low_52: int,
    open_interest: int,
    sent: int,
) -> bytes:
    """
    Return what :func:`encode_touchline` returns of these figures, in a third of the time.

    Prices are in paise, and there are no texts among the figures.
    """
    hundredths = change = 0
    percent_sign = change_sign = b""
    if ltp and close:
        if ltp < close:
            change = close - ltp
            change_sign = b"-"
        else:
            change = ltp - close
        hundredths = (change * 20_000 + close) // (2 * close)
        percent_sign = change_sign if hundredths else b""
    tail = _TAIL % (
        header_stamp_bytes(sent),
        segment,
        stamp_bytes(ltt),
        token,
        volume,
        ltp,
        percent_sign,
        hundredths // 100,
        hundredths % 100,
        ltq,
        atp,
        stamp_bytes(lut),
        bid_qty,
        bid,
        ask_qty,
        ask,
        total_buy,
        total_sell,
        close,
        open_,
        high,
        low,
        high_52,
        low_52,
        open_interest,
        change_sign,
        change // 100,
        change % 100,
    )
    return _HEADS[len(tail)] + tail


def encode_touchline(t: Touchline, sent: int) -> bytes:
    """
    Return the text of a touchline: 209, all tags, in the vendor's order.

    Raises:
        ValueError: If one of its texts cannot stand in a field.

    """
    per_cent, rupees = _changes(t.ltp, t.close, t.locator)
    band = text_value(t.price_band) if t.price_band else _NO_BAND
    rest = (
        _open_interest_texts(t) if t.oi_change or t.oi_high or t.oi_low or t.execution_range else ""
    )
    return sized(
        "63=FT3.0|64=209|65=",
        f"|66={header_stamp(sent)}|1={t.segment}|73={stamp(t.ltt)}|7={t.token}|79={t.volume}"
        f"|8={t.ltp}|54={per_cent}|9={t.ltq}|80={t.atp}|74={stamp(t.lut)}"
        f"|2={t.bid_qty}|3={t.bid}|5={t.ask_qty}|6={t.ask}|81={t.total_buy}|82={t.total_sell}"
        f"|76={t.close}|75={t.open}|77={t.high}|78={t.low}|399={t.locator}"
        f"|93={t.high_52}|94={t.low_52}|88={t.open_interest}|393={rupees}|380={band}{rest}",
    ).encode("ascii")


def encode_native(t: Touchline, sent: int) -> bytes:
    """
    Return the text of a touchline in native form: a header and 64 bytes.

    Values over 2**31 - 1 are capped, times that do not fit are unknown: some
    clients read the integers signed, others unsigned.
    """
    lut = seconds_since_1980(t.lut)
    ltt = seconds_since_1980(t.ltt)
    close = min(t.close, _MAX_NATIVE)
    block = _NATIVE.pack(
        t.segment,
        t.token,
        lut if lut <= _MAX_NATIVE else 0,
        ltt if ltt <= _MAX_NATIVE else 0,
        min(t.ltp, _MAX_NATIVE),
        min(t.bid_qty, _MAX_NATIVE),
        min(t.bid, _MAX_NATIVE),
        min(t.ask_qty, _MAX_NATIVE),
        min(t.ask, _MAX_NATIVE),
        min(t.open, _MAX_NATIVE),
        min(t.high, _MAX_NATIVE),
        min(t.low, _MAX_NATIVE),
        close,
        t.locator,
        close,
        close,
    )
    return f"63=FT3.0|64=209|65=109|66={header_stamp(sent)}|50=".encode("ascii") + block


def encode_ltp(t: LtpTouchline, sent: int) -> bytes:
    """Return the text of an LTP touchline: 348."""
    return server_text(
        Code.LTP_TOUCHLINE,
        f"1={t.segment}|7={t.token}|74={stamp(t.lut)}|8={t.ltp}|76={t.close}|399={t.locator}",
        sent,
    )


def _side(number_of_side: int, levels: tuple[Level, ...]) -> str:
    records = "".join(f"|12={x.quantity}$14={x.price}$37={x.orders}" for x in levels)
    return f"|11={number_of_side}{records}"


def encode_best_five(message: BestFive, sent: int) -> bytes:
    """
    Return the text of a best five message: 128, nineteen tags, five records a side.

    Raises:
        ValueError: If a side has not five levels, or a text cannot stand in
            a field.

    """
    if len(message.buys) != DEPTH or len(message.sells) != DEPTH:
        raise ValueError(f"a side of best five has exactly {DEPTH} levels")
    t = message.touchline
    per_cent, _ = _changes(t.ltp, t.close, t.locator)
    band = text_value(t.price_band) if t.price_band else _NO_BAND
    return server_text(
        Code.BEST_FIVE,
        f"1={t.segment}|7={t.token}|74={stamp(t.lut)}|73={stamp(t.ltt)}|8={t.ltp}|9={t.ltq}"
        f"|79={t.volume}|80={t.atp}|81={t.total_buy}|82={t.total_sell}|75={t.open}|76={t.close}"
        f"|77={t.high}|78={t.low}|54={per_cent}|399={t.locator}|93={t.high_52}|94={t.low_52}"
        f"|380={band}|88={t.open_interest}{_open_interest_texts(t)}"
        f"{_side(1, message.buys)}{_side(2, message.sells)}",
        sent,
    )


def _total_buy(fields: Fields) -> int:
    """Return the total buy quantity; of an index it may be a decimal, which is no quantity."""
    value = fields.get(Tag.TOTAL_BUY, b"")
    whole, point, fraction = value.partition(b".")
    if point and whole.isdigit() and fraction.isdigit():
        return 0
    return optional_number(fields, Tag.TOTAL_BUY)


def touchline_of(fields: Fields, sent: int, *, ltp: int) -> Touchline:
    """
    Return the touchline that the fields of a 209 or 128 tell.

    Raises:
        MessageError: If the instrument is missing, or a value is unusable.

    """
    band = optional_text(fields, Tag.PRICE_BAND)
    return Touchline(
        segment=required_identifier(fields, Tag.SEGMENT),
        token=required_identifier(fields, Tag.TOKEN),
        ltp=ltp,
        ltq=optional_number(fields, Tag.LTQ),
        volume=optional_number(fields, Tag.VOLUME),
        atp=optional_number(fields, Tag.ATP),
        bid_qty=optional_number(fields, Tag.BID_QUANTITY),
        bid=optional_number(fields, Tag.BID),
        ask_qty=optional_number(fields, Tag.ASK_QUANTITY),
        ask=optional_number(fields, Tag.ASK),
        total_buy=_total_buy(fields),
        total_sell=optional_number(fields, Tag.TOTAL_SELL),
        open=optional_number(fields, Tag.OPEN),
        high=optional_number(fields, Tag.HIGH),
        low=optional_number(fields, Tag.LOW),
        close=optional_number(fields, Tag.CLOSE),
        ltt=parse_time(fields.get(Tag.LTT, b""), sent),
        lut=parse_time(fields.get(Tag.LUT, b""), sent),
        locator=locator(fields),
        high_52=optional_number(fields, Tag.HIGH_52),
        low_52=optional_number(fields, Tag.LOW_52),
        open_interest=optional_number(fields, Tag.OPEN_INTEREST),
        sent=sent,
        price_band="" if band == _NO_BAND else band,
        oi_change=optional_text(fields, Tag.OI_CHANGE),
        oi_high=optional_text(fields, Tag.OI_HIGH),
        oi_low=optional_text(fields, Tag.OI_LOW),
        execution_range=optional_text(fields, Tag.EXECUTION_RANGE),
    )


def decode_touchline(fields: Fields, sent: int) -> Touchline:
    """
    Return the touchline of a 209 in text form.

    Raises:
        MessageError: If the instrument or the last traded price is missing,
            or a value is unusable.

    """
    return touchline_of(fields, sent, ltp=required_number(fields, Tag.LTP))


def decode_native(block: bytes, sent: int) -> Touchline:
    """
    Return the touchline of a native block; bytes after the 64th are ignored.

    Raises:
        MessageError: If the block is too short or a value in it is negative.
            Clients read such a value either as negative or as over 2**31; we
            refuse rather than guess.

    """
    if len(block) < _NATIVE.size:
        raise MessageError(
            f"found a native block of {len(block)} bytes, expected {_NATIVE.size}",
            tag=Tag.NATIVE,
        )
    segment, token, lut, ltt, *values, divisor, _, _ = _NATIVE.unpack_from(block)
    if segment <= 0 or token <= 0 or min(values) < 0 or divisor < 0:
        raise MessageError("found a negative value in a native block", tag=Tag.NATIVE)
    ltp, bid_qty, bid, ask_qty, ask, open_, high, low, close = values
    return Touchline(
        segment=segment,
        token=token,
        ltp=ltp,
        ltq=0,
        volume=0,
        atp=0,
        bid_qty=bid_qty,
        bid=bid,
        ask_qty=ask_qty,
        ask=ask,
        total_buy=0,
        total_sell=0,
        open=open_,
        high=high,
        low=low,
        close=close,
        ltt=from_seconds_since_1980(ltt),
        lut=from_seconds_since_1980(lut),
        locator=locator({Tag.LOCATOR: b"%d" % divisor}),
        sent=sent,
    )


def decode_ltp(fields: Fields, sent: int) -> LtpTouchline:
    """
    Return the LTP touchline of a 348.

    Raises:
        MessageError: If the instrument or the price is missing, or a value is
            unusable.

    """
    return LtpTouchline(
        segment=required_identifier(fields, Tag.SEGMENT),
        token=required_identifier(fields, Tag.TOKEN),
        lut=parse_time(fields.get(Tag.LUT, b""), sent),
        ltp=required_number(fields, Tag.LTP),
        close=optional_number(fields, Tag.CLOSE),
        locator=locator(fields),
        sent=sent,
    )


def _level(record: bytes) -> Level:
    """Return the level of one record, ``12=QTY$14=PRICE$37=ORDERS``."""
    fields = parse_fields(record.replace(b"$", b"|"))
    return Level(
        quantity=required_number(fields, Tag.LEVEL_QUANTITY),
        price=required_number(fields, Tag.LEVEL_PRICE),
        orders=optional_number(fields, Tag.LEVEL_ORDERS),
    )


def _depth(text: bytes) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Return the buy and the sell side, each cut or filled up to five levels."""
    sides: dict[int, list[Level]] = {}
    side: list[Level] | None = None
    pieces = text.split(b"|")
    records = [piece for piece in pieces if piece.startswith((b"11=", b"12="))]
    for piece in b"&".join(records).split(b"&"):
        if piece.startswith(b"11="):
            which = number(piece[3:], Tag.SIDE)
            if which not in (1, 2) or which in sides:
                raise MessageError(f"found {which}, expected 1 and 2, once each", tag=Tag.SIDE)
            side = sides[which] = []
        elif piece.startswith(b"12="):
            if side is None:
                raise MessageError("found a depth record outside a side", tag=Tag.SIDE)
            side.append(_level(piece))
    buys, sells = (tuple((sides.get(which, []) + [NO_LEVEL] * DEPTH)[:DEPTH]) for which in (1, 2))
    return buys, sells


def decode_best_five(text: bytes, sent: int) -> BestFive:
    """
    Return the best five message of a 128; records may be joined by ``&``.

    A side with more than five levels is cut, one with fewer filled up.

    Raises:
        MessageError: If the instrument is missing, a value is unusable, or
            the depth cannot be followed.

    """
    buys, sells = _depth(text)
    fields = parse_fields(text, repeatable=(Tag.SIDE, Tag.LEVEL_QUANTITY))
    fields |= {
        Tag.BID_QUANTITY: b"%d" % buys[0].quantity,
        Tag.BID: b"%d" % buys[0].price,
        Tag.ASK_QUANTITY: b"%d" % sells[0].quantity,
        Tag.ASK: b"%d" % sells[0].price,
    }
    ltp = optional_number(fields, Tag.LTP)
    return BestFive(touchline_of(fields, sent, ltp=ltp), buys, sells, sent)


_NUMBER = rf"\d{{1,{MAX_DIGITS}}}+"
_TIME = r"(\d{4}-\d\d-\d\d \d{6})"


def _numbers(*tags: int) -> str:
    return "".join(rf"\|{tag:d}=({_NUMBER})" for tag in tags)


_KNOWN_LAYOUT = re.compile(
    (
        r"63=FT3\.0\|64=209\|65=\d++\|66=(\d{8} \d{6})"
        rf"{_numbers(1)}\|73={_TIME}{_numbers(7, 79, 8)}\|54=[^|\x00\x02]*+"
        rf"{_numbers(9, 80)}\|74={_TIME}{_numbers(2, 3, 5, 6, 81, 82, 76, 75, 77, 78)}"
        rf"\|399=(10{{0,9}}){_numbers(93, 94, 88)}"
        r"\|393=[^|\x00\x02]*+\|380=([ -{}~]*+)"
    ).encode("ascii"),
    re.ASCII,
)


def decode_known_layout(text: bytes) -> Touchline | None:
    """
    Return the touchline of a text exactly in our own layout, None if it is in another.

    A shortcut: whatever this returns, the general way returns too.
    """
    found = _KNOWN_LAYOUT.fullmatch(text)
    if found is None:
        return None
    (
        header_time,
        segment,
        ltt,
        token,
        volume,
        ltp,
        ltq,
        atp,
        lut,
        bid_qty,
        bid,
        ask_qty,
        ask,
        total_buy,
        total_sell,
        close,
        open_,
        high,
        low,
        divisor,
        high_52,
        low_52,
        open_interest,
        band,
    ) = found.groups()
    market_segment = int(segment)
    token_number = int(token)
    if not (0 < market_segment <= MAX_ID and 0 < token_number <= MAX_ID):
        return None
    return Touchline(
        market_segment,
        token_number,
        int(ltp),
        int(ltq),
        int(volume),
        int(atp),
        int(bid_qty),
        int(bid),
        int(ask_qty),
        int(ask),
        int(total_buy),
        int(total_sell),
        int(open_),
        int(high),
        int(low),
        int(close),
        parse_stamp(ltt),
        parse_stamp(lut),
        int(divisor),
        int(high_52),
        int(low_52),
        int(open_interest),
        parse_stamp(header_time),
        "" if band == _NO_BAND_BYTES else band.decode(),
    )
