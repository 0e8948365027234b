from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from streamer.errors import FrameError
from streamer.odin.connection import (
    ClientConnection,
    InterestChanged,
    KeptAlive,
    Kind,
    LogonAsked,
    Refused,
    Resumed,
    ServerConnection,
    ServerEvent,
    TouchlineMode,
)
from streamer.odin.framing import (
    Dialect,
    ResponseDecoder,
    Run,
    encode_frames,
    encode_request_frame,
)
from streamer.odin.messages import (
    BestFive,
    Heartbeat,
    Level,
    Logon,
    LogonAnswer,
    LtpTouchline,
    ServerMessage,
    Touchline,
    TouchlineRequest,
    decode_body,
    encode,
    encode_disconnect,
    encode_heartbeat,
    encode_logoff,
    encode_native,
    encode_request,
)
from streamer.odin.tags import InstrumentKey
from streamer.odin.times import parse_stamp

NOW = parse_stamp(b"2026-09-04 101500")
INFY: InstrumentKey = (1, 1594)
RELIANCE: InstrumentKey = (1, 2885)
RELIANCE_BSE: InstrumentKey = (3, 500325)
BLANK = Touchline(1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sent=NOW)


class Update(msgspec.Struct, frozen=True):
    """One update of an instrument, with the last traded price as all there is to it."""

    key: InstrumentKey
    ltp: int

    @property
    def touchline(self) -> Touchline:
        segment, token = self.key
        return replace(BLANK, segment=segment, token=token, ltp=self.ltp)

    @property
    def text(self) -> bytes:
        return encode(self.touchline)

    @property
    def native(self) -> bytes:
        return encode_native(self.touchline, NOW)

    @property
    def ltp_text(self) -> bytes:
        segment, token = self.key
        return encode(LtpTouchline(segment, token, 0, self.ltp, 0, sent=NOW))

    @property
    def best_five(self) -> bytes:
        side = (Level(),) * 5
        return encode(BestFive(self.touchline, side, side, NOW))


def sent_by(server: ServerConnection) -> list[ServerMessage]:
    """Take what the feed's side has queued, decoded."""
    decoder = ResponseDecoder()
    messages = []
    for frame in server.data_to_send():
        for body in decoder.feed(frame):
            decoded, problems = decode_body(body)
            assert problems == []
            messages += decoded
    return messages


def texts_sent_by(server: ServerConnection) -> list[bytes]:
    """Take what the feed's side has queued, as texts."""
    decoder = ResponseDecoder()
    return [
        text
        for frame in server.data_to_send()
        for body in decoder.feed(frame)
        for text in cut(body)
    ]


def cut(body: bytes) -> list[bytes]:
    """Cut a body of ours by its lengths."""
    texts = []
    while body:
        end = 6 + int(body[1:6])
        texts.append(body[6:end])
        body = body[end:]
    return texts


def feed(server: ServerConnection, frames: Sequence[bytes]) -> list[ServerEvent]:
    """Let the feed's side receive frames."""
    return [event for frame in frames for event in server.receive(frame, NOW)]


@pytest.fixture(params=Dialect)
def client(request: pytest.FixtureRequest) -> ClientConnection:
    """Return the adapter's side, in each dialect."""
    return ClientConnection("DEMO01", dialect=request.param)


@pytest.fixture
def server(client: ClientConnection) -> ServerConnection:
    """Return the feed's side of a connection that is logged on."""
    server = ServerConnection()
    server.receive(client.logon(NOW), NOW)
    server.accept(NOW, simulated=False)
    for frame in server.data_to_send():
        client.receive(frame)
    return server


