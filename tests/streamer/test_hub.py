"""Requests, market data and market hours, as the hub decides them (rules R, S, M, H)."""

from __future__ import annotations

from datetime import date

import pytest

from streamer.clock import WallClock
from streamer.connection import Connection, HubSettings
from streamer.odin.messages import LogonAnswer
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

TEN = at("10:00:00")


@pytest.fixture
def desk() -> Desk:
    """Return a hub at ten o'clock on a trading day, under the feed's clock."""
    found = Desk()
    found.log_on("10:00:00")
    return found


def test_r1_one_reply_for_each_request_in_order(desk: Desk) -> None:
    """R-1: whatever they are, good or bad, and request_id comes back."""
    connection = desk.connect()
    desk.read(connection)
    requests: list[dict[str, object]] = [
        {"action": "ping"},
        {"action": "dance"},
        {"action": "subscribe", "stocks": ["SBIN"]},
        {"action": "subscribe"},
        {"action": "get_subscriptions"},
        {"action": "market_status"},
    ]
    for number, request in enumerate(requests):
        desk.send(connection, request | {"request_id": number})
    replies = desk.read(connection)
    assert [reply["request_id"] for reply in replies] == list(range(6))
    assert kinds(replies) == [
        "pong",
        "error",
        "subscription_response",
        "error",
        "subscriptions",
        "market_status",
    ]


def test_s1_each_stock_is_named_as_it_was_asked_for(desk: Desk) -> None:
    """S-1, R-2: by symbol, by token, with its exchange; in the order of the request."""
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(
        connection, "tcs", "3045", 2885, "BSE:SBIN", " M&M ", "NSE:1594", "nifty"
    )
    assert reply["status"] == "success"
    assert reply["data"]["subscribed_stocks"] == [
        "TCS",
        "SBIN (NSE)",
        "RELIANCE (NSE)",
        "SBIN (BSE)",
        "M&M",
        "INFY (NSE)",
        "NIFTY 50",
    ]
    assert reply["data"]["total_subscribed"] == 7


def test_s2_failed_stocks_are_the_clients_own(desk: Desk) -> None:
    """S-2, R-4: items of a wrong type fail one by one; one good stock makes it a success."""
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(connection, " nope ", None, 1.5, {"a": 1}, "SBIN", True)
    assert reply["status"] == "success"
    assert reply["data"]["failed_stocks"] == [" nope ", "null", "1.5", '{"a":1}', "true"]
    assert "code" not in reply
    reply = desk.subscribe(connection, "NOPE", "99999999")
    assert (reply["status"], reply["code"]) == ("error", "invalid_stock")
    assert reply["type"] == "subscription_response"
    assert reply["data"]["failed_stocks"] == ["NOPE", "99999999"]
    assert reply["data"]["total_subscribed"] == 1


def test_s3_subscribing_again_changes_nothing(desk: Desk) -> None:
    """S-3: the same instrument by whatever name is listed and counted once."""
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(connection, "SBIN", "3045", "NSE:SBIN", "sbin")
    assert reply["data"]["subscribed_stocks"] == ["SBIN"]
    reply = desk.subscribe(connection, "3045")
    assert reply["data"]["subscribed_stocks"] == ["SBIN (NSE)"]
    assert reply["data"]["total_subscribed"] == 1


def test_r3_the_guides_wrong_tokens_are_aliases(desk: Desk) -> None:
    """R-3: they work, and replies and data carry the real token."""
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(connection, "424", "1660", "ITC")
    assert reply["data"]["subscribed_stocks"] == ["ITC (NSE)"]
    (listed,) = desk.ask(connection, {"action": "get_subscriptions"})
    assert listed["data"]["subscribed_tokens"] == ["1660"]


def test_s4_unsubscribe_tells_what_left_and_what_was_not_there(desk: Desk) -> None:
    """S-4: unknown and not subscribed stocks fail; the status is success."""
    connection = desk.connect()
    desk.subscribe(connection, "SBIN", "TCS", "RELIANCE")
    (reply,) = desk.ask(
        connection, {"action": "unsubscribe", "stocks": ["3045", "NOPE", "INFY", "TCS", "SBIN"]}
    )
    assert (reply["type"], reply["status"]) == ("subscription_response", "success")
    assert reply["data"] == {
        "action": "unsubscribe",
        "unsubscribed_stocks": ["SBIN (NSE)", "TCS"],
        "failed_stocks": ["NOPE", "INFY"],
        "total_subscribed": 1,
    }


