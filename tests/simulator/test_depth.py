from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from simulator.depth import made_up_levels, made_up_orders
from streamer.odin.messages import Level, Touchline
from tests.simulator.parquet_files import at

MADE = """
from simulator.depth import made_up_levels
from tests.simulator.test_depth import touchline
print(made_up_levels(touchline(bid=137250, ask=137260), 10))
"""


def touchline(
    *, bid: int, ask: int, bid_qty: int = 100, ask_qty: int = 40, total: int = 0, ms: int = 0
) -> Touchline:
    """A touchline with this best bid and ask."""
    ts = at("10:00", ms=ms)
    return Touchline(
        segment=1,
        token=2885,
        ltp=137260,
        ltq=1,
        volume=1,
        atp=137260,
        bid_qty=bid_qty,
        bid=bid,
        ask_qty=ask_qty,
        ask=ask,
        total_buy=total,
        total_sell=total,
        open=0,
        high=0,
        low=0,
        close=0,
        ltt=ts,
        lut=ts,
    )


def total(side: tuple[Level, ...]) -> int:
    """All quantities of a side."""
    return sum(level.quantity for level in side)


@given(
    bid=st.integers(1, 10**9),
    spread=st.integers(0, 100),
    quantity=st.integers(1, 10**9),
    tick=st.sampled_from([1, 5, 10, 50, 500]),
    all_orders=st.integers(0, 10**9),
)
def test_levels_are_a_plausible_book(
    bid: int, spread: int, quantity: int, tick: int, all_orders: int
) -> None:
    """Best first, prices outward on the grid of the best, quantities within what is told."""
    t = touchline(bid=bid, ask=bid + spread, bid_qty=quantity, ask_qty=quantity, total=all_orders)
    for best, side, outward in zip((t.bid, t.ask), made_up_levels(t, tick), (-1, 1), strict=True):
        assert len(side) == 5
        assert (side[0].price, side[0].quantity) == (best, quantity)
        filled = [level for level in side if level.price]
        assert side[len(filled) :] == (Level(),) * (5 - len(filled))
        steps = [b.price - a.price for a, b in pairwise(filled)]
        assert all(step * outward in (tick, 2 * tick, 3 * tick) for step in steps)
        assert all(level.price > 0 and level.quantity > 0 for level in filled)
        assert all(1 <= level.orders <= min(24, level.quantity) for level in filled)
        if all_orders:
            assert total(side) <= max(all_orders, quantity)


def test_an_unknown_side_is_empty() -> None:
    """Where the best price is not known, nothing is invented: a circuit has no other side."""
    buys, sells = made_up_levels(touchline(bid=137250, ask=0, ask_qty=0), 10)
    assert total(buys) > 100
    assert sells == (Level(),) * 5


def test_levels_stand_for_a_second() -> None:
    """The levels of one second are alike, those of the next differ."""
    now, later, next_second = (
        made_up_levels(touchline(bid=137250, ask=137260, ms=ms), 10) for ms in (0, 999, 1_000)
    )
    assert now == later
    assert now != next_second


def test_orders_of_a_told_level() -> None:
    """A level told without its orders has some; an empty one has none."""
    t = touchline(bid=137250, ask=137260)
    assert 1 <= made_up_orders(t, 500, 137240) <= 24
    assert made_up_orders(t, 1, 137240) == 1
    assert made_up_orders(t, 0, 137240) == 0


def test_any_process_makes_the_same() -> None:
    """Levels depend on nothing but the touchline: not on the process, nor on its hash seed."""
    made = {
        subprocess.run(
            [sys.executable, "-c", MADE],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert made == {str(made_up_levels(touchline(bid=137250, ask=137260), 10))}
