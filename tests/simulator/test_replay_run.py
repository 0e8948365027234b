"""The whole command as a user starts it: real processes, real sockets, real signals."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from streamer.odin import messages as wire
from tests.simulator.feed_client import FeedClient
from tests.simulator.sealed_files import tape_with_a_wrong_row
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, SECOND, counted_rows, write_tape

DEADLINE_S = 60.0
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


class Sim:
    """A running ``odin-sim replay`` and what it printed so far."""

    def __init__(self, process: asyncio.subprocess.Process, report: Path) -> None:
        self.process = process
        self.report_path = report
        self.printed = ""
        self._changed = asyncio.Event()
        assert process.stdout is not None
        self._reading = asyncio.create_task(self._read(process.stdout))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(4096):
            self.printed += data.decode()
            self._changed.set()

    async def until(self, pattern: str) -> re.Match[str]:
        """Return the first match in what is printed, when there is one."""
        async with asyncio.timeout(DEADLINE_S):
            while not (found := re.search(pattern, self.printed)):
                assert self.process.returncode is None, self.printed
                self._changed.clear()
                await self._changed.wait()
        return found

    async def url(self) -> str:
        """Return where clients connect."""
        return (await self.until(r"WebSocket clients\s+(ws://\S+)\?"))[1]

    async def feed_url(self) -> str:
        """Return where the feed is."""
        return (await self.until(r"ODIN feed\s+(ws://\S+)"))[1]

    async def ended(self) -> int:
        """Return the exit status."""
        async with asyncio.timeout(DEADLINE_S):
            status = await self.process.wait()
            await self._reading
        return status

    def report(self) -> dict[str, Any]:
        """Return the report."""
        found: dict[str, Any] = json.loads(self.report_path.read_text())
        return found

    def children(self) -> list[int]:
        """Return the process ids of its children."""
        pid = self.process.pid
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@asynccontextmanager
async def replaying(tape: Path, *options: str, ports: bool = True) -> AsyncIterator[Sim]:
    """Start ``odin-sim replay`` on free ports with sessions of its own; kill it in the end."""
    report = tape.with_name("report.json")
    free = ["--port", "0", "--feed-port", "0", "--control-port", "0"] if ports else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator.cli", "replay", str(tape), *free,
        "--db", str(tape.with_name("sessions.db")), "--report", str(report), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    sim = Sim(process, report)
    try:
        yield sim
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await sim.ended()


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Two instruments that take turns, an update every 10 ms for ten seconds from the open."""
    return write_tape(tmp_path / "tape.parquet", counted_rows(1000))


class Client:
    """A client of the streaming server that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.close_code: int | None = None

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a type, in order."""
        return [message for message in self.messages if message["type"] == kind]

    async def stream(self, url: str, *stocks: str) -> None:
        """Subscribe, and read until the connection is closed."""
        async with asyncio.timeout(DEADLINE_S), connect(url) as stream:
            request = {"type": "request", "action": "subscribe", "stocks": stocks}
            await stream.send(json.dumps(request))
            try:
                while True:
                    self.messages.append(json.loads(await stream.recv()))
            except ConnectionClosed:
                self.close_code = stream.close_code


