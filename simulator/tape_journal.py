"""
The journal of a recorder, and how it becomes a Parquet file.

While a recorder runs, the rows of the present file go to a journal beside it:
an Arrow stream, to which each flush appends one batch and makes it durable.
Whatever ends the recorder, all but the last batch can be read. A journal that
is whole is turned into the Parquet file of its name: written under a temporary
name, made durable, given its name; only then the journal goes. A journal in a
folder that no recorder holds is what a killed one left, and `recover` does the
same for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.columns import UNTOLD, Batch, Int64Array
from simulator.recording_file import METADATA_KEY
from simulator.recording_writer import ROW_GROUP_ROWS, RecordingWriter
from simulator.synth import content_hash
from simulator.transcript import PRICES, QUANTITIES, ROW, Gap, Row
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError, RecordingError
from streamer.ist import ist_clock, ist_date, ist_rfc3339
from streamer.odin.tags import InstrumentKey

try:
    import fcntl
except ImportError:  # Windows has no flock: there, no folder is held.
    fcntl = None  # type: ignore[assignment]

SUFFIX: Final = ".journal"
ZONE: Final = "Asia/Kolkata"

_ORIGIN_KEY: Final = b"origin"
_GAPS_KEY: Final = b"gaps"
_MAX_NUMBER: Final = 9999
_SCHEMA: Final = pa.schema([(name, pa.int64()) for name in ROW])


class Origin(msgspec.Struct, frozen=True):
    """
    Where the rows of a journal come from.

    Args:
        feed: Host and port.
        simulated: Whether the feed said that it is a simulator.
        software: What recorded it.
        began: When this run of the recorder began, by the machine.
        asked: How many instruments were subscribed.
        symbols: For each instrument segment, token, symbol and exchange.

    """

    feed: str
    simulated: bool
    software: str
    began: str
    asked: int
    symbols: tuple[tuple[int, int, str, str], ...]


class Journal:
    """A journal that is being written; made by :meth:`create`."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self.path = path
        self._file = path.open("xb")
        metadata = {_ORIGIN_KEY: msgspec.json.encode(origin)}
        self._stream = pa.ipc.new_stream(self._file, _SCHEMA.with_metadata(metadata))
        _sync_folder(path.parent)

    @classmethod
    def create(cls, folder: Path, origin: Origin, first: int) -> Journal:
        """
        Begin the journal of a file whose window begins at ``first``.

        Its name is ``YYYYMMDD-HHMM-NN``, NN counting the files of that window.

        Raises:
            OSError: If it cannot be made.

        """
        stem = f"{ist_date(first):%Y%m%d}-{ist_clock(first)[:5].replace(':', '')}"
        for number in range(1, _MAX_NUMBER):
            path = folder / f"{stem}-{number:02d}{SUFFIX}"
            if not parquet_of(path).exists():
                with suppress(FileExistsError):
                    return cls(path, origin)
        raise FileExistsError(f"{folder}: all names of {stem} are taken")

    def append(self, rows: Sequence[Row], gaps: Sequence[Gap]) -> None:
        """Make rows, and the gaps before or between them, durable."""
        columns = np.array(rows, dtype=np.int64).reshape(-1, len(ROW)).T
        batch = pa.record_batch([pa.array(column) for column in columns], schema=_SCHEMA)
        noted = {_GAPS_KEY: msgspec.json.encode(gaps)} if gaps else None
        self._stream.write_batch(batch, custom_metadata=noted)
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, ended: str) -> Path:
        """Turn the journal into its Parquet file; return that."""
        self._stream.close()
        self._file.flush()
        try:
            return to_parquet(self.path, parquet_of(self.path), ended)
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the journal as it is; calling it again does nothing."""
        self._file.close()


class JournalContent:
    """
    What a journal holds, as far as it is whole.

    Raises:
        RecordingError: If it is no journal, or has not even a beginning.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gaps: list[Gap] = []
        """Complete after the batches have been read."""
        try:
            with path.open("rb") as file:
                schema = pa.ipc.open_stream(file).schema
            self.origin = msgspec.json.decode(schema.metadata[_ORIGIN_KEY], type=Origin)
        except FileNotFoundError:
            raise self._error("there is no such file") from None
        except (pa.ArrowException, OSError, KeyError, TypeError, msgspec.MsgspecError):
            raise self._error("the file is no journal, or ends before its first row") from None
        if schema.names != list(ROW):
            raise self._error("the journal is one of another version")

    def batches(self) -> Iterator[Any]:
        """Yield the Arrow batches up to the first that is torn."""
        self.gaps.clear()
        with self.path.open("rb") as file:
            stream = pa.ipc.open_stream(file)
            while True:
                try:
                    batch, noted = stream.read_next_batch_with_custom_metadata()
                except (StopIteration, pa.ArrowException, OSError):
                    return
                if noted is not None:
                    self.gaps += msgspec.json.decode(dict(noted)[_GAPS_KEY], type=list[Gap])
                if batch.num_rows:
                    yield batch

    def _error(self, problem: str) -> RecordingError:
        return RecordingError(problem, expected="a journal of a recorder", file=str(self.path))


