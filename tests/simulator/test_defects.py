from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.defects import LATE_MS, LATE_SHARE, STALE_SHARE
from simulator.facts import measure
from simulator.market import Market
from simulator.replay import Replay
from simulator.synth import Wanted, write_day
from simulator.tape import FIGURES, Tape
from simulator.universe import nifty_50
from tests.simulator.market_days import held
from tests.simulator.parquet_files import DAY, at, opened

STOCK = nifty_50()[3]


@pytest.fixture(scope="module")
def pair() -> tuple[Tape, Tape]:
    """The same tape without and with defects."""
    ((_, clean),) = Market(DAY, 1).tapes([STOCK])
    ((_, real),) = Market(DAY, 1, defects=True).tapes([STOCK])
    return clean, real


def test_rows_come_in_the_order_of_arrival(pair: tuple[Tape, Tape]) -> None:
    """No row is lost or new; of 200 one comes a second late, and time never goes back."""
    clean, real = pair
    assert len(real.ms) == len(clean.ms)
    assert (np.diff(real.ms) >= 0).all()
    late = np.setdiff1d(real.ms, clean.ms)
    assert set((late - LATE_MS).tolist()) <= set(clean.ms.tolist())
    assert 0.5 * LATE_SHARE < len(late) / len(clean.ms) < 1.5 * LATE_SHARE


def test_volumes_fall_as_often_as_on_real_feeds(pair: tuple[Tape, Tape]) -> None:
    """Stale volumes, and late rows behind newer ones, let the volume go back; nothing else does."""
    clean, real = pair
    assert (np.diff(clean.figures["volume"]) >= 0).all()
    falls = (np.diff(real.figures["volume"]) < 0).mean()
    assert 0.7 * STALE_SHARE < falls < 2 * STALE_SHARE
    assert set(real.figures["volume"].tolist()) <= set(clean.figures["volume"].tolist())


def test_each_row_stands_for_itself(pair: tuple[Tape, Tape]) -> None:
    """Held from row to row, a late row has the quotes of its own time, the next its own again."""
    clean, real = pair
    names = [name for name in FIGURES if name != "volume"]
    before = np.array([held(clean.figures[name]) for name in names])
    after = np.array([held(real.figures[name]) for name in names])
    at_time = {int(ms): before[:, row].tolist() for row, ms in enumerate(clean.ms)}
    repeated = {int(ms) for ms, count in zip(*np.unique(clean.ms, return_counts=True), strict=True)
                if count > 1}  # fmt: skip
    for row, ms in enumerate(real.ms.tolist()):
        if ms in repeated or ms - LATE_MS in repeated:
            continue
        own = after[:, row].tolist()
        assert own in (at_time.get(ms), at_time.get(ms - LATE_MS))


def test_what_was_traded_is_the_same(pair: tuple[Tape, Tape]) -> None:
    """Defects are the feed's, not the market's: the indices do not notice."""
    clean, real = pair
    assert (clean.prices == real.prices).all()
    assert clean.close == real.close
    _, clean_indices = Market(DAY, 1).members_and_indices()
    _, real_indices = Market(DAY, 1, defects=True).members_and_indices()
    for index, tape in clean_indices.items():
        assert (tape.figures["ltp"] == real_indices[index].figures["ltp"]).all()


def test_a_day_with_defects_replays(tmp_path: Path) -> None:
    """It is a recording like any other; only its volumes give it away."""
    path = tmp_path / "a.parquet"
    write_day(path, Wanted(DAY, 1, defects="real"))
    recording = opened(path)
    assert measure(recording).outside == ("falling_volume",)
    replay = Replay(recording, start=at("11:00"), end=at("11:01"), keys={STOCK.key})
    replay.begin()
    updates = replay.take(at("11:01"))
    assert len(updates) == replay.rows_total > 30