def is_running(pid: int) -> bool:
    """Tell whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    """Return when a process that is not our child is gone."""
    async with asyncio.timeout(DEADLINE_S):
        while is_running(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_client_gets_every_update_and_the_end(tape: Path) -> None:
    """At ``max``, lossless, from the first update on; the server ends when all is delivered."""
    options = ("--speed", "max", "--lossless", "--start-on", "subscribe")
    async with replaying(tape, *options) as sim:
        client = Client()
        await client.stream(await sim.url(), "RELIANCE", "SBIN")
        assert await sim.ended() == 0, sim.printed
        prices = [message["data"]["ltp"] for message in client.of_type("market_data")]
        assert prices == [round(100 + i / 100, 2) for i in range(1000)]
        assert client.close_code == 1012
        assert client.of_type("server_shutdown")
        report = sim.report()
        assert report["ended"] == "completed"
        assert report["exit_status"] == 0
        assert report["updates"] == report["updates_sent"] == 1000
        assert report["window"]["start"] == "2025-09-04T09:14:55.000000000+05:30"
        assert report["lateness_ms"] is None
        assert "the whole window was replayed" in sim.printed
        assert "1,000 played, 1,000 sent" in sim.printed


@pytest.mark.parametrize("speed", ["max", "20"])
async def test_a_wrong_row_behind_a_seal_ends_the_replay_before_it_is_sent(
    tmp_path: Path, speed: str
) -> None:
    """With the place of the row and status 3; no client sees a price of its row group."""
    tape = tape_with_a_wrong_row(tmp_path, wrong=2850, count=3000, row_group_size=100)
    options = ("--speed", speed, "--lossless", "--start-on", "subscribe")
    async with replaying(tape, *options) as sim:
        client = Client()
        await client.stream(await sim.url(), "RELIANCE", "SBIN")
        assert await sim.ended() == 3, sim.printed
        assert "row group 28, row 2850, column 'ltp', value -1.0: the price is out" in sim.printed
        prices = [message["data"]["ltp"] for message in client.of_type("market_data")]
        assert prices == [round(100 + i / 100, 2) for i in range(len(prices))]
        assert 0 < len(prices) <= 2800
        report = sim.report()
        assert (report["ended"], report["exit_status"]) == ("failed", 3)


async def test_a_paced_replay_takes_its_time(tape: Path) -> None:
    """Fifteen seconds at 20x are three quarters of a second, and lateness is told."""
    async with replaying(tape, "--speed", "20", "--feed-only") as sim:
        assert await sim.ended() == 0, sim.printed
        report = sim.report()
        assert report["wanted_s"] == pytest.approx(14.99 / 20, abs=0.001)
        assert report["wanted_s"] <= report["actual_s"] < report["wanted_s"] + 1
        assert report["lateness_ms"]["updates"] == 1000
        assert "Lateness  p50" in sim.printed


async def test_one_run_is_told_to_programs_and_to_people(tape: Path) -> None:
    """Both reports, with the faults that happened and under which circumstances."""
    shown = tape.with_name("report.html")
    options = ("--speed", "20", "--feed-only", "--fault", "mute@09:15:02+3s")
    async with replaying(tape, *options, "--report", str(shown)) as sim:
        assert await sim.ended() == 0, sim.printed
        report = sim.report()
        assert [event["phase"] for event in report["faults"]] == ["begins", "ends"]
        assert report["faults"][0]["time"].startswith("2025-09-04T09:15:02")
        assert 0 < report["faults"][0]["after_s"] < report["faults"][1]["after_s"]
        assert report["command"].startswith("odin-sim replay ")
        assert report["simulated"] is None
        text = shown.read_text("utf-8")
        assert "completed: the whole window was replayed" in text
        assert "<title>mute@09:15:02+3s</title>" in text
        assert 'aria-label="Lateness over the run"' in text


async def test_the_feed_alone_serves_any_client(tape: Path) -> None:
    """The clock starts with the first logon; the summary counts all passes."""
    options = ("--feed-only", "--speed", "max", "--loop", "3", "--start-on", "first-client")
    async with replaying(tape, *options, "--from", "start") as sim:
        async with FeedClient(await sim.feed_url()) as client:
            await client.socket.send(client.odin.logon(0))
            for frame in client.odin.subscribe([RELIANCE, SBIN], 0):
                await client.socket.send(frame)
            await client.until(lambda: client.close_code is not None)
            assert client.close_code == 1012
            assert isinstance(client.messages[-1], wire.Logoff)
        assert await sim.ended() == 0, sim.printed
        assert "3 whole passes" in sim.printed
        assert (sim.report()["updates"], sim.report()["passes"]) == (3000, 3)


async def test_instruments_that_only_the_recording_knows_can_be_subscribed(tmp_path: Path) -> None:
    """A symbol of the recording is a symbol of the streaming server."""
    tape = write_tape(tmp_path / "tape.parquet", counted_rows(50, tokens=(987654,)))
    options = ("--speed", "max", "--lossless", "--start-on", "subscribe")
    async with replaying(tape, *options) as sim:
        client = Client()
        await client.stream(await sim.url(), "MADEUP987654")
        assert len(client.of_type("market_data")) == 50
        assert await sim.ended() == 0, sim.printed


async def test_chosen_symbols_are_all_that_is_replayed(tape: Path) -> None:
    """The others do not exist."""
    options = ("--feed-only", "--speed", "max", "--symbols", "SBIN")
    async with replaying(tape, *options) as sim:
        assert await sim.ended() == 0, sim.printed
        assert sim.report()["updates"] == 500


async def test_the_window_starts_with_the_days_state(tape: Path) -> None:
    """In the middle of the day: what was before is there at once."""
    options = ("--feed-only", "--from", "09:15:05", "--start-on", "subscribe", "--speed", "max")
    async with replaying(tape, *options) as sim:
        async with FeedClient(await sim.feed_url()) as client:
            await client.log_on()
            await client.subscribe(SBIN)
            (state, *_) = await client.until_count(1)
            assert (state.ltp, state.open, state.volume) == (10499, 10001, 250)
            assert state.lut == OPEN + 4 * SECOND
            await client.until(lambda: client.close_code is not None)
        assert await sim.ended() == 0, sim.printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_ends_both_processes_cleanly(tape: Path, number: signal.Signals) -> None:
    """Clients are told good-bye, nothing stays behind, the summary says so."""
    async with replaying(tape, "--speed", "0.1") as sim:
        url = await sim.url()
        (child,) = sim.children()
        client = Client()
        streaming = asyncio.create_task(client.stream(url, "RELIANCE"))
        await sim.until("client .* connected")
        sim.process.send_signal(number)
        assert await sim.ended() == 130, sim.printed
        assert not is_running(child)
        await streaming
        assert client.close_code == 1012
        assert sim.report()["ended"] == "interrupted"
        assert f"Ended     interrupted: by {number.name}" in sim.printed


async def test_a_killed_simulator_leaves_no_orphan(tape: Path) -> None:
    """The streaming server ends with its standard input."""
    async with replaying(tape, "--speed", "0.1") as sim:
        await sim.url()
        (child,) = sim.children()
        sim.process.kill()
        await sim.process.wait()
        await gone(child)


async def test_the_end_of_the_streaming_server_is_the_end(tape: Path) -> None:
    """With status 1 and the reason."""
    async with replaying(tape, "--speed", "0.1") as sim:
        await sim.url()
        (child,) = sim.children()
        signal_process(child, signal.SIGKILL)
        assert await sim.ended() == 1
        assert "the streaming server ended early, with status -9" in sim.printed
        assert sim.report()["ended"] == "failed"


def signal_process(pid: int, number: signal.Signals) -> None:
    """Send a signal to one process."""
    os.kill(pid, number)


@asynccontextmanager
async def taken_port() -> AsyncIterator[int]:
    """Yield a port on which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("option", ["--feed-port", "--control-port", "--port"])
