"""Several lists made one: the first decides, later ones fill, contradictions are listed."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from streamer.errors import InstrumentError
from streamer.instrument_import import Imported, import_files, segment_counts
from streamer.instruments import Instrument, InstrumentTable
from tests.streamer import instrument_samples as samples

BUNDLED = InstrumentTable.bundled()

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "realdata"
REAL_LISTS = Path(os.environ.get("ODIN_REALDATA", _SHARED)) / "instruments"


def import_texts(folder: Path, *texts: str) -> Imported:
    """Import lists, each written to a file of its own."""
    paths = [folder / f"{number}.csv" for number, _ in enumerate(texts, 1)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return import_files(paths, BUNDLED)


def by_key(imported: Imported) -> dict[tuple[int, int], Instrument]:
    """Return the instruments by segment and token."""
    return {each.key: each for each in imported.instruments}


def test_a_later_list_fills_what_an_earlier_left_open(tmp_path: Path) -> None:
    """The bhavcopy gives name and ISIN, the security file the step."""
    imported = import_texts(tmp_path, samples.UDIFF_NSE, samples.MII)
    assert by_key(imported)[1, 101] == samples.ALPHA
    first, second = imported.files
    assert (first.rows, first.new, dict(first.passed)) == (4, 3, {"of another market": 1})
    assert (second.rows, second.new, second.filled) == (3, 0, 2)
    assert imported.left_out == 0


def test_the_order_of_sound_lists_does_not_matter_for_who_is_there(tmp_path: Path) -> None:
    """Any order of lists gives the same keys, symbols, ISINs and steps."""
    texts = (samples.UDIFF_NSE, samples.MII, samples.EQUITY_L, samples.UDIFF_BSE, samples.SHOONYA)
    outcomes = set()
    for order in itertools.permutations(texts):
        found = by_key(import_texts(tmp_path, *order))
        outcomes.add(
            frozenset((key, each.symbol, each.isin, each.tick) for key, each in found.items())
        )
    assert len(outcomes) == 1


def test_a_list_without_tokens_needs_another(tmp_path: Path) -> None:
    """EQUITY_L.csv fills names; a symbol that no list gives a token is listed."""
    more = samples.EQUITY_L + "LONELY,Lonely Limited,EQ,06-OCT-2008,5,1,INE000Z01009,5\n"
    shoonya, names = import_texts(tmp_path, samples.SHOONYA, more).files
    assert (shoonya.new, names.filled, names.unusable.count) == (4, 2, 1)
    [error] = names.unusable.first
    assert (error.line, error.column, error.value) == (4, "SYMBOL", "LONELY")
    with pytest.raises(InstrumentError, match="expected a list with tokens beside it"):
        import_texts(tmp_path, samples.EQUITY_L)


def test_a_repeated_row_is_counted(tmp_path: Path) -> None:
    """The same list twice tells nothing new, and nothing collides."""
    _, again = import_texts(tmp_path, samples.DHAN, samples.DHAN).files
    assert (again.new, again.filled, again.repeated) == (0, 0, 4)


@pytest.mark.parametrize(
    ("row", "problem", "expected"),
    [
        ("NSE,101,OTHER,EQ,,,1,", "here symbol OTHER", "symbol ALPHA"),
        ("NSE,101,ALPHA,BE,,,1,", "here series BE", "series EQ"),
        ("NSE,101,ALPHA,EQ,,INE000Z01009,1,", "here isin INE000Z01009", "isin INE000A01001"),
        ("NSE,109,ALPHA,EQ,,,1,", "NSE:ALPHA of series EQ is token 101", "one token for"),
        ("BSE,590009,ALPHA,,,,1,", "BSE:ALPHA is token 590001", "one token for"),
    ],
)
def test_a_contradiction_is_listed_and_changes_nothing(
    tmp_path: Path, row: str, problem: str, expected: str
) -> None:
    """The earlier row stays as it is; the later is named with its place and the earlier's."""
    header = "exchange,token,symbol,series,name,isin,lot,tick\n"
    before = import_texts(tmp_path, samples.OWN)
    imported = import_texts(tmp_path, samples.OWN, header + row + "\n")
    assert imported.instruments == before.instruments
    [error] = imported.files[1].collisions.first
    assert problem in error.problem
    assert f"{tmp_path / '1.csv'}, line" in error.problem
    assert expected in error.expected
    assert (error.file, error.line, error.column) == (str(tmp_path / "2.csv"), 2, "token")
    assert imported.left_out == 1


