from __future__ import annotations

from datetime import date
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from simulator.columns import UNTOLD, Batch
from simulator.market import FIGURES, PROFILES, Market, MarketDay, Profile
from simulator.universe import INDICES, Index, Stock, largest
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.instruments import Instrument, tick_size
from tests.simulator.market_days import (
    SEEDS,
    STOCKS,
    Tapes,
    day_of,
    held,
    outside,
    series_of,
    tapes,
    values_of,
)
from tests.simulator.parquet_files import DAY, at

OPEN, CLOSE = at("09:15"), at("15:30")
WILD = msgspec.structs.replace(
    PROFILES["normal"], name="wild", stock_volatility=0.3, gap=0.2, stock_gap=0.2
)


@pytest.fixture(scope="module")
def made() -> MarketDay:
    """One day for the tests that look at rows."""
    return day_of(1)


@pytest.fixture(scope="module")
def made_tapes(made: MarketDay) -> Tapes:
    """Its rows by instrument."""
    return tapes(made)


def tick_of(stock: Stock) -> int:
    """The stock's step of the day."""
    return tick_size(Instrument(1, stock.token, stock.symbol, "NSE", "EQ"), DAY, stock.prev_close)


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_day_looks_like_a_real_one(seed: int) -> None:
    """Every figure lies where those of real days lie; ODIN_SEEDS says for how many seeds."""
    stocks, index = series_of(day_of(seed))
    assert outside(values_of(stocks, index), len(stocks)) == {}


@pytest.mark.parametrize("profile", [PROFILES["normal"], WILD], ids=lambda profile: profile.name)
def test_every_row_is_possible(profile: Profile) -> None:
    """Prices are on the grid and in the band, quotes uncrossed, volume rises with the trades."""
    made = day_of(5, profile=profile)
    assert (np.diff(made.rows.ts) >= 0).all()
    by_instrument = tapes(made)
    for stock in STOCKS:
        rows = by_instrument[stock]
        figures = rows.figures
        tick = tick_of(stock)
        ltp, volume = figures["ltp"], figures["volume"]
        bid, ask = held(figures["bid_price"]), held(figures["ask_price"])
        for prices in (ltp, bid, ask):
            assert (prices % tick == 0).all()
        limits = stock.prev_close * 0.9, stock.prev_close * 1.1
        assert ((ltp >= limits[0]) & (ltp <= limits[1])).all()
        assert ((bid < ask) | (ask == 0)).all()
        assert ((held(figures["bid_qty"]) > 0) == (bid > 0)).all()
        steps = np.diff(volume)
        assert (steps >= 0).all()
        ltq = held(figures["ltq"])[1:]
        assert (ltq[steps > 0] <= steps[steps > 0]).all()
        assert (ltq[steps > 0] > 0).all()
        # A price changes by a trade, or is indicative.
        changed = np.diff(ltp) != 0
        official = rows.ts[1:] >= CLOSE
        assert ((steps > 0) | ~changed | (volume[1:] == 0) | official).all()


def test_the_day_has_its_phases(made_tapes: Tapes) -> None:
    """Indication, the equilibrium of 09:08, session, official close and post-close follow."""
    for stock in STOCKS:
        rows = made_tapes[stock]
        ltp, volume = rows.figures["ltp"], rows.figures["volume"]

        def of(start: str, end: str, rows: Batch = rows) -> slice:
            return slice(*np.searchsorted(rows.ts, (at(start), at(end))).tolist())

        assert (volume[of("09:00", "09:08")] == 0).all()
        assert len(ltp[of("09:00", "09:08")]) > 20
        (opening,) = ltp[of("09:08", "09:09")].tolist()
        assert volume[of("09:08", "09:09")][0] > 0
        assert len(ltp[of("09:09", "09:15")]) == 0
        assert rows.ts[of("09:15", "15:30")][0] < OPEN + 10**9
        assert abs(ltp[of("09:15", "15:30")][0] - opening) < opening * 0.02
        assert len(ltp[of("15:30", "15:31")]) == 0
        (close,) = ltp[of("15:31", "15:32")].tolist()
        last = ltp[of("15:00", "15:30")]
        assert last.min() <= close <= last.max()
        assert len(ltp[of("15:32", "15:40")]) == 0
        post_close = of("15:40", "16:00")
        assert set(ltp[post_close].tolist()) == {close}
        assert (np.diff(volume[post_close]) > 0).all()
        assert (rows.ts < at("16:00")).all()
        pre_open_share = volume[of("09:08", "09:09")][0] / volume[-1]
        assert 0.004 < pre_open_share < 0.012


def test_the_opening_minutes_are_busy(made: MarketDay) -> None:
    """The first minute brings far more updates than one at noon."""

    def updates(start: str, end: str) -> int:
        left, right = np.searchsorted(made.rows.ts, (at(start), at(end)))
        return int(right - left)

    assert updates("09:15", "09:16") > 1.3 * updates("12:00", "12:01")


def test_day_constants_are_told_in_the_first_row(made_tapes: Tapes) -> None:
    """Each instrument's first row tells its previous close and its 52-week range."""
    for instrument, rows in made_tapes.items():
        figures = rows.figures
        for name in ("prev_close", "week_52_high", "week_52_low"):
            assert figures[name][0] == getattr(instrument, name)
            assert (figures[name][1:] == UNTOLD).all()


