from __future__ import annotations

from datetime import date
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from simulator.columns import UNTOLD, Batch, Int64Array
from simulator.market import FIGURES, PROFILES, MarketDay, Profile, synthesise
from simulator.universe import INDICES, Index, Stock, nifty_50
from streamer.errors import ConfigError
from streamer.instruments import Instrument, tick_size
from tests.simulator.market_facts import SECONDS, Facts, measure, misses
from tests.simulator.parquet_files import DAY, at

STOCKS = nifty_50()
OPEN, CLOSE = at("09:15"), at("15:30")
WILD = msgspec.structs.replace(
    PROFILES["normal"], name="wild", stock_volatility=0.3, gap=0.2, stock_gap=0.2
)


def day_of(
    seed: int,
    stocks: tuple[Stock, ...] = STOCKS,
    index_stocks: tuple[Stock, ...] = STOCKS,
    profile: Profile = PROFILES["normal"],
    day: date = DAY,
) -> MarketDay:
    """A synthetic day."""
    return synthesise(day, stocks=stocks, index_stocks=index_stocks, seed=seed, profile=profile)


@pytest.fixture(scope="module")
def made() -> MarketDay:
    """One day for the tests that look at rows."""
    return day_of(1)


Tapes = dict[Stock | Index, Batch]


def tapes(made: MarketDay) -> Tapes:
    """Each instrument's rows."""
    order = np.argsort(made.rows.instrument, kind="stable")
    by_instrument = made.rows.rows(order)
    counts = np.bincount(by_instrument.instrument, minlength=len(made.instruments))
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    return {
        instrument: by_instrument.rows(slice(start, end))
        for instrument, start, end in zip(made.instruments, starts, ends, strict=True)
    }


@pytest.fixture(scope="module")
def made_tapes(made: MarketDay) -> Tapes:
    """Its rows by instrument."""
    return tapes(made)


def facts(made: MarketDay) -> Facts:
    """The day measured: its stocks, and the NIFTY 50 behind them."""
    return measure(made.rows, OPEN, len(made.instruments) - len(INDICES))


def tick_of(stock: Stock) -> int:
    """The stock's step of the day."""
    return tick_size(Instrument(1, stock.token, stock.symbol, "NSE", "EQ"), DAY, stock.prev_close)


def held(values: Int64Array) -> Int64Array:
    """Each value where it is told, else the last told one; 0 before."""
    told = np.maximum.accumulate(np.where(values != UNTOLD, np.arange(len(values)), -1))
    return np.where(told >= 0, values[told], 0)


def test_a_day_looks_like_a_real_one(made: MarketDay) -> None:
    """Every figure lies where those of real days lie."""
    assert misses(facts(made)) == {}


def test_the_measure_tells_a_walk_from_a_market() -> None:
    """Plain geometric Brownian motion with even volume does not pass for a real day."""
    rng = np.random.default_rng(1)
    count = 20
    number = np.tile(np.arange(count + 1, dtype=np.int32), SECONDS)
    ts = np.repeat(OPEN + np.arange(SECONDS, dtype=np.int64) * 10**9, count + 1)
    walks = np.cumsum(rng.normal(0, 1e-4, (SECONDS, count + 1)), axis=0)
    ltp = np.rint(140_000 * np.exp(walks)).astype(np.int64).ravel()
    volume = np.repeat(np.arange(1, SECONDS + 1, dtype=np.int64) * 300, count + 1)
    missed = misses(measure(Batch(ts, number, {"ltp": ltp, "volume": volume}), OPEN, count))
    assert {"kurtosis", "absolute_1", "pairwise", "absolute_return", "volume"} <= missed.keys()


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
    few = day_of(1, stocks=(STOCKS[36], STOCKS[3]))
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
    few = STOCKS[:5]
    last = [
        day_of(seed, few[:1], few, day=day).rows.figures["ltp"][-1]
        for seed, day in ((1, DAY), (2, DAY), (1, date(2025, 9, 5)))
    ]
    assert all(a != b for a, b in pairwise([*last, last[0]]))


@pytest.mark.parametrize("day", [date(2025, 9, 6), date(2025, 10, 2), date(2025, 10, 21)])
def test_only_ordinary_sessions_are_made(day: date) -> None:
    """A weekend, a holiday or a Muhurat has no session from 09:15 to 15:30."""
    with pytest.raises(ConfigError, match=f"{day} has .* from 09:15 to 15:30 IST expected"):
        day_of(1, STOCKS[:1], day=day)
