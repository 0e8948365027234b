"""What hypothesis draws for tests of recordings: rows of a few instruments on a few days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from streamer.ist import ist_ns
from tests.simulator.parquet_files import times
from tests.simulator.plain_fold import Row

TOKENS = (2885, 3045, 26000)
DAYS = (date(2025, 9, 3), date(2025, 9, 4), date(2025, 9, 5), date(2025, 9, 7), date(2025, 9, 8))
"""Wednesday to Friday, a Sunday without a session, Monday."""

_CLOCKS = ("08:59:59", "09:00", "09:08", "09:14:59", "09:15", "09:15:01", "12:00", "15:30", "15:45")
MOMENTS = sorted(ist_ns(day, clock) for day in DAYS for clock in _CLOCKS)
"""Few, so that rows of one time and rows at the edges are common."""

PRICES = ("bid_price", "ask_price", "open", "high", "low", "prev_close", "atp")
QUANTITIES = ("ltq", "volume", "bid_qty", "ask_qty", "total_buy_qty", "open_interest")
FIGURES = (*PRICES, *QUANTITIES, "week_52_high")

FullRow = tuple[int, int, Row]
"""(time, token, told figures)"""


@st.composite
def told(draw: st.DrawFn, columns: Sequence[str]) -> Row:
    """The figures of one row; most are not told."""
    row: Row = {"ltp": draw(st.integers(1, 60)) * 5}
    for name in columns:
        row[name] = draw(st.none() | st.integers(0, 60).map(lambda value: value * 5))
    return row


@st.composite
def tapes(draw: st.DrawFn) -> tuple[list[str], list[FullRow]]:
    """The optional columns of a recording, and its rows in time order."""
    columns = sorted(draw(st.sets(st.sampled_from(FIGURES))))
    moments = sorted(draw(st.lists(st.sampled_from(MOMENTS), min_size=1, max_size=40)))
    return columns, [
        (moment, draw(st.sampled_from(TOKENS)), draw(told(columns))) for moment in moments
    ]


def columns_of(columns: Sequence[str], tape: Sequence[FullRow]) -> dict[str, Any]:
    """The rows as the columns of a file."""
    file: dict[str, Any] = {
        "ts": times([ts for ts, _, _ in tape]),
        "token": pa.array([token for _, token, _ in tape], pa.int64()),
    }
    for name in ("ltp", *columns):
        values = [row[name] for _, _, row in tape]
        if name in QUANTITIES:
            file[name] = pa.array(values, pa.int64())
        else:
            rupees = [None if value is None else value / 100 for value in values]
            file[name] = pa.array(rupees, pa.float64())
    return file
