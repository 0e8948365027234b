"""The vendor's own client from PyPI against the feed server, in every mode that it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from odin_market_feed import ODINMarketFeedClient

from simulator.feed import FeedServer
from simulator.replay import Replay
from simulator.sockets import open_listener
from simulator.updates import Update
from streamer.odin.times import stamp
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, SECOND, counted_rows, replay_of

DEADLINE_S = 20.0
INSTRUMENTS = ["1_2885", "1_3045"]
Message = dict[str, str]


class VendorClient:
    """The vendor's client, its messages cut into tags, its errors kept."""

    def __init__(self) -> None:
        self.client = ODINMarketFeedClient()
        self.client.on_message = self._keep
        self.errors: list[str] = []
        self.client.on_error = self._keep_error
        self.messages: list[Message] = []
        self.texts: list[str] = []
        self._changed = asyncio.Event()

    def _keep(self, text: str) -> None:
        self.texts.append(text)
        fields = text.rstrip("|").split("|")
        assert all("=" in field for field in fields), text
        self.messages.append(dict(field.split("=", 1) for field in fields))
        self._changed.set()

    def _keep_error(self, error: str) -> None:
        self.errors.append(error)
        self._changed.set()

    def with_code(self, code: int) -> list[Message]:
        """Return the messages with a code, in order."""
        return [m for m in self.messages if m["64"] == str(code)]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Rig:
    """A feed with a tape, and the vendor's client logged on to it."""

    def __init__(self, feed: FeedServer, replay: Replay, vendor: VendorClient) -> None:
        self.feed = feed
        self.replay = replay
        self.vendor = vendor
        self._beats = 0

    async def play(self, seconds: float) -> list[Update]:
        """Publish the next seconds of the tape; return the updates when the client has them all."""
        self._beats += 1
        updates = self.replay.take(OPEN + int(seconds * SECOND) - 1)
        self.feed.publish(updates)
        self.feed.heartbeat(OPEN + self._beats * SECOND)
        self.feed.flush()
        # The heartbeat comes last: when it is there, so is everything before it.
        await self.vendor.until(lambda: len(self.vendor.with_code(350)) >= self._beats)
        return updates

    async def wanted(self, instruments: int) -> None:
        """Return when the feed knows of so many instruments that somebody wants."""
        async with asyncio.timeout(DEADLINE_S):
            while self.feed.instruments_wanted != instruments:
                await self.feed.wait_for_news()


@asynccontextmanager
async def rigged(directory: Path) -> AsyncIterator[Rig]:
    """Serve a tape to the vendor's client; nothing is sent unless the test plays it."""
    replay = replay_of(directory / "tape.parquet", counted_rows(1000))
    feed = FeedServer(replay.state, second=OPEN, conflate=False)
    listener = open_listener("127.0.0.1", 0, option="--feed-port")
    await feed.start(listener)
    vendor = VendorClient()
    try:
        await vendor.client.connect("127.0.0.1", listener.getsockname()[1], "DEMO01", False, "")
        await vendor.until(lambda: bool(vendor.with_code(102)))
        yield Rig(feed, replay, vendor)
        await vendor.client.disconnect()
    finally:
        await feed.close("the test is over")


