"""
What happens on a synthetic day besides trading: circuits, records, calls and auctions.

Each event bends a stock's path or changes the rows that a feed tells of it.
Which events a day has is the profile's and the timetable's business.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.columns import UNTOLD, Int64Array
from simulator.paths import FloatArray
from simulator.profiles import second_of
from simulator.setting import Grid, Setting
from simulator.timetables import OPEN_S, Hours
from simulator.universe import Stock

Figures = dict[str, Int64Array]

_BOOK = 1  # the generator's word for orders that are collected without a trade
_DIRECTION = 2  # and for the side of a circuit

_CIRCUIT_APPROACH_S = 2_700
_RECORD_APPROACH_S = 900
_NEAR_RECORD, _BEYOND_RECORD = 0.9985, 1.003
_AUCTION_BAND = 0.03  # either side of the reference price
_AUCTION_VOLUME = 0.04  # of the day


class Scene(NamedTuple):
    """
    What happens to one stock.

    Args:
        path: Where its price goes, a second each, in paise.
        trade_at: A second in which it trades in any case.
        at_ask: On which side the first trade of that second is; None: on any.
        frozen_at: The price at which it stands from that second on; None: it does not.
        constants: Figures of its first row that differ from the stock's.

    """

    path: FloatArray
    trade_at: int | None = None
    at_ask: bool | None = None
    frozen_at: int | None = None
    constants: tuple[tuple[str, int], ...] = ()


def scene_of(stock: Stock, setting: Setting, grid: Grid, path: FloatArray) -> Scene:
    """Return what happens to a stock whose price would go along ``path``."""
    profile = setting.profile
    if stock.token in setting.affected:
        if profile.circuit is not None:
            second = second_of(profile.circuit)
            is_up = setting.generator(stock.token, _DIRECTION).random() < 0.5
            limit = grid.highest if is_up else grid.lowest
            return Scene(_to_limit(path, second, limit), second, frozen_at=limit)
        if profile.records is not None:
            is_high = stock.token == setting.affected[0]
            second = second_of(profile.records[0 if is_high else 1])
            bent, record = _to_record(stock, path, second, grid, is_high=is_high)
            name = "week_52_high" if is_high else "week_52_low"
            return Scene(bent, second, at_ask=is_high, constants=((name, record),))
    return Scene(path, setting.resumes)


def _to_limit(path: FloatArray, second: int, limit: int) -> FloatArray:
    """Return the path led to a limit of its band, which it reaches in ``second``."""
    x = (np.arange(len(path)) - (second - _CIRCUIT_APPROACH_S)) / _CIRCUIT_APPROACH_S
    weight = np.clip(x, 0, 1) ** 2
    bent: FloatArray = path * (1 - weight) + limit * weight
    return bent


def _to_record(
    stock: Stock, path: FloatArray, second: int, grid: Grid, *, is_high: bool
) -> tuple[FloatArray, int]:
    """Return the path led beyond a record in ``second``, not before; and the record."""
    side = 1 if is_high else -1
    # Mirrored for a low, so that the record is always above.
    before = path[:second] if is_high else 2 * stock.prev_close - path[:second]
    level = float(max(before.max(), stock.prev_close)) * 1.004
    record = grid.tick * int(np.ceil(level / grid.tick))
    x = (np.arange(second) - (second - _RECORD_APPROACH_S)) / _RECORD_APPROACH_S
    weight = np.clip(x, 0, 1) ** 2
    led = before * (1 - weight) + record * _NEAR_RECORD * weight
    led = np.minimum(led, record * _NEAR_RECORD)
    if not is_high:
        led = 2 * stock.prev_close - led
        record = 2 * stock.prev_close - record
    beyond = record * (1 + side * (_BEYOND_RECORD - 1))
    return np.concatenate([led, path[second:] * (beyond / path[second])]), record


def freeze(session: Figures, at: int, limit: int, *, is_up: bool) -> None:
    """Let the session stand at the limit of its band from row ``at`` on: one side has no orders."""
    quoted, empty = ("bid", "ask") if is_up else ("ask", "bid")
    session["ltp"][at:] = limit
    session[f"{quoted}_price"][at:] = limit
    session[f"{quoted}_qty"][at:] *= 40  # all who want to trade wait at the one price left
    session[f"{empty}_price"][at:] = 0
    session[f"{empty}_qty"][at:] = 0
    total = session["total_sell_qty" if is_up else "total_buy_qty"]
    total[at:] = UNTOLD
    total[at] = 0


def with_call(
    stock: Stock, setting: Setting, grid: Grid, ms: Int64Array, session: Figures
) -> tuple[Int64Array, Figures]:
    """Return a session's rows with the book of the call that ends a halt."""
    resumes = setting.resumes
    if resumes is None:
        return ms, session
    end = (OPEN_S + resumes) * 1_000
    split = int(np.searchsorted(ms, end))
    middle = int(session["ltp"][max(split - 1, 0)])
    book_ms, book = _book(stock, setting, grid, (end - 420_000, end - 60_000), middle, session)
    book["volume"][:] = session["volume"][max(split - 1, 0)]
    return _spliced(split, ms, session, book_ms, book)


