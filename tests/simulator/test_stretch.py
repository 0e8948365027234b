from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection as Socket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator.feed import FeedServer
from simulator.programme import Programme
from simulator.replay import Replay
from simulator.sockets import open_listener
from simulator.stretch import Stretch
from simulator.updates import Update
from streamer.odin.connection import ClientConnection
from streamer.odin.messages import Heartbeat
from streamer.odin.tags import InstrumentKey
from tests.simulator.feed_client import DEADLINE_S
from tests.simulator.parquet_files import opened, write
from tests.simulator.recording_strategies import FullRow, columns_of, tapes
from tests.simulator.tapes import OPEN, Row, open_tape

FOREVER = 2**62
TOKENS = (2885, 3045, 1594)
KEYS = tuple((1, token) for token in TOKENS)

some_keys = st.sets(st.sampled_from(KEYS))
some_rows = st.lists(
    st.tuples(st.integers(0, 3000), st.sampled_from(TOKENS), st.integers(1, 5)),
    min_size=1,
    max_size=300,
)


def said(update: Update) -> tuple[int, InstrumentKey, int, bytes, bytes, bytes]:
    """What there is to an update."""
    return (update.ts, update.key, update.ltp, update.text, update.native, update.best_five)


@given(tape=tapes(), size=st.integers(1, 20), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_rows_taken_as_stretches_are_those_taken_one_by_one(
    tmp_path_factory: pytest.TempPathFactory,
    tape: tuple[list[str], list[FullRow]],
    size: int,
    seed: int,
) -> None:
    """However both ways alternate, whatever texts are expected: the same updates and states."""
    columns, told = tape
    path = tmp_path_factory.mktemp("stretch") / "a.parquet"
    chance = random.Random(seed)
    recording = opened(write(path, columns_of(columns, told), row_group_size=size))
    plain, mixed = (
        Replay(recording, start=recording.start, end=recording.end + 1) for _ in range(2)
    )
    while (due := plain.next_due()) is not None:
        assert mixed.next_due() == due
        mixed.expect_texts(
            frozenset(chance.sample(recording.keys, chance.randint(0, len(recording.keys))))
        )
        until = chance.choice([due - 1, due, FOREVER])
        limit = chance.randint(1, 30)
        taken: Sequence[Update]
        if chance.random() < 0.5:
            stretch = mixed.take_rows(until, limit)
            taken = stretch or ()
            if isinstance(stretch, Stretch):
                assert stretch.times == [update.ts for update in stretch]
                assert (stretch.first_ts, stretch.last_ts) == (stretch[0].ts, stretch[-1].ts)
                texts = stretch.rows.texts
                if texts is not None:
                    wanted = [update.text for update in stretch if update.key in texts.of]
                    assert texts.between(stretch.first, stretch.last).texts() == wanted
        else:
            taken = mixed.take(until, limit)
        assert len(taken) <= limit
        assert bool(taken) == (until >= due)
        assert list(map(said, taken)) == list(map(said, plain.take(until, len(taken))))
        assert mixed.rows_taken == plain.rows_taken
        for key in recording.keys:
            states = [replay.state(key) for replay in (plain, mixed)]
            assert len({None if state is None else said(state) for state in states}) == 1


class Client:
    """A client that keeps every frame, and what it wants."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.odin = ClientConnection("TESTER")
        self.frames: list[bytes] = []

    async def ask(self, frames: Sequence[bytes]) -> None:
        """Send requests; return when they have been taken."""
        mark = f"mark{len(self.frames)}"
        for frame in [*frames, self.odin.heartbeat(0, mark)]:
            await self.socket.send(frame)
        while not self.frames or mark not in self._echoes():
            await self.read()

    async def read(self) -> None:
        """Take one frame."""
        frame = await self.socket.recv(decode=False)
        assert isinstance(frame, bytes)
        self.frames.append(frame)

    async def read_to_the_end(self) -> None:
        """Take what comes until the feed closes the connection."""
        try:
            while True:
                await self.read()
        except ConnectionClosed:
            pass

    def _echoes(self) -> list[str]:
        messages = ClientConnection("").receive(self.frames[-1])
        return [message.echo for message in messages if isinstance(message, Heartbeat)]


Wants = tuple[set[InstrumentKey], set[InstrumentKey], bool, bool]
"""Touchlines as text; more touchlines, in another mode; LTP touchlines too; paused."""


async def play(
    replay: Replay, clients: Sequence[Wants], steps: Sequence[int], *, whole: bool
) -> list[list[bytes]]:
    """Play all rows to some clients; return the frames that each got."""
    replay.begin()
    programme = Programme(replay, start=replay.start, end=replay.end)
    feed = FeedServer(replay.state, second=OPEN, conflate=False)
    listener = open_listener("127.0.0.1", 0, option="--feed-port")
    await feed.start(listener)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    found: list[Client] = []
    try:
        for texts, others, ltp, paused in clients:
            client = Client(await connect(url, compression=None, max_queue=None))
            found.append(client)
            odin = client.odin
            await client.ask([odin.logon(0), *odin.subscribe(sorted(texts), 0)])
            await client.ask(odin.subscribe(sorted(others), 0, native=ltp, on_change=not ltp))
            if ltp:
                await client.ask(odin.subscribe_ltp(sorted(texts), 0))
            if paused:
                await client.ask([odin.pause(0)])
        turn = 0
        while programme.next_due() is not None:
            replay.expect_texts(feed.text_interest)
            limit = steps[turn % len(steps)]
            turn += 1
            for burst in programme.take(programme.end, limit, whole=whole):
                if burst.second is not None:
                    feed.heartbeat(burst.second)
                feed.publish(burst.updates)
            feed.flush()
        sent = feed.updates_sent
        await feed.log_off("the end")
        await feed.close("the end")
        await asyncio.gather(*(client.read_to_the_end() for client in found))
    finally:
        await feed.close("the end")
        for client in found:
            await client.socket.close()
    return [*(client.frames for client in found), [b"%d" % sent]]


wants: st.SearchStrategy[Wants] = st.one_of(
    st.tuples(some_keys, st.just(set()), st.just(False), st.just(False)),
    st.tuples(some_keys, some_keys, st.booleans(), st.booleans()),
)


@given(
    rows=some_rows,
    clients=st.lists(wants, min_size=1, max_size=3),
    steps=st.lists(st.sampled_from([1, 2, 7, 130, 1024]), min_size=1, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_a_stretch_gives_each_client_the_frames_of_its_updates(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int, int]],
    clients: list[Wants],
    steps: list[int],
) -> None:
    """Whoever wants what, byte for byte and frame for frame; as many are counted as sent."""
    path: Path = tmp_path_factory.mktemp("stretch") / "tape.parquet"
    tape: list[Row] = [(at, token, 100 + price / 100) for at, token, price in sorted(rows)]
    recording = open_tape(path, tape)

    async def both() -> None:
        async with asyncio.timeout(DEADLINE_S):
            frames = [
                await play(
                    Replay(recording, start=OPEN, end=recording.end + 1),
                    clients,
                    steps,
                    whole=whole,
                )
                for whole in (True, False)
            ]
        assert frames[0] == frames[1]

    asyncio.run(both())
