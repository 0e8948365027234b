"""
A synthetic day as a file: the recording and, beside it, its manifest.

``write_day(path, day=..., seed=...)`` is what ``odin-sim synth`` does. What
happens on the day is `simulator.market`'s subject, how many stocks are made
with little memory `simulator.blocks`', what a recording looks like
`simulator.columns`'.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from simulator.blocks import Blocks, Made
from simulator.columns import BY_NAME, UNTOLD, Batch, Int64Array, Kind
from simulator.market import FIGURES, Market
from simulator.profiles import PROFILES, Halt, Profile
from simulator.recording import Recording
from simulator.recording_file import METADATA_KEY
from simulator.recording_writer import ROW_GROUP_ROWS, RecordingWriter
from simulator.timetables import timetable_of
from simulator.universe import Index, Stock, nifty_50
from simulator.universe_files import NAMED, universe_of
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.instruments import InstrumentTable
from streamer.ist import ist_rfc3339
from streamer.odin.tags import InstrumentKey

DEFECTS = ("none", "real")
"""Whether a day is as it should be, or has the late and stale rows of real feeds."""

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
        timetable: Which phases it has.
        defects: ``none``, or ``real``.
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
    timetable: str = "classic"
    defects: str = "none"


class Wanted(msgspec.Struct, frozen=True):
    """
    Which synthetic day is wanted; the same values make the same rows.

    Args:
        day: A day with an ordinary session.
        seed: 0 or more.
        universe: ``nifty50``, a number of stocks, or a file of symbols.
        profile: Which kind of day.
        timetable: By name; None for the one of the day.
        affects: Symbols of the stocks that something happens to on a day of
            the profile; empty: drawn by the seed.
        halt: Level and time of the market-wide halt, ``10@11:05``; None: the profile's.
        defects: ``none``, or ``real``.

    """

    day: date
    seed: int = 1
    universe: str = NAMED
    profile: str = "normal"
    timetable: str | None = None
    affects: tuple[str, ...] = ()
    halt: str | None = None
    defects: str = "none"

    @property
    def options(self) -> str:
        """The options of ``odin-sim synth`` that ask for it."""
        words = [f"--date {self.day} --universe {self.universe} --profile {self.profile}"]
        if self.timetable is not None:
            words.append(f"--timetable {self.timetable}")
        words += [f"--affects {symbol}" for symbol in self.affects]
        if self.halt is not None:
            words.append(f"--halt {self.halt}")
        if self.defects != "none":
            words.append(f"--defects {self.defects}")
        return " ".join([*words, f"--seed {self.seed}"])

    def market(self, stocks: Sequence[Stock]) -> Market:
        """
        Return the plan of the day.

        Args:
            stocks: Of its universe.

        Raises:
            ConfigError: If a name is unknown or does not go with another.

        """
        by_symbol = {stock.symbol: stock for stock in stocks}
        by_token = {stock.token: stock for stock in stocks}
        affected = None
        if self.affects:
            unknown = [symbol for symbol in self.affects if symbol not in by_symbol]
            if unknown:
                raise ConfigError(
                    f"affected stock {unknown[0]!r} found; one of the universe expected"
                )
            affected = tuple(by_symbol[symbol] for symbol in self.affects)
        market = Market(
            self.day,
            self.seed,
            self.kind(),
            timetable=self.timetable,
            affected=affected,
            # A file may tell other levels of a member; the indices go by them.
            members=tuple(by_token.get(stock.token, stock) for stock in nifty_50()),
            defects=_chosen(DEFECTS, self.defects, "defects") == "real",
        )
        missing = [s.symbol for s in market.affected_stocks() if s.symbol not in by_symbol]
        if missing:
            raise ConfigError(
                f"profile {self.profile} affects {missing[0]} by seed {self.seed}, which is not in "
                f"the universe; name {market.profile.affects} of its stocks with --affects"
            )
        return market

    def kind(self) -> Profile:
        """
        Return the kind of day.

        Raises:
            ConfigError: If there is none of that name, or no such halt on it.

        """
        profile = PROFILES[_chosen(PROFILES, self.profile, "profile")]
        if self.halt is None:
            return profile
        if profile.halt is None:
            raise ConfigError(f"profile {profile.name} has no halt; --halt goes with profile halt")
        level, _, at = self.halt.partition("@")
        hour, colon, minute = at.partition(":")
        if not (
            level.isdigit() and colon and len(hour + minute) == 4 and (hour + minute).isdigit()
        ):
            raise ConfigError(f"halt {self.halt!r} found; LEVEL@HH:MM expected, such as 10@11:05")
        return msgspec.structs.replace(profile, halt=Halt(int(level), at))


def write_day(
    path: Path,
    wanted: Wanted,
    *,
    workers: int = 1,
    made: Made | None = None,
    instruments: InstrumentTable | None = None,
    calendar: TradingCalendar | None = None,
) -> Manifest:
    """
    Make a synthetic day and write it to ``path``, its manifest beside it as ``.json``.

    Both files appear whole, under temporary names first; files that were there
    are replaced. Memory does not depend on the number of stocks.

    Args:
        path: The recording.
        wanted: Which day.
        workers: Processes that make it; they do not change a byte.
        made: Is told now and then how many stocks have been made, of how many.
        instruments: Knows the tokens of symbols; by default the bundled table.
        calendar: By default the one that comes with the server.

    Raises:
        ConfigError: If what is wanted cannot be made.
        OSError: If the files cannot be written.

    """
    stocks = universe_of(wanted.universe, instruments or InstrumentTable.bundled())
    market = wanted.market(stocks)
    market.check(calendar or TradingCalendar.bundled())
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        blocks = Blocks(market, stocks, Path(folder))
        blocks.make(workers, made)
        return _write(path, wanted, blocks)


def _write(path: Path, wanted: Wanted, blocks: Blocks) -> Manifest:
    origin: dict[str, Any] = {
        "source": "synthetic",
        "licence": "MIT",
        "date": wanted.day.isoformat(),
        "seed": wanted.seed,
        "universe": wanted.universe,
        "profile": wanted.profile,
    }
    # The footer precedes the rows, so these are merged twice; that is cheaper than to hold them.
    span = _Span()
    keys = [instrument.key for instrument in blocks.instruments]
    origin["content_sha256"] = content_hash(keys, span.of(blocks.rows()))
    more = {"timetable": wanted.timetable, "affects": list(wanted.affects), "halt": wanted.halt}
    more["defects"] = wanted.defects if wanted.defects != "none" else None
    footer = {**origin, **{name: value for name, value in more.items() if value}}
    write_recording(path, blocks, footer)
    manifest = Manifest(
        file=path.name,
        command=f"odin-sim synth {wanted.options} -o {path.as_posix()}",
        rows=span.rows,
        first=ist_rfc3339(span.first),
        last=ist_rfc3339(span.last),
        size_bytes=path.stat().st_size,
        sha256=_file_hash(path),
        writer=f"pyarrow {pa.__version__}",
        units={
            "ts": "milliseconds, Asia/Kolkata",
            **{name: _unit(name) for name in FIGURES},
        },
        timetable=timetable_of(wanted.day, wanted.timetable).name,
        defects=wanted.defects,
        **origin,
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    _write_whole(path.with_suffix(".json"), lambda part: part.write_bytes(text))
    return manifest


def write_recording(path: Path, blocks: Blocks, footer: Mapping[str, Any]) -> None:
    """
    Write the rows of a day to ``path``, which appears whole.

    Args:
        path: The recording.
        blocks: The day, made.
        footer: What the recording says of its origin.

    Raises:
        OSError: If the file cannot be written.

    """
    _write_whole(path, lambda part: _write_rows(blocks.rows(), blocks.instruments, footer, part))


class _Span:
    """Counts rows that pass, and remembers the first and the last time."""

    def __init__(self) -> None:
        self.rows = self.first = self.last = 0

    def of(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches."""
        for batch in batches:
            self.first = self.first or int(batch.ts[0])
            self.last = int(batch.ts[-1])
            self.rows += len(batch.ts)
            yield batch


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


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chosen(choices: Iterable[str], name: str, what: str) -> str:
    if name not in choices:
        raise ConfigError(f"{what} {name!r} found; one of {', '.join(choices)} expected")
    return name


