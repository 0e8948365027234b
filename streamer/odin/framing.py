r"""
Bytes of the feed, in any chunking, to and from inflated bodies and texts.

A *frame* is ``0x05``, five ASCII digits, and a zlib stream of that length. A
client's frame holds one text; a server's holds a *body*: one or more texts,
each behind ``0x02`` and five digits, its length. What the texts say is not
known here.

What we do about bad bytes:

- Where a frame should begin, NULs are skipped (some senders append them) and
  anything else that is no header is a :exc:`FrameError`: no later position is
  certain to be the beginning of a frame, and a wrong price is worse than none.
- A frame that does not inflate, or inflates to more than the limit, is lost
  and counted; the stream goes on at the end that its header gives. If that
  end was wrong, what stands there is no header, and the first rule holds.
- Bytes after the end of a zlib stream, within the frame, are ignored.
- Flag ``0x02`` instead of ``0x05`` says that the frame is not compressed;
  since some senders lie, inflating is tried first.
- A text whose length in the body is wrong is taken only if its own tag 65
  tells where it ends; otherwise it is lost and reported.

Every step consumes bytes; no more than one unfinished frame is kept.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from enum import Enum
from importlib import import_module
from itertools import pairwise
from struct import Struct as Layout
from typing import NamedTuple

from streamer.errors import FrameError, MessageError


def _fast_compress() -> Callable[[bytes, int], bytes] | None:
    """Return what makes zlib streams in a third of zlib's time, where it is installed."""
    try:
        compress: Callable[[bytes, int], bytes] = import_module("isal.isal_zlib").compress
    except ImportError:
        return None
    return compress


FAST_COMPRESS = _fast_compress()

HEADER_BYTES = 6
MAX_STREAM_BYTES = 99_999
"""The most that five digits can count."""

MAX_REQUEST_BYTES = 1 << 20
"""A request that inflates to more is lost."""

MAX_BODY_BYTES = 1 << 20
"""A server's body that inflates to more is lost."""

TARGET_BODY_BYTES = 60 * 1024
"""We write no longer bodies; a known client spreads all bytes into one function call."""

# The tables of zlib's default level take ten times as long to be made as one
# message to be compressed (55 us, 5 us), and make no frame of ours smaller.
_MEM_LEVEL = 5

# Within the least maximum packet of IPv6, less all headers.
_STORED_BYTES = 1_100
# A zlib header without hints at the level, and the header of a final stored block.
_STORED = Layout("<2sBHH")

_COMPRESSED = 5
_PLAIN = 2
_TEXT_MARKS = b"\x02\x05"
_NATIVE_MARK = b"|50="
_TEXT_START = re.compile(rb"[\x02\x05]?(\d{5})?(?=63=F)")
# The five digits of a text, by the length of both together.
_SIZES = {5 + size: b"%05d" % size for size in range(2048)}
_MARKED_START = re.compile(rb"\x02(?:\d{5})?63=F")
_OWN_LENGTH = re.compile(rb"63=[^|]*\|64=\d+\|65=(\d{1,6})\|")


class Dialect(Enum):
    """How a client frames its requests, and which of the known clients it writes like."""

    PLAIN = "plain"
    """The length is that of the zlib stream; the vendor's own clients."""

    PLUS_FOUR = "+4"
    """Four NULs follow the zlib stream and the length counts them; the original streamer."""


_ZLIB_LEVEL = {Dialect.PLAIN: zlib.Z_DEFAULT_COMPRESSION, Dialect.PLUS_FOUR: 7}


def _deflate(data: bytes, level: int) -> bytes:
    if FAST_COMPRESS is not None and level == 1:
        return FAST_COMPRESS(data, level)
    compressor = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, _MEM_LEVEL)
    return compressor.compress(data) + compressor.flush()


def _packed(body: bytes, level: int) -> bytes:
    """
    Return the zlib stream of a body.

    What travels in one packet anyway is stored as it is (RFC 1950, RFC 1951
    3.2.4): that is a hundred bytes more, and a tenth of the work for either end.
    """
    size = len(body)
    if size > _STORED_BYTES:
        return _deflate(body, level)
    return (
        _STORED.pack(b"\x78\x01", 1, size, size ^ 0xFFFF)
        + body
        + zlib.adler32(body).to_bytes(4, "big")
    )


def _inflate(data: bytes, limit: int) -> bytes:
    """
    Return what a zlib stream holds, whatever follows its end.

    Raises:
        zlib.error: If it is damaged, cut short, or holds more than ``limit`` bytes.

    """
    inflater = zlib.decompressobj()
    body = inflater.decompress(data, limit + 1)
    if len(body) > limit:
        raise zlib.error(f"holds more than {limit} bytes")
    if not inflater.eof:
        raise zlib.error("ends before its end mark")
    return body