def test_r8_a_star_unsubscribes_everything(desk: Desk) -> None:
    """R-8: with nothing subscribed it succeeds with empty lists."""
    connection = desk.connect()
    desk.subscribe(connection, "SBIN", "3045", "TCS")
    star = {"action": "unsubscribe", "stocks": ["*"]}
    (reply,) = desk.ask(connection, star)
    assert reply["data"]["unsubscribed_stocks"] == ["SBIN", "TCS"]
    (reply,) = desk.ask(connection, star)
    assert reply["status"] == "success"
    assert reply["data"]["unsubscribed_stocks"] == reply["data"]["failed_stocks"] == []


@pytest.mark.parametrize("action", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("fields", [{}, {"stocks": []}, {"stocks": None}], ids=str)
def test_s5_no_stocks_is_an_error(desk: Desk, action: str, fields: dict[str, object]) -> None:
    """S-5: with the guide's message."""
    connection = desk.connect()
    desk.read(connection)
    (reply,) = desk.ask(connection, {"action": action} | fields)
    assert (reply["type"], reply["code"]) == ("error", "empty_request")
    noun = "subscription" if action == "subscribe" else "unsubscription"
    assert reply["message"] == f"No stocks provided for {noun}"


def test_s6_subscriptions_are_listed_oldest_first(desk: Desk) -> None:
    """S-6: tokens, symbols and exchanges go together index by index."""
    connection = desk.connect()
    desk.subscribe(connection, "TCS")
    desk.subscribe(connection, "BSE:SBIN", "2885")
    (reply,) = desk.ask(connection, {"action": "get_subscriptions"})
    assert (reply["type"], reply["status"]) == ("subscriptions", "success")
    assert reply["data"] == {
        "subscribed_tokens": ["11536", "500112", "2885"],
        "subscribed_symbols": ["TCS", "SBIN", "RELIANCE"],
        "subscribed_exchanges": ["NSE", "BSE", "NSE"],
        "total_subscribed": 3,
    }


def test_s7_market_status_tells_the_day_and_the_feed(desk: Desk) -> None:
    """S-7: all its fields, while open."""
    connection = desk.connect()
    desk.read(connection)
    (reply,) = desk.ask(connection, {"action": "market_status"})
    assert (reply["type"], reply["status"]) == ("market_status", "success")
    assert reply["data"] == {
        "market_open": True,
        "market_hours": "09:15 - 15:30 IST",
        "current_time": "2025-09-04 10:00:00",
        "next_open": "2025-09-05 09:15:00",
        "next_close": "2025-09-04 15:30:00",
        "phase": "open",
        "phases": {"derivatives": "open", "others": "open"},
        "trading_day": "2025-09-04",
        "streaming_data": True,
        "timezone": "Asia/Kolkata",
        "upstream": "connected",
        "last_tick_age_ms": None,
    }


def test_s8_ping_is_answered(desk: Desk) -> None:
    """S-8: pong, alive."""
    connection = desk.connect()
    desk.read(connection)
    (reply,) = desk.ask(connection, {"action": "ping"})
    assert (reply["type"], reply["status"]) == ("pong", "alive")
    assert reply["timestamp"] == TEN // 1_000_000


def test_s9_a_bad_request_changes_nothing_and_the_next_one_works(desk: Desk) -> None:
    """S-9, R-4: the error says what was found; the connection stays up."""
    connection = desk.connect()
    desk.subscribe(connection, "SBIN")
    for bad in ("{", b"\xff", '{"action":"subscribe","stocks":"TCS"}', "[]"):
        (error,) = desk.ask(connection, bad)
        assert (error["type"], error["status"]) == ("error", "error")
        assert error["client_id"] == "app"
        assert error["message"]
    assert connection.closing is None
    (reply,) = desk.ask(connection, {"action": "get_subscriptions"})
    assert reply["data"]["subscribed_symbols"] == ["SBIN"]


def test_s10_a_subscribe_while_closed_is_kept_and_says_so() -> None:
    """S-10: accepted, with the time at which streaming starts."""
    desk = Desk()
    desk.log_on("16:00:00", date(2026, 11, 20))
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(connection, "SBIN")
    assert (reply["status"], reply["code"]) == ("success", "market_closed")
    assert reply["message"] == "Market is closed; streaming starts 2026-11-23 09:15:00 IST"
    assert desk.saved["app"].instruments == (SBIN,)


def test_s10_the_reject_policy_changes_nothing() -> None:
    """S-10: with the policy ``reject`` the same subscribe is an error."""
    desk = Desk(settings=HubSettings(closed_policy="reject"))
    desk.log_on("16:00:00")
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(connection, "SBIN")
    assert (reply["type"], reply["code"]) == ("error", "market_closed")
    assert desk.saved == {}
    assert desk.asked == {}


def test_s11_a_snapshot_comes_with_the_reply_open_or_closed() -> None:
    """S-11: the last known quotes, as M-1 data objects; unknown ones are left out."""
    desk = Desk()
    desk.log_on("16:00:00")
    desk.subscribe(desk.connect("other"), "RELIANCE")
    desk.feed(touchline(lut=at("15:59:59")))
    connection = desk.connect()
    desk.read(connection)
    reply = desk.subscribe(connection, "RELIANCE", "SBIN", snapshot=True)
    (snapshot,) = reply["data"]["snapshots"]
    assert (snapshot["symbol"], snapshot["ltp"]) == ("RELIANCE", 1365.5)
    assert "snapshots" not in desk.subscribe(connection, "RELIANCE")["data"]


def test_m2_only_what_is_subscribed_from_reply_to_reply(desk: Desk) -> None:
    """M-2: none before the subscribe's reply, none after the unsubscribe's."""
    connection = desk.connect()
    other = desk.connect("other")
    desk.read(connection)
    desk.subscribe(other, "SBIN", "TCS")
    desk.feed(touchline(SBIN, lut=TEN))
    assert desk.read(connection) == []
    messages = desk.ask(connection, {"action": "subscribe", "stocks": ["TCS"]})
    assert kinds(messages) == ["subscription_response"]
    desk.feed(touchline(SBIN, lut=TEN), touchline(TCS, lut=TEN))
    desk.send(connection, {"action": "unsubscribe", "stocks": ["TCS"]})
    desk.feed(touchline(TCS, lut=TEN + SECOND))
    messages = desk.read(connection)
    assert kinds(messages) == ["market_data", "subscription_response"]
    assert messages[0]["symbol"] == "TCS"


def test_m3_every_update_counts_and_comes_in_order(desk: Desk) -> None:
    """M-3: changed or not, each is one market_data with the next seq."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE", "SBIN")
    same = touchline(lut=TEN)
    desk.feed(same, touchline(SBIN, lut=TEN), same, touchline(ltp=136600, lut=TEN), same)
    messages = desk.read(connection)
    assert [m["seq"] for m in messages if m["symbol"] == "RELIANCE"] == [1, 2, 3, 4]
    assert [m["symbol"] for m in messages][1] == "SBIN"


def test_m4_the_last_known_quote_follows_the_reply_at_once(desk: Desk) -> None:
    """M-4, M-9: with the current seq, while open; for what is newly subscribed."""
    first = desk.connect("first")
    desk.subscribe(first, "RELIANCE")
    desk.feed(touchline(lut=TEN), touchline(lut=TEN))
    connection = desk.connect()
    desk.read(connection)
    reply, quote = desk.ask(connection, {"action": "subscribe", "stocks": ["RELIANCE", "SBIN"]})
    assert reply["type"] == "subscription_response"
    assert (quote["symbol"], quote["seq"]) == ("RELIANCE", 2)
    assert kinds(desk.ask(connection, {"action": "subscribe", "stocks": ["RELIANCE"]})) == [
        "subscription_response"
    ]


class TestManyLastQuotes:
    """M-4: where thousands of quotes are known, a client gets some at a time."""

    @pytest.fixture(autouse=True)
    def one_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let there be many of them soon."""
        monkeypatch.setattr("streamer.hub.LAST_QUOTES_AT_ONCE", 1)

    def begin(self, desk: Desk) -> Connection:
        """Return a client that has got its reply and the first of three quotes."""
        desk.feed(*(touchline(key, lut=TEN) for key in (RELIANCE, SBIN, TCS)))
        connection = desk.connect()
        request = {"action": "subscribe", "stocks": ["RELIANCE", "SBIN", "TCS"]}
        reply, quote = desk.ask(connection, request)[1:]
        assert (reply["type"], quote["symbol"]) == ("subscription_response", "RELIANCE")
        return connection

    def rest(self, desk: Desk, connection: Connection) -> list[tuple[str, int]]:
        """Return what follows, as symbols and ``seq``."""
        while desk.hub.is_catching_up:
            desk.hub.catch_up(desk.now)
        return [
            (message["symbol"], message["seq"])
            for message in desk.read(connection)
            if message["type"] == "market_data"
        ]

    def test_m4_all_of_them_come(self, desk: Desk) -> None:
        """M-4: in order, each once; clients take turns."""
        first, connection = self.begin(desk), desk.connect("other")
        desk.subscribe(connection, "SBIN", "TCS")
        desk.hub.catch_up(desk.now)
        assert [message["symbol"] for message in desk.read(first)] == ["SBIN"]
        desk.hub.catch_up(desk.now)
        assert [message["symbol"] for message in desk.read(connection)] == ["TCS"]
        assert self.rest(desk, first) == [("TCS", 1)]

    def test_m3_one_that_was_updated_meanwhile_comes_once(self, desk: Desk) -> None:
        """M-3: as the update, and nothing older or equal follows it."""
        connection = self.begin(desk)
        desk.feed(touchline(TCS, ltp=5, lut=TEN))
        assert self.rest(desk, connection) == [("TCS", 2), ("SBIN", 1)]

    def test_m2_none_comes_after_an_unsubscribe(self, desk: Desk) -> None:
        """M-2: and subscribed again it comes once more."""
        connection = self.begin(desk)
        desk.send(connection, {"action": "unsubscribe", "stocks": ["SBIN", "TCS"]})
        desk.send(connection, {"action": "subscribe", "stocks": ["TCS"]})
        assert self.rest(desk, connection) == [("TCS", 1)]

    def test_h2_none_comes_after_the_close(self, desk: Desk) -> None:
        """H-2: nothing follows the notice."""
        connection = self.begin(desk)
        desk.tell_time("15:30")
        assert self.rest(desk, connection) == []

    def test_c4_none_comes_to_a_client_that_was_replaced(self, desk: Desk) -> None:
        """C-4, P-1: the newer connection gets all of them."""
        connection = self.begin(desk)
        newer = desk.connect()
        assert self.rest(desk, connection) == []
        assert self.rest(desk, newer) == [("RELIANCE", 1), ("SBIN", 1), ("TCS", 1)]


def test_m4_no_quote_follows_while_the_market_is_closed_or_from_another_day() -> None:
    """M-4, H-1: nothing streams outside the hours, and yesterday's quote is not today's."""
    desk = Desk()
    desk.log_on("16:00:00")
    desk.subscribe(desk.connect("other"), "RELIANCE")
    desk.feed(touchline(lut=at("15:59:59")))
    connection = desk.connect()
    messages = desk.ask(connection, {"action": "subscribe", "stocks": ["RELIANCE"]})
    assert kinds(messages) == ["welcome", "subscription_response"]
    desk.tell_time("09:15:00", date(2025, 9, 5))
    late = desk.connect("late")
    messages = desk.ask(late, {"action": "subscribe", "stocks": ["RELIANCE"]})
    assert kinds(messages) == ["welcome", "subscription_response"]


def test_m5_delivery_all_is_a_bounded_queue(desk: Desk) -> None:
    """M-5: every update until the queue is full, then 4008."""
    desk.hub.settings = HubSettings(max_outbox_bytes=5000)
    everything, latest = desk.connect("all"), desk.connect("latest")
    desk.subscribe(everything, "RELIANCE", delivery="all")
    desk.subscribe(latest, "RELIANCE")
    everything.outbox.slow = latest.outbox.slow = True
    desk.feed(*[touchline(ltp=ltp, lut=TEN) for ltp in range(1, 6)])
    assert [m["seq"] for m in desk.read(latest)] == [5]
    assert [m["seq"] for m in desk.read(everything)] == [1, 2, 3, 4, 5]
    everything.outbox.slow = True
    desk.feed(*[touchline(ltp=ltp, lut=TEN) for ltp in range(1, 20)])
    assert everything.closing is not None
    assert everything.closing[0] == SLOW_CONSUMER
    assert latest.closing is None
    assert desk.saved["all"].delivery == "all"


def test_m3_a_change_of_delivery_puts_no_quote_before_an_older_one(desk: Desk) -> None:
    """M-3, M-5: what a slow client was to get in full stays in order when it wants the newest."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    connection.outbox.slow = True
    for ltp, delivery in enumerate(("latest", "all", "latest", "latest"), 1):
        request = {"action": "subscribe", "stocks": ["RELIANCE"], "delivery": delivery}
        desk.send(connection, request)
        desk.feed(touchline(ltp=ltp, lut=TEN))
    assert [m["seq"] for m in desk.read(connection) if m["type"] == "market_data"] == [1, 2, 4]


def test_m5_delivery_outlives_a_reconnect(desk: Desk) -> None:
    """M-5, P-1: who asked for every update gets every update again."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE", delivery="all")
    desk.disconnect(connection)
    assert not desk.connect().outbox.conflate


