from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec
import numpy as np
import pytest

from simulator.columns import Batch
from simulator.facts import Series
from simulator.market import Market, MarketDay
from simulator.profiles import HALT_MINUTES, PROFILES, Halt
from simulator.universe import NIFTY_50, Index, Stock, nifty_50
from streamer.errors import ConfigError
from tests.simulator.market_days import (
    SEEDS,
    Tapes,
    between,
    day_of,
    held,
    outside,
    series_of,
    tapes,
    values_of,
)
from tests.simulator.parquet_files import DAY, at

STOCKS = nifty_50()
BY_SYMBOL = {stock.symbol: stock for stock in STOCKS}


def session(rows: Batch) -> Batch:
    """The rows of the session."""
    return between(rows, at("09:15"), at("15:30"))


def affected(seed: int, profile: str) -> tuple[Stock, ...]:
    """The stocks that the profile's event happens to."""
    return Market(DAY, seed, PROFILES[profile]).affected_stocks()


@cache
def ordinary(seed: int) -> Tapes:
    """An ordinary day to compare with."""
    return tapes(day_of(seed))


def volume_of(by_instrument: Tapes, start: str, end: str) -> int:
    """Shares of all stocks in a part of the day."""
    total = 0
    for stock in STOCKS:
        volume = between(by_instrument[stock], at(start), at(end)).figures["volume"]
        total += int(volume[-1] - volume[0])
    return total


def normal(made: MarketDay, seed: int) -> None:
    """Like a real day."""
    stocks, index = series_of(made)
    assert outside(values_of(stocks, index), len(stocks)) == {}


def quiet(made: MarketDay, seed: int) -> None:
    """A narrow range, few shares."""
    by_instrument = tapes(made)
    levels = session(by_instrument[NIFTY_50]).figures["ltp"]
    assert levels.max() / levels.min() < 1.015
    share = volume_of(by_instrument, "09:15", "15:30") / volume_of(ordinary(seed), "09:15", "15:30")
    assert share == pytest.approx(0.6, abs=0.01)


def volatile(made: MarketDay, seed: int) -> None:
    """A wide day, many shares."""
    by_instrument = tapes(made)
    _, index = series_of(made)
    minutes = index.ltp[np.searchsorted(index.seconds, np.arange(1, 376) * 60.0) - 1]
    assert np.sqrt(np.sum(np.diff(np.log(minutes)) ** 2)) > 0.01
    share = volume_of(by_instrument, "09:15", "15:30") / volume_of(ordinary(seed), "09:15", "15:30")
    assert share == pytest.approx(1.8, abs=0.02)


def gap(made: MarketDay, seed: int) -> None:
    """Far from the previous close at once."""
    opening = int(session(tapes(made)[NIFTY_50]).figures["ltp"][0])
    assert abs(opening / NIFTY_50.prev_close - 1) > 0.015


def circuit(made: MarketDay, seed: int) -> None:
    """One side of the book, one price, no volume."""
    (stock,) = affected(seed, "circuit")
    rows = tapes(made)[stock]
    begin = int(np.searchsorted(rows.ts, at("11:00")))
    assert rows.ts[begin] < at("11:00:01")
    end = int(np.searchsorted(rows.ts, at("15:30")))
    frozen = slice(begin, end)
    ltp, volume = rows.figures["ltp"][frozen], rows.figures["volume"][frozen]
    assert end - begin > 5_000
    assert len(set(ltp.tolist())) == len(set(volume.tolist())) == 1
    assert volume[0] > rows.figures["volume"][begin - 1]
    assert 0.095 < abs(ltp[0] / stock.prev_close - 1) < 0.1001
    is_up = ltp[0] > stock.prev_close
    quoted, empty = ("bid", "ask") if is_up else ("ask", "bid")
    assert (held(rows.figures[f"{quoted}_price"])[frozen] == ltp[0]).all()
    assert (held(rows.figures[f"{quoted}_qty"])[frozen] > 0).all()
    assert (held(rows.figures[f"{empty}_price"])[frozen] == 0).all()
    assert (held(rows.figures[f"{empty}_qty"])[frozen] == 0).all()
    total = held(rows.figures["total_sell_qty" if is_up else "total_buy_qty"])
    assert (total[frozen] == 0).all()
    # The official close is the price at which it stood.
    assert rows.figures["ltp"][-1] == ltp[0]


def halt(made: MarketDay, seed: int) -> None:
    """Down to the level, silence, a call, trading."""
    by_instrument = tapes(made)
    for instrument, rows in by_instrument.items():
        if isinstance(instrument, Index):
            assert len(between(rows, at("11:05:01"), at("12:05")).ts) == 0
            continue
        before = between(rows, at("11:00"), at("11:05")).figures
        halted = between(rows, at("11:05"), at("12:05"))
        assert set(halted.figures["volume"].tolist()) <= {int(before["volume"][-1])}
        assert set(halted.figures["ltp"].tolist()) <= {int(before["ltp"][-1])}
        # Orders are collected before trading resumes.
        assert len(between(rows, at("11:05"), at("11:50")).ts) == 0
        assert len(halted.ts) > 20
        assert len(between(rows, at("12:05"), at("12:05:01")).ts) > 0
        assert len(session(between(rows, at("12:06"), at("15:30"))).ts) > 3_000
    fallen = session(between(by_instrument[NIFTY_50], at("09:15"), at("12:00")))
    beyond = fallen.ts[fallen.figures["ltp"] <= NIFTY_50.prev_close * 0.9]
    assert len(beyond) > 0
    assert at("11:04:54") <= beyond[0] <= at("11:05:01")


