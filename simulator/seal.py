"""
The seal of a recording: what checking all of its rows has found, kept in its footer.

A file whose seal is intact is opened without reading its rows. It is intact
while the footer is, byte for byte, the one that was written, sizes, places and
statistics of all columns included; whoever writes the file anew writes another.
Each row group has a checksum besides, for whoever reads it. Writing is
`simulator.recording_writer`'s subject, and what a seal spares a reader is
`simulator.recording_file`'s.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["SEAL_KEY", "Seal", "SealedGroup", "Sealing", "complete", "intact"]

SEAL_KEY: Final = "odin-streamer-seal"
"""The footer entry, a JSON object."""

VERSION: Final = 1
"""Of the seal, and of what a check refuses: with another one the rows have to be checked again."""

_BLANK: Final = b"0" * 64
_TAIL: Final = 8  # Length of the footer, magic.
_MAGIC: Final = b"PAR1"


class SealedGroup(NamedTuple):
    """
    One row group.

    Args:
        end: Where its bytes end in the file; they begin where those before it end.
        crc32: Of its bytes.
        first: Time of its first row, UNIX nanoseconds.
        last: Time of its last row.

    """

    end: int
    crc32: int
    first: int
    last: int


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is known of a file without reading its rows.

    Args:
        version: `VERSION`, when it was written.
        footer_sha256: Of the footer, with 64 zeros in place of this figure.
        groups: Its row groups.
        days: The days in India that have rows, and how many.
        names: What the rows call their instruments: token, symbol, exchange
            and segment, in the order of first rows.
        rows: How many each instrument has, in the same order.

    """

    version: int = VERSION
    footer_sha256: str = _BLANK.decode()
    groups: tuple[SealedGroup, ...]
    days: dict[str, int]
    names: tuple[tuple[Any, Any, Any, Any], ...]
    rows: tuple[int, ...]


class Sealing(io.RawIOBase):
    """A file that is being written, and the checksums of its row groups."""

    def __init__(self, file: IO[bytes]) -> None:
        self.groups: list[SealedGroup] = []
        self._file = file
        self._crc32 = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return how much has been written."""
        return self._file.tell()

    def write(self, data: ReadableBuffer) -> int:
        """Write all of it."""
        self._crc32 = zlib.crc32(data, self._crc32)
        return self._file.write(data)

    def end_group(self, first: int, last: int) -> None:
        """Take what was written since the last call for a row group with these times."""
        self.groups.append(SealedGroup(self.tell(), self._crc32, first, last))
        self._crc32 = 0


def complete(path: Path) -> None:
    """Put its checksum into the footer of a file that has a seal without one."""
    with path.open("r+b") as file:
        start, footer = _footer_of(file)
        digest = hashlib.sha256(footer).hexdigest()
        file.seek(start)
        file.write(footer.replace(_quoted(_BLANK), _quoted(digest.encode()), 1))


def intact(path: Path, metadata: Mapping[bytes, bytes] | None) -> Seal | None:
    """
    Return the seal of a file; None if it has none, or one that is not intact.

    Args:
        path: The file.
        metadata: The entries of its footer.

    """
    text = (metadata or {}).get(SEAL_KEY.encode())
    if text is None:
        return None
    try:
        seal = msgspec.json.decode(text, type=Seal)
    except msgspec.MsgspecError:
        return None
    if seal.version != VERSION:
        return None
    with path.open("rb") as file:
        _, footer = _footer_of(file)
    blank = footer.replace(_quoted(seal.footer_sha256.encode()), _quoted(_BLANK))
    return seal if hashlib.sha256(blank).hexdigest() == seal.footer_sha256 else None


def _quoted(digest: bytes) -> bytes:
    return b'"footer_sha256":"' + digest + b'"'


def _footer_of(file: IO[bytes]) -> tuple[int, bytes]:
    """Return where the footer of a Parquet file begins, and the footer."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    start = size - _TAIL - int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or start < 0:
        return size, b""
    file.seek(start)
    return start, file.read(size - _TAIL - start)
