"""
The recording that the suite plays to servers: days on which every tick is known.

One file, days far apart in it, each with a row a second around the times that
cases use and a row every five minutes elsewhere. A row falls between two whole
seconds, at which the feed tells the time, so that whoever knows the time knows
every row before it; the exceptions are the rows at exactly 09:15:00 and
15:30:00. Each row tells all figures, so nothing about it is derived, and
the volume of a stock rises with each row, so that it tells rows apart.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Final, NamedTuple

__all__ = [
    "DAYS",
    "IST",
    "METRONOME",
    "NS",
    "QUIET",
    "SPARSE",
    "SPARSE_DAYS",
    "STOCKS",
    "Row",
    "Stock",
    "Tape",
    "at",
    "seconds_of",
]

IST: Final = timezone(timedelta(hours=5, minutes=30))
NS: Final = 1_000_000_000


@dataclass(frozen=True)
class Stock:
    """An instrument that the server under test knows."""

    symbol: str
    token: str
    exchange: str = "NSE"
    price: int = 100_000
    """Its price at the beginning of the first day, in paise."""

    @property
    def label(self) -> str:
        """How a reply names it when it was asked for by token or exchange."""
        return f"{self.symbol} ({self.exchange})"


STOCKS: Final = (
    Stock("SBIN", "3045", price=80_500),
    Stock("RELIANCE", "2885", price=136_550),
    Stock("TCS", "11536", price=310_000),
    Stock("INFY", "1594", price=149_900),
    Stock("HDFCBANK", "1333", price=95_400),
    Stock("BHARTIARTL", "10604", price=189_500),
    Stock("ICICIBANK", "4963", price=140_200),
    Stock("HINDUNILVR", "1394", price=266_800),
    Stock("ITC", "1660", price=41_000),
    Stock("KOTAKBANK", "1922", price=194_300),
)
"""The popular stocks of the guide, with NSE's tokens."""

QUIET: Final = (
    Stock("AXISBANK", "5900", price=105_000),
    Stock("LT", "11483", price=359_000),
    Stock("TITAN", "3506", price=366_000),
    Stock("SBIN", "500112", "BSE", price=80_600),
)
"""Stocks that the suite itself never subscribes, so that a case's subscribe is the first."""

SPARSE: Final = Stock("MARUTI", "10999", price=1_486_000)
"""
A stock that the feed knows little of: neither a previous close nor a 52-week
range (they are 0), no trade of a day before 11:00:10, and none on the trading
day before, so that nobody can tell its previous close.
"""
SPARSE_DAYS: Final = (date(2025, 9, 4), date(2025, 9, 8))

METRONOME: Final = Stock("WIPRO", "3787", price=25_000)
"""The stock whose ticks tell the suite how far the server has come; no case uses it."""


@dataclass(frozen=True)
class Day:
    """A date with rows, and where they stand close together."""

    date: date
    windows: tuple[tuple[str, str], ...]
    first: str = "09:00:00"
    last: str = "15:45:00"


_OPEN: Final = ("09:14:50", "09:15:20")
_NOON: Final = ("10:59:55", "11:01:30")
_CLOSE: Final = ("15:29:45", "15:30:15")
_USUAL: Final = (_OPEN, _NOON, _CLOSE)
_EARLY_END: Final = (("09:59:50", "10:00:10"), ("11:29:50", "11:30:10"))

DAYS: Final = (
    Day(date(2024, 3, 1), (_NOON, _CLOSE)),
    Day(date(2024, 3, 2), (_OPEN, *_EARLY_END, ("12:29:50", "12:30:10")), last="12:45:00"),
    Day(
        date(2024, 11, 1),
        (_OPEN, _NOON, ("17:59:50", "18:00:10"), ("18:59:50", "19:00:10")),
        last="19:15:00",
    ),
    Day(date(2025, 8, 26), _USUAL),
    Day(date(2025, 8, 27), _USUAL),
    Day(date(2025, 8, 28), _USUAL),
    Day(date(2025, 9, 3), _USUAL),
    Day(date(2025, 9, 4), _USUAL),
    Day(date(2025, 9, 5), _USUAL),
    Day(date(2025, 9, 6), _USUAL),
    Day(date(2025, 9, 7), _USUAL),
    Day(date(2025, 9, 8), _USUAL),
)
"""
Two Saturdays and a Sunday, a holiday (2025-08-27), a split session (2024-03-02)
and the evening of Diwali (2024-11-01) are among them: the feed talks on each,
as real feeds do.
"""

