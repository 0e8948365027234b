"""
From a touchline of the feed to the quote that clients get.

A :class:`Quote` is the present state of one instrument: the day's figures, the
52-week range, the flags, and the number of the newest update. It knows how to
spell itself as the ``data`` of ``market_data`` (rule M-1). Who gets it, and
when, is the hub's business.

Prices stay scaled integers until they are spelt; ``price / locator`` is the
double nearest to the decimal price, and its shortest spelling is that decimal,
so what clients read is exact to the paisa.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import msgspec

from streamer.instruments import Instrument
from streamer.ist import ist_date, ist_rfc3339
from streamer.odin.messages import Touchline

_NULL = b"null"
_FLAGS = (b"false", b"true")


@lru_cache(maxsize=1 << 16)
def _price(scaled: int, locator: int) -> bytes:
    return repr(scaled / locator).encode()


@lru_cache(maxsize=1 << 16)
def _percent_change(ltp: int, prev_close: int, locator: int) -> bytes:
    """Spell rule M-6 in rupees, as a client would compute it from the quote's own figures."""
    if not prev_close:
        return b"0.0"
    previous = prev_close / locator
    return repr((ltp / locator - previous) / previous * 100).encode()


def _known(scaled: int, locator: int) -> bytes:
    return _price(scaled, locator) if scaled else _NULL


class Quote:
    """
    The present state of one instrument, and how clients read it.

    ``seq`` numbers the instrument's updates within this server process (rule
    M-3). ``touchline`` is None until the first update.

    Args:
        instrument: Whose quote it is.

    """

    __slots__ = (
        "_close_text",
        "_closes",
        "_data_head",
        "_day_high",
        "_day_low",
        "_day_open",
        "_envelope_head",
        "_range",
        "_range_text",
        "_volume",
        "_year_high",
        "_year_low",
        "day",
        "instrument",
        "processed",
        "seq",
        "touchline",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.seq = 0
        self.touchline: Touchline | None = None
        self.day: date | None = None
        """The trading day that the figures belong to, in IST."""
        self.processed = 0
        """Market time at which the newest update was processed."""
        self.rename(instrument)
        self._day_open = self._day_high = self._day_low = 0
        self._year_high = self._year_low = 0
        self._volume = 0
        self._closes: tuple[int, ...] = ()
        self._close_text = b""
        self._range: tuple[object, ...] = ()
        self._range_text = b""

    def rename(self, instrument: Instrument) -> None:
        """Go on under what the instrument is called now; its identity is the same."""
        self.instrument = instrument
        names = b'"symbol":%b,"token":"%d","exchange":%b,' % (
            msgspec.json.encode(instrument.symbol),
            instrument.token,
            msgspec.json.encode(instrument.exchange),
        )
        self._data_head = b"{" + names + b'"ltp":'
        self._envelope_head = b'{"type":"market_data",' + names + b'"data":'

    def begin_day_anew(self) -> None:
        """Forget the figures but not ``seq``: the feed's time went back (rule H-5)."""
        self.touchline = None
        self.day = None
        self._begin_day()

    def is_state(self, touchline: Touchline) -> bool:
        """Return whether ``touchline`` says nothing but what is known already (rule M-9)."""
        known = self.touchline
        return known is not None and (
            msgspec.structs.replace(touchline, sent=0) == msgspec.structs.replace(known, sent=0)
        )

    def update(self, touchline: Touchline, now: int) -> None:
        """
        Take ``touchline`` as the newest update.

        A touchline of a later day than the last one begins a new day: open,
        high, low and the 52-week flags start again. A day that has not come yet
        is none: one wrong date in one message must not hide the quotes that
        follow it.

        Args:
            touchline: With an LTP above zero.
            now: Market time.

        """
        day = ist_date(min(touchline.lut or touchline.ltt or now, now))
        if self.day is None or day > self.day:
            self._begin_day()
            self.day = day
        self.touchline = touchline
        self.processed = now
        self.seq += 1
        ltp = touchline.ltp
        # 0 is unknown on the wire, and what has been traded today stays traded.
        self._volume = touchline.volume or self._volume
        self._day_open = touchline.open or self._day_open or ltp
        self._day_high = touchline.high or max(self._day_high, ltp)
        self._day_low = touchline.low or (min(self._day_low, ltp) if self._day_low else ltp)
        if not self._year_high:
            self._year_high = touchline.high_52
        if not self._year_low:
            self._year_low = touchline.low_52

    def data(self) -> bytes:
        """Return the ``data`` object of rule M-1 as JSON; the quote must have been updated."""
        touchline = self.touchline
        assert touchline is not None
        locator = touchline.locator
        return b"".join(
            (
                self._data_head,
                _price(touchline.ltp, locator),
                self._closes_json(touchline),
                b"%d" % self._volume,
                b',"percent_change":',
                _percent_change(touchline.ltp, touchline.close, locator),
                self._range_json(touchline),
                b"%d" % ((touchline.lut or touchline.ltt or touchline.sent) // 1_000_000),
                b',"last_updated":"',
                ist_rfc3339(self.processed).encode(),
                b'","is_new_week_52_high":',
                _FLAGS[0 < self._year_high < self._day_high],
                b',"is_new_week_52_low":',
                _FLAGS[self._year_low > self._day_low],
                b"}",
            )
        )

    def market_data(self, now: int) -> bytes:
        """
        Return the whole ``market_data`` message as JSON.

        Args:
            now: Market time, which stamps the envelope.

        """
        return b'%b%b,"timestamp":%d,"seq":%d}' % (
            self._envelope_head,
            self.data(),
            now // 1_000_000,
            self.seq,
        )

    def _begin_day(self) -> None:
        self._day_open = self._day_high = self._day_low = 0
        self._year_high = self._year_low = 0
        self._volume = 0

    def _closes_json(self, touchline: Touchline) -> bytes:
        """Spell ``open`` to ``prev_close``, which seldom change between two updates."""
        figures = (
            self._day_open,
            self._day_high,
            self._day_low,
            touchline.close,
            touchline.locator,
        )
        if figures != self._closes:
            day_open, high, low, close, locator = self._closes = figures
            previous = _known(close, locator)
            self._close_text = (
                b',"open":%b,"high":%b,"low":%b,"close":%b,"prev_close":%b,"volume":'
                % (
                    _price(day_open, locator),
                    _price(high, locator),
                    _price(low, locator),
                    previous,
                    previous,
                )
            )
        return self._close_text

    def _range_json(self, touchline: Touchline) -> bytes:
        """Spell ``week_52_high`` to ``timestamp``'s key (rule M-7)."""
        figures = (
            self._year_high,
            self._year_low,
            self._day_high,
            self._day_low,
            touchline.locator,
            self.day,
        )
        if figures != self._range:
            self._range = figures
            locator = touchline.locator
            today = b'"%b"' % str(self.day).encode()
            is_high = 0 < self._year_high < self._day_high
            is_low = self._year_low > self._day_low
            self._range_text = (
                b',"week_52_high":%b,"week_52_low":%b,"week_52_high_date":%b,'
                b'"week_52_low_date":%b,"day_high":%b,"day_low":%b,"avg_volume_5d":null,"timestamp":'
            ) % (
                _known(self._day_high if is_high else self._year_high, locator),
                _known(self._day_low if is_low else self._year_low, locator),
                today if is_high else _NULL,
                today if is_low else _NULL,
                _price(self._day_high, locator),
                _price(self._day_low, locator),
            )
        return self._range_text
