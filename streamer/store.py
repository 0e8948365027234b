"""
What is kept of clients on disk: one SQLite file, one writer, read whole at the start.

The store keeps and gives back; when a client is saved or has expired is for
the hub to say. ``docs/persistence.md`` tells the file's form and what may be
relied on.

A file that cannot be read is never written to, nor is anything made beside it
(rule P-6): :meth:`ClientStore.open` reads all of it before it opens it for
writing.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from streamer.clients import ClientChanges, ClientRecord, Delivery
from streamer.errors import StoreError, StoreInUseError
from streamer.lockfile import LockFile
from streamer.odin.tags import InstrumentKey

Durability = Literal["process", "power"]

APPLICATION_ID: Final = int.from_bytes(b"ODIN", "big")
"""Written into the file's header, so that no other SQLite file is taken for ours."""

SCHEMA_VERSION: Final = 1
INSTRUMENTS_VERSION: Final = 1

CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
"""The log's size from which it is folded into the main file, aside from the saves."""

MAX_LOG_BYTES: Final = 64 * 1024 * 1024
"""The log's size from which a save folds it itself, and takes the time that needs."""

BUSY_TIMEOUT_S: Final = 1.0
"""How long a save waits for a stranger (a person with ``sqlite3``) who writes at the moment."""

IMPORT_TIMEOUT_S: Final = 30.0
"""How long an import waits for the saves of a server."""

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_LEFT_ALONE: Final = "the file was left as it is"
_REMEDY: Final = "restore a backup, move the file away to begin with no sessions, or choose another"

_SCHEMA: Final = """
    CREATE TABLE client (
        client_id TEXT PRIMARY KEY NOT NULL,
        instruments BLOB NOT NULL,
        last_seen INTEGER NOT NULL,
        delivery TEXT NOT NULL,
        principal TEXT,
        made_up INTEGER NOT NULL
    )
"""
_SELECT: Final = """
    SELECT client_id, instruments, last_seen, delivery, principal, made_up
    FROM client ORDER BY rowid
"""
_SAVE: Final = """
    INSERT INTO client (client_id, instruments, last_seen, delivery, principal, made_up)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (client_id) DO UPDATE SET
        instruments = excluded.instruments,
        last_seen = excluded.last_seen,
        delivery = excluded.delivery,
        principal = excluded.principal,
        made_up = excluded.made_up
"""
_REMOVE: Final = "DELETE FROM client WHERE client_id = ?"

_encoder = msgspec.msgpack.Encoder()
_versioned = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_pairs = msgspec.msgpack.Decoder(list[InstrumentKey])

_logger = logging.getLogger("streamer")


class SessionStore(Protocol):
    """What the server asks of a store; one that several servers share implements it too."""

    def load(self) -> list[ClientRecord]:
        """Return every client that is kept, in the order in which they first were."""

    def save(self, changes: ClientChanges) -> None:
        """Make ``changes`` durable, all or nothing, before returning."""

    def close(self) -> None:
        """Let go of the store; what was saved stays."""


