"""The line to the feed, against a real feed server on real sockets."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.hub import UpstreamState
from streamer.odin.framing import Dialect, encode_frames
from streamer.odin.messages import (
    Disconnect,
    FeedMessage,
    Heartbeat,
    Logoff,
    LogonAnswer,
    ServerMessage,
    encode,
)
from streamer.odin.tags import LOGON_REFUSED, InstrumentKey
from streamer.upstream import Upstream, UpstreamSettings, backoff
from tests.feed_peer import DEADLINE_S, FeedPeer
from tests.streamer.desk import RELIANCE, SBIN, TCS, touchline

KEY = "not-for-any-log"

QUICK = UpstreamSettings(first_delay_s=0.001, longest_delay_s=0.01, refused_delay_s=0.01)
"""Dials again at once."""


def beat(number: int) -> Heartbeat:
    """Return a message that can be told from the others."""
    return Heartbeat(echo=str(number))


def numbers(messages: list[FeedMessage]) -> list[int]:
    """Return which of those messages came, in order."""
    return [int(each.echo) for each in messages if isinstance(each, Heartbeat)]


class Owner:
    """Who holds a line: wants instruments, takes messages, and sees states come and go."""

    def __init__(self, *wanted: InstrumentKey) -> None:
        self.wanted = list(wanted)
        self.messages: list[FeedMessage] = []
        self.frames: list[int] = []
        """How many messages each call brought."""
        self.states: list[UpstreamState] = []
        self.looks = 0
        """How often the line has asked whether silence means anything."""
        self.expects = True
        self.gate = asyncio.Event()
        """Messages are held while it is not set."""
        self.gate.set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def holds(
        self, url: str, how: UpstreamSettings = QUICK, **more: Any
    ) -> AsyncIterator[Upstream]:
        """Run a line for the block."""
        line = Upstream(
            url,
            user="DEMO01",
            key=KEY,
            on_messages=self.take,
            on_state=self.see,
            interest=lambda: list(self.wanted),
            expects_messages=self.look,
            settings=how,
            **more,
        )
        running = asyncio.ensure_future(line.run())
        try:
            yield line
        finally:
            await line.close()
            async with asyncio.timeout(DEADLINE_S):
                await running

    async def take(self, messages: list[FeedMessage]) -> None:
        """Take the messages of a frame, and hold the line while the gate is shut."""
        self.messages += messages
        self.frames.append(len(messages))
        self._changed.set()
        await self.gate.wait()

    def see(self, state: UpstreamState) -> None:
        """Note a change of state."""
        self.states.append(state)
        self._changed.set()

    def look(self) -> bool:
        """Say whether messages are expected."""
        self.looks += 1
        self._changed.set()
        return self.expects

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; it is looked at whenever the line did something."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_state(self, state: UpstreamState, times: int = 1) -> None:
        """Wait until a state was reached so many times."""
        await self.until(lambda: self.states.count(state) >= times)


@pytest.fixture
async def feed() -> AsyncIterator[FeedPeer]:
    """Return a feed that listens."""
    async with FeedPeer() as peer:
        yield peer


def told(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """Return what the line has logged for people."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= level and record.name.startswith("streamer")
    ]


# --- logging on and subscribing


@pytest.mark.parametrize("dialect", Dialect)
async def test_it_logs_on_and_asks_for_what_is_wanted(feed: FeedPeer, dialect: Dialect) -> None:
    """In either dialect: the answer to the logon first, then the interest in its order."""
    owner = Owner(SBIN, RELIANCE, TCS)
    async with owner.holds(feed.url, UpstreamSettings(dialect=dialect)) as line:
        await feed.wait_for_interest(SBIN, RELIANCE, TCS)
        assert owner.states == ["connecting", "connected"]
        assert (line.state, line.reason, line.reconnects) == ("connected", "", 0)
        answer = owner.messages[0]
        assert isinstance(answer, LogonAnswer)
        assert answer.simulated
        assert feed.logons == ["DEMO01"]
        assert [each.added for each in feed.asked] == [(SBIN, RELIANCE, TCS)]
    assert owner.states == ["connecting", "connected", "down"]


