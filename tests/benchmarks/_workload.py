"""
What is fanned out: made-up instruments, their updates turn by turn, and what clients must get.

A turn is what one frame of the feed brings: ``burst`` updates of as many
instruments. With as many instruments as the burst, each turn brings one update
of each, and the ``seq`` of a message is the number of its turn; with more, the
instruments take turns.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec

from streamer.clock import FeedClock
from streamer.connection import HubSettings
from streamer.hub import Hub
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import ist_ns
from streamer.loading import trading_calendar
from streamer.odin.connection import ClientConnection
from streamer.odin.framing import encode_frames
from streamer.odin.messages import LogonAnswer, Touchline, encode_logon_answer
from streamer.odin.tags import LOGON_ACCEPTED

FIRST_TOKEN = 900_001
PRICES = 16
"""An instrument's updates go through this many prices, over and over."""

MOMENT = ist_ns(date(2025, 9, 4), "10:00")
SEED = 1


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """
    Who gets what, how much at once, and for how long.

    Args:
        clients: How many, all connected before it begins.
        burst: Updates a turn.
        instruments: How many there are.
        subscribed: How many each client asks for; the same for all if that is all.
        seconds: How long is sent.
        turns_per_s: 0 is as fast as it goes.

    """

    clients: int
    burst: int
    instruments: int
    subscribed: int
    seconds: float = 1.0
    turns_per_s: float = 0.0
    max_turns: int = 1_000_000
    lossless: bool = True

    @property
    def is_same_for_all(self) -> bool:
        """Whether every client gets every message."""
        return self.subscribed == self.instruments

    def symbols(self, client: int) -> list[str]:
        """Return what a client asks for."""
        numbers: Iterable[int] = range(self.instruments)
        if not self.is_same_for_all:
            numbers = random.Random(SEED + client).sample(range(self.instruments), self.subscribed)
        return [symbol(number) for number in numbers]

    def turn_numbers(self, turn: int) -> list[int]:
        """Return which instruments a turn updates, in order; turns begin with 1."""
        first = (turn - 1) * self.burst
        return [(first + i) % self.instruments for i in range(self.burst)]


def symbol(number: int) -> str:
    """Return what an instrument is called."""
    return f"MADEUP{number}"


def price(number: int, seq: int) -> int:
    """Return in paise what an instrument costs at its update ``seq``."""
    return 100_000 + number * 100 + seq % PRICES * 5


def instruments(count: int) -> list[Instrument]:
    """Return made-up instruments."""
    return [
        Instrument(segment=1, token=FIRST_TOKEN + i, symbol=symbol(i), exchange="NSE", series="EQ")
        for i in range(count)
    ]


def touchline(number: int, seq: int) -> Touchline:
    """Return one update as the feed's reader hands it on."""
    ltp = price(number, seq)
    return Touchline(
        segment=1, token=FIRST_TOKEN + number, ltp=ltp, ltq=25, volume=1_843_302, atp=100_210,
        bid_qty=120, bid=ltp - 5, ask_qty=75, ask=ltp + 5, total_buy=482_120, total_sell=391_245,
        open=100_000 + number * 100, high=101_550 + number * 100, low=99_850 + number * 100,
        close=99_905 + number * 100, ltt=MOMENT, lut=MOMENT, high_52=132_300 + number * 100,
        low_52=81_110 + number * 100, sent=MOMENT,
    )  # fmt: skip


def reader() -> ClientConnection:
    """Return the adapter's reader of the feed, logged on, as the server uses it."""
    odin = ClientConnection("BENCHMARK", ticks=True)
    odin.logon(MOMENT)
    answer = encode_logon_answer(LogonAnswer(status=LOGON_ACCEPTED, simulated=True), MOMENT)
    for frame in encode_frames([answer]):
        odin.receive(frame)
    return odin


def new_hub(workload: Workload, **settings: object) -> Hub:
    """Return a hub of these instruments, with the market open."""
    hub = Hub(
        instruments=InstrumentTable(instruments(workload.instruments)),
        calendar=trading_calendar(None),
        clock=FeedClock(),
        epoch="benchmark",
        records=[],
        settings=HubSettings(lossless=workload.lossless, **settings),  # type: ignore[arg-type]
        now=0,
    )
    hub.feed([LogonAnswer(status=LOGON_ACCEPTED, simulated=True, sent=MOMENT)], 0)
    return hub


def write_heads(path: Path, count: int) -> int:
    """Write the product's own message of each instrument up to its ``seq``; return their size."""
    workload = Workload(clients=1, burst=1, instruments=count, subscribed=count)
    hub = new_hub(workload)
    connection = hub.connect("heads", 0)
    request = {"type": "request", "action": "subscribe", "stocks": workload.symbols(0)}
    hub.receive(connection, json.dumps(request), 0)
    connection.outbox.take()
    lines = []
    for number in range(count):
        hub.feed([touchline(number, 1)], 0)
        frame = b"".join(connection.outbox.take())
        head, mark, _ = frame[frame.index(b"{") :].rpartition(b'"seq":')
        lines.append(head + mark)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return len(lines[0]) + 6


def check_transcript(path: Path, workload: Workload, turns: int, *, told: bool) -> int:
    """
    Look through what one client got; return how many messages that was.

    Args:
        path: One message a line, of client 0.
        workload: What was sent.
        turns: How many turns.
        told: Whether prices are the ones of each update (peers repeat one message).

    Raises:
        SystemExit: If one is missing, too many, out of order, or wrong.

    """
    wanted = set(workload.symbols(0))
    seqs = [0] * workload.instruments
    expected = []
    for turn in range(1, turns + 1):
        for number in workload.turn_numbers(turn):
            seqs[number] += 1
            if symbol(number) in wanted:
                expected.append((number, seqs[number]))
    with path.open("rb") as lines:
        found = 0
        for line in lines:
            message = msgspec.json.decode(line)
            if found >= len(expected):
                raise SystemExit(f"the sample client got more than {len(expected):,} messages")
            number, seq = expected[found]
            what = (message["symbol"], message["seq"])
            if what != (symbol(number), seq):
                raise SystemExit(
                    f"message {found:,} of the sample client is {what}; expected "
                    f"{(symbol(number), seq)}"
                )
            if told and round(message["data"]["ltp"] * 100) != price(number, seq):
                raise SystemExit(f"message {found:,} of the sample client has a wrong price")
            found += 1
    if found != len(expected):
        raise SystemExit(f"the sample client got {found:,} of {len(expected):,} messages")
    return found


def check_newest(path: Path, newest: Mapping[str, int]) -> int:
    """
    Look through what a client got that did not read for a while; return how many messages.

    Raises:
        SystemExit: If an instrument goes back, or does not end with its newest update.

    """
    last: dict[str, int] = {}
    found = 0
    with path.open("rb") as lines:
        for line in lines:
            message = msgspec.json.decode(line)
            name, seq = message["symbol"], message["seq"]
            if seq <= last.get(name, 0):
                raise SystemExit(f"{name} goes from update {last[name]} back to {seq}")
            last[name] = seq
            found += 1
    if last != dict(newest):
        raise SystemExit("a client that reads again did not get the newest of each instrument")
    return found


def requests(workload: Workload, *, delivery: str | None = None) -> Sequence[str]:
    """Return what each client sends, one line each; one for all if they want the same."""
    clients = 1 if workload.is_same_for_all else workload.clients
    more = {} if delivery is None else {"delivery": delivery}
    return [
        json.dumps(
            {"type": "request", "action": "subscribe", "stocks": workload.symbols(client), **more}
        )
        for client in range(clients)
    ]