class ClientStore:
    """
    Clients in an SQLite file of this machine; made by :meth:`open`.

    It belongs to the thread that opened it.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        lock: LockFile | None = None,
        log: Path | None = None,
        checkpointer: _Checkpointer | None = None,
    ) -> None:
        self._connection = connection
        self._lock = lock
        self._log = log
        self._checkpointer = checkpointer
        self._fold_at = MAX_LOG_BYTES
        self._closed = False

    @classmethod
    def open(cls, path: Path | str, *, durability: Durability = "process") -> ClientStore:
        """
        Open the store at ``path``, or begin one where there is no file.

        Args:
            path: The file; ``:memory:`` keeps nothing beyond :meth:`close`.
            durability: What :meth:`save` survives. ``process``: the death of
                the process, kill -9 included, which is what rule P-2
                promises; the kernel has the data, and an outage of power may
                take the last changes with it, never the file. ``power``: that
                too, for an ``fsync`` on each save.

        Raises:
            StoreError: If the file is none of ours, newer than this program,
                damaged, not ours to read and write, or in use by another
                process. It is then left byte for byte as it was (rule P-6).

        """
        if str(path) == ":memory:":
            connection = sqlite3.connect(":memory:", isolation_level=None)
            connection.execute(_SCHEMA)
            return cls(connection)
        try:
            file = Path(path).resolve()
            _check_place(file)
            lock = LockFile.acquire(file.with_name(f"{file.name}.lock"))
            try:
                if _check_place(file):
                    _check_whole(file)
                else:
                    _begin(file)
                return cls._open_checked(file, lock, durability)
            except BaseException:
                lock.release()
                raise
        except sqlite3.Error as error:
            raise StoreError(f"{path}: SQLite cannot open it ({error}); {_REMEDY}") from error
        except OSError as error:
            raise StoreError(
                f"{error.filename or path}: {error.strerror}; expected a file and a folder that "
                "this user may read and write"
            ) from error

    @classmethod
    def _open_checked(cls, file: Path, lock: LockFile, durability: Durability) -> ClientStore:
        connection = _connect(file, "mode=rw")
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise StoreError(
                    f"{file}: SQLite keeps no write-ahead log here (it says {mode!r}); expected "
                    "a local disk, no network folder"
                )
            level = "FULL" if durability == "power" else "NORMAL"
            connection.execute(f"PRAGMA synchronous={level}")
            # Folding costs two fsyncs and milliseconds, too long for the
            # thread that serves clients: a thread beside it does that.
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(f"PRAGMA journal_size_limit={CHECKPOINT_BYTES}")
            # Says at once whether this process may write.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            log = file.with_name(f"{file.name}-wal")
            return cls(connection, lock, log, _Checkpointer(file))
        except BaseException:
            connection.close()
            raise

    def load(self) -> list[ClientRecord]:
        """
        Return every client that is kept, in the order in which they first were.

        Raises:
            StoreError: If what is on disk cannot be read.

        """
        try:
            return list(_read(self._connection))
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(f"The session store cannot be read: {error}; {_REMEDY}") from error

    def save(self, changes: ClientChanges) -> None:
        """
        Make ``changes`` durable, all or nothing, before returning.

        A client that is both saved and removed in one call is kept.

        Raises:
            StoreError: If they could not be written (a full disk, say); then
                none of them were, and the same call may be tried again.

        """
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            if changes.removed:
                connection.executemany(_REMOVE, [(client_id,) for client_id in changes.removed])
            connection.executemany(_SAVE, map(_row, changes.saved))
            connection.execute("COMMIT")
        except BaseException as error:
            if not self._closed and connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise StoreError(
                    f"The session store cannot be written: {error}; expected room on the disk "
                    "and no other writer. Nothing of these changes was kept"
                ) from error
            raise
        self._mind_the_log()

    def close(self) -> None:
        """Fold the log into the main file and let go of both; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._checkpointer is not None:
            self._checkpointer.stop()
        # SQLite folds and removes the log as its last connection closes. If
        # it cannot, the log stays, and the next start finds all in it.
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def _mind_the_log(self) -> None:
        if self._log is None or self._checkpointer is None:
            return
        try:
            size = self._log.stat().st_size
        except OSError as error:
            raise StoreError(
                f"{self._log}: the session store's log is gone ({error.strerror}), and with it "
                "what was saved last; expected nobody to touch it while the server runs"
            ) from error
        if size <= CHECKPOINT_BYTES:
            self._fold_at = MAX_LOG_BYTES
            return
        if size < self._fold_at:
            self._checkpointer.wake()
            return
        # Saves came faster than the thread could fold, or someone has been
        # reading an old state for long. The log is only begun anew once all
        # of it is folded, and that needs a moment without saves: this one.
        self._fold_at = size + MAX_LOG_BYTES
        self._checkpointer.fold(self._connection)


