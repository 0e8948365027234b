"""A hub on a desk: clients, feed and time moved by hand, frames read back as messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from streamer.calendar import TradingCalendar
from streamer.clients import ClientRecord
from streamer.clock import FeedClock, WallClock
from streamer.connection import Connection, HubSettings
from streamer.hub import Hub
from streamer.instruments import InstrumentTable
from streamer.ist import ist_ns
from streamer.odin.messages import (
    FeedMessage,
    Heartbeat,
    LogonAnswer,
    Tick,
    Touchline,
    tick_of,
)
from streamer.reference import ReferenceOf, no_reference

THURSDAY = date(2025, 9, 4)
SECOND = 1_000_000_000

SBIN, RELIANCE, TCS = (1, 3045), (1, 2885), (1, 11536)

Message = dict[str, Any]


def at(clock: str, day: date = THURSDAY) -> int:
    """Return the moment at which the clocks of India show ``clock``."""
    return ist_ns(day, clock)


def messages_in(data: bytes) -> list[Message]:
    """Return the JSON messages of joined, unmasked text frames."""
    found = []
    while data:
        assert data[0] == 0x81, "expected one final text frame after the other"
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        found.append(json.loads(data[start : start + size]))
        data = data[start + size :]
    return found


def touchline(
    key: tuple[int, int] = RELIANCE, ltp: int = 136550, *, lut: int = 0, **figures: Any
) -> Touchline:
    """Return a touchline with the guide's figures wherever none are given."""
    fields: dict[str, Any] = {
        "ltq": 10,
        "volume": 8_053_013,
        "atp": 136700,
        "bid_qty": 5,
        "bid": ltp - 5,
        "ask_qty": 7,
        "ask": ltp + 5,
        "total_buy": 1000,
        "total_sell": 2000,
        "open": 137180,
        "high": 137400,
        "low": 136030,
        "close": 137260,
        "ltt": lut,
        "high_52": 155100,
        "low_52": 111555,
        "sent": lut,
    }
    fields.update(figures)
    return Touchline(segment=key[0], token=key[1], ltp=ltp, lut=lut, **fields)


def tick(ltp: int = 136550, **figures: Any) -> Tick:
    """Return what a quote shows of :func:`touchline`."""
    return tick_of(touchline(ltp=ltp, **figures))


class Desk:
    """
    A hub under the feed's clock (or the wall's), and its owner's duties done by hand.

    ``now`` is the machine's time. ``saved`` is what a store would hold.
    """

    def __init__(
        self,
        *,
        clock: FeedClock | WallClock | None = None,
        settings: HubSettings | None = None,
        records: Iterable[ClientRecord] = (),
        now: int | None = None,
        calendar: TradingCalendar | None = None,
        instruments: InstrumentTable | None = None,
        reference: ReferenceOf = no_reference,
    ) -> None:
        self.now = at("03:00", date(2026, 11, 23)) if now is None else now
        self.saved: dict[str, ClientRecord] = {record.client_id: record for record in records}
        self.asked: dict[tuple[int, int], None] = {}
        self.hub = Hub(
            instruments=instruments or InstrumentTable.bundled(),
            calendar=calendar or TradingCalendar.bundled(),
            clock=clock or FeedClock(),
            epoch="epoch-1",
            records=list(self.saved.values()),
            settings=settings,
            reference=reference,
            now=self.now,
        )
        self.settle()

    def settle(self) -> None:
        """Do what the owner of a hub does after each input, short of writing."""
        changes = self.hub.take_changes()
        for record in changes.saved:
            self.saved[record.client_id] = record
        for client_id in changes.removed:
            self.saved.pop(client_id, None)
        added, removed = self.hub.take_interest()
        self.asked.update(dict.fromkeys(added))
        for key in removed:
            del self.asked[key]

    def connect(self, client_id: str | None = "app", **options: Any) -> Connection:
        """Admit and connect a client; its welcome waits in the outbox."""
        assert self.hub.admit(client_id, options.get("principal"), self.now) is None
        connection = self.hub.connect(client_id, self.now, **options)
        self.settle()
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Lose a connection."""
        self.hub.disconnect(connection, self.now)
        self.settle()

    def read(self, connection: Connection) -> list[Message]:
        """Return and empty what waits for a client."""
        return messages_in(b"".join(connection.outbox.take()))

    def send(self, connection: Connection, request: object) -> None:
        """Send a request: text and bytes as they are, anything else as JSON."""
        text = request if isinstance(request, str | bytes) else json.dumps(request)
        self.hub.receive(connection, text, self.now)
        self.settle()

    def ask(self, connection: Connection, request: object) -> list[Message]:
        """Send a request and return everything that waits after it."""
        self.send(connection, request)
        return self.read(connection)

    def subscribe(self, connection: Connection, *stocks: object, **fields: object) -> Message:
        """Subscribe and return the reply."""
        reply, *_ = self.ask(connection, {"action": "subscribe", "stocks": stocks, **fields})
        return reply

    def feed(self, *messages: FeedMessage) -> None:
        """Let the feed say something."""
        self.hub.feed(messages, self.now)
        self.settle()

    def tell_time(self, clock: str, day: date = THURSDAY) -> None:
        """Let the feed's heartbeat tell a time."""
        self.feed(Heartbeat(sent=at(clock, day)))

    def log_on(self, clock: str, day: date = THURSDAY, *, simulated: bool = True) -> None:
        """Let the feed accept the logon at a time."""
        self.hub.upstream("connected", self.now)
        self.feed(LogonAnswer(status=10000, simulated=simulated, sent=at(clock, day)))

    def pass_time(self, seconds: float) -> None:
        """Let the machine's time pass, and call the hub when it asked to be called."""
        until = self.now + round(seconds * SECOND)
        while (deadline := self.hub.next_deadline()) <= until:
            self.now = max(self.now, deadline)
            self.hub.handle_timer(self.now)
            self.settle()
        self.now = until


def kinds(messages: Iterable[Message]) -> list[str]:
    """Return the types of messages."""
    return [message["type"] for message in messages]
