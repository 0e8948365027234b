"""Files of instruments: recognised by their header however packed, refused when broken."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import InstrumentError
from streamer.instrument_parquet import write_parquet
from streamer.instrument_sources import open_source
from streamer.instruments import Instrument, InstrumentTable
from tests.streamer import instrument_samples as samples

BUNDLED = InstrumentTable.bundled()


def packed(data: bytes, how: str) -> bytes:
    """Pack bytes as a download would be."""
    if how == "gz":
        return gzip.compress(data)
    if how == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside.csv", data)
        return file.getvalue()
    return data


def read(path: Path) -> list[Instrument]:
    """Return the sound instruments of a file."""
    outcomes = [outcome for _, outcome in open_source(path).rows(BUNDLED)]
    return [each for each in outcomes if isinstance(each, Instrument)]


@pytest.mark.parametrize("how", ["plain", "gz", "zip"])
@pytest.mark.parametrize("kind", samples.EVERY_KIND)
def test_the_header_tells_the_kind_and_packing_does_not_matter(
    tmp_path: Path, kind: str, how: str
) -> None:
    """Every kind of list is recognised under a name that says nothing."""
    path = tmp_path / "download"
    path.write_bytes(packed(samples.EVERY_KIND[kind].encode(), how))
    source = open_source(path)
    assert source.kind == kind
    assert (1, 101) in [each.key for each in read(path)]


@pytest.mark.parametrize("kind", ["udiff", "kite", "own"])
def test_dos_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path, kind: str) -> None:
    """Files that went through a spreadsheet are read as well."""
    path = tmp_path / "download"
    plain = samples.EVERY_KIND[kind]
    path.write_bytes(b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode())
    before = tmp_path / "plain"
    before.write_text(plain)
    assert read(path) == read(before)


def test_a_parquet_file_of_ours_is_a_source(tmp_path: Path) -> None:
    """What was imported once can be imported again, with more."""
    path = tmp_path / "instruments.parquet"
    write_parquet(path, [samples.ALPHA], {})
    assert open_source(path).kind == "parquet"
    assert read(path) == [samples.ALPHA]


def test_names_in_a_code_page_of_windows_are_read(tmp_path: Path) -> None:
    """One company's name must not cost the whole list."""
    path = tmp_path / "security.csv"
    path.write_bytes(samples.MII.replace("ALPHA LIMITED", "ALPHA® LIMITED").encode("cp1252"))
    assert read(path)[0].name == "ALPHA® LIMITED"


def cut(text: str) -> bytes:
    """Return a download that ended early."""
    return text[: len(text) * 2 // 3].encode()


def two_files() -> bytes:
    """Return a zip of two files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", samples.MII)
        archive.writestr("b.csv", samples.MII)
    return file.getvalue()


BROKEN = {
    "empty": (b"", "it is empty", None),
    "blank": (b"\n \n# only this\n", "it is empty", None),
    "web page": (b"<!DOCTYPE html><html>Access Denied</html>", "it is a web page", None),
    "binary": (b"\x00\x01\x02", "byte 0 is 0", None),
    "cut gz": (gzip.compress(samples.MII.encode())[:-9], "its gzip is broken", None),
    "cut zip": (packed(samples.MII.encode(), "zip")[:-9], "its zip is broken", None),
    "zip of two": (two_files(), "it holds 2 files", None),
    "cut JSON": (cut(samples.ANGEL), "its JSON is broken", None),
    "empty JSON": (b"[]", "its array is empty", None),
    "other JSON": (b'[{"a": 1}]', "a JSON array with the keys a", None),
    "other CSV": (b"SYMBOL,PRICE\nALPHA,1\n", "the header SYMBOL, PRICE", None),
    "cut CSV": (cut(samples.UDIFF_NSE), "columns found", 3),
    "open quote": (b"\n".join([samples.MII.encode(), b'105,"X']), "unexpected end of data", 6),
    "twice": (
        samples.MII.replace("ParVal", "ISIN").encode(),
        "this column stands there twice",
        1,
    ),
}


@pytest.mark.parametrize(("data", "problem", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused(
    tmp_path: Path, data: bytes, problem: str, line: int | None
) -> None:
    """The error says what was found, where, and what was expected."""
    path = tmp_path / "download.csv"
    path.write_bytes(data)
    with pytest.raises(InstrumentError) as caught:
        read(path)
    error = caught.value
    assert problem in error.problem
    assert error.line == line
    assert error.expected
    assert str(error).startswith(str(path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The system's reason is passed on."""
    with pytest.raises(InstrumentError, match="No such file"):
        open_source(tmp_path / "none.csv")


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_refused_by_the_documented_error(data: bytes) -> None:
    """Any bytes are a list or an InstrumentError."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "garbage"
        path.write_bytes(data)
        with pytest.raises(InstrumentError):
            read(path)


@given(
    kind=st.sampled_from(sorted(samples.EVERY_KIND)),
    at=st.integers(0, 3000),
    instead=st.binary(max_size=3),
)
def test_a_damaged_list_is_refused_or_read_in_part(kind: str, at: int, instead: bytes) -> None:
    """No damage to a real list ends in another error."""
    data = samples.EVERY_KIND[kind].encode()
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "damaged"
        path.write_bytes(data[:at] + instead + data[at + 1 :])
        try:
            found = read(path)
        except InstrumentError:
            return
        assert all(each.token > 0 and each.symbol for each in found)
