"""Clients on disk: kept, given back, and never overwritten when they cannot be read."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.clients import ClientChanges, ClientRecord
from streamer.errors import StoreError
from streamer.store import (
    APPLICATION_ID,
    CHECKPOINT_BYTES,
    MAX_LOG_BYTES,
    ClientStore,
    SessionStore,
    decode_instruments,
    encode_instruments,
)
from tests.scratch import scratch
from tests.streamer.client_strategies import FEW_CLIENT_IDS, INSTRUMENTS, apply, changes, records

ANNA = ClientRecord("anna", ((1, 2885), (3, 500112)), 1_756_957_500_000_000_000)
BEN = ClientRecord("ben", (), 7, delivery="all", principal="desk", made_up=True)
LARGE = ClientRecord("large", tuple((1, token) for token in range(100_000, 105_000)), 9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a store may be, in a folder of its own."""
    return tmp_path / "sessions.db"


@contextmanager
def opened(path: Path | str) -> Iterator[ClientStore]:
    """Have a store open for the block."""
    with closing(ClientStore.open(path)) as store:
        yield store


def files(folder: Path) -> dict[str, bytes | None]:
    """Return what is in a folder: each file's bytes, None for a folder."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def make(path: Path, *kept: ClientRecord) -> None:
    """Leave a store behind that was closed in order."""
    with opened(path) as store:
        store.save(ClientChanges(saved=kept))


def crash(path: Path, to: Path) -> Path:
    """Copy a store's files as they are at this moment, as a death of the process leaves them."""
    to.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", to / f"{path.name}{suffix}")
    return to / path.name


# --- what is kept


def test_what_was_saved_is_loaded_after_a_restart(path: Path) -> None:
    """A client comes back whole: order of instruments, delivery, principal and the rest (P-1)."""
    make(path, ANNA, BEN, LARGE)
    with opened(path) as store:
        assert store.load() == [ANNA, BEN, LARGE]


def test_a_new_store_is_empty(path: Path) -> None:
    """Where there was no file there is one now, with no clients, readable by its owner only."""
    with opened(path) as store:
        assert store.load() == []
    assert list(files(path.parent)) == ["sessions.db"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_removed_client_stays_away(path: Path) -> None:
    """Nothing comes back from the dead, after a restart either (rule P-3)."""
    make(path, ANNA, BEN)
    with opened(path) as store:
        store.save(ClientChanges(removed=("anna", "never-was")))
        assert store.load() == [BEN]
    with opened(path) as store:
        assert store.load() == [BEN]


def test_a_client_in_both_lists_is_kept(path: Path) -> None:
    """Removal comes first, so that a client that came again at once is not lost."""
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA,)))
        store.save(ClientChanges(saved=(ANNA,), removed=("anna",)))
        assert store.load() == [ANNA]


def test_a_save_is_on_disk_when_it_returns(path: Path, tmp_path: Path) -> None:
    """A copy of the files taken right after a save holds all of it (rule P-2)."""
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA, LARGE)))
        copy = crash(path, tmp_path / "copy")
        store.save(ClientChanges(saved=(BEN,), removed=("large",)))
        second = crash(path, tmp_path / "second")
    with opened(copy) as store:
        assert store.load() == [ANNA, LARGE]
    with opened(second) as store:
        assert store.load() == [ANNA, BEN]


@settings(max_examples=60, deadline=None)
@given(made=st.lists(changes(FEW_CLIENT_IDS), max_size=8), data=st.data())
def test_a_store_equals_a_dict(made: list[ClientChanges], data: st.DataObject) -> None:
    """Any saves, removals and restarts leave what a plain dict would hold."""
    kept: dict[str, ClientRecord] = {}
    folder = scratch()
    path = folder / "sessions.db"
    store = ClientStore.open(path)
    try:
        for each in made:
            store.save(each)
            apply(kept, each)
            if data.draw(st.booleans(), label="restart"):
                store.close()
                store = ClientStore.open(path)
            assert {record.client_id: record for record in store.load()} == kept
    finally:
        store.close()
        shutil.rmtree(folder)


@settings(max_examples=50)
@given(records())
def test_in_memory_it_keeps_any_record(record: ClientRecord) -> None:
    """Any record comes back equal; ``:memory:`` needs no file and leaves none."""
    with opened(":memory:") as store:
        store.save(ClientChanges(saved=(record,)))
        assert store.load() == [record]
    assert not Path(":memory:").exists()


