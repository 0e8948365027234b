"""Small recordings for tests, written the way a user would write them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.recording import Recording
from streamer.instruments import InstrumentTable
from streamer.ist import ist_ns

TABLE = InstrumentTable.bundled()
DAY = date(2025, 9, 4)

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "realdata"
REAL_DATA = Path(os.environ.get("ODIN_REALDATA", _SHARED))
"""Real recordings, on the machines that have them."""


def at(clock: str, day: date = DAY, ms: int = 0) -> int:
    """The moment at which India's clocks show ``clock``."""
    return ist_ns(day, clock) + ms * 1_000_000


def times(moments: Sequence[int | None], unit: str = "ns", zone: str | None = "UTC") -> pa.Array:
    """An Arrow column of moments."""
    per_unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    counts = [None if moment is None else moment // per_unit for moment in moments]
    return pa.array(counts, type=pa.int64()).cast(pa.timestamp(unit, zone))


def write(
    path: Path,
    columns: Mapping[str, Any],
    *,
    row_group_size: int = 1_000_000,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write columns as a Parquet file; ``ts`` may be a list of nanoseconds."""
    ready = dict(columns)
    if isinstance(ready.get("ts"), list):
        ready["ts"] = times(ready["ts"])
    table = pa.table(ready)
    if metadata is not None:
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def rows(count: int, **columns: Any) -> dict[str, Any]:
    """Columns of a good recording, a row a second from the open; ``columns`` replace or add."""
    good: dict[str, Any] = {
        "ts": [at("09:15") + second * 10**9 for second in range(count)],
        "token": [2885] * count,
        "ltp": [1372.6] * count,
    }
    return {name: values for name, values in (good | columns).items() if values is not None}


def opened(*paths: Path, sort: bool = False) -> Recording:
    """The files as a recording."""
    return Recording.open(paths, instruments=TABLE, sort=sort)


def frame(recording: Recording) -> pl.DataFrame:
    """All rows as they are told: nanoseconds, paise, shares."""
    parts = [
        pl.DataFrame({"ts": batch.ts, "instrument": batch.instrument, **batch.figures})
        for batch in recording.batches(recording.start, recording.end + 1)
    ]
    return pl.concat(parts)