_STEP_S: Final = 300
_SPARSE_FROM_S: Final = 11 * 3600 + 10
_CLOSE_S: Final = 15 * 3600 + 30 * 60
HIGH_BROKEN: Final = ("RELIANCE", "11:00:30")
LOW_BROKEN: Final = ("ITC", "11:00:30")
"""When a stock goes beyond its 52-week range, on 2025-09-04: for five minutes from that second."""
HIGH_NEARED: Final = ("RELIANCE", "11:00:30")
"""On the day after it comes close to its new high, for ten seconds, without reaching it."""
HIGH_TOUCHED: Final = ("BHARTIARTL", "11:00:40")
"""When a stock's price is its 52-week high and no more, on 2025-09-04: in that second alone."""
STILL: Final = ("TCS", "11:00:20")
"""From this second to ten seconds later price and volume stay as they are, on each day."""


class Row(NamedTuple):
    """One update of the feed; prices in paise, time in nanoseconds since 1970."""

    ts: int
    stock: Stock
    ltp: int
    open: int
    high: int
    low: int
    prev_close: int
    volume: int
    week_52_high: int
    week_52_low: int

    @property
    def clock(self) -> str:
        """Its time of day in India, to the millisecond."""
        return f"{moment(self.ts):%H:%M:%S.%f}"[:-3]


