from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.blocks import BLOCK_STOCKS, Blocks
from simulator.market import FIGURES, Market, synthesise
from simulator.universe import INDICES, largest
from tests.simulator.parquet_files import DAY


@pytest.mark.parametrize("picks", [[0, 51], [55, 2, 60], [59]], ids=str)
def test_blocks_hold_what_was_made_at_once(tmp_path: Path, picks: list[int]) -> None:
    """Merged from their files, the rows are those of the day made in memory, in any order asked."""
    universe = largest(61)
    stocks = tuple(universe[pick] for pick in picks)
    blocks = Blocks(Market(DAY, 5), stocks, tmp_path)
    assert blocks.instruments == (*stocks, *INDICES)
    blocks.make()
    parts = list(blocks.rows())
    whole = synthesise(DAY, stocks=stocks, seed=5).rows
    assert np.concatenate([part.ts for part in parts]).tolist() == whole.ts.tolist()
    number = np.concatenate([part.instrument for part in parts])
    assert number.tolist() == whole.instrument.tolist()
    for name in FIGURES:
        column = np.concatenate([part.figures[name] for part in parts])
        assert (column == whole.figures[name]).all()


def test_progress_is_told(tmp_path: Path) -> None:
    """After each block, how many stocks there are; the members of the indices are not counted."""
    told: list[tuple[int, int]] = []
    stocks = largest(50 + BLOCK_STOCKS + 1)[49:]
    Blocks(Market(DAY, 5), stocks, tmp_path).make(
        made=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 52), (51, 52), (52, 52)]
