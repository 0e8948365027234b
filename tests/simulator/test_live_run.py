"""The whole command as a user starts it: real processes, real sockets, real signals."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from simulator.universe import largest
from streamer.ist import ist_date
from tests.simulator.test_control import ask
from tests.simulator.test_replay_run import Client, Sim, get_json, gone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

STOCK = largest(1)[0]
NIFTY = 26000


@asynccontextmanager
async def living(folder: Path, *options: str) -> AsyncIterator[Sim]:
    """Start ``odin-sim live`` with one stock, on free ports; kill it in the end."""
    report = folder / "report.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator.cli", "live", "--universe", "1",
        "--port", "0", "--feed-port", "0", "--control-port", "0",
        "--db", str(folder / "sessions.db"), "--report", str(report), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"TMPDIR": str(folder)},
    )  # fmt: skip
    sim = Sim(process, report)
    try:
        yield sim
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await sim.ended()


async def command(url: str, **body: object) -> tuple[int, Any]:
    """Return the status and the answer to a command."""
    return await ask(f"{url}/control", json.dumps(body).encode())


async def control_url(sim: Sim) -> str:
    """Return where the control port is."""
    return (await sim.until(r"Console\s+(http://[^/]+)/"))[1]


async def behind_s(url: str) -> float:
    """Return how far the simulated time is behind the present, in seconds."""
    _, status = await ask(f"{url}/status")
    return time.time() - datetime.fromisoformat(status["time"][:26] + "+05:30").timestamp()


def left_behind(folder: Path) -> list[str]:
    """Return what a market has left in the folder for temporary files."""
    return [path.name for path in folder.glob("odin-sim*")]


def day_of(quote: dict[str, Any]) -> str:
    """Return the day of a quote."""
    return str(ist_date(quote["timestamp"] * 1_000_000))


def sent(ledger: Path, token: int) -> list[tuple[int, int]]:
    """Return time and price in paise of every update of an instrument on the feed."""
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [(x["ts"], x["ltp"]) for x in lines if x["what"] == "update" and x["token"] == token]


@pytest.mark.slow
async def test_sessions_follow_each_other(tmp_path: Path) -> None:
    """The market opens and closes each day, and goes on from where it closed, over the weekend."""
    ledger = tmp_path / "ledger.jsonl"
    options = ("--date", "2025-09-05", "--days", "3", "--speed", "max", "--lossless")
    own = ("--start-on", "subscribe", "--seed", "5", "--ledger", str(ledger))
    async with living(tmp_path, *options, *own) as sim:
        client = Client()
        await client.stream(await sim.url(), STOCK.symbol, "NIFTY 50")
        assert await sim.ended() == 0, sim.printed
        assert "3 days were played" in sim.printed
        assert "2025-09-05 09:14:55 to 2025-09-09 15:31:10 IST, 3 whole days" in sim.printed
        report = sim.report()
    assert (report["days"], report["ended"]) == (3, "completed")
    events = [status["data"].get("event") for status in client.of_type("market_status")]
    assert [event for event in events if event] == ["market_opened", "market_closed"] * 3
    assert client.close_code == 1012
    for token in (STOCK.token, NIFTY):
        quotes = [q["data"] for q in client.of_type("market_data") if q["token"] == str(token)]
        days = {
            day: list(quotes_of_day) for day, quotes_of_day in itertools.groupby(quotes, day_of)
        }
        assert list(days) == ["2025-09-05", "2025-09-08", "2025-09-09"]
        told = {day: {quote["prev_close"] for quote in each} for day, each in days.items()}
        closes = {str(ist_date(ts)): ltp / 100 for ts, ltp in sent(ledger, token)}
        assert told["2025-09-08"] == {closes["2025-09-05"]}
        assert told["2025-09-09"] == {closes["2025-09-08"]}
        for each in days.values():
            volumes = [quote["volume"] for quote in each]
            assert volumes == sorted(volumes), "each day counts its own"
    assert left_behind(tmp_path) == []


@pytest.mark.slow
async def test_the_same_seed_makes_the_same_ticks(tmp_path: Path) -> None:
    """At any speed; another seed makes others."""
    told = []
    for number, (speed, seed) in enumerate([("max", "5"), ("10000", "5"), ("max", "6")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        options = ("--date", "2025-09-05", "--days", "2", "--speed", speed, "--seed", seed)
        own = ("--lossless", "--start-on", "subscribe", "--ledger", str(folder / "ledger.jsonl"))
        async with living(folder, *options, *own) as sim:
            client = Client()
            await client.stream(await sim.url(), STOCK.symbol)
            assert await sim.ended() == 0, sim.printed
        told.append(sent(folder / "ledger.jsonl", STOCK.token))
    assert len(told[0]) > 20_000
    assert told[0] == told[1]
    assert told[0] != told[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_to_be_stopped_is_a_good_end(tmp_path: Path, number: signal.Signals) -> None:
    """Clients are told good-bye, and no process and no file stays behind."""
    async with living(tmp_path, "--date", "2025-09-04") as sim:
        client = Client()
        streaming = asyncio.create_task(client.stream(await sim.url(), STOCK.symbol))
        await sim.until("client .* connected")
        children = sim.children()
        sim.process.send_signal(number)
        assert await sim.ended() == 0, sim.printed
        for child in children:
            await gone(child)
        await streaming
        assert client.close_code == 1012
        assert f"Ended     interrupted: by {number.name}" in sim.printed
        assert "Traceback" not in sim.printed
        assert (sim.report()["exit_status"], sim.report()["days"]) == (0, 0)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_can_be_stopped_while_the_first_day_is_made(
    tmp_path: Path, number: signal.Signals
) -> None:
    """At once, with nothing left."""
    async with living(tmp_path, "--universe", "3000") as sim:
        await sim.until("stocks made")
        sim.process.send_signal(number)
        assert await sim.ended() == 0, sim.printed
        assert "Traceback" not in sim.printed
    assert left_behind(tmp_path) == []


async def test_the_present_day_is_under_control(tmp_path: Path) -> None:
    """Seek, pause and speed work within it; what is not possible is said."""
    async with living(tmp_path, "--date", "2025-09-05") as sim:
        url = await control_url(sim)
        status, answer = await command(url, command="seek", to="15:29:50")
        assert status == 200
        assert answer["time"].startswith("2025-09-05T15:29:50")
        assert answer["window"]["end"].startswith("2025-09-05T15:31:10")
        status, answer = await command(url, command="seek", to="2025-09-08 09:15:00")
        assert status == 400
        assert (
            "a time in the window from 2025-09-05 09:14:55 to 2025-09-05 15:31:10"
            in answer["message"]
        )
        status, answer = await command(url, command="loop", passes=2)
        assert status == 400
        assert "does not come back to its days" in answer["message"]
        assert (await command(url, command="speed", value="max"))[0] == 200
        await command(url, command="pause")
        async with asyncio.timeout(60):
            while get_json(f"{url}/status")["days"] == 0:
                await command(url, command="step", seconds=10)
        assert get_json(f"{url}/status")["time"].startswith("2025-09-08T09:1")
        density = get_json(f"{url}/density")
        assert density["start"].startswith("2025-09-08T09:14:55")


async def test_with_the_wall_clocks_hours_the_time_is_the_present_one(tmp_path: Path) -> None:
    """As soon as it plays; the clock is not under control, and that is said."""
    async with living(tmp_path, "--hours", "wall") as sim:
        url = await control_url(sim)
        async with asyncio.timeout(60):
            while not -1.0 < await behind_s(url) < 1.0:
                pass
        for name in ("pause", "resume"):
            status, answer = await command(url, command=name)
            assert status == 400
            assert "the time is the present one in India" in answer["message"]
        status, answer = await command(url, command="speed", value=2)
        assert status == 400
        sim.process.send_signal(signal.SIGINT)
        assert await sim.ended() == 0, sim.printed