async def test_it_asks_in_batches(feed: FeedPeer) -> None:
    """Fifty instruments a request, as the original streamer did, oldest first."""
    wanted = [(1, 1000 + number) for number in range(120)]
    async with Owner(*wanted).holds(feed.url) as line:
        await feed.wait_for_interest(*wanted)
        assert [len(each.added) for each in feed.asked] == [50, 50, 20]
        assert [key for each in feed.asked for key in each.added] == wanted
        line.change_interest([], wanted)
        await feed.wait_for_interest()
        assert [len(each.removed) for each in feed.asked[3:]] == [50, 50, 20]


async def test_it_asks_for_the_difference(feed: FeedPeer) -> None:
    """When interest changes, only what is new or gone is told to the feed."""
    async with Owner(SBIN, TCS).holds(feed.url) as line:
        await feed.wait_for_interest(SBIN, TCS)
        line.change_interest([RELIANCE, SBIN], [TCS, (3, 500112)])
        await feed.wait_for_interest(SBIN, RELIANCE)
        assert [each.removed for each in feed.asked[1:]] == [(TCS,), ()]
        assert [each.added for each in feed.asked[1:]] == [(), (RELIANCE,)]


async def test_changes_of_one_turn_go_out_together(feed: FeedPeer) -> None:
    """Any number of changes before the loop turns are one request, without what cancels out."""
    async with Owner(SBIN).holds(feed.url) as line:
        await feed.wait_for_interest(SBIN)
        for number in range(40):
            line.change_interest([(1, 1000 + number)], [])
        line.change_interest([RELIANCE], [])
        line.change_interest([], [RELIANCE])
        await feed.wait_for_interest(SBIN, *((1, 1000 + number) for number in range(40)))
        assert len(feed.asked) == 2
        assert RELIANCE not in feed.asked[1].added


async def test_what_goes_and_comes_is_asked_once_more(feed: FeedPeer) -> None:
    """The answer to a subscribe is the present state, and whoever subscribes counts on it."""
    async with Owner(SBIN, TCS).holds(feed.url) as line:
        await feed.wait_for_interest(SBIN, TCS)
        line.change_interest([], [SBIN, TCS])
        line.change_interest([SBIN], [])
        await feed.wait_for_interest(SBIN)
        assert [each.added for each in feed.asked[1:]] == [(), (SBIN,)]


KEYS = st.lists(st.sampled_from([SBIN, RELIANCE, TCS, (3, 500112)]), max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(KEYS, KEYS, st.booleans()), max_size=12))
def test_the_feed_is_asked_for_what_is_wanted_in_the_end(
    changes: list[tuple[list[InstrumentKey], list[InstrumentKey], bool]],
) -> None:
    """Whatever comes and goes, in whatever turns of the loop, the feed has what a set has."""

    async def play() -> None:
        async with FeedPeer() as feed:
            wanted = {SBIN: None}
            owner = Owner(SBIN)
            async with owner.holds(feed.url) as line:
                await owner.until_state("connected")
                for added, removed, turn in changes:
                    line.change_interest(added, removed)
                    wanted |= dict.fromkeys(added)
                    wanted = {key: None for key in wanted if key not in removed}
                    if turn:
                        await asyncio.sleep(0)
                # In order, so that once this is there, all before it is.
                line.change_interest([(1, 99)], [])
                await feed.wait_for_interest((1, 99), *wanted)

    asyncio.run(play())


async def test_interest_of_a_line_that_is_down_does_not_pile_up() -> None:
    """Without a connection changes need no memory: the next logon asks what is wanted then."""
    owner = Owner()
    feed = FeedPeer()
    async with feed, owner.holds(feed.url) as line:
        await owner.until_state("connected")
        await feed.shut()
        await owner.until_state("down")
        for number in range(10_000):
            line.change_interest([(1, number)], [(1, number + 1)])
        owner.wanted = [TCS]
        await feed.open()
        await feed.wait_for_interest(TCS)
        assert [each.added for each in feed.asked] == [(TCS,)]


# --- what the feed says


