"""
The market's clock: what time it is for clients, hours and quotes.

The two clocks here are values without a source of their own. The caller hands
in the machine's time; :class:`WallClock` takes it as it is, :class:`FeedClock`
ignores it and believes the feed. Time-outs, pings and rates run on the
machine's time and are no business of these clocks.
"""

from __future__ import annotations

import enum

from streamer.odin.messages import FeedMessage, Heartbeat, LogonAnswer

MAX_STEP_NS = 60 * 1_000_000_000

PLAUSIBLE_NS = range(631_152_000 * 10**9, 4_102_444_800 * 10**9)
"""The years 1990 to 2099: no feed told a time before, and no calendar reaches beyond."""


class Move(enum.Enum):
    """What a message did to the clock."""

    NONE = "none"
    FORWARD = "forward"
    BACK = "back"


class WallClock:
    """The machine's own time, for production."""

    kind = "wall"

    def read(self, now: int) -> int | None:
        """Return market time, UNIX nanoseconds, which is ``now`` itself."""
        return now

    def observe(self, message: FeedMessage) -> Move:
        """Ignore ``message``: nothing that a feed says moves this clock."""
        return Move.NONE


class FeedClock:
    """
    The time that the feed tells, for replays; nothing else moves it.

    Each message of the feed carries a time in its header (tag 66). A heartbeat
    or a logon answer sets the clock, forward or back. Any other message moves
    it forward only, and by :data:`MAX_STEP_NS` at the most, so that one wrong
    time in one message moves nothing. Times outside :data:`PLAUSIBLE_NS` never
    move it.
    """

    kind = "feed"

    def __init__(self) -> None:
        self._time: int | None = None

    def read(self, now: int) -> int | None:
        """Return market time, UNIX nanoseconds; None before the feed has told one."""
        return self._time

    def observe(self, message: FeedMessage) -> Move:
        """Move the clock as ``message`` allows, and tell how it moved."""
        told = message.sent
        if told == self._time or told not in PLAUSIBLE_NS:
            return Move.NONE
        time = self._time
        if isinstance(message, Heartbeat | LogonAnswer):
            self._time = told
            return Move.BACK if time is not None and told < time else Move.FORWARD
        if time is None or not time < told <= time + MAX_STEP_NS:
            return Move.NONE
        self._time = told
        return Move.FORWARD