class _FrameDecoder:
    """Frames out of a stream; the two directions differ in the limit alone."""

    def __init__(self, max_inflated_bytes: int) -> None:
        self._limit = max_inflated_bytes
        self._unparsed = b""
        self._offset = 0
        self._broken: FrameError | None = None
        self.lost_frames = 0
        self.last_problem: MessageError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """
        Return the inflated contents of the frames that ``data`` completes.

        Frames that do not inflate are left out, counted in ``lost_frames``
        and described in ``last_problem``.

        Raises:
            FrameError: If bytes are no frame where one must begin. The
                decoder is of no use afterwards and raises the same again.

        """
        if self._broken is not None:
            raise self._broken
        unparsed = self._unparsed + data if self._unparsed else data
        contents = []
        position = 0
        end = len(unparsed)
        while True:
            while position < end and unparsed[position] == 0:
                position += 1
            header = unparsed[position : position + HEADER_BYTES]
            digits = header[1:]
            if header and (header[0] not in (_COMPRESSED, _PLAIN) or not (digits + b"0").isdigit()):
                self._broken = FrameError(
                    f"found {header!r}, expected 0x05 and five digits",
                    offset=self._offset + position,
                )
                self._unparsed = b""
                raise self._broken
            if len(header) < HEADER_BYTES:
                break
            start = position + HEADER_BYTES
            following = start + int(digits)
            if following > end:
                break
            content = self._open(header[0], unparsed[start:following], position)
            if content is not None:
                contents.append(content)
            position = following
        self._unparsed = unparsed[position:]
        self._offset += position
        return contents

    def _open(self, flag: int, stream: bytes, position: int) -> bytes | None:
        """Return what a frame holds, None (and count it) if that cannot be told."""
        try:
            return _inflate(stream, self._limit)
        except zlib.error as error:
            if flag == _PLAIN and stream and len(stream) <= self._limit:
                return stream
            self.lost_frames += 1
            self.last_problem = MessageError(
                f"lost a frame of {len(stream)} bytes at byte {self._offset + position}"
                f" of the stream: {error}"
            )
            return None

    @property
    def unparsed_bytes(self) -> int:
        """How many bytes wait for the rest of their frame: less than 100,005."""
        return len(self._unparsed)


class RequestDecoder(_FrameDecoder):
    """What clients send, in either dialect: each frame holds the text of one request."""

    def __init__(self) -> None:
        super().__init__(MAX_REQUEST_BYTES)


class ResponseDecoder(_FrameDecoder):
    """What a server sends: each frame holds a body, to be cut by :func:`cut_body`."""

    def __init__(self) -> None:
        super().__init__(MAX_BODY_BYTES)


def _is_whole(text: bytes) -> bool:
    """Tell whether a text's own tag 65 says that nothing of it is missing."""
    own = _OWN_LENGTH.match(text)
    return own is not None and int(own[1]) == len(text)


def cut_body(body: bytes) -> tuple[list[bytes], list[MessageError]]:
    """
    Return the texts of a body, in order, and what is wrong with the rest.

    Texts come without header and without trailing NULs. Where lengths are
    missing a text ends at the next 0x02; with native blocks, which may hold
    that byte, all from there on is lost.
    """
    texts: list[bytes] = []
    if body[:1] == b"\x02" and b"\x00" not in body:
        # Most bodies are as they should be, which is told five times as fast.
        pieces = body[1:].split(b"\x02")
        texts = [piece[5:] for piece in pieces if piece[:5] == _SIZES.get(len(piece))]
        if len(texts) == len(pieces):
            return texts, []
    texts = []
    problems: list[MessageError] = []
    position = 0
    end = len(body)
    while position < end:
        mark = body[position]
        if mark == 0:
            position += 1
            continue
        start = position + HEADER_BYTES
        digits = body[position + 1 : start]
        if mark in _TEXT_MARKS and len(digits) == 5 and digits.isdigit():
            following = start + int(digits)
            if following == end or (following < end and body[following] in b"\x00\x02\x05"):
                text = body[start:following]
                texts.append(text if _NATIVE_MARK in text else text.rstrip(b"\x00"))
                position = following
                continue
        if position < body.rfind(_NATIVE_MARK):
            problems.append(
                MessageError(f"found no length at byte {position} of a body with native blocks")
            )
            break
        _cut_by_marks(body, position, texts, problems)
        break
    return texts, problems


