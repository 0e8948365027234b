"""
What each client is told, and when: the one place where behaviour is decided.

The hub takes what happened (a client connected, a frame came, the feed spoke,
time passed) and leaves behind what must follow: records to be saved, outboxes
to be written, interest to be told to the feed. Its owner takes these after
every input, in that order, so that nothing is acknowledged before it is
durable (rule P-2).

It opens no socket and reads no clock. ``now`` is always the machine's time in
UNIX nanoseconds; what time it is on the market is for the clock to say. Each
input first lets time pass, then acts, so that "market opened" always precedes
the first quote of a session.
"""

from __future__ import annotations

import heapq
import re
import secrets
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Literal

from streamer.answers import Answers
from streamer.beginnings import Beginnings
from streamer.calendar import TradingCalendar
from streamer.clients import ClientChanges, ClientRecord
from streamer.clock import FeedClock, Move, WallClock
from streamer.connection import Connection, HubSettings, Refusal, seconds
from streamer.hours import MarketHours
from streamer.instruments import InstrumentTable
from streamer.interest import Interest
from streamer.odin.messages import FeedMessage, LogonAnswer, Tick, Ticks, Touchline, tick_of
from streamer.odin.tags import InstrumentKey
from streamer.outbox import deflated_frame, payload_of
from streamer.protocol import FEATURES, INSTRUCTIONS
from streamer.quote_reports import report_quotes
from streamer.quotes import Quote
from streamer.reference import ReferenceOf, SessionReference, no_reference
from streamer.register import Register
from streamer.relisting import Relisting, compare
from streamer.speaker import SLOW_CONSUMER, Speaker
from streamer.subscriptions import subscribed

UpstreamState = Literal["connected", "connecting", "stale", "down"]

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._:@-]{1,128}", re.ASCII)

SESSION_REPLACED: Final = 4501

LAST_QUOTES_AT_ONCE: Final = 200
"""How many a client gets before it is the others' turn: a first one takes some 20 us to spell."""


