"""
What faults make of updates and of frames: values in, values out.

What becomes of the n-th update follows from the seed, the fault and n alone,
so a run with faults gives the same stream at every speed. Native blocks are
left as they are: faults of a message are about texts.
"""

from __future__ import annotations

import random
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from simulator.faults import Layer, Planned
from simulator.updates import Update
from streamer.odin.fields import sized
from streamer.odin.framing import HEADER_BYTES, encode_frames
from streamer.odin.messages import Touchline, encode_heartbeat
from streamer.odin.tags import InstrumentKey, Tag
from streamer.odin.times import parse_stamp, stamp

__all__ = ["SentUpdate", "Spoiler", "Spoilt", "spoilt_frame", "with_fields"]

MAX_HELD = 50_000
"""A burst is sent early if it holds so many updates."""

_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS
_NATIVE_MARK = b"|50="
_TIMES = (Tag.LTT, Tag.LUT)

Edit = Callable[[bytes], bytes | None]
"""What becomes of a field's value; None takes the field away."""


class Spoilt:
    """An update as a fault tells it; its ``key`` is who gets it, whatever its texts say."""

    __slots__ = ("_edits", "_extra", "_update", "faults", "key", "ltp", "native", "ts")

    def __init__(
        self,
        update: SentUpdate,
        fault: str,
        edits: dict[int, Edit] | None = None,
        extra: bytes = b"",
    ) -> None:
        self.ts: int = update.ts
        self.key: InstrumentKey = update.key
        self.ltp: int = update.ltp
        self.native: bytes = update.native
        self.faults: tuple[str, ...] = (*faults_of(update), fault)
        """The names of what was done to it."""
        self._update = update
        self._edits = edits or {}
        self._extra = extra

    @property
    def touchline(self) -> Touchline:
        """The instrument's day so far, as it was before any fault."""
        return self._update.touchline

    @property
    def text(self) -> bytes:
        """The touchline as text (209)."""
        return with_fields(self._update.text, self._edits, self._extra)

    @property
    def ltp_text(self) -> bytes:
        """The LTP touchline (348)."""
        return with_fields(self._update.ltp_text, self._edits, self._extra)

    @property
    def best_five(self) -> bytes:
        """The best five (128)."""
        return with_fields(self._update.best_five, self._edits, self._extra)


SentUpdate = Update | Spoilt


def faults_of(update: SentUpdate) -> tuple[str, ...]:
    """Return the names of the faults that made an update what it is."""
    return update.faults if isinstance(update, Spoilt) else ()


def with_fields(text: bytes, edits: dict[int, Edit], extra: bytes = b"") -> bytes:
    """Return a server's text with some fields edited and one added; its length is told right."""
    if _NATIVE_MARK in text:
        return text
    fields = []
    for field in text.split(b"|"):
        tag, _, value = field.partition(b"=")
        edit = edits.get(int(tag)) if tag.isdigit() else None
        if edit is not None:
            edited = edit(value)
            if edited is None:
                continue
            field = b"%b=%b" % (tag, edited)
        fields.append(field)
    if extra:
        fields.append(extra)
    head, rest = b"|".join(fields[:2]).decode(), b"|".join(fields[3:]).decode()
    return sized(f"{head}|65=", f"|{rest}").encode()


class Spoiler:
    """
    Does to updates what faults of messages, and some of sessions, do.

    Args:
        seed: Chooses what is random.
        on_lost: Told each update that is never sent, and the fault's name.

    """

    def __init__(self, seed: int, on_lost: Callable[[SentUpdate, str], None] | None = None) -> None:
        self._seed = seed
        self._on_lost = on_lost or (lambda update, fault: None)
        self._active: list[tuple[int, Planned]] = []
        self._count = 0
        self._held: dict[int, list[SentUpdate]] = {}
        self._earlier: dict[tuple[int, InstrumentKey], deque[SentUpdate]] = {}

    def turn_to(self, running: Iterable[tuple[int, Planned]]) -> list[SentUpdate]:
        """
        Come to a new second, or to other faults in it; return what was held until now.

        Args:
            running: Numbered faults of any layer, in the order in which they
                are applied. A number stands for the same fault as long as it
                runs.

        """
        released: list[SentUpdate] = []
        was_active = self._active
        self._active = [
            (number, each)
            for number, each in running
            if each.fault.layer is Layer.MESSAGE or each.fault.name in ("mute", "burst")
        ]
        for number, fault in was_active:
            has_ended = (number, fault) not in self._active
            if fault.fault.name == "burst" and not has_ended:
                continue
            held = self._held.pop(number, [])
            released += self._shuffled(held) if fault.fault.name == "reorder" else held
            if has_ended:
                for key in [each for each in self._earlier if each[0] == number]:
                    del self._earlier[key]
        return released

    def release(self) -> list[SentUpdate]:
        """Return everything that is still held: the stream ends."""
        held = [update for updates in self._held.values() for update in updates]
        self._held.clear()
        return held

    def pass_over(self, count: int) -> None:
        """Count updates that nothing is done to: no fault is on."""
        self._count += count

    def spoil(self, updates: Sequence[Update]) -> Sequence[SentUpdate]:
        """Return what is sent in place of updates, in order."""
        if not self._active:
            self._count += len(updates)
            return updates
        sent: list[SentUpdate] = []
        for update in updates:
            self._count += 1
            items: list[SentUpdate] = [update]
            for number, fault in self._active:
                items = [made for item in items for made in self._apply(number, fault, item)]
            sent += items
        return sent

    def _apply(self, number: int, planned: Planned, update: SentUpdate) -> list[SentUpdate]:
        name = planned.fault.name
        if name == "mute":
            self._on_lost(update, name)
            return []
        if name == "burst":
            return self._hold(number, update, MAX_HELD, shuffle=False)
        if planned.options["share"] < 1:
            chance = random.Random(f"{self._seed}:{number}:{name}:{self._count}").random()
            if chance >= planned.options["share"]:
                return [update]
        match name:
            case "drop":
                self._on_lost(update, name)
                return []
            case "duplicate":
                copies = [Spoilt(update, name) for _ in range(planned.value("copies"))]
                return [update, *copies]
            case "reorder":
                return self._hold(number, update, planned.value("window"), shuffle=True)
            case "volume-falling":
                return [self._with_earlier_volume(number, planned, update)]
            case "unknown-tag":
                return [Spoilt(update, name, extra=b"%d=x" % planned.value("tag"))]
        return [Spoilt(update, name, _edits_of(planned))]

    def _hold(
        self, number: int, update: SentUpdate, most: int, *, shuffle: bool
    ) -> list[SentUpdate]:
        held = self._held.setdefault(number, [])
        held.append(update)
        if len(held) < most:
            return []
        del self._held[number]
        return self._shuffled(held) if shuffle else held

    def _shuffled(self, held: list[SentUpdate]) -> list[SentUpdate]:
        shuffled = list(held)
        random.Random(f"{self._seed}:reorder:{self._count}").shuffle(shuffled)
        return [
            was if was is now else Spoilt(now, "reorder")
            for was, now in zip(held, shuffled, strict=True)
        ]

    def _with_earlier_volume(self, number: int, planned: Planned, update: SentUpdate) -> SentUpdate:
        back = planned.value("back")
        earlier = self._earlier.setdefault((number, update.key), deque(maxlen=back + 1))
        earlier.append(update)
        if len(earlier) <= back:
            return update
        old = _values(earlier[0].text, (Tag.LTP, Tag.VOLUME))
        edits: dict[int, Edit] = {tag: _always(value) for tag, value in old.items()}
        return Spoilt(update, planned.fault.name, edits)


