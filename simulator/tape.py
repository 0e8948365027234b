"""
One instrument's rows of a synthetic day, from the pre-open to the post-close.

:func:`course_of` draws where a stock's price goes, :func:`stock_tape` what a
feed tells of it; :func:`index_tape` sums up an index. Each instrument draws from
generators of its own, seeded by (seed, date, token), so that its rows do not
depend on which others are made. What all share comes in a `Setting`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simulator.columns import UNTOLD, Int64Array
from simulator.events import Figures, freeze, scene_of, with_auction, with_call
from simulator.paths import (
    FloatArray,
    clustered,
    last_true,
    returns,
    standing_bids,
    volatility_shape,
    volume_shape,
)
from simulator.setting import BoolArray, Grid, Setting, grid_of
from simulator.timetables import OPEN_S, SECONDS, Hours
from simulator.universe import Index, Stock

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

CONSTANTS = ("prev_close", "week_52_high", "week_52_low")
"""Those that an instrument's first row tells, for the day."""

_ON_CHANGE = ("bid_price", "bid_qty", "ask_price", "ask_qty")

_OPEN_MS = OPEN_S * 1_000
_LARGE = 90_000
"""Trades a day that make an update in 63 of 100 seconds, if they come at random."""


class Course(NamedTuple):
    """
    Where a stock's price goes, before anything is told of it.

    Args:
        rng: The stock's draws, as far as they have not been used.
        open: Its first price.
        path: The middle of its book, a second each, in paise.
        activity: How busy it is, a second each.

    """

    rng: np.random.Generator
    open: int
    path: FloatArray
    activity: FloatArray


class Tape(NamedTuple):
    """
    One instrument's rows.

    Args:
        ms: Milliseconds after 09:00, never falling.
        figures: What each row tells, by the names of `FIGURES`.
        open: First price.
        prices: Last price at the end of each second of the session.
        close: Official close.

    """

    ms: Int64Array
    figures: Figures
    open: int
    prices: Int64Array
    close: int


def course_of(stock: Stock, setting: Setting, sector: FloatArray) -> Course:
    """
    Draw where a stock's price goes on the day.

    Args:
        stock: As the day begins, a split already reckoned with.
        setting: What it shares with the others.
        sector: The returns that it shares with its sector, a second each.

    """
    rng = setting.generator(stock.token)
    seconds = setting.hours(stock).seconds
    beta = float(np.clip(rng.normal(0.9, 0.25), 0.3, 1.6))
    own_volatility = clustered(rng, 6, 0.55, seconds)
    of_day = setting.profile.stock_volatility * float(rng.lognormal(0, 0.25))
    own = returns(rng, own_volatility, of_day)
    gap = beta * setting.gap + rng.normal(0, setting.profile.stock_gap)
    open_price = grid_of(stock, setting).nearest(stock.prev_close * float(np.exp(gap)))
    moves = beta * setting.returns[:seconds] + sector[:seconds] + own
    moves = np.where(setting.trading[:seconds], moves, 0.0) + setting.drift[:seconds]
    path = open_price * np.exp(np.cumsum(moves))
    activity = np.sqrt(setting.volatility[:seconds] * own_volatility) * volatility_shape(seconds)
    return Course(rng, open_price, path, activity)