class Hub:
    """
    All clients of one server process.

    Args:
        instruments: What can be subscribed.
        calendar: When the market is open.
        clock: What time it is on the market.
        epoch: Names this server process to clients (rules C-3, M-3).
        records: The clients of earlier processes.
        settings: Limits and policies.
        reference: The figures of a session from end-of-day files.
        now: The machine's time.

    """

    def __init__(
        self,
        *,
        instruments: InstrumentTable,
        calendar: TradingCalendar,
        clock: WallClock | FeedClock,
        epoch: str,
        records: Iterable[ClientRecord] = (),
        settings: HubSettings | None = None,
        reference: ReferenceOf = no_reference,
        now: int,
    ) -> None:
        self.instruments = instruments
        self.epoch = epoch
        self.settings = settings or HubSettings()
        self.hours = MarketHours(calendar, clock)
        self.upstream_state: UpstreamState = "connecting"
        self.updates = 0
        """Updates of the feed since the start, over all instruments."""
        self.delivered = 0
        """``market_data`` messages handed to outboxes since the start."""
        self._register = Register(
            records,
            listed=instruments.listed,
            settings=self.settings,
            now=now,
        )
        self._connections: dict[Connection, None] = {}
        self._interest: Interest[Connection] = Interest()
        self._beginnings = Beginnings(calendar, reference)
        self._quotes: dict[InstrumentKey, Quote] = {}
        self._alarms: list[str] = []
        self._awaiting_state: set[InstrumentKey] = set()
        self._catching_up: dict[Connection, None] = {}
        self._speaker = Speaker(self.hours)
        self._feed_is_simulated = False
        self._last_tick_at: int | None = None
        self._heartbeats: list[tuple[int, int, Connection]] = []
        self._heartbeats_begun = 0
        self._answers = Answers(
            speaker=self._speaker,
            register=self._register,
            interest=self._interest,
            quotes=self._quotes,
            hours=self.hours,
            settings=self.settings,
            market_status=self.market_status,
            send_last_quotes=self._send_last_quotes,
        )
        self._pass_time(now)

    # --- reading

    @property
    def simulated(self) -> bool:
        """Whether clients must be told that what they see is not the market (rule C-3)."""
        return self.hours.clock.kind == "feed" or self._feed_is_simulated

    @property
    def market_open(self) -> bool:
        """Whether the market was open when the hub last looked."""
        return self.hours.is_open

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    @property
    def clients(self) -> int:
        """How many clients are known, connected or not."""
        return len(self._register)

    def quotes(self, stocks: Iterable[str]) -> tuple[list[bytes], list[str]]:
        """
        Return the newest quote of each stock as JSON, with sources and flags, open or closed.

        A stock that the feed has told nothing of is quoted by the newest
        end-of-day file before the present session. The second list names the
        stocks that are unknown, and those of which nothing is known.
        """
        return report_quotes(stocks, self.instruments, self._quotes, self._beginnings, self.hours)

    def lacks(self, keys: Iterable[InstrumentKey]) -> bool:
        """Return whether the feed has told nothing yet of one of the instruments."""
        quotes = (self._quotes.get(key) for key in keys)
        return any(quote is None or quote.tick is None for quote in quotes)

    def reference(self) -> SessionReference | None:
        """Return the reference data of the present session or the next; None before any time."""
        time = self.hours.time
        if time is None:
            return None
        return self._beginnings.reference(self.hours.calendar.trading_day(time))

    def interest(self) -> list[InstrumentKey]:
        """Return every instrument that the feed should send, in a stable order."""
        return self._interest.wanted()

    def stats(self, now: int) -> dict[str, object]:
        """Return the counters of this process, for people and monitoring."""
        return {
            "connections": self.connections,
            "clients": self.clients,
            "instruments": len(self.instruments),
            "instruments_subscribed": len(self._interest),
            "instruments_asked_of_feed": len(self._interest.wanted()),
            "updates": self.updates,
            "delivered": self.delivered,
            "market": self.market_status(now),
            "simulated": self.simulated,
            "epoch": self.epoch,
        }

    def market_status(self, now: int) -> dict[str, object]:
        """Return the ``data`` of ``market_status`` (rule S-7)."""
        is_fed = self.upstream_state == "connected"
        return self.hours.status() | {
            "streaming_data": self.market_open and is_fed,
            "timezone": "Asia/Kolkata",
            "upstream": self.upstream_state,
            "last_tick_age_ms": self._last_tick_age_ms(now),
        }

    # --- clients

    def admit(self, client_id: str | None, principal: str | None, now: int) -> Refusal | None:
        """
        Judge a connection before its upgrade; None lets it in.

        Args:
            client_id: As the client gave it; None or empty when it gave none.
            principal: Whose access token it showed, when tokens are in use.
            now: The machine's time.

        """
        settings = self.settings
        if client_id and not CLIENT_ID.fullmatch(client_id):
            return Refusal.because(
                400,
                "invalid_request",
                f"client_id has {len(client_id)} characters, too many or some not allowed; "
                "expected 1 to 128 of A-Z a-z 0-9 . _ : @ -",
            )
        client = self._register.get(client_id or "")
        if client is None:
            if len(self._register) >= settings.max_clients:
                return Refusal.because(503, "over_capacity", "No room for another client_id")
        elif client.principal != principal:
            return Refusal.because(
                403, "unauthorised", "This client_id belongs to another access token"
            )
        elif client.connection is not None:
            since = now - seconds(settings.takeover_window_s)
            if client.recent_takeovers(since) >= settings.takeovers:
                return Refusal.because(
                    429,
                    "rate_limited",
                    f"client_id {client_id} was taken over {settings.takeovers} times within "
                    f"{settings.takeover_window_s:g} s, as if two programs shared it; "
                    "expected a client_id for each",
                )
        if len(self._connections) >= settings.max_connections:
            return Refusal.because(503, "over_capacity", "No room for another connection")
        return None

    def connect(
        self,
        client_id: str | None,
        now: int,
        *,
        principal: str | None = None,
        heartbeat_s: float | None = None,
        deflates: bool = False,
    ) -> Connection:
        """
        Take in a client that was admitted: welcome, then the quotes it subscribes (C-3, P-1).

        A connection that the client already has is replaced (rule C-4).

        Args:
            client_id: None or empty: one is made up (rule C-2).
            now: The machine's time.
            principal: As given to :meth:`admit`.
            heartbeat_s: Seconds between the heartbeats that the client asked for.
            deflates: Whether quotes are to be compressed for the client.

        """
        self._pass_time(now)
        made_up = not client_id
        client_id = client_id or f"client_{secrets.token_urlsafe(16)}"
        client = self._register.enter(client_id, principal, made_up, now)
        if client.connection is not None:
            client.takeovers.append(now)
            self._replace(client.connection, now)
        connection = Connection(
            client, self.settings, seconds(heartbeat_s or 0), now, deflates=deflates
        )
        client.connection = connection
        self._connections[connection] = None
        self._interest.add(client.subscriptions, connection)
        restored = [instrument.symbol for instrument in subscribed(client, self.instruments)]
        self._speaker.say(
            connection,
            "welcome",
            "connected",
            data={
                "message": "Welcome to Odin Streamer",
                "client_id": client_id,
                "features": FEATURES,
                "market_hours": self.hours.hours_text(),
                "market_open": self.market_open,
                "current_time": self.hours.clock_text(),
                "subscribed_stocks": len(restored),
                "restored": bool(restored),
                "restored_stocks": restored,
                "epoch": self.epoch,
                "simulated": self.simulated,
                "instructions": INSTRUCTIONS,
            },
        )
        self._send_last_quotes(connection, client.subscriptions)
        if connection.heartbeat_ns:
            self._heartbeats_begun += 1
            due = now + connection.heartbeat_ns
            heapq.heappush(self._heartbeats, (due, self._heartbeats_begun, connection))
        return connection

    def disconnect(self, connection: Connection, now: int) -> None:
        """
        Forget a connection whose socket is gone; calling it again does nothing.

        What the client subscribes stays with the client, and stays asked of
        the feed for a while, so that a reconnect finds it warm.
        """
        if not connection.live:
            return
        self._pass_time(now)
        client = connection.client
        self._detach(connection, now)
        self._register.leave(client, now)

    def receive(self, connection: Connection, text: str | bytes, now: int) -> None:
        """Answer one frame of a client (rules R-1 to S-11)."""
        if connection.closing is not None or not connection.live:
            return
        self._pass_time(now)
        self._answers.take(connection, text, self.instruments, now)

    def shut_down(self, reconnect_after_ms: int, now: int) -> None:
        """Tell every client that the server goes away (rule C-6)."""
        self._pass_time(now)
        for connection in self._connections:
            self._speaker.say(
                connection,
                "server_shutdown",
                "info",
                message="The server is shutting down; reconnect later with the same client_id",
                data={"reconnect_after_ms": reconnect_after_ms},
            )

    def end(self, connection: Connection, code: int, reason: str, now: int) -> None:
        """Have a connection closed for a reason of the owner's, after what waits is written."""
        self._pass_time(now)
        self._speaker.close(connection, code, reason)

    def ask_for(self, stocks: Iterable[str], now: int) -> list[InstrumentKey]:
        """
        Ask the feed for stocks that somebody wants to know once; return those to be waited for.

        The feed stays asked for a while, so that who asks again gets news.
        """
        self._pass_time(now)
        found = (self.instruments.resolve(stock) for stock in stocks)
        keys = [each.key for each in found if each is not None]
        for key in keys:
            self._interest.linger(key, now + seconds(self.settings.linger_s))
        return [key for key in keys if self.lacks([key])]

    # --- the feed

    def feed(self, messages: Sequence[FeedMessage], now: int) -> None:
        """Take what the feed sent, in its order: time, market hours, quotes."""
        self._pass_time(now)
        hours = self.hours
        for message in messages:
            move = hours.observe(message)
            if move is not Move.NONE:
                if move is Move.BACK:
                    for quote in self._quotes.values():
                        quote.begin_day_anew()
                self._pass_time(now)
            if isinstance(message, Ticks):
                self._publish(message.ticks, now)
            elif isinstance(message, Touchline):
                self._publish([tick_of(message)], now)
            elif isinstance(message, LogonAnswer) and message.accepted:
                self._feed_is_simulated = message.simulated
                self._awaiting_state = set(self._interest.wanted())

    def upstream(self, state: UpstreamState, now: int) -> None:
        """Note how the connection to the feed fares."""
        self._pass_time(now)
        self.upstream_state = state

    # --- the list of instruments

    def relist(self, instruments: InstrumentTable, now: int) -> Relisting:
        """
        Take another list of instruments; return what is different in it.

        Subscriptions are to identities, not to symbols: they go on under new
        ones. One to an instrument that has vanished rests, and is back with it
        (rule P-1).
        """
        self._pass_time(now)
        relisting = compare(self.instruments, instruments)
        self.instruments = instruments
        self._beginnings.forget()
        for key, quote in self._quotes.items():
            quote.rename(instruments.get(key) or quote.instrument)
        for client, come, gone in self._register.relist(relisting.come, relisting.gone):
            connection = client.connection
            if connection is None:
                continue
            self._interest.remove(gone, connection)
            for key in gone:
                connection.drop_quote(key)
            self._interest.add(come, connection)
            self._send_last_quotes(connection, come)
        return relisting

    def renew_reference(self, now: int) -> None:
        """Take the figures of end-of-day files again: others were imported."""
        self._pass_time(now)
        self._beginnings.forget()
        for quote in self._quotes.values():
            quote.renew_reference()

    # --- time

    def next_deadline(self) -> int:
        """Return when :meth:`handle_timer` must be called next, by the machine's time."""
        deadlines = [self._register.next_look]
        for deadline in (self.hours.next_timer, self._interest.next_deadline()):
            if deadline is not None:
                deadlines.append(deadline)
        if self._heartbeats:
            deadlines.append(self._heartbeats[0][0])
        return min(deadlines)

    def handle_timer(self, now: int) -> None:
        """Do what is due: market hours, heartbeats, interest that lingered, expiry."""
        self._pass_time(now)
        while self._heartbeats and self._heartbeats[0][0] <= now:
            due, order, connection = heapq.heappop(self._heartbeats)
            if not connection.live:
                continue
            self._speaker.say(
                connection,
                "heartbeat",
                "alive",
                data={
                    "market_open": self.market_open,
                    "upstream": self.upstream_state,
                    "last_tick_age_ms": self._last_tick_age_ms(now),
                },
            )
            following = max(due + connection.heartbeat_ns, now)
            heapq.heappush(self._heartbeats, (following, order, connection))
        self._interest.pass_time(now)
        self._register.look_after(now)

    # --- results

    def take_changes(self) -> ClientChanges:
        """Return what must be durable before anything queued is written (rule P-2)."""
        return self._register.take_changes()

    def changes_failed(self, changes: ClientChanges) -> None:
        """Take back changes that could not be saved; they come again with the next ones."""
        self._register.changes_failed(changes)

    def take_alarms(self) -> list[str]:
        """Return what somebody should look at, each once."""
        alarms, self._alarms = self._alarms, []
        return alarms

    @property
    def is_catching_up(self) -> bool:
        """Whether last known quotes are still to be sent: :meth:`catch_up` goes on with that."""
        return bool(self._catching_up)

    def catch_up(self, now: int) -> None:
        """Send some of the last known quotes that clients are still to get (rule M-4)."""
        self._pass_time(now)
        connection = next(iter(self._catching_up), None)
        if connection is not None:
            self._catch_up(connection)

    def take_dirty(self) -> list[Connection]:
        """Return the connections that have something to write or are to be closed."""
        return self._speaker.take_dirty()

    def take_interest(self) -> tuple[list[InstrumentKey], list[InstrumentKey]]:
        """Return what to subscribe and what to unsubscribe at the feed since the last call."""
        added, removed = self._interest.take_difference()
        self._awaiting_state.update(added)
        self._awaiting_state.difference_update(removed)
        return added, removed

    # --- what follows from it

    def _pass_time(self, now: int) -> None:
        for change in self.hours.pass_time(now):
            data = {"event": change.event} | self.market_status(now)
            data["market_open"] = change.is_open
            if not change.is_open:
                # Rule H-2: nothing comes after the notice.
                for connection in self._catching_up:
                    connection.last_quotes.clear()
                self._catching_up.clear()
            for connection in self._connections:
                connection.outbox.seal()
                self._speaker.say(
                    connection, "market_status", "info", message=change.message, data=data
                )

    def _publish(self, ticks: Sequence[Tick], now: int) -> None:
        """Update quotes and hand them to who subscribes, all at the present market time."""
        time = self.hours.time
        if time is None:
            return
        self._last_tick_at = now
        is_open = self.hours.is_open
        quotes, awaiting, dirty = self._quotes, self._awaiting_state, self._speaker.dirty
        subscribers_of = self._interest.subscribers
        for tick in ticks:
            key = tick.key
            quote = quotes.get(key)
            if quote is None:
                instrument = self.instruments.get(key)
                if instrument is None:
                    continue
                quote = quotes[key] = Quote(instrument, self._beginnings)
            if awaiting and key in awaiting:
                awaiting.discard(key)
                if quote.is_state(tick):
                    continue
            if tick.ltp <= 0:
                # Nothing has traded yet: rule M-1 wants a number and forbids an invented one.
                continue
            quote.update(tick, time)
            self.updates += 1
            if quote.alarm is not None:
                self._alarms.append(quote.alarm)
                quote.alarm = None
            if not is_open or not (subscribers := subscribers_of(key)):
                continue
            frame = quote.frame(time)
            deflated = b""
            for connection in subscribers:
                outbox = connection.outbox
                if outbox.is_direct:
                    # As put_quote would: nothing else is done as often.
                    frames = outbox.frames
                    if not frames:
                        dirty[connection] = None
                    frames.append(frame)
                    continue
                if outbox.deflates and not deflated:
                    deflated = deflated_frame(payload_of(frame))
                if outbox.put_quote(key, deflated if outbox.deflates else frame):
                    dirty[connection] = None
                if outbox.overflow:
                    self._speaker.close(
                        connection, SLOW_CONSUMER, "slow consumer: too many updates unread"
                    )
            self.delivered += len(subscribers)

    def _send_last_quotes(self, connection: Connection, keys: Iterable[InstrumentKey]) -> None:
        """Let the last known quote of each stock follow at once while the market is open (M-4)."""
        if not self.market_open:
            return
        for key in keys:
            quote = self._quotes.get(key)
            if quote is not None and quote.tick is not None:
                connection.last_quotes[key] = quote.seq
        if connection.last_quotes:
            self._catch_up(connection)

    def _catch_up(self, connection: Connection) -> None:
        """Send a client some of its last quotes; what is left comes after the others' turn."""
        self._catching_up.pop(connection, None)
        time = self.hours.time
        assert time is not None
        today = self.hours.calendar.trading_day(time)
        due = connection.last_quotes
        if connection.closing is not None:
            due.clear()
        for key in list(islice(due, LAST_QUOTES_AT_ONCE)):
            quote = self._quotes[key]
            # One that was updated meanwhile has been sent as an update.
            if due.pop(key) == quote.seq and quote.day == today:
                connection.outbox.put_quote(key, quote.frame(time))
                self._speaker.dirty[connection] = None
                self.delivered += 1
        if due:
            self._catching_up[connection] = None

    def _last_tick_age_ms(self, now: int) -> int | None:
        """Return how long ago the feed last sent an update, in real time."""
        if self._last_tick_at is None:
            return None
        return max(0, now - self._last_tick_at) // 1_000_000

    def _detach(self, connection: Connection, now: int) -> None:
        """Let no more data reach a connection; its interest lingers."""
        connection.live = False
        self._connections.pop(connection, None)
        self._catching_up.pop(connection, None)
        self._interest.remove(
            connection.client.subscriptions,
            connection,
            linger_until=now + seconds(self.settings.linger_s),
        )

    def _replace(self, connection: Connection, now: int) -> None:
        """End the older connection of a client that came again (rule C-4)."""
        self._detach(connection, now)
        message = "Another connection with this client_id has taken over"
        self._speaker.refuse(connection, "session_replaced", message, None)
        self._speaker.close(connection, SESSION_REPLACED, "replaced by a newer connection")
