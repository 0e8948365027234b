"""
How fast the adapter reads the feed's wire.

Updates of 3,000 instruments are framed as the feed server frames them, so many
to a frame, and the adapter's own reader takes frame after frame: framing,
decompression, texts, and the ticks that the hub takes. Then the same with the
hub behind it, nobody subscribing. Beside it stands what is written first: each
text cut into a dictionary. Texts in another order of tags, which any feed may
send, are read in another way, which is shown; so are the feed's native blocks.
What comes out is compared with what went in.

Then the way of an update through the server, step by step: each step is what it
takes longer than the one before. The last one makes a message for every update.
Where parts are compiled the same is shown beside it with Python code in their place.

It does not show sockets (``replay``, ``fanout``).
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from streamer.native import SWITCH, in_use
from streamer.odin import framing
from streamer.odin.framing import encode_frames
from streamer.odin.messages import Tick
from streamer.odin.touchline import encode_native, encode_touchline
from tests.benchmarks._command import Answer, parser, run
from tests.benchmarks._workload import MOMENT, Workload, new_hub, reader, touchline

INSTRUMENTS = 3_000
PER_FRAME = (1, 8, 32, 128)
LEVEL = 1
"""Of compression; the feed's own when it plays as fast as it goes."""

OURS, HUB, CUT = "reader", "reader and hub", "cut into dictionaries"
SWAPPED, NATIVE = "reader, another order of tags", "reader, native blocks"

Frames = Sequence[bytes]


def frames_of(texts: Sequence[bytes], each: int) -> Frames:
    """Return the texts as frames of so many."""
    found: list[bytes] = []
    for first in range(0, len(texts), each):
        found += encode_frames(texts[first : first + each], LEVEL)
    return found


def swapped(text: bytes) -> bytes:
    """Return a touchline with two neighbours changed, as long as before."""
    head, mark, rest = text.partition(b"|77=")
    high, _, rest = rest.partition(b"|78=")
    low, bar, rest = rest.partition(b"|")
    return b"%b|78=%b%b%b|%b" % (head, low, mark, high, rest) if bar else text


def ticks_of(messages: Iterable[Any]) -> list[Tick]:
    """Return the ticks among what a reader gives, one by one."""
    return [tick for message in messages for tick in getattr(message, "ticks", (message,))]


def read(frames: Frames) -> int:
    """Let the adapter read; return how many ticks come."""
    odin = reader()
    return sum(len(ticks_of(odin.receive(frame))) for frame in frames)


def read_for_hub(frames: Frames) -> int:
    """Let the adapter read and the hub take it; return how many updates it has taken."""
    workload = Workload(clients=0, burst=1, instruments=INSTRUMENTS, subscribed=INSTRUMENTS)
    hub, odin = new_hub(workload), reader()
    for frame in frames:
        hub.feed(odin.receive(frame), 0)
    return hub.updates


def cut(frames: Frames) -> int:
    """Cut each text into a dictionary, and keep each instrument's state; return how many."""
    states: dict[str, dict[str, str]] = {}
    found = 0
    for frame in frames:
        body = zlib.decompress(frame[6:])
        start = 0
        while start < len(body):
            size = int(body[start + 1 : start + 6])
            text = body[start + 6 : start + 6 + size].decode()
            fields = dict(field.split("=", 1) for field in text.split("|"))
            states.setdefault(fields["7"], {}).update(fields)
            found += 1
            start += 6 + size
    return found


