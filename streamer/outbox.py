"""
One connection's unsent messages, as WebSocket frames ready for the socket.

Replies and notices keep their order and are never dropped. Quotes keep their
order too while the client reads; once it is slow, only the newest quote of
each instrument stays, in the place of the older one (rule M-5), unless every
update was asked for. What the outbox cannot hold is told by ``overflow``.
"""

from __future__ import annotations

from streamer.odin.tags import InstrumentKey

DEFAULT_MAX_BYTES = 16 * 1024 * 1024


def text_frame(payload: bytes) -> bytes:
    """
    Return ``payload`` as one unmasked, final RFC 6455 text frame.

    A server may send the same frame to any number of clients, because only
    clients mask.
    """
    size = len(payload)
    return (_HEADERS[size] if size < len(_HEADERS) else _header(size)) + payload


def _header(size: int) -> bytes:
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big")
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


_HEADERS = tuple(map(_header, range(1024)))
"""Those of quotes."""


class Outbox:
    """
    Frames waiting for one socket.

    Args:
        conflate: Keep only the newest quote of each instrument while slow.
        max_bytes: What may wait while the client is slow. Beyond it
            ``overflow`` is true for good, and nothing more is kept.

    """

    __slots__ = (
        "_latest",
        "conflate",
        "conflated",
        "frames",
        "max_bytes",
        "overflow",
        "size",
        "slow",
    )

    def __init__(self, *, conflate: bool = True, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.conflate = conflate
        self.max_bytes = max_bytes
        self.slow = False
        """Set by the owner of the socket while more is written than the client reads."""
        self.overflow = False
        self.conflated = 0
        """How many quotes gave way to newer ones."""
        self.size = 0
        """Bytes that have come to wait since the client became slow."""
        self.frames: list[bytes] = []
        """What waits. While the client is not slow, frames may be appended without more ado."""
        self._latest: dict[InstrumentKey, int] = {}

    def __bool__(self) -> bool:
        return bool(self.frames)

    def put(self, frame: bytes) -> bool:
        """Queue a reply or a notice; return whether the outbox was empty before."""
        frames = self.frames
        first = not frames
        if self.slow and not self._fits(len(frame)):
            return first
        frames.append(frame)
        return first

    def put_quote(self, key: InstrumentKey, frame: bytes) -> bool:
        """Queue a quote of instrument ``key``; return whether the outbox was empty before."""
        frames = self.frames
        first = not frames
        if self.slow:
            if self.conflate:
                index = self._latest.get(key)
                if index is not None:
                    self.size += len(frame) - len(frames[index])
                    self.conflated += 1
                    frames[index] = frame
                    return first
                self._latest[key] = len(frames)
            if not self._fits(len(frame)):
                return first
        frames.append(frame)
        return first

    def drop_quote(self, key: InstrumentKey) -> None:
        """Forget the waiting quote of ``key``, so that none follows an unsubscribe (rule M-2)."""
        index = self._latest.pop(key, None)
        if index is not None and index < len(self.frames):
            self.size -= len(self.frames[index])
            self.frames[index] = b""

    def seal(self) -> None:
        """Let no later quote take the place of a waiting one: a notice stands between them."""
        self._latest.clear()

    def take(self) -> bytes:
        """Return all that waits, joined in order, and empty the outbox."""
        frames = self.frames
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        if self.size:
            self._latest.clear()
            self.size = 0
        return data

    def _fits(self, size: int) -> bool:
        """Count ``size`` more bytes; past the bound, let go of everything."""
        self.size += size
        if self.size > self.max_bytes:
            self.overflow = True
        if self.overflow:
            self.frames.clear()
            self._latest.clear()
        return not self.overflow
