from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator.feed import FeedServer
from simulator.replay import Replay
from simulator.sockets import open_listener
from streamer.odin import messages as wire
from tests.simulator.feed_client import DEADLINE_S, FeedClient
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, SECOND, counted_rows, replay_of

Serving = Callable[..., AbstractAsyncContextManager[tuple[FeedServer, str]]]


@asynccontextmanager
async def serving(
    replay: Replay, *, conflate: bool = False, stall_limit_s: float = 30
) -> AsyncIterator[tuple[FeedServer, str]]:
    """Serve a replay over small buffers; nothing is sent unless the test publishes it."""
    feed = FeedServer(
        replay.state,
        second=OPEN,
        conflate=conflate,
        stall_limit_s=stall_limit_s,
        high_water_bytes=20_000,
    )
    listener = open_listener("127.0.0.1", 0, option="--feed-port")
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    await feed.start(listener)
    try:
        yield feed, f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await feed.close("the test is over")


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Two instruments that take turns, an update every 10 ms for ten seconds."""
    return replay_of(tmp_path / "tape.parquet", counted_rows(1000))


async def test_anyone_may_log_on_and_is_told_that_it_is_a_simulator(replay: Replay) -> None:
    """The answer comes at once, with the feed's time and the private tag."""
    async with serving(replay) as (feed, url), FeedClient(url, "SOMEBODY") as client:
        answer = await client.log_on()
        assert answer.accepted
        assert answer.simulated
        assert answer.sent == OPEN
        assert feed.connections == 1


async def test_a_subscription_is_answered_with_the_present_state(replay: Replay) -> None:
    """Also for a late joiner: the state after the updates that were played."""
    replay.take(OPEN + SECOND)
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        await client.log_on()
        await client.subscribe(RELIANCE, SBIN)
        states = await client.until_count(2)
        assert [s.key for s in states] == [RELIANCE, SBIN]
        assert [s.ltp for s in states] == [10100, 10099]
        assert feed.updates_sent == 0


async def test_an_instrument_without_a_row_yet_has_no_state(replay: Replay) -> None:
    """A subscription to it is kept, and its first update is sent."""
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        await client.log_on()
        await client.subscribe(SBIN)
        await client.answered()
        assert client.touchlines == []
        feed.publish(replay.take(OPEN + SECOND))
        feed.flush()
        assert len(await client.until_count(50)) == 50


async def test_each_connection_gets_what_it_asked_for(replay: Replay) -> None:
    """Interest and modes belong to the connection; unsubscribing ends them."""
    async with (
        serving(replay) as (feed, url),
        FeedClient(url, "TEXT") as text,
        FeedClient(url, "NATIVE") as native,
        FeedClient(url, "MANY") as many,
    ):
        for client in (text, native, many):
            await client.log_on()
        await text.subscribe(RELIANCE)
        await native.subscribe(SBIN, native=True)
        await many.ask(wire.LtpRequest((RELIANCE,), True))
        await many.ask(wire.BestFiveRequest(SBIN, True))
        for client in (text, native, many):
            await client.answered()
        first = replay.take(OPEN + SECOND)
        feed.publish(first)
        feed.flush()
        assert {t.key for t in await text.until_count(51)} == {RELIANCE}
        assert {t.key for t in await native.until_count(50)} == {SBIN}
        assert {t.volume for t in native.touchlines} == {0}, "the native form has no volume"
        await many.until(lambda: len(many.messages) >= 1 + 2 + 51 + 50 - 1)
        assert feed.updates_sent == 2 * len(first)
        await text.ask(wire.TouchlineRequest((RELIANCE,), False))
        await text.answered()
        assert feed.instruments_wanted == 2, "another connection still wants it"
        feed.publish(replay.take(OPEN + 2 * SECOND))
        feed.flush()
        await text.answered()
        assert len(text.touchlines) == 51


async def test_rows_that_are_due_together_share_frames(replay: Replay) -> None:
    """A batch is one WebSocket message, up to 128 rows."""
    async with serving(replay) as (feed, url):
        async with connect(url, compression=None) as stranger:
            odin = FeedClient(url).odin
            await stranger.send(odin.logon(0))
            await stranger.send(odin.subscribe([RELIANCE, SBIN], 0)[0])
            await feed.wait_subscribed(0.01)
            await stranger.recv()
            feed.publish(replay.take(OPEN + SECOND))
            feed.flush()
            frames = [await stranger.recv()]
            feed.heartbeat(OPEN + SECOND)
            feed.flush()
            frames.append(await stranger.recv())
            counts = [len(odin.receive(frame)) for frame in frames if isinstance(frame, bytes)]
            assert counts == [101, 1]


