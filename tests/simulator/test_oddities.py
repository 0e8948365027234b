from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.findings import Finding
from tests.simulator.parquet_files import at, rows, times, write
from tests.simulator.recording_strategies import FullRow, columns_of, tapes
from tests.simulator.test_inspection import found, inspected

SATURDAY = date(2025, 9, 6)


def odd(folder: Path, **columns: Any) -> list[Finding]:
    """What is odd in a file of RELIANCE, a row a second unless it says otherwise."""
    count = len(next(iter(columns.values())))
    return found(write(folder / "a.parquet", rows(count, **columns)))


def kinds(findings: list[Finding]) -> list[tuple[str, int | None]]:
    """The kind and the row of each."""
    return [(each.kind, each.row) for each in findings]


def test_silence_within_a_session_is_a_gap(tmp_path: Path) -> None:
    """Longer than the threshold, only the session's part of it, and not the night."""
    next_day = date(2025, 9, 5)
    clocks = ["09:10", "09:15:30", "09:17", "15:29:30", "15:45"]
    moments = [at(clock) for clock in clocks] + [at("09:20", next_day)]
    findings = odd(tmp_path, ts=moments)
    assert kinds(findings) == [("gap", 2), ("gap", 3)]
    assert findings[0].problem == "no row for 90 s before"
    assert findings[0].ts == at("09:17")


def test_gaps_between_files_that_follow_each_other(tmp_path: Path) -> None:
    """A recording in many files is one; files that overlap have nothing between them."""
    first = write(tmp_path / "1.parquet", rows(2))
    second = write(tmp_path / "2.parquet", rows(1, ts=[at("09:30")]))
    assert [(each.file, each.kind) for each in found(first, second)] == [(str(second), "gap")]
    assert found(second, first) == []


def test_duplicates_are_whole_rows_of_one_time(tmp_path: Path) -> None:
    """A row in between of another instrument does not hide it; a later time is no duplicate."""
    moment = at("09:15")
    findings = odd(
        tmp_path,
        ts=[moment, moment, moment, moment, moment + 1],
        token=[2885, 3045, 2885, 2885, 2885],
        ltp=[1.0, 1.0, 1.0, 2.0, 2.0],
    )
    assert kinds(findings) == [("duplicate", 2)]


def test_volume_that_falls_within_a_day(tmp_path: Path) -> None:
    """Each instrument for itself; rows that tell none do not hide it; a new day begins anew."""
    next_day = date(2025, 9, 5)
    findings = odd(
        tmp_path,
        ts=[at("09:15"), at("09:15:01"), at("09:15:02"), at("09:15:03"), at("09:15", next_day)],
        token=[2885, 3045, 2885, 2885, 2885],
        volume=[100, 5, None, 90, 10],
    )
    assert kinds(findings) == [("falling-volume", 3)]
    assert (findings[0].value, findings[0].problem) == ("90", "it was 100")


@pytest.mark.parametrize(
    ("day", "price", "close", "is_odd"),
    [
        (date(2025, 9, 4), 1372.65, 1372.6, True),
        (date(2025, 9, 4), 1372.60, 1372.6, False),
        (date(2024, 7, 4), 1372.65, 1372.6, False),
        (date(2024, 7, 4), 1372.61, 1372.6, True),
        (date(2025, 9, 4), 1049.95, 1050.0, False),
        (date(2025, 9, 4), 1049.93, 1050.0, True),
        (date(2025, 9, 4), 100.01, 100.0, False),
        (date(2025, 9, 4), 1372.65, None, False),
    ],
)
def test_prices_off_the_tick_of_the_date(
    tmp_path: Path, day: date, price: float, close: float | None, is_odd: bool
) -> None:
    """By the rule in force; near the edge of a step, and without a close, the finer one."""
    findings = odd(
        tmp_path, ts=[at("10:00", day)], ltp=[price], prev_close=pa.array([close], pa.float64())
    )
    assert kinds(findings) == ([("off-grid", 0)] if is_odd else [])


def test_closing_prices_may_lie_off_the_tick(tmp_path: Path) -> None:
    """They are averages, rounded to the paisa; so are those of an index."""
    findings = odd(
        tmp_path,
        ts=[at("15:29:30"), at("15:31")],
        token=[26000, 2885],
        ltp=[24000.37, 1372.37],
        prev_close=[24000.0, 1372.6],
    )
    assert findings == []


def test_bids_and_asks_are_prices_too(tmp_path: Path) -> None:
    """An empty side is 0 and no price."""
    findings = odd(
        tmp_path,
        bid_price=[1372.65, 0.0],
        ask_price=[None, 1372.77],
        prev_close=[1372.6, None],
    )
    assert [(each.column, each.row, each.value) for each in findings] == [
        ("bid_price", 0, "1372.65"),
        ("ask_price", 1, "1372.77"),
    ]
    assert findings[0].problem == "the tick is 0.10"


def test_prices_beyond_the_widest_band(tmp_path: Path) -> None:
    """More than a fifth from the previous close that was last told on the day."""
    findings = odd(
        tmp_path,
        ltp=[120.0, 120.1, 79.9, 80.0],
        prev_close=[100.0, None, None, None],
    )
    assert kinds(findings) == [("band", 1), ("band", 2)]
    assert findings[0].problem == "the previous close is 100.00"


def test_days_without_a_session_are_told_once(tmp_path: Path) -> None:
    """With their first row."""
    moments = [at("10:00", SATURDAY) + second * 10**9 for second in range(3)]
    findings = odd(tmp_path, ts=moments)
    assert kinds(findings) == [("closed-day", 0)]
    assert findings[0].problem == "the first row of a weekend"


@pytest.mark.parametrize(
    ("shift_s", "words"),
    [(19800, "Indian times that are called UTC"), (-19800, "times of UTC that are called Indian")],
)
def test_a_wrong_zone_is_guessed(tmp_path: Path, shift_s: int, words: str) -> None:
    """Times that lie outside the hours, and inside them in the other zone."""
    moments = [at("09:20") + (minute * 60 + shift_s) * 10**9 for minute in range(0, 360, 5)]
    findings = [each for each in odd(tmp_path, ts=moments) if each.kind == "zone"]
    assert len(findings) == 1
    assert words in findings[0].problem


@given(tape=tapes(), size=st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_how_rows_are_cut_never_shows(
    tmp_path_factory: pytest.TempPathFactory, tape: tuple[list[str], list[FullRow]], size: int
) -> None:
    """One row group or many: the same findings in the same rows."""
    columns, told = tape
    folder = tmp_path_factory.mktemp("cut")
    whole = write(folder / "whole.parquet", columns_of(columns, told))
    cut = write(folder / "cut.parquet", columns_of(columns, told), row_group_size=size)
    seen = [
        sorted((each.kind, each.row, each.column, each.value, each.problem) for each in found(path))
        for path in (whole, cut)
    ]
    assert seen[0] == seen[1]
    assert inspected(whole).findings.counts == inspected(cut).findings.counts


def test_times_may_have_any_unit(tmp_path: Path) -> None:
    """Whole seconds in another zone are the same moments."""
    moments = times([at("09:15"), at("09:20")], "s", "America/New_York")
    assert kinds(odd(tmp_path, token=[2885, 2885], ts=moments)) == [("gap", 1)]