def test_the_same_number_on_two_exchanges_is_no_contradiction(tmp_path: Path) -> None:
    """The key is the segment and the token."""
    text = "exchange,token,symbol\nNSE,101,ALPHA\nBSE,101,OMEGA\n"
    assert set(by_key(import_texts(tmp_path, text))) == {(1, 101), (3, 101)}


def test_one_symbol_has_many_series(tmp_path: Path) -> None:
    """EQ is what the bare symbol means, whichever row comes first."""
    text = "exchange,token,symbol,series\nNSE,7,ALPHA,BE\nNSE,8,ALPHA,N2\nNSE,9,ALPHA,EQ\n"
    imported = import_texts(tmp_path, text)
    assert imported.left_out == 0
    found = InstrumentTable(imported.instruments).resolve("ALPHA")
    assert found is not None
    assert found.token == 9


def test_rows_that_cannot_be_used_are_counted_and_listed(tmp_path: Path) -> None:
    """The others are imported; every row below the header is accounted for."""
    text = samples.DHAN.replace("NSE,E,102", "NSE,E,0")
    imported = import_texts(tmp_path, text)
    [report] = imported.files
    [error] = report.unusable.first
    assert (error.line, error.column, error.value) == (3, "SEM_SMST_SECURITY_ID", "0")
    assert report.rows == sum(
        (
            *(report.new, report.filled, report.repeated, sum(report.passed.values())),
            *(report.collisions.count, report.unusable.count),
        )
    )
    assert (1, 101) in by_key(imported)


def test_a_list_of_mostly_unusable_rows_is_refused(tmp_path: Path) -> None:
    """A column that means something else now must not leave a few odd rows behind."""
    text = samples.DHAN.replace(",5.0000,", ",0.05,").replace(",10.0000,", ",0.10,")
    with pytest.raises(
        InstrumentError, match="3 of 4 rows cannot be used, the first: it is"
    ) as caught:
        import_texts(tmp_path, text)
    error = caught.value
    assert (error.line, error.column, error.value) == (2, "SEM_TICK_SIZE", "0.05")


def test_a_list_of_other_markets_alone_is_refused(tmp_path: Path) -> None:
    """An empty list of instruments is no list."""
    text = "\n".join(
        line for line in samples.KITE.splitlines() if "NFO" in line or line.startswith("instr")
    )
    with pytest.raises(InstrumentError, match="no instrument of the cash markets"):
        import_texts(tmp_path, text)


def test_each_file_leaves_its_origin(tmp_path: Path) -> None:
    """Name, kind and checksum tell later what a figure rests on."""
    [report] = import_texts(tmp_path, samples.MII).files
    origin = report.origin()
    assert (origin["file"], origin["kind"]) == ("1.csv", "nse-mii")
    assert len(str(origin["sha256"])) == 64


@pytest.mark.skipif(not REAL_LISTS.is_dir(), reason="no real lists of instruments here")
def test_a_brokers_real_lists_are_read_whole() -> None:
    """Nearly 17,000 rows of 2023, not one left out."""
    imported = import_files(sorted(REAL_LISTS.glob("shoonya-*.txt")), BUNDLED)
    assert imported.left_out == 0
    assert segment_counts(imported.instruments) == {
        "NSE shares": 5779,
        "NSE indices": 5,
        "BSE shares": 11_151,
        "BSE indices": 0,
    }
    table = BUNDLED.with_instruments(imported.instruments)
    meant = {
        word: table.resolve(word) for word in ("SBIN", "M&M", "BSE:BAJAJ-AUTO", "424", "NIFTY")
    }
    assert {word: found and found.token for word, found in meant.items()} == {
        "SBIN": 3045,
        "M&M": 2031,
        "BSE:BAJAJ-AUTO": 532977,
        "424": 1660,
        "NIFTY": 26000,
    }
