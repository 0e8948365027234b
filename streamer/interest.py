"""
Which instruments the feed should send, and to whom their quotes go.

Keeps the subscribers of each instrument, what the feed was asked for, and what
stays asked for a while after the last subscriber's connection ended.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView
from typing import Generic, TypeVar

from streamer.odin.tags import InstrumentKey

Subscriber = TypeVar("Subscriber")


class Interest(Generic[Subscriber]):
    """
    Subscribers by instrument, and the difference that the feed must be told.

    Everything is kept and returned in the order in which it came.
    """

    def __init__(self) -> None:
        self._subscribers: dict[InstrumentKey, dict[Subscriber, None]] = {}
        self._lingering: dict[InstrumentKey, int] = {}
        self._asked: dict[InstrumentKey, None] = {}
        self._changed: dict[InstrumentKey, None] = {}

    def __len__(self) -> int:
        """Return how many instruments have a subscriber."""
        return len(self._subscribers)

    def wanted(self) -> list[InstrumentKey]:
        """Return everything that the feed should send."""
        return [*self._subscribers, *self._lingering]

    def subscribers(self, key: InstrumentKey) -> KeysView[Subscriber] | tuple[()]:
        """Return who gets the quotes of ``key``."""
        found = self._subscribers.get(key)
        return found.keys() if found else ()

    def add(self, keys: Iterable[InstrumentKey], subscriber: Subscriber) -> None:
        """Let ``subscriber`` get the quotes of ``keys``."""
        subscribers, lingering, changed = self._subscribers, self._lingering, self._changed
        for key in keys:
            found = subscribers.get(key)
            if found is None:
                subscribers[key] = {subscriber: None}
                lingering.pop(key, None)
                changed[key] = None
            else:
                found[subscriber] = None

    def remove(
        self,
        keys: Iterable[InstrumentKey],
        subscriber: Subscriber,
        *,
        linger_until: int | None = None,
    ) -> None:
        """
        Let ``subscriber`` get the quotes of ``keys`` no longer.

        Args:
            keys: The instruments.
            subscriber: Who got their quotes; one who did not changes nothing.
            linger_until: Until when the feed stays asked for those that lose
                their last subscriber; None: not at all. Never earlier than in
                a call before.

        """
        for key in keys:
            found = self._subscribers.get(key)
            if found is None or subscriber not in found:
                continue
            del found[subscriber]
            if not found:
                del self._subscribers[key]
                self._changed[key] = None
                if linger_until is not None:
                    self._lingering[key] = linger_until

    def linger(self, key: InstrumentKey, until: int) -> None:
        """Let the feed be asked for ``key`` for a while, without a subscriber."""
        if key not in self._subscribers:
            # In the order of deadlines: this one is not earlier than those before.
            self._lingering.pop(key, None)
            self._lingering[key] = until
            self._changed[key] = None

    def next_deadline(self) -> int | None:
        """Return when the first instrument ceases to linger."""
        return next(iter(self._lingering.values()), None)

    def pass_time(self, now: int) -> None:
        """Let go of what has lingered long enough."""
        while self._lingering:
            key, deadline = next(iter(self._lingering.items()))
            if deadline > now:
                return
            del self._lingering[key]
            self._changed[key] = None

    def take_difference(self) -> tuple[list[InstrumentKey], list[InstrumentKey]]:
        """Return what the feed must be asked for, and for what no longer, since the last call."""
        added, removed = [], []
        asked = self._asked
        for key in self._changed:
            if key in self._subscribers or key in self._lingering:
                if key not in asked:
                    asked[key] = None
                    added.append(key)
            elif key in asked:
                del asked[key]
                removed.append(key)
        self._changed.clear()
        return added, removed