def open_beside(path: Path) -> sqlite3.Connection:
    """
    Return a connection for other tables of a store's file, also while a server has it.

    A store is begun where there is none, and a store that no server has is
    read whole first, so that a damaged one is left as it is (rule P-6). Write
    in short transactions: a server's save waits for `BUSY_TIMEOUT_S`.

    Raises:
        StoreError: As `ClientStore.open` does, but for a store in use.

    """
    try:
        ClientStore.open(path).close()
    except StoreInUseError:
        # The server that has it read it whole.
        _check_place(path.resolve())
    return _connect(path.resolve(), "mode=rw", timeout_s=IMPORT_TIMEOUT_S)


def read_beside(path: Path) -> sqlite3.Connection:
    """
    Return a connection that reads other tables of a store's file, whoever has it.

    Raises:
        StoreError: If the file is none of ours, or cannot be read.

    """
    file = path.resolve()
    try:
        with file.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            raise StoreError(f"{file}: found no SQLite file; expected a store of this server")
        _check_identity(
            file, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big")
        )
        return _connect(file, "mode=ro")
    except OSError as error:
        raise StoreError(
            f"{file}: {error.strerror}; expected a store that this user may read"
        ) from error
    except sqlite3.Error as error:
        raise StoreError(f"{file}: SQLite cannot open it ({error})") from error


class _Checkpointer:
    """
    Folds the log into the main file on a thread of its own, whenever woken.

    Folding holds up no save, and saves do not hold up folding. What was saved
    in the meantime stays for the next time.
    """

    def __init__(self, file: Path) -> None:
        self._connection = _connect(file, "mode=rw", check_same_thread=False)
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._woken = threading.Event()
        self._stopping = False
        self._folding = threading.Lock()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="store-checkpointer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have the log folded soon; returns at once."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread and wait for that."""
        self._stopping = True
        self._woken.set()
        self._thread.join()
        self._connection.close()

    def fold(self, connection: sqlite3.Connection) -> None:
        """Fold what can be folded, through ``connection``, on the caller's thread."""
        with self._folding:
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as error:
                # Nothing is lost: what is not folded stays in the log.
                self._failures += 1
                if self._failures == 1:
                    _logger.warning("session store: the log cannot be folded: %s", error)
                else:
                    _logger.debug("session store: not folded, %d times now", self._failures)

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._stopping:
                return
            self.fold(self._connection)


def encode_instruments(instruments: tuple[InstrumentKey, ...]) -> bytes:
    """Return the stored form: MessagePack of ``[1, [[segment, token], ...]]``, oldest first."""
    return _encoder.encode((INSTRUMENTS_VERSION, instruments))


def decode_instruments(blob: bytes) -> tuple[InstrumentKey, ...]:
    """
    Return the instruments of a stored form, oldest first.

    Raises:
        ValueError: If ``blob`` is no such form, or of a version we do not know.

    """
    version, pairs = _versioned.decode(blob)
    if version != INSTRUMENTS_VERSION:
        raise ValueError(f"instruments are of version {version}, expected {INSTRUMENTS_VERSION}")
    return tuple(_pairs.decode(pairs))


def _row(record: ClientRecord) -> tuple[str, bytes, int, str, str | None, int]:
    return (
        record.client_id,
        encode_instruments(record.instruments),
        record.last_seen,
        record.delivery,
        record.principal,
        int(record.made_up),
    )


def _read(connection: sqlite3.Connection) -> Iterator[ClientRecord]:
    """
    Yield every client of an open store.

    Raises:
        ValueError: If a row does not hold what it should.

    """
    for client_id, instruments, *rest in connection.execute(_SELECT):
        try:
            last_seen, delivery, principal, made_up = msgspec.convert(
                rest, tuple[int, Delivery, str | None, Literal[0, 1]]
            )
            yield ClientRecord(
                client_id=msgspec.convert(client_id, str),
                instruments=decode_instruments(msgspec.convert(instruments, bytes)),
                last_seen=last_seen,
                delivery=delivery,
                principal=principal,
                made_up=bool(made_up),
            )
        except ValueError as error:
            raise ValueError(f"client {client_id!r}: {error}") from error