def test_m9_the_answer_to_a_subscribe_is_no_update_unless_it_is_news(desk: Desk) -> None:
    """M-9: after a reconnect of the feed, the known state gets no seq and no market_data."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE", "SBIN")
    desk.feed(touchline(lut=TEN), touchline(SBIN, lut=TEN))
    assert [m["seq"] for m in desk.read(connection)] == [1, 1]
    desk.feed(LogonAnswer(status=10000, simulated=True, sent=TEN))
    desk.feed(touchline(lut=TEN), touchline(SBIN, ltp=5, lut=TEN))
    assert [(m["symbol"], m["seq"]) for m in desk.read(connection)] == [("SBIN", 2)]
    desk.feed(touchline(lut=TEN))
    assert [(m["symbol"], m["seq"]) for m in desk.read(connection)] == [("RELIANCE", 2)]


def test_m1_a_touchline_without_a_price_is_not_passed_on(desk: Desk) -> None:
    """M-1: before the first trade there is no LTP, and none is invented."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    desk.feed(touchline(ltp=0, lut=TEN))
    assert desk.read(connection) == []


def test_a_touchline_of_an_unknown_instrument_is_passed_over(desk: Desk) -> None:
    """Nobody can have subscribed it."""
    desk.feed(touchline((1, 987_654_321), lut=TEN))
    assert desk.hub.updates == 0


