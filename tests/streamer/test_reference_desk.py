"""The figures of trading sessions, for a running server."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

import pytest

from streamer.calendar import TradingCalendar
from streamer.eod_files import parse_eod_file
from streamer.eod_store import EodStore
from streamer.eod_table import EodFile
from streamer.instruments import Instrument, InstrumentTable
from streamer.reference_desk import SESSIONS_KEPT, ReferenceDesk
from streamer.store import ClientStore
from tests.streamer import eod_samples as samples

DAY, NEXT = date(2025, 12, 17), date(2025, 12, 18)
SBIN = (1, 3045)


def import_close(path: Path, close: float, day: date = DAY) -> None:
    """Import a file of one stock."""
    content = samples.full(day, {"SBIN": (close, close, close, close, 10), "NEW": (7, 7, 7, 7, 7)})
    found = parse_eod_file(content, file="full.csv")
    assert isinstance(found, EodFile)
    with EodStore.open(path) as store:
        store.save(found, replace=True)


def desk(path: Path, *tables: InstrumentTable) -> ReferenceDesk:
    """Return a desk over the bundled instruments, or those that are first in a list."""
    lists = list(tables) or [InstrumentTable.bundled()]
    return ReferenceDesk(path, lambda: lists[0], TradingCalendar.bundled())


def close_of(asked: ReferenceDesk, day: date = NEXT) -> int | None:
    """Return SBIN's previous close for a session."""
    figures = asked(day).figures.get(SBIN)
    return None if figures is None or figures.prev_close is None else figures.prev_close.value


def test_a_session_is_told_from_what_was_imported(tmp_path: Path) -> None:
    """And again from what was imported since, once the desk has looked."""
    path = tmp_path / "sessions.db"
    ClientStore.open(path).close()
    asked = desk(path)
    assert close_of(asked) is None
    assert not asked.look()
    import_close(path, 100.0)
    assert close_of(asked) is None
    assert asked.look()
    assert close_of(asked) == 10000
    assert not asked.look()
    import_close(path, 101.0)
    assert asked.look()
    assert close_of(asked) == 10100


@pytest.mark.parametrize("name", ["none.db", ":memory:"])
def test_without_a_file_all_is_wanting(tmp_path: Path, name: str) -> None:
    """And says so, by exchange."""
    found = desk(tmp_path / name)(NEXT)
    assert found.figures == {}
    assert [each.text() for each in found.wanting] == [
        "NSE end-of-day prices: there is none; expected one of 2025-12-17",
        "NSE 52-week file: there is none; expected one of 2025-12-18",
        "NSE corporate actions: there is none; expected one of 2025-12-17",
        "BSE end-of-day prices: there is none; expected one of 2025-12-17",
    ]


def test_a_store_that_cannot_be_read_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Quotes go on without."""
    path = tmp_path / "sessions.db"
    path.write_bytes(b"no store")
    asked = desk(path)
    with caplog.at_level(logging.ERROR, logger="streamer"):
        assert asked(NEXT).figures == asked(DAY).figures == {}
        assert not asked.look()
    assert len(caplog.records) == 1
    assert "quotes go without end-of-day files" in caplog.text


def test_another_list_of_instruments_is_noticed(tmp_path: Path) -> None:
    """A share that is listed anew has its figures at once."""
    path = tmp_path / "sessions.db"
    import_close(path, 100.0)
    new = Instrument(1, 99999, "NEW", "NSE", "EQ")
    lists = [InstrumentTable.bundled()]
    asked = ReferenceDesk(path, lambda: lists[0], TradingCalendar.bundled())
    assert new.key not in asked(NEXT).figures
    lists[0] = lists[0].with_instruments([new])
    assert new.key in asked(NEXT).figures


def test_few_sessions_are_kept(tmp_path: Path) -> None:
    """A replay of many days does not fill the memory."""
    asked = desk(tmp_path / "none.db")
    for day in range(1, 29):
        asked(date(2025, 12, day))
    assert len(asked._sessions) == SESSIONS_KEPT
