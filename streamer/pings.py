"""
Whether clients are still there: pings, and who does not answer them (rule C-5).

One timer serves all sockets, where the library would keep a task for each.
They are spread over the turns of an interval as they come, so that however
many there are, few are pinged at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from streamer.frames import WiredConnection

TURNS: Final = 50
"""How often in an interval somebody is pinged; times are kept as exactly as that."""


class Pings:
    """
    Pings sockets, and finds those that do not answer.

    A socket that takes nothing at the moment is not pinged: that it moves on
    is for :class:`~streamer.links.StallWatch` to see. While there are no
    sockets, nothing runs.

    Args:
        interval_s: From one ping of a socket to the next.
        timeout_s: How long an answer may take. A socket is not pinged again before.
        on_silence: Called once for each ping that was not answered in time.

    """

    def __init__(
        self, interval_s: float, timeout_s: float, on_silence: Callable[[WiredConnection], None]
    ) -> None:
        self._turn_s = interval_s / TURNS
        self._timeout_s = timeout_s
        self._on_silence = on_silence
        self._groups: list[dict[WiredConnection, None]] = [{} for _ in range(TURNS)]
        self._turn = 0
        self._asked: dict[WiredConnection, float] = {}
        """When an answer is due, by the event loop's clock; the earliest first."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: WiredConnection) -> None:
        """Look after a socket; it is pinged for the first time after an interval."""
        self._groups[self._turn % TURNS][socket] = None
        if self._timer is None:
            self._wait()

    def forget(self, socket: WiredConnection) -> None:
        """Look after a socket no more."""
        for group in self._groups:
            group.pop(socket, None)
        self._asked.pop(socket, None)

    def close(self) -> None:
        """Look after nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._turn_s, self._take_turn)

    def _take_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._find_silent(now)
        self._turn += 1
        payload = self._turn.to_bytes(8, "big")
        due = now + self._timeout_s
        for socket in self._groups[self._turn % TURNS]:
            if not socket.awaited_pong and socket.ping_at_once(payload):
                # To the end: that it has answered the last one was not looked at yet.
                self._asked.pop(socket, None)
                self._asked[socket] = due
        self._timer = None
        if any(self._groups):
            self._wait()

    def _find_silent(self, now: float) -> None:
        ended = []
        for socket, due in self._asked.items():
            if due > now:
                break
            ended.append(socket)
        for socket in ended:
            del self._asked[socket]
            if socket.awaited_pong:
                self._on_silence(socket)