def stock_tape(stock: Stock, setting: Setting, sector: FloatArray) -> Tape:
    """Return a stock's rows; the arguments are those of `course_of`."""
    rng, open_price, path, activity = course_of(stock, setting, sector)
    hours, grid = setting.hours(stock), grid_of(stock, setting)
    scene = scene_of(stock, setting, grid, path)
    tick = grid.tick
    spread = max(1, round(open_price * _relative_spread(stock) / tick))
    bids = standing_bids(grid.inside(scene.path, spread) / tick, spread)
    trading = setting.trading[: hours.seconds]
    second, ms, is_trade = _arrivals(rng, activity, stock, trading, scene.trade_at)
    event = len(second) if scene.trade_at is None else int(np.searchsorted(second, scene.trade_at))
    if scene.frozen_at is not None:
        is_trade[event + 1 :] = False

    # Buyers follow buyers: the side of a trade mostly repeats.
    at_ask = np.cumsum(rng.random(len(second)) < 0.45) % 2
    if scene.at_ask is not None:
        at_ask[event] = scene.at_ask
    latest_trade = last_true(is_trade)
    bid = bids[second]
    ltp = (bid + at_ask * spread)[latest_trade] * tick

    day_volume = stock.volume * setting.profile.volume * float(rng.lognormal(0, 0.35))
    shape = volume_shape(hours.seconds, setting.profile.closing_volume)
    weights = rng.lognormal(0, 1.3, len(second)) * shape[second] * activity[second] ** 0.45
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
    session = {
        "ltp": ltp,
        "ltq": largest[latest_trade],
        "volume": pre_open_volume + np.cumsum(traded),
        "bid_price": bid * tick,
        "bid_qty": bid_qty,
        "ask_price": (bid + spread) * tick,
        "ask_qty": ask_qty,
        "total_buy_qty": total_buy,
        "total_sell_qty": total_sell,
    }
    if scene.frozen_at is not None:
        freeze(session, event, scene.frozen_at, is_up=scene.frozen_at == grid.highest)
    prices = _by_second(second, session["ltp"], open_price)
    closing = (second >= hours.closing[0]) & (second < hours.closing[1])
    reference = _average(session["ltp"], traded, closing)
    close = grid.nearest(reference)

    session_ms = _OPEN_MS + ms
    session_ms, session = with_call(stock, setting, grid, session_ms, session)
    # A day that a halt ended has no closing auction.
    if hours.auction is not None and not setting.is_over:
        session_ms, session = with_auction(
            stock, setting, grid, hours, reference, day_volume, session_ms, session
        )
        close = int(session["ltp"][-1])
    for name in _ON_CHANGE:
        session[name] = changes(session[name])

    before_ms, before = _pre_open(rng, stock, hours, grid, open_price, pre_open_volume)
    after_ms, after = _after_close(rng, hours, close, int(session["volume"][-1]), day_volume)
    if setting.is_over or scene.frozen_at is not None:
        after_ms, after = after_ms[:1], {name: values[:1] for name, values in after.items()}
    constants = {name: int(getattr(stock, name)) for name in CONSTANTS} | dict(scene.constants)
    return Tape(
        np.concatenate([before_ms, session_ms, after_ms]),
        _joined([before, session, after], constants),
        open_price,
        prices,
        close,
    )


def index_tape(index: Index, setting: Setting, members: Sequence[tuple[Stock, Tape]]) -> Tape:
    """Return an index: the weighted sum of its members' last prices, nothing of its own."""
    rng = setting.generator(index.token)
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
    # It is silent when its members are.
    ends = max(setting.hours(stock).seconds for stock, _ in members)
    told[1:] &= setting.trading[:-1]
    told[ends + 1 :] = False
    second = np.flatnonzero(told)
    phase = int(rng.integers(0, 930))
    hours = setting.hours(members[0][0])
    ms = np.concatenate(
        [
            [hours.pre_open_end * 1_000 + 25_000],
            _OPEN_MS + second * 1_000 + phase + rng.integers(0, 70, len(second)),
            [hours.official_close * 1_000 + 5_000],
        ]
    )
    ltp = np.concatenate([level(opens), level(paths)[second], level(closes)])
    figures = {"ltp": ltp, "volume": np.zeros(len(ltp), dtype=np.int64)}
    constants = {name: int(getattr(index, name)) for name in CONSTANTS}
    prices = _by_second(second, ltp[1:-1], int(ltp[0]))
    return Tape(ms, _joined([figures], constants), int(ltp[0]), prices, int(ltp[-1]))


def changes(values: Int64Array) -> Int64Array:
    """Return the values where they change; a recording need not tell the others again."""
    same = np.zeros(len(values), dtype=np.bool_)
    same[1:] = values[1:] == values[:-1]
    return np.where(same, UNTOLD, values)


def _relative_spread(stock: Stock) -> float:
    """Return the spread as a share of the price; the less is traded, the wider."""
    if not stock.trades:
        return 0.00025
    scarcity: float = max(1.0, _LARGE / stock.trades) ** 0.6
    return min(0.00025 * scarcity, 0.01)


