"""End-of-day files: known by their header, unpacked, refused where they are broken."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.eod_files import load_eod_files, parse_eod_file
from streamer.eod_table import EodFile, OtherFile
from streamer.errors import EodError
from tests.streamer import eod_samples as samples

DAY = date(2025, 12, 17)
SBIN = (965.0, 970.5, 960.05, 967.4, 5_000_000)
FULL = samples.full(DAY, {"SBIN": SBIN, "TCS": SBIN})


def written(folder: Path, name: str, content: bytes) -> Path:
    """Return the path of a file with this content."""
    path = folder / name
    path.write_bytes(content)
    return path


def test_packing_changes_nothing_but_the_packet(tmp_path: Path) -> None:
    """Plain, gzip and zip give the same content with the same hash: that of the file inside."""
    [plain] = load_eod_files(written(tmp_path, "a.csv", FULL))
    [gz] = load_eod_files(written(tmp_path, "a.csv.gz", samples.gzipped(FULL)))
    [zipped] = load_eod_files(written(tmp_path, "b.bin", samples.zipped({"a.csv": FULL})))
    assert isinstance(plain, EodFile)
    assert plain == zipped
    assert isinstance(gz, EodFile)
    assert (gz.bars, gz.sha256) == (plain.bars, plain.sha256)
    assert plain.sha256 == hashlib.sha256(FULL).hexdigest()
    assert plain.name == "a.csv"


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    """The header says what it is."""
    [found] = load_eod_files(written(tmp_path, "hl.txt", FULL))
    assert isinstance(found, EodFile)
    assert found.kind == "sec_bhavdata_full"


def test_of_an_archive_what_is_of_use_is_taken(tmp_path: Path) -> None:
    """NSE's PR archive holds a dozen files; the others are named and passed over."""
    archive = samples.zipped(
        {
            "PR/bc17122025.csv": samples.bc([("SBIN", DAY, "BONUS 1:1")]),
            "hl17122025.csv": b"SECURITY,NEW,PREVIOUS,NEW_STATUS\nX,1,2,H\n",
            "Readme.txt": b"These files are described elsewhere.\n",
            "empty.csv": b"",
        }
    )
    found = load_eod_files(written(tmp_path, "PR171225.zip", archive))
    assert [each.name for each in found if isinstance(each, EodFile)] == ["bc17122025.csv"]
    assert [(each.kind, each.name) for each in found if isinstance(each, OtherFile)] == [
        ("hl", "hl17122025.csv"),
        ("unknown", "Readme.txt"),
        ("unknown", "empty.csv"),
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"Exchange,Token,LotSize\nNSE,3045,1\n", "it begins 'Exchange,Token,LotSize'"),
        (
            FULL.replace(b"CLOSE_PRICE", b"CLOSING"),
            "nearly that of sec_bhavdata_full, without CLOSE_PRICE",
        ),
        (samples.zipped({"a.txt": b"hello\n"}), "it begins 'hello'"),
        (samples.zipped({}), "found an empty archive"),
        (samples.gzipped(FULL)[:-9], "it cannot be unpacked"),
        (samples.zipped({"a.csv": FULL * 9}).replace(b"PK\x01\x02", b"PK\x01\x03"), "unpacked"),
    ],
)
def test_what_is_none_of_the_kinds_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    """With what was found, and what is expected."""
    path = written(tmp_path, "file.csv", content)
    with pytest.raises(EodError, match=found) as caught:
        load_eod_files(path)
    assert str(path) in str(caught.value)
    assert "; expected " in str(caught.value)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """A folder, or nothing at all."""
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(EodError, match="it cannot be read"):
            load_eod_files(path)


@pytest.mark.parametrize(
    ("before", "after", "place", "expected"),
    [
        (b"967.40", b"967,40", "line 2: 18 columns found", "15, as in the header"),
        (b"967.40", b"abc", "line 2, column 'CLOSE_PRICE', value 'abc'", "rupees"),
        (b"967.40", b"-967.40", "column 'CLOSE_PRICE', value '-967.40'", "rupees"),
        (b"967.40", b"", "column 'CLOSE_PRICE', value ''", "rupees"),
        (b"967.40", b"967.401", "value '967.401': it is no whole number", "two decimals"),
        (b"5000000", b"5e6", "column 'TTL_TRD_QNTY', value '5e6'", "a whole number"),
        (b"17-Dec-2025", b"31-Feb-2025", "line 2, column 'DATE1'", "a date"),
        (b", -, -", b", -", "line 2: 14 columns found", "15"),
        (b"SBIN", b'"SBIN', "line 3", "a line of CSV"),
        (b"SBIN", b"", "line 2, column 'SYMBOL'", "a value"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(
    before: bytes, after: bytes, place: str, expected: str
) -> None:
    """Line, column, value and expectation; there is no half of a file."""
    with pytest.raises(EodError) as caught:
        parse_eod_file(FULL.replace(before, after), file="full.csv")
    assert place in str(caught.value)
    assert expected in caught.value.expected


def test_a_file_without_shares_is_refused() -> None:
    """A file of bonds alone is not what it seems."""
    with pytest.raises(EodError, match="no row of shares found"):
        parse_eod_file(samples.full(DAY, {"GOVT": SBIN}, series="GB"), file="full.csv")


def test_a_stock_twice_is_refused_unless_it_is_the_same() -> None:
    """Which of two closes holds is not for us to guess."""
    line = FULL.splitlines(keepends=True)[1]
    again = parse_eod_file(FULL + line, file="full.csv")
    assert isinstance(again, EodFile)
    assert [bar.symbol for bar in again.bars] == ["SBIN", "TCS"]
    with pytest.raises(EodError, match="SBIN EQ 0 stands there twice"):
        parse_eod_file(FULL + line.replace(b"967.40", b"1.00"), file="full.csv")


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(content: bytes) -> None:
    """Any bytes give a file, or the one error that is documented."""
    with contextlib.suppress(EodError):
        assert parse_eod_file(content, file="garbage").name == "garbage"


@given(st.integers(0, len(FULL) - 1), st.binary(min_size=1, max_size=3))
def test_a_damaged_file_is_refused_or_says_what_it_says(place: int, damage: bytes) -> None:
    """Damage in any place gives the documented error or a file, never anything else."""
    damaged = FULL[:place] + damage + FULL[place + len(damage) :]
    with contextlib.suppress(EodError):
        assert parse_eod_file(damaged, file="damaged").name == "damaged"


def test_a_line_without_end_is_refused() -> None:
    """A cell longer than any has no place in such a file."""
    for content in (b"x" * 200_000, FULL + b"y" * 200_000):
        with pytest.raises(EodError, match="field larger"):
            parse_eod_file(content, file="long")


@pytest.mark.skipif(not samples.REAL_EOD.is_dir(), reason="the real files are not on this machine")
def test_the_real_files_are_read() -> None:
    """Each by its header; the list of new highs is passed over."""
    found = {
        each.kind: getattr(each, "rows", 0)
        for path in sorted(samples.REAL_EOD.glob("*17122025.csv"))
        for each in load_eod_files(path)
    }
    assert found.keys() == {"52_week", "bc", "hl", "pd", "sec_bhavdata_full"}
    assert found["sec_bhavdata_full"] == 2953
    assert found["52_week"] == 3320