def with_auction(
    stock: Stock, setting: Setting, grid: Grid, hours: Hours, reference: float,
    day_volume: float, ms: Int64Array, session: Figures,
) -> tuple[Int64Array, Figures]:  # fmt: skip
    """Return a session's rows with the book of the closing auction and its one trade."""
    assert hours.auction is not None
    rng = setting.generator(stock.token, _BOOK, 1)
    start, end = (seconds * 1_000 for seconds in hours.auction)
    step = float(np.clip(rng.normal(0, 0.0015), -_AUCTION_BAND, _AUCTION_BAND))
    equilibrium = grid.nearest(reference * (1 + step))
    last = len(ms) - 1
    # Order entry ends at random within the last two minutes.
    closes = end - int(rng.integers(0, 120_000))
    book_ms, book = _book(stock, setting, grid, (start, closes), equilibrium, session)
    book["ltp"][:] = session["ltp"][last]
    book["volume"][:] = session["volume"][last]
    ms, session = _spliced(len(ms), ms, session, book_ms, book)
    traded = max(1, round(day_volume * _AUCTION_VOLUME * float(rng.lognormal(0, 0.4))))
    trade = {name: np.zeros(1, dtype=np.int64) for name in session}
    trade["ltp"][0] = equilibrium
    trade["ltq"][0] = max(1, round(traded * 0.02))
    trade["volume"][0] = session["volume"][-1] + traded
    trade_ms = np.array([end + int(rng.integers(2_000, 40_000))])
    return _spliced(len(ms), ms, session, trade_ms, trade)


def _book(
    stock: Stock, setting: Setting, grid: Grid, window: tuple[int, int], middle: int,
    session: Figures,
) -> tuple[Int64Array, Figures]:  # fmt: skip
    """Return rows in which only the book changes; their price and volume stand as before."""
    rng = setting.generator(stock.token, _BOOK)
    ms = np.cumsum(rng.integers(4_000, 12_000, 400)) + window[0]
    ms = ms[ms < window[1]]
    rows = len(ms)
    quantity = max(1.0, stock.volume / 5_000)
    away = 0.002 * (1 - np.arange(rows) / max(rows, 1))

    def quotes(side: int) -> Int64Array:
        prices = middle * (1 + side * away * rng.uniform(0.2, 1.0, rows))
        return np.array([grid.nearest(price) for price in prices.tolist()], dtype=np.int64)

    bids = np.minimum(quotes(-1), grid.highest - grid.tick)
    book = {name: np.full(rows, UNTOLD, dtype=np.int64) for name in session}
    book["ltp"] = np.full(rows, middle, dtype=np.int64)
    book["volume"] = np.zeros(rows, dtype=np.int64)
    book["bid_price"], book["ask_price"] = bids, np.maximum(quotes(1), bids + grid.tick)
    for side in ("bid", "ask"):
        book[f"{side}_qty"] = np.ceil(quantity * rng.lognormal(0, 1.0, rows)).astype(np.int64)
    return ms, book


def _spliced(
    at: int, ms: Int64Array, session: Figures, more_ms: Int64Array, more: Figures
) -> tuple[Int64Array, Figures]:
    """Return the session with more rows before row ``at``."""
    joined = {
        name: np.concatenate([values[:at], more[name], values[at:]])
        for name, values in session.items()
    }
    return np.concatenate([ms[:at], more_ms, ms[at:]]), joined
