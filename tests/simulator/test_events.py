from __future__ import annotations

import numpy as np
import pytest

from simulator.columns import UNTOLD
from simulator.events import freeze, scene_of, with_call
from simulator.profiles import PROFILES
from simulator.setting import grid_of
from simulator.timetables import SECONDS
from simulator.universe import nifty_50
from tests.simulator.test_setting import setting_of

STOCK = nifty_50()[0]
PATH = np.full(SECONDS, float(STOCK.prev_close))


def test_on_an_ordinary_day_nothing_happens() -> None:
    """The path is left as it is."""
    setting = setting_of(PROFILES["normal"])
    scene = scene_of(STOCK, setting, grid_of(STOCK, setting), PATH)
    assert scene.path is PATH
    assert scene[1:] == (None, None, None, ())


def test_an_event_happens_to_the_affected_alone() -> None:
    """Another stock of the same day goes its way."""
    setting = setting_of(PROFILES["circuit"])._replace(affected=(STOCK.token + 1,))
    assert scene_of(STOCK, setting, grid_of(STOCK, setting), PATH).path is PATH


def test_a_circuit_is_reached_in_time() -> None:
    """The path comes to the last price in the band in the second of the event, not before."""
    setting = setting_of(PROFILES["circuit"])._replace(affected=(STOCK.token,))
    grid = grid_of(STOCK, setting)
    scene = scene_of(STOCK, setting, grid, PATH)
    assert scene.frozen_at in (grid.lowest, grid.highest)
    assert scene.trade_at == 105 * 60
    assert scene.path[scene.trade_at] == pytest.approx(scene.frozen_at)
    assert abs(scene.path[scene.trade_at - 60] - scene.frozen_at) > STOCK.prev_close * 0.001


@pytest.mark.parametrize("is_high", [True, False])
def test_a_record_is_broken_in_time(is_high: bool) -> None:
    """Before its second the path stays on this side of the record, in it it is beyond."""
    affected = (STOCK.token, 0) if is_high else (0, STOCK.token)
    setting = setting_of(PROFILES["record"])._replace(affected=affected)
    scene = scene_of(STOCK, setting, grid_of(STOCK, setting), PATH)
    ((name, level),) = scene.constants
    assert name == ("week_52_high" if is_high else "week_52_low")
    assert scene.at_ask == is_high
    assert scene.trade_at is not None
    side = 1 if is_high else -1
    assert (side * (scene.path[: scene.trade_at] - level) < 0).all()
    assert side * (scene.path[scene.trade_at] - level) > 0


@pytest.mark.parametrize("is_up", [True, False])
def test_a_frozen_book_has_one_side(is_up: bool) -> None:
    """From the row on, one price and one side; before it nothing changes."""
    names = ("ltp", "bid_price", "bid_qty", "ask_price", "ask_qty")
    session = {name: np.full(4, 7, dtype=np.int64) for name in names}
    session |= {name: np.full(4, 9, dtype=np.int64) for name in ("total_buy_qty", "total_sell_qty")}
    freeze(session, 2, 100, is_up=is_up)
    quoted, empty = ("bid", "ask") if is_up else ("ask", "bid")
    assert session["ltp"].tolist() == session[f"{quoted}_price"].tolist() == [7, 7, 100, 100]
    assert session[f"{empty}_price"].tolist() == session[f"{empty}_qty"].tolist() == [7, 7, 0, 0]
    gone = session["total_sell_qty" if is_up else "total_buy_qty"]
    assert gone.tolist() == [9, 9, 0, UNTOLD]


def test_without_a_halt_there_is_no_call() -> None:
    """The session is given back as it came."""
    setting = setting_of(PROFILES["normal"])
    ms = np.array([1], dtype=np.int64)
    session = {"ltp": ms}
    assert with_call(STOCK, setting, grid_of(STOCK, setting), ms, session) == (ms, session)
