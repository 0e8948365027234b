"""
How the server's idea of the market's time is moved.

A driver is tried on the real server before it is trusted: its self-check moves
the time and looks at what the server says. The first of the target's drivers
that passes is used.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from conformance.expect import Inconclusive, Unmet
from conformance.feed import Feed
from conformance.process import environment
from conformance.server import Dress
from conformance.stage import Stage
from conformance.tape import IST, NS, at, moment
from conformance.target import filled

__all__ = ["DRIVERS", "Clock", "WallClock", "choose_clock", "moved_session"]

_CHECK_DAY: Final = "2025-09-04"
_NOON: Final = "11:00:00"
_LONGEST_S: Final = 120.0
_NEAR_S: Final = 10.0
_WARM_NS: Final = 3600 * NS
_SAFE: Final = timedelta(minutes=10)


class Clock(Protocol):
    """Moves the market's time on a stage."""

    name: str
    movable: bool
    exact: bool
    """Whether open and close happen at a place in the feed's stream, not after some real time."""
    restarts: bool
    """Whether going to another time starts the server again, so that clients are cut off."""

    async def begin(self, stage: Stage, ts: int, *, exactly: bool) -> None:
        """Go to the time of a case; if not ``exactly``, another of the same session will do."""

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
    restarts = False

    async def begin(self, stage: Stage, ts: int, *, exactly: bool) -> None:
        """Seek, unless it is that time already."""
        if _feed(stage).now != ts:
            await self.to(stage, ts)

    async def to(self, stage: Stage, ts: int) -> None:
        """Seek."""
        await _feed(stage).seek(ts)
        await stage.reached(ts)

    async def until(self, stage: Stage, ts: int) -> None:
        """Play."""
        await _feed(stage).play(_later(stage, ts))
        await stage.reached(ts)

    async def check(self, stage: Stage) -> str:
        """Seek, play, and see the server follow."""
        if stage.feed is None:
            return "there is no feed of the suite's"
        if not stage.follows_time:
            return "the server tells the feed's time neither as current_time nor as timestamp"
        try:
            await self.to(stage, at(_CHECK_DAY, _NOON))
            await self.until(stage, at(_CHECK_DAY, "11:00:02"))
        except (Unmet, Inconclusive) as error:
            return str(error)
        return ""


class _FlowingClock:
    """
    A time that is set and then runs on as real time does.

    The feed is played along with it, second by second.
    """

    name = ""
    movable = True
    exact = False
    restarts = True

    def __init__(self) -> None:
        self._set: dict[Stage, tuple[float, int]] = {}

    async def begin(self, stage: Stage, ts: int, *, exactly: bool) -> None:
        """Set the time, unless it has not got far and any time will do."""
        if exactly or not 0 <= self._now(stage) - ts < _WARM_NS:
            await self.to(stage, ts)

    async def to(self, stage: Stage, ts: int) -> None:
        """Set the time, and the feed to the same."""
        await _feed(stage).seek(ts)
        await self._set_time(stage, ts)
        self._set[stage] = (time.monotonic(), ts)

    async def until(self, stage: Stage, ts: int) -> None:
        """Wait for each second, and play what the feed has up to it."""
        feed = _feed(stage)
        left_s = (_later(stage, ts) - self._now(stage)) / NS
        if left_s > _LONGEST_S:
            raise Inconclusive(f"time runs on as real time does: {left_s:.0f} s to wait")
        for second in range(feed.now + NS, ts + 1, NS):
            await asyncio.sleep((second - self._now(stage)) / NS)
            await self._second(stage, second)
            await feed.play(second)
        await stage.caught_up(ts)

    async def check(self, stage: Stage) -> str:
        """Set the time, and look at the time stamp of a reply."""
        if stage.feed is None:
            return "there is no feed of the suite's"
        if not stage.server.ours:
            return "the suite does not start the server"
        try:
            wanted = at(_CHECK_DAY, _NOON)
            await self.to(stage, wanted)
            told = await stage.told_time()
        except (Unmet, Inconclusive) as error:
            return str(error)
        if told is None or abs(told - wanted) > _NEAR_S * NS:
            said = "none" if told is None else f"{moment(told):%Y-%m-%d %H:%M:%S}"
            return f"a reply has the time stamp {said}; 2025-09-04 11:00:00 expected"
        return ""

    async def _set_time(self, stage: Stage, ts: int) -> None:
        raise NotImplementedError

    async def _second(self, stage: Stage, ts: int) -> None:
        """Do what has to be done at each second."""

    def _now(self, stage: Stage) -> int:
        if stage not in self._set:
            return 0
        since, ts = self._set[stage]
        return ts + round((time.monotonic() - since) * NS)


