"""Who is pinged when, and who is found to be silent (rule C-5)."""

from __future__ import annotations

import asyncio
from typing import cast

from streamer.frames import WiredConnection
from streamer.pings import TURNS, Pings
from tests.streamer.serving import wait_until

INTERVAL_S = 0.1


class Socket:
    """Notes when it is pinged, and answers if it is told to."""

    def __init__(self, *, answers: bool = True, takes: bool = True) -> None:
        self.awaited_pong = b""
        self.at: list[float] = []
        self._answers = answers
        self._takes = takes

    def ping_at_once(self, payload: bytes) -> bool:
        self.at.append(asyncio.get_running_loop().time())
        if self._takes and not self._answers:
            self.awaited_pong = payload
        return self._takes


class Watched:
    """Pings of a few such sockets."""

    def __init__(self, *sockets: Socket, timeout_s: float = INTERVAL_S) -> None:
        self.silent: list[WiredConnection] = []
        self.began = asyncio.get_running_loop().time()
        self.pings = Pings(INTERVAL_S, timeout_s, self.silent.append)
        for socket in sockets:
            self.pings.add(cast(WiredConnection, socket))

    def forget(self, socket: Socket) -> None:
        """Look after one no more."""
        self.pings.forget(cast(WiredConnection, socket))


async def test_c5_a_socket_that_answers_is_pinged_in_every_interval() -> None:
    """C-5: the first time an interval after it came, within a turn; and it is never silent."""
    socket = Socket()
    watched = Watched(socket, timeout_s=INTERVAL_S / 10)
    await wait_until(lambda: len(socket.at) == 4)
    watched.pings.close()
    assert socket.at[0] - watched.began >= INTERVAL_S * (TURNS - 1) / TURNS
    gaps = [after - before for before, after in zip(socket.at, socket.at[1:], strict=False)]
    assert min(gaps) >= INTERVAL_S * (TURNS - 1) / TURNS
    assert watched.silent == []


async def test_c5_a_socket_that_does_not_answer_is_found_once() -> None:
    """C-5: after the time-out, not before; and it is not pinged again meanwhile."""
    silent, fine = Socket(answers=False), Socket()
    watched = Watched(silent, fine, timeout_s=3 * INTERVAL_S)
    await wait_until(lambda: bool(watched.silent))
    assert asyncio.get_running_loop().time() - silent.at[0] >= 3 * INTERVAL_S
    await wait_until(lambda: len(fine.at) == 8)
    watched.pings.close()
    assert watched.silent == [cast(WiredConnection, silent)]
    assert len(silent.at) == 1


async def test_a_late_answer_within_the_time_counts() -> None:
    """An answer that takes longer than an interval is one, and the pings go on."""
    socket, fine = Socket(answers=False), Socket()
    watched = Watched(socket, fine, timeout_s=10 * INTERVAL_S)
    for _ in range(7):
        await wait_until(lambda: bool(socket.awaited_pong))
        fine.at.clear()
        await wait_until(lambda: bool(fine.at))
        socket.awaited_pong = b""
    assert asyncio.get_running_loop().time() - socket.at[0] > 10 * INTERVAL_S
    watched.pings.close()
    assert watched.silent == []


async def test_m5_a_socket_that_takes_nothing_is_not_silent() -> None:
    """M-5: whether it moves on is another watch's business; it is tried again later."""
    socket = Socket(takes=False)
    watched = Watched(socket, timeout_s=INTERVAL_S / 10)
    await wait_until(lambda: len(socket.at) == 3)
    watched.pings.close()
    assert watched.silent == []


async def test_one_that_is_forgotten_is_left_alone() -> None:
    """A connection that ended is neither pinged nor found silent."""
    gone, fine = Socket(answers=False), Socket()
    watched = Watched(gone, fine)
    await wait_until(lambda: bool(gone.at))
    watched.forget(gone)
    await wait_until(lambda: len(fine.at) == 4)
    watched.pings.close()
    assert (len(gone.at), watched.silent) == (1, [])


async def test_sockets_are_pinged_in_turns_as_they_came() -> None:
    """However many there are, not all are pinged at the same moment."""
    first, second = Socket(), Socket()
    watched = Watched(first)
    began = asyncio.get_running_loop().time()
    await wait_until(lambda: asyncio.get_running_loop().time() - began > INTERVAL_S / 2)
    watched.pings.add(cast(WiredConnection, second))
    await wait_until(lambda: bool(second.at))
    watched.pings.close()
    assert second.at[0] > first.at[0]
