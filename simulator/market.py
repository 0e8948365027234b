"""
A synthetic trading day from a seed: fifty stocks and two indices that look alive.

One factor moves all stocks, one each sector, one each stock; volatility comes
in clusters and is highest in the morning; prices are sticky, because quotes
stand until the market has left them; a feed tells about one update a second.
Each symbol draws from a generator of its own, seeded by (seed, date, token):
its tape does not depend on which others are made. Everything is integers of
paise and nanoseconds when it leaves. Files are `simulator.synth`'s business.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from simulator.columns import UNTOLD, Batch, Int64Array
from simulator.universe import INDICES, Index, Stock
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.instruments import Instrument, tick_size
from streamer.ist import ist_ns
from streamer.odin.tags import NSE_CASH

FloatArray = npt.NDArray[np.float64]

SECONDS = 22_500
"""Seconds of continuous trading, from 09:15 to 15:30."""

FIGURES = (
    "ltp",
    "ltq",
    "volume",
    "bid_price",
    "bid_qty",
    "ask_price",
    "ask_qty",
    "total_buy_qty",
    "total_sell_qty",
    "prev_close",
    "week_52_high",
    "week_52_low",
)
"""The figures that a synthetic day tells; the others are derived when it is replayed."""

# Times of day in milliseconds after 09:00.
_PRE_OPEN_END_MS = 8 * 60_000
_OPEN_MS = 15 * 60_000
_CLOSE_MS = _OPEN_MS + SECONDS * 1_000
_OFFICIAL_CLOSE_MS = _CLOSE_MS + 60_000
_POST_CLOSE_MS = _CLOSE_MS + 10 * 60_000
_END_MS = _CLOSE_MS + 30 * 60_000

_CLOSING_SECONDS = 1_800  # the official close is the average price of the last half hour
_BAND = 0.10  # operating range of stocks with derivatives, as a share of the previous close
_X = np.arange(SECONDS) / SECONDS


class Profile(msgspec.Struct, frozen=True):
    """
    What kind of day it is. Volatilities are standard deviations of a day's return.

    Args:
        name: As the command line knows it.
        summary: One sentence.
        index_volatility: Least and most of the common factor.
        sector_volatility: Of what the stocks of a sector share besides.
        stock_volatility: Of what a stock does on its own; stocks differ.
        gap: Of the common step from yesterday's close to today's open.
        stock_gap: Of the stock's own step.

    """

    name: str
    summary: str
    index_volatility: tuple[float, float] = (0.0045, 0.0068)
    sector_volatility: float = 0.004
    stock_volatility: float = 0.0115
    gap: float = 0.005
    stock_gap: float = 0.003


PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (Profile("normal", "An ordinary day."),)
}
"""The kinds of day that can be made."""


class MarketDay(NamedTuple):
    """
    A synthetic day: its rows in time order, and what the rows' numbers mean.

    Args:
        instruments: Stocks in the order given, then the indices.
        rows: The figures of `FIGURES`; previous close and 52-week range are
            told in an instrument's first row, the best bid and ask when they change.

    """

    instruments: tuple[Stock | Index, ...]
    rows: Batch


class _Common(NamedTuple):
    """What all stocks share: per second of the session, and overnight."""

    returns: FloatArray
    volatility: FloatArray
    gap: float


class _Tape(NamedTuple):
    """One instrument's rows, and its last price at the end of each second of the session."""

    ms: Int64Array
    figures: dict[str, Int64Array]
    open: int
    prices: Int64Array
    close: int