class FaketimeClock(_FlowingClock):
    """libfaketime: the server is started anew in the belief that it is another day."""

    name = "faketime"

    async def check(self, stage: Stage) -> str:
        """Look for the program first."""
        if shutil.which("faketime", path=environment()["PATH"]) is None:
            return "the program faketime is not installed"
        return await super().check(stage)

    async def _set_time(self, stage: Stage, ts: int) -> None:
        # It takes the time as a text of the server's own time zone.
        kept = _zone(stage)
        zone = kept.get("TZ") or stage.target.server.env.get("TZ")
        local = moment(ts).astimezone(ZoneInfo(zone) if zone else None)
        await stage.dress(
            Dress(
                prefix=("faketime", "-f", f"@{local:%Y-%m-%d %H:%M:%S}"),
                # Intervals are measured truly; only the date and the time of day are others.
                env={"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", **kept},
            )
        )


class WindowClock(_FlowingClock):
    """Options of the server for its hours: the session is moved to where the present is."""

    name = "window"

    async def _set_time(self, stage: Stage, ts: int) -> None:
        first, last = moved_session(ts, datetime.now(IST))
        words = filled(stage.target.clock.window, {"open": first, "close": last})
        await stage.dress(Dress(args=tuple(words), env=_zone(stage)))

    async def check(self, stage: Stage) -> str:
        """See the server open within the window and closed before it."""
        if stage.feed is None or not stage.server.ours or not stage.target.clock.window:
            return "the target has no clock.window, or no command that starts the server"
        try:
            for clock, is_open in ((_NOON, True), ("09:14:00", False)):
                await self.to(stage, at(_CHECK_DAY, clock))
                told = await stage.told_open()
                if told is not is_open:
                    return f"market_open is {told} though the window says {is_open}"
        except (Unmet, Inconclusive) as error:
            return str(error)
        return ""


class CommandClock(_FlowingClock):
    """A command of the user's, which tells the server the time."""

    name = "command"
    restarts = False

    async def _set_time(self, stage: Stage, ts: int) -> None:
        then = moment(ts)
        places: Mapping[str, object] = {
            "date": f"{then:%Y-%m-%d}",
            "time": f"{then:%H:%M:%S}",
            "datetime": f"{then:%Y-%m-%dT%H:%M:%S%z}",
            "epoch_ms": ts // 1_000_000,
        }
        await stage.server.run(stage.target.clock.command, places)

    async def _second(self, stage: Stage, ts: int) -> None:
        await self._set_time(stage, ts)


class WallClock:
    """This machine's time, which nobody moves."""

    name = "wall"
    movable = False
    exact = False
    restarts = False

    async def begin(self, stage: Stage, ts: int, *, exactly: bool) -> None:
        """Leave it."""

    async def to(self, stage: Stage, ts: int) -> None:
        """Refuse."""
        raise Inconclusive("the market's time cannot be moved on this server")

    async def until(self, stage: Stage, ts: int) -> None:
        """Refuse."""
        raise Inconclusive("the market's time cannot be moved on this server")

    async def check(self, stage: Stage) -> str:
        """It is always there."""
        return ""


DRIVERS: Final[Mapping[str, type[Clock]]] = {
    "feed": FeedClock,
    "faketime": FaketimeClock,
    "window": WindowClock,
    "command": CommandClock,
    "wall": WallClock,
}


async def choose_clock(stage: Stage) -> tuple[Clock, dict[str, str]]:
    """Return the first driver of the target that works here, and why others did not."""
    refusals: dict[str, str] = {}
    for name in stage.target.clock.drivers:
        clock = DRIVERS[name]()
        why = await clock.check(stage)
        if not why:
            return clock, refusals
        refusals[name] = why
        await stage.undress()
    return WallClock(), refusals


def moved_session(ts: int, now: datetime) -> tuple[str, str]:
    """
    Return when a session has to open and close today, so that it is ``ts`` in it now.

    What would lie beyond midnight ends there, unless that is near.

    Args:
        ts: A time of an ordinary day, nanoseconds since 1970.
        now: The present, in India.

    Raises:
        Inconclusive: If there is no such session today.

    """
    day = moment(ts).date()
    if day.weekday() > 4:
        raise Inconclusive("a movable window has no weekend")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    bounds = midnight, midnight + timedelta(seconds=86_399)
    told = []
    for clock in ("09:15:00", "15:30:00"):
        wanted = now + timedelta(seconds=(at(day, clock) - ts) / NS)
        kept = min(max(wanted, bounds[0]), bounds[1])
        if kept != wanted and abs(kept - now) < _SAFE:
            raise Inconclusive("the session would begin or end at midnight in India, which is near")
        told.append(f"{kept:%H:%M:%S}")
    return told[0], told[1]


def _zone(stage: Stage) -> dict[str, str]:
    """Return the time zone that a case has given the server, if one has."""
    return {name: value for name, value in stage.server.dress.env.items() if name == "TZ"}


def _feed(stage: Stage) -> Feed:
    if stage.feed is None:
        raise Inconclusive("there is no feed of the suite's")
    return stage.feed


def _later(stage: Stage, ts: int) -> int:
    """Return ``ts``, which must not have passed."""
    now = _feed(stage).now
    if ts < now:
        raise ValueError(f"until {moment(ts):%H:%M:%S} found; it is {moment(now):%H:%M:%S} already")
    return ts