def test_a_save_that_fails_changes_nothing(path: Path) -> None:
    """If a part of the changes cannot be written, none of them are, and the store goes on."""
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA,)))
        with closing(sqlite3.connect(path)) as stranger:
            stranger.execute(
                "CREATE TRIGGER full BEFORE INSERT ON client WHEN NEW.client_id = 'ben' "
                "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
        with pytest.raises(StoreError, match="disk is full"):
            store.save(ClientChanges(saved=(LARGE, BEN), removed=("anna",)))
        assert store.load() == [ANNA]
        store.save(ClientChanges(saved=(LARGE,)))
        assert store.load() == [ANNA, LARGE]


def test_close_may_be_repeated_and_ends_saving(path: Path) -> None:
    """A closed store refuses to save instead of losing a change."""
    store = ClientStore.open(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.save(ClientChanges(saved=(ANNA,)))
    with pytest.raises(StoreError, match="closed"):
        store.load()


def test_durable_against_an_outage_of_power(path: Path) -> None:
    """``durability="power"`` has SQLite wait for the disk on each save; the default does not."""
    for durability, level in (("process", 1), ("power", 2)):
        store = ClientStore.open(path, durability=durability)  # type: ignore[arg-type]
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (level,)
        store.save(ClientChanges(saved=(ANNA,)))
        assert store.load() == [ANNA]
        store.close()


def test_a_second_server_on_the_file_is_refused(path: Path) -> None:
    """One writer: the second one fails, and is told the first one's pid, by any of its names."""
    link = path.with_name("other-name.db")
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA,)))
        link.symlink_to(path)
        for name in (path, link):
            with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
                ClientStore.open(name)
        store.save(ClientChanges(saved=(BEN,)))
    with opened(link) as store:
        assert store.load() == [ANNA, BEN]


def test_it_fulfils_the_interface(path: Path) -> None:
    """What a shared store has to offer is what this one offers."""
    with opened(path) as store:
        kept: SessionStore = store
        assert kept.load() == []


# --- the log


def test_the_log_stays_bounded_while_saves_never_pause(path: Path) -> None:
    """Saves without end, far more than the log may hold, leave a bounded log and lose nothing."""
    log = path.with_name("sessions.db-wal")
    written = 0
    largest = 0
    with opened(path) as store:
        while written < 2 * MAX_LOG_BYTES:
            store.save(ClientChanges(saved=(msgspec.structs.replace(LARGE, last_seen=written),)))
            written += len(encode_instruments(LARGE.instruments))
            largest = max(largest, log.stat().st_size)
        assert largest < MAX_LOG_BYTES * 1.1
        last = store.load()
    assert not log.exists()
    with opened(path) as store:
        assert store.load() == last


def test_the_log_is_folded_aside_and_begun_anew(path: Path) -> None:
    """Past its size the log is folded without being asked, and is then written from its start."""
    log = path.with_name("sessions.db-wal")
    with opened(path) as store:
        written = 0
        while written < 2 * CHECKPOINT_BYTES or log.stat().st_size > CHECKPOINT_BYTES:
            assert written < 4 * MAX_LOG_BYTES, "the log never began anew"
            written += len(encode_instruments(LARGE.instruments))
            last = msgspec.structs.replace(LARGE, last_seen=written)
            store.save(ClientChanges(saved=(last,)))
        assert store.load() == [last]


def test_a_log_that_cannot_be_folded_is_told_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost when folding fails; one warning says so, however often it fails."""
    with opened(path) as store:
        assert store._checkpointer is not None
        with closing(sqlite3.connect(":memory:")) as closed:
            pass
        with caplog.at_level(logging.WARNING, "streamer"):
            store._checkpointer.fold(closed)
            store._checkpointer.fold(closed)
        assert len(caplog.records) == 1
        store.save(ClientChanges(saved=(ANNA,)))
        assert store.load() == [ANNA]


def test_a_log_that_vanishes_is_noticed(path: Path) -> None:
    """Once somebody removed the log, a save no longer says that all is well."""
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA,)))
        path.with_name("sessions.db-wal").unlink()
        with pytest.raises(StoreError, match=r"sessions\.db-wal: the session store's log is gone"):
            store.save(ClientChanges(saved=(BEN,)))


# --- what cannot be read is not overwritten (rule P-6)


def change(path: Path, statement: str, *parameters: object) -> None:
    """Do to a store what this server never would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, parameters)


