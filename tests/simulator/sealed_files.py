"""Sealed recordings for tests: good ones, and such as no writer of ours would make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.recording_writer import RecordingWriter
from simulator.seal import SEAL_KEY, Seal, Sealing, complete, intact
from tests.simulator.parquet_files import times
from tests.simulator.tapes import counted_rows, write_tape

ROW_GROUP_ROWS = 4


def table_of(columns: Mapping[str, Any]) -> Any:
    """Columns as an Arrow table; ``ts`` may be a list of nanoseconds."""
    ready = dict(columns)
    if isinstance(ready.get("ts"), list):
        ready["ts"] = times(ready["ts"])
    return pa.table(ready)


def sealed(
    path: Path,
    columns: Mapping[str, Any],
    *,
    row_group_size: int = ROW_GROUP_ROWS,
    **parquet: Any,
) -> Path:
    """Write columns as a sealed recording."""
    table = table_of(columns)
    with RecordingWriter(path, table.schema, **parquet) as writer:
        for at in range(0, len(table), row_group_size):
            writer.write(table.slice(at, row_group_size))
    return path


def seal_of(path: Path) -> Seal | None:
    """The seal of a file, if it has one that is intact."""
    return intact(path, pq.read_metadata(path).metadata)


def forged(path: Path, columns: Mapping[str, Any], good: Path, **changes: Any) -> Path:
    """
    Write any rows under a seal that looks right in every respect.

    Args:
        path: The file.
        columns: Its rows, as many as the good file has.
        good: A sealed file, whose seal this one gets.
        changes: Of that seal.

    """
    seal = seal_of(good)
    assert seal is not None
    table = table_of(columns)
    at = 0
    with path.open("wb") as file:
        sink = Sealing(file)
        with pq.ParquetWriter(sink, table.schema) as writer:
            for number, group in enumerate(seal.groups):
                rows = pq.read_metadata(good).row_group(number).num_rows
                writer.write_table(table.slice(at, rows), row_group_size=rows)
                sink.end_group(group.first, group.last)
                at += rows
            blank = Seal(groups=(), days={}, names=(), rows=()).footer_sha256
            new = {"groups": tuple(sink.groups), "footer_sha256": blank, **changes}
            entry = msgspec.json.encode(msgspec.structs.replace(seal, **new))
            writer.add_key_value_metadata({SEAL_KEY: entry})
    complete(path)
    return path


def tape_with_a_wrong_row(folder: Path, *, wrong: int, count: int, row_group_size: int) -> Path:
    """Write `counted_rows` under a seal, with a price below 0 in one of them."""
    usual = pq.read_table(write_tape(folder / "usual.parquet", counted_rows(count)))
    columns = dict(zip(usual.column_names, usual.columns, strict=True))
    good = sealed(folder / "good.parquet", columns, row_group_size=row_group_size)
    prices = columns["ltp"].to_pylist()
    prices[wrong] = -1.0
    return forged(folder / "wrong.parquet", columns | {"ltp": pa.array(prices)}, good)
