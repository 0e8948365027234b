"""
End-of-day files in the store: each kept once, with where it came from, in tables of its own.

The tables stand in the SQLite file of `streamer.store`, beside the sessions of
clients. A server that has the file keeps serving while files are imported: a
file is one short transaction. Any order of imports gives the same content;
what follows from it for a session is `streamer.reference`'s to say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from streamer.eod_session import StoredFile, as_day, as_number, prepare_session
from streamer.eod_table import EodFile
from streamer.errors import EodError, StoreError
from streamer.instruments import Instrument
from streamer.reference import SessionReference
from streamer.store import open_beside, read_beside

Outcome = Literal["imported", "known", "replaced"]

EOD_VERSION: Final = 1
"""Of the tables for end-of-day files alone: they change without those of the sessions."""

_SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS eod_file (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        exchange TEXT NOT NULL,
        effective INTEGER NOT NULL,
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        UNIQUE (kind, exchange, effective)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS eod_bar (
        file INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        series TEXT NOT NULL,
        token INTEGER NOT NULL,
        isin TEXT NOT NULL,
        open INTEGER NOT NULL,
        high INTEGER NOT NULL,
        low INTEGER NOT NULL,
        close INTEGER NOT NULL,
        volume INTEGER NOT NULL,
        PRIMARY KEY (file, symbol, series, token)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS eod_range (
        file INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        series TEXT NOT NULL,
        high INTEGER NOT NULL,
        high_on INTEGER,
        low INTEGER NOT NULL,
        low_on INTEGER,
        PRIMARY KEY (file, symbol, series)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS eod_action (
        file INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        series TEXT NOT NULL,
        ex_date INTEGER NOT NULL,
        purpose TEXT NOT NULL,
        PRIMARY KEY (file, symbol, series, ex_date, purpose)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE IF NOT EXISTS eod_schema (version INTEGER NOT NULL)",
)


class EodStore:
    """
    End-of-day files in an SQLite file; made by :meth:`open` or :meth:`read`.

    It belongs to the thread that opened it, and is a context that closes it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> EodStore:
        """
        Open the store at ``path`` to import files, also while a server has it.

        Raises:
            StoreError: If the file is none of ours, damaged, or not to be written.

        """
        connection = open_beside(path)
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    connection.execute(statement)
                version = _version(connection)
                if version is None:
                    connection.execute("INSERT INTO eod_schema VALUES (?)", (EOD_VERSION,))
                _check_version(version or EOD_VERSION, path)
        except sqlite3.Error as error:
            connection.close()
            raise StoreError(f"{path}: cannot be written: {error}") from error
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    @classmethod
    def read(cls, path: Path) -> EodStore | None:
        """
        Open the store at ``path`` to read; None if nothing was ever imported.

        Raises:
            StoreError: If what is there cannot be read.

        """
        if not path.exists():
            return None
        connection = read_beside(path)
        try:
            tables = connection.execute(
                "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'eod_schema'"
            ).fetchone()
            if tables is None:
                connection.close()
                return None
            _check_version(_version(connection), path)
        except sqlite3.Error as error:
            connection.close()
            raise StoreError(f"{path}: cannot be read: {error}") from error
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def save(self, file: EodFile, *, replace: bool = False) -> Outcome:
        """
        Keep a file, all of it or nothing.

        Args:
            file: The same content again changes nothing.
            replace: Let it take the place of another one of its kind and day.

        Raises:
            EodError: If there is another file of this kind and day. Which of
                two holds is for the operator to say, not for their order.
            StoreError: If it could not be written.

        """
        connection = self._connection
        day = as_number(file.effective)
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                known = connection.execute(
                    "SELECT id, name, sha256 FROM eod_file "
                    "WHERE kind = ? AND exchange = ? AND effective = ?",
                    (file.kind, file.exchange, day),
                ).fetchone()
                if known is not None:
                    number, name, sha256 = known
                    if sha256 == file.sha256:
                        return "known"
                    if not replace:
                        raise EodError(
                            f"another {file.kind} of {file.exchange} for {file.effective} was "
                            f"imported before, {name}, with other content",
                            expected="one for each day; --replace puts this one in its place",
                            file=file.name,
                        )
                    for table in ("eod_bar", "eod_range", "eod_action"):
                        connection.execute(f"DELETE FROM {table} WHERE file = ?", (number,))
                    connection.execute("DELETE FROM eod_file WHERE id = ?", (number,))
                self._insert(file, day)
        except sqlite3.Error as error:
            raise StoreError(
                f"{file.name} cannot be written to the store: {error}; expected room on the disk "
                "and no other writer. Nothing of it was kept"
            ) from error
        return "imported" if known is None else "replaced"

    def files(self) -> list[StoredFile]:
        """
        Return what was imported, by exchange, kind and day.

        Raises:
            StoreError: If the store cannot be read.

        """
        try:
            rows = self._connection.execute(
                "SELECT id, kind, exchange, effective, name, sha256 FROM eod_file "
                "ORDER BY exchange, kind, effective"
            ).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"The end-of-day files cannot be read: {error}") from error
        return [
            StoredFile(number, kind, exchange, as_day(effective), name, sha256)
            for number, kind, exchange, effective, name, sha256 in rows
        ]

    def session(
        self, day: date, instruments: Iterable[Instrument], is_session: Callable[[date], bool]
    ) -> SessionReference:
        """
        Return the figures of instruments for a session.

        Args:
            day: The session; files of it, and later ones, are left out.
            instruments: Whose figures.
            is_session: The calendar.

        Raises:
            StoreError: If the store cannot be read.

        """
        connection = self._connection
        try:
            # One state of the store for all questions, whoever imports meanwhile.
            connection.execute("BEGIN")
            try:
                return prepare_session(connection, self.files(), day, instruments, is_session)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreError(f"The end-of-day files cannot be read: {error}") from error

    def _insert(self, file: EodFile, day: int) -> None:
        connection = self._connection
        number = connection.execute(
            "INSERT INTO eod_file (kind, exchange, effective, name, sha256) VALUES (?, ?, ?, ?, ?)",
            (file.kind, file.exchange, day, file.name, file.sha256),
        ).lastrowid
        connection.executemany(
            "INSERT INTO eod_bar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((number, *msgspec.structs.astuple(bar)) for bar in file.bars),
        )
        connection.executemany(
            "INSERT INTO eod_range VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    *(number, row.symbol, row.series),
                    *(row.high, row.high_on and as_number(row.high_on)),
                    *(row.low, row.low_on and as_number(row.low_on)),
                )
                for row in file.ranges
            ),
        )
        connection.executemany(
            "INSERT INTO eod_action VALUES (?, ?, ?, ?, ?)",
            (
                (number, row.symbol, row.series, as_number(row.ex_date), row.purpose)
                for row in file.actions
            ),
        )


def _version(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT version FROM eod_schema").fetchone()
    return None if row is None else int(row[0])


def _check_version(version: int | None, path: Path) -> None:
    if version != EOD_VERSION:
        raise StoreError(
            f"{path}: found end-of-day files of version {version}; expected {EOD_VERSION}, the one "
            "that this program knows: run the program that wrote it, or choose another file"
        )
