"""What faults do to sockets, seen from the other end of real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage

from simulator.fault_plan import FaultPlan
from simulator.faults import parse_planned
from simulator.faulty import Faults
from simulator.feed import FeedServer
from simulator.replay import Replay
from simulator.sockets import open_listener
from tests.simulator.feed_client import DEADLINE_S, FeedClient
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, SECOND, counted_rows, replay_of

QUIET_S = 0.1


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Two instruments that take turns, an update every 10 ms for ten seconds."""
    return replay_of(tmp_path / "tape.parquet", counted_rows(1000))


@asynccontextmanager
async def serving(replay: Replay, *faults: str) -> AsyncIterator[tuple[FeedServer, str]]:
    """Serve a replay with planned faults; time passes when the test says so."""
    plan = [parse_planned(fault) for fault in faults]
    feed = FeedServer(replay.state, second=OPEN, conflate=True, plan=plan)
    listener = open_listener("127.0.0.1", 0, option="--feed-port")
    await feed.start(listener)
    try:
        yield feed, f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await feed.close("the test is over")


def play(feed: FeedServer, replay: Replay, second: int) -> None:
    """Tell a second after the open, and what is due in it."""
    feed.heartbeat(OPEN + second * SECOND)
    feed.publish(replay.take(OPEN + (second + 1) * SECOND - 1))
    feed.flush()


async def is_silent(client: FeedClient) -> bool:
    """Tell whether a client hears nothing for a while."""
    try:
        async with asyncio.timeout(QUIET_S):
            await client.wait_for_arrival()
    except TimeoutError:
        return True
    return False


async def closed(client: FeedClient) -> None:
    """Return when a client's connection has ended."""
    async with asyncio.timeout(DEADLINE_S):
        await client.socket.wait_closed()


def test_a_change_is_told_once() -> None:
    """When a fault begins and when it ends, however often its second is told."""
    faults = Faults(FaultPlan([parse_planned("no-pong@09:15:01+2s")]))
    told = [faults.pass_time(OPEN + half * SECOND // 2) for half in range(10)]
    phases = [(len(each.begun), len(each.ended)) if each else None for each in told]
    assert phases == [None, None, (1, 0), None, None, None, (0, 1), None, None, None]


async def test_a_reset_ends_without_a_close(replay: Replay) -> None:
    """The other end gets no close code; who comes next is served."""
    async with serving(replay, "reset@09:15:01") as (feed, url):
        async with FeedClient(url) as client:
            await client.log_on()
            play(feed, replay, 1)
            await closed(client)
            assert client.close_code == 1006
            assert feed.connections == 0
        async with FeedClient(url) as client:
            play(feed, replay, 2)
            assert (await client.log_on()).accepted


async def test_a_refused_connection_never_opens(replay: Replay) -> None:
    """Until the fault ends."""
    async with serving(replay, "refuse@09:15:01+2s") as (feed, url):
        play(feed, replay, 1)
        with pytest.raises((OSError, InvalidMessage, ConnectionClosed)):
            async with FeedClient(url):
                pass
        play(feed, replay, 3)
        async with FeedClient(url) as client:
            assert (await client.log_on()).accepted


async def test_a_half_open_connection_is_silent_until_it_is_cut(replay: Replay) -> None:
    """Nothing is read or written, and nothing says so."""
    async with serving(replay, "half-open@09:15:01+2s") as (feed, url):
        async with FeedClient(url) as client:
            await client.log_on()
            await client.subscribe(RELIANCE, SBIN)
            await client.answered()
            play(feed, replay, 1)
            play(feed, replay, 2)
            assert await is_silent(client)
            assert client.close_code is None
            play(feed, replay, 3)
            await closed(client)


@pytest.mark.parametrize("fault", ["drip:bytes=50", "slow-down:rate=5000", "fragmented"])
async def test_slow_and_broken_up_bytes_arrive_whole(fault: str, replay: Replay) -> None:
    """Every update, in order; what still waits at the end of the fault goes out at once."""
    async with serving(replay, f"{fault}@09:15:01+2s") as (feed, url), FeedClient(url) as client:
        await client.log_on()
        await client.subscribe(RELIANCE, SBIN)
        await client.answered()
        for second in range(5):
            play(feed, replay, second)
        touchlines = await client.until_count(500)
        assert [each.ltp for each in touchlines] == list(range(10000, 10500))


async def test_pings_go_unanswered(replay: Replay) -> None:
    """While data flows on."""
    async with serving(replay, "no-pong@09:15:01+2s") as (feed, url), FeedClient(url) as client:
        await client.log_on()
        play(feed, replay, 1)
        pong = asyncio.ensure_future(await client.socket.ping())
        await client.answered()
        assert not pong.done()
        play(feed, replay, 3)
        async with asyncio.timeout(DEADLINE_S):
            await (await client.socket.ping())


async def test_a_refused_logon_tells_its_status(replay: Replay) -> None:
    """The answer comes before the close, whose code is no good end."""
    fault = "logon-refused:status=10005@09:15:01+2s"
    async with serving(replay, fault) as (feed, url):
        play(feed, replay, 1)
        async with FeedClient(url) as client:
            await client.socket.send(client.odin.logon(0))
            await closed(client)
            await client.until(lambda: client.close_code is not None)
            assert [getattr(each, "status", None) for each in client.messages] == [10005]
            assert client.close_code == 1011


async def test_a_moment_that_lasts_hits_who_comes_meanwhile(replay: Replay) -> None:
    """With its own close code each time, until it is over."""
    async with serving(replay, "close:code=4321@09:15:01+2s") as (feed, url):
        play(feed, replay, 1)
        async with FeedClient(url) as client:
            await client.socket.send(client.odin.logon(0))
            await client.until(lambda: client.close_code == 4321)
        play(feed, replay, 3)
        async with FeedClient(url) as client:
            assert (await client.log_on()).accepted
            assert feed.connections == 1


@pytest.mark.parametrize("name", ["heartbeat-stops", "mute"])
async def test_no_time_is_told(name: str, replay: Replay) -> None:
    """Without heartbeats updates go on; a mute feed says nothing at all."""
    async with serving(replay, f"{name}@09:15:01+2s") as (feed, url), FeedClient(url) as client:
        await client.log_on()
        await client.subscribe(RELIANCE, SBIN)
        await client.answered()
        for second in range(4):
            play(feed, replay, second)
        await client.until(lambda: OPEN + 3 * SECOND in client.heartbeats)
        assert client.heartbeats == [OPEN, OPEN + 3 * SECOND]
        await client.until(lambda: bool(client.touchlines) and client.touchlines[-1].ltp == 10399)
        assert len(client.touchlines) == (200 if name == "mute" else 400)
