"""
What the hub and the store should do, as plain dicts, lists and sets.

Nothing here is taken from the hub: the rules of the client protocol are
written down once more, in the simplest words, for a few instruments and for
September 2025, which has no holidays: the market is open from 09:15 to 15:30,
Monday to Friday.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec

from streamer.clients import ClientRecord, Delivery
from streamer.ist import ist_ns
from streamer.odin.messages import Touchline
from streamer.odin.tags import InstrumentKey
from tests.streamer.desk import SECOND, Message, touchline

NAMES: dict[str, InstrumentKey] = {
    "SBIN": (1, 3045),
    "RELIANCE": (1, 2885),
    "TCS": (1, 11536),
    "BSE:RELIANCE": (3, 500325),
}
KEYS = list(NAMES.values())
SYMBOLS = {key: name.removeprefix("BSE:") for name, key in NAMES.items()}
UNKNOWN = "NO SUCH STOCK"

DAYS = [day for n in range(4, 31) if (day := date(2025, 9, n)).weekday() < 5]
BOUNDARIES = [ist_ns(day, clock) for day in DAYS for clock in ("09:15", "15:30")]

MAX_SUBSCRIPTIONS = 3
LINGER_S = 30
TAKEOVERS, TAKEOVER_WINDOW_S = 3, 10
TTL_S, MADE_UP_TTL_S = 3 * 86400, 86400
HOUSEKEEPING_S = 3600

Gist = tuple[object, ...]
"""A message cut down to what the model foretells; quotes are ``("quote", key, seq, ltp)``."""


def is_open(time: int | None) -> bool:
    """Return whether the market is open."""
    if time is None:
        return False
    return any(a <= time < b for a, b in zip(BOUNDARIES[::2], BOUNDARIES[1::2], strict=True))


def day_of(time: int) -> date:
    """Return the date in India."""
    days = (time - ist_ns(date(2025, 1, 1), "00:00")) // (86400 * SECOND)
    return date.fromordinal(date(2025, 1, 1).toordinal() + days)


def gist(message: Message) -> Gist:
    """Cut a message of the hub down to what the model foretells."""
    data: dict[str, Any] = message.get("data") or {}
    match message["type"]:
        case "market_data":
            key = ({"NSE": 1, "BSE": 3}[message["exchange"]], int(message["token"]))
            return "quote", key, message["seq"], round(data["ltp"] * 100)
        case "welcome":
            assert data["subscribed_stocks"] == len(data["restored_stocks"])
            assert data["restored"] == bool(data["restored_stocks"])
            return "welcome", tuple(data["restored_stocks"]), data["market_open"], data["epoch"]
        case "subscription_response":
            done = data[f"{data['action']}d_stocks"]
            failed, total = data["failed_stocks"], data["total_subscribed"]
            return "reply", data["action"], tuple(done), tuple(failed), total, message.get("code")
        case "subscriptions":
            exchanges = [{"NSE": 1, "BSE": 3}[name] for name in data["subscribed_exchanges"]]
            tokens = [int(token) for token in data["subscribed_tokens"]]
            return "subscriptions", tuple(zip(exchanges, tokens, strict=True))
        case "market_status":
            return "notice", data["event"], data["market_open"]
        case "error":
            return "error", message["code"]
        case kind:
            return (kind,)


class Peer:
    """One connection: what the client must have been sent and has not read."""

    def __init__(self, delivery: Delivery) -> None:
        self.unread: list[Gist] = []
        self.is_slow = False
        self.gets_all = delivery == "all"
        """Whether it was to get every update ever since it last had read everything."""
        self.cuts: list[tuple[int, InstrumentKey | None, bool]] = []
        """
        Which of its messages that are no quotes no quote of an instrument (None:
        of any) may cross, and whether the quotes before it may be left out.
        """

    def tell(self, message: Gist) -> None:
        """Have a message follow all others."""
        self.unread.append(message)

    def cut(self, key: InstrumentKey | None, *, may_drop: bool) -> None:
        """Let no quote cross the message that is told next."""
        self.cuts.append((len(others(self.unread)), key, may_drop))

    def read(self, found: list[Gist]) -> None:
        """
        Hold what the client read against what it had to be sent.

        One that keeps up, or gets every update, reads exactly that (M-2, M-3).
        A slow one misses nothing but quotes, reads those of an instrument in
        their order, and has the newest of each (M-5).
        """
        if not self.is_slow or self.gets_all:
            assert found == self.unread
        else:
            assert others(found) == others(self.unread)
            for key in KEYS:
                self._check_newest(key, found)
        self.unread.clear()
        self.cuts.clear()

    def _check_newest(self, key: InstrumentKey, found: list[Gist]) -> None:
        cuts = [(at, may_drop) for at, whose, may_drop in self.cuts if whose in (None, key)]
        places = [at for at, _ in cuts]
        may_drop = [may_drop for _, may_drop in cuts] + [False]
        sent, came = (sections(each, key, places) for each in (self.unread, found))
        for quotes, read, may_miss in zip(sent, came, may_drop, strict=True):
            rest = iter(quotes)
            assert all(each in rest for each in read), f"{read} is no part of {quotes}"
            assert may_miss or read[-1:] == quotes[-1:], f"the newest of {quotes} is not in {read}"


def others(messages: Iterable[Gist]) -> list[Gist]:
    """Return the messages that are no quotes."""
    return [message for message in messages if message[0] != "quote"]


def sections(messages: list[Gist], key: InstrumentKey, places: list[int]) -> list[list[Gist]]:
    """Return the quotes of an instrument, cut at the given ones of the other messages."""
    found: list[list[Gist]] = [[]]
    passed = 0
    for message in messages:
        if message[0] != "quote":
            found += [[] for place in places if place == passed]
            passed += 1
        elif message[1] == key:
            found[-1].append(message)
    return found


class Model:
    """
    The clients, the feed and the time, and what everyone must be told.

    Args:
        now: The machine's time.
        feed_tells_time: Whether the market's time is the feed's (or the machine's).

    """

    def __init__(self, now: int, *, feed_tells_time: bool) -> None:
        self.now = now
        self.feed_tells_time = feed_tells_time
        self.feed_time = now
        self.feed_is_up = False
        self.states: dict[InstrumentKey, Touchline] = {}
        """What the feed would answer a subscribe with."""
        self.kept: dict[str, ClientRecord] = {}
        """What must be on disk."""
        self.begin_process()

    # --- time

    def begin_process(self) -> None:
        """Forget all that a process keeps in memory, and begin with what is on disk."""
        self.peers: dict[str, Peer] = {}
        self.subscriptions = {name: list(found.instruments) for name, found in self.kept.items()}
        self.seen = {name: found.last_seen for name, found in self.kept.items()}
        self.made_up = {name for name, found in self.kept.items() if found.made_up}
        self.delivery = {name: found.delivery for name, found in self.kept.items()}
        self.takeovers: dict[str, list[int]] = {}
        self.lingering: dict[InstrumentKey, int] = {}
        self.known: dict[InstrumentKey, Touchline] = {}
        self.known_day: dict[InstrumentKey, date] = {}
        self.seq = dict.fromkeys(KEYS, 0)
        self.time = None if self.feed_tells_time else self.now
        self.feed_is_up = False
        self.housekeeping_at = self.now + HOUSEKEEPING_S * SECOND
        self.expire()

    def move_market_time(self, time: int) -> None:
        """Let market time be ``time``, and tell everyone what opened or closed (H-2, H-5)."""
        before, self.time = self.time, time
        if before is not None and time < before:
            self.known.clear()
            self.known_day.clear()
        was_open, is_now = is_open(before), is_open(time)
        if was_open and is_now and before is not None and day_of(before) != day_of(time):
            self.tell_everyone(("notice", "market_closed", False))
            was_open = False
        if was_open != is_now:
            event = "market_opened" if is_now else "market_closed"
            self.tell_everyone(("notice", event, is_now))

    def pass_time(self, until: int) -> None:
        """Let the machine's time pass: linger, expiry and, by the wall clock, the market."""
        while self.now < until:
            steps = [until, self.housekeeping_at, *self.lingering.values()]
            if not self.feed_tells_time:
                steps += [boundary for boundary in BOUNDARIES if boundary > self.now]
            self.now = max(self.now, min(steps))
            if not self.feed_tells_time:
                self.feed_time = self.now
                self.move_market_time(self.now)
            for key in [key for key, end in self.lingering.items() if end <= self.now]:
                del self.lingering[key]
            if self.now >= self.housekeeping_at:
                self.housekeeping_at = self.now + HOUSEKEEPING_S * SECOND
                self.expire()

    def expire(self) -> None:
        """Forget whom nobody has seen for long (rule P-5)."""
        for name in list(self.subscriptions):
            if name in self.peers:
                self.seen[name] = self.now
                self.keep(name)
                continue
            ttl_s = MADE_UP_TTL_S if name in self.made_up else TTL_S
            if self.now - self.seen[name] > ttl_s * SECOND:
                self.forget(name)

    # --- clients

    def connect(self, name: str, epoch: str) -> Peer | None:
        """Let a client connect; None if it must be refused (C-3, C-4, M-4)."""
        old = self.peers.get(name)
        if old is not None:
            since = self.now - TAKEOVER_WINDOW_S * SECOND
            recent = [time for time in self.takeovers.get(name, []) if time > since]
            if len(recent) >= TAKEOVERS:
                return None
            self.takeovers[name] = [*recent, self.now]
            self.leave(name)
            old.tell(("error", "session_replaced"))
        self.seen[name] = self.now
        kept = self.subscriptions.setdefault(name, [])
        peer = self.peers[name] = Peer(self.delivery.setdefault(name, "latest"))
        for key in kept:
            self.lingering.pop(key, None)
        restored = tuple(SYMBOLS[key] for key in kept)
        peer.tell(("welcome", restored, is_open(self.time), epoch))
        self.tell_last_quotes(peer, kept)
        return peer

    def disconnect(self, name: str) -> None:
        """Lose a connection (P-1): what is subscribed stays, and lingers at the feed."""
        self.leave(name)
        self.seen[name] = self.now
        self.keep(name)
        if not self.subscriptions[name]:
            self.forget(name)

    def leave(self, name: str) -> None:
        """Take a connection away; what only it subscribed lingers."""
        del self.peers[name]
        others = self.subscribed()
        for key in self.subscriptions[name]:
            if key not in others:
                self.lingering[key] = self.now + LINGER_S * SECOND

    def subscribe(self, name: str, stocks: list[str], delivery: Delivery | None) -> None:
        """Answer a subscribe (R-6, S-1 to S-3, S-10, M-4, M-5)."""
        kept = self.subscriptions[name]
        done: dict[InstrumentKey, str] = {}
        failed: list[str] = []
        added: list[InstrumentKey] = []
        is_known = is_over = False
        for stock in stocks:
            key = NAMES.get(stock)
            if key is None:
                failed.append(stock)
                continue
            is_known = True
            if key not in kept and len(kept) >= MAX_SUBSCRIPTIONS:
                is_over = True
                failed.append(stock)
                continue
            if key not in kept:
                kept.append(key)
                added.append(key)
            done.setdefault(key, reply_name(stock))
        code = None
        if not is_known:
            code = "invalid_stock"
        elif is_over:
            code = "too_many_subscriptions"
        elif not is_open(self.time):
            code = "market_closed"
        self.reply(name, "subscribe", done.values(), failed, code)
        for key in added:
            self.lingering.pop(key, None)
        if is_known and delivery not in (None, self.delivery[name]):
            self.delivery[name] = delivery
            self.peers[name].gets_all = False
            self.keep(name)
        if added:
            self.keep(name)
        self.tell_last_quotes(self.peers[name], added)

    def unsubscribe(self, name: str, stocks: list[str]) -> None:
        """Answer an unsubscribe (R-8, S-4)."""
        kept = self.subscriptions[name]
        done: dict[InstrumentKey, str] = {}
        failed: list[str] = []
        for stock in stocks:
            key = NAMES.get(stock)
            if key in kept and key is not None:
                done.setdefault(key, reply_name(stock))
            else:
                failed.append(stock)
        if stocks == ["*"]:
            done, failed = {key: SYMBOLS[key] for key in kept}, []
        for key in done:
            kept.remove(key)
            self.peers[name].cut(key, may_drop=True)
        self.reply(name, "unsubscribe", done.values(), failed, None)
        if done:
            self.keep(name)

    def reply(
        self, name: str, action: str, done: Iterable[str], failed: list[str], code: str | None
    ) -> None:
        """Tell a client what its request did."""
        total = len(self.subscriptions[name])
        self.peers[name].tell(("reply", action, tuple(done), tuple(failed), total, code))

    def tell_last_quotes(self, peer: Peer, keys: Iterable[InstrumentKey]) -> None:
        """Send what is known of today, while the market is open (rule M-4)."""
        if self.time is None or not is_open(self.time):
            return
        for key in keys:
            if key in self.known and self.known_day[key] == day_of(self.time):
                peer.tell(("quote", key, self.seq[key], self.known[key].ltp))

    def keep(self, name: str) -> None:
        """Have on disk what is known of a client."""
        if not self.subscriptions[name]:
            self.kept.pop(name, None)
            return
        self.kept[name] = ClientRecord(
            name,
            tuple(self.subscriptions[name]),
            self.seen[name],
            self.delivery[name],
            made_up=name in self.made_up,
        )

    def forget(self, name: str) -> None:
        """Have nothing left of a client."""
        del self.subscriptions[name]
        del self.seen[name]
        del self.delivery[name]
        self.made_up.discard(name)
        self.takeovers.pop(name, None)
        self.kept.pop(name, None)

    # --- the feed

    def subscribed(self) -> set[InstrumentKey]:
        """Return what connected clients subscribe."""
        return {key for name in self.peers for key in self.subscriptions[name]}

    def wanted(self) -> set[InstrumentKey]:
        """Return what the feed should send."""
        return self.subscribed() | self.lingering.keys()

    def update(self, touchline: Touchline) -> None:
        """Take an update of the feed: numbered always, told while the market is open (M-2, M-3)."""
        if self.time is None:
            return
        if self.feed_tells_time and self.time < touchline.sent <= self.time + 60 * SECOND:
            self.move_market_time(touchline.sent)
        key = touchline.key
        self.seq[key] += 1
        self.known[key] = touchline
        day = day_of(touchline.lut)
        self.known_day[key] = max(day, self.known_day.get(key, day))
        if is_open(self.time):
            for name, peer in self.peers.items():
                if key in self.subscriptions[name]:
                    peer.tell(("quote", key, self.seq[key], touchline.ltp))

    def answer(self, touchline: Touchline) -> None:
        """Take the state that the feed answers a subscribe with (rule M-9)."""
        known = self.known.get(touchline.key)
        if known is None or not alike(known, touchline):
            self.update(touchline)

    def turn_back(self) -> None:
        """Let the feed have other states, as it does after a seek."""
        for key, state in self.states.items():
            self.states[key] = touchline(key, state.ltp + 5, lut=self.feed_time)

    def tell_everyone(self, message: Gist) -> None:
        """Have a message follow all others of every connection, with no quote crossing it."""
        for peer in self.peers.values():
            peer.cut(None, may_drop=False)
            peer.tell(message)


def reply_name(stock: str) -> str:
    """Return how a reply names a stock (rule S-1)."""
    exchange, colon, symbol = stock.rpartition(":")
    return f"{symbol} ({exchange})" if colon else stock


def alike(one: Touchline, other: Touchline) -> bool:
    """Return whether two touchlines say the same, whenever they were sent."""
    return msgspec.structs.replace(one, sent=0) == msgspec.structs.replace(other, sent=0)
