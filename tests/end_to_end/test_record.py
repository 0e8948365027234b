"""Recording, whole: programs, real sockets, real files, and kills in the middle."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from signal import SIGINT, SIGKILL

import pytest

from simulator.recording import Recording
from simulator.replay import Replay
from simulator.tape_journal import JournalContent, leftovers
from streamer.errors import RecordingError
from streamer.instruments import InstrumentTable
from streamer.odin.messages import Heartbeat, decode_message
from tests.feed_peer import FeedPeer
from tests.guide.page import ROOT
from tests.guide.program import DEADLINE_S, Program
from tests.simulator.feed_words import updates_of
from tests.simulator.parquet_files import at
from tests.simulator.test_transcript import SBIN, touchline

DAY = ROOT / "recordings" / "day.parquet"
SECOND = 10**9
DAY_NS = 86_400 * SECOND


@contextmanager
def replaying(*options: str) -> Iterator[tuple[str, str, Program]]:
    """The bundled day on a feed, its clock started by the first subscriptions."""
    ports = ("--feed-port", "0", "--control-port", "0")
    command = (sys.executable, "-m", "simulator.cli", "replay", str(DAY), "--feed-only", *ports)
    with Program([*command, "--start-on", "subscribe", *options]) as program:
        feed = program.expect(r"ODIN feed +(ws://\S+)")[1]
        control = program.expect(r"REST logon +(http://[^/]+)")[1]
        yield feed, control, program


class Recorder(Program):
    """A running recorder."""

    def ended(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        return self._process.wait(DEADLINE_S)


def recorder(feed: str, folder: Path, *options: str) -> Recorder:
    """A recorder of everything that a feed has."""
    command = (sys.executable, "-m", "simulator.cli", "record", "--upstream", feed)
    return Recorder([*command, "--symbols", "all", "-o", str(folder), *options])


def opened(folder: Path) -> Recording:
    """What is in a folder, as one recording."""
    return Recording.open(sorted(folder.glob("*.parquet")), instruments=InstrumentTable.bundled())


def heard(recording: Recording, start: int, end: int) -> list[object]:
    """What a client of the feed hears of a window."""
    updates = updates_of(Replay(recording, start=start, end=end))
    return [decode_message(update.text) for update in updates]


def test_recording_our_own_replay_and_replaying_it_gives_the_same_updates(tmp_path: Path) -> None:
    """Through two programs and a socket: each update of the window, in order, in two files."""
    # The pre-open begins at 09:00, so that nothing has a state before.
    with replaying("--from", "09:00", "--to", "09:17", "--speed", "max", "--lossless") as (
        feed,
        *_,
    ):
        with recorder(feed, tmp_path, "--rotate", "15m") as program:
            program.expect(r"Recorded +[\d,]+ rows in 2 files")
            program.expect("Ended +the simulator logged off")
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert names == ["20250904-0900-01.parquet", "20250904-0915-01.parquet"]
    source = Recording.open([DAY], instruments=InstrumentTable.bundled())
    expected = heard(source, at("09:00"), at("09:17"))
    assert len(expected) > 1000
    assert heard(opened(tmp_path), at("09:00"), at("09:17")) == expected


def test_a_kill_loses_the_last_moments_at_the_most(tmp_path: Path) -> None:
    """``kill -9``: what was flushed is recovered by the next start, and nothing is torn."""
    flush_s, speed = 0.25, 10
    with replaying("--from", "10:00", "--speed", str(speed)) as (feed, control, _):
        with recorder(feed, tmp_path, "--flush", str(flush_s)) as program:
            wait_until(lambda: max(rows_left(tmp_path), default=0) > at("10:00:20"))
            with urllib.request.urlopen(f"{control}/status") as answer:
                reached = json.load(answer)["reached"]
            assert program.stop(SIGKILL) == -SIGKILL
        (journal,) = leftovers(tmp_path)
        last = max(rows_left(tmp_path))
        told = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", reached))
        assert (told.timestamp() - last / SECOND) / speed <= flush_s + 2
        with recorder(feed, tmp_path) as program:
            program.expect(rf"Recovered {re.escape(str(journal.with_suffix('.parquet')))}")
            program.expect("Recording 116 instruments")
            wait_until(lambda: max(rows_left(tmp_path), default=0) > last)
            assert program.stop(SIGINT) == 0
            program.expect("Ended +SIGINT")
    assert leftovers(tmp_path) == []
    recording = opened(tmp_path)
    assert [entry["ended"] for entry in recording.metadata] == ["killed", "ended"]
    assert recording.start == at("10:00")


async def test_a_reconnect_goes_on_in_the_same_file_and_notes_the_gap(tmp_path: Path) -> None:
    """The footer says between which rows the feed was away, and why."""
    async with FeedPeer(time=at("10:00")) as feed:
        with recorder(feed.url, tmp_path, "--flush", "0.1") as program:
            await feed.wait_until(lambda: len(feed.interest) == 116)
            feed.send(touchline("10:00:01"), touchline("10:00:01", SBIN))
            await until(lambda: len(rows_left(tmp_path)) == 2)
            feed.time = at("10:00:30")
            feed.drop()
            await feed.wait_until(lambda: len(feed.logons) == 2 and len(feed.interest) == 116)
            feed.send(touchline("10:00:31"))
            feed.log_off("over", sent=at("10:00:32"))
            await asyncio.to_thread(program.expect, "Ended +the simulator logged off: over")
    recording = opened(tmp_path)
    assert (len(recording.paths), recording.rows) == (1, 3)
    (gap,) = recording.metadata[0]["gaps"]
    assert gap["after"].startswith("2025-09-04T10:00:01")
    assert gap["before"].startswith("2025-09-04T10:00:31")
    assert "closed the connection" in gap["why"]


async def test_a_disk_that_fails_ends_the_recording(tmp_path: Path) -> None:
    """At once, with the reason and status 1: a recorder that records nothing must not look well."""
    folder = tmp_path / "tapes"
    async with FeedPeer(time=at("10:00")) as feed:
        with recorder(feed.url, folder, "--flush", "0.1", "--rotate", "1m") as program:
            await feed.wait_until(lambda: len(feed.interest) == 116)
            feed.send(touchline("10:00:01"))
            await until(lambda: len(rows_left(folder)) == 1)
            shutil.rmtree(folder)
            feed.send(Heartbeat(sent=at("10:01")), touchline("10:01:01"))
            await asyncio.to_thread(program.expect, "ERROR a file could not be finished")
            await asyncio.to_thread(program.expect, "Error: .*No such file or directory")
            assert await asyncio.to_thread(program.ended) == 1


@pytest.mark.parametrize(("begin", "end"), [("10:00:01", "10:05"), ("23:59:58", "00:00:05")])
async def test_a_real_feed_is_recorded_until_it_is_time(
    tmp_path: Path, begin: str, end: str
) -> None:
    """By the machine's clock, over midnight too, whatever the feed says; a logoff is no end."""
    clock_file, folder = tmp_path / "clock", tmp_path / "tapes"
    now = at(begin)

    def set_clock(moment: int) -> None:
        # At once, since the recorder reads it all the time.
        beside = tmp_path / "clock-beside"
        beside.write_text(str(moment))
        beside.replace(clock_file)

    set_clock(now)
    module = (sys.executable, "-m", "tests.end_to_end.timed_recorder")
    async with FeedPeer(simulated=False, time=now) as feed:
        with Recorder([*module, str(clock_file), feed.url, str(folder), end]) as program:
            await feed.wait_until(lambda: len(feed.interest) == 116)
            feed.send(touchline(begin))
            await until(lambda: len(rows_left(folder)) == 1)
            feed.log_off("for now")
            feed.drop()
            await feed.wait_until(lambda: len(feed.logons) == 2)
            next_end = at(end) if end > begin else at(end) + DAY_NS
            # A real feed's last updates may come a moment after their time.
            set_clock(next_end + 5 * SECOND)
            await asyncio.to_thread(program.expect, f"Ended +it is {end}")
            assert await asyncio.to_thread(program.ended) == 0
    recording = opened(folder)
    assert recording.metadata[0]["simulated"] is False
    assert (recording.rows, recording.start) == (1, now)


def test_nothing_recorded_is_a_failure(tmp_path: Path) -> None:
    """A feed that never answers leaves no file, and scripts see it."""
    with recorder("ws://127.0.0.1:1", tmp_path) as program:
        program.expect("cannot be dialled")
        assert program.stop(SIGINT) == 1
        program.expect("nothing was recorded")
    assert list(tmp_path.iterdir()) == []


def wait_until(condition: Callable[[], bool]) -> None:
    """Look until a condition holds, with a deadline."""
    asyncio.run(until(condition))


async def until(condition: Callable[[], bool]) -> None:
    """Look at files until a condition holds, with a deadline."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a file of another process rings no bell
            await asyncio.sleep(0.02)


def rows_left(folder: Path) -> list[int]:
    """The times of the rows in journals, as far as they are whole."""
    found: list[int] = []
    for journal in folder.glob("*.journal"):
        with suppress(RecordingError):
            for batch in JournalContent(journal).batches():
                found += batch.column("ts").to_pylist()
    return found