async def test_messages_come_frame_by_frame_in_order(feed: FeedPeer) -> None:
    """One call for a frame with all that it holds; unused forms of messages too."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url) as line:
        await feed.wait_for_interest(SBIN)
        feed.send(touchline(SBIN, 81800), beat(1), touchline(SBIN, 81805))
        feed.send(beat(2))
        await owner.until(lambda: len(owner.frames) == 3)
        assert owner.frames == [1, 3, 1]
        assert [each.ltp for each in owner.messages if hasattr(each, "ltp")] == [81800, 81805]
        assert numbers(owner.messages) == [1, 2]
        assert line.messages == 5
        assert line.last_message_at is not None
        assert line.last_message_at <= asyncio.get_running_loop().time()


async def test_any_chunking_gives_the_same_messages(feed: FeedPeer) -> None:
    """A frame over many WebSocket messages, and many frames in one, are read all the same."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url):
        await feed.wait_for_interest(SBIN)
        stream = b"".join(encode_frames([encode(beat(n))])[0] for n in range(30))
        feed.send_raw(stream)
        feed.send_raw(*(stream[at : at + 7] for at in range(0, len(stream), 7)))
        await owner.until(lambda: len(numbers(owner.messages)) == 60)
        assert numbers(owner.messages) == [*range(30), *range(30)]


async def test_an_answer_without_await_is_fine(feed: FeedPeer) -> None:
    """``on_messages`` may be a plain function."""
    found: list[FeedMessage] = []
    line = Upstream(
        feed.url,
        user="DEMO01",
        key="",
        on_messages=found.extend,
        on_state=lambda state: None,
        interest=lambda: [SBIN],
    )
    running = asyncio.ensure_future(line.run())
    await feed.wait_for_interest(SBIN)
    await line.close()
    await running
    assert isinstance(found[0], LogonAnswer)


async def test_nothing_is_read_while_messages_are_taken(feed: FeedPeer) -> None:
    """The feed is held back by its socket, and that silence is not its fault."""
    owner = Owner(SBIN)
    chance = random.Random(1)
    noise = [Heartbeat(echo=chance.randbytes(8000).hex()) for _ in range(100)]
    frames = [frame for each in noise for frame in encode_frames([encode(each)])]
    async with owner.holds(feed.url, UpstreamSettings(mute_after_s=0.05)):
        await feed.wait_for_interest(SBIN)
        owner.gate.clear()
        for _ in range(20):
            feed.send_raw(*frames)
        # Ten times longer than silence is borne, seen by the line's own looks.
        await owner.until(lambda: len(owner.frames) == 2)
        before = owner.looks
        await owner.until(lambda: owner.looks >= before + 10)
        assert len(owner.frames) == 2
        assert owner.states == ["connecting", "connected"]
        assert feed.unsent > 0
        owner.gate.set()
        await owner.until(lambda: len(owner.frames) == 1 + 20 * len(noise))
        assert owner.messages[1:] == noise * 20


async def test_what_came_before_the_end_is_handed_on(feed: FeedPeer) -> None:
    """A feed that closes while it is held back loses nothing that it had sent before."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url) as line:
        await feed.wait_for_interest(SBIN)
        owner.gate.clear()
        for number in range(200):
            feed.send(beat(number))
        closing = asyncio.ensure_future(feed.close(1012))
        await owner.until(lambda: len(owner.frames) == 2)
        line.change_interest([RELIANCE], [])
        owner.gate.set()
        await owner.until_state("connected", 2)
        await closing
        assert numbers(owner.messages) == list(range(200))


# --- the feed fails


async def test_a_dropped_line_is_dialled_again_and_asked_for_everything(feed: FeedPeer) -> None:
    """After a reset: down, dialled, logged on, and all subscribed that is wanted by then."""
    owner = Owner(SBIN, RELIANCE)
    async with owner.holds(feed.url) as line:
        await feed.wait_for_interest(SBIN, RELIANCE)
        owner.wanted = [RELIANCE, TCS]
        feed.drop()
        await owner.until_state("connected", 2)
        await feed.wait_for_interest(RELIANCE, TCS)
        assert owner.states == ["connecting", "connected", "down", "connecting", "connected"]
        assert feed.asked[-1].added == (RELIANCE, TCS)
        assert line.reconnects == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4000])
async def test_a_closed_line_is_dialled_again(feed: FeedPeer, code: int) -> None:
    """Whatever close code the feed gives, also the polite ones, it is a feed that is down."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url):
        await feed.wait_for_interest(SBIN)
        await feed.close(code)
        await owner.until_state("connected", 2)
        await feed.wait_for_interest(SBIN)