class TestLogon:
    def test_a_client_is_let_in_by_the_caller(self) -> None:
        """The connection asks, the caller decides, both ends know."""
        client = ClientConnection("DEMO01", "KEY")
        server = ServerConnection()
        assert server.receive(client.logon(NOW), NOW) == [LogonAsked(Logon("DEMO01", "KEY"))]
        assert not server.logged_on
        server.accept(NOW, simulated=True)
        assert server.logged_on
        assert server.user == "DEMO01"
        (frame,) = server.data_to_send()
        assert client.receive(frame) == [LogonAnswer(10000, simulated=True, sent=NOW)]
        assert client.logged_on

    def test_a_client_is_turned_away_by_the_caller(self) -> None:
        """A refusal is an answer too; nothing else is sent, nothing else taken."""
        client = ClientConnection("DEMO01")
        server = ServerConnection()
        feed(server, [client.logon(NOW), *client.subscribe([RELIANCE], NOW)])
        server.refuse(10001, NOW)
        server.publish(Update(RELIANCE, 100))
        server.send_state(Kind.TOUCHLINE, Update(RELIANCE, 100))
        (frame,) = server.data_to_send()
        assert client.receive(frame) == [LogonAnswer(10001, sent=NOW)]
        assert not client.logged_on
        assert not server.logged_on
        assert list(server.interest()) == []
        assert feed(server, client.subscribe([RELIANCE], NOW)) == []

    def test_requests_before_the_logon_are_ignored(self, client: ClientConnection) -> None:
        """Nobody is served before saying who they are."""
        server = ServerConnection()
        frames = [*client.subscribe([RELIANCE], NOW), client.heartbeat(NOW), client.pause(NOW)]
        assert feed(server, frames) == []
        assert server.queued_messages == 0
        assert not server.paused

    def test_requests_may_run_ahead_of_the_answer(self) -> None:
        """Known clients subscribe at once; the answer goes out first all the same."""
        client = ClientConnection("DEMO01")
        server = ServerConnection()
        frames = b"".join(
            [client.logon(NOW), client.heartbeat(NOW, "7"), *client.subscribe([RELIANCE], NOW)]
        )
        assert server.receive(frames, NOW) == [
            LogonAsked(Logon("DEMO01")),
            KeptAlive(),
            InterestChanged(Kind.TOUCHLINE, added=(RELIANCE,)),
        ]
        server.accept(NOW, simulated=False)
        server.send_state(Kind.TOUCHLINE, Update(RELIANCE, 100))
        assert sent_by(server) == [
            LogonAnswer(10000, sent=NOW),
            Heartbeat("7", NOW),
            Update(RELIANCE, 100).touchline,
        ]

    def test_logging_on_again_keeps_what_is_subscribed(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """A second logon is asked of the caller like the first."""
        feed(server, client.subscribe([RELIANCE], NOW))
        assert feed(server, [client.logon(NOW)]) == [LogonAsked(Logon("DEMO01"))]
        assert server.logged_on
        server.accept(NOW, simulated=False)
        assert list(server.interest()) == [RELIANCE]


class TestInterest:
    def test_the_three_kinds_are_independent(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """An instrument may be wanted in each form; each is ended alone."""
        assert feed(server, client.subscribe([RELIANCE, INFY], NOW)) == [
            InterestChanged(Kind.TOUCHLINE, added=(RELIANCE, INFY))
        ]
        assert feed(server, client.subscribe_ltp([INFY, RELIANCE_BSE], NOW)) == [
            InterestChanged(Kind.LTP, added=(INFY, RELIANCE_BSE))
        ]
        assert feed(server, client.subscribe_best_five([RELIANCE], NOW)) == [
            InterestChanged(Kind.BEST_FIVE, added=(RELIANCE,))
        ]
        assert list(server.interest()) == [RELIANCE, INFY, RELIANCE_BSE]
        assert feed(server, client.unsubscribe([RELIANCE], NOW)) == [
            InterestChanged(Kind.TOUCHLINE, removed=(RELIANCE,))
        ]
        assert set(server.interest()) == {INFY, RELIANCE_BSE, RELIANCE}
        feed(server, client.subscribe_best_five([RELIANCE], NOW, subscribe=False))
        feed(server, client.subscribe_ltp([INFY], NOW, subscribe=False))
        assert set(server.interest()) == {INFY, RELIANCE_BSE}

    def test_updates_go_out_in_each_form_asked_for(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """One update, as many messages as the client has subscriptions of its instrument."""
        feed(server, client.subscribe([RELIANCE], NOW))
        feed(server, client.subscribe([INFY], NOW, native=True))
        feed(server, client.subscribe_ltp([RELIANCE], NOW))
        feed(server, client.subscribe_best_five([RELIANCE], NOW))
        reliance, infy = Update(RELIANCE, 100), Update(INFY, 200)
        for update in (reliance, infy, Update(RELIANCE_BSE, 300)):
            server.publish(update)
        assert texts_sent_by(server) == [
            reliance.text,
            reliance.ltp_text,
            reliance.best_five,
            infy.native,
        ]

    def test_a_state_goes_out_in_one_form(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """The answer of a subscribe is of its own kind, and only while it is subscribed."""
        update = Update(RELIANCE, 100)
        feed(server, client.subscribe([RELIANCE], NOW))
        feed(server, client.subscribe_best_five([RELIANCE], NOW))
        for kind in Kind:
            server.send_state(kind, update)
        assert texts_sent_by(server) == [update.text, update.best_five]

    def test_subscribing_again_replaces_the_mode_and_asks_for_the_state_again(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """It is the same subscription, in the mode that was asked for last."""
        feed(server, client.subscribe([RELIANCE], NOW))
        assert feed(server, client.subscribe([RELIANCE, RELIANCE], NOW, native=True)) == [
            InterestChanged(Kind.TOUCHLINE, added=(RELIANCE,))
        ]
        assert server.touchline == {RELIANCE: TouchlineMode(native=True)}

    def test_unsubscribing_what_is_not_subscribed_is_ignored(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """No event, no error."""
        assert feed(server, client.unsubscribe([RELIANCE], NOW)) == []

    def test_on_change_sends_changes_of_the_last_price_alone(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """The first update goes out, then those whose price differs from the last one sent."""
        feed(server, client.subscribe([RELIANCE], NOW, on_change=True))
        server.send_state(Kind.TOUCHLINE, Update(RELIANCE, 100))
        for ltp in (100, 100, 105, 105, 100):
            server.publish(Update(RELIANCE, ltp))
        feed(server, client.unsubscribe([RELIANCE], NOW))
        feed(server, client.subscribe([RELIANCE], NOW, on_change=True))
        server.publish(Update(RELIANCE, 100))
        assert [getattr(message, "ltp", None) for message in sent_by(server)] == [
            100,
            105,
            100,
            100,
        ]

    def test_a_new_mode_forgets_the_last_price_of_the_old(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """Between two times of on-change the client has seen other prices."""
        feed(server, client.subscribe([RELIANCE], NOW, on_change=True))
        server.publish(Update(RELIANCE, 100))
        feed(server, client.subscribe([RELIANCE], NOW))
        server.publish(Update(RELIANCE, 105))
        feed(server, client.subscribe([RELIANCE], NOW, on_change=True))
        server.publish(Update(RELIANCE, 100))
        assert [getattr(message, "ltp", None) for message in sent_by(server)] == [100, 105, 100]

    def test_subscriptions_beyond_the_limit_are_ignored_and_told(self) -> None:
        """The limit is over all kinds; what is subscribed may still change its mode."""
        client = ClientConnection("DEMO01")
        server = ServerConnection(max_instruments=3)
        feed(server, [client.logon(NOW), *client.subscribe_ltp([INFY], NOW)])
        changed, refused = sorted(
            feed(server, client.subscribe([RELIANCE, INFY, RELIANCE_BSE], NOW)), key=repr
        )
        assert changed == InterestChanged(Kind.TOUCHLINE, added=(RELIANCE, INFY))
        assert isinstance(refused, Refused)
        assert "ignored 1 subscriptions" in refused.problem
        assert feed(server, client.subscribe([RELIANCE], NOW, native=True)) == [
            InterestChanged(Kind.TOUCHLINE, added=(RELIANCE,))
        ]

    def test_instruments_that_cannot_be_read_are_told(self, server: ServerConnection) -> None:
        """The readable ones of the same request are served."""
        text = b"63=FT3.0|64=206|65=84|66=10:15:00|1=1$7=x|1=1$7=2885|230=1"
        events = server.receive(encode_request_frame(text, Dialect.PLAIN), NOW)
        assert events == [
            Refused("skipped 1 instruments that could not be read"),
            InterestChanged(Kind.TOUCHLINE, added=(RELIANCE,)),
        ]


class TestPause:
    def test_a_pause_drops_updates_and_keeps_subscriptions(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """Nothing is sent meanwhile; then the caller sends each state once."""
        feed(server, client.subscribe([RELIANCE], NOW))
        assert feed(server, [client.pause(NOW)]) == []
        assert server.paused
        server.publish(Update(RELIANCE, 100))
        server.send_state(Kind.TOUCHLINE, Update(RELIANCE, 100))
        assert server.data_to_send() == []
        assert feed(server, [client.resume(NOW)]) == [Resumed()]
        server.publish(Update(RELIANCE, 105))
        assert len(sent_by(server)) == 1

    def test_resuming_what_is_not_paused_is_ignored(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """The state is not sent again."""
        assert feed(server, [client.resume(NOW)]) == []

    def test_control_messages_go_out_during_a_pause(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """A pause holds market data back, not the signs of life."""
        feed(server, [client.pause(NOW), client.heartbeat(NOW, "1")])
        server.send(encode_heartbeat(NOW))
        assert sent_by(server) == [Heartbeat("1", NOW), Heartbeat("", NOW)]


class TestFaults:
    def test_an_unusable_request_is_told_and_the_next_is_served(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """A refused request changes nothing."""
        bad = encode_request_frame(b"63=FT3.0|64=206|65=84|66=10:15:00|1=1$7=1", Dialect.PLAIN)
        lost = b"\x0500003abc"
        events = server.receive(bad + lost + client.heartbeat(NOW), NOW)
        assert [type(event) for event in events] == [Refused, KeptAlive, Refused]
        assert list(server.interest()) == []

    def test_a_request_nobody_knows_is_told(self, server: ServerConnection) -> None:
        """It may be of a client that expects something from us."""
        text = b"63=FT3.0|64=999|65=84|66=10:15:00|"
        (event,) = server.receive(encode_request_frame(text, Dialect.PLAIN), NOW)
        assert event == Refused("found a request with code 999, which is not known")

    def test_a_stream_that_cannot_be_followed_ends_either_end(
        self, client: ClientConnection, server: ServerConnection
    ) -> None:
        """Both sides say so and recover by a new connection alone."""
        with pytest.raises(FrameError):
            server.receive(b"GET / HTTP/1.1", NOW)
        with pytest.raises(FrameError):
            client.receive(b"HTTP/1.1 200 OK")

    def test_unusable_messages_are_counted_by_the_client(self, client: ClientConnection) -> None:
        """The others of the same frame are handed on; the latest problem is kept."""
        good = Update(RELIANCE, 100)
        bad = good.text.replace(b"|8=100|", b"|8=1.00|")
        (frame,) = encode_frames([bad, good.text])
        assert client.receive(frame + b"\x0500003abc") == [good.touchline]
        assert client.unusable == 2
        assert "lost a frame of 3 bytes" in str(client.last_problem)

    def test_a_frame_that_is_lost_with_the_stream_is_counted(
        self, client: ClientConnection
    ) -> None:
        """A frame that is told too short costs itself and the connection; both are told."""
        (frame,) = encode_frames([Update(RELIANCE, 100).text])
        short = b"\x05%05d%b" % (len(frame) - 16, frame[6:])
        with pytest.raises(FrameError):
            client.receive(short)
        assert client.unusable == 1
        assert "lost a frame" in str(client.last_problem)

    @pytest.mark.parametrize("text", [encode_logoff(NOW), encode_disconnect(NOW)])
    def test_a_client_is_no_longer_logged_on_when_the_feed_ends(
        self, client: ClientConnection, server: ServerConnection, text: bytes
    ) -> None:
        """Logoff and disconnect both end the session."""
        assert client.logged_on
        server.send(text)
        (frame,) = server.data_to_send()
        client.receive(frame)
        assert not client.logged_on


class TestBatches:
    @given(st.integers(0, 160))
    def test_subscriptions_go_out_fifty_at_a_time(self, count: int) -> None:
        """Every instrument once, in order, in as few requests as that allows."""
        client = ClientConnection("DEMO01")
        server = ServerConnection()
        server.receive(client.logon(NOW), NOW)
        keys = [(1, 1 + i) for i in range(count)]
        frames = client.subscribe(keys, NOW)
        assert len(frames) == -(-count // 50)
        feed(server, frames)
        assert list(server.touchline) == keys
        feed(server, client.unsubscribe(keys, NOW))
        assert list(server.touchline) == []

    @given(st.integers(1, 40), st.integers(0, 100))
    def test_frames_hold_no_more_messages_than_the_batch(self, batch: int, count: int) -> None:
        """What is queued comes out once, in order, in frames of that many messages."""
        server = ServerConnection(batch=batch)
        texts = [encode_heartbeat(NOW, str(i)) for i in range(count)]
        for text in texts:
            server.send(text)
        assert server.queued_messages == count
        frames = server.data_to_send()
        assert len(frames) == -(-count // batch)
        assert server.queued_messages == 0
        decoder = ResponseDecoder()
        assert [t for frame in frames for b in decoder.feed(frame) for t in cut(b)] == texts


KEYS = st.sampled_from([INFY, RELIANCE, RELIANCE_BSE])


class SubscriptionModel(RuleBasedStateMachine):
    """The feed's side against plain dictionaries: what is sent is what was asked for."""

    @initialize()
    def log_on(self) -> None:
        self.client = ClientConnection("DEMO01")
        self.server = ServerConnection()
        self.server.receive(self.client.logon(NOW), NOW)
        self.server.accept(NOW, simulated=True)
        self.server.data_to_send()
        self.touchline: dict[InstrumentKey, tuple[bool, bool]] = {}
        self.seen: dict[InstrumentKey, int] = {}
        self.ltp: set[InstrumentKey] = set()
        self.best_five: set[InstrumentKey] = set()
        self.paused = False

    @rule(keys=st.lists(KEYS), native=st.booleans(), on_change=st.booleans())
    def subscribe(self, keys: list[InstrumentKey], native: bool, on_change: bool) -> None:
        feed(self.server, self.client.subscribe(keys, NOW, native=native, on_change=on_change))
        self.touchline |= dict.fromkeys(keys, (native, on_change))
        for key in keys:
            self.seen.pop(key, None)

    @rule(keys=st.lists(KEYS))
    def unsubscribe(self, keys: list[InstrumentKey]) -> None:
        feed(self.server, self.client.unsubscribe(keys, NOW))
        for key in keys:
            self.touchline.pop(key, None)
            self.seen.pop(key, None)

    @rule(keys=st.lists(KEYS), subscribe=st.booleans())
    def change_ltp(self, keys: list[InstrumentKey], subscribe: bool) -> None:
        feed(self.server, self.client.subscribe_ltp(keys, NOW, subscribe=subscribe))
        self.ltp = self.ltp | set(keys) if subscribe else self.ltp - set(keys)

    @rule(keys=st.lists(KEYS), subscribe=st.booleans())
    def change_best_five(self, keys: list[InstrumentKey], subscribe: bool) -> None:
        feed(self.server, self.client.subscribe_best_five(keys, NOW, subscribe=subscribe))
        self.best_five = self.best_five | set(keys) if subscribe else self.best_five - set(keys)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        frame = self.client.pause(NOW) if paused else self.client.resume(NOW)
        expected = [Resumed()] if self.paused and not paused else []
        assert feed(self.server, [frame]) == expected
        self.paused = paused

    @rule(key=KEYS, ltp=st.integers(1, 3))
    def publish(self, key: InstrumentKey, ltp: int) -> None:
        update = Update(key, ltp)
        expected = []
        if not self.paused:
            if key in self.touchline:
                native, on_change = self.touchline[key]
                if not (on_change and self.seen.get(key) == ltp):
                    expected.append(update.native if native else update.text)
                    if on_change:
                        self.seen[key] = ltp
            if key in self.ltp:
                expected.append(update.ltp_text)
            if key in self.best_five:
                expected.append(update.best_five)
        self.server.publish(update)
        assert texts_sent_by(self.server) == expected

    @rule(keys=st.sampled_from([frozenset({INFY}), frozenset({INFY, RELIANCE}), frozenset()]))
    def publish_run(self, keys: frozenset[InstrumentKey]) -> None:
        wanted = dict.fromkeys(keys, (False, False))
        plain = self.touchline == wanted and not (self.ltp or self.best_five or self.paused)
        assert self.server.wants_texts_of(keys) == plain
        if plain:
            texts = [Update(key, ltp).text for key in keys for ltp in (1, 2)]
            framed = [b"\x02%05d%b" % (len(text), text) for text in texts]
            marks = [sum(map(len, framed[:count])) for count in range(len(framed) + 1)]
            assert self.server.publish_run(Run(memoryview(b"".join(framed)), marks)) == len(texts)
            assert self.server.queued_messages == len(texts)
            assert texts_sent_by(self.server) == texts

    @invariant()
    def interest_is_the_union(self) -> None:
        assert self.server.has_interest == bool(self.touchline or self.ltp or self.best_five)
        assert set(self.server.interest()) == self.touchline.keys() | self.ltp | self.best_five


TestSubscriptionModel = SubscriptionModel.TestCase


def test_the_two_ends_use_the_same_requests() -> None:
    """What the client's side sends is what the module of requests writes."""
    client = ClientConnection("DEMO01", dialect=Dialect.PLUS_FOUR)
    text = encode_request(TouchlineRequest((RELIANCE,)), NOW, Dialect.PLUS_FOUR)
    assert client.subscribe([RELIANCE], NOW) == [encode_request_frame(text, Dialect.PLUS_FOUR)]
