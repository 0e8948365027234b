"""
How the server's idea of the market's time is moved.

A driver is tried on the real server before it is trusted: its self-check moves
the time and looks at what the server says. The first of the target's drivers
that passes is used.
"""

from __future__ import annotations

from typing import Final, Protocol

from conformance.expect import Inconclusive, Unmet
from conformance.feed import Feed
from conformance.stage import Stage
from conformance.tape import at

__all__ = ["Clock", "FeedClock", "WallClock", "choose_clock"]

_CHECK_DAY: Final = "2025-09-04"


class Clock(Protocol):
    """Moves the market's time on a stage."""

    name: str
    movable: bool
    exact: bool
    """Whether open and close happen at a place in the stream, not after some real time."""

    async def to(self, stage: Stage, ts: int) -> None:
        """Go to a time, nanoseconds since 1970; nothing in between happens."""

    async def until(self, stage: Stage, ts: int) -> None:
        """Let time pass up to ``ts``, inclusive; return when the server is there."""

    async def check(self, stage: Stage) -> str:
        """Try it; return why it cannot be used, empty if it can."""


class FeedClock:
    """The feed's time, on a server that follows it."""

    name = "feed"
    movable = True
    exact = True

    async def to(self, stage: Stage, ts: int) -> None:
        """Seek."""
        feed = _feed(stage)
        await feed.seek(ts)
        await stage.reached(ts)

    async def until(self, stage: Stage, ts: int) -> None:
        """Play."""
        feed = _feed(stage)
        if ts < feed.now:
            raise ValueError("until: a time that has not passed expected; use to")
        await feed.play(ts)
        await stage.reached(ts)

    async def check(self, stage: Stage) -> str:
        """Seek, play, and see the server follow."""
        if stage.feed is None:
            return "there is no feed of the suite's"
        if not stage.follows_time:
            return "the server does not tell the feed's time as current_time in market_status"
        try:
            await self.to(stage, at(_CHECK_DAY, "11:00:00"))
            await self.until(stage, at(_CHECK_DAY, "11:00:02"))
        except (Unmet, Inconclusive) as error:
            return str(error)
        return ""


class WallClock:
    """This machine's time, which nobody moves."""

    name = "wall"
    movable = False
    exact = False

    async def to(self, stage: Stage, ts: int) -> None:
        """Refuse."""
        raise Inconclusive("the market's time cannot be moved on this server")

    async def until(self, stage: Stage, ts: int) -> None:
        """Refuse."""
        raise Inconclusive("the market's time cannot be moved on this server")

    async def check(self, stage: Stage) -> str:
        """It is always there."""
        return ""


def _feed(stage: Stage) -> Feed:
    if stage.feed is None:
        raise Inconclusive("there is no feed of the suite's")
    return stage.feed


_DRIVERS: Final[dict[str, type[Clock]]] = {"feed": FeedClock, "wall": WallClock}


async def choose_clock(stage: Stage) -> tuple[Clock, dict[str, str]]:
    """Return the first driver of the target that works here, and why others did not."""
    failed: dict[str, str] = {}
    for name in stage.target.clock.drivers:
        driver = _DRIVERS.get(name)
        if driver is None:
            failed[name] = "not built"
            continue
        clock = driver()
        why = await clock.check(stage)
        if not why:
            return clock, failed
        failed[name] = why
    return WallClock(), failed
