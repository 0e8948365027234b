"""Small recordings for tests, and the day on which they play."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from simulator.recording import Recording
from simulator.replay import Replay
from streamer.instruments import InstrumentTable
from streamer.ist import ist_ns

SECOND = 1_000_000_000
DAY = date(2025, 9, 4)
OPEN = ist_ns(DAY, "09:15")

RELIANCE = (1, 2885)
SBIN = (1, 3045)
_SYMBOLS = {2885: "RELIANCE", 3045: "SBIN"}

Row = tuple[float, int, float]
"""(milliseconds after the open, token, price in rupees)"""


def write_tape(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows as a recording of 2025-09-04; return its path."""
    table = pa.table(
        {
            "ts": pa.array(
                [OPEN + int(at_ms * 1_000_000) for at_ms, _, _ in rows],
                pa.timestamp("ns", "Asia/Kolkata"),
            ),
            "token": pa.array([token for _, token, _ in rows], pa.int64()),
            "symbol": [_SYMBOLS.get(token, f"MADEUP{token}") for _, token, _ in rows],
            "ltp": pa.array([price for _, _, price in rows], pa.float64()),
            "ltq": pa.array([1 for _ in rows], pa.int64()),
            "prev_close": pa.array([100.0 for _ in rows], pa.float64()),
        }
    )
    pq.write_table(table, path)
    return path


def counted_rows(
    count: int, *, gap_ms: int = 10, tokens: Sequence[int] = (2885, 3045)
) -> list[Row]:
    """Return rows whose prices count up by one paisa, so that each can be told from all others."""
    return [(i * gap_ms, tokens[i % len(tokens)], 100 + i / 100) for i in range(count)]


def open_tape(path: Path, rows: Sequence[Row]) -> Recording:
    """Write rows as a recording and open it."""
    write_tape(path, rows)
    return Recording.open([path], instruments=InstrumentTable.bundled())


def replay_of(
    path: Path, rows: Sequence[Row], *, start: int = OPEN, end: int | None = None
) -> Replay:
    """Return a replay of rows, by default from the open to the last row."""
    recording = open_tape(path, rows)
    return Replay(recording, start=start, end=recording.end + 1 if end is None else end)