def foreign_text(path: Path) -> None:
    """A table of another program, as text."""
    path.write_text("client_id,stocks\nanna,SBIN\n")


def empty(path: Path) -> None:
    """Nothing at all."""
    path.touch()


def short(path: Path) -> None:
    """Less than SQLite's header."""
    make(path, LARGE)
    os.truncate(path, 99)


def cut(path: Path) -> None:
    """The last pages are gone."""
    make(path, ANNA, LARGE)
    os.truncate(path, path.stat().st_size - 8192)


def other_program(path: Path) -> None:
    """An SQLite file of another program."""
    change(path, "CREATE TABLE bookmarks (url TEXT)")


def newer(path: Path) -> None:
    """Written by a later version of this program."""
    make(path, ANNA)
    change(path, "PRAGMA user_version = 2")


def without_version(path: Path) -> None:
    """Ours by its id, but of no version."""
    change(path, f"PRAGMA application_id = {APPLICATION_ID}")


def other_table(path: Path) -> None:
    """The right identity over the wrong table."""
    make(path)
    change(path, "ALTER TABLE client RENAME COLUMN instruments TO stocks")


def corrupt_page(path: Path) -> None:
    """Bytes overwritten in the middle of the file."""
    make(path, *(ClientRecord(f"client-{n}", ((1, n),), n) for n in range(500)))
    with path.open("r+b") as stream:
        stream.seek(3 * 4096)
        stream.write(b"\xff" * 64)


def bad_blob(path: Path) -> None:
    """Instruments that are no MessagePack."""
    make(path, ANNA)
    change(path, "UPDATE client SET instruments = x'9201c1'")


def blob_of_other_things(path: Path) -> None:
    """MessagePack of something else."""
    make(path, ANNA)
    blob = msgspec.msgpack.encode((1, (("NSE", "SBIN"),)))
    change(path, "UPDATE client SET instruments = ?", blob)


def newer_blob(path: Path) -> None:
    """Instruments in a form of a later version."""
    make(path, ANNA)
    blob = msgspec.msgpack.encode((2, {"anything": True}))
    change(path, "UPDATE client SET instruments = ?", blob)


def text_blob(path: Path) -> None:
    """Instruments as text."""
    make(path, ANNA)
    change(path, "UPDATE client SET instruments = 'SBIN'")


def bad_delivery(path: Path) -> None:
    """A way of delivery that we do not know."""
    make(path, ANNA)
    change(path, "UPDATE client SET delivery = 'some'")


def bad_time(path: Path) -> None:
    """A time that is no number."""
    make(path, ANNA)
    change(path, "UPDATE client SET last_seen = 'yesterday'")


def folder(path: Path) -> None:
    """A folder of that name."""
    path.mkdir()


def pipe(path: Path) -> None:
    """A pipe, which a careless reader would wait on for ever."""
    os.mkfifo(path)


def log_alone(path: Path) -> None:
    """The store moved away without its log."""
    path.with_name("sessions.db-wal").write_bytes(b"what was acknowledged last")


def newer_in_the_log(path: Path) -> None:
    """A later version, of which only the log tells."""
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA,)))
        change(path, "PRAGMA user_version = 2")
        leave_as_killed(path)


def bad_blob_in_the_log(path: Path) -> None:
    """Damage that is not in the main file yet."""
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA,)))
        change(path, "UPDATE client SET instruments = x'00'")
        leave_as_killed(path)


