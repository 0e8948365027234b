"""
A client of the ODIN feed, as small as the reference server needs it.

Logs on, subscribes touchlines in text, and hands on what the feed says as
fields by tag. Unreadable frames and texts are skipped; docs/odin-feed.md tells
what they look like.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.conformance.reference.breaks import broken
from tests.conformance.reference.hours import IST, SECOND

Fields = dict[str, str]

LOGON, LOGON_ANSWER, LOGOFF, CLOSING = "101", "102", "109", "1111"
SUBSCRIBE, TOUCHLINE, HEARTBEAT = "206", "209", "350"
CODE, SENT = "64", "66"
ACCEPTED: Final = ("10000", "10004")

MAX_FRAME: Final = 1 << 23
MAX_BODY: Final = 1 << 20
MUTE_AFTER_S: Final = 30.0
REDIAL_AFTER_S: Final = 0.25
AT_ONCE: Final = 50

_TIME_FORMS: Final = (
    (re.compile(r"\d{8} \d{6}"), "%d%m%Y %H%M%S"),
    (re.compile(r"\d{4}-\d\d-\d\d \d{6}"), "%Y-%m-%d %H%M%S"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "%Y-%m-%d %H:%M:%S"),
)


def encode(text: str) -> bytes:
    """Return one request as the frame that holds it."""
    packed = zlib.compress(text.encode("ascii"))
    return b"\x05%05d" % len(packed) + packed


def parse(text: str) -> Fields:
    """Return the fields of one text by tag; the first of two with the same tag counts."""
    fields: Fields = {}
    for field in text.split("|"):
        tag, found, value = field.partition("=")
        if found:
            fields.setdefault(tag, value)
    return fields


@lru_cache(maxsize=4096)
def read_time(text: str) -> int:
    """Return a time of the feed in UNIX nanoseconds, 0 if it is unknown."""
    for form, code in _TIME_FORMS:
        if form.fullmatch(text):
            try:
                told = datetime.strptime(text, code).replace(tzinfo=IST)
            except ValueError:
                return 0
            return max(0, round(told.timestamp())) * SECOND
    return 0


class Reader:
    """Bytes of the feed in, texts out; keeps what is no whole frame yet."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self, data: bytes) -> list[str]:
        """
        Return the texts that ``data`` completes.

        Raises:
            ValueError: If no frame begins where one should.

        """
        texts: list[str] = []
        self._rest = (self._rest + data).lstrip(b"\0")
        while len(self._rest) >= 6:
            if self._rest[0] not in (2, 5):
                raise ValueError(f"no frame begins with {self._rest[:6]!r}")
            end = 6 + int(self._rest[1:6])
            if len(self._rest) < end:
                break
            packed, self._rest = self._rest[6:end], self._rest[end:].lstrip(b"\0")
            try:
                body = zlib.decompressobj().decompress(packed, MAX_BODY)
            except zlib.error:
                continue
            texts += _split(body)
        return texts


def _split(body: bytes) -> Iterable[str]:
    while body[:1] == b"\x02" and body[1:6].isdigit():
        end = 6 + int(body[1:6])
        if end > len(body):
            return
        yield body[6:end].rstrip(b"\0").decode("ascii", "replace")
        body = body[end:]


async def follow(
    url: str,
    keys: Iterable[tuple[int, int]],
    on_state: Callable[[str], None],
    on_texts: Callable[[list[Fields]], None],
) -> None:
    """
    Stay with a feed for ever: dial, log on, subscribe, read, and dial again.

    Args:
        url: Where the feed is.
        keys: Market segment and token of all that is subscribed.
        on_state: Told ``connecting``, ``connected``, ``stale`` and ``down``.
        on_texts: Told what each message of the feed holds, in order.

    """
    wanted = [f"1={segment}$7={token}" for segment, token in keys]
    lists = ["|".join(wanted[at : at + AT_ONCE]) for at in range(0, len(wanted), AT_ONCE)]
    head = f"63=FT3.0|64={SUBSCRIBE}|65=84|66=09:00:00|200=0"
    requests = [encode(f"{head}|{part}|230=1") for part in lists]
    is_first = True
    while is_first or not broken("feed-never-redialled"):
        on_state("connecting")
        try:
            async with connect(url, proxy=None, compression=None, max_size=MAX_FRAME) as socket:
                await socket.send(encode(f"63=FT3.0|64={LOGON}|65=74|66=09:00:00|67=ODIN|68="))
                reader = Reader()
                while True:
                    async with asyncio.timeout(MUTE_AFTER_S):
                        data = await socket.recv()
                    texts = reader.read(data if isinstance(data, bytes) else data.encode())
                    told = [parse(text) for text in texts]
                    on_texts(told)
                    codes = {fields.get(CODE) for fields in told}
                    if any(fields.get("70") in ACCEPTED for fields in told):
                        on_state("connected")
                        if is_first or not broken("feed-not-asked-again"):
                            for request in requests:
                                await socket.send(request)
                        is_first = False
                    if codes & {LOGOFF, CLOSING}:
                        break
        except TimeoutError:
            on_state("stale")
        except (OSError, ValueError, WebSocketException):
            pass
        on_state("down")
        await asyncio.sleep(REDIAL_AFTER_S)
