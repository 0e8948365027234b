"""The simulator as the suite's feed: steered, known, lost and found again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conformance.expect import Inconclusive, Unmet
from conformance.feed import Feed
from conformance.plain_http import request
from conformance.process import Guardian, Program, StartError
from conformance.tape import STOCKS, Tape, at
from conformance.target import FeedTarget

THURSDAY = "2025-09-04"


@pytest.fixture
async def feed(tmp_path: Path) -> AsyncIterator[Feed]:
    """Return a feed that stands at the start of its tape."""
    tape = Tape.made()
    tape.write(tmp_path / "tape.parquet")
    guardian = Guardian()
    feed = Feed(FeedTarget(kind="simulator"), tape, tmp_path / "tape.parquet", guardian=guardian)
    await feed.start()
    yield feed
    await feed.stop()
    guardian.close()


async def test_a_feed_is_sought_and_played(feed: Feed) -> None:
    """It stands where the suite left it, and the tape's rows are those up to there."""
    await feed.seek(at(THURSDAY, "11:00:00"))
    await feed.play(at(THURSDAY, "11:00:05"))
    status = (await request(f"{feed.control_url}/status")).json()
    assert isinstance(status, dict)
    assert status["time"].startswith(f"{THURSDAY}T11:00:05")
    assert status["paused"]
    rows = feed.rows(STOCKS[0], "11:00:00", "11:00:05")
    assert len(rows) == 5
    assert feed.tick_of(STOCKS[0]) == rows[-1]
    assert feed.tick_of(STOCKS[0], "11:00:02") == rows[1]
    await feed.play(feed.now)


async def test_what_it_cannot_do_is_inconclusive(feed: Feed) -> None:
    """A refused command, and rows that are not there, say nothing of a server."""
    with pytest.raises(Inconclusive, match="refused seek"):
        await feed.seek(at("1999-01-01", "11:00:00"))
    with pytest.raises(Inconclusive, match="no row"):
        feed.rows(STOCKS[0], "23:00:00", "23:00:05")
    with pytest.raises(Inconclusive, match="no row"):
        feed.tick_of(STOCKS[0], "08:00:00")
    await feed.stop()
    with pytest.raises(Inconclusive, match="did not carry out"):
        await feed.seek(at(THURSDAY, "11:00:00"))


async def test_a_lost_feed_is_found_again(feed: Feed, tmp_path: Path) -> None:
    """A real server is cut off and kept off, and dials again when it may."""
    guardian = Guardian()
    server = Program("server", guardian)
    command = ["odin-streamer", "serve", "--upstream", feed.url, "--clock", "feed"]
    port = guardian.free_port()
    await server.start([*command, "--port", str(port), "--db", str(tmp_path / "s.db")])
    await feed.wait_client()
    await feed.lose()
    await feed.wait_alone()
    assert not feed.reachable
    with pytest.raises(Unmet, match="dials its feed again"):
        await feed.wait_client(within=0.1)
    await feed.restore()
    await feed.wait_client()
    assert feed.reachable
    with pytest.raises(Inconclusive, match="not lost"):
        await feed.wait_alone(within=0.1)
    before = await feed.logged_on()
    await feed.fault("reset")
    await feed.wait_client(but=before)
    assert not before & await feed.logged_on()
    await feed.lose()
    await feed.calm()
    assert feed.reachable
    await feed.wait_client()
    await server.kill()
    guardian.close()


async def test_a_feed_that_does_not_start_says_why(tmp_path: Path) -> None:
    """Its last words are told."""
    guardian = Guardian()
    feed = Feed(
        FeedTarget(kind="simulator"), Tape(Tape.made().rows[:1]), tmp_path / "x", guardian=guardian
    )
    with pytest.raises(StartError, match="no such file"):
        await feed.start()
    guardian.close()