@pytest.fixture(autouse=True)
def nothing_printed_as_an_error(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever the mode, the client prints no error but the end, and nothing on stderr."""
    yield
    out, err = capfd.readouterr()
    complaints = [line for line in out.splitlines() if "rror" in line and "1012" not in line]
    assert complaints == []
    assert err == ""


def assert_text_touchlines(messages: Sequence[Message], updates: Sequence[Update]) -> None:
    """Each update arrived, in order, with its figures."""
    assert len(messages) == len(updates)
    for message, update in zip(messages, updates, strict=True):
        t = update.touchline
        expected = {
            "1": t.segment, "7": t.token, "8": t.ltp, "9": t.ltq, "79": t.volume, "80": t.atp,
            "2": t.bid_qty, "3": t.bid, "5": t.ask_qty, "6": t.ask, "75": t.open, "76": t.close,
            "77": t.high, "78": t.low, "399": 100, "73": stamp(t.ltt), "74": stamp(t.lut),
        }  # fmt: skip
        assert {tag: message[tag] for tag in expected} == {k: str(v) for k, v in expected.items()}


async def test_logon(tmp_path: Path) -> None:
    """The client's logon is answered with success."""
    async with rigged(tmp_path) as rig:
        (answer,) = rig.vendor.with_code(102)
        assert answer["70"] == "10000"
        assert answer["9000"] == "1"
        assert rig.vendor.errors == []


async def test_text_touchlines_and_unsubscribing(tmp_path: Path) -> None:
    """Every update of both instruments, then of one, then of none."""
    async with rigged(tmp_path) as rig:
        await rig.vendor.client.subscribe_touchline(INSTRUMENTS, "0", False)
        await rig.wanted(2)
        updates = await rig.play(2)
        assert_text_touchlines(rig.vendor.with_code(209), updates)
        await rig.vendor.client.unsubscribe_touchline(["1_2885"])
        await rig.wanted(1)
        updates += [u for u in await rig.play(4) if u.key == SBIN]
        assert_text_touchlines(rig.vendor.with_code(209), updates)
        await rig.vendor.client.unsubscribe_touchline(["1_3045"])
        await rig.wanted(0)
        await rig.play(6)
        assert_text_touchlines(rig.vendor.with_code(209), updates)
        assert rig.vendor.errors == []


async def test_the_present_state_comes_at_once(tmp_path: Path) -> None:
    """A subscription in the middle of the day is answered before the next update."""
    async with rigged(tmp_path) as rig:
        updates = await rig.play(5)
        await rig.vendor.client.subscribe_touchline(INSTRUMENTS, "0", False)
        await rig.vendor.until(lambda: len(rig.vendor.with_code(209)) == 2)
        assert_text_touchlines(rig.vendor.with_code(209), updates[-2:])


async def test_native_touchlines(tmp_path: Path) -> None:
    """The 64-byte block decodes to the update's figures."""
    async with rigged(tmp_path) as rig:
        await rig.vendor.client.subscribe_touchline(INSTRUMENTS, "1", False)
        await rig.wanted(2)
        updates = await rig.play(3)
        messages = rig.vendor.with_code(209)
        assert len(messages) == len(updates) == 300
        for message, update in zip(messages, updates, strict=True):
            t = update.touchline
            expected = {
                "1": t.segment, "7": t.token, "8": t.ltp, "2": t.bid_qty, "3": t.bid,
                "5": t.ask_qty, "6": t.ask, "75": t.open, "77": t.high, "78": t.low,
                "76": t.close, "399": 100, "73": stamp(t.ltt), "74": stamp(t.lut),
            }  # fmt: skip
            assert {k: message[k] for k in expected} == {k: str(v) for k, v in expected.items()}
        assert rig.vendor.errors == []


@pytest.mark.parametrize("response_type", ["0", "1"])
async def test_touchlines_on_change_only(tmp_path: Path, response_type: str) -> None:
    """Updates that repeat the last price are left out, in text and in native form."""
    async with rigged(tmp_path) as rig:
        rows = [(i * 10, 2885, 100.0 + i // 5) for i in range(100)]
        rig.replay = replay_of(tmp_path / "repeats.parquet", rows)
        await rig.vendor.client.subscribe_touchline(["1_2885"], response_type, True)
        await rig.wanted(1)
        assert len(await rig.play(2)) == 100
        prices = [m["8"] for m in rig.vendor.with_code(209)]
        assert prices == [str(10000 + 100 * i) for i in range(20)]
        assert rig.vendor.errors == []


async def test_ltp_touchlines_and_unsubscribing(tmp_path: Path) -> None:
    """The short form carries price, close and time."""
    async with rigged(tmp_path) as rig:
        await rig.vendor.client.subscribe_ltp_touchline(INSTRUMENTS)
        await rig.wanted(2)
        updates = await rig.play(2)
        messages = rig.vendor.with_code(348)
        assert [(m["1"], m["7"], m["8"], m["76"], m["74"], m["399"]) for m in messages] == [
            ("1", str(u.key[1]), str(u.ltp), "10000", stamp(u.ts), "100") for u in updates
        ]
        await rig.vendor.client.unsubscribe_ltp_touchline(INSTRUMENTS)
        await rig.wanted(0)
        await rig.play(4)
        assert len(rig.vendor.with_code(348)) == len(updates)
        assert rig.vendor.errors == []


async def test_the_old_method_of_subscribing(tmp_path: Path) -> None:
    """Touchlines asked for in the client's older wording are text touchlines."""
    async with rigged(tmp_path) as rig:
        await rig.vendor.client.subscribe_touchlineold(INSTRUMENTS)
        await rig.wanted(2)
        updates = await rig.play(1)
        assert_text_touchlines(rig.vendor.with_code(209), updates)


async def test_best_five_and_unsubscribing(tmp_path: Path) -> None:
    """Five records a side come with each update of the one instrument."""
    async with rigged(tmp_path) as rig:
        await rig.vendor.client.subscribe_best_five("2885", 1)
        await rig.wanted(1)
        updates = [u for u in await rig.play(2) if u.key == RELIANCE]
        texts = [text for text in rig.vendor.texts if "|64=128|" in text]
        assert len(texts) == len(updates)
        for text, update in zip(texts, updates, strict=True):
            depth = text[text.index("|11=1|") :]
            assert depth.count("|12=") == 10
            assert depth.count("$14=") == depth.count("$37=") == 10
            assert f"|8={update.ltp}|" in text
        await rig.vendor.client.unsubscribe_best_five("2885", 1)
        await rig.wanted(0)
        await rig.play(4)
        assert len(rig.vendor.with_code(128)) == len(updates)
        assert rig.vendor.errors == []


async def test_pause_and_resume(tmp_path: Path) -> None:
    """A pause drops updates; a resume tells the present state once and goes on."""
    async with rigged(tmp_path) as rig:
        await rig.vendor.client.subscribe_touchline(INSTRUMENTS, "0", False)
        await rig.wanted(2)
        before = await rig.play(1)
        await rig.vendor.client.subscribe_pause_resume(True)
        # The same socket carries both requests: when the second took effect, so did the first.
        await rig.vendor.client.subscribe_ltp_touchline(["1_11536"])
        await rig.wanted(3)
        missed = await rig.play(2)
        assert len(rig.vendor.with_code(209)) == len(before)
        await rig.vendor.client.subscribe_pause_resume(False)
        await rig.vendor.until(lambda: len(rig.vendor.with_code(209)) == len(before) + 2)
        after = await rig.play(3)
        assert_text_touchlines(rig.vendor.with_code(209), [*before, *missed[-2:], *after])
        assert rig.vendor.errors == []


async def test_the_feed_ends_with_a_code_that_the_client_notices(tmp_path: Path) -> None:
    """After 1012 the client calls its error callback; 1000 and 1001 would leave it silent."""
    async with rigged(tmp_path) as rig:
        await rig.feed.log_off("the recording is over")
        await rig.vendor.until(lambda: bool(rig.vendor.with_code(109)))
        await rig.feed.close("the recording is over")
        await rig.vendor.until(lambda: bool(rig.vendor.errors))
        assert "1012" in rig.vendor.errors[0]
