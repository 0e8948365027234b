"""
Recordings of any length for benchmarks, made fast, and what a client must get of them.

The instruments are made up (`MADEUP0` and so on) and take turns at random;
prices wander. The columns are those of a recorded feed. Everything lies within
one trading session, so that every row reaches the clients.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.columns import Int64Array
from simulator.recording_writer import RecordingWriter
from tests.benchmarks._workload import FIRST_TOKEN, SEED, symbol
from tests.simulator.tapes import OPEN

SESSION_MS = 6 * 3600 * 1000
ROWS_A_SECOND = 200
"""As a day of 3,000 stocks has them, on the average."""

GROUP_ROWS = 131_072
ROW_GROUP_ROWS = 16_384


def write(path: Path, rows: int, instruments: int, *, sealed: bool = True) -> Path:
    """
    Write a recording of so many rows; return its path.

    Args:
        path: Of the recording.
        rows: How many.
        instruments: How many take turns.
        sealed: As the product writes it; otherwise as other programs do.

    """
    draw = np.random.default_rng(SEED)
    lasts_ms = min(rows * 1000 // ROWS_A_SECOND, SESSION_MS)
    ltp = 50_000 + draw.integers(0, 200_000, instruments)
    volume = np.zeros(instruments, np.int64)
    names = pa.array([symbol(number) for number in range(instruments)])

    def tables() -> Iterator[pa.Table]:
        for first in range(0, rows, GROUP_ROWS):
            count = min(GROUP_ROWS, rows - first)
            at_ms = np.arange(first, first + count) * lasts_ms // rows
            yield _rows(draw, at_ms, ltp, volume, names)

    coming = tables()
    begin = next(coming)
    kind: Any = RecordingWriter if sealed else pq.ParquetWriter
    with kind(path, begin.schema, compression="zstd") as writer:
        write_group = writer.write if sealed else writer.write_table
        for table in chain([begin], coming):
            for at in range(0, len(table), ROW_GROUP_ROWS):
                write_group(table.slice(at, ROW_GROUP_ROWS))
    return path


def _rows(
    draw: np.random.Generator,
    at_ms: Int64Array,
    ltp: Int64Array,
    volume: Int64Array,
    names: pa.Array,
) -> pa.Table:
    """Return the next rows; the prices and volumes of the instruments move on."""
    count, instruments = len(at_ms), len(ltp)
    which = draw.integers(0, instruments, count)
    ltq = draw.integers(1, 500, count)
    prices = np.empty(count, np.int64)
    volumes = np.empty(count, np.int64)
    # Sorted by instrument, what each adds up to is a sum over its own rows.
    order = np.argsort(which, kind="stable")
    steps = draw.integers(-1, 2, count)[order] * 5
    for values, start, found in ((steps, ltp, prices), (ltq[order], volume, volumes)):
        total = np.cumsum(values)
        owner = which[order]
        begins = np.r_[True, owner[1:] != owner[:-1]]
        before = np.where(begins, total - values, 0)
        base = before[np.flatnonzero(begins)][np.cumsum(begins) - 1]
        found[order] = start[owner] + total - base
        ends = np.r_[begins[1:], True]
        start[owner[ends]] = found[order][ends]
    prices = np.maximum(prices, 5)
    rupees = {
        "ltp": prices,
        "bid_price": np.maximum(prices - 5, 5),
        "ask_price": prices + 5,
        "open": np.full(count, 100_000),
        "prev_close": np.full(count, 99_905),
        "week_52_high": np.full(count, 500_000),
        "week_52_low": np.full(count, 5),
    }
    whole = {
        "token": which + FIRST_TOKEN,
        "ltq": ltq,
        "volume": volumes,
        "bid_qty": draw.integers(1, 2000, count),
        "ask_qty": draw.integers(1, 2000, count),
        "total_buy_qty": draw.integers(1, 1_000_000, count),
        "total_sell_qty": draw.integers(1, 1_000_000, count),
    }
    return pa.table(
        {
            "ts": pa.array(OPEN // 1_000_000 + at_ms, pa.timestamp("ms", "Asia/Kolkata")),
            "symbol": names.take(pa.array(which)),
            **{name: pa.array(values, pa.int64()) for name, values in whole.items()},
            **{name: pa.array(values / 100, pa.float64()) for name, values in rupees.items()},
        }
    )


def prices_of(path: Path, since: int = 0) -> dict[str, list[int]]:
    """
    Return what instruments cost in paise: update ``seq`` is entry ``seq - 1``.

    Args:
        path: The recording.
        since: UNIX nanoseconds. What an instrument's rows before have come to is one update.

    """
    frame = pl.read_parquet(path, columns=["ts", "symbol", "ltp"])
    grouped = frame.group_by(pl.col("symbol").cast(pl.String), maintain_order=True).agg(
        (pl.col("ltp") * 100).round().cast(pl.Int64),
        (pl.col("ts").dt.timestamp("ns") < since).sum().alias("before"),
    )
    return {name: prices[max(before - 1, 0) :] for name, prices, before in grouped.iter_rows()}


def instruments_of(path: Path) -> list[tuple[int, str]]:
    """Return token and symbol of all instruments."""
    frame = pl.read_parquet(path, columns=["token", "symbol"])
    found = frame.with_columns(pl.col("symbol").cast(pl.String)).unique(maintain_order=True)
    return [(int(token), str(name)) for token, name in found.iter_rows()]


def check(messages: Iterator[bytes], prices: dict[str, list[int]]) -> int:
    """
    Compare messages with the recording; return how many.

    Raises:
        SystemExit: If an instrument's updates are not in order and whole, or a price is another.

    """
    last: dict[str, int] = {}
    found = 0
    for text in messages:
        message = json.loads(text)
        name, seq = message["symbol"], message["seq"]
        if name in last and seq != last[name] + 1:
            raise SystemExit(f"{name} goes from update {last[name]} to {seq}; expected the next")
        last[name] = seq
        price = round(message["data"]["ltp"] * 100)
        if price != prices[name][seq - 1]:
            raise SystemExit(
                f"update {seq} of {name} has the price {price}; expected {prices[name][seq - 1]}"
            )
        found += 1
    if not found:
        raise SystemExit("the sample client got no message")
    return found
