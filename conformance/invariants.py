"""
What must hold in every message of every case, whatever the case is about.

A breach fails a case of its own, ``MSG-900`` and the like, at the end of the
run; the case in which it was seen is named there and does not fail by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.case import Case, Profile, passive
from conformance.expect import (
    Unmet,
    expect_data_shape,
    expect_order,
    expect_that,
    expect_type,
    shown,
)
from conformance.peer import Message, Peer

__all__ = ["ENVELOPE", "Breach", "Watch"]

ENVELOPE: Final = (
    "type",
    "status",
    "message",
    "code",
    "data",
    "client_id",
    "request_id",
    "timestamp",
)

_TYPES: Final = {
    "welcome": ("connected",),
    "subscription_response": ("success", "error"),
    "subscriptions": ("success",),
    "pong": ("alive",),
    "error": ("error",),
}
# What the guide knows; messages that our own rules add may be barer.
_GUIDES: Final = frozenset({*_TYPES, "market_status"})
_MAX_BREACHES: Final = 5

FRAMES = passive(
    "MSG-900.json",
    title="Every frame is text and holds one JSON object with a type",
    rules=("C-1", "G-ENVELOPE"),
    explain="A client parses every frame before it can look at it. A frame that is no JSON object"
    " (a bare list, two objects in one frame, binary data) ends most clients.",
)
REPLIES = passive(
    "MSG-900.envelope",
    title="Every reply and notice of the guide has type, status, client_id and timestamp",
    rules=("G-ENVELOPE",),
    explain="Clients dispatch on type and status and tell connections apart by client_id. Servers"
    " tend to forget one of them in rare replies: errors, notices.",
)
ORDER = passive(
    "MSG-900.order",
    title="The keys of the envelope stand in their order",
    rules=("G-ENVELOPE", "S-1"),
    profile=Profile.FULL,
    explain="type, status, message, code, data, client_id, request_id, timestamp: the order of the"
    " guide's own example, which some clients with a fixed-position parser rely on.",
)
CLIENT_ID = passive(
    "MSG-900.client-id",
    title="Every reply carries the client_id of its own connection",
    rules=("G-ENVELOPE", "P-4"),
    explain="A reply with another's client_id means that a server mixes up its connections.",
)
DATA = passive(
    "DAT-900.shape",
    title="Every market_data has the guide's fields, types and order",
    rules=("M-1", "G-DATA"),
    explain="The fields of the guide's example are what clients read: all of them, with these"
    " types and in this order. token is a string; figures are numbers, never strings.",
)
SUBSCRIBED = passive(
    "DAT-900.subscribed",
    title="Data comes only for what the client subscribes",
    rules=("M-2", "G-SUBSCRIBED", "P-4"),
    explain="Ticks of a stock that the client never asked for, or has unsubscribed, are another"
    " client's, or show that an unsubscribe was only acknowledged and not carried out.",
)
SEQ = passive(
    "DAT-900.seq",
    title="seq of an instrument never falls within one epoch",
    rules=("M-3",),
    profile=Profile.FULL,
    explain="seq numbers an instrument's updates, so that a client sees what it missed. Numbers"
    " that fall mean updates out of order, or a counter that is not the instrument's.",
)
FIRST = passive(
    "CON-900",
    title="The first message of every connection is welcome",
    rules=("C-3", "G-WELCOME"),
    explain="welcome tells the client who it is before anything else comes. A server that begins"
    " to stream at once may let data of restored subscriptions overtake it.",
)
HOURS = passive(
    "MKT-900",
    title="No data between a notice that the market closed and one that it opened",
    rules=("H-1", "H-2", "G-HOURS"),
    explain="After the close nothing may come: no last tick of a queue, no snapshot sent as data,"
    " no post-close trade.",
)

_Check = Callable[[Message], None]


@dataclass
class Breach:
    """How often a rule was broken, and how the first times looked."""

    watched: int = 0
    """How many messages were looked at."""
    count: int = 0
    first: Unmet | None = None
    seen_in: list[str] = field(default_factory=list)


@dataclass
class _Line:
    """What is known of one connection."""

    frames: int = 0
    market: bool | None = None
    epoch: object = None
    seqs: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass
class _Client:
    """What is known of one client_id over all its connections: symbol and exchange, if told."""

    stocks: set[tuple[str, str]] = field(default_factory=set)
    asking: int = 0
    """Subscribes that are not answered yet."""

    def change(self, data: Mapping[str, Any]) -> None:
        """Take over what a subscription_response says."""
        for label in _labels(data.get("subscribed_stocks")):
            self.stocks.add(label)
        for symbol, exchange in _labels(data.get("unsubscribed_stocks")):
            # A bare symbol is NSE's where there are two of that name.
            meant = {(symbol, exchange)}
            if exchange in ("", "NSE"):
                meant |= {(symbol, "NSE"), (symbol, "")}
            if not meant & self.stocks:
                meant = {stock for stock in self.stocks if stock[0] == symbol}
            self.stocks -= meant

    def may_get(self, symbol: object, exchange: object) -> bool:
        return self.asking > 0 or bool({(symbol, exchange), (symbol, "")} & self.stocks)


def _labels(names: object) -> list[tuple[str, str]]:
    """Return symbol and exchange of each name in a reply: ``SBIN`` or ``SBIN (NSE)``."""
    if not isinstance(names, list):
        return []
    found = []
    for name in names:
        if isinstance(name, str):
            symbol, _, exchange = name.rstrip(")").partition(" (")
            found.append((symbol, exchange))
    return found


class Watch:
    """Looks at every message of a run."""

    def __init__(self) -> None:
        self.case = ""
        """The case that is being run."""
        self.breaches: dict[Case, Breach] = {
            watched: Breach()
            for watched in (FRAMES, REPLIES, ORDER, CLIENT_ID, DATA, SUBSCRIBED, SEQ, FIRST, HOURS)
        }
        self._lines: dict[Peer, _Line] = {}
        self._clients: dict[str, _Client] = {}
        self._newest: dict[str, _Line] = {}
        """Of each client_id the connection that was opened last."""

    def opened(self, peer: Peer) -> None:
        """Begin to look at a connection."""
        self._newest[peer.client_id] = self._lines[peer] = _Line()

    def closed(self, peer: Peer) -> None:
        """Forget a connection."""
        self._lines.pop(peer, None)

    def sent(self, peer: Peer, fields: Mapping[str, Any]) -> None:
        """Note what a client asks for: from now on it may come, whatever the reply says."""
        if fields.get("action") == "subscribe" and isinstance(fields.get("stocks"), list):
            self._client(peer).asking += 1

    def strange(self, peer: Peer, frame: str | bytes, why: str) -> None:
        """Note a frame that is no JSON object."""
        self._line(peer).frames += 1
        self._breach(FRAMES, Unmet("a JSON object in each frame", f"{why}: {frame[:200]!r}"))

    def came(self, peer: Peer, message: Message) -> None:
        """Look at one message."""
        line = self._line(peer)
        line.frames += 1
        self._look(FRAMES, lambda: expect_type(message.get("type"), "a string", of="type"))
        if line.frames == 1:
            self._look(
                FIRST,
                lambda: expect_that(
                    message.type == "welcome", "welcome as the first message", message
                ),
            )
        if message.type == "market_data":
            self._look(DATA, lambda: expect_data_shape(message))
            self._look_at_seq(line, message)
            self._look_at_hours(line, message)
            self._look_at_stock(peer, message)
            return
        if message.type in _GUIDES:
            self._look(REPLIES, lambda: _expect_envelope(message))
        self._look(ORDER, lambda: expect_order(message, ENVELOPE, of=message.type))
        if message.type == "welcome":
            self._welcomed(peer, line, message)
        elif peer.client_id and ("client_id" in message or message.type in _GUIDES):
            self._look(
                CLIENT_ID,
                lambda: expect_that(
                    message.get("client_id") == peer.client_id,
                    f"client_id {peer.client_id!r} in {message.type}",
                    message,
                ),
            )
        if message.type in ("subscription_response", "error"):
            client = self._client(peer)
            client.asking = max(0, client.asking - 1)
            if isinstance(message.get("data"), dict) and message.type != "error":
                client.change(message["data"])
        if message.is_notice:
            data = message.get("data")
            if isinstance(data, dict) and isinstance(data.get("market_open"), bool):
                line.market = data["market_open"]

    def _welcomed(self, peer: Peer, line: _Line, message: Message) -> None:
        data = message.get("data")
        if isinstance(data, dict):
            line.epoch = data.get("epoch")

    def _look_at_seq(self, line: _Line, message: Message) -> None:
        seq = message.get("seq")
        key = (str(message.get("exchange")), str(message.get("token")))
        if isinstance(seq, int):
            before = line.seqs.get(key, 0)
            self._look(
                SEQ,
                lambda: expect_that(seq >= before, f"seq of {key[1]} not below {before}", message),
            )
            line.seqs[key] = seq

    def _look_at_stock(self, peer: Peer, message: Message) -> None:
        if peer.client_id and self._newest.get(peer.client_id) is not self._line(peer):
            # What it is still sent was on its way before the newer one unsubscribed.
            return
        symbol, exchange = message.get("symbol"), message.get("exchange")
        client = self._client(peer)
        self._look(
            SUBSCRIBED,
            lambda: expect_that(
                client.may_get(symbol, exchange),
                f"data of {peer.client_id}'s stocks alone, {sorted(client.stocks)}",
                f"{symbol} ({exchange})",
            ),
        )

    def subscribed(self, peers: Iterable[Peer]) -> set[tuple[str, str]]:
        """Return what some clients subscribe, as far as their replies tell."""
        return {stock for peer in peers for stock in self._client(peer).stocks}

    def _look_at_hours(self, line: _Line, message: Message) -> None:
        if line.market is not None:
            self._look(
                HOURS,
                lambda: expect_that(line.market, "no market_data after the close", message),
            )

    def _line(self, peer: Peer) -> _Line:
        return self._lines.setdefault(peer, _Line())

    def _client(self, peer: Peer) -> _Client:
        return self._clients.setdefault(peer.client_id, _Client())

    def _look(self, watched: Case, check: Callable[[], None]) -> None:
        self.breaches[watched].watched += 1
        try:
            check()
        except Unmet as unmet:
            self._breach(watched, unmet)

    def _breach(self, watched: Case, unmet: Unmet) -> None:
        breach = self.breaches[watched]
        breach.count += 1
        breach.first = breach.first or unmet
        if self.case not in breach.seen_in and len(breach.seen_in) < _MAX_BREACHES:
            breach.seen_in.append(self.case)


def _expect_envelope(message: Message) -> None:
    for key in ("status", "client_id"):
        expect_type(message.get(key), "a string", of=f"{key} of {message.type or shown(message)}")
    expect_that("timestamp" in message, f"timestamp in {message.type}", message)
    statuses = _TYPES.get(message.type)
    if statuses is not None:
        expect_that(
            message["status"] in statuses,
            f"status {' or '.join(statuses)} in {message.type}",
            message,
        )
