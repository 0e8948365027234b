"""
Which instruments the feed should send, and to whom their quotes go.

Keeps the subscribers of each instrument, what the feed was asked for, and what
stays asked for a while after the last subscriber's connection ended.

Instruments that have the same subscribers share one group of them, and so do
those that lost their last subscriber together. A client that comes or goes with
thousands of instruments is noted for a group or a few, not for each of them.
Groups are split where clients want different things; each instrument is in one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from streamer.odin.tags import InstrumentKey

Subscriber = TypeVar("Subscriber")


class _Group(Generic[Subscriber]):
    """Instruments, and the subscribers that they have in common; both in order."""

    __slots__ = ("keys", "members")

    def __init__(self, keys: Iterable[InstrumentKey], members: Iterable[Subscriber]) -> None:
        self.keys = dict.fromkeys(keys)
        self.members = dict.fromkeys(members)


class Interest(Generic[Subscriber]):
    """
    Subscribers by instrument, and the difference that the feed must be told.

    Everything is kept and returned in the order in which it came.
    """

    def __init__(self) -> None:
        self._groups: dict[InstrumentKey, _Group[Subscriber]] = {}
        """Of everything that the feed should send."""
        self._lingering: dict[_Group[Subscriber], int] = {}
        """Until when those without members stay, the first to go first."""
        self._asked: dict[InstrumentKey, None] = {}
        self._changed: dict[InstrumentKey, None] = {}

    def __len__(self) -> int:
        """Return how many instruments have a subscriber."""
        return len(self._groups) - sum(len(group.keys) for group in self._lingering)

    def wanted(self) -> list[InstrumentKey]:
        """Return everything that the feed should send."""
        return list(self._groups)

    def subscribers(self, key: InstrumentKey) -> Collection[Subscriber]:
        """Return who gets the quotes of ``key``."""
        found = self._groups.get(key)
        return found.members if found else ()

    def add(self, keys: Sequence[InstrumentKey], subscriber: Subscriber) -> None:
        """Let ``subscriber`` get the quotes of ``keys``, each of which is named once."""
        counts = self._count(keys)
        if None in counts:
            new = keys if len(counts) == 1 else [key for key in keys if key not in self._groups]
            self._begin(new, subscriber)
        for group in self._cut(keys, counts, lambda group: subscriber not in group.members):
            group.members[subscriber] = None
            self._lingering.pop(group, None)

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
        counts = self._count(keys)
        for group in self._cut(keys, counts, lambda group: subscriber in group.members):
            del group.members[subscriber]
            if group.members:
                continue
            if linger_until is None:
                self._end(group)
            else:
                self._lingering[group] = linger_until

    def linger(self, key: InstrumentKey, until: int) -> None:
        """Let the feed be asked for ``key`` for a while, without a subscriber."""
        counts = self._count([key])
        if None in counts:
            self._lingering[self._begin([key])] = until
        for group in self._cut([key], counts, lambda group: not group.members):
            # In the order of deadlines: this one is not earlier than those before.
            self._lingering.pop(group, None)
            self._lingering[group] = until

    def next_deadline(self) -> int | None:
        """Return when the first instrument ceases to linger."""
        return next(iter(self._lingering.values()), None)

    def pass_time(self, now: int) -> None:
        """Let go of what has lingered long enough."""
        ended = []
        for group, until in self._lingering.items():
            if until > now:
                break
            ended.append(group)
        for group in ended:
            del self._lingering[group]
            self._end(group)

    def take_difference(self) -> tuple[list[InstrumentKey], list[InstrumentKey]]:
        """Return what the feed must be asked for, and for what no longer, since the last call."""
        added, removed = [], []
        asked = self._asked
        for key in self._changed:
            if key in self._groups:
                if key not in asked:
                    asked[key] = None
                    added.append(key)
            elif key in asked:
                del asked[key]
                removed.append(key)
        self._changed.clear()
        return added, removed

    def _begin(self, keys: Iterable[InstrumentKey], *members: Subscriber) -> _Group[Subscriber]:
        """Return a group of instruments that are in none."""
        group = _Group(keys, members)
        self._groups.update(dict.fromkeys(group.keys, group))
        self._changed.update(group.keys)
        return group

    def _end(self, group: _Group[Subscriber]) -> None:
        """Let the instruments of a group be wanted no longer."""
        for key in group.keys:
            del self._groups[key]
        self._changed.update(group.keys)

    def _count(self, keys: Sequence[InstrumentKey]) -> Mapping[_Group[Subscriber] | None, int]:
        """Return how many of ``keys`` are in each group, and in none, in their order."""
        found = set(map(self._groups.get, keys))
        if len(found) == 1:
            # Most often, and counting takes longer than this.
            return dict.fromkeys(found, len(keys))
        return Counter(map(self._groups.get, keys))

    def _cut(
        self,
        keys: Sequence[InstrumentKey],
        counts: Mapping[_Group[Subscriber] | None, int],
        is_concerned: Callable[[_Group[Subscriber]], bool],
    ) -> list[_Group[Subscriber]]:
        """
        Return the groups that consist of ``keys`` alone, of all groups that are concerned.

        A group that has other instruments as well is split: the new one begins
        with the same members.
        """
        found = []
        parts: dict[_Group[Subscriber] | None, _Group[Subscriber]] = {}
        for group, count in counts.items():
            if group is None or not is_concerned(group):
                continue
            part = group
            if count < len(group.keys):
                part = parts[group] = _Group((), group.members)
            found.append(part)
        if parts:
            groups = self._groups
            for key in keys:
                whole = groups.get(key)
                if whole is not None and whole in parts:
                    del whole.keys[key]
                    part = groups[key] = parts[whole]
                    part.keys[key] = None
        return found