def synthesise(
    day: date,
    *,
    stocks: Sequence[Stock],
    index_stocks: Sequence[Stock],
    seed: int,
    profile: Profile = PROFILES["normal"],
    calendar: TradingCalendar | None = None,
) -> MarketDay:
    """
    Return a synthetic day; the same arguments give the same rows.

    Args:
        day: A day with an ordinary session from 09:15 to 15:30.
        stocks: What is made, in any order, besides the indices.
        index_stocks: The members of the indices, whether they are made or not.
        seed: 0 or more.
        profile: What kind of day it is.
        calendar: By default the one that comes with the server.

    Raises:
        ConfigError: If there is no ordinary session on the day.

    """
    _require_ordinary_session(day, calendar or TradingCalendar.bundled())
    common = _common(day, seed, profile)
    sectors = {
        sector: _sector_returns(sector, day, seed, profile)
        for sector in sorted({stock.sector for stock in (*stocks, *index_stocks)})
    }
    tapes = {
        stock: _stock_tape(stock, day, seed, profile, common, sectors[stock.sector])
        for stock in dict.fromkeys((*stocks, *index_stocks))
    }
    made: list[tuple[Stock | Index, _Tape]] = [(stock, tapes[stock]) for stock in stocks]
    for index in INDICES:
        members = [stock for stock in index_stocks if getattr(stock, index.weight) > 0]
        of_members = [(stock, tapes[stock]) for stock in members]
        made.append((index, _index_tape(index, day, seed, of_members)))
    return MarketDay(tuple(instrument for instrument, _ in made), _in_time_order(day, made))


def _require_ordinary_session(day: date, calendar: TradingCalendar) -> None:
    sessions = [(session.open, session.close) for session in calendar.day(day).sessions]
    if sessions != [(ist_ns(day, "09:15"), ist_ns(day, "15:30"))]:
        hours = calendar.day(day).hours if sessions else "no session"
        raise ConfigError(
            f"{day} has {hours}; a day with one session from 09:15 to 15:30 IST expected"
        )