def _arrivals(
    rng: np.random.Generator,
    activity: FloatArray,
    stock: Stock,
    trading: BoolArray,
    trade_at: int | None,
) -> tuple[Int64Array, Int64Array, BoolArray]:
    """Return for each update its second, its milliseconds after the open, and whether it trades."""
    seconds = len(trading)
    rate = rng.uniform(0.64, 0.92)
    calmest, busiest = 0.7, 1.25
    if stock.trades:
        rate *= 1 - np.exp(-stock.trades / _LARGE)
        calmest, busiest = 0.5, 2.5
    chance = np.minimum(0.97, rate * np.clip(activity, calmest, busiest))
    # A liquid stock has its opening trade in the first second, others when somebody comes.
    first = int(rng.random() / rate) if stock.trades else 0
    chance[min(first, seconds - 1)] = 1.0
    if trade_at is not None:
        chance[trade_at] = 1.0
    once = np.flatnonzero((rng.random(seconds) < chance) & trading)
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
    second = ms // 1_000
    is_trade = rng.random(len(ms)) >= 0.25
    is_trade[0] = True
    if trade_at is not None:
        is_trade[np.searchsorted(second, trade_at)] = True
    return second, ms, is_trade


def _quantities(rng: np.random.Generator, typical: float, rows: int) -> Int64Array:
    """Return quantities at the best price; every other row repeats the one before."""
    drawn = np.ceil(typical * rng.lognormal(0, 1.0, rows)).astype(np.int64)
    is_new = rng.random(rows) < 0.5
    is_new[0] = True
    return drawn[last_true(is_new)]


def _totals(rng: np.random.Generator, typical: float, rows: int) -> Int64Array:
    """Return the total quantity of one side of the book, told about every half minute."""
    told = rng.random(rows) < 0.03
    told[0] = True
    steps = np.cumsum(rng.normal(0, 0.02, rows) * told)
    totals: Int64Array = np.ceil(typical * np.exp(0.5 * np.tanh(steps))).astype(np.int64)
    return np.where(told, totals, UNTOLD)


def _by_second(second: Int64Array, ltp: Int64Array, before: int) -> Int64Array:
    """Return the last price at the end of each second of the session."""
    prices = np.zeros(SECONDS, dtype=np.int64)
    prices[second] = ltp
    prices = prices[last_true(prices > 0)]
    return np.where(prices > 0, prices, before)


def _average(ltp: Int64Array, traded: Int64Array, chosen: BoolArray) -> float:
    """Return the average price of the chosen trades; the last price where there is none."""
    volume = traded[chosen].sum()
    return float((ltp[chosen] * traded[chosen]).sum() / volume) if volume else float(ltp[-1])


def _pre_open(
    rng: np.random.Generator, stock: Stock, hours: Hours, grid: Grid, open_price: int, volume: int
) -> tuple[Int64Array, Figures]:
    """Return the indicative prices from 09:00, and the opening price with its volume."""
    end = hours.pre_open_end * 1_000
    ms = np.cumsum(rng.integers(4_000, 12_000, 120))
    ms = ms[ms < end - 1_000]
    if stock.trades:
        ms = ms[:: max(1, min(len(ms) // 2, _LARGE // stock.trades))]
    x = ms / end
    middle = stock.prev_close + (open_price - stock.prev_close) * (1 - np.exp(-4 * x))
    noise = rng.normal(0, 0.001, len(ms)) * (1 - x) * stock.prev_close
    ltp = [grid.nearest(price) for price in (middle + noise).tolist()]
    ltq = max(1, round(volume * rng.uniform(0.01, 0.2)))
    at = end + int(rng.integers(0, 20_000))
    quiet = np.zeros(len(ms), dtype=np.int64)
    return np.append(ms, at), {
        "ltp": np.array([*ltp, open_price], dtype=np.int64),
        "ltq": np.append(quiet, ltq),
        "volume": np.append(quiet, volume),
    }


def _after_close(
    rng: np.random.Generator, hours: Hours, close: int, volume: int, day_volume: float
) -> tuple[Int64Array, Figures]:
    """Return the row of the official close, and the trades at that price after it."""
    trades = int(rng.integers(10, 30))
    first, end = (seconds * 1_000 for seconds in hours.post_close)
    ms = np.sort(rng.integers(first, end, trades))
    traded = np.ceil(day_volume * 0.002 / trades * rng.lognormal(0, 1, trades)).astype(np.int64)
    rows = trades + 1
    nothing = np.zeros(rows, dtype=np.int64)
    return np.insert(ms, 0, hours.official_close * 1_000 + int(rng.integers(0, 3_000))), {
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


def _joined(parts: Sequence[Figures], constants: Mapping[str, int]) -> Figures:
    """Return the parts of a day one after the other, the first row with the day's constants."""
    joined = {
        name: np.concatenate(
            [part.get(name, np.full(len(part["ltp"]), UNTOLD, dtype=np.int64)) for part in parts]
        )
        for name in FIGURES
    }
    for name, value in constants.items():
        joined[name][0] = value
    return joined
