"""
Which instruments the feed should send, and to whom their quotes go.

Keeps the subscribers of each instrument, what the feed was asked for, and what
stays asked for a while after the last subscriber's connection ended.

Instruments that have the same subscribers share one group of them. So a client
that comes with thousands of instruments joins a group or a few instead of each
instrument, and is noted once for each group. Groups are split where clients
want different things; there are never more of them than instruments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Generic, TypeVar

from streamer.odin.tags import InstrumentKey

Subscriber = TypeVar("Subscriber")


class _Group(Generic[Subscriber]):
    """The subscribers that some instruments have in common, and how many instruments that is."""

    __slots__ = ("members", "size")

    def __init__(self, members: dict[Subscriber, None], size: int) -> None:
        self.members = members
        self.size = size


class Interest(Generic[Subscriber]):
    """
    Subscribers by instrument, and the difference that the feed must be told.

    Everything is kept and returned in the order in which it came.
    """

    def __init__(self) -> None:
        self._groups: dict[InstrumentKey, _Group[Subscriber]] = {}
        self._lingering: dict[InstrumentKey, int] = {}
        """None of them has a subscriber."""
        self._asked: dict[InstrumentKey, None] = {}
        self._changed: dict[InstrumentKey, object] = {}
        """Only its keys mean anything."""

    def __len__(self) -> int:
        """Return how many instruments have a subscriber."""
        return len(self._groups)

    def wanted(self) -> list[InstrumentKey]:
        """Return everything that the feed should send."""
        return [*self._groups, *self._lingering]

    def subscribers(self, key: InstrumentKey) -> Collection[Subscriber]:
        """Return who gets the quotes of ``key``."""
        found = self._groups.get(key)
        return found.members if found else ()

    def add(self, keys: Sequence[InstrumentKey], subscriber: Subscriber) -> None:
        """Let ``subscriber`` get the quotes of ``keys``, each of which is named once."""
        groups = self._groups
        if groups.keys().isdisjoint(keys):
            self._begin(keys, subscriber)
            return
        new = [key for key in keys if key not in groups]
        if new:
            self._begin(new, subscriber)
        parts = {}
        for group, count in Counter(map(groups.__getitem__, keys)).items():
            if subscriber in group.members:
                continue
            if count == group.size:
                group.members[subscriber] = None
            else:
                group.size -= count
                parts[group] = _Group({**group.members, subscriber: None}, count)
        if parts:
            for key in keys:
                part = parts.get(groups[key])
                if part is not None:
                    groups[key] = part

    def remove(
        self,
        keys: Sequence[InstrumentKey],
        subscriber: Subscriber,
        *,
        linger_until: int | None = None,
    ) -> None:
        """
        Let ``subscriber`` get the quotes of ``keys`` no longer.

        Args:
            keys: The instruments, each once.
            subscriber: Who got their quotes; one who did not changes nothing.
            linger_until: Until when the feed stays asked for those that lose
                their last subscriber; None: not at all. Never earlier than in
                a call before.

        """
        groups = self._groups
        parts: dict[_Group[Subscriber] | None, _Group[Subscriber]] = {}
        for group, count in Counter(map(groups.get, keys)).items():
            if group is None or subscriber not in group.members:
                continue
            if count == group.size:
                del group.members[subscriber]
                if not group.members:
                    parts[group] = group
            else:
                group.size -= count
                rest = group.members.copy()
                del rest[subscriber]
                parts[group] = _Group(rest, count)
        if not parts:
            return
        lost = []
        for key in keys:
            part = parts.get(groups.get(key))
            if part is None:
                continue
            if part.members:
                groups[key] = part
            else:
                del groups[key]
                lost.append(key)
        self._end(lost, linger_until)

    def linger(self, key: InstrumentKey, until: int) -> None:
        """Let the feed be asked for ``key`` for a while, without a subscriber."""
        if key not in self._groups:
            # In the order of deadlines: this one is not earlier than those before.
            self._lingering.pop(key, None)
            self._lingering[key] = until
            self._changed[key] = None

    def next_deadline(self) -> int | None:
        """Return when the first instrument ceases to linger."""
        return next(iter(self._lingering.values()), None)

    def pass_time(self, now: int) -> None:
        """Let go of what has lingered long enough."""
        due = []
        for key, deadline in self._lingering.items():
            if deadline > now:
                break
            due.append(key)
        for key in due:
            del self._lingering[key]
        self._changed.update(dict.fromkeys(due))

    def take_difference(self) -> tuple[list[InstrumentKey], list[InstrumentKey]]:
        """Return what the feed must be asked for, and for what no longer, since the last call."""
        added, removed = [], []
        asked = self._asked
        for key in self._changed:
            if key in self._groups or key in self._lingering:
                if key not in asked:
                    asked[key] = None
                    added.append(key)
            elif key in asked:
                del asked[key]
                removed.append(key)
        self._changed.clear()
        return added, removed

    def _begin(self, keys: Sequence[InstrumentKey], subscriber: Subscriber) -> None:
        """Let instruments have a subscriber that have none."""
        begun = dict.fromkeys(keys, _Group({subscriber: None}, len(keys)))
        self._groups.update(begun)
        lingering = self._lingering
        if not lingering:
            self._changed.update(begun)
            return
        # The feed is asked already for what lingers, or will be, if it was not told yet.
        self._changed.update({key: None for key in keys if lingering.pop(key, None) is None})
        if not lingering:
            # Else whoever looks for the first of them passes over all that were there.
            lingering.clear()

    def _end(self, keys: Sequence[InstrumentKey], linger_until: int | None) -> None:
        """Note that instruments have lost their last subscriber."""
        if linger_until is None:
            self._changed.update(dict.fromkeys(keys))
        else:
            self._lingering.update(dict.fromkeys(keys, linger_until))
