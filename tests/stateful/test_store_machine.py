"""The session store against a plain dict, with restarts and crashes in any order."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamer.clients import ClientChanges, ClientRecord
from streamer.store import ClientStore
from tests.scratch import scratch
from tests.streamer.client_strategies import FEW_CLIENT_IDS, apply, changes


class StoreMachine(RuleBasedStateMachine):
    """
    One store after the other, each on the files that the one before left.

    A crash is a copy of the files at that moment, opened as a new store: what
    kill -9 leaves, because the kernel has all that was written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, ClientRecord] = {}
        self.root = scratch()
        self.crashes = 0
        self.path = self.root / "sessions.db"
        self.store = ClientStore.open(self.path)

    @rule(made=changes(FEW_CLIENT_IDS))
    def save(self, made: ClientChanges) -> None:
        self.store.save(made)
        apply(self.kept, made)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = ClientStore.open(self.path)

    @rule()
    def crash(self) -> None:
        self.crashes += 1
        folder = self.root / f"crash-{self.crashes}"
        folder.mkdir()
        for suffix in ("", "-wal", "-shm"):
            found = Path(f"{self.path}{suffix}")
            if found.exists():
                shutil.copyfile(found, folder / found.name)
        self.store.close()
        self.path = folder / "sessions.db"
        self.store = ClientStore.open(self.path)

    @invariant()
    def the_store_holds_what_the_dict_holds(self) -> None:
        assert {record.client_id: record for record in self.store.load()} == self.kept

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.root)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