def moment(ts: int) -> datetime:
    """Return nanoseconds since 1970 as a time in India."""
    return datetime.fromtimestamp(ts // NS, IST) + timedelta(microseconds=ts % NS // 1000)


def seconds_of(clock: str) -> float:
    """Return the seconds since midnight of ``HH:MM:SS``, which may have a fraction."""
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def at(day: date | str, clock: str) -> int:
    """Return a time in India as nanoseconds since 1970."""
    date_ = date.fromisoformat(day) if isinstance(day, str) else day
    midnight = datetime(date_.year, date_.month, date_.day, tzinfo=IST)
    return int(midnight.timestamp()) * NS + round(seconds_of(clock) * 1000) * 1_000_000


class Tape:
    """All rows, in order of time."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._of: dict[Stock, list[Row]] = {}
        for row in rows:
            self._of.setdefault(row.stock, []).append(row)
        self._times = {stock: [row.ts for row in rows] for stock, rows in self._of.items()}

    @classmethod
    def made(cls) -> Tape:
        """Return the tape; it is always the same one."""
        rows = [
            row
            for number, stock in enumerate((*STOCKS, *QUIET, SPARSE, METRONOME))
            for row in _rows(stock, number)
        ]
        rows.sort(key=lambda row: row.ts)
        return cls(rows)

    def between(self, stock: Stock, since: int, until: int) -> list[Row]:
        """Return a stock's rows after ``since``, up to ``until`` inclusive."""
        times = self._times.get(stock, [])
        return self._of.get(stock, [])[bisect_right(times, since) : bisect_right(times, until)]

    def last(self, stock: Stock, until: int) -> Row | None:
        """Return a stock's last row of that day up to ``until``, inclusive."""
        index = bisect_right(self._times.get(stock, []), until) - 1
        if index < 0:
            return None
        row = self._of[stock][index]
        return row if moment(row.ts).date() == moment(until).date() else None

    def next(self, stock: Stock, since: int) -> Row | None:
        """Return a stock's first row from ``since`` on, inclusive."""
        rows = self._of.get(stock, [])
        index = bisect_left(self._times.get(stock, []), since)
        return rows[index] if index < len(rows) else None

    def write(self, path: Path) -> None:
        """Write it as a recording."""
        import polars as pl

        prices = ("ltp", "open", "high", "low", "prev_close", "week_52_high", "week_52_low")
        frame = pl.DataFrame(
            {
                "ts": [row.ts for row in self.rows],
                "token": [int(row.stock.token) for row in self.rows],
                "symbol": [row.stock.symbol for row in self.rows],
                "exchange": [row.stock.exchange for row in self.rows],
                "volume": [row.volume for row in self.rows],
                **{name: [getattr(row, name) / 100 for row in self.rows] for name in prices},
            },
            schema_overrides={"ts": pl.Int64},
        )
        frame = frame.with_columns(pl.col("ts").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"))
        frame.write_parquet(path, row_group_size=16_384)


def _seconds(day: Day) -> list[float]:
    """Return the seconds since midnight at which a day has rows, before they are staggered."""
    first, last = int(seconds_of(day.first)), int(seconds_of(day.last))
    seconds = set(range(first, last + 1, _STEP_S))
    for since, until in day.windows:
        seconds |= set(range(int(seconds_of(since)), int(seconds_of(until))))
    return sorted(seconds)


def _rows(stock: Stock, number: int) -> Iterator[Row]:
    """Yield a stock's rows: a price that wanders within 1 %, and returns."""
    prev_close = stock.price
    high_52, low_52 = stock.price * 115 // 100 // 5 * 5, stock.price * 85 // 100 // 5 * 5
    is_sparse = stock == SPARSE
    for day in DAYS:
        opening = high = low = 0
        ltp, volume, count = prev_close, 0, 0
        for second in _seconds(day):
            if is_sparse and (day.date not in SPARSE_DAYS or second < _SPARSE_FROM_S):
                continue
            is_still = stock.symbol == STILL[0] and 0 < second - seconds_of(STILL[1]) < 10
            if not is_still:
                count += 1
                swing = (count * (7 + number) * 37) % 200 - 100
                ltp = prev_close * (10_000 + swing) // 10_000 // 5 * 5
                ltp = _extreme(stock, day.date, second, count, high_52, low_52) or ltp
                volume += 1 + (count * 11 + number) % 90
            opening = opening or ltp
            high = max(high, ltp)
            low = min(low or ltp, ltp)
            yield Row(
                ts=at(day.date, "00:00:00") + _offset_ns(second, number),
                stock=stock,
                ltp=ltp,
                open=opening,
                high=high,
                low=low,
                prev_close=0 if is_sparse else prev_close,
                volume=volume,
                week_52_high=0 if is_sparse else high_52,
                week_52_low=0 if is_sparse else low_52,
            )
        prev_close = ltp
        high_52, low_52 = max(high_52, high), min(low_52, low or low_52)


def _extreme(
    stock: Stock, day: date, second: float, count: int, high_52: int, low_52: int
) -> int | None:
    """Return the price of a stock at a time when it does something out of the ordinary."""

    def within(happening: tuple[str, str], seconds: int) -> bool:
        symbol, since = happening
        return stock.symbol == symbol and 0 <= second - seconds_of(since) < seconds

    if day == date(2025, 9, 4):
        if within(HIGH_BROKEN, 300):
            return high_52 + 5 * (1 + count % 7)
        if within(LOW_BROKEN, 300):
            return low_52 - 5 * (1 + count % 7)
        if within(HIGH_TOUCHED, 1):
            return high_52
    if day == date(2025, 9, 5) and within(HIGH_NEARED, 10):
        return high_52 - 5
    return None


def _offset_ns(second: float, number: int) -> int:
    """Return when in its second a row falls; the boundaries of the session are met exactly."""
    if second in (9 * 3600 + 15 * 60, _CLOSE_S):
        return round(second) * NS
    # The metronome has the highest number, so that its row is the last of each second.
    return round(second) * NS + (200 + 50 * number) * 1_000_000