def _cut_by_marks(
    body: bytes, position: int, texts: list[bytes], problems: list[MessageError]
) -> None:
    """Take the texts from ``position`` on, at least one of which has no usable length."""
    end = len(body)
    while position < end:
        beginning = _TEXT_START.match(body, position)
        if beginning is None:
            marked = _MARKED_START.search(body, position)
            following = marked.start() if marked else end
            if body[position:following].strip(b"\x00"):
                problems.append(MessageError(f"found no text at byte {position} of a body"))
            position = following
            continue
        following = body.find(b"\x02", beginning.end())
        following = end if following < 0 else following
        text = body[beginning.end() : following].rstrip(b"\x00")
        if beginning[1] is None or int(beginning[1]) == len(text) or _is_whole(text):
            texts.append(text)
        else:
            problems.append(
                MessageError(f"found a length that does not fit at byte {position} of a body")
            )
        position = following


def split_body(body: bytes) -> list[bytes]:
    """Return the usable texts of a body, in order; see :func:`cut_body` for the others."""
    return cut_body(body)[0]


def encode_request_frame(text: bytes, dialect: Dialect) -> bytes:
    """
    Return one request as a frame.

    Raises:
        ValueError: If it is too long for a frame.

    """
    stream = _deflate(text, _ZLIB_LEVEL[dialect])
    if dialect is Dialect.PLUS_FOUR:
        stream += bytes(4)
    return _frame(stream)


def _frame(stream: bytes) -> bytes:
    if len(stream) > MAX_STREAM_BYTES:
        raise ValueError(f"a frame holds {MAX_STREAM_BYTES} bytes at most, not {len(stream)}")
    return b"\x05%05d%b" % (len(stream), stream)


class Run(NamedTuple):
    """
    Texts of a server that stand side by side as they do in a body, in order.

    Args:
        framed: Holds them, each behind 0x02 and its length.
        marks: Where in ``framed`` each begins, and in the end where the last one ends.

    """

    framed: memoryview
    marks: Sequence[int]

    def texts(self) -> list[bytes]:
        """Return the texts one by one."""
        return [
            bytes(self.framed[start + HEADER_BYTES : end]) for start, end in pairwise(self.marks)
        ]


def encode_queue(queue: Sequence[bytes | Run], batch: int, level: int) -> list[bytes]:
    """
    Return texts and runs of texts as frames, in order, at most ``batch`` texts in each.

    The frames are those of :func:`encode_frames` for each ``batch`` texts one
    by one; a run costs no work for each of its texts.
    """
    frames: list[bytes] = []
    pieces: list[bytes | Run] = []
    held = 0
    for item in queue:
        if not isinstance(item, Run):
            pieces.append(item)
            held += 1
            if held == batch:
                frames += _frames_of(pieces, level)
                pieces, held = [], 0
            continue
        framed, marks = item
        first, count = 0, len(marks) - 1
        while first < count:
            last = min(first + batch - held, count)
            pieces.append(Run(framed, marks[first : last + 1]))
            held += last - first
            first = last
            if held == batch:
                frames += _frames_of(pieces, level)
                pieces, held = [], 0
    return frames + _frames_of(pieces, level)


def _frames_of(pieces: Sequence[bytes | Run], level: int) -> list[bytes]:
    body = b"".join(
        [
            piece.framed[piece.marks[0] : piece.marks[-1]]
            if isinstance(piece, Run)
            else b"\x02%05d%b" % (len(piece), piece)
            for piece in pieces
        ]
    )
    if len(body) <= TARGET_BODY_BYTES:
        return [_frame(_packed(body, level))] if body else []
    texts: list[bytes] = []
    for piece in pieces:
        texts += piece.texts() if isinstance(piece, Run) else [piece]
    return encode_frames(texts, level)


def encode_frames(messages: Sequence[bytes], level: int = 6) -> list[bytes]:
    """
    Return the texts of a server as frames, in order; each frame is one WebSocket message.

    A frame takes as many texts as fit into 60 KiB before compression, a
    longer text travels alone.

    Raises:
        ValueError: If a text is longer than five digits can tell.

    """
    if sum(map(len, messages)) + HEADER_BYTES * len(messages) <= TARGET_BODY_BYTES:
        body = b"".join([b"\x02%05d%b" % (len(text), text) for text in messages])
        return [_frame(_packed(body, level))] if messages else []
    frames = []
    pieces: list[bytes] = []
    size = 0
    for text in messages:
        length = len(text)
        if length > MAX_STREAM_BYTES:
            raise ValueError(f"a text has {MAX_STREAM_BYTES} bytes at most, not {length}")
        if pieces and size + length + HEADER_BYTES > TARGET_BODY_BYTES:
            frames.append(_frame(_packed(b"".join(pieces), level)))
            pieces = []
            size = 0
        pieces.append(b"\x02%05d%b" % (length, text))
        size += length + HEADER_BYTES
    if pieces:
        frames.append(_frame(_packed(b"".join(pieces), level)))
    return frames
