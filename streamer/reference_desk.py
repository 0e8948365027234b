"""
The figures of trading sessions, for a running server: read from its store, and kept at hand.

The figures of a session are made once, from what was imported by then. Whoever
owns the desk has it look from time to time whether more was imported.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

from streamer.calendar import TradingCalendar
from streamer.eod_session import StoredFile, without_files
from streamer.eod_store import EodStore
from streamer.errors import StoreError
from streamer.instruments import InstrumentTable
from streamer.reference import SessionReference

SESSIONS_KEPT: Final = 8

_logger = logging.getLogger("streamer")


class ReferenceDesk:
    """
    Answers what a session begins with; a store that cannot be read is logged and answers nothing.

    May be asked by several threads.

    Args:
        path: The store.
        instruments: Returns the instruments of the moment.
        calendar: Which days are sessions.

    """

    def __init__(
        self, path: Path, instruments: Callable[[], InstrumentTable], calendar: TradingCalendar
    ) -> None:
        self._path = path
        self._instruments = instruments
        self._calendar = calendar
        self._lock = threading.Lock()
        self._sessions: dict[date, SessionReference] = {}
        self._files: list[StoredFile] = []
        self._table: InstrumentTable | None = None
        self._problem: str | None = None

    def __call__(self, day: date) -> SessionReference:
        """Return the figures of a session."""
        with self._lock:
            table = self._instruments()
            if table is not self._table:
                self._sessions.clear()
                self._table = table
            found = self._sessions.get(day)
            if found is None:
                found = self._load(day, table)
                while len(self._sessions) >= SESSIONS_KEPT:
                    del self._sessions[next(iter(self._sessions))]
                self._sessions[day] = found
            return found

    def look(self) -> bool:
        """Return whether other files were imported since the last look; then all is made anew."""
        with self._lock:
            files = self._read_files()
            if files == self._files:
                return False
            self._files = files
            self._sessions.clear()
            _logger.info("%d end-of-day files stand behind the quotes", len(files))
            return True

    def prepare(self, day: date | None) -> bool:
        """Look, and have the figures of a session at hand; return what :meth:`look` does."""
        is_other = self.look()
        if day is not None:
            self(day)
        return is_other

    def _read_files(self) -> list[StoredFile]:
        try:
            store = EodStore.read(self._path)
            if store is None:
                return []
            with store:
                return store.files()
        except StoreError as error:
            self._complain(error)
            return self._files

    def _load(self, day: date, table: InstrumentTable) -> SessionReference:
        try:
            store = EodStore.read(self._path)
            if store is None:
                return without_files(day, self._is_session)
            with store:
                found = store.session(day, table, self._is_session)
        except StoreError as error:
            self._complain(error)
            return SessionReference(day)
        self._problem = None
        return found

    def _is_session(self, day: date) -> bool:
        return bool(self._calendar.day(day).sessions)

    def _complain(self, error: StoreError) -> None:
        if str(error) != self._problem:
            self._problem = str(error)
            _logger.error("quotes go without end-of-day files: %s", error)