def _connect(
    file: Path,
    mode: str,
    *,
    check_same_thread: bool = True,
    timeout_s: float = BUSY_TIMEOUT_S,
) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{file.as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        timeout=timeout_s,
        check_same_thread=check_same_thread,
    )


def _check_place(file: Path) -> bool:
    """
    Return whether there is a file, after a look at its first bytes alone.

    Raises:
        StoreError: If it is none of ours, or cannot become ours.

    """
    log = file.with_name(f"{file.name}-wal")
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise StoreError(
                f"{file}: its folder does not exist; expected it to: make it, or choose another"
            ) from None
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"{log}: found the log of a session store without the store; expected {file.name} "
                "beside it: put it back, or move the log away to begin with no sessions"
            ) from None
        return False
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
        raise StoreError(f"{file}: found {what}; expected a session store, or no such file")
    # Opened for writing as well: whether we may shows before anything is done.
    with file.open("r+b") as stream:
        header = stream.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        what = "an empty file" if not header else "something else"
        raise StoreError(
            f"{file}: found {what}; expected an SQLite file of this server; "
            f"{_LEFT_ALONE}: {_REMEDY}"
        )
    _check_identity(
        file, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big")
    )
    return True


def _check_identity(file: Path, application_id: int, version: int) -> None:
    if application_id != APPLICATION_ID:
        raise StoreError(
            f"{file}: found an SQLite file of another program (application id "
            f"{application_id:#010x}); expected {APPLICATION_ID:#010x}; {_LEFT_ALONE}: "
            "choose another file"
        )
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{file}: found a session store of version {version}; expected {SCHEMA_VERSION}, "
            f"the one that this program knows; {_LEFT_ALONE}: run the program that wrote it, or "
            "choose another file"
        )


def _check_whole(file: Path) -> None:
    """
    Read all of a store without touching it.

    Raises:
        StoreError: If any of it is damaged.

    """
    beside = [file.with_name(file.name + suffix) for suffix in ("-wal", "-journal")]
    beside = [path for path in beside if path.exists() and path.stat().st_size]
    if not beside:
        # Without a log the file is all there is. Only as "immutable" does
        # SQLite make no files of its own beside it.
        _check_contents(file, _connect(file, "immutable=1"))
        return
    # The last process died. Part of the store is in its log, and SQLite would
    # join the two as it opens them: let it do so with a copy.
    with tempfile.TemporaryDirectory(prefix="odin-streamer-") as folder:
        for path in (file, *beside):
            shutil.copyfile(path, Path(folder) / path.name)
        _check_contents(file, _connect(Path(folder) / file.name, "mode=rw"))


def _check_contents(file: Path, connection: sqlite3.Connection) -> None:
    with closing(connection):
        try:
            _check_identity(
                file,
                connection.execute("PRAGMA application_id").fetchone()[0],
                connection.execute("PRAGMA user_version").fetchone()[0],
            )
            finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if finding != "ok":
                raise ValueError(finding)
            for _ in _read(connection):
                pass
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(
                f"{file}: found a damaged session store ({error}); expected a whole one; "
                f"{_LEFT_ALONE}: {_REMEDY}"
            ) from error


def _begin(file: Path) -> None:
    """Make an empty store under another name and move it into place: there is no half of one."""
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".new", dir=file.parent)
    os.close(descriptor)
    new = Path(name)
    try:
        with closing(_connect(new, "mode=rw")) as connection:
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            connection.execute(_SCHEMA)
            connection.execute("COMMIT")
        new.rename(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