@pytest.mark.parametrize("index", INDICES, ids=lambda index: index.symbol)
def test_an_index_is_the_sum_of_its_members(made_tapes: Tapes, index: Index) -> None:
    """An index stands where its members' last prices of the second before put it."""
    rows = made_tapes[index]
    members = [stock for stock in STOCKS if getattr(stock, index.weight)]
    weights = np.array([getattr(stock, index.weight) for stock in members])
    for moment in (at("10:00"), at("13:37"), at("15:29:59")):
        left = int(np.searchsorted(rows.ts, moment))
        second = int(rows.ts[left]) // 10**9 * 10**9
        ratios = []
        for stock in members:
            own = made_tapes[stock]
            last = int(np.searchsorted(own.ts, second)) - 1
            ratios.append(own.figures["ltp"][last] / stock.prev_close)
        level = index.prev_close * float(weights @ np.array(ratios)) / float(weights.sum())
        assert abs(int(rows.figures["ltp"][left]) - level) <= index.step
    assert (rows.figures["ltp"] % index.step == 0).all()
    assert set(rows.figures["volume"].tolist()) == {0}


def test_a_tape_does_not_depend_on_the_others(made_tapes: Tapes) -> None:
    """A symbol's rows, and the indices, are the same whichever others are made."""
    few = day_of(1, (STOCKS[36], STOCKS[3]))
    assert [i.symbol for i in few.instruments] == [
        STOCKS[36].symbol,
        STOCKS[3].symbol,
        "NIFTY 50",
        "NIFTY BANK",
    ]
    for instrument, one in tapes(few).items():
        other = made_tapes[instrument]
        assert one.ts.tolist() == other.ts.tolist()
        for name in FIGURES:
            assert (one.figures[name] == other.figures[name]).all()


def test_seeds_and_days_differ() -> None:
    """Another seed is another day, and so is another date."""
    last = [
        day_of(seed, STOCKS[:1], day=day).rows.figures["ltp"][-1]
        for seed, day in ((1, DAY), (2, DAY), (1, date(2025, 9, 5)))
    ]
    assert all(a != b for a, b in pairwise([*last, last[0]]))


@pytest.mark.parametrize("day", [date(2025, 9, 6), date(2025, 10, 2), date(2025, 10, 21)])
def test_only_ordinary_sessions_are_made(day: date) -> None:
    """A weekend, a holiday or a Muhurat has no session from 09:15 to 15:30."""
    with pytest.raises(ConfigError, match=f"{day} has .* from 09:15 to 15:30 IST expected"):
        day_of(1, STOCKS[:1], day=day)


def test_a_made_up_stock_does_not_depend_on_the_others() -> None:
    """Its tape is the same in any universe that has it, and so is the stock."""
    calendar = TradingCalendar.bundled()
    market = Market(DAY, 4)
    market.check(calendar)
    many, few = largest(700), largest(60)
    assert many[:60] == few
    alone = dict(market.tapes([many[55]]))[many[55]]
    together = dict(market.tapes(many[52:58]))[many[55]]
    assert (alone.ms == together.ms).all()
    assert all((alone.figures[name] == together.figures[name]).all() for name in FIGURES)


@pytest.mark.parametrize("rank", [51, 120, 400, 900, 1_900, 2_400, 4_999])
def test_stocks_of_every_liquidity_are_possible(rank: int) -> None:
    """However little a stock trades: on the grid, in its band, uncrossed; volume rises."""
    stock = largest(rank)[-1]
    ((_, tape),) = Market(DAY, 2).tapes([stock])
    ltp, volume = tape.figures["ltp"], tape.figures["volume"]
    bid, ask = held(tape.figures["bid_price"]), held(tape.figures["ask_price"])
    tick = tick_of(stock)
    assert (np.diff(tape.ms) >= 0).all()
    assert (np.diff(volume) >= 0).all()
    for prices in (ltp, bid, ask):
        assert (prices % tick == 0).all()
    assert (abs(ltp - stock.prev_close) <= stock.prev_close * stock.band).all()
    assert ((bid < ask) | (ask == 0)).all()


def test_the_less_is_traded_the_fewer_are_the_updates() -> None:
    """3,000 stocks make about 200 updates a second, by their classes."""
    ranks = [60, 150, 400, 800, 1_500, 2_500]
    stocks = largest(3_000)
    counts = [len(tape.ms) for _, tape in Market(DAY, 1).tapes([stocks[r - 1] for r in ranks])]
    assert counts == sorted(counts, reverse=True)
    sizes = [50, 150, 250, 500, 1_000, 1_000]
    total = sum(count * size for count, size in zip(counts, sizes, strict=True))
    assert 2_000_000 < total < 7_000_000


def test_affected_stocks_are_drawn_by_the_seed() -> None:
    """Which stocks a profile's event happens to depends on seed and day, and they differ."""
    drawn = {Market(DAY, seed, PROFILES["record"]).affected_stocks() for seed in range(20)}
    assert len(drawn) > 15
    assert all(len(set(pair)) == 2 for pair in drawn)
    assert Market(DAY, 1).affected_stocks() == ()
