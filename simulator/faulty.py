"""
What faults do to a feed server's connections.

:class:`Faults` follows the feed's own time and stands between the feed server
and its sockets: it wraps their transports, and writes their frames. What is on
is for ``simulator/fault_plan.py`` to know, what becomes of updates for
``simulator/spoiling.py``.
"""

from __future__ import annotations

import asyncio
import random
import socket as sockets
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.protocol import State

from simulator.fault_plan import FaultPlan
from simulator.faults import Layer, Planned
from simulator.spoiling import SentUpdate, Spoiler, spoilt_frame
from simulator.updates import Update

__all__ = ["Change", "Faults", "FaultyTransport"]

_PONG = 0x8A
_SLICES_PER_SECOND = 50
# A real reset, and no orderly end: the socket does not linger.
_NO_LINGER = struct.pack("ii", 1, 0)

CUTTING = frozenset({"refuse", "silent", "reset", "logon-refused"})
"""Faults that begin by resetting all connections."""

MUTES_HEARTBEATS = frozenset({"mute", "heartbeat-stops"})


class Change(NamedTuple):
    """What a new second of the feed brings."""

    begun: Sequence[Planned]
    ended: Sequence[Planned]
    released: Sequence[SentUpdate]
    """Updates that were held until now."""


class Faults:
    """
    The faults of one feed server.

    Args:
        plan: What is to happen, and when.
        seed: Chooses what is random.
        on_lost: Told each update that is never sent, and why.

    """

    def __init__(
        self,
        plan: FaultPlan,
        *,
        seed: int = 0,
        on_lost: Callable[[SentUpdate, str], None] | None = None,
    ) -> None:
        self.plan = plan
        self._seed = seed
        self._spoiler = Spoiler(seed, on_lost)
        self._time = 0
        self._on: list[Planned] = []
        self._transports: dict[FaultyTransport, None] = {}
        self._frames = 0

    @property
    def may_happen(self) -> bool:
        """Whether anything is planned or on; the feed's time need not be followed otherwise."""
        return len(self.plan) > 0 or self.any_on

    @property
    def any_on(self) -> bool:
        """Whether anything is on."""
        return bool(self._on)

    def pass_time(self, second: int) -> Change | None:
        """Come to a time of the feed, UNIX nanoseconds; None if nothing follows from it."""
        self._time = second
        seen = self.plan.look(second)
        if seen is None:
            return None
        running = self.plan.running
        self._on = [entry.planned for entry in running]
        released = self._spoiler.turn_to((entry.number, entry.planned) for entry in running)
        begun, ended = ([entry.planned for entry in entries] for entries in seen)
        if not (begun or ended or released):
            return None
        return Change(begun, ended, released)

    def find(self, *names: str) -> Planned | None:
        """Return the first fault of these kinds that is on."""
        return next((each for each in self._on if each.fault.name in names), None)

    def lasting(self, *names: str) -> Planned | None:
        """Return the first fault of these kinds that is on, and no mere moment."""
        return next((each for each in self._on if each.fault.name in names and each.lasts_s), None)

    def spoil(self, updates: Sequence[Update]) -> Sequence[SentUpdate]:
        """Return what is sent in place of updates."""
        return self._spoiler.spoil(updates)

    def pass_over(self, count: int) -> None:
        """Count updates that were sent as they are, while nothing is on."""
        self._spoiler.pass_over(count)

    def release(self) -> Sequence[SentUpdate]:
        """Return what is still held: the stream ends."""
        return self._spoiler.release()

    @property
    def says_time(self) -> bool:
        """Whether heartbeats are sent."""
        return self.find(*MUTES_HEARTBEATS) is None

    # --- sockets

    def wrap(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Return a new connection's transport with the faults of sockets that are on."""
        faulty = FaultyTransport(transport, protocol, self)
        self._transports[faulty] = None
        if self.find("silent") is not None:
            faulty.freeze()
        slow = self.find("drip", "slow-down")
        if slow is not None:
            faulty.throttle(*_pace(slow))
        return faulty  # type: ignore[return-value]

    def forget(self, transport: asyncio.BaseTransport) -> None:
        """Take note that a connection is gone."""
        self._transports.pop(transport, None)  # type: ignore[call-overload]

    def begin_on_sockets(self, planned: Planned) -> None:
        """Do to the connections there are what a fault of sockets begins with."""
        name = planned.fault.name
        for transport in list(self._transports):
            if name in CUTTING:
                transport.reset()
            elif name == "half-open":
                transport.freeze()
            elif name in ("drip", "slow-down"):
                transport.throttle(*_pace(planned))

    def end_on_sockets(self, planned: Planned) -> None:
        """End what a fault of sockets did."""
        name = planned.fault.name
        for transport in list(self._transports):
            if name in ("half-open", "silent") and transport.is_frozen:
                transport.abort()
            elif name in ("drip", "slow-down"):
                transport.unthrottle()

    # --- frames

    def write(self, socket: ServerConnection, frames: Sequence[bytes]) -> None:
        """Write frames, as the faults that are on leave them."""
        if self.find("mute") is not None:
            return
        spoiling = [each for each in self._on if each.fault.layer is Layer.FRAME]
        fragmented = self.find("fragmented")
        for frame in frames:
            self._frames += 1
            messages = [frame]
            for number, planned in enumerate(spoiling):
                chance = random.Random(f"{self._seed}:frame:{number}:{self._frames}")
                messages = [
                    made
                    for message in messages
                    for made in spoilt_frame(planned, message, self._time, chance)
                ]
            for message in messages:
                if fragmented is None:
                    broadcast((socket,), message)
                else:
                    _send_in_fragments(socket, message, fragmented.value("pieces"))


def _pace(planned: Planned) -> tuple[int, float]:
    """Return bytes at a time, and the real seconds between them."""
    if planned.fault.name == "drip":
        return planned.value("bytes"), planned.value("gap") / 1000
    return max(planned.value("rate") // _SLICES_PER_SECOND, 1), 1 / _SLICES_PER_SECOND


def _send_in_fragments(socket: ServerConnection, message: bytes, pieces: int) -> None:
    if socket.protocol.state is not State.OPEN:
        return
    size = -(-len(message) // pieces)
    parts = [message[start : start + size] for start in range(0, len(message), size)]
    for number, part in enumerate(parts):
        send = socket.protocol.send_continuation if number else socket.protocol.send_binary
        send(part, fin=number == len(parts) - 1)
    socket.send_data()


class FaultyTransport:
    """
    A socket's transport that can be frozen, slowed and reset.

    It stands where the WebSocket library has its transport; what is not told
    here is the transport's own.
    """

    def __init__(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, faults: Faults
    ) -> None:
        self.is_frozen = False
        self._transport = transport
        self._protocol = protocol
        self._faults = faults
        self._slice: tuple[int, float] | None = None
        self._waiting = bytearray()
        self._pouring: asyncio.TimerHandle | None = None
        self._high_water = 0
        self._is_full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or let it wait, or lose it."""
        if self.is_frozen or (data[0] == _PONG and self._faults.find("no-pong") is not None):
            return
        if self._slice is None:
            self._transport.write(data)
            return
        self._waiting += data
        if not self._is_full and len(self._waiting) > self._high_water:
            self._is_full = True
            self._protocol.pause_writing()
        if self._pouring is None:
            self._pour()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set from when on the buffer counts as full."""
        self._high_water = high or 0
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait, here and in the transport."""
        return len(self._waiting) + self._transport.get_write_buffer_size()

    def resume_reading(self) -> None:
        """Read on, unless frozen."""
        if not self.is_frozen:
            self._transport.resume_reading()

    def write_eof(self) -> None:
        """End writing after what waits."""
        self.unthrottle()
        self._transport.write_eof()

    def close(self) -> None:
        """Close after what waits."""
        self.unthrottle()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._let_go()
        self._transport.abort()

    def reset(self) -> None:
        """Close at once, and have the other end told that the connection was reset."""
        socket = self._transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _NO_LINGER)
        self.abort()

    def freeze(self) -> None:
        """Neither read nor write any more."""
        self._let_go()
        self.is_frozen = True
        self._transport.pause_reading()

    def throttle(self, size: int, gap_s: float) -> None:
        """From now on write ``size`` bytes at a time, with pauses."""
        self._slice = size, gap_s

    def unthrottle(self) -> None:
        """Write what waits at once, and from now on as it comes."""
        waiting = bytes(self._waiting)
        self._slice = None
        self._let_go()
        if waiting and not self._transport.is_closing():
            self._transport.write(waiting)

    def _let_go(self) -> None:
        if self._pouring is not None:
            self._pouring.cancel()
            self._pouring = None
        self._waiting.clear()
        if self._is_full:
            self._is_full = False
            self._protocol.resume_writing()

    def _pour(self) -> None:
        self._pouring = None
        if self._slice is None or self._transport.is_closing():
            return
        size, gap_s = self._slice
        self._transport.write(bytes(self._waiting[:size]))
        del self._waiting[:size]
        if self._is_full and len(self._waiting) <= self._high_water // 4:
            self._is_full = False
            self._protocol.resume_writing()
        if self._waiting:
            self._pouring = asyncio.get_running_loop().call_later(gap_s, self._pour)
