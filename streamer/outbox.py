"""
One connection's unsent messages, as WebSocket frames ready for the socket.

Replies and notices keep their order and are never dropped. Quotes keep their
order too while the client reads; once it is slow, only the newest quote of
each instrument stays, in the place of the older one (rule M-5), unless every
update was asked for. What the outbox cannot hold is told by ``overflow``.
"""

from __future__ import annotations

import zlib

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


def payload_of(frame: bytes) -> bytes:
    """Return what :func:`text_frame` was given."""
    size = frame[1]
    return frame[2 if size < 126 else 4 if size == 126 else 10 :]


def deflated_frame(payload: bytes) -> bytes:
    """
    Return ``payload`` as one text frame compressed by itself (RFC 7692).

    Every client that negotiated permessage-deflate can read it, and so can all
    share it: it needs nothing of the frames before, and no larger a window
    than the smallest that can be agreed on.
    """
    compressor = zlib.compressobj(1, zlib.DEFLATED, -_LEAST_WINDOW_BITS, 7)
    deflated = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    deflated = deflated[: -len(_EMPTY_BLOCK)]
    return _header(len(deflated), b"\xc1") + deflated


def _header(size: int, first: bytes = b"\x81") -> bytes:
    if size < 126:
        return first + size.to_bytes(1, "big")
    if size < 65536:
        return first + b"\x7e" + size.to_bytes(2, "big")
    return first + b"\x7f" + size.to_bytes(8, "big")


_LEAST_WINDOW_BITS = 9
_EMPTY_BLOCK = b"\x00\x00\xff\xff"
"""What ends each flush, and is left out on the wire."""


_HEADERS = tuple(map(_header, range(1024)))
"""Those of quotes."""


class Outbox:
    """
    Frames waiting for one socket.

    Args:
        conflate: Keep only the newest quote of each instrument while slow.
        max_bytes: What may wait while the client is slow. Beyond it
            ``overflow`` is true for good, and nothing more is kept.
        deflates: The client negotiated permessage-deflate: quotes are to be
            compressed for it.

    """

    __slots__ = (
        "_latest",
        "_slow",
        "conflate",
        "conflated",
        "deflates",
        "frames",
        "is_direct",
        "max_bytes",
        "overflow",
        "size",
    )

    def __init__(
        self,
        *,
        conflate: bool = True,
        max_bytes: int = DEFAULT_MAX_BYTES,
        deflates: bool = False,
    ) -> None:
        self.conflate = conflate
        self.max_bytes = max_bytes
        self.deflates = deflates
        self.slow = False
        self.overflow = False
        self.conflated = 0
        """How many quotes gave way to newer ones."""
        self.size = 0
        """Bytes that have come to wait since the client became slow."""
        self.frames: list[bytes] = []
        """What waits. While ``is_direct`` holds, plain frames may be appended without more ado."""
        self._latest: dict[InstrumentKey, int] = {}

    @property
    def slow(self) -> bool:
        """Set by the owner of the socket while more is written than the client reads."""
        return self._slow

    @slow.setter
    def slow(self, is_slow: bool) -> None:
        self._slow = is_slow
        self.is_direct = not is_slow and not self.deflates

    def __bool__(self) -> bool:
        return bool(self.frames)

    def put(self, frame: bytes) -> bool:
        """Queue a reply or a notice; return whether the outbox was empty before."""
        frames = self.frames
        first = not frames
        if self._slow and not self._fits(len(frame)):
            return first
        frames.append(frame)
        return first

    def put_quote(self, key: InstrumentKey, frame: bytes) -> bool:
        """Queue a quote of instrument ``key``; return whether the outbox was empty before."""
        frames = self.frames
        first = not frames
        if self._slow:
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

    def take(self) -> list[bytes]:
        """Return all that waits, in order, and empty the outbox."""
        frames, self.frames = self.frames, []
        if self.size:
            self._latest.clear()
            self.size = 0
        return frames

    def _fits(self, size: int) -> bool:
        """Count ``size`` more bytes; past the bound, let go of everything."""
        self.size += size
        if self.size > self.max_bytes:
            self.overflow = True
        if self.overflow:
            self.frames.clear()
            self._latest.clear()
        return not self.overflow
