"""One client's connection: what it is to get, and what waits for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from tests.conformance.reference.breaks import broken
from tests.conformance.reference.instruments import Key
from tests.conformance.reference.requests import Budget
from tests.conformance.reference.settings import Settings
from tests.conformance.reference.store import Session

SLOW: Final = 4008
MAX_WAITING: Final = 50_000


class Connection:
    """
    A client's session, what of it is delivered, and the messages that wait for the socket.

    Args:
        session: Whose connection it is.
        settings: The limits.

    """

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session = session
        self.wanted: set[Key] = set()
        self.outbox: OrderedDict[object, str] = OrderedDict()
        self.is_slow = False
        """Whether the socket takes no more for now; its owner says so."""
        self.is_deaf = False
        self.is_text: bool | None = True
        """Whether messages go out in text frames."""
        self.closing: tuple[int, str] | None = None
        self.wake = asyncio.Event()
        self.budget = Budget(settings.request_rate, settings.request_burst)
        self.quotes_put = 0
        self._put = 0
        self._era = 0

    def put(self, text: str) -> None:
        """Queue a reply or a notice."""
        self._put += 1
        place: object = self._put
        if broken("pongs-conflated") and text.startswith('{"type":"pong"'):
            place = "pong"
        if not (broken("replies-lost-when-slow") and self.is_slow):
            self._queue(place, text)

    def put_quote(self, key: Key, text: str) -> None:
        """Queue a quote; a slow client keeps the newest of each instrument alone (M-5)."""
        self._put += 1
        every = self.session.delivery == "all" and not broken("delivery-all-conflated")
        conflate = self.is_slow and not every and not broken("slow-client-gets-everything")
        place = (key, self._era if conflate else self._put)
        if place in self.outbox and broken("slow-client-keeps-the-oldest"):
            return
        self._queue(place, text)

    def drop_quotes(self, keys: Iterable[Key]) -> None:
        """Forget what waits of instruments that were unsubscribed (M-2)."""
        gone = set(keys)
        for place in [place for place in self.outbox if isinstance(place, tuple)]:
            if place[0] in gone:
                del self.outbox[place]

    def seal(self) -> None:
        """Let no later quote take the place of one that waits: a notice stands between them."""
        self._era -= 1

    def close(self, code: int, reason: str) -> None:
        """Have the connection closed after what waits was written."""
        self.closing = self.closing or (code, reason)
        self.wake.set()

    def _queue(self, place: object, text: str) -> None:
        if len(self.outbox) >= MAX_WAITING:
            self.outbox.clear()
            self.close(SLOW, "slow consumer")
        if self.closing is None:
            self.outbox[place] = text
            self.wake.set()
