from __future__ import annotations

import msgspec
import numpy as np
import pytest

from simulator.profiles import PROFILES, Halt, Profile
from simulator.setting import Grid, Setting, grid_of
from simulator.timetables import SECONDS, timetable_of
from simulator.universe import Stock, largest
from tests.simulator.parquet_files import DAY


def setting_of(profile: Profile) -> Setting:
    """A setting in which nothing moves."""
    nothing = np.zeros(SECONDS)
    trading = np.ones(SECONDS, dtype=np.bool_)
    return Setting(DAY, 1, profile, timetable_of(DAY), nothing, nothing, 0.0, nothing, trading, ())


@pytest.mark.parametrize("stock", largest(60)[::7], ids=lambda stock: stock.symbol)
def test_the_grid_fills_the_band(stock: Stock) -> None:
    """The lowest and the highest price are multiples of the tick, and the last in the band."""
    grid = grid_of(stock, setting_of(PROFILES["normal"]))
    assert grid.lowest % grid.tick == grid.highest % grid.tick == 0
    least, most = stock.prev_close * (1 - stock.band), stock.prev_close * (1 + stock.band)
    assert grid.lowest - grid.tick < least <= grid.lowest + 1e-6
    assert grid.highest - 1e-6 <= most < grid.highest + grid.tick + 1e-6


def test_ranges_give_way_in_a_halt() -> None:
    """A market that falls by a fifth is not stopped by its stocks' bands."""
    stock = largest(1)[0]
    grid = grid_of(stock, setting_of(PROFILES["halt"]))
    assert grid.lowest < stock.prev_close * 0.6


def test_a_price_is_put_on_the_grid() -> None:
    """Rounded to the tick, and kept within the band."""
    grid = Grid(5, 100, 200)
    assert [grid.nearest(price) for price in (102.4, 102.6, 40, 1_000)] == [100, 105, 100, 200]
    assert grid.inside(np.array([90.0, 150.0, 300.0]), 2).tolist() == [110, 150, 190]


def test_a_halt_may_be_the_end() -> None:
    """Whether the market opens again is the halt's to say."""
    assert setting_of(PROFILES["normal"]).resumes is None
    assert not setting_of(PROFILES["normal"]).is_over
    assert setting_of(PROFILES["halt"]).resumes == 170 * 60
    last = msgspec.structs.replace(PROFILES["halt"], halt=Halt(20, "10:00"))
    assert setting_of(last).resumes is None
    assert setting_of(last).is_over
