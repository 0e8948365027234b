from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from simulator.columns import Int64Array
from simulator.facts import CROSS_SECTION, FIGURES, Series, Verdict, by_minute, measure
from simulator.synth import Wanted, write_day
from simulator.timetables import SECONDS
from streamer.errors import RecordingError
from tests.simulator.market_days import outside, values_of
from tests.simulator.parquet_files import DAY, REAL_DATA, at, opened, write

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "recordings" / "day.parquet"
REAL_DAY = REAL_DATA / "nse-2021-06-09-seed10-clean.parquet"
BY_NAME = {figure.name: figure for figure in FIGURES}


def series(ltp: Int64Array, volume: Int64Array | None = None) -> Series:
    """A session with an update each second."""
    seconds = np.arange(len(ltp), dtype=np.float64) * SECONDS / len(ltp)
    if volume is None:
        volume = np.arange(1, len(ltp) + 1, dtype=np.int64) * 300
    return Series(seconds, ltp, volume)


def frozen(**columns: object) -> dict[str, object]:
    """A minute-by-minute recording of one stock at one price."""
    ts = [at("09:15") + minute * 60 * 10**9 for minute in range(375)]
    return {"ts": ts, "token": [2885] * 375, "ltp": [100.0] * 375} | columns


def test_the_shipped_day_passes() -> None:
    """Every figure of the shipped day that can be judged lies where those of real days lie."""
    measured = measure(opened(SHIPPED))
    assert measured.outside == ()
    assert (measured.day, measured.rows, measured.instruments) == (DAY, 930_303, 52)
    assert len(measured.stocks) == 50
    unjudged = [f.name for f in FIGURES if measured.verdict(f) is Verdict.NOT_JUDGED]
    assert unjudged == ["outside_range"]


@pytest.mark.skipif(not REAL_DAY.exists(), reason=f"no real recording in {REAL_DATA}")
def test_a_real_day_passes() -> None:
    """The measure finds a real day real; of ten stocks it does not judge the cross-section."""
    measured = measure(opened(REAL_DAY))
    assert measured.outside == ()
    assert len(measured.stocks) == 10 < CROSS_SECTION
    unjudged = {f.name for f in FIGURES if measured.verdict(f) is Verdict.NOT_JUDGED}
    assert unjudged == {
        *(f.name for f in FIGURES if f.is_of_all),
        "outside_range",
        "outside_band",
    }


def test_a_walk_is_no_market() -> None:
    """Plain geometric Brownian motion with even volume does not pass for a real day."""
    rng = np.random.default_rng(1)
    walks = 140_000 * np.exp(np.cumsum(rng.normal(0, 1e-4, (41, SECONDS)), axis=1))
    *stocks, index = [series(np.rint(walk).astype(np.int64)) for walk in walks]
    assert {
        "kurtosis",
        "absolute_1",
        "pairwise",
        "with_index",
        "first_component",
        "return_opening",
        "volume_opening",
        "volume_closing",
        "unchanged",
    } <= outside(values_of(stocks, index), 40).keys()


def test_rows_that_cannot_be_are_counted(tmp_path: Path) -> None:
    """Off the tick, beyond the band, outside the told range, volume falling: each is found."""
    ltp = [100.0] * 375
    ltp[10], ltp[20], ltp[30] = 100.01, 120.0, 80.0
    volume = list(range(375))
    volume[40] = 5
    file = frozen(ltp=ltp, volume=volume, low=[90.0] * 375, high=[110.0] * 375)
    file["prev_close"] = [100.0] * 375
    day = date(2021, 6, 9)  # when every price was a multiple of 0.05
    file["ts"] = [at("09:15", day) + minute * 60 * 10**9 for minute in range(375)]
    values = measure(opened(write(tmp_path / "a.parquet", file))).values
    counted = {name: values[name] for name in BY_NAME if BY_NAME[name].is_count}
    assert counted == {
        "off_grid": 1,
        "falling_volume": 1,
        "outside_range": 2,
        "outside_band": 2,
    }