def _generator(*words: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def _unit(values: FloatArray) -> FloatArray:
    scaled: FloatArray = values / np.sqrt(np.mean(values**2))
    return scaled


_SHAPE = _unit(0.75 + 1.75 * np.exp(-_X / 0.045) + 0.35 * np.exp(-(1 - _X) / 0.05))
"""Volatility over the day: a reversed J."""

_VOLUME_SHAPE = 0.65 + 1.7 * np.exp(-_X / 0.05) + 1.6 * np.exp(-(1 - _X) / 0.045)
"""Volume over the day: a U."""


def _clustered(rng: np.random.Generator, half_life_min: float, deviation: float) -> FloatArray:
    """Return volatility per second: the exponential of an autoregression over the minutes."""
    minutes = SECONDS // 60
    keep = 0.5 ** (1 / half_life_min)
    shocks = rng.standard_normal(minutes) * deviation * np.sqrt(1 - keep**2)
    level = rng.standard_normal() * deviation
    levels = np.empty(minutes)
    for minute, shock in enumerate(shocks.tolist()):
        level = keep * level + shock
        levels[minute] = level
    return np.repeat(np.exp(levels), 60)


def _returns(rng: np.random.Generator, volatility: FloatArray, of_day: float) -> FloatArray:
    """Return a return for each second; heavy-tailed, together of the day's volatility."""
    shocks = rng.standard_t(4, SECONDS) * volatility * _SHAPE
    scaled: FloatArray = shocks * (of_day / np.sqrt(np.sum(shocks**2)))
    return scaled


def _common(day: date, seed: int, profile: Profile) -> _Common:
    rng = _generator(seed, day.toordinal(), 0)
    volatility = _clustered(rng, 8, 0.48)
    returns = _returns(rng, volatility, rng.uniform(*profile.index_volatility))
    return _Common(returns, volatility, rng.normal(0, profile.gap))


def _sector_returns(sector: str, day: date, seed: int, profile: Profile) -> FloatArray:
    rng = _generator(seed, day.toordinal(), 0, zlib.crc32(sector.encode()))
    return _returns(rng, _clustered(rng, 7, 0.5), profile.sector_volatility)


def _stock_tape(
    stock: Stock, day: date, seed: int, profile: Profile, common: _Common, sector: FloatArray
) -> _Tape:
    rng = _generator(seed, day.toordinal(), stock.token)
    tick = _tick(stock, day)
    beta = float(np.clip(rng.normal(0.9, 0.25), 0.3, 1.6))
    own_volatility = _clustered(rng, 6, 0.55)
    of_day = profile.stock_volatility * float(rng.lognormal(0, 0.25))
    own = _returns(rng, own_volatility, of_day)
    gap = beta * common.gap + rng.normal(0, profile.stock_gap)
    open_price = _on_grid(stock.prev_close * float(np.exp(gap)), stock, tick)
    path = open_price * np.exp(np.cumsum(beta * common.returns + sector + own))

    spread = max(1, round(open_price * 0.00025 / tick))
    bids = _standing_bids(_within_band(path, stock, tick, spread) / tick, spread)
    activity = np.sqrt(common.volatility * own_volatility) * _SHAPE
    second, ms, is_trade = _arrivals(rng, activity)

    # Buyers follow buyers: the side of a trade mostly repeats.
    at_ask = np.cumsum(rng.random(len(second)) < 0.45) % 2
    latest_trade = np.maximum.accumulate(np.where(is_trade, np.arange(len(second)), 0))
    bid = bids[second]
    ltp = (bid + at_ask * spread)[latest_trade] * tick

    day_volume = stock.volume * float(rng.lognormal(0, 0.35))
    weights = rng.lognormal(0, 1.3, len(second)) * _VOLUME_SHAPE[second] * activity[second] ** 0.45
    weights[~is_trade] = 0
    traded = np.rint(weights * (day_volume / weights.sum())).astype(np.int64)
    traded = np.maximum(traded, is_trade)
    pre_open_volume = max(1, round(day_volume * rng.uniform(0.005, 0.010)))
    largest = np.maximum((traded * rng.uniform(0.05, 1.0, len(second))).astype(np.int64), 1)
    quantity = max(1.0, stock.volume / 25_000)
    bid_qty = _quantities(rng, quantity, len(second))
    ask_qty = _quantities(rng, quantity, len(second))
    total_buy = _totals(rng, stock.volume * 0.06, len(second))
    total_sell = _totals(rng, stock.volume * 0.06, len(second))

    closing = second >= SECONDS - _CLOSING_SECONDS
    close = open_price
    if traded[closing].sum():
        average = (ltp[closing] * traded[closing]).sum() / traded[closing].sum()
        close = _on_grid(float(average), stock, tick)
    session = {
        "ltp": ltp,
        "ltq": largest[latest_trade],
        "volume": pre_open_volume + np.cumsum(traded),
        "bid_price": _changes(bid * tick),
        "bid_qty": _changes(bid_qty),
        "ask_price": _changes((bid + spread) * tick),
        "ask_qty": _changes(ask_qty),
        "total_buy_qty": total_buy,
        "total_sell_qty": total_sell,
    }
    before_ms, before = _pre_open(rng, stock, tick, open_price, pre_open_volume)
    after_ms, after = _after_close(rng, close, int(session["volume"][-1]), day_volume)
    prices = np.zeros(SECONDS, dtype=np.int64)
    prices[second] = ltp
    told = np.maximum.accumulate(np.where(prices > 0, np.arange(SECONDS), 0))
    return _Tape(
        np.concatenate([before_ms, _OPEN_MS + ms, after_ms]),
        _joined([before, session, after], stock),
        open_price,
        prices[told],
        close,
    )


def _tick(stock: Stock, day: date) -> int:
    instrument = Instrument(NSE_CASH, stock.token, stock.symbol, "NSE", "EQ")
    return tick_size(instrument, day, stock.prev_close)


def _limits(stock: Stock, tick: int) -> tuple[int, int]:
    """Return the lowest and the highest price on the grid that the band allows."""
    lowest = -(-stock.prev_close * (1 - _BAND) // tick) * tick
    return int(lowest), int(stock.prev_close * (1 + _BAND) // tick * tick)


def _on_grid(price: float, stock: Stock, tick: int) -> int:
    lowest, highest = _limits(stock, tick)
    return min(max(round(price / tick) * tick, lowest), highest)


def _within_band(path: FloatArray, stock: Stock, tick: int, spread: int) -> FloatArray:
    lowest, highest = _limits(stock, tick)
    return np.clip(path, lowest + spread * tick, highest - spread * tick)


def _standing_bids(path: FloatArray, spread: int) -> Int64Array:
    """
    Return the bid of each second in ticks; the ask is ``spread`` ticks above.

    Quotes stand until the middle has left them. Without this every second has
    a new price, which no real tape shows.
    """
    bid = round(float(path[0]) - spread / 2)
    bids = np.empty(SECONDS, dtype=np.int64)
    for second, middle in enumerate(path.tolist()):
        if not bid <= middle <= bid + spread:
            bid = round(middle - spread / 2)
        bids[second] = bid
    return bids


def _arrivals(
    rng: np.random.Generator, activity: FloatArray
) -> tuple[Int64Array, Int64Array, npt.NDArray[np.bool_]]:
    """Return for each update its second, its milliseconds after the open, and whether it trades."""
    rate = rng.uniform(0.64, 0.92)
    chance = np.minimum(0.97, rate * np.clip(activity, 0.7, 1.25))
    chance[0] = 1.0  # every stock has its opening trade in the first second
    once = np.flatnonzero(rng.random(SECONDS) < chance)
    twice = once[rng.random(len(once)) < 0.055 + 0.5 * np.exp(-once / 45)]
    # A feed polls its instruments in turn: each has its own place in the second.
    phase = int(rng.integers(0, 930))
    ms = np.concatenate(
        [
            once * 1_000 + phase + rng.integers(0, 70, len(once)),
            twice * 1_000 + (phase + rng.integers(200, 800, len(twice))) % 1_000,
        ]
    )
    ms.sort()
    is_trade = rng.random(len(ms)) >= 0.25
    is_trade[0] = True
    return ms // 1_000, ms, is_trade


def _quantities(rng: np.random.Generator, typical: float, rows: int) -> Int64Array:
    """Return quantities at the best price; every other row repeats the one before."""
    drawn = np.ceil(typical * rng.lognormal(0, 1.0, rows)).astype(np.int64)
    changes = rng.random(rows) < 0.5
    changes[0] = True
    return drawn[np.maximum.accumulate(np.where(changes, np.arange(rows), 0))]


def _changes(values: Int64Array) -> Int64Array:
    """Return the values where they change; a recording need not tell the others again."""
    same = np.zeros(len(values), dtype=np.bool_)
    same[1:] = values[1:] == values[:-1]
    return np.where(same, UNTOLD, values)


def _totals(rng: np.random.Generator, typical: float, rows: int) -> Int64Array:
    """Return the total quantity of one side of the book, told about every half minute."""
    told = rng.random(rows) < 0.03
    told[0] = True
    steps = np.cumsum(rng.normal(0, 0.02, rows) * told)
    totals: Int64Array = np.ceil(typical * np.exp(0.5 * np.tanh(steps))).astype(np.int64)
    return np.where(told, totals, UNTOLD)


def _pre_open(
    rng: np.random.Generator, stock: Stock, tick: int, open_price: int, volume: int
) -> tuple[Int64Array, dict[str, Int64Array]]:
    """Return the indicative prices from 09:00, and the opening price of 09:08 with its volume."""
    ms = np.cumsum(rng.integers(4_000, 12_000, 120))
    ms = ms[ms < _PRE_OPEN_END_MS - 1_000]
    x = ms / _PRE_OPEN_END_MS
    middle = stock.prev_close + (open_price - stock.prev_close) * (1 - np.exp(-4 * x))
    noise = rng.normal(0, 0.001, len(ms)) * (1 - x) * stock.prev_close
    ltp = [_on_grid(price, stock, tick) for price in (middle + noise).tolist()]
    ltq = max(1, round(volume * rng.uniform(0.01, 0.2)))
    at = _PRE_OPEN_END_MS + int(rng.integers(0, 20_000))
    quiet = np.zeros(len(ms), dtype=np.int64)
    return np.append(ms, at), {
        "ltp": np.array([*ltp, open_price], dtype=np.int64),
        "ltq": np.append(quiet, ltq),
        "volume": np.append(quiet, volume),
    }


def _after_close(
    rng: np.random.Generator, close: int, volume: int, day_volume: float
) -> tuple[Int64Array, dict[str, Int64Array]]:
    """Return the official close of about 15:31, and the trades at that price from 15:40."""
    trades = int(rng.integers(10, 30))
    ms = np.sort(rng.integers(_POST_CLOSE_MS, _END_MS, trades))
    traded = np.ceil(day_volume * 0.002 / trades * rng.lognormal(0, 1, trades)).astype(np.int64)
    rows = trades + 1
    nothing = np.zeros(rows, dtype=np.int64)
    return np.insert(ms, 0, _OFFICIAL_CLOSE_MS + int(rng.integers(0, 3_000))), {
        "ltp": np.full(rows, close, dtype=np.int64),
        "ltq": np.insert(traded, 0, UNTOLD),
        "volume": volume + np.cumsum(np.insert(traded, 0, 0)),
        # The book of the session is gone.
        "bid_price": nothing,
        "bid_qty": nothing,
        "ask_price": nothing,
        "ask_qty": nothing,
        "total_buy_qty": nothing,
        "total_sell_qty": nothing,
    }


def _index_tape(
    index: Index, day: date, seed: int, members: Sequence[tuple[Stock, _Tape]]
) -> _Tape:
    """Return an index: the weighted sum of its members' last prices, nothing of its own."""
    rng = _generator(seed, day.toordinal(), index.token)
    weights = np.array([getattr(stock, index.weight) for stock, _ in members])
    weights = weights / weights.sum()

    def level(prices: FloatArray) -> Int64Array:
        """Return the level for prices relative to the previous closes, a row a member."""
        points = index.prev_close * (weights @ prices) / index.step
        rounded: Int64Array = np.rint(points).astype(np.int64) * index.step
        return rounded

    previous = np.array([[stock.prev_close] for stock, _ in members], dtype=np.float64)
    opens = np.array([[tape.open] for _, tape in members]) / previous
    closes = np.array([[tape.close] for _, tape in members]) / previous
    # An index tells what its members traded at up to the end of the second before.
    paths = np.hstack([opens, np.array([tape.prices[:-1] for _, tape in members]) / previous])
    told = rng.random(SECONDS) < 0.95
    told[0] = True
    second = np.flatnonzero(told)
    phase = int(rng.integers(0, 930))
    ms = np.concatenate(
        [
            [_PRE_OPEN_END_MS + 25_000],
            _OPEN_MS + second * 1_000 + phase + rng.integers(0, 70, len(second)),
            [_OFFICIAL_CLOSE_MS + 5_000],
        ]
    )
    ltp = np.concatenate([level(opens), level(paths)[second], level(closes)])
    figures = {"ltp": ltp, "volume": np.zeros(len(ltp), dtype=np.int64)}
    return _Tape(ms, _joined([figures], index), int(ltp[0]), ltp[1:-1], int(ltp[-1]))


def _joined(
    parts: Sequence[dict[str, Int64Array]], instrument: Stock | Index
) -> dict[str, Int64Array]:
    """Return the parts of a day one after the other, the first row with the day's constants."""
    joined = {
        name: np.concatenate(
            [part.get(name, np.full(len(part["ltp"]), UNTOLD, dtype=np.int64)) for part in parts]
        )
        for name in FIGURES
    }
    for name in ("prev_close", "week_52_high", "week_52_low"):
        joined[name][0] = getattr(instrument, name)
    return joined


def _in_time_order(day: date, tapes: Sequence[tuple[Stock | Index, _Tape]]) -> Batch:
    """Return all rows by time; of one time, in the order of the instruments."""
    ms = np.concatenate([tape.ms for _, tape in tapes])
    lengths = [len(tape.ms) for _, tape in tapes]
    number = np.repeat(np.arange(len(tapes), dtype=np.int32), lengths)
    order = np.argsort(ms, kind="stable")
    figures = {
        name: np.concatenate([tape.figures[name] for _, tape in tapes])[order] for name in FIGURES
    }
    return Batch(ist_ns(day, "09:00") + ms[order] * 1_000_000, number[order], figures)
