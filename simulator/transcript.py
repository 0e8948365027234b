"""
What a feed says, as rows of a recording.

A :class:`Transcript` is handed the feed's messages in the order of their
arrival and gives rows back: integers, in the columns of `ROW`. It keeps the
promises that a recording makes, whatever the feed sends: time never goes back,
rows of one second stay in the order of arrival, and a row that no replay would
accept is not made but counted. Files are `simulator.tape_journal`'s subject,
the socket is `simulator.recorder`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from simulator.columns import MAX_PRICE, MAX_QUANTITY, UNTOLD
from streamer.clock import MAX_STEP_NS, PLAUSIBLE_NS, FeedClock, Move
from streamer.ist import NS_PER_DAY, NS_PER_SECOND, ist_date, ist_datetime, ist_ns
from streamer.odin.messages import BestFive, FeedMessage, Logoff, LogonAnswer, Touchline
from streamer.odin.tags import InstrumentKey

PRICES: Final = (
    "ltp",
    "bid_price",
    "ask_price",
    "open",
    "high",
    "low",
    "prev_close",
    "atp",
    "week_52_high",
    "week_52_low",
)
QUANTITIES: Final = (
    "ltq",
    "volume",
    "bid_qty",
    "ask_qty",
    "total_buy_qty",
    "total_sell_qty",
    "open_interest",
)
ROW: Final = ("ts", "segment", "token", *PRICES, *QUANTITIES)
"""The columns of a row: UNIX nanoseconds, the instrument, paise, shares; `UNTOLD` if unusable."""

Row = tuple[int, ...]

_LATE_NS: Final = 2 * NS_PER_SECOND
"""How long rows of the last second may take to arrive, by the machine's clock."""


class Gap(msgspec.Struct, frozen=True):
    """
    A stretch in which the feed was away.

    Args:
        row: How many rows were recorded before it.
        after: Time of the last of them; 0 if there is none.
        before: Time of the first row after it.
        why: In words.

    """

    row: int
    after: int
    before: int
    why: str


class Counts(msgspec.Struct):
    """
    What became of the feed's updates.

    Args:
        rows: Recorded.
        late: Of these, how many tell an earlier time than the row before, which they got.
        ahead: Of these, how many tell a time that cannot be, and got the feed's own.
        other_day: Not recorded: the state of an earlier day, sent upon subscribing.
        no_price: Not recorded: nothing has traded yet, or the price cannot be one.
        unasked: Not recorded: of instruments that nobody asked for.

    """

    rows: int = 0
    late: int = 0
    ahead: int = 0
    other_day: int = 0
    no_price: int = 0
    unasked: int = 0