def _unit(name: str) -> str:
    return "rupees" if BY_NAME[name].kind is Kind.PRICE else "shares"


def _write_rows(
    batches: Iterable[Batch],
    instruments: Sequence[Stock | Index],
    footer: Mapping[str, Any],
    path: Path,
) -> None:
    symbols = pa.array([instrument.symbol for instrument in instruments])
    tokens = np.array([instrument.token for instrument in instruments], dtype=np.int32)
    metadata = {METADATA_KEY: msgspec.json.encode({**footer, "simulated": True})}
    tables = (_table(batch, symbols, tokens) for batch in _in_row_groups(batches))
    first = next(tables)
    writer = RecordingWriter(
        path,
        first.schema.with_metadata(metadata),
        compression="zstd",
        compression_level=9,
        use_dictionary=[name for name in first.column_names if name not in _ENCODINGS],
        column_encoding=_ENCODINGS,
    )
    with writer:
        for table in chain([first], tables):
            writer.write(table)


def _in_row_groups(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the rows in batches of a row group's size, but for the last."""
    waiting: list[Batch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += len(batch.ts)
        while rows >= ROW_GROUP_ROWS:
            whole = _joined(waiting)
            yield whole.rows(slice(0, ROW_GROUP_ROWS))
            waiting = [whole.rows(slice(ROW_GROUP_ROWS, None))]
            rows -= ROW_GROUP_ROWS
    if rows:
        yield _joined(waiting)


def _joined(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch(
        np.concatenate([batch.ts for batch in batches]),
        np.concatenate([batch.instrument for batch in batches]),
        {name: np.concatenate([batch.figures[name] for batch in batches]) for name in FIGURES},
    )


def _table(rows: Batch, symbols: Any, tokens: Any) -> Any:
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
    return pa.table(columns)


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file in the same folder, then give it its name."""
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
