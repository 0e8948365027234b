"""
Which clients are known, and what of them has to be written down.

A client is known from its first connection on, and stays known as long as
there is something to restore and it comes back in time (rules P-1, P-5). The
disk is the store's business; here it is only said what must get there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Set
from typing import Final

from streamer.clients import ClientChanges, ClientRecord
from streamer.connection import Client, HubSettings, seconds
from streamer.odin.tags import InstrumentKey

HOUSEKEEPING_S: Final = 3600.0
"""How long after one round of looking after all clients the next begins."""

HOUSEKEEPING_CLIENTS: Final = 10
"""How many are looked after at once, each second: saving all in one go would hold up everything."""


class Register:
    """
    All clients by their id.

    Args:
        records: The clients of earlier processes; those that have expired are
            forgotten at once.
        listed: Returns those of some instruments that can be subscribed now.
        settings: For how long a client is kept.
        now: The machine's time.

    """

    def __init__(
        self,
        records: Iterable[ClientRecord],
        *,
        listed: Callable[[Iterable[InstrumentKey]], tuple[InstrumentKey, ...]],
        settings: HubSettings,
        now: int,
    ) -> None:
        self._settings = settings
        self._clients: dict[str, Client] = {}
        self._unsaved: dict[str, None] = {}
        self._to_look_after: deque[str] = deque()
        self.next_look = now + seconds(HOUSEKEEPING_S)
        """When :meth:`look_after` is due, by the machine's time."""
        for record in records:
            known = listed(record.instruments)
            self._clients[record.client_id] = Client.from_record(record, known)
        for client_id in list(self._clients):
            self._look_after(client_id, now)

    def __len__(self) -> int:
        """Return how many clients are known, connected or not."""
        return len(self._clients)

    def get(self, client_id: str) -> Client | None:
        """Return a known client."""
        return self._clients.get(client_id)

    def enter(self, client_id: str, principal: str | None, made_up: bool, now: int) -> Client:
        """Return the client of an id, which is new if nobody had it; it is seen now."""
        client = self._clients.get(client_id)
        if client is None:
            client = self._clients[client_id] = Client(client_id, principal, made_up, now)
        client.last_seen = now
        return client

    def leave(self, client: Client, now: int) -> None:
        """Note that a client's connection has ended; one with nothing to restore is forgotten."""
        client.connection = None
        client.last_seen = now
        if client.is_worth_keeping:
            self.changed(client)
        else:
            del self._clients[client.client_id]

    def changed(self, client: Client) -> None:
        """Have a client written down."""
        self._unsaved[client.client_id] = None

    def look_after(self, now: int) -> None:
        """Forget clients that were not seen for their time; note that others were (rule P-5)."""
        if now < self.next_look:
            return
        left = self._to_look_after = self._to_look_after or deque(self._clients)
        for _ in range(min(HOUSEKEEPING_CLIENTS, len(left))):
            self._look_after(left.popleft(), now)
        self.next_look = now + seconds(1.0 if left else HOUSEKEEPING_S)

    def relist(
        self, come: Set[InstrumentKey], gone: Set[InstrumentKey]
    ) -> list[tuple[Client, list[InstrumentKey], list[InstrumentKey]]]:
        """
        Keep each client to what it subscribed, of a list of instruments that is another now.

        Returns:
            The clients for which that matters, with what of theirs is listed
            again and what no longer. Nothing has to be saved: a client's record
            has both.

        """
        affected = []
        for client in self._clients.values():
            lost = [key for key in client.subscriptions if key in gone]
            found = [key for key in client.unlisted if key in come]
            if lost or found:
                client.unlisted = (*(key for key in client.unlisted if key not in come), *lost)
                kept = [key for key in client.subscriptions if key not in gone]
                client.subscriptions = (*kept, *found)
                affected.append((client, found, lost))
        return affected

    def take_changes(self) -> ClientChanges:
        """Return what must be durable before anything queued is written (rule P-2)."""
        if not self._unsaved:
            return ClientChanges()
        saved, removed = [], []
        for client_id in self._unsaved:
            client = self._clients.get(client_id)
            if client is not None and client.is_worth_keeping:
                saved.append(client.record())
            else:
                removed.append(client_id)
        self._unsaved.clear()
        return ClientChanges(tuple(saved), tuple(removed))

    def changes_failed(self, changes: ClientChanges) -> None:
        """Take back changes that could not be saved; they come again with the next ones."""
        self._unsaved.update(dict.fromkeys(record.client_id for record in changes.saved))
        self._unsaved.update(dict.fromkeys(changes.removed))

    def _look_after(self, client_id: str, now: int) -> None:
        client = self._clients.get(client_id)
        if client is None:
            return
        if client.connection is not None:
            client.last_seen = now
            if client.is_worth_keeping:
                self.changed(client)
            return
        settings = self._settings
        ttl_s = settings.made_up_ttl_s if client.made_up else settings.session_ttl_s
        if now - client.last_seen > seconds(ttl_s):
            del self._clients[client_id]
            self._unsaved[client_id] = None