def leave_as_killed(path: Path) -> None:
    """Put the files as they are now into the place of the store that is about to be closed."""
    copy = crash(path, path.with_name("copy"))
    path.with_name("sessions.db.lock").unlink()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"sessions.db{suffix}").rename(path.with_name(f"gone{suffix}"))
    for found in copy.parent.iterdir():
        found.rename(path.with_name(found.name))
    copy.parent.rmdir()


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (foreign_text, "something else; expected an SQLite file"),
        (empty, "an empty file; expected an SQLite file"),
        (short, "something else; expected an SQLite file"),
        (cut, "a damaged session store"),
        (other_program, r"another program \(application id 0x00000000\); expected 0x4f44494e"),
        (newer, "a session store of version 2; expected 1"),
        (without_version, "a session store of version 0; expected 1"),
        (other_table, r"a damaged session store \(no such column: instruments\)"),
        (corrupt_page, "a damaged session store"),
        (bad_blob, "a damaged session store .client 'anna'"),
        (blob_of_other_things, "a damaged session store .client 'anna': Expected `int`"),
        (newer_blob, "'anna': instruments are of version 2, expected 1"),
        (text_blob, "a damaged session store .client 'anna'"),
        (bad_delivery, "a damaged session store .client 'anna'.*'some'"),
        (bad_time, "a damaged session store .client 'anna': Expected `int`, got `str`"),
        (folder, "found a folder; expected a session store"),
        (pipe, "found no ordinary file; expected a session store"),
        (log_alone, "found the log of a session store without the store"),
        (newer_in_the_log, "a session store of version 2; expected 1"),
        (bad_blob_in_the_log, "a damaged session store .client 'anna'"),
    ],
)
def test_an_unreadable_store_is_left_as_it_was(
    path: Path, spoil: Callable[[Path], None], found: str
) -> None:
    """The refusal says what was found; not a byte changes, and no file appears beside it."""
    spoil(path)
    before = files(path.parent)
    for _ in range(2):
        with pytest.raises(StoreError, match=found):
            ClientStore.open(path)
        assert files(path.parent) == before


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A misspelt path is an error, not a new empty store somewhere else."""
    with pytest.raises(StoreError, match="its folder does not exist"):
        ClientStore.open(tmp_path / "no-such" / "sessions.db")
    assert not files(tmp_path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Have no rights that only root has."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"), [(0o000, 0o777), (0o444, 0o777), (0o666, 0o555), (0o666, 0o000)]
)
def test_a_store_without_permission_is_left_as_it_was(file_mode: int, folder_mode: int) -> None:
    """Not readable, not writable, or in a folder that is neither: refused, and nothing changes."""
    # Not pytest's own folder, whose parents only their owner may pass.
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        inner = Path(outer) / "inner"
        inner.mkdir()
        path = inner / "sessions.db"
        make(path, ANNA)
        path.chmod(file_mode)
        inner.chmod(folder_mode)
        try:
            with as_nobody(), pytest.raises(StoreError, match=r"Permission denied.*; expected a "):
                ClientStore.open(path)
        finally:
            inner.chmod(0o755)
            path.chmod(0o644)
        assert list(files(inner)) == ["sessions.db"]
        with opened(path) as store:
            assert store.load() == [ANNA]


def test_a_store_whose_process_was_killed_is_whole(path: Path, tmp_path: Path) -> None:
    """A log that was never folded is part of the store: it is read, not refused."""
    with opened(path) as store:
        for number in range(50):
            store.save(ClientChanges(saved=(msgspec.structs.replace(LARGE, last_seen=number),)))
        copy = crash(path, tmp_path / "copy")
    with opened(copy) as store:
        assert store.load() == [msgspec.structs.replace(LARGE, last_seen=49)]


def test_a_backup_made_by_sqlite_opens(path: Path) -> None:
    """A copy by SQLite's own backup, which keeps no log, is a store like any other."""
    backup = path.with_name("backup.db")
    with opened(path) as store:
        store.save(ClientChanges(saved=(ANNA, BEN)))
        change(path, "VACUUM INTO ?", str(backup))
    with opened(backup) as store:
        assert store.load() == [ANNA, BEN]


# --- the stored form of instruments


@given(INSTRUMENTS)
def test_instruments_come_back_in_their_order(instruments: tuple[tuple[int, int], ...]) -> None:
    """Decoding what was encoded gives the same pairs in the same order."""
    assert decode_instruments(encode_instruments(instruments)) == instruments


def test_the_stored_form_is_plain_messagepack() -> None:
    """Any MessagePack reader sees the version and the pairs, as the documentation tells."""
    blob = encode_instruments(((1, 2885), (3, 500112)))
    assert blob.hex() == "9201" + "92" + "9201cd0b45" + "9203ce0007a190"
    assert msgspec.msgpack.decode(blob) == [1, [[1, 2885], [3, 500112]]]


@given(st.binary(max_size=40))
def test_garbage_is_refused_as_such(blob: bytes) -> None:
    """Bytes that are no stored form raise ValueError and nothing else."""
    try:
        instruments = decode_instruments(blob)
    except ValueError:
        return
    assert decode_instruments(encode_instruments(instruments)) == instruments
