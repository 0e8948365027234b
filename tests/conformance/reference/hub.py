"""
What the reference server tells whom, and when: the guide and the rules on one page.

Sockets are :mod:`.server`'s business; it hands in frames and takes messages
out of each connection's outbox.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Final

from tests.conformance.reference.answers import SAMPLES, Answers
from tests.conformance.reference.breaks import broken
from tests.conformance.reference.connection import Connection
from tests.conformance.reference.feed import (
    CODE,
    HEARTBEAT,
    LOGON_ANSWER,
    SENT,
    TOUCHLINE,
    Fields,
    read_time,
)
from tests.conformance.reference.hours import IST, SECOND, Hours, in_india, stamp
from tests.conformance.reference.instruments import TABLE, Instrument, Key
from tests.conformance.reference.quotes import Quote, spell
from tests.conformance.reference.requests import RequestError, parse_request
from tests.conformance.reference.settings import Settings
from tests.conformance.reference.store import Session, Store

REPLACED, ABUSED = 4501, 4429
MAX_STEP: Final = 60 * SECOND
PLAUSIBLE: Final = range(631_152_000 * SECOND, 4_102_444_800 * SECOND)
TAKEOVERS, TAKEOVER_WINDOW_S = 3, 10.0


class Hub:
    """All sessions, connections and quotes of one server."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.epoch = secrets.token_hex(8)
        self.connections: dict[Connection, None] = {}
        self.live: dict[str, Connection] = {}
        self._store = store
        self._sessions = store.load()
        self._quotes: dict[Key, Quote] = {}
        self._hours = Hours(settings.window)
        self._session: tuple[int, int] | None = None
        self._feed_time: int | None = None
        self._feed_is_simulated = False
        self._awaiting: set[tuple[int, int]] = set()
        self._upstream = "down"
        self._last_tick_at: float | None = None
        self._made_up = 0
        self._answers = Answers(self)
        self.pass_time()

    # --- time

    def now(self) -> int | None:
        """Return the market's time; None before the feed has told one (H-5)."""
        return time.time_ns() if self.settings.clock == "wall" else self._feed_time

    def pass_time(self) -> int | None:
        """Open or close the market if it is time, and return that time."""
        now = self.now()
        session = None if now is None else self._hours.session_at(now)
        if session != self._session:
            was, self._session = self._session, session
            if was:
                self._tell("market_closed", "Market is now closed", is_open=False)
            if session:
                self._tell("market_opened", "Market is now open", is_open=True)
        return now

    def next_change_in(self) -> float:
        """Return the seconds until the market opens or closes, by the wall clock."""
        now = time.time_ns()
        return (min(self._hours.next_open(now), self._hours.next_close(now)) - now) / SECOND

    def _tell(self, event: str, message: str, *, is_open: bool) -> None:
        if broken("no-notice-of-opening") and is_open:
            return
        if broken("no-notice-of-closing") and not is_open:
            return
        data = {"event": event} | self.status() | {"market_open": is_open}
        for connection in list(self.connections):
            if broken("notices-to-subscribers-alone") and not connection.session.stocks:
                continue
            connection.seal()
            text = self.spell(connection, "market_status", "info", message=message, data=data)
            if is_open and broken("notice-after-first-quote"):
                asyncio.get_running_loop().call_later(1.0, connection.put, text)
                continue
            connection.put(text)
            if broken("notices-twice"):
                connection.put(text)
            if not is_open and broken("clients-dropped-at-close"):
                connection.close(1001, "market closed")
            if not is_open and broken("subscriptions-dropped-at-close"):
                connection.session.stocks.clear()
                connection.wanted.clear()

    # --- the feed

    def on_state(self, state: str) -> None:
        """Note how the line to the feed fares."""
        self.pass_time()
        if state == "down" and self._upstream == "connected" and broken("feed-loss-drops-clients"):
            for connection in self.connections:
                connection.close(1011, "feed lost")
        self._upstream = "connected" if broken("upstream-always-connected") else state

    def on_texts(self, texts: list[Fields]) -> None:
        """Take what the feed says, in its order."""
        for fields in texts:
            self._read_time(fields)
            now = self.pass_time()
            if fields.get(CODE) == LOGON_ANSWER:
                self._feed_is_simulated = fields.get("9000") == "1"
                self._awaiting = set(TABLE)
                if broken("seq-restarts-with-the-feed"):
                    self._quotes.clear()
            elif fields.get(CODE) == TOUCHLINE and now is not None:
                self._publish(fields, now)

    def _read_time(self, fields: Fields) -> None:
        told, before = read_time(fields.get(SENT, "")), self._feed_time
        if told not in PLAUSIBLE or told == before:
            return
        if fields.get(CODE) in (HEARTBEAT, LOGON_ANSWER):
            if before is not None and told < before:
                for quote in self._quotes.values():
                    quote.forget()
            self._feed_time = told
        elif before is not None and before < told <= before + MAX_STEP:
            self._feed_time = told

    def _publish(self, fields: Fields, now: int) -> None:
        try:
            wire_key = (int(fields.get("1", "")), int(fields.get("7", "")))
        except ValueError:
            return
        instrument = TABLE.get(wire_key)
        if instrument is None or (broken("deaf-while-closed") and not self._session):
            return
        self._last_tick_at = time.monotonic()
        quote = self._quotes.setdefault(instrument.key, Quote(instrument))
        is_state = wire_key in self._awaiting
        self._awaiting.discard(wire_key)
        if not quote.update(fields, now, is_state):
            return
        quote.updates_while_closed = 0 if self._session else quote.updates_while_closed + 1
        if not self._session and not (
            broken("one-quote-after-close") and quote.updates_while_closed == 1
        ):
            return
        text = quote.message(self._stamped(now), quote.seq)
        updates = quote.swapped(text) if broken("updates-out-of-order") else [text]
        for connection in self.connections:
            leaks = instrument.exchange == "NSE" and broken("quotes-of-others-leak")
            if instrument.key not in connection.wanted and not leaks:
                continue
            if broken("seq-per-connection"):
                connection.quotes_put += 1
                updates = [quote.message(now, connection.quotes_put)]
            for update in updates:
                connection.put_quote(instrument.key, update)

    def send_last_quotes(self, connection: Connection, keys: Iterable[Key]) -> None:
        """Let today's last known quotes follow while the market is open (M-4)."""
        now = self.now()
        if now is None or not (self._session or broken("last-quote-while-closed")):
            return
        for key in keys:
            quote = self._quotes.get(key)
            if quote is None or not quote.is_known or broken("no-last-quote"):
                continue
            is_todays = quote.day == f"{in_india(now):%Y-%m-%d}"
            if is_todays or broken("last-quote-of-any-day"):
                connection.put_quote(key, quote.message(self._stamped(now), quote.seq))

    # --- clients

    def refusal(self, client_id: str) -> tuple[int, str, str] | None:
        """Return why a client_id may not connect: status, code, message; None lets it in."""
        self._expire(client_id)
        if len(self.connections) >= self.settings.max_connections:
            return 503, "over_capacity", "No room for another connection"
        session, live = self._sessions.get(client_id), self.live.get(client_id)
        if session is None or live is None:
            return None
        if broken("takeover-refused"):
            return 409, "session_replaced", "This client_id is connected"
        since = time.monotonic() - TAKEOVER_WINDOW_S
        session.takeovers = [at for at in session.takeovers if at > since]
        if len(session.takeovers) >= TAKEOVERS and not broken("takeovers-without-end"):
            return 429, "rate_limited", f"{TAKEOVERS} takeovers within {TAKEOVER_WINDOW_S:g} s"
        return None

    def connect(self, given_id: str) -> Connection:
        """Take in a client: welcome, then what it subscribes (C-3, P-1)."""
        self.pass_time()
        client_id = given_id or self._make_up_id()
        place = client_id.lower() if broken("client-ids-fold-case") else client_id
        session = self._sessions.get(place)
        if session is None:
            session = Session(place, made_up=not given_id, last_seen=time.time())
            self._sessions[place] = session
        connection = Connection(session, self.settings)
        if older := self.live.get(place):
            self._replace(older, session)
        self.live[place] = connection
        self.connections[connection] = None
        restored = list(session.stocks.values())
        if broken("restored-sorted-by-name"):
            restored.sort(key=lambda one: one.symbol)
            session.stocks = {one.key: one for one in restored}
        if broken("quotes-before-welcome"):
            self.send_last_quotes(connection, session.stocks)
        self._welcome(connection, client_id, restored)
        if not broken("restored-without-data"):
            connection.wanted |= set(session.stocks)
            self.send_last_quotes(connection, session.stocks)
        if broken("notice-at-each-connect") and self._session:
            data = {"event": "market_opened"} | self.status()
            connection.put(self.spell(connection, "market_status", "info", data=data))
        return connection

    def disconnect(self, connection: Connection, *, was_clean: bool) -> None:
        """Forget a connection; what its client subscribes stays."""
        self.connections.pop(connection, None)
        session = connection.session
        if self.live.get(session.client_id) is not connection:
            if broken("newcomer-loses-session"):
                session.stocks.clear()
            return
        del self.live[session.client_id]
        if broken("forgets-when-disconnected") or (
            broken("forgets-when-dropped") and not was_clean
        ):
            session.stocks.clear()
        if broken("forgets-when-left-while-closed") and not self._session:
            session.stocks.clear()
        if broken("made-up-ids-not-kept") and session.made_up:
            session.stocks.clear()
        session.last_seen = time.time()
        self._store.save(session)

    def shut_down(self) -> None:
        """Tell everybody that the server ends (C-6)."""
        for connection in self.connections:
            if not broken("shutdown-untold"):
                data = {"reconnect_after_ms": 1000}
                connection.put(self.spell(connection, "server_shutdown", "info", data=data))

    def heartbeat(self, connection: Connection) -> None:
        """Send the heartbeat that a client asked for (C-5)."""
        self.pass_time()
        if broken("heartbeats-while-open-alone") and not self._session:
            return
        status = self.status()
        names = ("market_open", "upstream", "last_tick_age_ms")
        data = {name: status[name] for name in names}
        connection.put(self.spell(connection, "heartbeat", "alive", data=data))

    def _make_up_id(self) -> str:
        self._made_up += 1
        if broken("made-up-ids-the-same"):
            return "client_anonymous-000000000000000"
        if broken("made-up-ids-guessable"):
            return f"client_{self._made_up}"
        return f"client_{secrets.token_urlsafe(16)}"

    def _expire(self, client_id: str) -> None:
        session = self._sessions.get(client_id)
        if session is None or client_id in self.live:
            return
        ttl = min(self.settings.session_ttl, 86_400.0 if session.made_up else 1e12)
        if session.last_seen + ttl < time.time() and not broken("sessions-never-expire"):
            session.stocks.clear()
            self._store.save(session)
            del self._sessions[client_id]

    def _replace(self, older: Connection, session: Session) -> None:
        session.takeovers.append(time.monotonic())
        if broken("forgets-when-taken-over"):
            session.stocks.clear()
        if broken("takeover-keeps-both"):
            return
        self.connections.pop(older, None)
        older.drop_quotes(older.wanted)
        if not broken("takeover-untold"):
            message = "Another connection with this client_id has taken over"
            older.put(self.spell_error(older, RequestError("session_replaced", message)))
        older.close(1000 if broken("takeover-closes-1000") else REPLACED, "replaced")

    def _welcome(self, connection: Connection, client_id: str, restored: list[Instrument]) -> None:
        now = self.now()
        zone = UTC if broken("welcome-time-in-utc") else IST
        data: dict[str, object] = {
            "message": "Welcome to the reference server",
            "client_id": client_id,
            "features": ["symbol_subscription", "token_subscription", "persistent_sessions"],
            "market_hours": self._hours.words(now),
            "market_open": self._session is not None,
            "current_time": None if now is None else f"{in_india(now, zone):%H:%M:%S}",
            "subscribed_stocks": 0 if broken("welcome-counts-none") else len(restored),
            "restored": bool(restored) or broken("welcome-always-restored"),
            "restored_stocks": [one.symbol for one in restored],
            "epoch": "1" if broken("epoch-the-same") else self.epoch,
            "simulated": self.settings.clock == "feed" or self._feed_is_simulated,
            "instructions": SAMPLES,
        }
        if broken("simulation-hidden"):
            data["simulated"] = False
        if broken("welcome-lacks-hours"):
            del data["market_hours"]
        if broken("welcome-lacks-instructions"):
            del data["instructions"]
        connection.put(self.spell(connection, "welcome", "connected", data=data))

    # --- requests

    def receive(self, connection: Connection, frame: bytes) -> None:
        """Answer one frame of a client."""
        self.pass_time()
        wait_ms, is_abuse = connection.budget.take()
        if broken("rate-refuses-everybody") and any(
            one.budget.is_strained for one in self.connections
        ):
            wait_ms = 1000
        if is_abuse and not broken("rate-abuse-tolerated"):
            connection.close(ABUSED, "rate limit abused")
            return
        problem, request, request_id = None, None, None
        try:
            request = parse_request(frame)
            request_id = request.request_id
        except RequestError as error:
            problem, request_id = error, error.request_id
        if wait_ms and not broken("rate-without-limit"):
            message = f"Too many requests; expected the next in {wait_ms} ms"
            data = {"retry_after_ms": wait_ms}
            problem = RequestError("rate_limited", message, request_id, data)
        if problem is not None:
            self._refuse(connection, problem)
        elif request is not None and request.action == "subscribe" and broken("replies-overtake"):
            asyncio.get_running_loop().call_later(0.05, self._answers.give, connection, request)
        elif request is not None:
            self._answers.give(connection, request)

    def _refuse(self, connection: Connection, error: RequestError) -> None:
        if error.code == "rate_limited" and broken("rate-limit-closes"):
            connection.close(ABUSED, "rate limited")
        if error.code == "invalid_json" and broken("bad-json-closes"):
            connection.close(1007, "invalid JSON")
        if error.code == "invalid_json" and broken("bad-json-unanswered"):
            return
        if error.code == "invalid_json" and broken("bad-json-ends-listening"):
            connection.is_deaf = True
        if error.code == "unknown_action" and broken("unknown-action-unanswered"):
            return
        if error.code == "unknown_action" and broken("unknown-action-called-bad-json"):
            error.code = "invalid_json"
        if broken("bad-request-clears-session"):
            connection.session.stocks.clear()
        connection.put(self.spell_error(connection, error))

    # --- what the answers need

    @property
    def is_open(self) -> bool:
        """Whether the market is open."""
        return self._session is not None

    def save(self, session: Session) -> None:
        """Make what a client subscribes durable, before it is told so (P-2)."""
        if broken("acknowledged-before-durable"):
            asyncio.get_running_loop().call_later(3.0, self._store.save, session)
            return
        self._store.save(session)

    def quote(self, key: Key) -> Quote | None:
        """Return the last known quote of an instrument, of whatever day."""
        quote = self._quotes.get(key)
        return quote if quote is not None and quote.is_known else None

    def closed_words(self) -> str:
        """Return what a client is told that subscribes while the market is closed (S-10)."""
        now = self.now()
        if now is None:
            return "Market is closed; the feed has told no time yet"
        return f"Market is closed; streaming starts {stamp(self._hours.next_open(now))} IST"

    def status(self) -> dict[str, object]:
        """Return the ``data`` of ``market_status`` (S-7)."""
        now, hours = self.now(), self._hours
        zone = UTC if broken("next-times-in-utc") else IST
        age = None if self._last_tick_at is None else time.monotonic() - self._last_tick_at
        data: dict[str, object] = {
            "market_open": self.is_open,
            "market_hours": hours.words(now),
            "current_time": None if now is None else stamp(now),
            "next_open": None if now is None else stamp(hours.next_open(now), zone),
            "next_close": None if now is None else stamp(hours.next_close(now), zone),
            "phase": hours.phase(now),
            "trading_day": None if now is None else hours.trading_day(now),
            "streaming_data": self.is_open and self._upstream == "connected",
            "timezone": "Asia/Kolkata",
            "upstream": self._upstream,
            "last_tick_age_ms": None if age is None else round(age * 1000),
        }
        if broken("status-lacks-timezone"):
            del data["timezone"]
        if now is None and broken("open-before-any-time"):
            data["market_open"] = True
        return data

    def spell(
        self,
        connection: Connection,
        kind: str,
        status: str,
        *,
        message: str | None = None,
        code: str | None = None,
        data: Mapping[str, object] | None = None,
        request_id: str | int | None = None,
    ) -> str:
        """Return a reply or a notice as JSON text, its keys in the order of the envelope."""
        now = self.now()
        if request_id is not None and broken("request-id-as-text"):
            request_id = str(request_id)
        envelope = {
            "type": kind,
            "status": status,
            "message": message,
            "code": code,
            "data": data,
            "client_id": None if broken("client-id-untold") else connection.session.client_id,
            "request_id": None if broken("request-id-lost") else request_id,
        }
        envelope = {name: value for name, value in envelope.items() if value is not None}
        unit = SECOND if broken("timestamps-in-seconds") else 10**6
        envelope["timestamp"] = None if now is None else self._stamped(now) // unit
        if broken("envelope-out-of-order"):
            envelope = dict(reversed(envelope.items()))
        return spell(envelope)

    def spell_error(self, connection: Connection, error: RequestError) -> str:
        """Return an error as JSON text (S-9)."""
        told = error.code != "invalid_request" or not broken("error-without-message")
        return self.spell(
            connection,
            "error",
            "error",
            message=error.message if told else None,
            code=None if broken("error-without-code") else error.code,
            data=error.data,
            request_id=error.request_id,
        )

    def _stamped(self, now: int) -> int:
        return time.time_ns() if broken("wall-clock-leaks") else now
