from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.faults import parse_fault
from simulator.feed import FeedServer
from simulator.lane import TOGETHER_NS, Lane
from simulator.replay import Replay
from simulator.sockets import open_listener
from simulator.stretch import Stretch
from streamer.odin import messages as wire
from streamer.odin.tags import InstrumentKey
from tests.simulator.feed_client import FeedClient
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, SECOND, counted_rows, replay_of

FOREVER = 2**62


class Kept:
    """A channel that keeps what is written."""

    is_open = True

    def __init__(self, wanted: frozenset[InstrumentKey]) -> None:
        self.wanted = wanted
        self.written: list[tuple[int, int, bytes]] = []

    def framed(self, texts: Sequence[bytes]) -> bytes:
        return b"\n".join(texts)

    def write(self, rows: int, texts: int, framed: bytes) -> None:
        self.written.append((rows, texts, framed))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Stretch:
    """Sixty rows of two instruments."""
    replay = replay_of(tmp_path_factory.mktemp("lane") / "tape.parquet", counted_rows(60))
    stretch = replay.upcoming_rows(FOREVER, 60)
    assert len(stretch) == 60
    return stretch


@given(
    gaps=st.lists(
        st.one_of(st.integers(0, TOGETHER_NS // 3), st.integers(0, 10 * TOGETHER_NS)),
        min_size=60,
        max_size=60,
    ),
    late=st.lists(st.integers(0, 3 * TOGETHER_NS), min_size=1, max_size=5),
    wanted=st.frozensets(st.sampled_from([RELIANCE, SBIN])),
)
def test_rows_go_out_in_order_in_time_and_never_early(
    rows: Stretch, gaps: list[int], late: list[int], wanted: frozenset[InstrumentKey]
) -> None:
    """Each row but the last once, with its text, within a bounded time of being due."""
    dues = [sum(gaps[: count + 1]) for count in range(60)]
    channel = Kept(wanted)
    lane = Lane(channel, rows, dues)
    now = 0
    played: list[int] = []
    while not lane.is_over:
        first = len(played)
        assert lane.send(lane.wake_at - 1) == ()
        assert dues[first] <= lane.wake_at <= max(dues[first] + TOGETHER_NS, now)
        now = max(now, lane.wake_at) + late[first % len(late)]
        sent = lane.send(now)
        assert sent
        assert max(sent) <= now
        played += sent
        lane.go_on(now)
    assert played == dues[:-1]
    assert sum(count for count, _, _ in channel.written) == 59
    texts = [update.text for update in rows[:-1] if update.key in wanted]
    assert sum(count for _, count, _ in channel.written) == len(texts)
    said = [framed for _, _, framed in channel.written if framed]
    assert b"\n".join(said) == b"\n".join(texts)


def test_a_lane_ends_with_its_rows_and_with_its_channel(rows: Stretch) -> None:
    """Once the last row is due too, or the way is closed, the long way is taken."""
    channel = Kept(frozenset({RELIANCE}))
    lane = Lane(channel, rows, list(range(0, 60 * SECOND, SECOND)))
    assert lane.holds(59 * SECOND - 1)
    assert not lane.holds(59 * SECOND)
    channel.is_open = False
    assert not lane.holds(0)


@asynccontextmanager
async def client_of(replay: Replay) -> AsyncIterator[tuple[FeedServer, FeedClient, str]]:
    """A feed with a client that wants the texts of one instrument."""
    feed = FeedServer(replay.state, second=OPEN, conflate=True)
    listener = open_listener("127.0.0.1", 0, option="--feed-port")
    await feed.start(listener)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with FeedClient(url) as client:
            await client.log_on()
            assert feed.channel() is None, "nothing is wanted yet"
            await client.subscribe(RELIANCE)
            await client.answered()
            yield feed, client, url
    finally:
        await feed.close("the test is over")


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Ten rows."""
    return replay_of(tmp_path / "tape.parquet", counted_rows(10))


async def test_what_is_written_on_the_short_way_is_what_is_published(replay: Replay) -> None:
    """The client reads the same from both, and the same is counted."""
    async with client_of(replay) as (feed, client, _):
        stretch = replay.upcoming_rows(FOREVER, 10)
        before = feed.updates_sent
        feed.publish(list(stretch))
        feed.flush()
        wanted = feed.updates_sent - before
        await client.until_count(wanted)
        channel = feed.channel()
        assert channel is not None
        texts = stretch.texts(channel.wanted, 0, 10)
        channel.write(10, len(texts), channel.framed(texts))
        assert feed.updates_sent - before == 2 * wanted == 10
        said = await client.until_count(2 * wanted)
        assert said[:wanted] == said[wanted:]
        assert channel.is_open


ASKED: dict[str, wire.Request] = {
    "another form": wire.LtpRequest((RELIANCE,), True),
    "another mode": wire.TouchlineRequest((SBIN,), True, native=True),
    "on change alone": wire.TouchlineRequest((SBIN,), True, on_change=True),
    "a pause": wire.Pause(True),
}


@pytest.mark.parametrize("what", ASKED)
async def test_a_request_closes_the_short_way(replay: Replay, what: str) -> None:
    """Whoever wants anything but texts, or nothing for now, is served the long way."""
    async with client_of(replay) as (feed, client, _):
        channel = feed.channel()
        assert channel is not None
        await client.ask(ASKED[what])
        await client.answered()
        assert not channel.is_open
        assert feed.channel() is None


async def test_any_subscription_makes_a_new_short_way(replay: Replay) -> None:
    """What was made ready for the old ones is void."""
    async with client_of(replay) as (feed, client, _):
        channel = feed.channel()
        assert channel is not None
        await client.subscribe(SBIN)
        await client.answered()
        assert not channel.is_open
        following = feed.channel()
        assert following is not None
        assert {RELIANCE, SBIN} == {key for key in (RELIANCE, SBIN) if key in following.wanted}


async def test_a_second_client_closes_the_short_way(replay: Replay) -> None:
    """Until it is gone again; it is for one client alone."""
    async with client_of(replay) as (feed, _, url):
        channel = feed.channel()
        assert channel is not None
        async with FeedClient(url) as second:
            await second.log_on()
            await second.subscribe(SBIN)
            await second.answered()
            assert not channel.is_open
            assert feed.channel() is None
        while feed.connections > 1:
            await feed.wait_for_news()
        assert feed.channel() is not None


async def test_faults_close_the_short_way(replay: Replay) -> None:
    """From when one begins until it ends."""
    async with client_of(replay) as (feed, _, _url):
        channel = feed.channel()
        assert channel is not None
        drop, _ = parse_fault("drop", second=0)
        feed.fault_plan.begin(drop, OPEN, OPEN + SECOND)
        feed.follow_faults()
        assert not channel.is_open
        assert feed.channel() is None
        feed.fault_plan.clear()
        feed.follow_faults()
        assert feed.channel() is not None


async def test_a_ledger_closes_the_short_way(replay: Replay) -> None:
    """It notes each update, which the long way does."""
    async with client_of(replay) as (feed, _, _url):
        channel = feed.channel()
        assert channel is not None
        feed.open_ledger()
        assert not channel.is_open
        assert feed.channel() is None
