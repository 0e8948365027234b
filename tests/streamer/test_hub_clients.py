"""Connections, takeovers, limits and persistence, as the hub decides them (C, R-5 to R-7, P)."""

from __future__ import annotations

import re
from datetime import date

import pytest

from streamer.answers import RATE_LIMIT_ABUSED
from streamer.clients import ClientRecord
from streamer.clock import WallClock
from streamer.connection import HubSettings
from streamer.hub import SESSION_REPLACED
from streamer.register import HOUSEKEEPING_S
from streamer.speaker import SLOW_CONSUMER
from tests.streamer.desk import (
    RELIANCE,
    SBIN,
    SECOND,
    TCS,
    Desk,
    at,
    kinds,
    touchline,
)


def test_c3_welcome_is_first_and_whole() -> None:
    """C-3: every field of the welcome is there, with its type."""
    desk = Desk()
    desk.log_on("10:00:00")
    welcome, *rest = desk.read(desk.connect())
    assert rest == []
    assert (welcome["type"], welcome["status"], welcome["client_id"]) == (
        "welcome",
        "connected",
        "app",
    )
    data = welcome["data"]
    assert list(data) == [
        "message",
        "client_id",
        "features",
        "market_hours",
        "market_open",
        "current_time",
        "subscribed_stocks",
        "restored",
        "restored_stocks",
        "epoch",
        "simulated",
        "instructions",
    ]
    assert data["market_hours"] == "09:15 - 15:30 IST"
    assert data["market_open"] is True
    assert data["current_time"] == "10:00:00"
    assert (data["subscribed_stocks"], data["restored"], data["restored_stocks"]) == (0, False, [])
    assert data["epoch"] == "epoch-1"
    assert all(isinstance(feature, str) for feature in data["features"])
    assert {request["action"] for request in data["instructions"].values()} == set(
        data["instructions"]
    )


def test_c3_simulated_is_true_under_the_feeds_clock_or_when_the_feed_says_so() -> None:
    """C-3: only a real feed under the wall clock is not simulated."""
    for clock, feed_is_simulated, simulated in (
        (None, False, True),
        (WallClock(), True, True),
        (WallClock(), False, False),
    ):
        desk = Desk(clock=clock)
        desk.log_on("10:00:00", simulated=feed_is_simulated)
        (welcome,) = desk.read(desk.connect())
        assert welcome["data"]["simulated"] is simulated


@pytest.mark.parametrize(
    "client_id", ["a b", "x" * 129, "ä", "a/b", "a\n", "\u0663", "a?b", "<b>"], ids=ascii
)
def test_c2_a_client_id_out_of_form_is_refused_before_the_upgrade(client_id: str) -> None:
    """C-2: HTTP 400 with a body that says why."""
    desk = Desk()
    refusal = desk.hub.admit(client_id, None, desk.now)
    assert refusal is not None
    assert refusal.status == 400
    assert "expected 1 to 128" in str(refusal.body["message"])


@pytest.mark.parametrize("client_id", ["a", "x" * 128, "user_123", "a.b:c@d-e"])
def test_c2_a_client_id_in_form_is_let_in(client_id: str) -> None:
    """C-2: all allowed characters and both lengths at the edges."""
    desk = Desk()
    assert desk.hub.admit(client_id, None, desk.now) is None


@pytest.mark.parametrize("client_id", [None, ""])
def test_c2_a_missing_client_id_is_made_up(client_id: str | None) -> None:
    """C-2: unguessable, URL-safe, told in welcome, and another one each time."""
    desk = Desk()
    told = {desk.read(desk.connect(client_id))[0]["data"]["client_id"] for _ in range(5)}
    assert len(told) == 5
    for made_up in told:
        assert re.fullmatch(r"client_[A-Za-z0-9_-]{22}", made_up)