async def test_a_pause_drops_updates_and_a_resume_tells_the_state(replay: Replay) -> None:
    """Heartbeats go on in the pause; subscriptions are kept."""
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        await client.log_on()
        await client.subscribe(RELIANCE, SBIN)
        await client.ask(wire.Pause(True))
        await client.answered()
        feed.heartbeat(OPEN + SECOND)
        feed.publish(replay.take(OPEN + SECOND))
        feed.flush()
        await client.until(lambda: client.heartbeats == [OPEN + SECOND])
        assert client.touchlines == []
        await client.ask(wire.Pause(False))
        assert [t.ltp for t in await client.until_count(2)] == [10100, 10099]


async def test_a_jump_tells_the_time_then_the_states(replay: Replay) -> None:
    """The heartbeat with the earlier time comes before everything of that time."""
    replay.take(OPEN + 5 * SECOND)
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        await client.log_on()
        feed.heartbeat(OPEN + 5 * SECOND)
        await client.subscribe(SBIN, RELIANCE)
        await client.until_count(2)
        replay.begin()
        replay.take(OPEN + SECOND)
        feed.jump(OPEN + SECOND)
        feed.flush()
        await client.until_count(4)
        tail = client.messages[-3:]
        assert isinstance(tail[0], wire.Heartbeat)
        assert tail[0].sent == OPEN + SECOND
        assert [m.ltp for m in tail[1:] if isinstance(m, wire.Touchline)] == [10099, 10100]


