"""
A file of instruments from disk, opened and recognised: plain, gz or zip, CSV or JSON.

What it is told by is its header, never its name. A file that is broken as a
whole (cut off, no text, a web page in its place, a line with too few columns)
is refused here; what its rows mean is `streamer.instrument_masters`' business.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from streamer.errors import InstrumentError
from streamer.instrument_files import is_own_header, own_rows, read_own_row
from streamer.instrument_masters import MASTERS, Master, Reading, recognise
from streamer.instrument_parquet import TITLE as PARQUET_TITLE
from streamer.instrument_parquet import is_parquet, load_parquet
from streamer.instrument_rows import Row
from streamer.instruments import Instrument, InstrumentTable

OWN_TITLE: Final = "instrument file of this server"

MAX_BYTES: Final = 2**30
"""The largest file, unpacked: the largest that brokers publish have some 50 MB."""

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_MAX_WRAPPINGS: Final = 2


Outcome = tuple[Row, Reading | InstrumentError]


class Source(msgspec.Struct, frozen=True):
    """
    A recognised file.

    Args:
        file: Its path, as errors name it.
        kind: The kind of list, for programs; ``title`` for people.
        title: See ``kind``.
        sha256: Of the file as it is on disk.
        rows: Yields each row with what it is, or why it cannot be used, given
            the indices that are known; raises InstrumentError at a line that
            shows that the file is broken.

    """

    file: str
    kind: str
    title: str
    sha256: str
    rows: Callable[[InstrumentTable], Iterator[Outcome]]


def open_source(path: Path) -> Source:
    """
    Return a file of instruments, recognised by its header.

    Raises:
        InstrumentError: If it cannot be read, is broken, or is of no known kind.
            Lines below the header are looked at when ``rows`` gets there.

    """
    file = str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InstrumentError(
            f"it cannot be read ({error.strerror or error})",
            expected="a file of instruments",
            file=file,
        ) from error
    sha256 = hashlib.sha256(raw).hexdigest()
    if is_parquet(raw):
        instruments = load_parquet(path)
        return Source(file, "parquet", PARQUET_TITLE, sha256, lambda _: _as_read(file, instruments))
    data = _unwrapped(raw, file)
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in (b"[", b"{"):
        items = _items(data, file)
        master = recognise(items[0].keys(), is_json=True)
        if master is None:
            raise _unknown(f"a JSON array with the keys {_shortened(items[0].keys())}", file)
        return Source(
            file,
            master.name,
            master.title,
            sha256,
            _reading(lambda: _json_rows(file, master, items), master.read),
        )
    text = _text(data, file)
    header = _first_line(text, file)
    found = recognise(header, is_json=False)
    if found is not None:
        rows = _reading(lambda: _csv_rows(file, found, text), found.read)
        return Source(file, found.name, found.title, sha256, rows)
    if is_own_header(header):
        rows = _reading(lambda: own_rows(text, file=file), lambda row, _: read_own_row(row))
        return Source(file, "own", OWN_TITLE, sha256, rows)
    raise _unknown(f"the header {_shortened(header)}", file)


def _unwrapped(data: bytes, file: str) -> bytes:
    for _ in range(_MAX_WRAPPINGS):
        if data.startswith(_GZIP):
            data = _gunzipped(data, file)
        elif data.startswith(_ZIP):
            data = _unzipped(data, file)
    return data


def _gunzipped(data: bytes, file: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as packed:
            unpacked = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InstrumentError(
            f"its gzip is broken ({error})", expected="the whole file; download it again", file=file
        ) from error
    return _bounded(unpacked, file)


def _unzipped(data: bytes, file: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
            if len(names) != 1:
                raise InstrumentError(
                    f"it holds {len(names)} files", expected="a zip of one file", file=file
                )
            with archive.open(names[0]) as packed:
                unpacked = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InstrumentError(
            f"its zip is broken ({error})", expected="the whole file; download it again", file=file
        ) from error
    return _bounded(unpacked, file)


def _bounded(data: bytes, file: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise InstrumentError(
            "it is larger when unpacked", expected=f"up to {MAX_BYTES:,} bytes", file=file
        )
    return data


def _text(data: bytes, file: str) -> str:
    if b"\0" in data:
        place = data.index(b"\0")
        raise InstrumentError(f"byte {place} is 0", expected="a text: CSV or JSON", file=file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Some lists have company names in the code page of Windows. Symbols are
        # ASCII in either.
        return data.decode("cp1252", "replace")


def _first_line(text: str, file: str) -> list[str]:
    """Return the cells of the first line that is neither empty nor a comment."""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
            raise InstrumentError(
                "it is a web page",
                expected="the file itself; the site may have refused to give it",
                file=file,
            )
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
    raise InstrumentError(
        "it is empty", expected="a header and a line for each instrument", file=file
    )


def _items(data: bytes, file: str) -> list[dict[str, object]]:
    try:
        items = msgspec.json.decode(data, type=list[dict[str, object]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InstrumentError(
            f"its JSON is broken ({error})",
            expected="the whole file, an array of objects; download it again",
            file=file,
        ) from error
    if not items:
        raise InstrumentError("its array is empty", expected="an object for each one", file=file)
    return items


def _json_rows(file: str, master: Master, items: list[dict[str, object]]) -> Iterator[Row]:
    missing = dict.fromkeys(master.columns + master.optional, "")
    for number, item in enumerate(items, 1):
        cells = {name: "" if each is None else str(each).strip() for name, each in item.items()}
        yield Row(file, number, missing | cells, unit="item")


def _csv_rows(file: str, master: Master, text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    header: list[str] | None = None
    missing = dict.fromkeys(master.optional, "")
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InstrumentError(
                str(error), expected="a line of CSV", file=file, line=reader.line_num
            ) from error
        if cells is None:
            return
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if header is None:
            header = cells
            _refuse_twice(header, file, reader.line_num)
            continue
        # Some lists end each line with a comma, but not the header, or the reverse.
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if len(cells) < len(header) - (not header[-1]) or len(cells) > len(header):
            raise InstrumentError(
                f"{len(cells)} columns found",
                expected=f"{len(header)}, as in the header; is the file cut off?",
                file=file,
                line=reader.line_num,
                column=header[min(len(cells), len(header) - 1)],
                value=cells[-1],
            )
        yield Row(file, reader.line_num, missing | dict(zip(header, cells, strict=False)))


def _refuse_twice(header: list[str], file: str, line: int) -> None:
    for place, name in enumerate(header):
        if name and name in header[:place]:
            raise InstrumentError(
                "this column stands there twice",
                expected="each column once",
                file=file,
                line=line,
                column=name,
            )


def _reading(
    rows: Callable[[], Iterator[Row]], read: Callable[[Row, InstrumentTable], Reading]
) -> Callable[[InstrumentTable], Iterator[Outcome]]:
    """Return what reads rows one by one, and goes on after one that cannot be used."""

    def outcomes(known: InstrumentTable) -> Iterator[Outcome]:
        for row in rows():
            try:
                yield row, read(row, known)
            except InstrumentError as error:
                yield row, error

    return outcomes


def _as_read(file: str, instruments: list[Instrument]) -> Iterator[Outcome]:
    for number, instrument in enumerate(instruments, 1):
        yield Row(file, number, {"token": str(instrument.token)}, unit="row"), instrument


def _unknown(found: str, file: str) -> InstrumentError:
    kinds = [*(master.title for master in MASTERS), OWN_TITLE, PARQUET_TITLE]
    return InstrumentError(
        f"{found} is that of no list we know", expected=f"any of: {', '.join(kinds)}", file=file
    )


def _shortened(names: Iterable[str]) -> str:
    text = ", ".join(names)
    return f"{text[:120]}…" if len(text) > 120 else text
