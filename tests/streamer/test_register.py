"""Which clients are known, and what of them has to be written down."""

from __future__ import annotations

from streamer.clients import ClientChanges, ClientRecord
from streamer.connection import HubSettings
from streamer.register import HOUSEKEEPING_CLIENTS, HOUSEKEEPING_S, Register
from tests.streamer.desk import SBIN, SECOND, TCS

DAY = 86_400 * SECOND
SETTINGS = HubSettings(session_ttl_s=2 * 86_400.0, made_up_ttl_s=86_400.0)


def register(*records: ClientRecord, now: int = 0) -> Register:
    """Return a register that lists every instrument."""
    return Register(records, listed=tuple, settings=SETTINGS, now=now)


def test_a_client_with_nothing_to_restore_is_forgotten_when_it_leaves() -> None:
    """Nothing is written for a client that never subscribed."""
    found = register()
    client = found.enter("app", None, False, 0)
    assert found.enter("app", None, False, 5) is client
    found.leave(client, 6)
    assert len(found) == 0
    assert not found.take_changes()


def test_a_client_that_leaves_is_written_down_with_its_last_sight() -> None:
    """P-5: its time begins when it goes."""
    found = register()
    client = found.enter("app", None, False, 0)
    client.subscriptions = (SBIN,)
    found.leave(client, 7)
    assert found.take_changes() == ClientChanges((ClientRecord("app", (SBIN,), 7),))
    assert found.get("app") is client


def test_an_emptied_client_is_removed_from_the_disk() -> None:
    """P-3: what was unsubscribed does not come back."""
    found = register(ClientRecord("app", (SBIN,), 0))
    client = found.enter("app", None, False, 0)
    client.subscriptions = ()
    found.changed(client)
    assert found.take_changes() == ClientChanges(removed=("app",))


def test_failed_changes_come_again_as_they_are_then() -> None:
    """A later state takes the place of the one that could not be saved."""
    found = register()
    client = found.enter("app", None, False, 0)
    client.subscriptions = (SBIN,)
    found.changed(client)
    failed = found.take_changes()
    client.subscriptions = (SBIN, TCS)
    found.changes_failed(failed)
    assert [record.instruments for record in found.take_changes().saved] == [(SBIN, TCS)]


def test_p5_expired_clients_are_forgotten_at_start_and_later() -> None:
    """P-5: by the kind of their id, in rounds that begin every hour."""
    own = ClientRecord("own", (SBIN,), 0)
    made_up = ClientRecord("made-up", (SBIN,), 0, made_up=True)
    found = register(own, made_up, now=DAY + 1)
    assert (len(found), found.take_changes()) == (1, ClientChanges(removed=("made-up",)))
    found.look_after(2 * DAY + 1)
    assert (len(found), found.take_changes()) == (0, ClientChanges(removed=("own",)))


def test_a_round_looks_at_a_few_clients_each_second() -> None:
    """However many there are, no look takes long, and none is left out."""
    count = 3 * HOUSEKEEPING_CLIENTS + 1
    found = register(*(ClientRecord(f"c{n}", (SBIN,), 0) for n in range(count)))
    now = round(HOUSEKEEPING_S) * SECOND
    assert found.next_look == now
    for n in range(count):
        client = found.get(f"c{n}")
        assert client is not None
        found.enter(f"c{n}", None, False, 0)
        client.last_seen = -3 * DAY
    sizes = []
    while found.next_look - now <= SECOND:
        now = found.next_look
        found.look_after(now)
        sizes.append(len(found.take_changes().removed))
    assert sizes == [HOUSEKEEPING_CLIENTS] * 3 + [1]
    assert found.next_look == now + round(HOUSEKEEPING_S) * SECOND
