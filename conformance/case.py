"""
What a case is, and the registry of all of them.

A case is a coroutine with an id, the rules it judges and what it needs from the
stage. What its outcome means is said in :mod:`conformance.verdicts`; running it
is the runner's business.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from conformance.rules import rule

if TYPE_CHECKING:
    from conformance.world import World

__all__ = [
    "CHAPTERS",
    "Case",
    "Level",
    "Need",
    "Profile",
    "case",
    "catalogue",
    "chosen",
    "family",
    "passive",
]

CHAPTERS: Final[Mapping[str, str]] = {
    "CON": "connection and welcome",
    "SUB": "subscribe",
    "UNS": "unsubscribe",
    "QRY": "get_subscriptions, market_status, ping",
    "MSG": "envelope, types, order of keys",
    "DAT": "the meaning of the data",
    "PER": "persistence",
    "MKT": "market hours",
    "ERR": "bad input",
    "LIM": "limits and slow readers",
    "RES": "the feed lost and back",
    "WS": "WebSocket",
}

DEFAULT_TIME: Final = "11:00:00"
DEFAULT_DAY: Final = "2025-09-04"

_ID: Final = re.compile(r"([A-Z]{2,3})-\d{3}(\.[a-z0-9-]+)?", re.ASCII)
_TIME: Final = re.compile(r"\d\d:\d\d:\d\d", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Level(enum.Enum):
    """How much a case weighs."""

    MUST = "MUST"
    """A failure fails the run."""
    SHOULD = "SHOULD"
    """A failure is told; in profile strict it fails the run."""
    INFO = "INFO"
    """Something is measured and told."""


class Profile(enum.IntEnum):
    """By which rules a server is judged; a case is judged in its profile and those above it."""

    GUIDE = 1
    """What the integration guide itself states."""
    FULL = 2
    """All rules of the client protocol."""
    STRICT = 3
    """The same with tight tolerances, and every SHOULD a MUST."""


class Need(enum.Enum):
    """What the stage must have, so that a case can be judged."""

    FEED = "feed"
    """Ticks that are known to the suite."""
    CLOCK = "clock"
    """A market time that can be moved."""
    RESTART = "restart"
    """A server that can be started, stopped and killed."""
    CALENDAR = "calendar"
    """A server that knows holidays and special sessions; implies CLOCK."""


Body = Callable[["World"], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """
    One thing that is judged.

    ``body`` is None for what is watched in every message of every case, and
    judged at the end of the run.
    """

    id: str
    title: str
    rules: tuple[str, ...]
    level: Level = Level.MUST
    profile: Profile = Profile.GUIDE
    needs: frozenset[Need] = frozenset()
    features: tuple[str, ...] = ()
    """Names that a target file may set to false in [features]; the case is skipped then."""
    explain: str
    at: str = DEFAULT_TIME
    """Market time at which it begins, where that can be moved."""
    day: str = DEFAULT_DAY
    own_server: bool = False
    """Whether it gets a server of its own, on the common feed."""
    variant: str = ""
    """The variant of the target file that its own server is started with."""
    own_feed: bool = False
    """Whether it gets a feed of its own too; implies ``own_server``."""
    feed_options: tuple[str, ...] = ()
    timeout_s: float = 60.0
    """The most that it may take in all, before --timeout-scale."""
    body: Body | None = None

    @property
    def chapter(self) -> str:
        """The id's letters."""
        return self.id.partition("-")[0]

    @property
    def family(self) -> str:
        """The id without its suffix."""
        return self.id.partition(".")[0]

    @property
    def alone(self) -> bool:
        """Whether it must not be run on the common server."""
        return self.own_server or self.own_feed or bool(self.variant) or Need.RESTART in self.needs


_registry: dict[str, Case] = {}


def case(
    id: str,
    *,
    title: str,
    rules: Iterable[str],
    explain: str,
    needs: Iterable[Need] = (),
    **settings: Any,
) -> Callable[[Body], Body]:
    """
    Register the decorated coroutine as a case; it is given a World.

    Args:
        id: Chapter and number, ``SUB-020``.
        title: What holds, as a sentence without a full stop.
        rules: Ids of data/rules.toml.
        explain: Why it matters, and what servers usually get wrong.
        needs: What it needs of the stage.
        settings: The other fields of Case.

    """

    def register(body: Body) -> Body:
        _add(
            Case(
                id=id,
                title=title,
                rules=tuple(rules),
                explain=explain,
                needs=frozenset(needs),
                body=body,
                **settings,
            )
        )
        return body

    return register


def family(
    id: str,
    *,
    variants: Mapping[str, Any],
    title: str,
    **settings: Any,
) -> Callable[[Callable[[World, Any], Awaitable[None]]], Callable[[World, Any], Awaitable[None]]]:
    """
    Register one case for each variant; the coroutine is given a World and the variant's value.

    Args:
        id: Of the family; a member is called ``ID.suffix``.
        variants: Values by suffix.
        title: May hold ``{variant}``, the suffix.
        settings: As for :func:`case`.

    """

    def register(
        body: Callable[[World, Any], Awaitable[None]],
    ) -> Callable[[World, Any], Awaitable[None]]:
        for suffix, value in variants.items():

            def member(world: World, value: Any = value) -> Awaitable[None]:
                return body(world, value)

            case(f"{id}.{suffix}", title=title.format(variant=suffix), **settings)(member)
        return body

    return register


def passive(id: str, *, title: str, rules: Iterable[str], explain: str, **settings: Any) -> Case:
    """Register and return a case that is watched in every message of the run."""
    watched = Case(id=id, title=title, rules=tuple(rules), explain=explain, **settings)
    _add(watched)
    return watched


def catalogue() -> list[Case]:
    """Return every registered case, by chapter and id."""
    order = list(CHAPTERS)
    return sorted(_registry.values(), key=lambda case: (order.index(case.chapter), case.id))


def chosen(cases: Iterable[Case], patterns: Iterable[str]) -> list[Case]:
    """
    Return the cases that one of ``patterns`` names: an id, a family, or with ``*`` and ``?``.

    Without patterns all of them. A pattern that begins with ``!`` leaves out.
    """
    patterns = [pattern.strip() for pattern in patterns if pattern.strip()]
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return [
        case
        for case in cases
        if (not wanted or any(_names(pattern, case) for pattern in wanted))
        and not any(_names(pattern, case) for pattern in unwanted)
    ]


def _names(pattern: str, case: Case) -> bool:
    return fnmatchcase(case.id, pattern) or fnmatchcase(case.family, pattern)


def _add(case: Case) -> None:
    found = _ID.fullmatch(case.id)
    if found is None or found[1] not in CHAPTERS:
        raise ValueError(f"case id {case.id!r} found; a chapter, a number, expected: SUB-020")
    if case.id in _registry:
        raise ValueError(f"case {case.id} is there twice")
    if not case.rules:
        raise ValueError(f"case {case.id} names no rule")
    for id in case.rules:
        rule(id)
    if not (_TIME.fullmatch(case.at) and _DAY.fullmatch(case.day)):
        raise ValueError(f"case {case.id}: at HH:MM:SS and day YYYY-MM-DD expected")
    _registry[case.id] = case
