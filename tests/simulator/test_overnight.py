from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from simulator.blocks import Blocks
from simulator.columns import Batch
from simulator.market import Market
from simulator.overnight import MAX_RATIO, Ending, Morning
from simulator.profiles import PROFILES
from simulator.universe import Index, Stock, largest, nifty_50
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.ist import ist_ns
from tests.simulator.parquet_files import DAY

NEXT_DAY = DAY + timedelta(days=1)
FEW = (*largest(5), *largest(52)[50:])

Told = dict[Stock | Index, Batch]


def made(folder: Path, market: Market, stocks: tuple[Stock, ...]) -> tuple[Told, Blocks]:
    """Each instrument's rows of a day, and the blocks that made them."""
    folder.mkdir()
    blocks = Blocks(market, stocks, folder)
    blocks.make()
    parts = list(blocks.rows())
    rows = Batch(
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.instrument for part in parts]),
        {name: np.concatenate([p.figures[name] for p in parts]) for name in parts[0].figures},
    )
    told = {
        instrument: rows.rows(rows.instrument == number)
        for number, instrument in enumerate(blocks.instruments)
    }
    return told, blocks


def two_days(folder: Path, profile: str = "normal") -> list[tuple[Market, Told, Morning]]:
    """Two days in a row: each with its rows, and the morning after it."""
    first = morning = Morning.first(FEW)
    days = []
    for day in (DAY, NEXT_DAY):
        market = morning.market(day, 5, PROFILES[profile])
        told, blocks = made(folder / str(day), market, morning.stocks)
        morning = morning.after(market, blocks.endings, first)
        days.append((market, told, morning))
    return days


@pytest.mark.parametrize("profile", ["normal", "circuit", "record"])
def test_the_market_goes_on_from_where_it_closed(tmp_path: Path, profile: str) -> None:
    """The previous close that a day tells is the official close of the day before, each one's."""
    (_, first, _), (_, second, _) = two_days(tmp_path, profile)
    closes = {one.symbol: int(rows.figures["ltp"][-1]) for one, rows in first.items()}
    told = {one.symbol: int(rows.figures["prev_close"][0]) for one, rows in second.items()}
    assert told == closes
    assert len(told) == len(FEW) + 2
    levels = {one.symbol: one.prev_close for one in FEW}
    assert all(closes[symbol] != level for symbol, level in levels.items())


def test_the_first_day_is_the_one_that_is_made_alone() -> None:
    """With the same seed, date and universe; what happens to single stocks too."""
    for profile in PROFILES.values():
        plan = Morning.first(nifty_50()).market(DAY, 5, profile)
        alone = Market(DAY, 5, profile)
        assert msgspec.structs.replace(plan, affected=None) == alone
        assert plan.affected_stocks() == alone.affected_stocks()


def test_a_record_of_one_day_is_the_range_of_the_next(tmp_path: Path) -> None:
    """The 52-week range is widened by what was traded, and by nothing else."""
    (market, first, _), (next_market, second, _) = two_days(tmp_path, "record")
    bent = {stock.symbol for stock in next_market.affected_stocks()}
    high, low = (stock.symbol for stock in market.affected_stocks())
    after = {one.symbol: rows.figures for one, rows in second.items()}
    opening = ist_ns(DAY, "09:15")
    for one, rows in first.items():
        traded = rows.figures["ltp"][(rows.ts >= opening) | (rows.figures["volume"] > 0)]
        told = [int(rows.figures[name][0]) for name in ("week_52_high", "week_52_low")]
        wider = [max(told[0], int(traded.max())), min(told[1], int(traded.min()))]
        assert (wider[0] > told[0]) == (one.symbol == high)
        assert (wider[1] < told[1]) == (one.symbol == low)
        if one.symbol not in bent:
            told = [int(after[one.symbol][n][0]) for n in ("week_52_high", "week_52_low")]
            assert told == wider


def test_a_split_stays(tmp_path: Path) -> None:
    """The day after, there are five times as many shares, and the range is a fifth."""
    first = Morning.first(FEW)
    market = first.market(DAY, 5, PROFILES["split"])
    _, blocks = made(tmp_path / "day", market, FEW)
    (split,) = market.affected_stocks()
    stocks = first.after(market, blocks.endings, first).stocks
    (after,) = [stock for stock in stocks if stock.token == split.token]
    assert after.volume == 5 * split.volume
    assert after.week_52_high == pytest.approx(split.week_52_high / 5, abs=1)
    assert after.prev_close == pytest.approx(split.prev_close / 5, rel=0.2)


def test_what_happens_to_stocks_happens_to_told_ones() -> None:
    """To members of the indices if some are told, else to any; too few are refused."""
    days = [DAY + timedelta(days=n) for n in range(8)]
    morning = Morning.first(FEW)
    members = set(nifty_50())
    plans = [morning.market(day, 5, PROFILES["record"]) for day in days]
    drawn = {stock for plan in plans for stock in plan.affected_stocks()}
    assert drawn <= set(FEW) & members
    assert len(drawn) > 2
    others = FEW[5:]
    plan = Morning.first(others).market(DAY, 5, PROFILES["record"])
    assert set(plan.affected_stocks()) == set(others)
    with pytest.raises(ConfigError, match="1 affected stocks found; profile record has 2"):
        Morning.first(FEW[:1]).market(DAY, 5, PROFILES["record"]).check(TradingCalendar.bundled())


@pytest.mark.parametrize("ratio", [1 / MAX_RATIO, MAX_RATIO])
def test_levels_that_wander_off_begin_anew(ratio: float) -> None:
    """At the bound they still go on, beyond it they are those of the first day."""
    first = Morning.first(FEW)
    market = first.market(date(2025, 9, 4), 5, PROFILES["normal"])
    everyone: tuple[Stock | Index, ...] = (*first.stocks, *first.members, *first.indices)

    def after(factor: float) -> Morning:
        endings = {}
        for one in everyone:
            close = round(one.prev_close * factor)
            endings[one.token] = Ending(close, max(one.week_52_high, close), 1)
        return first.after(market, endings, first)

    just_inside = ratio * (1.01 if ratio < 1 else 0.99)
    inside = after(just_inside)
    assert [s.prev_close for s in inside.stocks] == [round(s.prev_close * just_inside) for s in FEW]
    assert all(stock.week_52_low == 1 for stock in inside.stocks)
    assert after(ratio * (0.99 if ratio < 1 else 1.01)) == first
