"""
Writes the Parquet file of a recording, checked as it is written and sealed in the end.

What the columns and the footer say is the caller's business; the values go
through the same check as those of a file that is opened. Rows that fail it are
written all the same, for whoever can mend them, and the file gets no seal.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import pyarrow.parquet as pq

from simulator.decoding import BATCH_ROWS, Decoder, Tally
from simulator.identity import Identities
from simulator.seal import SEAL_KEY, Seal, Sealing, complete
from streamer.errors import RecordingError
from streamer.instruments import InstrumentTable

__all__ = ["ROW_GROUP_ROWS", "RecordingWriter"]

ROW_GROUP_ROWS = 32_768


class RecordingWriter:
    """
    A recording that is being written; a context manager whose regular end seals the file.

    Args:
        path: Of the file, which is replaced.
        schema: The Arrow schema. A row names its instrument by token, or by
            token and symbol.
        parquet: Options of `pyarrow.parquet.ParquetWriter`.

    Raises:
        OSError: If it cannot be written.

    """

    def __init__(self, path: Path, schema: Any, **parquet: Any) -> None:
        self._path = path
        self._identities = Identities(InstrumentTable(()))
        self._tally = Tally(Decoder(path, schema.names, self._identities))
        self._is_sound = True
        with ExitStack() as stack:
            self._sink = Sealing(stack.enter_context(path.open("wb")))
            self._writer = pq.ParquetWriter(self._sink, schema, **parquet)
            stack.enter_context(self._writer)
            self._stack = stack.pop_all()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None or not self._is_sound or not self._tally.rows:
            self._stack.close()
            return
        tally = self._tally
        seal = Seal(
            groups=tuple(self._sink.groups),
            days={day.isoformat(): rows for day, rows in sorted(tally.days.items())},
            names=self._identities.names,
            rows=tuple(tally.rows_of.tolist()),
        )
        with self._stack:
            self._writer.add_key_value_metadata({SEAL_KEY: msgspec.json.encode(seal)})
        complete(self._path)

    def write(self, rows: Any) -> None:
        """
        Write an Arrow table as a row group; an empty one is left out.

        Raises:
            OSError: If it cannot be written.

        """
        if not rows.num_rows:
            return
        self._writer.write_table(rows, row_group_size=rows.num_rows)
        if self._is_sound:
            self._check(rows)

    def _check(self, rows: Any) -> None:
        try:
            self._tally.take_group(len(self._sink.groups), rows.to_batches(BATCH_ROWS))
        except RecordingError:
            self._is_sound = False
            return
        group = self._tally.groups[-1]
        self._sink.end_group(group.first, group.last)