def check(frames: Frames, count: int) -> None:
    """
    Compare what is read with what was written.

    Raises:
        SystemExit: If a message is missing or another.

    """
    odin = reader()
    messages = [tick for frame in frames for tick in ticks_of(odin.receive(frame))]
    if len(messages) != count or odin.unusable:
        raise SystemExit(f"{count:,} messages were written, {len(messages):,} read")
    for number, message in enumerate(messages):
        wanted = touchline(number % INSTRUMENTS, number // INSTRUMENTS + 1)
        if (message.key, message.ltp) != (wanted.key, wanted.ltp):
            raise SystemExit(f"message {number:,} is read as {message}; expected {wanted}")


def measure(rounds: int, updates: int) -> dict[str, dict[str, float]]:
    """Return messages a second of each way, by the messages of a frame; the ways take turns."""
    lines = [touchline(n % INSTRUMENTS, n // INSTRUMENTS + 1) for n in range(updates)]
    texts = [encode_touchline(line, MOMENT) for line in lines]
    others = [swapped(text) for text in texts]
    native = [encode_native(line, MOMENT) for line in lines]
    found: dict[str, dict[str, float]] = {}
    for each in PER_FRAME:
        frames = frames_of(texts, each)
        other_frames, native_frames = frames_of(others, each), frames_of(native, each)
        for checked in (frames, other_frames, native_frames):
            check(checked, updates)
        ways: dict[str, tuple[Callable[[Frames], int], Frames]] = {
            OURS: (read, frames),
            HUB: (read_for_hub, frames),
            SWAPPED: (read, other_frames),
            NATIVE: (read, native_frames),
            CUT: (cut, frames),
        }
        runs: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds):
            order = list(ways)
            random.Random(number).shuffle(order)
            for name in order:
                act, given = ways[name]
                began = time.process_time()
                if act(given) != updates:
                    raise SystemExit(f"{name}: not every message was read")
                runs[name].append(updates / (time.process_time() - began))
        found[str(each)] = {name: statistics.median(rates) for name, rates in runs.items()}
    return found


def steps(rounds: int, updates: int) -> dict[str, float]:
    """Return the microseconds of each step of an update's way through the server."""
    texts = [
        encode_touchline(touchline(n % INSTRUMENTS, n // INSTRUMENTS + 1), MOMENT)
        for n in range(updates)
    ]
    frames = frames_of(texts, PER_FRAME[-1])

    def inflate() -> float:
        decoder = framing.ResponseDecoder()
        return _seconds(lambda: [decoder.feed(frame) for frame in frames])

    def take(*, makes_messages: bool) -> float:
        workload = Workload(clients=0, burst=1, instruments=INSTRUMENTS, subscribed=INSTRUMENTS)
        hub, odin = new_hub(workload, max_subscriptions=INSTRUMENTS), reader()
        connection = hub.connect("all", 0)
        request = {"type": "request", "action": "subscribe", "stocks": workload.symbols(0)}
        hub.receive(connection, json.dumps(request), 0)
        if not makes_messages:
            hub.disconnect(connection, 0)
        connection.outbox.take()

        def take_all() -> None:
            for frame in frames:
                hub.feed(odin.receive(frame), 0)
                connection.outbox.take()

        taken_s = _seconds(take_all)
        if hub.delivered != (updates if makes_messages else 0):
            raise SystemExit(f"{hub.delivered:,} messages were made of {updates:,} updates")
        return taken_s

    ways: dict[str, Callable[[], float]] = {
        "inflated": inflate,
        "read, as ticks": lambda: _seconds(lambda: read(frames)),
        "taken by the hub": lambda: take(makes_messages=False),
        "made a message and a frame": lambda: take(makes_messages=True),
    }
    found: dict[str, float] = {}
    before = 0.0
    for name, act in ways.items():
        whole = statistics.median(act() for _ in range(rounds)) / updates * 1e6
        found[name], before = whole - before, whole
    return found


def plain_steps(rounds: int, updates: int) -> dict[str, float]:
    """Return what :func:`steps` does of a process in which nothing compiled runs."""
    code = (
        "import json; from tests.benchmarks.ingest import steps; "
        f"print(json.dumps(steps({rounds}, {updates})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, SWITCH: "0"},
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def _seconds(act: Callable[[], object]) -> float:
    """Return what processor time something takes."""
    began = time.process_time()
    act()
    return time.process_time() - began


def compress_rates(updates: int) -> dict[str, float]:
    """Return frames of 32 messages a second that each installed compressor makes."""
    texts = [encode_touchline(touchline(n, 1), MOMENT) for n in range(min(updates, INSTRUMENTS))]
    found: dict[str, float] = {}
    installed = framing.FAST_COMPRESS
    for name, fast in (("zlib", None), ("isal", installed)):
        if name == "isal" and installed is None:
            continue
        framing.FAST_COMPRESS = fast
        try:
            began = time.process_time()
            for _ in range(5):
                frames_of(texts, 32)
            found[name] = 5 * len(texts) / (time.process_time() - began)
        finally:
            framing.FAST_COMPRESS = installed
    return found


def show(answer: Answer) -> None:
    """Print the tables."""
    rates: dict[str, dict[str, float]] = answer["messages_per_s"]
    print(f"\n{'messages a core-second, by messages a frame':<44}", end="")
    print("".join(f"{each:>11}" for each in rates))
    for name in next(iter(rates.values())):
        print(f"{name:<44}" + "".join(f"{row[name]:>11,.0f}" for row in rates.values()))
    print(f"\nof an update in a frame of {PER_FRAME[-1]}, microseconds of a core")
    plain: dict[str, float] = answer["plain_steps_us"]
    print(f"{'':<44}{'as it runs':>11}" + f"{'plain':>11}" * bool(plain))
    for name, us in answer["steps_us"].items():
        print(f"{name:<44}{us:>11.2f}" + (f"{plain[name]:>11.2f}" if plain else ""))
    print("\nwritten in frames of 32, messages a core-second")
    for name, rate in answer["written_per_s"].items():
        print(f"{name:<44}{rate:>11,.0f}")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options = parser("ingest", __doc__).parse_args(arguments)
    updates = INSTRUMENTS * (2 if options.quick else 20)

    def measure_all() -> dict[str, Any]:
        return {
            "messages_per_s": measure(options.rounds, updates),
            "steps_us": steps(options.rounds, updates),
            "plain_steps_us": plain_steps(options.rounds, updates) if in_use() else {},
            "written_per_s": compress_rates(updates),
            "goals": [],
        }

    told = {"updates": updates, "instruments": INSTRUMENTS, "rounds": options.rounds}
    return run(options, told, measure_all, show)
