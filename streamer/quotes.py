"""
From a tick of the feed to the quote that clients get.

A :class:`Quote` is the present state of one instrument: the day's figures, the
52-week range, the flags, and the number of the newest update. It knows how to
spell itself as the ``data`` of ``market_data`` (rule M-1). Who gets it, and
when, is the hub's business.

What a day begins with comes from the feed and from end-of-day files. The
previous close is the feed's own, else a file's, else what the feed said the
evening before. The 52-week range is the file's where there is one: the feed's
is not adjusted, or of a lifetime, and never changes it.

Prices stay scaled integers until they are spelt; ``price / locator`` is the
double nearest to the decimal price, and its shortest spelling is that decimal,
so what clients read is exact to the paisa.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from streamer import native
from streamer.beginnings import NEVER, Begin, Beginning, begin_without_files
from streamer.instruments import Instrument
from streamer.ist import ist_date, ist_midnight, ist_rfc3339
from streamer.odin.messages import Day, Tick
from streamer.outbox import text_frame
from streamer.reference import NO_FIGURES, Figure, Flag, is_jump, rounded

_NULL = b"null"
_FLAGS = (b"false", b"true")
_FROM_FEED: Final[dict[str, object]] = {"from": "feed"}


_DATA: Final = b'%b%b%b%d,"percent_change":%b%b%d%b'
_MARKET_DATA: Final = b'%b%b%b%b%d,"percent_change":%b%b%d%b%b%d}'
_KEPT_PRICES: Final = 32
"""How many spelt prices of an instrument are kept: they go to and fro."""

_spelling = native.part("streamer._spelling", form=1)


@lru_cache(maxsize=64)
def _tail(processed: int, is_high: bool, is_low: bool) -> bytes:
    """Spell the end of ``data``; under a feed's clock many updates have the same."""
    return b',"last_updated":"%b","is_new_week_52_high":%b,"is_new_week_52_low":%b}' % (
        ist_rfc3339(processed).encode(),
        _FLAGS[is_high],
        _FLAGS[is_low],
    )