def test_h1_h2_data_flows_from_0915_to_1530_and_the_notices_frame_it() -> None:
    """H-1, H-2: 09:15:00 is in, 15:30:00 is out; opened comes before, closed after."""
    desk = Desk()
    desk.log_on("09:14:59")
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    for clock in ("09:14:59", "09:15:00", "15:29:59", "15:30:00", "15:40:00"):
        desk.tell_time(clock)
        desk.feed(touchline(lut=at(clock)))
    messages = desk.read(connection)
    assert kinds(messages) == ["market_status", "market_data", "market_data", "market_status"]
    opened, first, _, closed = messages
    assert (opened["status"], opened["data"]["event"]) == ("info", "market_opened")
    assert (closed["status"], closed["data"]["event"]) == ("info", "market_closed")
    assert opened["message"]
    assert opened["data"]["market_open"] is True
    assert closed["data"]["market_open"] is False
    assert closed["data"]["phase"] == "closed"
    assert first["seq"] == 2


def test_h2_the_first_tick_of_the_session_itself_opens_the_market() -> None:
    """H-2: whichever comes first, timer or tick, opened precedes the quote."""
    desk = Desk()
    desk.log_on("09:14:50")
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    desk.feed(touchline(lut=at("09:15:00")))
    assert kinds(desk.read(connection)) == ["market_status", "market_data"]