@pytest.mark.parametrize("last", [Logoff(reason="end of day"), Disconnect()])
async def test_a_logoff_is_a_feed_that_is_down(
    feed: FeedPeer, last: ServerMessage, caplog: pytest.LogCaptureFixture
) -> None:
    """A logoff is handed on with what came before it, then the line is closed and redialled."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url) as line:
        await feed.wait_for_interest(SBIN)
        feed.send(beat(1), last)
        await owner.until_state("down")
        assert [type(each) for each in owner.messages] == [LogonAnswer, Heartbeat, type(last)]
        assert "logged us off" in line.reason or "disconnects" in line.reason
        await owner.until_state("connected", 2)
        await feed.wait_until(lambda: feed.connections == 1)


async def test_a_refused_logon_is_retried_slowly_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A refusal is a feed that is down, with its reason; the back-off is the long one."""
    owner = Owner(SBIN)
    # If it were not the delay of a refusal, the second logon would not come in time.
    slow = UpstreamSettings(first_delay_s=3600, longest_delay_s=3600, refused_delay_s=0.001)
    chance = Bounds(0.5)
    async with FeedPeer(logon_status=LOGON_REFUSED) as feed:
        async with owner.holds(feed.url, slow, chance=chance) as line:
            await feed.wait_for_logons(3)
            await owner.until_state("down", 3)
            assert "connected" not in owner.states
            assert str(LOGON_REFUSED) in line.reason
            assert owner.messages == []
    assert len(told(caplog)) == 1
    assert "refuses our logon (status 10001)" in told(caplog)[0]


async def test_a_feed_that_does_not_answer_the_logon_is_dialled_again() -> None:
    """Without an answer to the logon in time, the connection is of no use."""
    owner = Owner(SBIN)
    async with FeedPeer(logon_status=None) as feed:
        how = UpstreamSettings(first_delay_s=0.001, logon_timeout_s=0.05)
        async with owner.holds(feed.url, how) as line:
            await owner.until_state("down")
            assert "did not answer our logon within 0.05 s" in line.reason
            await feed.wait_for_logons(2)


async def test_a_mute_feed_is_stale_then_dialled_again(feed: FeedPeer) -> None:
    """A feed that is there but says nothing is told as stale before it is redialled."""
    owner = Owner(SBIN)
    how = UpstreamSettings(first_delay_s=0.001, mute_after_s=0.1)
    async with owner.holds(feed.url, how):
        await owner.until_state("connected", 2)
        assert owner.states == ["connecting", "connected", "stale", "connecting", "connected"]


async def test_silence_that_is_expected_is_no_fault(feed: FeedPeer) -> None:
    """While nothing is expected, at night, a silent feed that answers pings is left alone."""
    owner = Owner(SBIN)
    owner.expects = False
    how = UpstreamSettings(mute_after_s=0.02, ping_interval_s=0.02, ping_timeout_s=0.5)
    async with owner.holds(feed.url, how):
        await owner.until_state("connected")
        await owner.until(lambda: owner.looks >= 60)
        assert owner.states == ["connecting", "connected"]
        # The morning: from now on silence counts, and only from now on.
        owner.expects = True
        await owner.until_state("stale")


async def test_a_dead_feed_is_dialled_again(feed: FeedPeer) -> None:
    """A feed that answers no ping is dead, also when no messages are expected of it."""
    owner = Owner(SBIN)
    owner.expects = False
    how = UpstreamSettings(first_delay_s=0.001, ping_interval_s=0.05, ping_timeout_s=0.05)
    async with owner.holds(feed.url, msgspec.structs.replace(how, close_timeout_s=0.05)) as line:
        await owner.until_state("connected")
        feed.hang()
        await owner.until_state("down")
        assert "has not answered a ping" in line.reason
        await owner.until_state("connected", 2)


async def test_a_stream_that_cannot_be_followed_ends_the_connection(feed: FeedPeer) -> None:
    """Bytes that are no frame end the connection: a wrong price is worse than none."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url) as line:
        await feed.wait_for_interest(SBIN)
        feed.send(beat(1))
        feed.send_raw(b"\x05no frame at all")
        await owner.until_state("down")
        assert "cannot be followed" in line.reason
        await owner.until_state("connected", 2)
        assert numbers(owner.messages) == [1]


async def test_a_text_message_of_garbage_ends_the_connection(feed: FeedPeer) -> None:
    """The wire is binary; a text that is no frame is treated as any other garbage."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url):
        await feed.wait_for_interest(SBIN)
        for peer in list(feed._peers):
            await peer.send("service unavailable")
        await owner.until_state("connected", 2)