def test_c4_the_newest_connection_wins() -> None:
    """C-4: it gets the subscriptions and the data; the older one an error, then 4501."""
    desk = Desk()
    desk.log_on("10:00:00")
    old = desk.connect()
    desk.subscribe(old, "RELIANCE")
    desk.feed(touchline(lut=at("10:00:00")))
    desk.read(old)
    new = desk.connect()
    (error,) = desk.read(old)
    assert (error["type"], error["code"]) == ("error", "session_replaced")
    assert old.closing is not None
    assert old.closing[0] == SESSION_REPLACED
    welcome, quote = desk.read(new)
    assert welcome["data"]["restored_stocks"] == ["RELIANCE"]
    assert quote["type"] == "market_data"
    desk.feed(touchline(lut=at("10:00:01")))
    assert not old.outbox
    assert kinds(desk.read(new)) == ["market_data"]


def test_c4_the_end_of_the_older_connection_never_touches_the_newcomer() -> None:
    """P-1, C-4: the older socket's clean-up comes late and changes nothing."""
    desk = Desk()
    desk.log_on("10:00:00")
    old = desk.connect()
    desk.subscribe(old, "RELIANCE")
    new = desk.connect()
    desk.read(new)
    desk.disconnect(old)
    desk.send(old, {"action": "unsubscribe", "stocks": ["*"]})
    desk.feed(touchline(lut=at("10:00:01")))
    assert kinds(desk.read(new)) == ["market_data"]
    assert desk.saved["app"].instruments == (RELIANCE,)


def test_c4_two_apps_cannot_kick_each_other_for_ever() -> None:
    """C-4: more than three takeovers in ten seconds: the newcomer gets 429; later it may again."""
    desk = Desk()
    for _ in range(4):
        connection = desk.connect()
    refusal = desk.hub.admit("app", None, desk.now)
    assert refusal is not None
    assert refusal.status == 429
    assert connection.closing is None
    assert desk.hub.admit("other", None, desk.now) is None
    desk.pass_time(10.001)
    assert desk.hub.admit("app", None, desk.now) is None


def test_c5_heartbeats_come_at_the_asked_pace_also_while_the_market_is_closed() -> None:
    """C-5: a mute feed shows as the age of its last tick."""
    desk = Desk()
    desk.log_on("16:00:00")
    connection = desk.connect(heartbeat_s=5.0)
    silent = desk.connect("silent")
    desk.read(connection)
    desk.read(silent)
    desk.feed(touchline(lut=at("16:00:00")))
    desk.pass_time(16)
    heartbeats = desk.read(connection)
    assert kinds(heartbeats) == ["heartbeat"] * 3
    assert [beat["data"]["last_tick_age_ms"] for beat in heartbeats] == [5000, 10000, 15000]
    assert heartbeats[0]["data"]["market_open"] is False
    assert heartbeats[0]["data"]["upstream"] == "connected"
    assert desk.read(silent) == []
    desk.disconnect(connection)
    desk.pass_time(60)
    assert desk.read(connection) == []


def test_c6_shutdown_tells_every_client_when_to_come_back() -> None:
    """C-6: after the replies that wait, one server_shutdown."""
    desk = Desk()
    connection = desk.connect()
    desk.send(connection, {"action": "ping"})
    desk.hub.shut_down(1500, desk.now)
    messages = desk.read(connection)
    assert kinds(messages) == ["welcome", "pong", "server_shutdown"]
    assert messages[-1]["data"] == {"reconnect_after_ms": 1500}


def test_r6_subscriptions_are_accepted_up_to_the_limit_in_order() -> None:
    """R-6: the rest fails, with a code on the reply; a repeat counts once."""
    desk = Desk(settings=HubSettings(max_subscriptions=2))
    desk.log_on("10:00:00")
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(connection, "SBIN", "TCS", "INFY", "SBIN", "ITC")
    assert reply["status"] == "success"
    assert reply["code"] == "too_many_subscriptions"
    assert reply["data"] == {
        "action": "subscribe",
        "subscribed_stocks": ["SBIN", "TCS"],
        "failed_stocks": ["INFY", "ITC"],
        "total_subscribed": 2,
    }


