"""End-of-day files in the store: each once, in any order, whole or not at all."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.clients import ClientChanges, ClientRecord
from streamer.eod_files import parse_eod_file
from streamer.eod_store import EOD_VERSION, EodStore
from streamer.eod_table import EodFile
from streamer.errors import EodError, StoreError
from streamer.instruments import InstrumentTable
from streamer.reference import SessionReference
from streamer.store import ClientStore
from tests.scratch import scratch
from tests.streamer import eod_samples as samples

TABLE = InstrumentTable.bundled()
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2025, 12, day) for day in (15, 16, 17, 18))


def file(content: bytes, name: str = "any.csv") -> EodFile:
    """Return a file that must be of use."""
    found = parse_eod_file(content, file=name)
    assert isinstance(found, EodFile)
    return found


def bhavcopy(day: date, close: float = 1000.0, volume: int = 100) -> EodFile:
    """Return a file of one stock."""
    prices = (close, close + 5, close - 5, close, volume)
    return file(samples.full(day, {"SBIN": prices}), f"sec_bhavdata_full_{day:%d%m%Y}.csv")


WEEK = (
    bhavcopy(MONDAY, 990),
    bhavcopy(TUESDAY, 995),
    bhavcopy(WEDNESDAY),
    file(samples.udiff(TUESDAY, {("SBIN", "EQ", 3045, ""): (1.0, 2.0, 0.5, 996.0, 7)})),
    file(
        samples.year_ranges(TUESDAY, {"SBIN": ("1001.00", "23-OCT-2025", "700.00", "13-JAN-2025")})
    ),
    file(samples.bc([("SBIN", THURSDAY, "BONUS 1:1")]), "bc17122025.csv"),
    file(samples.bc([("SBIN", WEDNESDAY, "DEMERGER")]), "bc16122025.csv"),
)


def weekday(day: date) -> bool:
    """Say whether it is a session, if no holiday is known."""
    return day.weekday() < 5


def reference(store: EodStore, day: date = THURSDAY) -> SessionReference:
    """Return the figures of the bundled instruments."""
    return store.session(day, TABLE, weekday)


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    """Under whatever name, and in whatever packet, it came."""
    with EodStore.open(tmp_path / "sessions.db") as store:
        assert store.save(WEEK[0]) == "imported"
        before = (store.files(), reference(store))
        assert store.save(file(samples.full(MONDAY, {"SBIN": (990, 995, 985, 990, 100)}), "b")) == (
            "known"
        )
        assert (store.files(), reference(store)) == before


@given(st.permutations(range(len(WEEK))))
def test_any_order_gives_the_same_figures(order: list[int]) -> None:
    """What was imported counts, not when."""
    found = []
    for numbers in (range(len(WEEK)), order):
        folder = scratch()
        with EodStore.open(folder / "sessions.db") as store:
            for number in numbers:
                store.save(WEEK[number])
            found.append(reference(store))
        shutil.rmtree(folder)
    assert found[0] == found[1]


def test_another_file_of_the_same_day_is_refused_unless_it_shall_replace(tmp_path: Path) -> None:
    """Which of the two holds is for the operator to say."""
    with EodStore.open(tmp_path / "sessions.db") as store:
        store.save(bhavcopy(WEDNESDAY, 1000))
        other = bhavcopy(WEDNESDAY, 1001)
        with pytest.raises(EodError, match=r"imported before.*--replace"):
            store.save(other)
        assert store.save(other, replace=True) == "replaced"
        figures = reference(store).figures[1, 3045]
        assert figures.prev_close is not None
        assert figures.prev_close.value == 100100
        assert len(store.files()) == 1


def test_every_figure_names_its_file(tmp_path: Path) -> None:
    """Name, hash and effective date."""
    with EodStore.open(tmp_path / "sessions.db") as store:
        store.save(WEEK[2])
        figure = reference(store).figures[1, 3045].prev_close
    assert figure is not None
    source = figure.source
    assert (source.kind, source.file) == ("sec_bhavdata_full", "sec_bhavdata_full_17122025.csv")
    assert (source.sha256, source.effective) == (WEEK[2].sha256, WEDNESDAY)


def test_a_file_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """A save that fails in the middle leaves nothing."""
    path = tmp_path / "sessions.db"
    broken = EodFile("bc", "NSE", MONDAY, "x", "y", bars=WEEK[0].bars * 2)
    with EodStore.open(path) as store:
        with pytest.raises(StoreError, match="Nothing of it was kept"):
            store.save(broken)
        assert store.files() == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM eod_bar").fetchone() == (0,)


def test_sessions_and_files_stand_side_by_side(tmp_path: Path) -> None:
    """A server keeps the store, and saves, while files are imported."""
    path = tmp_path / "sessions.db"
    record = ClientRecord("app", ((1, 3045),), 7)
    with closing(ClientStore.open(path)) as sessions:
        with EodStore.open(path) as store:
            store.save(WEEK[0])
            sessions.save(ClientChanges(saved=(record,)))
            store.save(WEEK[1])
            reader = EodStore.read(path)
            assert reader is not None
            with reader:
                assert len(reader.files()) == 2
        assert sessions.load() == [record]
    with closing(ClientStore.open(path)) as sessions:
        assert sessions.load() == [record]


def test_nothing_is_read_where_nothing_was_imported(tmp_path: Path) -> None:
    """No file, or a store of sessions alone."""
    path = tmp_path / "sessions.db"
    assert EodStore.read(path) is None
    ClientStore.open(path).close()
    assert EodStore.read(path) is None


def test_a_file_of_others_is_left_as_it_is(tmp_path: Path) -> None:
    """P-6: neither imported into nor read."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")
    before = path.read_bytes()
    for use in (EodStore.open, EodStore.read):
        with pytest.raises(StoreError, match="another program"):
            use(path)
    assert path.read_bytes() == before
    path.write_bytes(b"plain text")
    for use in (EodStore.open, EodStore.read):
        with pytest.raises(StoreError, match=r"no SQLite file|something else"):
            use(path)


def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    """By import and by server; sessions are another matter."""
    path = tmp_path / "sessions.db"
    EodStore.open(path).__exit__()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE eod_schema SET version = ?", (EOD_VERSION + 1,))
    for use in (EodStore.open, EodStore.read):
        with pytest.raises(StoreError, match=f"version {EOD_VERSION + 1}; expected {EOD_VERSION}"):
            use(path)
    ClientStore.open(path).close()


def test_the_memory_of_a_process_is_no_store_of_files() -> None:
    """``:memory:`` is of its connection alone."""
    assert EodStore.read(Path(":memory:")) is None