async def test_unusable_messages_are_counted_and_told_once_for_each_kind(
    feed: FeedPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be used costs neither the connection nor its neighbours, nor a log line each."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url) as line:
        await feed.wait_for_interest(SBIN)
        for number in range(5):
            feed.send_encoded([encode(beat(number)), b"63=FT3.0|64=209|65=40|66=x|7=22|1=1|8=x"])
        await owner.until(lambda: len(numbers(owner.messages)) == 5)
        assert line.unusable == 5
        assert owner.states == ["connecting", "connected"]
        assert len(told(caplog)) == 1
        assert "sent what cannot be used" in told(caplog)[0]
        feed.send_encoded([encode(beat(5)), b"63=FT3.0|no code"])
        await owner.until(lambda: len(numbers(owner.messages)) == 6)
        assert len(told(caplog)) == 2


async def test_a_feed_that_is_not_there_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Refused dials are one warning; when the feed comes, one line says so, with the count."""
    owner = Owner(SBIN)
    feed = FeedPeer()
    async with feed:
        await feed.shut()
        with caplog.at_level(logging.INFO, "streamer"):
            async with owner.holds(feed.url) as line:
                await owner.until_state("down", 5)
                assert "cannot be dialled" in line.reason
                assert len(told(caplog)) == 1
                await feed.open()
                await feed.wait_for_interest(SBIN)
        lines = told(caplog, logging.INFO)
        assert len(lines) == 2
        assert "is connected (after " in lines[1]


async def test_a_flapping_feed_does_not_fill_the_log(
    feed: FeedPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """A line that comes and goes is told coming and going once for each way, until it is good."""
    owner = Owner(SBIN)
    with caplog.at_level(logging.INFO, "streamer"):
        async with owner.holds(feed.url):
            for times in range(1, 9):
                await owner.until_state("connected", times)
                if times % 2:
                    feed.drop()
                else:
                    feed.log_off()
                await owner.until_state("down", times)
    # Connected, dropped, connected, logged off, connected.
    assert len(told(caplog, logging.INFO)) == 5


async def test_a_feed_that_stays_mute_is_told_once(
    feed: FeedPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """However long a line stays open, if nothing comes it does not count as a good one."""
    owner = Owner(SBIN)
    chance = Bounds(0.0)
    how = UpstreamSettings(mute_after_s=0.25, stable_after_s=0.24)
    async with owner.holds(feed.url, how, chance=chance):
        await owner.until_state("stale", 4)
    assert len(told(caplog)) == 1
    assert chance.bounds[:3] == [0.25, 0.5, 1]


async def test_something_that_is_no_feed_is_a_fault() -> None:
    """A server that is no WebSocket server is told and dialled again, not crashed over."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    owner = Owner()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with owner.holds(f"ws://127.0.0.1:{port}") as line:
            await owner.until_state("down", 2)
            assert "HTTP 404" in line.reason


# --- secrets


async def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """At the finest level of every logger, no line shows the key or the frame that holds it."""
    owner = Owner(SBIN)
    with caplog.at_level(logging.DEBUG):
        async with FeedPeer() as feed, owner.holds(feed.url.replace("//", f"//me:{KEY}@")):
            await feed.wait_for_interest(SBIN)
            feed.drop()
            await owner.until_state("connected", 2)
            feed.logon_status = LOGON_REFUSED
            feed.drop()
            await owner.until_state("down", 2)
    shown = [record.getMessage() for record in caplog.records]
    assert any("closed the connection" in line for line in shown)
    assert not [line for line in shown if KEY in line]
    assert not [
        record
        for record in caplog.records
        if record.name == "streamer.upstream.socket" and "BINARY" in record.getMessage()
    ]


# --- life and end


async def test_an_error_of_the_owner_ends_the_run(feed: FeedPeer) -> None:
    """A fault in our own code is not taken for a fault of the feed: it comes out of ``run``."""

    def fail(messages: list[FeedMessage]) -> None:
        raise LookupError("ours")

    line = Upstream(
        feed.url,
        user="DEMO01",
        key="",
        on_messages=fail,
        on_state=lambda state: None,
        interest=list,
    )
    with pytest.raises(LookupError, match="ours"):
        await line.run()
    assert line.state == "down"
    await feed.wait_until(lambda: feed.connections == 0)


async def test_close_ends_it_wherever_it_is(feed: FeedPeer) -> None:
    """Connected, held, waiting to dial again, dialling, or not begun: ``close`` ends it at once."""
    owner = Owner(SBIN)
    slow = UpstreamSettings(first_delay_s=3600, longest_delay_s=3600)
    async with owner.holds(feed.url, slow):
        await owner.until_state("connected")
    await feed.wait_until(lambda: feed.connections == 0)

    held = Owner(SBIN)
    held.gate.clear()
    async with held.holds(feed.url, slow):
        await held.until_state("connected")
        await held.until(lambda: len(held.frames) == 1)
        feed.send(beat(1))
    assert held.states[-1] == "down"

    waiting = Owner(SBIN)
    async with waiting.holds(feed.url, slow, chance=Bounds(1.0)):
        await waiting.until_state("connected")
        feed.drop()
        await waiting.until_state("down")

    dialling = Owner()
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        async with dialling.holds(f"ws://127.0.0.1:{deaf.getsockname()[1]}", slow):
            await dialling.until_state("connecting")
    assert dialling.states == ["connecting", "down"]

    line = Upstream(
        feed.url,
        user="",
        key="",
        on_messages=lambda messages: None,
        on_state=lambda state: None,
        interest=list,
    )
    await line.close()
    await line.run()
    assert line.state == "down"


async def test_a_cancelled_run_is_cancelled(feed: FeedPeer) -> None:
    """Cancelling ``run`` closes the connection and raises what cancelling raises."""
    owner = Owner(SBIN)
    async with owner.holds(feed.url) as line:
        await feed.wait_for_interest(SBIN)
        await line.close()
    other = Upstream(
        feed.url,
        user="",
        key="",
        on_messages=owner.take,
        on_state=owner.see,
        interest=lambda: [TCS],
    )
    running = asyncio.ensure_future(other.run())
    await feed.wait_for_interest(TCS)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert running.cancelled()
    await feed.wait_until(lambda: feed.connections == 0)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4509", "127.0.0.1:4509", "ws://", "ws:///x", "ws://h:99999"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """A wrong address is an error of configuration, told at once and not dialled for ever."""
    with pytest.raises(ConfigError, match="expected ws://HOST:PORT"):
        Upstream(
            url,
            user="",
            key="",
            on_messages=lambda messages: None,
            on_state=lambda state: None,
            interest=list,
        )


# --- back-off


class Bounds(random.Random):
    """Chance that notes what bounds it is given, and always falls on the same share of them."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share
        self.bounds: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.bounds.append(b)
        return a + (b - a) * self.share


@given(
    st.integers(0, 10_000), st.randoms(use_true_random=False), st.floats(0, 10), st.floats(0, 1000)
)
def test_a_delay_is_within_its_bounds(
    attempt: int, chance: random.Random, first_s: float, longest_s: float
) -> None:
    """Never negative, never beyond the longest nor beyond what the attempt allows."""
    delay = backoff(attempt, chance, first_s=first_s, longest_s=longest_s)
    assert 0 <= delay <= longest_s
    if attempt <= 30:
        assert delay <= first_s * 2**attempt


def test_delays_double_up_to_the_longest() -> None:
    """The bound of the default is 0.25 s, doubles, and ends at 15 s."""
    chance = Bounds(1.0)
    delays = [backoff(attempt, chance) for attempt in range(9)]
    assert delays == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]


@given(st.integers(0, 2**32), st.integers(0, 20))
def test_the_same_seed_gives_the_same_delay(seed: int, attempt: int) -> None:
    """Jitter comes from the given source alone."""
    assert backoff(attempt, random.Random(seed)) == backoff(attempt, random.Random(seed))


@pytest.mark.parametrize(
    ("stable_after_s", "bounds"), [(3600, [0.25, 0.5, 1, 2]), (0, [0.25, 0.25, 0.25, 0.25])]
)
async def test_a_stable_connection_makes_the_delay_short_again(
    feed: FeedPeer, stable_after_s: float, bounds: list[float]
) -> None:
    """The delay grows while connections do not last, and begins anew after one that did."""
    owner = Owner(SBIN)
    chance = Bounds(0.0)
    async with owner.holds(
        feed.url, UpstreamSettings(stable_after_s=stable_after_s), chance=chance
    ):
        for times in range(1, 5):
            await owner.until_state("connected", times)
            feed.drop()
            await owner.until_state("down", times)
        assert chance.bounds[:4] == bounds
