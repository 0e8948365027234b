"""
The hub and a real store against a plain model, in any order of events.

Clients connect, ask, are taken over, drop, read slowly and come again; the
feed speaks, fails and turns back; time passes; the server stops and is killed.
After each step every client has read exactly what the model foretells, and the
disk holds exactly what was acknowledged.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamer.calendar import TradingCalendar
from streamer.clients import Delivery
from streamer.clock import FeedClock, WallClock
from streamer.connection import Connection, HubSettings
from streamer.hub import SESSION_REPLACED, Hub
from streamer.instruments import InstrumentTable
from streamer.odin.messages import Heartbeat, LogonAnswer, ServerMessage, Touchline
from streamer.odin.tags import InstrumentKey
from streamer.store import ClientStore
from tests.scratch import scratch
from tests.stateful.hub_model import (
    HOUSEKEEPING_S,
    KEYS,
    LINGER_S,
    MADE_UP_TTL_S,
    MAX_SUBSCRIPTIONS,
    NAMES,
    TAKEOVER_WINDOW_S,
    TAKEOVERS,
    TTL_S,
    UNKNOWN,
    Model,
    Peer,
    gist,
)
from tests.streamer.desk import SECOND, at, messages_in, touchline

INSTRUMENTS = InstrumentTable.bundled()
CALENDAR = TradingCalendar.bundled()
SETTINGS = HubSettings(
    max_subscriptions=MAX_SUBSCRIPTIONS,
    takeovers=TAKEOVERS,
    takeover_window_s=TAKEOVER_WINDOW_S,
    linger_s=LINGER_S,
    session_ttl_s=TTL_S,
    made_up_ttl_s=MADE_UP_TTL_S,
    request_rate=1e6,
)

FRIDAY, SATURDAY = date(2025, 9, 5), date(2025, 9, 6)
LAST = at("00:00", date(2025, 9, 24))
"""The model knows no days long after this one."""

WHO = st.integers(0, 9)
STOCKS = st.lists(st.sampled_from([*NAMES, UNKNOWN]), min_size=1, max_size=6)
SECONDS = st.sampled_from([0.2, 1, 3, 9.8, 29, 30, 31, HOUSEKEEPING_S, 90_000, 270_000])
AHEAD_S = st.sampled_from([0, 0, 1, 30, 60, 61])
"""How far ahead of the feed's time an update may say it is; 61 s is not believed."""

Tick = tuple[int, int, bool, int]
"""Which of the instruments asked for, its price, whether it changed, how far ahead."""

TICK = st.tuples(WHO, st.integers(1, 10**7), st.booleans(), AHEAD_S)

TIMES = st.sampled_from(
    [
        *(at(clock) for clock in ("12:00:00", "13:30:00", "15:29:30", "09:15:00")),
        *(at(clock, FRIDAY) for clock in ("09:15:00", "10:00:00", "15:29:59", "09:00:00")),
        *(at(clock) for clock in ("09:14:59", "15:30:00")),
        at("12:00:00", SATURDAY),
    ]
)