def test_r7_a_client_over_the_rate_is_told_how_long_to_wait() -> None:
    """R-7: refused requests change nothing, and after the wait it is served again."""
    desk = Desk(settings=HubSettings(request_rate=10, request_burst=2))
    connection = desk.connect()
    desk.read(connection)
    for _ in range(2):
        assert kinds(desk.ask(connection, {"action": "ping"})) == ["pong"]
    (refused,) = desk.ask(
        connection, {"action": "subscribe", "stocks": ["SBIN"], "request_id": "late"}
    )
    assert (refused["code"], refused["request_id"]) == ("rate_limited", "late")
    assert refused["data"] == {"retry_after_ms": 100}
    assert "app" not in desk.saved
    desk.pass_time(0.1)
    assert kinds(desk.ask(connection, {"action": "ping"})) == ["pong"]


def test_r7_three_times_the_rate_kept_up_ends_the_connection() -> None:
    """R-7: refused requests count; another connection of the client begins with a full bucket."""
    desk = Desk(settings=HubSettings(request_rate=10, request_burst=10))
    connection = desk.connect()
    for count in range(31):
        assert connection.closing is None, count
        desk.send(connection, "not even JSON")
    assert connection.closing is not None
    assert connection.closing[0] == RATE_LIMIT_ABUSED
    desk.read(connection)
    assert desk.ask(connection, {"action": "ping"}) == []
    assert kinds(desk.ask(desk.connect(), {"action": "ping"})) == ["welcome", "pong"]


def test_m5_a_client_that_reads_no_replies_is_ended() -> None:
    """M-5: replies are never dropped, so their bytes are bounded by the connection's life."""
    desk = Desk(settings=HubSettings(max_outbox_bytes=2000, request_rate=1e6, request_burst=1e6))
    connection = desk.connect()
    desk.read(connection)
    connection.outbox.slow = True
    for _ in range(50):
        desk.send(connection, {"action": "ping"})
    assert connection.closing is not None
    assert connection.closing[0] == SLOW_CONSUMER


def test_limits_hold_for_connections_and_clients() -> None:
    """A peer cannot make the server hold more than it was set up for."""
    desk = Desk(settings=HubSettings(max_connections=2, max_clients=2))
    desk.connect("a")
    desk.disconnect(desk.connect("b"))
    desk.connect("b")
    refusal = desk.hub.admit("c", None, desk.now)
    assert refusal is not None
    assert refusal.status == 503
    assert desk.hub.clients == desk.hub.connections == 2


@pytest.mark.parametrize("ending", ["drop", "restart"])
def test_p1_a_reconnect_restores_the_subscriptions_in_their_order(ending: str) -> None:
    """P-1: no new request is needed, and the data flows again."""
    desk = Desk()
    desk.log_on("10:00:00")
    connection = desk.connect()
    desk.subscribe(connection, "TCS", "SBIN")
    desk.subscribe(connection, "2885", "NSE:INFY")
    desk.ask(connection, {"action": "unsubscribe", "stocks": ["SBIN"]})
    if ending == "drop":
        desk.disconnect(connection)
    else:
        desk = Desk(records=desk.saved.values())
        desk.log_on("10:00:00")
    again = desk.connect()
    (welcome, *_) = desk.read(again)
    assert welcome["data"]["restored"] is True
    assert welcome["data"]["restored_stocks"] == ["TCS", "RELIANCE", "INFY"]
    assert welcome["data"]["subscribed_stocks"] == 3
    assert RELIANCE in desk.asked
    desk.feed(touchline(lut=at("10:00:01")), touchline(SBIN, lut=at("10:00:01")))
    assert [message["symbol"] for message in desk.read(again)] == ["RELIANCE"]


