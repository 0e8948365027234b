"""
The exchanges' end-of-day files, each value checked where it stands.

A file is known by its header, whatever its name is: ``sec_bhavdata_full``, the
UDiFF and the older bhavcopies of NSE and BSE, ``CM_52_wk_High_low``, and of
NSE's PR archive ``pd`` and ``bc``. Each may come as it is, in a zip or
gzipped. The date comes from inside the file; from the name only where the
exchange wrote it nowhere else. docs/reference-data.md lists the files; what
follows from them is the subject of `streamer.reference`.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from streamer.eod_forms import FORMS, OTHERS, SERIES, Form
from streamer.eod_table import ActionRow, EodFile, OtherFile, Table, base_name
from streamer.errors import EodError

R = TypeVar("R")

MAX_BYTES: Final = 64 * 1024 * 1024
"""Larger files are refused unread; the exchanges' have less than one MiB."""

_LINES_BEFORE_HEADER: Final = 3


def load_eod_files(path: Path) -> list[EodFile | OtherFile]:
    """
    Read a file, or each file in an archive.

    In an archive with a file that is of use, others are passed over, whatever
    they are: NSE's PR archive is full of them.

    Raises:
        EodError: If it cannot be read, is of no known kind, or a line that
            would be kept is unusable. There is no half of a file.

    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise EodError(
            f"it cannot be read ({error.strerror or error})",
            expected="an end-of-day file of NSE or BSE",
            file=str(path),
        ) from error
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return [parse_eod_file(_unpacked(data, str(path)), file=str(path))]
    found: list[EodFile | OtherFile] = []
    unknown: list[EodError] = []
    for name, content in _members(data, str(path)):
        try:
            found.append(parse_eod_file(content, file=f"{path}:{name}"))
        except _UnknownFileError as error:
            unknown.append(error)
    if not found:
        raise next(
            iter(unknown),
            EodError("found an empty archive", expected="an end-of-day file", file=str(path)),
        )
    return [*found, *(OtherFile("unknown", base_name(error.file)) for error in unknown)]


def parse_eod_file(data: bytes, *, file: str) -> EodFile | OtherFile:
    """
    Read one file, unpacked; ``file`` names it in errors, and dates it where nothing else does.

    Raises:
        EodError: As `load_eod_files` does.

    """
    if len(data) > MAX_BYTES:
        raise EodError(
            f"it has more than {MAX_BYTES >> 20} MiB",
            expected="an end-of-day file, which has less than one",
            file=file,
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Names of companies in the encoding of an old machine; symbols are ASCII.
        text = data.decode("latin-1")
    form, table = _read(text, file)
    if isinstance(form, str):
        return OtherFile(form, base_name(file))
    content = form.read(table)
    if not content.rows:
        raise EodError(
            "no row of shares found",
            expected=f"rows of the series {', '.join(SERIES)}, or of BSE's groups",
            file=file,
        )
    return msgspec.structs.replace(
        content,
        name=base_name(file),
        sha256=hashlib.sha256(data).hexdigest(),
        bars=_each_once(content.bars, ("symbol", "series", "token"), file),
        ranges=_each_once(content.ranges, ("symbol", "series"), file),
        actions=_each_once(content.actions, ActionRow.__struct_fields__, file),
    )


def _each_once(rows: Iterable[R], names: tuple[str, ...], file: str) -> tuple[R, ...]:
    """Return the rows without repetitions; two that say different things of one are refused."""
    found: dict[tuple[object, ...], R] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in names)
        if found.setdefault(key, row) != row:
            raise EodError(
                f"{' '.join(map(str, key))} stands there twice, with different figures",
                expected="each instrument once",
                file=file,
            )
    return tuple(found.values())


class _UnknownFileError(EodError):
    """A file whose header is none that we know."""


def _read(text: str, file: str) -> tuple[Form | str, Table]:
    """Return what a file is, and its rows."""
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise _UnknownFileError("it is empty", expected=_known(), file=file)
    # The 52-week file has two lines of words above its header.
    for number, line in enumerate(lines[: _LINES_BEFORE_HEADER + 1]):
        cells = _cells(line, number + 1, file)
        columns = {cell.upper(): place for place, cell in enumerate(cells) if cell}
        for form in FORMS:
            if columns.keys() >= {column.upper() for column in form.columns}:
                places = {column: columns[column.upper()] for column in form.columns}
                rows = list(_rows(lines, number + 1, cells, file))
                return form, Table(file, "\n".join(lines[:number]), places, rows)
        for other, names in OTHERS.items():
            if columns.keys() >= set(names):
                return other, Table(file, "", {}, [])
    header = _cells(lines[0], 1, file)
    raise _UnknownFileError(
        f"found no known header ({_near(lines[0], header)})", expected=_known(), file=file, line=1
    )


def _cells(line: str, number: int, file: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error as error:
        raise EodError(str(error), expected="a line of CSV", file=file, line=number) from error


def _rows(
    lines: list[str], start: int, header: list[str], file: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line with the number of the line; blanks around cells are cut."""
    width = len(header)
    reader = csv.reader(lines[start:], strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise EodError(
                str(error), expected="a line of CSV", file=file, line=start + reader.line_num
            ) from error
        if cells is None:
            return
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        line = start + reader.line_num
        # Some files end each line with a comma that their header has not, or the other way round.
        if len(cells) == width + 1 and not cells[-1]:
            cells.pop()
        elif len(cells) == width - 1 and not header[-1]:
            cells.append("")
        if len(cells) != width:
            raise EodError(
                f"{len(cells)} columns found",
                expected=f"{width}, as in the header",
                file=file,
                line=line,
            )
        yield line, cells


def _unpacked(data: bytes, file: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise EodError(
            f"it cannot be unpacked ({error})", expected="a whole gzip file", file=file
        ) from error


def _members(data: bytes, file: str) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    with archive.open(entry) as stream:
                        yield entry.filename, stream.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError) as error:
        raise EodError(
            f"it cannot be unpacked ({error})", expected="a whole zip file", file=file
        ) from error


def _known() -> str:
    names = list(dict.fromkeys(form.name for form in FORMS))
    return f"the header of one of {', '.join(names)}"


def _near(line: str, header: Sequence[str]) -> str:
    """Return what is there in place of a header: what a near one lacks, or how it begins."""
    columns = {cell.upper() for cell in header}
    form = max(FORMS, key=lambda form: sum(column.upper() in columns for column in form.columns))
    lacking = [column for column in form.columns if column.upper() not in columns]
    if len(lacking) * 2 <= len(form.columns):
        return f"nearly that of {form.name}, without {', '.join(lacking)}"
    return f"it begins {line[:40]!r}"