def _values(text: bytes, tags: Sequence[int]) -> dict[int, bytes]:
    pairs = (field.partition(b"=") for field in text.split(b"|"))
    return {int(tag): value for tag, _, value in pairs if tag.isdigit() and int(tag) in tags}


def _always(value: bytes | None) -> Edit:
    return lambda _: value


def _moved(by_ns: int) -> Edit:
    def move(value: bytes) -> bytes:
        time = parse_stamp(value)
        return stamp(time + by_ns).encode() if time else value

    return move


def _edits_of(planned: Planned) -> dict[int, Edit]:
    match planned.fault.name:
        case "missing-tag":
            return {planned.value("tag"): _always(None)}
        case "non-numeric":
            return {planned.value("tag"): _always(b"abc")}
        case "zero-price":
            return {Tag.LTP: _always(b"0")}
        case "negative-price":
            return {Tag.LTP: lambda value: b"-" + value}
        case "unknown-token":
            return {Tag.TOKEN: _always(b"%d" % planned.value("token"))}
        case "stale-time":
            return dict.fromkeys(_TIMES, _moved(-planned.value("by") * _SECOND_NS))
        case "time-ahead":
            return dict.fromkeys(_TIMES, _moved(planned.value("by") * _SECOND_NS))
        case "date-change":
            return dict.fromkeys(_TIMES, _moved(planned.value("days") * _DAY_NS))
        case name:
            raise ValueError(f"{name} is no fault of a message's fields")


def spoilt_frame(planned: Planned, frame: bytes, second: int, chance: random.Random) -> list[bytes]:
    """
    Return the WebSocket messages that a fault of frames sends in place of a frame.

    Args:
        planned: A fault of the layer ``frame``.
        frame: A whole frame.
        second: The feed's time.
        chance: The source of what is random.

    """
    if chance.random() >= planned.options["share"]:
        return [frame]
    stream = frame[HEADER_BYTES:]
    match planned.fault.name:
        case "bad-header":
            return [bytes([planned.value("byte")]) + frame[1:]]
        case "wrong-length":
            counted = max(len(stream) - planned.value("short"), 1)
            return [b"\x05%05d%b" % (counted, stream)]
        case "truncated-zlib":
            left = stream[: max(len(stream) - planned.value("cut"), 1)]
            return [b"\x05%05d%b" % (len(left), left)]
        case "corrupt-zlib":
            return [frame[:HEADER_BYTES] + _corrupted(stream, chance)]
        case "split-frame":
            size = -(-len(frame) // planned.value("pieces"))
            return [frame[start : start + size] for start in range(0, len(frame), size)]
        case "joined-frames":
            return [encode_frames([encode_heartbeat(second)])[0] + frame]
        case "trailing-nuls":
            return [frame + bytes(planned.value("count"))]
        case name:
            raise ValueError(f"{name} is no fault of frames")


def _corrupted(stream: bytes, chance: random.Random) -> bytes:
    """Return a zlib stream that does not inflate, of the same length."""
    while True:
        damaged = bytearray(stream)
        for _ in range(3):
            damaged[chance.randrange(2, len(damaged))] ^= 1 << chance.randrange(8)
        try:
            zlib.decompress(bytes(damaged))
        except zlib.error:
            return bytes(damaged)