class HubMachine(RuleBasedStateMachine):
    """One server process after the other on the files of the one before, under a feed's clock."""

    feed_tells_time = True
    all_are_slow = False

    def __init__(self) -> None:
        super().__init__()
        self.root = scratch()
        self.path = self.root / "sessions.db"
        self.crashes = 0
        self.processes = 0
        self.names = ["anna", "ben"]
        self.model = Model(at("09:10:00"), feed_tells_time=self.feed_tells_time)
        self.begin_process()

    def begin_process(self) -> None:
        """Start a server on the files that are there."""
        self.processes += 1
        self.epoch = f"epoch-{self.processes}"
        self.store = ClientStore.open(self.path)
        self.model.begin_process()
        self.hub = Hub(
            instruments=INSTRUMENTS,
            calendar=CALENDAR,
            clock=FeedClock() if self.feed_tells_time else WallClock(),
            epoch=self.epoch,
            records=self.store.load(),
            settings=SETTINGS,
            now=self.model.now,
        )
        self.live: dict[str, Connection] = {}
        self.ghosts: list[Connection] = []
        self.dirty: set[Connection] = set()
        self.age = 0
        self.asked: dict[InstrumentKey, None] = {}
        self.settle()
        self.find_feed()

    # --- the duties of the hub's owner

    def settle(self) -> None:
        """Save, let the feed be asked and answer, and let the clients read."""
        self.age += 1
        self.save_and_ask()
        for name, connection in self.live.items():
            if not self.model.peers[name].is_slow:
                self.read(self.model.peers[name], connection)

    def save_and_ask(self) -> None:
        """Save what must be durable, and tell the feed what it should send."""
        changes = self.hub.take_changes()
        if changes:
            self.store.save(changes)
        self.dirty.update(self.hub.take_dirty())
        added, removed = self.hub.take_interest()
        if self.model.feed_is_up:
            self.ask(added)
            for key in removed:
                del self.asked[key]

    def ask(self, keys: list[InstrumentKey]) -> None:
        """Subscribe at the feed, which answers with the state that it has."""
        for key in keys:
            assert key not in self.asked, "asked twice"
            self.asked[key] = None
        for key in keys:
            state = self.model.states.get(key)
            if state is not None:
                self.feed(sent(state, self.model.feed_time))
                self.model.answer(sent(state, self.model.feed_time))

    def feed(self, *messages: ServerMessage) -> None:
        """Let the hub have messages of the feed."""
        self.hub.feed(messages, self.model.now)
        self.save_and_ask()

    def read(self, peer: Peer, connection: Connection) -> None:
        """Let a client read all that waits for it, which the hub must have told of."""
        assert not connection.outbox or connection in self.dirty
        self.dirty.discard(connection)
        peer.read([gist(message) for message in messages_in(b"".join(connection.outbox.take()))])

    def name(self, who: int) -> str:
        """Return one of the names that are in use."""
        return self.names[who % len(self.names)]

    def someone(self, who: int) -> tuple[str, Connection]:
        """Return one of those who are connected."""
        return list(self.live.items())[who % len(self.live)]

    def is_anyone_there(self) -> bool:
        """Return whether a client is connected."""
        return bool(self.live)

    @initialize(
        time=st.just(at("12:00:00")) | TIMES,
        subscribed=st.lists(st.tuples(WHO, STOCKS), min_size=1, max_size=3),
        traded=st.lists(st.sampled_from(KEYS), max_size=4),
    )
    def begin(
        self, time: int, subscribed: list[tuple[int, list[str]]], traded: list[InstrumentKey]
    ) -> None:
        """Begin, as a day mostly does, with some clients and some quotes there."""
        if self.feed_tells_time:
            self.tell_time(time)
        elif time > self.model.now:
            self.pass_time((time - self.model.now) / SECOND)
        for key in traded:
            self.model.states[key] = touchline(key, 100, lut=self.model.feed_time)
        for who, stocks in subscribed:
            self.connect(who)
            self.subscribe(who, stocks, None)

    def has_lived(self) -> bool:
        """Return whether enough has happened to this process for its end to be of interest."""
        return self.age > 15

    # --- clients

    @rule(who=WHO)
    def connect(self, who: int) -> None:
        """A client comes, or comes again while it is there: then the older one is replaced."""
        name, model = self.name(who), self.model
        old_peer, old = model.peers.get(name), self.live.get(name)
        refusal = self.hub.admit(name, None, model.now)
        if model.connect(name, self.epoch) is None:
            assert refusal is not None
            assert refusal.status == 429
            return
        assert refusal is None
        self.live[name] = self.hub.connect(name, model.now)
        self.save_and_ask()
        if old is not None and old_peer is not None:
            self.read(old_peer, old)
            assert old.closing is not None
            assert old.closing[0] == SESSION_REPLACED
            self.ghosts.append(old)
        if self.all_are_slow:
            self.stop_reading(name)
        self.settle()

    @precondition(lambda self: len(self.names) < 4)
    @rule()
    def connect_without_a_name(self) -> None:
        """A client comes that lets the server choose its name."""
        model = self.model
        assert self.hub.admit(None, None, model.now) is None
        connection = self.hub.connect(None, model.now)
        name = connection.client_id
        assert name not in self.names
        self.names.append(name)
        model.made_up.add(name)
        model.connect(name, self.epoch)
        self.live[name] = connection
        self.settle()

    @precondition(is_anyone_there)
    @rule(who=WHO)
    def disconnect(self, who: int) -> None:
        """A client's socket is gone."""
        name, connection = self.someone(who)
        self.hub.disconnect(connection, self.model.now)
        self.model.disconnect(name)
        del self.live[name]
        self.settle()

    @precondition(lambda self: bool(self.ghosts))
    @rule(is_gone=st.booleans())
    def ghost_stirs(self, is_gone: bool) -> None:
        """A connection that was replaced asks for something, or is cleaned up: nothing follows."""
        ghost = self.ghosts[0]
        if is_gone:
            self.hub.disconnect(self.ghosts.pop(0), self.model.now)
        else:
            self.hub.receive(ghost, '{"action":"unsubscribe","stocks":["*"]}', self.model.now)
        self.settle()
        assert not ghost.outbox

    @precondition(is_anyone_there)
    @rule(who=WHO, stocks=STOCKS, delivery=st.sampled_from([None, None, "latest", "all"]))
    def subscribe(self, who: int, stocks: list[str], delivery: Delivery | None) -> None:
        """A client subscribes."""
        name, connection = self.someone(who)
        request = {"action": "subscribe", "stocks": stocks}
        if delivery is not None:
            request["delivery"] = delivery
        self.hub.receive(connection, json.dumps(request), self.model.now)
        self.model.subscribe(name, stocks, delivery)
        self.settle()

    @precondition(is_anyone_there)
    @rule(who=WHO, stocks=STOCKS | st.just(["*"]))
    def unsubscribe(self, who: int, stocks: list[str]) -> None:
        """A client unsubscribes."""
        name, connection = self.someone(who)
        request = {"action": "unsubscribe", "stocks": stocks}
        self.hub.receive(connection, json.dumps(request), self.model.now)
        self.model.unsubscribe(name, stocks)
        self.settle()

    @precondition(is_anyone_there)
    @rule(who=WHO, which=WHO)
    def change_mind(self, who: int, which: int) -> None:
        """A client unsubscribes something and subscribes it again, in one breath."""
        name, connection = self.someone(who)
        stock = list(NAMES)[which % len(NAMES)]
        for action in ("unsubscribe", "subscribe"):
            request = json.dumps({"action": action, "stocks": [stock]})
            self.hub.receive(connection, request, self.model.now)
        self.model.unsubscribe(name, [stock])
        self.model.subscribe(name, [stock], None)
        self.settle()

    @precondition(is_anyone_there)
    @rule(who=WHO)
    def get_subscriptions(self, who: int) -> None:
        """A client asks what it subscribes."""
        name, connection = self.someone(who)
        self.hub.receive(connection, b'{"action":"get_subscriptions"}', self.model.now)
        self.model.peers[name].tell(("subscriptions", tuple(self.model.subscriptions[name])))
        self.settle()

    @precondition(lambda self: self.is_anyone_there() and not self.all_are_slow)
    @rule(who=WHO)
    def turn_slow(self, who: int) -> None:
        """A client stops reading, or reads all that waits and goes on."""
        name, connection = self.someone(who)
        peer = self.model.peers[name]
        if peer.is_slow:
            connection.outbox.slow = False
            self.read(peer, connection)
            peer.is_slow = False
        else:
            self.stop_reading(name)

    def stop_reading(self, name: str) -> None:
        """Let what is sent to a client wait from now on."""
        peer = self.model.peers[name]
        self.live[name].outbox.slow = peer.is_slow = True
        peer.gets_all = self.model.delivery[name] == "all"

    # --- the feed

    @rule(key=st.sampled_from(KEYS), ltp=st.integers(1, 10**7))
    def trade(self, key: InstrumentKey, ltp: int) -> None:
        """Something trades that nobody asked for: only the feed knows."""
        if key not in self.asked:
            self.model.states[key] = touchline(key, ltp, lut=self.model.feed_time)

    @precondition(lambda self: bool(self.asked))
    @rule(ticks=st.lists(TICK, min_size=1, max_size=4))
    def tick(self, ticks: list[Tick]) -> None:
        """Something trades that was asked for, or the feed repeats itself; all in one frame."""
        model = self.model
        updates: list[ServerMessage] = []
        for which, ltp, is_new, ahead_s in ticks:
            key = list(self.asked)[which % len(self.asked)]
            if is_new or key not in model.states:
                model.states[key] = touchline(key, ltp, lut=model.feed_time)
            update = sent(model.states[key], model.feed_time + ahead_s * SECOND)
            if self.feed_tells_time and ahead_s <= 60:
                model.feed_time = update.sent
            updates.append(update)
            model.update(update)
        self.feed(*updates)
        self.settle()

    @precondition(lambda self: self.feed_tells_time)
    @rule(time=TIMES)
    def tell_time(self, time: int) -> None:
        """The feed's heartbeat tells a time, earlier or later; earlier, states follow."""
        model = self.model
        is_back = time < model.feed_time
        model.feed_time = time
        if is_back:
            model.turn_back()
        if not model.feed_is_up:
            return
        model.move_market_time(time)
        messages: list[ServerMessage] = [Heartbeat(sent=time)]
        if is_back:
            states = [model.states[key] for key in self.asked if key in model.states]
            messages += [sent(state, time) for state in states]
            for state in states:
                model.update(sent(state, time))
        self.feed(*messages)
        self.settle()

    @precondition(lambda self: self.model.feed_is_up)
    @rule()
    def lose_feed(self) -> None:
        """The line to the feed breaks."""
        self.model.feed_is_up = False
        self.asked.clear()
        self.hub.upstream("down", self.model.now)
        self.settle()

    @precondition(lambda self: not self.model.feed_is_up)
    @rule()
    def find_feed(self) -> None:
        """The feed is dialled and lets us in: then all that is wanted is asked for."""
        model = self.model
        model.feed_is_up = True
        self.hub.upstream("connected", model.now)
        if self.feed_tells_time:
            model.move_market_time(model.feed_time)
        # As the line does it: the answer first, then all that is wanted. What
        # is new since the last look is part of that.
        self.hub.feed([LogonAnswer(10000, simulated=True, sent=model.feed_time)], model.now)
        self.hub.take_interest()
        self.ask(self.hub.interest())
        self.settle()

    # --- time and the end of the process

    @precondition(lambda self: self.model.now < LAST)
    @rule(seconds=SECONDS)
    def pass_time(self, seconds: float) -> None:
        """The machine's time passes, and the hub is called whenever it asked to be."""
        until = self.model.now + round(seconds * SECOND)
        now = self.model.now
        self.model.pass_time(until)
        while (deadline := self.hub.next_deadline()) <= until:
            now = max(now, deadline)
            self.hub.handle_timer(now)
            self.save_and_ask()
        self.settle()

    @precondition(lambda self: self.has_lived())
    @rule()
    def stop(self) -> None:
        """The server says good-bye to everyone, ends, and is started again."""
        for peer in self.model.peers.values():
            peer.tell(("server_shutdown",))
        self.hub.shut_down(1000, self.model.now)
        self.save_and_ask()
        for name, connection in self.live.items():
            self.read(self.model.peers[name], connection)
            self.hub.disconnect(connection, self.model.now)
            self.model.disconnect(name)
        self.live.clear()
        self.settle()
        self.store.close()
        self.begin_process()

    @precondition(lambda self: self.has_lived())
    @rule()
    def crash(self) -> None:
        """The process dies with no warning: what is on disk at that moment is all there is."""
        self.crashes += 1
        folder = self.root / f"crash-{self.crashes}"
        folder.mkdir()
        for suffix in ("", "-wal"):
            found = Path(f"{self.path}{suffix}")
            if found.exists():
                shutil.copyfile(found, folder / found.name)
        self.store.close()
        self.path = folder / "sessions.db"
        self.begin_process()

    # --- what always holds

    @invariant()
    def the_disk_holds_what_was_acknowledged(self) -> None:
        """Rules P-2 and P-3, with order, delivery and the time a client was last seen."""
        assert {record.client_id: record for record in self.store.load()} == self.model.kept

    @invariant()
    def one_connection_for_a_client(self) -> None:
        """Rule C-4, and nobody is known who need not be."""
        assert self.hub.connections == len(self.model.peers)
        assert self.hub.clients == len(self.model.subscriptions)

    @invariant()
    def the_feed_is_asked_for_what_is_wanted(self) -> None:
        """Connected clients' subscriptions, and for a while those of who just left."""
        interest = self.hub.interest()
        assert len(interest) == len(set(interest))
        assert set(interest) == self.model.wanted()
        if self.model.feed_is_up:
            assert self.asked.keys() == self.model.wanted()

    def teardown(self) -> None:
        """Let everyone read to the end, and let go of the files."""
        try:
            self.save_and_ask()
            for name, connection in self.live.items():
                self.read(self.model.peers[name], connection)
        finally:
            self.store.close()
            shutil.rmtree(self.root)


class WallClockHubMachine(HubMachine):
    """The same with the machine's own clock, which opens and closes the market by timer."""

    feed_tells_time = False


class SlowClientsHubMachine(HubMachine):
    """The same with clients that read nothing until they are replaced or all ends."""

    all_are_slow = True


def sent(state: Touchline, time: int) -> Touchline:
    """Return a state as the feed sends it at a time."""
    return msgspec.structs.replace(state, sent=time)


LIMITS = settings(max_examples=200, stateful_step_count=40, deadline=None)

TestHub = HubMachine.TestCase
TestHub.settings = LIMITS
TestHubByTheWallClock = WallClockHubMachine.TestCase
TestHubByTheWallClock.settings = LIMITS
TestHubWithSlowClients = SlowClientsHubMachine.TestCase
TestHubWithSlowClients.settings = LIMITS
