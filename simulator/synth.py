"""
A synthetic day as a file: the recording and, beside it, its manifest.

``write_day(path, day=..., seed=...)`` is what ``odin-sim synth`` does. What
happens on the day is `simulator.market`'s subject, what a recording looks like
`simulator.columns`'.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.columns import BY_NAME, UNTOLD, Batch, Int64Array, Kind
from simulator.market import FIGURES, PROFILES, MarketDay, synthesise
from simulator.recording import METADATA_KEY, Recording
from simulator.universe import Stock, nifty_50
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.ist import ist_rfc3339
from streamer.odin.tags import InstrumentKey

UNIVERSES: dict[str, Callable[[], tuple[Stock, ...]]] = {"nifty50": nifty_50}
"""The universes that have a name; the indices are made with each."""

ROW_GROUP_ROWS = 32_768
_MS = 1_000_000

# How values are written decides the file's size, not its content.
_ENCODINGS = {
    "ts": "DELTA_BINARY_PACKED",
    "volume": "PLAIN",
    "ltq": "BYTE_STREAM_SPLIT",
    "bid_qty": "BYTE_STREAM_SPLIT",
    "ask_qty": "BYTE_STREAM_SPLIT",
}


class Manifest(msgspec.Struct, frozen=True):
    """
    Where a recording comes from, and how to tell that it is whole.

    Args:
        file: Name of the recording.
        source: ``synthetic``.
        licence: Under which it may be used.
        command: What made it.
        date: The trading day.
        seed: What the day was drawn from.
        universe: Which stocks.
        profile: Which kind of day.
        rows: How many.
        first: Time of the first row.
        last: Time of the last row.
        size_bytes: Of the file.
        sha256: Of the file's bytes; they depend on the writer's version.
        content_sha256: Of the rows, see `content_hash`; the same whoever writes them.
        writer: The library that wrote the file.
        units: What the numbers of the file are.

    """

    file: str
    source: str
    licence: str
    command: str
    date: str
    seed: int
    universe: str
    profile: str
    rows: int
    first: str
    last: str
    size_bytes: int
    sha256: str
    content_sha256: str
    writer: str
    units: dict[str, str]


def write_day(
    path: Path,
    *,
    day: date,
    seed: int,
    universe: str = "nifty50",
    profile: str = "normal",
    calendar: TradingCalendar | None = None,
) -> Manifest:
    """
    Make a synthetic day and write it to ``path``, its manifest beside it as ``.json``.

    Both files appear whole, under temporary names first; files that were there
    are replaced.

    Raises:
        ConfigError: If universe or profile do not exist, or the day has no
            ordinary session.
        OSError: If the files cannot be written.

    """
    made = synthesise(
        day,
        stocks=_named(UNIVERSES, universe, "universe")(),
        index_stocks=nifty_50(),
        seed=seed,
        profile=_named(PROFILES, profile, "profile"),
        calendar=calendar,
    )
    rows = made.rows
    keys = [instrument.key for instrument in made.instruments]
    origin: dict[str, Any] = {
        "source": "synthetic",
        "licence": "MIT",
        "date": day.isoformat(),
        "seed": seed,
        "universe": universe,
        "profile": profile,
        "content_sha256": content_hash(keys, [rows]),
    }
    _write_whole(path, lambda part: _write_table(_table(made, origin), part))
    written = path.read_bytes()
    manifest = Manifest(
        file=path.name,
        command=(
            f"odin-sim synth --date {day} --universe {universe} --profile {profile} "
            f"--seed {seed} -o {path.as_posix()}"
        ),
        rows=len(rows.ts),
        first=ist_rfc3339(int(rows.ts[0])),
        last=ist_rfc3339(int(rows.ts[-1])),
        size_bytes=len(written),
        sha256=hashlib.sha256(written).hexdigest(),
        writer=f"pyarrow {pa.__version__}",
        units={
            "ts": "milliseconds, Asia/Kolkata",
            **{name: _unit(name) for name in FIGURES},
        },
        **origin,
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    _write_whole(path.with_suffix(".json"), lambda part: part.write_bytes(text))
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file."""
    return msgspec.json.decode(path.read_bytes(), type=Manifest)


def content_hash(keys: Sequence[InstrumentKey], batches: Iterable[Batch]) -> str:
    """
    Return the SHA-256 of rows, whatever file or library holds them.

    It covers times, instruments and told figures, as little-endian 64-bit
    integers column by column; a figure that no row tells is left out.

    Args:
        keys: The instruments by the numbers in the batches.
        batches: The rows in order, cut anyhow.

    """
    segment_of = np.array([segment for segment, _ in keys], dtype=np.int64)
    token_of = np.array([token for _, token in keys], dtype=np.int64)
    columns: dict[str, Any] = {}
    told: set[str] = {"ts", "segment", "token"}
    for batch in batches:
        values = {
            "ts": batch.ts,
            "segment": segment_of[batch.instrument],
            "token": token_of[batch.instrument],
            **batch.figures,
        }
        for name, column in values.items():
            columns.setdefault(name, hashlib.sha256()).update(_little_endian(column))
        told.update(name for name, column in batch.figures.items() if (column != UNTOLD).any())
    lines = [f"{name} {columns[name].hexdigest()}\n" for name in sorted(told & columns.keys())]
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()


def recording_hash(recording: Recording) -> str:
    """Return the `content_hash` of all rows of a recording."""
    return content_hash(recording.keys, recording.batches(recording.start, recording.end + 1))


def _little_endian(values: Int64Array) -> bytes:
    return values.astype("<i8").tobytes()


def _named(choices: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in choices:
        raise ConfigError(f"{what} {name!r} found; one of {', '.join(sorted(choices))} expected")
    return choices[name]


def _unit(name: str) -> str:
    return "rupees" if BY_NAME[name].kind is Kind.PRICE else "shares"


def _table(made: MarketDay, origin: Mapping[str, Any]) -> Any:
    rows = made.rows
    symbols = [instrument.symbol for instrument in made.instruments]
    tokens = np.array([instrument.token for instrument in made.instruments], dtype=np.int32)
    none = np.zeros(len(rows.ts), dtype=np.int8)
    columns = {
        "ts": pa.array(rows.ts // _MS, type=pa.timestamp("ms", "Asia/Kolkata")),
        "symbol": pa.DictionaryArray.from_arrays(rows.instrument, symbols),
        "token": pa.array(tokens[rows.instrument]),
        "exchange": pa.DictionaryArray.from_arrays(none, ["NSE"]),
    }
    for name in FIGURES:
        values = rows.figures[name]
        is_price = BY_NAME[name].kind is Kind.PRICE
        columns[name] = pa.array(values / 100 if is_price else values, mask=values == UNTOLD)
    footer = msgspec.json.encode({**origin, "simulated": True})
    return pa.table(columns).replace_schema_metadata({METADATA_KEY: footer})


def _write_table(table: Any, path: Path) -> None:
    pq.write_table(
        table,
        path,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=9,
        use_dictionary=[name for name in table.column_names if name not in _ENCODINGS],
        column_encoding=_ENCODINGS,
    )


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file in the same folder, then give it its name."""
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