def test_p2_a_change_is_to_be_saved_before_its_reply_may_leave() -> None:
    """P-2, P-3: the record to save is there together with the reply, for both directions."""
    desk = Desk()
    connection = desk.connect()
    desk.subscribe(connection, "SBIN", "TCS")
    assert list(desk.saved["app"].instruments) == [SBIN, TCS]
    desk.ask(connection, {"action": "unsubscribe", "stocks": ["SBIN"]})
    assert list(desk.saved["app"].instruments) == [TCS]
    desk.ask(connection, {"action": "unsubscribe", "stocks": ["*"]})
    assert "app" not in desk.saved


def test_what_could_not_be_saved_comes_again() -> None:
    """A failed save loses nothing: the change is part of the next ones."""
    desk = Desk()
    connection = desk.connect()
    desk.hub.receive(connection, '{"action":"subscribe","stocks":["SBIN"]}', desk.now)
    changes = desk.hub.take_changes()
    assert not desk.hub.take_changes()
    desk.hub.changes_failed(changes)
    assert desk.hub.take_changes() == changes


def test_p4_sessions_never_mix() -> None:
    """P-4: each id has its own subscriptions and data."""
    desk = Desk()
    desk.log_on("10:00:00")
    one, two = desk.connect("one"), desk.connect("two")
    desk.subscribe(one, "SBIN")
    desk.subscribe(two, "TCS")
    desk.feed(touchline(SBIN, lut=at("10:00:01")), touchline(TCS, lut=at("10:00:01")))
    assert [m.get("symbol") for m in desk.read(one)] == ["SBIN"]
    assert [m.get("symbol") for m in desk.read(two)] == ["TCS"]


def test_p4_a_session_belongs_to_the_principal_that_made_it() -> None:
    """P-4: another token gets 403, also after a restart; the owner gets in."""
    desk = Desk()
    desk.subscribe(desk.connect(principal="alice"), "SBIN")
    for _ in range(2):
        for principal in ("bob", None):
            refusal = desk.hub.admit("app", principal, desk.now)
            assert refusal is not None
            assert refusal.status == 403
        assert desk.hub.admit("app", "alice", desk.now) is None
        desk = Desk(records=desk.saved.values())


def test_p5_sessions_expire_when_unused_for_their_time() -> None:
    """P-5: 30 days for the client's own id, 24 hours for one that the server made up."""
    desk = Desk()
    for client_id in ("own", None):
        connection = desk.connect(client_id)
        desk.subscribe(connection, "SBIN")
        desk.disconnect(connection)
    assert len(desk.saved) == 2
    desk.pass_time(23 * 3600)
    assert len(desk.saved) == 2
    desk.pass_time(3 * 3600)
    assert list(desk.saved) == ["own"]
    desk.pass_time(29 * 86400)
    assert desk.hub.clients == 0
    assert desk.saved == {}


def test_p5_a_session_in_use_does_not_expire_even_over_a_crash() -> None:
    """P-5: what is connected counts as used, and the disk knows it."""
    desk = Desk()
    desk.subscribe(desk.connect(), "SBIN")
    desk.pass_time(31 * 86400)
    after_crash = Desk(records=desk.saved.values(), now=desk.now)
    (welcome,) = after_crash.read(after_crash.connect())
    assert welcome["data"]["restored"] is True


def test_p5_many_clients_are_looked_after_a_few_at_a_time() -> None:
    """P-5: each is noted as seen once a round, and no look at the clock saves more than ten."""
    desk = Desk()
    for number in range(35):
        desk.subscribe(desk.connect(f"app-{number}"), "SBIN")
    seen: list[str] = []
    until = desk.now + round(1.5 * HOUSEKEEPING_S) * SECOND
    while desk.hub.next_deadline() <= until:
        desk.now = desk.hub.next_deadline()
        desk.hub.handle_timer(desk.now)
        changes = desk.hub.take_changes()
        assert len(changes.saved) <= 10
        assert {record.last_seen for record in changes.saved} <= {desk.now}
        seen += [record.client_id for record in changes.saved]
    assert seen == [f"app-{number}" for number in range(35)]


