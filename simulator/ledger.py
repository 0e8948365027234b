"""
The ledger: what a feed did, line by line, so that a test can hold it to account.

One JSON object a line, written as it happens. Each has ``real_s``, seconds
since the ledger was opened; ``time``, the feed's own in India; ``what``; and,
where it is about one, ``connection``, counted from 1:

- ``connected``, ``gone``
- ``logon``: ``user``, ``accepted``
- ``subscribe``, ``unsubscribe``: ``kind``, ``instruments``
- ``update``, ``state`` (the answer of a subscribe, or after a jump in time):
  ``segment``, ``token``, ``ltp`` (paise), ``ts`` (the row's, UNIX
  nanoseconds), ``faults`` that made it what it is
- ``lost``: an update that a fault swallowed, with its ``fault``
- ``fault``: ``fault`` as it was planned, ``phase``: ``begins``, ``ends``, or
  ``hits`` a connection
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from simulator.spoiling import SentUpdate, faults_of
from streamer.errors import ConfigError
from streamer.ist import ist_rfc3339
from streamer.odin.tags import InstrumentKey

__all__ = ["Ledger"]

_BUFFER_BYTES = 1 << 16


class Ledger:
    """
    A file that is written as things happen; nothing of it is kept in memory.

    Args:
        path: Where; a file that is there is replaced.
        monotonic: Nanoseconds, for ``real_s``.

    Raises:
        ConfigError: If the file cannot be written.

    """

    def __init__(self, path: Path, *, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        try:
            self._file = path.open("wb", buffering=_BUFFER_BYTES)
        except OSError as error:
            raise ConfigError(
                f"the ledger cannot be written to {path} ({error.strerror}); expected a place"
                " for a file"
            ) from None
        self._monotonic = monotonic
        self._opened = monotonic()
        self._encode = msgspec.json.Encoder().encode
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
        line: dict[str, Any] = {
            "real_s": (self._monotonic() - self._opened) / 1e9,
            "time": self._second_text,
            "what": what,
        }
        if connection is not None:
            line["connection"] = connection
        self._file.write(self._encode(line | more) + b"\n")

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

    def flush(self) -> None:
        """Have everything in the file that was noted."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left; idempotent."""
        self._file.close()
