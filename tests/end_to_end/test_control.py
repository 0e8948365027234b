"""Control of a running replay: ``odin-sim ctl``, and what clients of the real streamer see."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from streamer.ist import ist_date, ist_ns
from streamer.odin import messages as wire
from tests.guide.program import Program
from tests.simulator.feed_client import FeedClient
from tests.simulator.tapes import DAY, OPEN, RELIANCE, SBIN, SECOND, Row, counted_rows, write_tape

DEADLINE_S = 60.0


class Replay:
    """A running replay that somebody controls."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.url = program.expect(r"(WebSocket clients|ODIN feed) +(ws://[^\s?]+)")[2]
        self.control_port = program.expect(r"Console +http://\S+:(\d+)/")[1]

    async def ctl(self, *words: str) -> str:
        """Run ``odin-sim ctl``; return what it says."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulator.cli", "ctl"),
            *("--control-port", self.control_port, *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()


@asynccontextmanager
async def replaying(folder: Path, tape: list[Row], *options: str) -> AsyncIterator[Replay]:
    """Start ``odin-sim replay`` of a tape on free ports; end it."""
    path = write_tape(folder / "tape.parquet", tape)
    ports = ("--port", "0", "--feed-port", "0", "--control-port", "0")
    command = (sys.executable, "-m", "simulator.cli", "replay", str(path), *ports)
    own = ("--db", str(folder / "sessions.db"), *options)
    with Program([*command, *own]) as program:
        yield await asyncio.to_thread(Replay, program)


class Desk:
    """A client of the streamer that keeps what it is told."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []

    async def until(self, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read up to a message that is accepted; return it."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self.messages.append(json.loads(await self.socket.recv()))
                if accept(self.messages[-1]):
                    return self.messages[-1]

    async def price(self, ltp: float) -> dict[str, Any]:
        """Read up to a quote with a price; return it."""
        quote = await self.until(
            lambda m: bool(m["type"] == "market_data" and m["data"]["ltp"] == ltp)
        )
        data: dict[str, Any] = quote["data"]
        return data

    def notices(self) -> list[str]:
        """The openings and closings told so far."""
        events = (message.get("data", {}).get("event") for message in self.messages)
        return [event for event in events if event in ("market_opened", "market_closed")]


async def test_a_pause_stops_updates_and_not_the_heartbeat(tmp_path: Path) -> None:
    """The feed tells the standing time each second; resumed, it goes on where it was."""
    tape = counted_rows(2000)
    async with replaying(tmp_path, tape, "--feed-only", "--from", "start", "--hold") as replay:
        async with FeedClient(replay.url) as client:
            await client.log_on()
            await client.subscribe(RELIANCE, SBIN)
            await client.until(lambda: any(isinstance(m, wire.Touchline) for m in client.messages))
            assert "paused" in await replay.ctl("pause")
            await client.until(lambda: client.heartbeats[-2:-1] == client.heartbeats[-1:])
            updates = sum(isinstance(m, wire.Touchline) for m in client.messages)
            told = len(client.heartbeats)
            await client.until(lambda: len(client.heartbeats) >= told + 2)
            assert sum(isinstance(m, wire.Touchline) for m in client.messages) == updates
            assert len(set(client.heartbeats[told:])) == 1
            await replay.ctl("speed", "max")
            await replay.ctl("resume")

            def prices() -> list[int]:
                return [m.ltp for m in client.messages if isinstance(m, wire.Touchline)]

            await client.until(lambda: prices()[-1] == 11999)
            assert prices()[updates:] == list(range(max(prices()[:updates]) + 1, 12000))


async def test_a_seek_back_begins_the_day_anew_for_clients(tmp_path: Path) -> None:
    """H-5: on the same connection open, high, low and volume are those of the earlier time."""
    minute = 60_000
    # The price falls from 200 to 100 by the hour, then rises above where it began.
    tape: list[Row] = [(i * minute, 2885, 200.0 - i) for i in range(100)]
    tape += [((100 + i) * minute, 2885, 101.0 + i) for i in range(270)]
    async with replaying(tmp_path, tape, "--hold", "--start-on", "subscribe") as replay:
        async with connect(f"{replay.url}?client_id=seeker", proxy=None) as socket:
            desk = Desk(socket)
            await desk.until(lambda m: bool(m["type"] == "welcome"))
            await replay.ctl("pause")
            await socket.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE"]}))
            await desk.until(lambda m: bool(m["type"] == "subscription_response"))

            async def at(clock: str, ltp: float) -> tuple[float, float, float, int]:
                said = await replay.ctl("seek", clock)
                assert clock in said
                data = await desk.price(ltp)
                return data["open"], data["high"], data["low"], data["volume"]

            assert await at("10:00:30", 155.0) == (200.0, 200.0, 155.0, 46)
            assert await at("14:00:30", 286.0) == (200.0, 286.0, 101.0, 286)
            assert await at("09:30:30", 185.0) == (200.0, 200.0, 185.0, 16)
            before = desk.notices()
            await replay.ctl("seek", "09:14:58")
            await replay.ctl("step", "09:15:30")
            first = await desk.price(200.0)
            assert [first[name] for name in ("open", "high", "low", "volume")] == [200, 200, 200, 1]
            assert desk.notices()[len(before) :] == ["market_closed", "market_opened"]
            await replay.ctl("step", "09:17:00")
            second = await desk.price(198.0)
            assert [second[name] for name in ("open", "high", "low")] == [200, 200, 198]
            assert [m for m in desk.messages if m["type"] == "error"] == []


async def test_several_days_with_their_nights(tmp_path: Path) -> None:
    """Files in sequence are days that follow each other; nights pass, the market closes in them."""
    night_ms = (ist_ns(DAY, "15:29") - OPEN) // 1_000_000
    day_ms = 86_400_000
    paths = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    write_tape(paths[0], [(0, 2885, 100.0), (night_ms, 2885, 101.0)])
    tape: list[Row] = [(day_ms, 2885, 102.0), (day_ms + night_ms, 2885, 103.0)]
    async with replaying(
        tmp_path, tape, str(paths[0]), "--speed", "max", "--lossless", "--start-on", "subscribe"
    ) as replay:
        async with connect(f"{replay.url}?client_id=nights", proxy=None) as socket:
            await socket.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE"]}))
            desk = Desk(socket)
            await desk.until(lambda m: bool(m["type"] == "server_shutdown"))
            quotes = [m["data"] for m in desk.messages if m["type"] == "market_data"]
            assert [quote["ltp"] for quote in quotes] == [100.0, 101.0, 102.0, 103.0]
            assert [quote["open"] for quote in quotes] == [100.0, 100.0, 102.0, 102.0]
            assert desk.notices() == ["market_opened", "market_closed", "market_opened"]


async def test_events_are_told_to_the_end(tmp_path: Path) -> None:
    """From the start to why it stopped; a listener neither hinders the end nor is cut off."""
    tape = counted_rows(200)
    async with replaying(tmp_path, tape, "--feed-only", "--start-on", "first-client") as replay:
        reader, writer = await asyncio.open_connection("localhost", int(replay.control_port))
        writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            await reader.readuntil(b": listening")
            await replay.ctl("seek", "09:15:00")
            await replay.ctl("speed", "max")
            await replay.ctl("resume")
            said = (await reader.read()).decode()
        writer.close()
        names = [line[7:] for line in said.splitlines() if line.startswith("event: ")]
        assert names == ["seeked", "speed", "started", "resumed", "completed", "stopped"]
        assert "the whole window was replayed" in said
        await asyncio.to_thread(replay.program.expect, r"^Ended +completed")
        assert [line for line in replay.program.said if "ERROR" in line or "Cancel" in line] == []


@pytest.mark.parametrize("shift", ["today", "now"])
async def test_shifted_times_are_fresh(tmp_path: Path, shift: str) -> None:
    """Header, last trade and last update move together, to today, or to the present second."""
    options = ("--feed-only", "--from", "start", "--shift", shift, "--start-on", "subscribe")
    before = time.time_ns()
    async with replaying(tmp_path, counted_rows(300), *options) as replay:
        async with FeedClient(replay.url) as client:
            await client.log_on()
            await client.subscribe(RELIANCE, SBIN)
            await client.until(lambda: client.close_code is not None)
            updates = [m for m in client.messages if isinstance(m, wire.Touchline)]
    assert len(updates) == 300
    first, last = updates[0], updates[-1]
    assert (first.sent, first.ltt, first.lut) == (first.lut,) * 3
    assert last.lut - first.lut == 2 * SECOND
    assert {(m.open, m.low) for m in updates[::2]} == {(10000, 10000)}
    if shift == "today":
        # The test may run across midnight.
        days = {ist_date(before), ist_date(time.time_ns())}
        assert first.lut in {ist_ns(day, "09:15") for day in days}
    else:
        assert before - SECOND <= first.lut <= time.time_ns()


async def test_faults_begun_by_hand_are_survived(tmp_path: Path) -> None:
    """In a run that was planned without any: its clients stay, and see how the day ends."""
    tape = counted_rows(1000)
    async with replaying(tmp_path, tape, "--start-on", "subscribe", "--speed", "2") as replay:
        async with connect(f"{replay.url}?client_id=steady", proxy=None) as socket:
            desk = Desk(socket)
            await socket.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE", "SBIN"]}))
            await desk.until(lambda m: bool(m["type"] == "market_data"))
            assert "running  reset" in await replay.ctl("fault", "reset")
            await desk.until(lambda m: bool(m["type"] == "market_data"))
            # It runs beyond the end, which ends it, so that the last figures are heard.
            assert "running  refuse" in await replay.ctl("fault", "refuse+1h")
            await replay.ctl("speed", "max")
            await desk.until(lambda m: bool(m["type"] == "server_shutdown"))
        quotes = [m["data"] for m in desk.messages if m["type"] == "market_data"]
        assert {(quote["token"], quote["ltp"]) for quote in quotes[-2:]} == {
            ("2885", 109.98),
            ("3045", 109.99),
        }
        await asyncio.to_thread(replay.program.expect, r"^Ended +completed")


async def test_a_logoff_that_would_end_the_run_is_refused(tmp_path: Path) -> None:
    """With the options that would allow it; with them the streaming server comes back."""
    tape = counted_rows(1000)
    options = ("--start-on", "first-client", "--from", "start")
    async with replaying(tmp_path, tape, *options) as replay:
        with pytest.raises(AssertionError, match="--hold"):
            await replay.ctl("fault", "logged-off")
    async with replaying(tmp_path, tape, *options, "--hold") as replay:
        await replay.ctl("fault", "logged-off")
        async with connect(f"{replay.url}?client_id=steady", proxy=None) as socket:
            await socket.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE"]}))
            desk = Desk(socket)
            await desk.until(lambda m: bool(m["type"] == "market_data"))
