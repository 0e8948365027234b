from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.columns import UNTOLD
from simulator.market import Market
from simulator.tape import CONSTANTS, FIGURES, changes
from simulator.timetables import OPEN_S, SECONDS
from simulator.universe import INDICES, nifty_50
from tests.simulator.market_days import held
from tests.simulator.parquet_files import DAY


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_changes_tell_all(values: list[int]) -> None:
    """What is told where it changes is the same when it is held, and never told twice."""
    told = changes(np.array(values))
    assert held(told).tolist() == values
    kept = told[told != UNTOLD]
    assert (np.diff(kept) != 0).all()


def test_a_tape_knows_its_prices() -> None:
    """Prices by the second are the last ones told; the close is that of the last row."""
    ((_, tape),) = Market(DAY, 1).tapes(nifty_50()[:1])
    assert set(tape.figures) == set(FIGURES)
    assert len(tape.prices) == SECONDS
    for second in (0, 5_000, SECONDS - 1):
        last = int(np.searchsorted(tape.ms, (OPEN_S + second + 1) * 1_000)) - 1
        assert tape.prices[second] == tape.figures["ltp"][last]
    assert tape.figures["ltp"][-1] == tape.close
    assert tape.open in tape.figures["ltp"][:200].tolist()


def test_constants_are_told_once() -> None:
    """An index tells its previous close and range in its first row, like a stock."""
    _, indices = Market(DAY, 1).members_and_indices()
    for index in INDICES:
        for name in CONSTANTS:
            column = indices[index].figures[name]
            assert column[0] == getattr(index, name)
            assert (column[1:] == UNTOLD).all()