def parquet_of(journal: Path) -> Path:
    """Return the Parquet file that a journal becomes."""
    return journal.with_suffix(".parquet")


def to_parquet(journal: Path, path: Path, ended: str) -> Path:
    """
    Write the rows of a journal as a recording, and remove the journal.

    Args:
        journal: Whole, or torn at its end.
        path: Appears whole; a file of that name is replaced.
        ended: Why there are no more rows, for the footer.

    Raises:
        RecordingError: If the journal holds no row.
        OSError: If the file cannot be written; the journal stays.

    """
    content = JournalContent(journal)
    footer = _footer(content, ended)
    part = path.with_name(f".{path.name}.tmp")
    _write(content, footer, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    _sync_folder(path.parent)
    journal.unlink()
    return path


class FolderHold:
    """
    A folder that one recorder has for itself, until it is released or its process ends.

    Raises:
        ConfigError: If another process has it.
        OSError: If the folder cannot be opened.

    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else -1
        if fcntl is None:
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise ConfigError(
                f"another recorder writes to {folder}; expected a folder of its own for each"
            ) from None

    def release(self) -> None:
        """Let others have the folder; calling it again does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def leftovers(folder: Path) -> list[Path]:
    """Return the journals of killed recorders, in the order of names; none while one runs."""
    journals = sorted(folder.glob(f"*{SUFFIX}"))
    if not journals:
        return []
    try:
        FolderHold(folder).release()
    except ConfigError:
        return []
    return journals


def recover(folder: Path) -> list[tuple[Path, int]]:
    """
    Turn what killed recorders left in a folder into recordings.

    The folder is the caller's, see `FolderHold`. Journals without a row are
    removed.

    Returns:
        The files, with their rows.

    Raises:
        OSError: If a file cannot be written.

    """
    made = []
    for journal in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            path = to_parquet(journal, parquet_of(journal), "killed")
        except RecordingError:
            # Rows come behind the beginning: what has none holds nothing to lose.
            journal.unlink()
            continue
        made.append((path, pq.ParquetFile(path).metadata.num_rows))
    return made


def _footer(content: JournalContent, ended: str) -> bytes:
    rows, first, last = 0, 0, 0
    keys: dict[InstrumentKey, int] = {}

    def batches() -> Iterator[Batch]:
        nonlocal rows, first, last
        for arrow in content.batches():
            batch = _numbered(arrow, keys)
            first = first or int(batch.ts[0])
            last = int(batch.ts[-1])
            rows += len(batch.ts)
            yield batch

    # The instruments are numbered while the rows are read, so they come first.
    for arrow in content.batches():
        _numbered(arrow, keys)
    digest = content_hash(list(keys), batches())
    if not rows:
        raise RecordingError(
            "the journal holds no row", expected="a row or more", file=str(content.path)
        )
    origin = content.origin
    calendar = TradingCalendar.bundled()
    day = calendar.day(ist_date(first))
    return msgspec.json.encode(
        {
            "source": "recorded",
            "simulated": origin.simulated,
            "feed": origin.feed,
            "software": origin.software,
            "began": origin.began,
            "instruments_asked": origin.asked,
            "zone": ZONE,
            "resolution": "1 s",
            "calendar": {
                "coverage": [each.isoformat() for each in calendar.coverage],
                "date": day.date.isoformat(),
                "hours": day.hours or "closed",
            },
            "rows": rows,
            "first": ist_rfc3339(first),
            "last": ist_rfc3339(last),
            "content_sha256": digest,
            "ended": ended,
            "gaps": [
                {
                    "after": ist_rfc3339(gap.after) if gap.after else None,
                    "before": ist_rfc3339(gap.before),
                    "why": gap.why,
                }
                for gap in content.gaps
            ],
        }
    )


def _numbered(arrow: Any, keys: dict[InstrumentKey, int]) -> Batch:
    """Return a batch of a journal with its instruments numbered; new ones get new numbers."""
    columns = {name: arrow.column(name).to_numpy() for name in ROW}
    pairs = zip(columns["segment"].tolist(), columns["token"].tolist(), strict=True)
    numbers = np.array([keys.setdefault(key, len(keys)) for key in pairs], dtype=np.int32)
    figures = {name: columns[name] for name in (*PRICES, *QUANTITIES)}
    return Batch(columns["ts"], numbers, figures)


def _write(content: JournalContent, footer: bytes, path: Path) -> None:
    """Write all rows as Parquet, a row group at a time."""
    symbols = {(segment, token): rest for segment, token, *rest in content.origin.symbols}
    schema = _parquet_schema().with_metadata({METADATA_KEY.encode(): footer})
    waiting: list[Any] = []
    rows = 0
    with RecordingWriter(path, schema, compression="zstd") as writer:
        for arrow in content.batches():
            waiting.append(arrow)
            rows += arrow.num_rows
            if rows >= ROW_GROUP_ROWS:
                writer.write(_told(waiting, symbols, schema))
                waiting, rows = [], 0
        if waiting:
            writer.write(_told(waiting, symbols, schema))


def _parquet_schema() -> Any:
    names = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("ts", pa.timestamp("ms", ZONE)),
            ("symbol", names),
            ("token", pa.int32()),
            ("exchange", names),
            *((name, pa.float64()) for name in PRICES),
            *((name, pa.int64()) for name in QUANTITIES),
        ]
    )


def _told(
    batches: Sequence[Any], symbols: Mapping[InstrumentKey, Sequence[str]], schema: Any
) -> Any:
    """Return the rows of a journal as a recording has them."""
    table = pa.Table.from_batches(batches)
    columns: dict[str, Int64Array] = {name: table.column(name).to_numpy() for name in ROW}
    names = [
        symbols[key]
        for key in zip(columns["segment"].tolist(), columns["token"].tolist(), strict=True)
    ]
    told = {
        "ts": pa.array(columns["ts"] // 1_000_000, pa.timestamp("ms", ZONE)),
        "symbol": pa.array([symbol for symbol, _ in names]).dictionary_encode(),
        "token": pa.array(columns["token"], pa.int32()),
        "exchange": pa.array([exchange for _, exchange in names]).dictionary_encode(),
    }
    for name in PRICES:
        told[name] = pa.array(columns[name] / 100, mask=columns[name] == UNTOLD)
    for name in QUANTITIES:
        told[name] = pa.array(columns[name], mask=columns[name] == UNTOLD)
    return pa.table(told, schema=schema)


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