@lru_cache(maxsize=64)
def _envelope_tail(now: int) -> bytes:
    return b',"timestamp":%d,"seq":' % (now // 1_000_000)


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


def _scaled(figure: Figure | None, locator: int) -> int:
    """Return a file's price as the feed would write it; 0 is unknown."""
    return 0 if figure is None else figure.value * locator // 100


def _date_of(figure: Figure | None) -> bytes:
    on = None if figure is None else figure.on
    return _NULL if on is None else b'"%b"' % str(on).encode()


class Quote:
    """
    The present state of one instrument, and how clients read it.

    ``seq`` numbers the instrument's updates within this server process (rule
    M-3). ``tick`` is None until the first update.

    Args:
        instrument: Whose quote it is.
        begin: Says what its days begin with.

    """

    __slots__ = (
        "_begin",
        "_close",
        "_closes_text",
        "_data_head",
        "_day_ends",
        "_day_high",
        "_day_low",
        "_day_open",
        "_envelope_head",
        "_eve",
        "_evening",
        "_figures",
        "_is_complete",
        "_is_high",
        "_is_kept",
        "_is_low",
        "_is_spelt",
        "_judged",
        "_known_close",
        "_known_close_source",
        "_official_from",
        "_prices",
        "_range_text",
        "_speller",
        "_told",
        "_volume",
        "_year_high",
        "_year_low",
        "alarm",
        "day",
        "instrument",
        "processed",
        "seq",
        "tick",
    )

    def __init__(self, instrument: Instrument, begin: Begin = begin_without_files) -> None:
        self.seq = 0
        self.tick: Tick | None = None
        self.day: date | None = None
        """The trading day that the figures belong to, in IST."""
        self._day_ends = 0
        self._told: Day | None = None
        """What the newest tick said of the day, if it was taken."""
        self._is_complete = False
        """Whether that leaves nothing for later ticks to say."""
        self.processed = 0
        """Market time at which the newest update was processed."""
        self.alarm: str | None = None
        """What somebody should look at; None once it was taken."""
        self.rename(instrument)
        self._begin = begin
        self._figures = NO_FIGURES
        self._official_from = NEVER
        self._eve: tuple[date, int] | None = None
        self._evening: tuple[date, int] | None = None
        self._known_close = 0
        self._known_close_source: dict[str, object] | None = None
        self._close = 0
        self._judged = (0, 0)
        self._day_open = self._day_high = self._day_low = 0
        self._year_high = self._year_low = 0
        self._volume = 0
        self._is_spelt = self._is_kept = False
        self._closes_text = b""
        self._range_text = b""
        self._is_high = self._is_low = False
        self._prices: dict[int, tuple[bytes, bytes]] = {}

    def rename(self, instrument: Instrument) -> None:
        """Go on under what the instrument is called now; its identity is the same."""
        self.instrument = instrument
        names = b'"symbol":%b,"token":"%d","exchange":%b,' % (
            msgspec.json.encode(instrument.symbol),
            instrument.token,
            msgspec.json.encode(instrument.exchange),
        )
        self._envelope_head = b'{"type":"market_data",' + names + b'"data":'
        self._data_head = b"{" + names + b'"ltp":'
        self._speller = _spelling and _spelling.Speller(self._envelope_head + self._data_head)
        """Makes frames as :meth:`market_data` would be spelt; None where none is compiled."""
        self._is_spelt = self._is_kept = False

    def begin_day_anew(self) -> None:
        """Forget the figures but not ``seq``: the feed's time went back (rule H-5)."""
        self.tick = None
        self.day = None
        self._day_ends = 0
        self._eve = self._evening = None

    def renew_reference(self) -> None:
        """Take the figures of the day again: other files were imported."""
        if self.tick is not None and self.day is not None:
            day = self.tick.day
            self._take_figures(self._begin(self.instrument.key, self.day), day.locator)
            self._close = day.close or self._known_close

    def is_state(self, tick: Tick) -> bool:
        """Return whether ``tick`` says nothing but what is known already (rule M-9)."""
        known = self.tick
        return known is not None and msgspec.structs.replace(tick, sent=known.sent) == known

    def update(self, tick: Tick, now: int) -> None:
        """
        Take ``tick`` as the newest update.

        A tick of a later session than the last one begins a new day: open,
        high, low and the 52-week flags start again. A day that has not come yet
        is none: one wrong date in one message must not hide the quotes that
        follow it.

        Args:
            tick: With an LTP above zero.
            now: Market time.

        """
        moment = tick.moment
        if not moment or moment > now:
            moment = now
        if moment >= self._day_ends:
            self._look_for_a_new_day(moment, tick.day.locator)
        self.tick = tick
        self.processed = now
        self.seq += 1
        # 0 is unknown on the wire, and what has been traded today stays traded.
        self._volume = tick.volume or self._volume
        if tick.day is not self._told or not self._is_complete:
            self._take_day(tick.day, tick.ltp)
        if self._official_from <= moment < self._day_ends and self.day is not None:
            # H-6: what the feed says after the close is the official close.
            self._evening = (self.day, tick.ltp)

    def data(self) -> bytes:
        """Return the ``data`` object of rule M-1 as JSON; the quote must have been updated."""
        return _DATA % (self._data_head, *self._pieces())

    def _pieces(self) -> tuple[bytes | int, ...]:
        """Return what stands in ``data`` after its head."""
        tick = self.tick
        assert tick is not None
        if not self._is_spelt:
            self._spell(tick.day.locator)
        ltp = tick.ltp
        price, percent = self._prices.get(ltp) or self._spell_price(ltp, tick.day.locator)
        return (
            price,
            self._closes_text,
            self._volume,
            percent,
            self._range_text,
            (tick.moment or tick.sent) // 1_000_000,
            _tail(self.processed, self._is_high, self._is_low),
        )

    def flags(self) -> list[Flag]:
        """Return what its reader should know of the figures that the day began with."""
        flags = list(self._figures.flags)
        if "prev_close_stale" in flags and not self._is_files_close():
            flags.remove("prev_close_stale")
        suspicion = self._suspicion()
        return flags if suspicion is None else [*flags, suspicion]

    def sources(self) -> dict[str, object]:
        """Return where each figure is from that another source could have given."""
        figures = self._figures
        told: dict[str, object] = {}
        if self._is_feeds_close():
            told["prev_close"] = _FROM_FEED
        elif self._known_close:
            told["prev_close"] = self._known_close_source
        for name, is_record, known, file in (
            ("week_52_high", self._has_new_high(), self._year_high, figures.week_52_high),
            ("week_52_low", self._has_new_low(), self._year_low, figures.week_52_low),
        ):
            if is_record:
                told[name] = _FROM_FEED | {"said": str(self.day)}
            elif file is not None:
                told[name] = file.source_json()
            elif known:
                told[name] = _FROM_FEED
        if figures.avg_volume_5d is not None:
            told["avg_volume_5d"] = figures.avg_volume_5d.source_json()
        return told

    def reported(self, source: Mapping[str, object] | None = None) -> bytes:
        """
        Return the ``data`` object with ``sources`` and ``flags`` as JSON.

        Args:
            source: Where the prices of the day are from, if not from the feed.

        """
        more = {
            "sources": {"ltp": source or _FROM_FEED, **self.sources()},
            "flags": self.flags(),
        }
        return self.data()[:-1] + b"," + msgspec.json.encode(more)[1:]

    def market_data(self, now: int) -> bytes:
        """
        Return the whole ``market_data`` message as JSON.

        Args:
            now: Market time, which stamps the envelope.

        """
        return _MARKET_DATA % (
            self._envelope_head,
            self._data_head,
            *self._pieces(),
            _envelope_tail(now),
            self.seq,
        )

    def frame(self, now: int) -> bytes:
        """Return :meth:`market_data` as a WebSocket frame."""
        if self._speller is not None:
            tick = self.tick
            assert tick is not None
            if not self._is_kept:
                self._keep(tick.day.locator)
            frame: bytes | None = self._speller.frame(
                tick.ltp,
                self._volume,
                (tick.moment or tick.sent) // 1_000_000,
                _tail(self.processed, self._is_high, self._is_low),
                _envelope_tail(now),
                self.seq,
            )
            if frame is not None:
                return frame
        return text_frame(self.market_data(now))

    def _look_for_a_new_day(self, moment: int, locator: int) -> None:
        beginning = self._begin(self.instrument.key, ist_date(moment))
        if self.day is None or beginning.day > self.day:
            self._begin_day(beginning, locator)

    def _take_day(self, day: Day, ltp: int) -> None:
        """Take what a tick says of its day; what it does not say follows from the prices."""
        self._told = day
        self._is_complete = bool(day.open and day.high and day.low)
        self._is_spelt = self._is_kept = False
        self._day_open = day.open or self._day_open or ltp
        self._day_high = day.high or max(self._day_high, ltp)
        self._day_low = day.low or (min(self._day_low, ltp) if self._day_low else ltp)
        if not self._year_high:
            self._year_high = day.high_52
        if not self._year_low:
            self._year_low = day.low_52
        self._close = day.close or self._known_close
        if self._judged != (self._day_open, self._close):
            self._judge(day.locator)

    def _begin_day(self, beginning: Beginning, locator: int) -> None:
        self.day = beginning.day
        self._day_ends = ist_midnight(beginning.day + timedelta(days=1))
        self._told = None
        self._official_from = beginning.official_from
        self._day_open = self._day_high = self._day_low = 0
        self._year_high = self._year_low = 0
        self._volume = 0
        self._judged = (0, 0)
        self._eve = self._evening
        self._take_figures(beginning, locator)

    def _take_figures(self, beginning: Beginning, locator: int) -> None:
        figures = self._figures = beginning.figures
        self._year_high = _scaled(figures.week_52_high, locator) or self._year_high
        self._year_low = _scaled(figures.week_52_low, locator) or self._year_low
        self._known_close = _scaled(figures.prev_close, locator)
        file = figures.prev_close
        self._known_close_source = None if file is None else file.source_json()
        eve = self._eve
        is_uncertain = file is None or "prev_close_stale" in figures.flags
        if eve is not None and eve[0] == beginning.previous and is_uncertain:
            self._known_close = rounded(eve[1] / figures.factor)
            self._known_close_source = {"from": "feed", "said": eve[0].isoformat()}
        self._is_spelt = self._is_kept = False

    def _judge(self, locator: int) -> None:
        """Look whether the day opened where the share can have opened."""
        self._judged = (self._day_open, self._close)
        suspicion = self._suspicion()
        if suspicion is None:
            return
        why = (
            "no corporate action is known"
            if suspicion == "open_jump"
            else "the feed has not adjusted it for what goes ex today"
        )
        self.alarm = (
            f"{self.instrument.label} opened at {self._day_open / locator:.2f} on {self.day}, more "
            f"than 25 % from the previous close {self._close / locator:.2f}, and {why}; expected "
            "its percent_change to be wrong"
        )

    def _suspicion(self) -> Flag | None:
        close, figures = self._close, self._figures
        if not close or not is_jump(self._day_open, close):
            return None
        if not figures.actions:
            return "open_jump"
        adjusted = rounded(close / figures.factor)
        if self._is_feeds_close() and figures.factor != 1 and adjusted:
            return None if is_jump(self._day_open, adjusted) else "feed_close_unadjusted"
        return None

    def _has_new_high(self) -> bool:
        return 0 < self._year_high < self._day_high

    def _has_new_low(self) -> bool:
        return self._year_low > self._day_low

    def _is_files_close(self) -> bool:
        source = self._known_close_source
        return not self._is_feeds_close() and source is not None and source["from"] == "file"

    def _is_feeds_close(self) -> bool:
        return self._told is not None and bool(self._told.close)

    def _spell(self, locator: int) -> None:
        """Spell what seldom changes between two updates: closes, ranges (rule M-7), flags."""
        self._is_spelt = True
        is_high, is_low, high_on, low_on = self._take_flags()
        volume = self._figures.avg_volume_5d
        day_high, day_low = self._day_high, self._day_low
        previous = _known(self._close, locator)
        self._closes_text = (
            b',"open":%b,"high":%b,"low":%b,"close":%b,"prev_close":%b,"volume":'
        ) % (
            _price(self._day_open, locator),
            _price(day_high, locator),
            _price(day_low, locator),
            previous,
            previous,
        )
        self._range_text = (
            b',"week_52_high":%b,"week_52_low":%b,"week_52_high_date":%b,'
            b'"week_52_low_date":%b,"day_high":%b,"day_low":%b,"avg_volume_5d":%b,"timestamp":'
        ) % (
            _known(day_high if is_high else self._year_high, locator),
            _known(day_low if is_low else self._year_low, locator),
            high_on,
            low_on,
            _price(day_high, locator),
            _price(day_low, locator),
            _NULL if volume is None else b"%d" % volume.value,
        )
        self._prices.clear()

    def _keep(self, locator: int) -> None:
        """Let the compiled speller have what :meth:`_spell` spells."""
        self._is_kept = True
        is_high, is_low, high_on, low_on = self._take_flags()
        volume = self._figures.avg_volume_5d
        self._speller.keep(
            locator,
            self._day_open,
            self._day_high,
            self._day_low,
            self._close,
            self._day_high if is_high else self._year_high,
            self._day_low if is_low else self._year_low,
            high_on,
            low_on,
            _NULL if volume is None else b"%d" % volume.value,
        )

    def _take_flags(self) -> tuple[bool, bool, bytes, bytes]:
        """Return whether there is a new 52-week high, and low, and how the days of both are."""
        is_high, is_low = self._is_high, self._is_low = self._has_new_high(), self._has_new_low()
        file = self._figures
        today = b'"%b"' % str(self.day).encode() if is_high or is_low else _NULL
        return (
            is_high,
            is_low,
            today if is_high else _date_of(file.week_52_high),
            today if is_low else _date_of(file.week_52_low),
        )

    def _spell_price(self, ltp: int, locator: int) -> tuple[bytes, bytes]:
        """Spell a price and its distance from the previous close."""
        if len(self._prices) == _KEPT_PRICES:
            self._prices.clear()
        found = self._prices[ltp] = (
            _price(ltp, locator),
            _percent_change(ltp, self._close, locator),
        )
        return found