def test_h3_subscriptions_live_on_over_nights_and_weekends() -> None:
    """H-3: the same connection gets each session's data, with one pair of notices a session."""
    desk = Desk()
    desk.log_on("15:00:00")
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    for day in (4, 5, 8):
        for clock in ("15:00:00", "15:30:00"):
            desk.tell_time(clock, date(2025, 9, day))
            desk.feed(touchline(lut=at(clock, date(2025, 9, day))))
    messages = desk.read(connection)
    assert kinds(messages) == ["market_data", "market_status"] + 2 * [
        "market_status",
        "market_data",
        "market_status",
    ]


def test_h2_a_jump_from_one_session_into_another_closes_and_opens() -> None:
    """H-2: two sessions are never run together."""
    desk = Desk()
    desk.log_on("15:00:00")
    connection = desk.connect()
    desk.read(connection)
    desk.tell_time("10:00:00", date(2025, 9, 5))
    messages = desk.read(connection)
    assert [m["data"]["event"] for m in messages] == ["market_closed", "market_opened"]
    assert [m["data"]["market_open"] for m in messages] == [False, True]


def test_h4_the_wall_clocks_open_and_close_are_met_by_a_timer() -> None:
    """H-4: the hub asks to be called at the moment itself, with no feed at all."""
    day = date(2026, 11, 23)
    desk = Desk(clock=WallClock(), now=at("09:14:00", day))
    connection = desk.connect()
    desk.read(connection)
    assert desk.hub.next_deadline() == at("09:15:00", day)
    desk.pass_time(59.999)
    assert desk.read(connection) == []
    desk.pass_time(0.001)
    (opened,) = desk.read(connection)
    assert opened["data"]["event"] == "market_opened"
    assert opened["data"]["current_time"] == "2026-11-23 09:15:00"
    desk.pass_time(7 * 3600)
    assert [m["data"]["event"] for m in desk.read(connection)] == ["market_closed"]


