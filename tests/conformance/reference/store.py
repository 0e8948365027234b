"""Where the reference server keeps what clients subscribe: one SQLite file (section 4)."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Final

from tests.conformance.reference.breaks import broken
from tests.conformance.reference.instruments import Instrument, Key, find

MAGIC: Final = b"SQLite format 3\0"


class Session:
    """What is kept for a client_id, and how often it was taken over of late."""

    def __init__(self, client_id: str, *, made_up: bool, last_seen: float) -> None:
        self.client_id = client_id
        self.made_up = made_up
        self.last_seen = last_seen
        self.stocks: dict[Key, Instrument] = {}
        self.delivery = "latest"
        self.takeovers: list[float] = []


class StoreError(Exception):
    """The file is there and is no store: it is left as it is (P-6)."""


class Store:
    """The file ``sessions.db`` in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "sessions.db"
        if path.exists() and path.read_bytes()[: len(MAGIC)] != MAGIC:
            if not broken("damaged-store-overwritten"):
                raise StoreError(f"{path} is no SQLite database; expected one, or no file")
            path.unlink()
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            # NORMAL outlives kill -9, which is what P-2 promises; it does not wait for the disk.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS client (client_id TEXT PRIMARY KEY, stocks TEXT, "
                "delivery TEXT, made_up INTEGER, last_seen REAL)"
            )
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path} cannot be read: {error}") from error

    def load(self) -> dict[str, Session]:
        """Return every session by its client_id."""
        sessions = {}
        rows = self._database.execute(
            "SELECT client_id, stocks, delivery, made_up, last_seen FROM client"
        )
        for client_id, stocks, delivery, made_up, last_seen in rows:
            session = Session(client_id, made_up=bool(made_up), last_seen=last_seen)
            session.delivery = delivery
            for name in json.loads(stocks):
                if instrument := find(name):
                    session.stocks[instrument.key] = instrument
            sessions[client_id] = session
        return sessions

    def save(self, session: Session) -> None:
        """Make a session durable; one without subscriptions leaves nothing behind."""
        if not session.stocks:
            self._database.execute("DELETE FROM client WHERE client_id = ?", [session.client_id])
            return
        names = [
            one.symbol if broken("exchange-not-stored") else f"{one.exchange}:{one.token}"
            for one in session.stocks.values()
        ]
        self._database.execute(
            "INSERT OR REPLACE INTO client VALUES (?, ?, ?, ?, ?)",
            (
                session.client_id,
                json.dumps(names),
                session.delivery,
                session.made_up,
                session.last_seen,
            ),
        )

    def close(self) -> None:
        """Fold the log into the file."""
        self._database.close()