def test_p5_what_expired_while_the_server_was_down_is_removed_at_start() -> None:
    """P-5: time passes for sessions also while nothing runs."""
    long_ago = at("10:00", date(2020, 1, 1))
    desk = Desk(records=[ClientRecord("app", (SBIN,), long_ago)])
    assert desk.hub.clients == 0
    assert desk.saved == {}


def test_p3_everything_is_also_what_no_list_names_any_more() -> None:
    """P-3: after unsubscribing ``*`` nothing comes back when an instrument is listed again."""
    delisted = (1, 999_999_999)
    for instruments in ((delisted,), (SBIN, delisted)):
        desk = Desk(records=[ClientRecord("app", instruments, Desk().now)])
        connection = desk.connect()
        desk.ask(connection, {"action": "unsubscribe", "stocks": ["*"]})
        assert desk.saved == {}
        desk.disconnect(connection)
        assert desk.hub.clients == 0


def test_a_subscription_that_no_list_names_any_more_is_kept_for_later() -> None:
    """An instrument gone from the list is neither shown nor lost."""
    gone = (1, 999_999)
    desk = Desk(records=[ClientRecord("app", (SBIN, gone), at("10:00", date(2026, 11, 22)))])
    connection = desk.connect()
    (welcome,) = desk.read(connection)
    assert welcome["data"]["restored_stocks"] == ["SBIN"]
    reply = desk.subscribe(connection, "TCS")
    assert reply["data"]["total_subscribed"] == 2
    assert desk.saved["app"].instruments == (SBIN, TCS, gone)


def test_interest_lingers_for_those_that_just_left() -> None:
    """The feed stays asked for 30 s after a drop, and not at all after an unsubscribe."""
    desk = Desk()
    connection = desk.connect()
    desk.subscribe(connection, "SBIN", "TCS")
    desk.ask(connection, {"action": "unsubscribe", "stocks": ["SBIN"]})
    assert list(desk.asked) == [TCS]
    desk.disconnect(connection)
    desk.pass_time(29)
    assert list(desk.asked) == desk.hub.interest() == [TCS]
    desk.pass_time(2)
    assert desk.asked == {}


def test_a_disconnect_twice_is_one_disconnect() -> None:
    """The owner of a socket need not know whether the hub has let go already."""
    desk = Desk()
    connection = desk.connect()
    desk.disconnect(connection)
    desk.disconnect(connection)
    assert desk.hub.connections == desk.hub.clients == 0


def test_the_owner_may_end_a_connection() -> None:
    """C-8: with a code of its own, after what waits."""
    desk = Desk()
    connection = desk.connect()
    desk.hub.end(connection, 4503, "access revoked", desk.now)
    assert connection.closing == (4503, "access revoked")
    assert connection in desk.hub.take_dirty()
    assert kinds(desk.read(connection)) == ["welcome"]


def test_stats_count_what_happened() -> None:
    """Monitoring sees connections, updates and deliveries."""
    desk = Desk()
    desk.log_on("10:00:00")
    for client_id in "ab":
        desk.subscribe(desk.connect(client_id), "RELIANCE")
    desk.feed(touchline(lut=at("10:00:01")))
    desk.now += SECOND
    stats = desk.hub.stats(desk.now)
    assert stats["connections"] == 2
    assert stats["updates"] == 1
    assert stats["delivered"] == 2
    assert stats["instruments_subscribed"] == stats["instruments_asked_of_feed"] == 1
    assert stats["simulated"] is True
    market = stats["market"]
    assert isinstance(market, dict)
    assert market["last_tick_age_ms"] == 1000