def test_h5_before_the_feed_told_a_time_the_server_waits() -> None:
    """H-5: it accepts clients and requests; phase ``waiting``; no time is made up."""
    desk = Desk()
    connection = desk.connect()
    (welcome,) = desk.read(connection)
    assert welcome["data"]["current_time"] is None
    assert welcome["data"]["market_open"] is False
    assert welcome["timestamp"] is None
    reply = desk.subscribe(connection, "SBIN")
    assert (reply["status"], reply["code"]) == ("success", "market_closed")
    (status,) = desk.ask(connection, {"action": "market_status"})
    data = status["data"]
    assert data["phase"] == "waiting"
    assert data["phases"] == {"derivatives": "waiting", "others": "waiting"}
    assert data["current_time"] is data["next_open"] is data["next_close"] is None
    desk.feed(touchline(SBIN, lut=TEN))
    assert desk.read(connection) == []
    desk.log_on("10:00:00")
    (opened,) = desk.read(connection)
    assert opened["data"]["event"] == "market_opened"


def test_h5_a_clock_that_goes_back_begins_the_day_anew(desk: Desk) -> None:
    """H-5: what was known of the later time is forgotten; notices as for any change."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    desk.feed(touchline(lut=TEN, high=0, ltp=150000))
    desk.read(connection)
    desk.tell_time("09:30:00")
    assert desk.read(connection) == []
    late = desk.connect("late")
    assert kinds(desk.ask(late, {"action": "subscribe", "stocks": ["RELIANCE"]})) == [
        "welcome",
        "subscription_response",
    ]
    desk.feed(touchline(lut=at("09:30:00"), high=0, ltp=140000))
    (message,) = desk.read(connection)
    assert message["data"]["high"] == 1400.0
    assert message["seq"] == 2
    desk.tell_time("09:00:00")
    (closed,) = desk.read(connection)
    assert closed["data"]["event"] == "market_closed"
    desk.tell_time("09:15:00")
    (opened,) = desk.read(connection)
    assert opened["data"]["event"] == "market_opened"


def test_h6_the_feed_is_read_after_the_close(desk: Desk) -> None:
    """H-6: no data is sent, but snapshots show the official close."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    desk.tell_time("15:31:00")
    desk.feed(touchline(lut=at("15:31:00"), ltp=136000))
    assert kinds(desk.read(connection)) == ["market_status"]
    reply = desk.subscribe(connection, "RELIANCE", snapshot=True)
    assert reply["data"]["snapshots"][0]["ltp"] == 1360.0


def test_m8_no_wall_clock_time_reaches_a_client_of_a_replay(desk: Desk) -> None:
    """M-8: every time shown is the feed's, while the machine's clock stands at another year."""
    connection = desk.connect()
    desk.subscribe(connection, "RELIANCE")
    desk.feed(touchline(lut=TEN))
    (message,) = desk.read(connection)
    assert message["timestamp"] == message["data"]["timestamp"] == TEN // 1_000_000
    assert message["data"]["last_updated"] == "2025-09-04T10:00:00.000000000+05:30"
    assert RELIANCE in desk.asked