async def test_a_port_in_use_is_told(tape: Path, option: str) -> None:
    """With status 1, the option and the port."""
    async with taken_port() as port:
        async with replaying(tape, option, str(port)) as sim:
            assert await sim.ended() == 1, sim.printed
            assert re.search(rf"{port}.* in use", sim.printed), sim.printed
            assert option in sim.printed
            assert "Traceback" not in sim.printed


async def test_held_servers_stay_up_after_the_last_update(tape: Path) -> None:
    """The report is there; a late client still gets the state; Ctrl-C then is a good end."""
    async with replaying(tape, "--speed", "max", "--hold") as sim:
        await sim.until("Both servers stay up")
        assert sim.report()["ended"] == "completed"
        assert sim.report()["exit_status"] is None
        async with FeedClient(await sim.feed_url()) as late:
            await late.log_on()
            await late.subscribe(SBIN)
            (state,) = await late.until_count(1)
            assert state.ltp == 10999
            told = len(late.heartbeats)
            await late.until(lambda: len(late.heartbeats) > told)
        sim.process.send_signal(signal.SIGINT)
        assert await sim.ended() == 0, sim.printed
        assert sim.report()["exit_status"] == 0


async def test_the_status_tells_where_everything_is(tape: Path) -> None:
    """On the control port, while it runs."""
    async with replaying(tape, "--speed", "0.1") as sim:
        logon = (await sim.until(r"REST logon\s+(http://[^/]+)/"))[1]
        status = await asyncio.to_thread(get_json, f"{logon}/status")
        assert status["feed_url"] == await sim.feed_url()
        assert status["url"] == await sim.url()
        assert status["ended"] == "playing"


def get_json(url: str) -> Any:
    """Return what a URL answers."""
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
        return json.loads(answer.read())


async def test_without_a_terminal_the_progress_is_plain_lines(tape: Path) -> None:
    """No control characters get into a log file."""
    async with replaying(tape, "--speed", "max") as sim:
        assert await sim.ended() == 0
        assert "\x1b" not in sim.printed