@pytest.mark.parametrize(
    "data",
    ["63=FT3.0|64=101", b"\x07garbage garbage", b"\xff" * 100],
    ids=["text", "flag", "noise"],
)
async def test_what_is_no_frame_ends_the_connection_with_a_code_that_is_noticed(
    replay: Replay, data: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Never 1000 or 1001, which some clients take for a good end; others are not disturbed."""
    caplog.set_level(logging.WARNING, "simulator.feed")
    async with serving(replay) as (feed, url), FeedClient(url) as other:
        await other.log_on()
        async with connect(url, compression=None) as stranger:
            await stranger.send(data)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(DEADLINE_S):
                    await stranger.recv()
            assert stranger.close_code == 1011
        await other.answered()
        assert feed.connections == 1
    assert 1 <= len(caplog.records) <= 2


async def test_a_bad_request_is_logged_once_and_the_connection_stays(
    replay: Replay, caplog: pytest.LogCaptureFixture
) -> None:
    """Many of the same fault are one line."""
    caplog.set_level(logging.INFO, "simulator.feed")
    async with serving(replay) as (_, url), FeedClient(url) as client:
        await client.log_on()
        for _ in range(5):
            await client.ask(wire.UnknownRequest(777, b"63=FT3.0|64=777|65=84|66=10:00:00"))
        await client.answered()
    assert sum("ignored" in record.message for record in caplog.records) == 1


async def test_requests_before_the_logon_are_ignored(replay: Replay) -> None:
    """A subscription without a logon is no subscription."""
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        await client.subscribe(RELIANCE)
        await client.log_on()
        await client.answered()
        assert feed.instruments_wanted == 0


async def test_the_interest_of_a_connection_ends_with_it(replay: Replay) -> None:
    """A client that is gone leaves nothing behind."""
    async with serving(replay) as (feed, url), FeedClient(url) as stays:
        await stays.log_on()
        await stays.subscribe(SBIN)
        async with FeedClient(url) as goes:
            await goes.log_on()
            await goes.subscribe(RELIANCE, SBIN)
            await goes.answered()
            assert feed.instruments_wanted == 2
        async with asyncio.timeout(DEADLINE_S):
            while feed.connections > 1:
                await stays.answered()
        assert feed.instruments_wanted == 1


async def test_a_logoff_comes_last_and_the_close_says_restart(replay: Replay) -> None:
    """Everything queued comes before it; the code makes clients come back."""
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        await client.log_on()
        await client.subscribe(RELIANCE, SBIN)
        await client.answered()
        feed.publish(replay.take(OPEN + 20 * SECOND, 1000))
        feed.flush()
        await feed.log_off("the recording is over")
        await feed.close("the recording is over")
        await client.until(lambda: client.close_code is not None)
        assert client.close_code == 1012
        assert len(client.touchlines) == 1000
        last = client.messages[-1]
        assert isinstance(last, wire.Logoff)
        assert last.reason == "the recording is over"


async def test_waiting_for_subscriptions_ends_when_they_have_settled(replay: Replay) -> None:
    """Not at a logon, but when a subscription came and none changed for a while."""
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        waiting = asyncio.create_task(feed.wait_subscribed(0.05))
        await feed_logged_on(feed, client)
        await client.answered()
        assert not waiting.done()
        await client.subscribe(RELIANCE)
        async with asyncio.timeout(DEADLINE_S):
            await waiting
        assert feed.instruments_wanted == 1


async def feed_logged_on(feed: FeedServer, client: FeedClient) -> None:
    """Log on, and see that the feed noticed."""
    noticed = asyncio.create_task(feed.wait_logged_on())
    await client.log_on()
    async with asyncio.timeout(DEADLINE_S):
        await noticed


class Mute:
    """A client that subscribes and then reads nothing until told to."""

    def __init__(self, url: str) -> None:
        self.client = FeedClient(url, receive_buffer=4096)

    async def __aenter__(self) -> Mute:
        await self.client.__aenter__()
        await self.client.log_on()
        await self.client.subscribe(RELIANCE, SBIN)
        await self.client.answered()
        self.client.socket.transport.pause_reading()
        return self

    def read(self) -> None:
        """Begin to read."""
        self.client.socket.transport.resume_reading()

    async def __aexit__(self, *exc: object) -> None:
        self.read()
        await self.client.__aexit__(None, None, None)


async def fill(feed: FeedServer, replay: Replay, until: Callable[[], bool]) -> int:
    """Play the tape over and over, until a condition holds; return how many updates."""
    published = 0
    async with asyncio.timeout(60):
        while not until():
            updates = replay.take(OPEN + 20 * SECOND, 1000)
            if not updates:
                replay.begin()
                continue
            feed.publish(updates)
            feed.flush()
            published += len(updates)
            await asyncio.sleep(0)
    return published


async def test_a_slow_connection_loses_superseded_updates_and_nobody_else_does(
    replay: Replay,
) -> None:
    """It ends with the newest of each instrument; a connection that reads gets everything."""
    async with serving(replay, conflate=True) as (feed, url), Mute(url) as mute:
        async with FeedClient(url) as reads:
            await reads.log_on()
            await reads.subscribe(RELIANCE, SBIN)
            await reads.answered()
            published = 0
            while feed.updates_replaced < 500:
                updates = replay.take(OPEN + 20 * SECOND, 100)
                if not updates:
                    replay.begin()
                feed.publish(updates)
                feed.flush()
                published += len(updates)
                assert len(await reads.until_count(published)) == published
            newest = {key: state.ltp for key in (RELIANCE, SBIN) if (state := replay.state(key))}
            second = OPEN + 60 * SECOND
            feed.heartbeat(second)
            feed.flush()
            mute.read()
            await mute.client.until(lambda: mute.client.heartbeats[-1:] == [second])
            assert len(mute.client.touchlines) < published
            assert {t.key: t.ltp for t in mute.client.touchlines} == newest
            assert feed.updates_replaced == published - len(mute.client.touchlines)


async def test_without_conflation_the_player_can_wait_for_the_sockets(replay: Replay) -> None:
    """A connection that does not read makes it wait; when it reads, it gets every update."""
    async with serving(replay) as (feed, url), Mute(url) as mute:
        full = False
        published = 0
        while not full:
            published += await fill_once(feed, replay)
            full = not await feed.wait_drained(0.01)
        assert feed.updates_replaced == 0
        mute.read()
        async with asyncio.timeout(DEADLINE_S):
            assert await feed.wait_drained(DEADLINE_S)
        assert len(await mute.client.until_count(published)) == published


async def fill_once(feed: FeedServer, replay: Replay) -> int:
    """Play the whole tape once."""
    replay.begin()
    updates = replay.take(OPEN + 20 * SECOND, 1000)
    feed.publish(updates)
    feed.flush()
    return len(updates)


@pytest.mark.parametrize("conflate", [False, True])
async def test_a_connection_that_takes_nothing_is_closed_after_the_limit(
    replay: Replay, conflate: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A dead peer cannot hold the world for ever; the log says why it was closed."""
    async with serving(replay, conflate=conflate, stall_limit_s=0.2) as (feed, url):
        async with Mute(url):
            assert feed.connections == 1
            await fill(feed, replay, lambda: feed.connections == 0)
    assert "nothing was read for 0.2 s" in caplog.text


async def test_a_close_that_takes_too_long_can_be_cut_short(replay: Replay) -> None:
    """Whoever reads nothing has its connection cut, and the close returns."""
    async with serving(replay) as (feed, url), Mute(url):
        for _ in range(20):
            await fill_once(feed, replay)
        closing = asyncio.create_task(feed.close("the recording is over", patience_s=600))
        await asyncio.sleep(0)
        feed.abort()
        async with asyncio.timeout(DEADLINE_S):
            await closing


async def test_heartbeats_reach_logged_on_connections_only(replay: Replay) -> None:
    """Before the logon answer nothing is sent: some clients would ignore or misread it."""
    async with serving(replay) as (feed, url), FeedClient(url) as client:
        await asyncio.sleep(0)
        feed.heartbeat(OPEN + SECOND)
        feed.flush()
        answer = await client.log_on()
        assert client.messages[0] == answer
        assert answer.sent == OPEN + SECOND, "the answer carries the feed's time"
        feed.heartbeat(OPEN + 2 * SECOND)
        feed.flush()
        await client.until(lambda: client.heartbeats == [OPEN + 2 * SECOND])