def expiry(made: MarketDay, seed: int) -> None:
    """A crowded last half hour."""

    def share(by_instrument: Tapes) -> float:
        whole = volume_of(by_instrument, "09:15", "15:30")
        return volume_of(by_instrument, "15:00", "15:30") / whole

    assert share(tapes(made)) > 0.22 > 0.20 > share(ordinary(seed))


def record(made: MarketDay, seed: int) -> None:
    """Beyond each record in its second, not before."""
    by_instrument = tapes(made)
    for stock, name, clock, side in zip(
        affected(seed, "record"),
        ("week_52_high", "week_52_low"),
        ("10:30", "13:30"),
        (1, -1),
        strict=True,
    ):
        rows = by_instrument[stock]
        level = int(rows.figures[name][0])
        beyond = side * (rows.figures["ltp"] - level) > 0
        first = int(np.argmax(beyond))
        assert beyond.any()
        assert at(clock) <= rows.ts[first] < at(clock) + 10**9
        assert rows.figures["volume"][first] > rows.figures["volume"][first - 1]
        assert rows.figures["week_52_low"][0] < stock.prev_close < rows.figures["week_52_high"][0]


def split(made: MarketDay, seed: int) -> None:
    """A fifth of everything that was."""
    (stock,) = affected(seed, "split")
    figures = tapes(made)[stock].figures
    for name in ("prev_close", "week_52_high", "week_52_low"):
        assert figures[name][0] == round(getattr(stock, name) / 5)
    assert (abs(figures["ltp"] / stock.prev_close - 0.2) <= 0.02).all()


GUARANTEES: dict[str, Callable[[MarketDay, int], None]] = {
    check.__name__: check
    for check in (normal, quiet, volatile, gap, circuit, halt, expiry, record, split)
}


@pytest.mark.parametrize("seed", range(1, SEEDS // 2 + 1))
@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_keeps_what_it_guarantees(name: str, seed: int) -> None:
    """Each kind of day is what its catalogue entry says, whatever the seed."""
    GUARANTEES[name](day_of(seed, profile=name), seed)


def test_each_profile_is_described() -> None:
    """Name, one sentence, and a guarantee, for each."""
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert profile.summary.endswith(".")
        assert profile.guarantees.endswith(".")
    assert GUARANTEES.keys() == PROFILES.keys()


@pytest.mark.parametrize("name", ["circuit", "record", "split"])
def test_the_stocks_can_be_named(name: str) -> None:
    """An event happens to the stocks that are asked for, and to no others."""
    profile = PROFILES[name]
    chosen = tuple(STOCKS[7 : 7 + profile.affects])
    named = Market(DAY, 1, profile, affected=chosen)
    ordinary = Market(DAY, 1)
    for stock in (chosen[0], STOCKS[20]):
        ((_, one),) = named.tapes([stock])
        ((_, other),) = ordinary.tapes([stock])
        is_same = (
            len(one.ms) == len(other.ms) and (one.figures["ltp"] == other.figures["ltp"]).all()
        )
        assert is_same == (stock not in chosen)


@pytest.mark.parametrize(
    ("level", "at_time", "resumes"),
    [
        (10, "09:16", "10:16"),
        (10, "12:59", "13:59"),
        (10, "13:00", "13:30"),
        (10, "13:59", "14:29"),
        (10, "14:29", "14:59"),
        (15, "12:59", "14:59"),
        (15, "13:00", "14:00"),
        (15, "14:00", None),
        (20, "09:30", None),
        (20, "15:00", None),
    ],
)
def test_halts_are_as_long_as_the_table_says(level: int, at_time: str, resumes: str | None) -> None:
    """How long depends on the level and the time of day; a call of 15 minutes follows."""
    halt_of = Halt(level, at_time)
    halt_of.check()
    expected = None if resumes is None else (at(resumes) - at("09:15")) // 10**9
    assert halt_of.resumes == expected


@pytest.mark.parametrize(("level", "at_time"), [(10, "14:30"), (12, "11:00"), (15, "15:29")])
def test_halts_that_do_not_exist_are_refused(level: int, at_time: str) -> None:
    """No other level, and no halt at 10 % in the last hour."""
    with pytest.raises(ConfigError, match="halt at"):
        Halt(level, at_time).check()
    assert set(HALT_MINUTES) == {10, 15, 20}


def test_a_halt_can_end_the_day() -> None:
    """At 20 % nothing trades any more; the official close is the only row to come."""
    profile = msgspec.structs.replace(PROFILES["halt"], halt=Halt(20, "14:10"))
    made = day_of(3, profile=profile)
    for instrument, rows in tapes(made).items():
        after = rows.ts[rows.ts >= at("14:10:02")]
        assert len(after) == 1
        assert after[0] >= at("15:31")
        if instrument is NIFTY_50:
            assert rows.figures["ltp"].min() <= NIFTY_50.prev_close * 0.8


def test_a_series_of_the_helper_is_a_session() -> None:
    """What is measured here begins with the first second."""
    stocks, index = series_of(day_of(1, STOCKS[:1]))
    assert isinstance(index, Series)
    assert stocks[0].seconds[0] < 1
