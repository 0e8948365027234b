"""The page on persistence says what the store writes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from streamer import store
from streamer.clients import ClientChanges, ClientRecord, Delivery
from streamer.connection import HubSettings
from streamer.register import HOUSEKEEPING_CLIENTS, HOUSEKEEPING_S
from streamer.store import ClientStore

PAGE = (Path(__file__).parents[2] / "docs" / "persistence.md").read_text(encoding="utf-8")

RECORD = ClientRecord("app", ((1, 2885), (3, 500325)), 1_756_957_500_000_000_000)


def saved(path: Path) -> sqlite3.Connection:
    """Return a plain connection to a store that holds one client."""
    with closing(ClientStore.open(path)) as opened:
        opened.save(ClientChanges(saved=(RECORD,)))
    return sqlite3.connect(path)


def test_the_schema_is_the_file_s(tmp_path: Path) -> None:
    """The statement on the page is the one that made the table, and each column is described."""
    with closing(saved(tmp_path / "sessions.db")) as connection:
        (statement,) = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'table'")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(client)")]
        identity = connection.execute("PRAGMA application_id").fetchone()[0]
    block = re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    assert block[1].split() == statement[0].split()
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == columns
    assert f"`{identity:#010x}` (`{identity.to_bytes(4, 'big').decode()}`)" in PAGE
    assert f"the schema's version, now {store.SCHEMA_VERSION}." in PAGE


def test_the_example_of_instruments_is_what_is_stored(tmp_path: Path) -> None:
    """The bytes on the page are those that the store writes for the example."""
    with closing(saved(tmp_path / "sessions.db")) as connection:
        (blob,) = connection.execute("SELECT instruments FROM client").fetchone()
    assert f"`{msgspec.json.encode(msgspec.msgpack.decode(blob)).decode()}`" in PAGE.replace(
        ", ", ","
    )
    assert f"`{blob.hex()}`" in PAGE


def test_the_statements_for_operators_work(tmp_path: Path) -> None:
    """Looking into a store and backing it up work as printed, and the backup is a store."""
    path = tmp_path / "sessions.db"
    look, backup = re.findall(r'^sqlite3 .*sessions\.db "(.*)"$', PAGE, re.MULTILINE)
    with closing(saved(path)) as connection:
        assert connection.execute(look).fetchall() == [("app", 15, "2025-09-04 03:45:00")]
        target = tmp_path / "sessions-backup.db"
        connection.execute(backup.replace("sessions-backup.db", str(target)))
    with closing(ClientStore.open(target)) as opened:
        assert opened.load() == [RECORD]


def test_the_numbers_are_the_code_s() -> None:
    """Sizes, times and kinds of delivery on the page are those that are in force."""
    assert f"once it holds {store.CHECKPOINT_BYTES >> 20} MiB" in PAGE
    assert f"At {store.MAX_LOG_BYTES >> 20} MiB a save" in PAGE
    settings = HubSettings()
    assert f"{settings.session_ttl_s / 86400:.0f} days" in PAGE
    assert f"{settings.made_up_ttl_s / 3600:.0f} hours" in PAGE
    assert HOUSEKEEPING_S == 3600, "the page says that the server looks every hour"
    assert HOUSEKEEPING_CLIENTS == 10, "the page says that it looks at ten clients a second"
    kinds = " or ".join(f"`{kind}`" for kind in Delivery.__args__)  # type: ignore[attr-defined]
    assert f"| `delivery` | {kinds} " in PAGE
