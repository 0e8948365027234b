"""A client and its connection, as the hub knows them."""

from __future__ import annotations

from streamer.clients import ClientRecord
from streamer.connection import Client, Connection, HubSettings, Refusal, seconds
from tests.streamer.desk import SBIN, SECOND, TCS


def test_a_record_survives_a_list_that_knows_less() -> None:
    """What is not listed now is kept behind what is."""
    record = ClientRecord("c", (SBIN, TCS), 5, "all", "alice", True)
    client = Client.from_record(record, (TCS,))
    assert client.subscriptions == (TCS,)
    assert client.is_worth_keeping
    assert client.record() == ClientRecord("c", (TCS, SBIN), 5, "all", "alice", True)


def test_takeovers_are_counted_within_a_window() -> None:
    """C-4: what happened before the window no longer counts."""
    client = Client("c", None, False, 0)
    client.takeovers.extend((1, 2, 3))
    assert client.recent_takeovers(since=0) == 3
    assert client.recent_takeovers(since=2) == 1
    assert client.recent_takeovers(since=0) == 1


def test_requests_are_counted_per_connection() -> None:
    """R-7: the bucket is the connection's."""
    settings = HubSettings(request_rate=1, request_burst=1)
    client = Client("c", None, False, 0)
    connection = Connection(client, settings, 0, 0)
    assert [connection.count_request(0) for _ in range(4)] == [
        (0, False),
        (1000, False),
        (1000, False),
        (1000, True),
    ]
    assert Connection(client, settings, 0, 0).count_request(0) == (0, False)


def test_a_refusal_is_shaped_as_an_error() -> None:
    """S-9: also before the upgrade."""
    refusal = Refusal.because(400, "invalid_request", "why")
    assert refusal.status == 400
    assert refusal.body == {
        "type": "error",
        "status": "error",
        "message": "why",
        "code": "invalid_request",
    }
    assert seconds(1.5) == 3 * SECOND // 2