class Transcript:
    """
    The rows of one recording, as they come.

    A row's time is its LUT (tag 74), which has whole seconds. What tells an
    earlier time than the row before, or than the logon, gets that time: the
    answer to a subscribe is the state at that moment, however old its last
    trade. An answer from an earlier day is no row of this one.

    Args:
        keys: The instruments that are recorded.
        until: ``HH:MM`` or ``HH:MM:SS`` in India; the recording ends when the
            market's clock next shows it. None records without end.
        now: UNIX nanoseconds, by the machine.

    """

    def __init__(self, keys: Collection[InstrumentKey], *, until: str | None, now: int) -> None:
        self.counts = Counts()
        self.simulated: bool | None = None
        """Whether the feed is a simulator; None before the first logon."""
        self.ended = ""
        """Why nothing more is recorded; empty as long as something is."""
        self._keys = frozenset(keys)
        self._until_text = until
        self._until = None if until is None else _next(until, now)
        self._clock = FeedClock()
        self._rows: list[Row] = []
        self._gaps: list[Gap] = []
        self._last = 0
        self._floor = 0
        self._away = ""

    @property
    def last(self) -> int:
        """Time of the last row, 0 before the first."""
        return self._last

    @property
    def pending(self) -> int:
        """How many rows wait to be taken."""
        return len(self._rows)

    def reached(self, now: int) -> int:
        """Return the market's time: the feed's if it is a simulator, else the machine's."""
        told = self._clock.read(now) if self.simulated else None
        return now if told is None else told

    def take_rows(self) -> tuple[list[Row], list[Gap]]:
        """Return the rows since the last call, and the gaps before or between them."""
        rows, self._rows = self._rows, []
        gaps, self._gaps = self._gaps, []
        return rows, gaps

    def note_away(self, why: str) -> None:
        """Take note that the feed is away: a gap, if it has been there."""
        if self.simulated is not None:
            self._away = why or "the connection was lost"

    def take(self, messages: Sequence[FeedMessage], now: int) -> None:
        """
        Make rows of messages.

        Args:
            messages: In the order of their arrival.
            now: UNIX nanoseconds, by the machine.

        """
        for message in messages:
            if self.ended:
                return
            if isinstance(message, Touchline):
                self._clock.observe(message)
                self._add(message, now)
            elif isinstance(message, BestFive):
                self._clock.observe(message)
                self._add(message.touchline, now)
            else:
                self._hear(message, now)

    def pass_time(self, now: int) -> None:
        """End the recording of a real feed when its time has come."""
        if self.ended or self.simulated or self._until is None:
            return
        if now >= self._until + _LATE_NS:
            self._end_at_until()

    def _hear(self, message: FeedMessage, now: int) -> None:
        """Take in what is about the feed itself."""
        before = self._clock.read(now)
        move = self._clock.observe(message)
        if isinstance(message, LogonAnswer):
            self._log_on(message, now)
        if not self.simulated:
            return
        if move is Move.BACK and before is not None:
            # The same hours come again: another pass, or another replay.
            self.ended = (
                f"the feed went back from {ist_datetime(before)} to "
                f"{ist_datetime(self.reached(now))} IST: another pass of the replay"
            )
        elif isinstance(message, Logoff):
            self.ended = f"the simulator logged off: {message.reason or 'no reason'}"
        elif self._until is not None and self.reached(now) >= self._until:
            self._end_at_until()

    def _log_on(self, answer: LogonAnswer, now: int) -> None:
        is_first = self.simulated is None
        self.simulated = answer.simulated
        told = answer.sent if answer.sent in PLAUSIBLE_NS else now
        self._floor = told - told % NS_PER_SECOND
        if is_first and self._until_text is not None:
            self._until = _next(self._until_text, told if answer.simulated else now)

    def _add(self, t: Touchline, now: int) -> None:
        if t.key not in self._keys:
            self.counts.unasked += 1
            return
        reached = self.reached(now)
        ts = t.lut if t.lut in PLAUSIBLE_NS else t.sent if t.sent in PLAUSIBLE_NS else reached
        if ts > reached + MAX_STEP_NS:
            self.counts.ahead += 1
            ts = reached - reached % NS_PER_SECOND
        floor = max(self._floor, self._last)
        if ist_date(ts) < ist_date(floor):
            self.counts.other_day += 1
            return
        figures = _figures(t)
        if figures is None:
            self.counts.no_price += 1
            return
        if ts < floor:
            self.counts.late += 1
            ts = floor
        if self._until is not None and ts >= self._until:
            self._end_at_until()
            return
        if self._away:
            self._gaps.append(Gap(self.counts.rows, self._last, ts, self._away))
            self._away = ""
        self._rows.append((ts, t.segment, t.token, *figures))
        self._last = ts
        self.counts.rows += 1

    def _end_at_until(self) -> None:
        self.ended = f"it is {self._until_text}"


def _next(clock: str, after: int) -> int:
    """Return when the clocks of India next show a time, after a moment."""
    moment = ist_ns(ist_date(after), clock)
    return moment if moment > after else moment + NS_PER_DAY


def _figures(t: Touchline) -> Row | None:
    """Return the figures of a touchline, None without a price."""
    prices: Row = (
        t.ltp,
        t.bid,
        t.ask,
        t.open,
        t.high,
        t.low,
        t.close,
        t.atp,
        t.high_52,
        t.low_52,
    )
    if t.locator != 100:
        prices = tuple(_paise(price, t.locator) for price in prices)
    if max(prices) > MAX_PRICE:
        prices = tuple(price if price <= MAX_PRICE else UNTOLD for price in prices)
    if prices[0] <= 0:
        return None
    quantities: Row = (
        t.ltq,
        t.volume,
        t.bid_qty,
        t.ask_qty,
        t.total_buy,
        t.total_sell,
        t.open_interest,
    )
    if max(quantities) > MAX_QUANTITY:
        quantities = tuple(each if each <= MAX_QUANTITY else UNTOLD for each in quantities)
    return prices + quantities


def _paise(price: int, locator: int) -> int:
    """Return a scaled price in paise; `UNTOLD` if it is no whole number of them."""
    paise, rest = divmod(price * 100, locator)
    return UNTOLD if rest else paise