def test_volume_is_followed_through_the_file(tmp_path: Path) -> None:
    """A fall is one against the same stock's last told volume, wherever that row is."""
    file = {
        "ts": [at("15:45") + second * 10**9 for second in range(4)],
        "token": [1, 2, 1, 2],
        "ltp": [10.0] * 4,
        "volume": [100, 5, None, 4],
    }
    more = frozen(volume=list(range(1_000, 1_375)))
    rows = pl.concat(
        [pl.DataFrame(file), pl.DataFrame(more).select(file.keys())], how="vertical"
    ).sort("ts", maintain_order=True)
    path = write(tmp_path / "a.parquet", rows.to_dict(as_series=False), row_group_size=2)
    assert measure(opened(path)).values["falling_volume"] == 1


def test_what_is_not_told_is_not_judged(tmp_path: Path) -> None:
    """A recording of times and prices alone is measured as far as it goes."""
    rng = np.random.default_rng(2)
    ltp = 100 + np.cumsum(rng.choice([-0.05, 0, 0.05], 375))
    measured = measure(opened(write(tmp_path / "a.parquet", frozen(ltp=ltp.round(2)))))
    for name in ("volume_opening", "falling_volume", "outside_band", "pairwise", "with_index"):
        assert measured.values[name] is None
        assert measured.verdict(BY_NAME[name]) is Verdict.NOT_JUDGED
    assert measured.values["kurtosis"] is not None


def test_a_price_that_stands_still_is_measured(tmp_path: Path) -> None:
    """A stock that never moves has no tails, and breaks nothing."""
    measured = measure(opened(write(tmp_path / "a.parquet", frozen())))
    assert measured.values["kurtosis"] is None
    assert measured.values["unchanged"] == 1


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"token": [26000] * 375}, "no stock on 2025-09-04 from 09:15 to 15:30"),
        ({"ts": [at("16:00") + n for n in range(375)]}, "no stock on 2025-09-04"),
        ({"ts": [at("09:15") + n * 10**9 for n in range(375)]}, "too little trading on 2025-09"),
    ],
)
def test_unusable_recordings_are_refused(
    tmp_path: Path, columns: dict[str, object], message: str
) -> None:
    """Indices alone, no session, or a few minutes say nothing."""
    ltp = [100.0 + 0.05 * (n % 2) for n in range(375)]
    with pytest.raises(RecordingError, match=message):
        measure(opened(write(tmp_path / "a.parquet", frozen(ltp=ltp) | columns)))


def test_one_day_of_several(tmp_path: Path) -> None:
    """The day with the most rows is measured, or the one asked for; another is refused."""
    ts = [at("09:15", date(2025, 9, 3)) + minute * 120 * 10**9 for minute in range(180)]
    ts += [at("09:15") + minute * 60 * 10**9 for minute in range(375)]
    ltp = [100.0 + 0.05 * (n % 3) for n in range(555)]
    recording = opened(write(tmp_path / "a.parquet", {"ts": ts, "token": [2885] * 555, "ltp": ltp}))
    assert measure(recording).day == DAY
    assert measure(recording, date(2025, 9, 3)).rows == 180
    with pytest.raises(RecordingError, match="no row on 2025-09-05"):
        measure(recording, date(2025, 9, 5))


def test_the_fifty_busiest_are_measured(tmp_path: Path) -> None:
    """However many stocks a recording has, the ranges are held against the largest."""
    write_day(tmp_path / "a.parquet", Wanted(DAY, 2, "58"))
    measured = measure(opened(tmp_path / "a.parquet"))
    assert measured.instruments == 60
    assert len(measured.stocks) == 50
    assert not any(symbol.startswith("SIM") for symbol in measured.stocks)
    assert measured.outside == ()


def test_a_session_is_measured_from_its_first_to_its_last_minute() -> None:
    """A recorder that starts late and a closing auction shorten what is measured."""
    own = series(10_000 + np.arange(SECONDS, dtype=np.int64))
    late = Series(own.seconds[70:21_600], own.ltp[70:21_600], own.volume[70:21_600])
    minutes = by_minute([late], None)
    assert minutes is not None
    assert minutes.first == 1
    assert minutes.returns.shape == (1, 359)
