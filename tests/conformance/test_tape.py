"""The tape is what its page says: known ticks around the times that cases use."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from conformance.tape import (
    DAYS,
    HIGH_BROKEN,
    HIGH_NEARED,
    HIGH_TOUCHED,
    LOW_BROKEN,
    METRONOME,
    NS,
    QUIET,
    SPARSE,
    SPARSE_DAYS,
    STILL,
    STOCKS,
    Stock,
    Tape,
    at,
    moment,
    seconds_of,
)

TAPE = Tape.made()
EVERY = (*STOCKS, *QUIET, METRONOME)
THURSDAY = "2025-09-04"


def test_it_is_always_the_same_and_in_order() -> None:
    """Two makings agree, and time never goes back."""
    assert list(Tape.made().rows) == list(TAPE.rows)
    times = [row.ts for row in TAPE.rows]
    assert times == sorted(times)


@pytest.mark.parametrize("stock", EVERY, ids=lambda stock: stock.label)
def test_a_row_holds_together(stock: Stock) -> None:
    """Low is the lowest and high the highest so far, and volume tells rows of a day apart."""
    seen: dict[date, list[int]] = {}
    for row in TAPE.between(stock, 0, 10**19):
        assert row.low <= row.ltp <= row.high
        assert row.low <= row.open <= row.high
        assert row.prev_close > 0
        seen.setdefault(moment(row.ts).date(), []).append(row.volume)
    assert set(seen) == {day.date for day in DAYS}
    for volumes in seen.values():
        assert volumes == sorted(volumes)
        if stock.symbol != STILL[0]:
            assert len(set(volumes)) == len(volumes)


def test_the_boundaries_of_a_session_are_met_exactly() -> None:
    """There is a row at 09:15:00.000 and one at 15:30:00.000; no other is at a whole second."""
    for stock in EVERY:
        rows = TAPE.between(stock, at(THURSDAY, "09:00:00"), at(THURSDAY, "15:45:00"))
        whole = [row.clock for row in rows if row.ts % NS == 0]
        assert whole == ["09:15:00.000", "15:30:00.000"]


def test_the_metronome_ends_each_second() -> None:
    """Whoever has its row has all the rows of that second."""
    rows = TAPE.between(METRONOME, at(THURSDAY, "11:00:10"), at(THURSDAY, "11:00:20"))
    assert len(rows) == 10
    for row in rows:
        until = row.ts - row.ts % NS + NS - 1
        for stock in (*EVERY, SPARSE):
            last = TAPE.last(stock, until)
            assert last is not None
            assert row.ts - NS < last.ts <= row.ts


def test_the_odd_things_happen_when_they_should() -> None:
    """A 52-week high and a low are broken, and one stock repeats itself."""
    stock = {one.symbol: one for one in STOCKS}
    before = at(THURSDAY, HIGH_BROKEN[1])
    high, low = stock[HIGH_BROKEN[0]], stock[LOW_BROKEN[0]]
    assert all(
        row.low >= row.week_52_low and row.high <= row.week_52_high
        for one in EVERY
        for row in TAPE.between(one, at(THURSDAY, "00:00:00"), before)
    )
    row = TAPE.next(high, before)
    assert row is not None
    assert row.high > row.week_52_high
    row = TAPE.next(low, before)
    assert row is not None
    assert row.low < row.week_52_low
    row = TAPE.next(stock[HIGH_TOUCHED[0]], at(THURSDAY, HIGH_TOUCHED[1]))
    assert row is not None
    assert row.ltp == row.high == row.week_52_high
    row = TAPE.last(high, at("2025-09-05", "15:45:00"))
    assert row is not None
    assert HIGH_NEARED[0] == high.symbol
    assert high.price * 115 // 100 < row.high < row.week_52_high
    since = at(THURSDAY, STILL[1]) + NS
    still = TAPE.between(stock[STILL[0]], since, since + 9 * NS)
    assert len({(row.ltp, row.volume) for row in still}) == 1
    assert len(still) == 9


def test_little_is_known_of_one_stock() -> None:
    """It has no previous close and no 52-week range, and trades late in the day."""
    first = TAPE.next(SPARSE, at(THURSDAY, "00:00:00"))
    assert first is not None
    assert first.clock.startswith("11:00:10")
    rows = TAPE.between(SPARSE, 0, 10**19)
    assert {(row.prev_close, row.week_52_high, row.week_52_low) for row in rows} == {(0, 0, 0)}
    assert {moment(row.ts).date() for row in rows} == set(SPARSE_DAYS)


def test_a_day_does_not_know_the_day_before() -> None:
    """The last row is one of the same day, or there is none."""
    assert TAPE.last(STOCKS[0], at(THURSDAY, "08:59:00")) is None
    assert TAPE.last(STOCKS[0], at(THURSDAY, "09:00:01")) is not None
    assert TAPE.next(STOCKS[0], 10**19) is None


def test_a_stock_that_is_not_on_it_has_no_rows() -> None:
    """A target may name stocks of its own."""
    other = Stock("OTHER", "1")
    assert TAPE.between(other, 0, 10**19) == []
    assert TAPE.last(other, 10**19) is None
    assert TAPE.next(other, 0) is None


def test_it_is_written_as_a_recording(tmp_path: Path) -> None:
    """The file has the columns of a recording, in rupees, with times that have a zone."""
    path = tmp_path / "tape.parquet"
    Tape(TAPE.rows[:100]).write(path)
    frame = pl.read_parquet(path)
    assert frame["ts"].dtype == pl.Datetime("ns", "UTC")
    first, row = TAPE.rows[0], frame.row(0, named=True)
    assert (row["token"], row["ltp"], row["volume"]) == (
        int(first.stock.token),
        first.ltp / 100,
        first.volume,
    )


@pytest.mark.parametrize(("clock", "seconds"), [("00:00:00", 0), ("09:15:00", 33_300)])
def test_times_of_day(clock: str, seconds: int) -> None:
    """A time of day is that of India."""
    assert seconds_of(clock) == seconds
    assert f"{moment(at(THURSDAY, clock)):%Y-%m-%d %H:%M:%S}" == f"{THURSDAY} {clock}"
