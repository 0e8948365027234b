"""
The ledger: what a feed did, line by line, so that a test can hold it to account.

One JSON object a line, noted as it happens: in a file, or in memory, where only
the latest are kept. Each has ``n``, its number, from 1; ``real_s``, seconds
since the ledger was opened; ``time``, the feed's own in India; ``what``; and,
where it is about one, ``connection``, counted from 1:

- ``connected``, ``gone``
- ``logon``: ``user``, ``accepted``
- ``subscribe``, ``unsubscribe``: ``kind``, ``instruments``
- ``update``, ``state`` (the answer of a subscribe, or after a jump in time):
  ``segment``, ``token``, ``ltp`` (paise), ``volume``, ``ts`` (the row's, UNIX
  nanoseconds), all as recorded, and the ``faults`` that changed what was sent
- ``replaced``: an update that a slow connection never got, as a newer one of
  its instrument took its place
- ``lost``: an update that a fault swallowed, with its ``fault``
- ``fault``: ``fault`` as it was planned, ``phase``: ``begins``, ``ends``, or
  ``hits`` a connection
- ``begins``: the ledger was begun in memory while the feed ran; ``kept`` lines
  are. What follows tells the connections that are there.
- ``missing``: so many ``lines`` are not kept any more
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from simulator.spoiling import SentUpdate, faults_of
from streamer.errors import ConfigError
from streamer.ist import ist_rfc3339
from streamer.odin.tags import InstrumentKey

__all__ = ["KEPT", "Ledger"]

KEPT = 50_000
"""How many lines are kept in memory, a quarter of a kilobyte each."""

_BUFFER_BYTES = 1 << 16
# Where in the file every so manyth line begins is remembered.
_LINES_PER_MARK = 4096


class Ledger:
    """
    What happened, as lines that can be asked for.

    Args:
        path: A file that holds all of it; one that is there is replaced. None
            keeps the latest lines in memory.
        kept: How many lines are kept in memory.
        monotonic: Nanoseconds, for ``real_s``.

    Raises:
        ConfigError: If the file cannot be written.

    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        kept: int = KEPT,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.kept = kept
        self._path = path
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = path.open("wb", buffering=_BUFFER_BYTES)
            except OSError as error:
                raise ConfigError(
                    f"the ledger cannot be written to {path} ({error.strerror}); expected a"
                    " place for a file"
                ) from None
        self._monotonic = monotonic
        self._opened = monotonic()
        self._encode = msgspec.json.Encoder().encode
        self._number = 0
        self._size = 0
        self._marks: list[int] = []
        self._latest: deque[bytes] = deque(maxlen=kept)
        self._second = 0
        self._second_text = ""

    def note(self, what: str, second: int, connection: int | None = None, **more: Any) -> None:
        """
        Write a line.

        Args:
            what: As listed above.
            second: The feed's time, UNIX nanoseconds.
            connection: The number of the connection it is about.
            more: What belongs to it.

        """
        if second != self._second or not self._second_text:
            self._second, self._second_text = second, ist_rfc3339(second)
        self._number += 1
        line: dict[str, Any] = {
            "n": self._number,
            "real_s": (self._monotonic() - self._opened) / 1e9,
            "time": self._second_text,
            "what": what,
        }
        if connection is not None:
            line["connection"] = connection
        text = self._encode(line | more) + b"\n"
        if self._file is None:
            self._latest.append(text)
            return
        if self._number % _LINES_PER_MARK == 1:
            self._marks.append(self._size)
        self._size += len(text)
        self._file.write(text)

    def note_update(
        self, what: str, second: int, connection: int | None, update: SentUpdate, **more: Any
    ) -> None:
        """Write a line about an update."""
        segment, token = update.key
        self.note(
            what,
            second,
            connection,
            segment=segment,
            token=token,
            ltp=update.ltp,
            volume=update.touchline.volume,
            ts=update.ts,
            faults=faults_of(update),
            **more,
        )

    def note_interest(
        self,
        what: str,
        second: int,
        connection: int,
        kind: str,
        keys: Iterable[InstrumentKey],
    ) -> None:
        """Write a line about a change of subscriptions."""
        self.note(what, second, connection, kind=kind, instruments=list(keys))

    async def lines(self, after: int, limit: int) -> bytes:
        """
        Return the lines behind number ``after``, at most ``limit``.

        In memory, what is asked for and not kept any more is told by a line
        ``missing`` before the others.
        """
        if self._file is None:
            return self._latest_lines(after, limit)
        self.flush()
        count = min(limit, self._number - after)
        return await asyncio.to_thread(self._lines_of_file, after, count)

    def _latest_lines(self, after: int, limit: int) -> bytes:
        forgotten = self._number - len(self._latest)
        found = list(islice(self._latest, max(after - forgotten, 0), None))[:limit]
        if after < forgotten:
            gap = {"n": forgotten, "what": "missing", "lines": forgotten - after}
            found.insert(0, self._encode(gap) + b"\n")
        return b"".join(found)

    def _lines_of_file(self, after: int, count: int) -> bytes:
        if count <= 0 or self._path is None:
            return b""
        with self._path.open("rb") as file:
            file.seek(self._marks[after // _LINES_PER_MARK])
            skipped = after % _LINES_PER_MARK
            return b"".join(islice(file, skipped, skipped + count))

    def flush(self) -> None:
        """Have everything in the file that was noted."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Write what is left; idempotent."""
        if self._file is not None:
            self._file.close()
