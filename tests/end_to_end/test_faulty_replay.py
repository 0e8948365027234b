"""``odin-sim replay`` with faults, as a user starts it: real programs, their exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.scenarios import load_scenario
from tests.end_to_end.test_replay import DAY, recorded
from tests.simulator.tapes import counted_rows, write_tape
from tests.simulator.test_replay_run import Client, replaying

STOCKS = ("RELIANCE", "SBIN")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Two instruments that take turns, an update every 10 ms for ten seconds from the open."""
    return write_tape(tmp_path / "tape.parquet", counted_rows(1000))


async def test_a_replay_goes_through_its_faults(tape: Path) -> None:
    """Clients get right data or none, up to the last update, and everything is in the ledger."""
    ledger = tape.with_name("ledger.jsonl")
    options = (
        "--speed", "2", "--start-on", "subscribe", "--seed", "7", "--ledger", str(ledger),
        "--fault", "drop:share=0.5@09:15:01+1s", "--fault", "logged-off@09:15:03",
        "--fault", "corrupt-zlib@09:15:06",
    )  # fmt: skip
    async with replaying(tape, *options) as sim:
        client = Client()
        await client.stream(await sim.url(), *STOCKS)
        assert await sim.ended() == 0, sim.printed
        assert "3 faults are planned; random numbers come from seed 7." in sim.printed
    figures = [(quote["token"], quote["data"]["ltp"]) for quote in client.of_type("market_data")]
    recorded = [(str(token), round(price, 2)) for _, token, price in counted_rows(1000)]
    # A server that falls behind may tell its stocks in another order, each in its own.
    for token in {token for token, _ in figures}:
        told = [each for each in figures if each[0] == token]
        assert [each for each in recorded if each in set(told)] == told
    assert set(figures[-2:]) == set(recorded[-2:])
    assert 500 < len(figures) < 900
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    phases = [(line["fault"].partition(":")[0].partition("@")[0], line["phase"])
              for line in lines if line["what"] == "fault"]  # fmt: skip
    assert phases == [
        ("drop", "begins"),
        ("drop", "ends"),
        ("logged-off", "begins"),
        ("logged-off", "hits"),
        ("logged-off", "ends"),
        ("corrupt-zlib", "begins"),
        ("corrupt-zlib", "ends"),
    ]
    assert 25 < sum(line["what"] == "lost" for line in lines) < 75


@pytest.mark.parametrize(
    ("name", "end", "speed"),
    [
        ("opening-burst", "09:16", "30"),
        ("reconnect-storm", "09:20", "60"),
        ("flaky-network", "11:10", "1500"),
        pytest.param("bad-day", "15:31", "1500", marks=pytest.mark.slow),
    ],
)
async def test_a_shipped_scenario_is_survived(
    name: str, end: str, speed: str, tmp_path: Path
) -> None:
    """On the bundled day: every fault comes, the run ends well, no quote is invented."""
    ledger = tmp_path / "ledger.jsonl"
    day = tmp_path / DAY.name
    day.symlink_to(DAY)
    options = ("--to", end, "--speed", speed, "--scenario", name, "--start-on", "subscribe")
    async with replaying(day, *options, "--ledger", str(ledger)) as sim:
        client = Client()
        await client.stream(await sim.url(), *STOCKS)
        assert await sim.ended() == 0, sim.printed
    known = set(recorded(STOCKS, "09:00", "15:31"))
    quotes = [each["data"] for each in client.of_type("market_data")]
    assert quotes
    assert {(each["token"], each["volume"], each["ltp"]) for each in quotes} <= known
    begun = [json.loads(line)["fault"] for line in ledger.read_text().splitlines()
             if '"phase":"begins"' in line]  # fmt: skip
    assert sorted(begun) == sorted(str(each) for each in load_scenario(name).plan)


async def test_lateness_can_fail_a_replay(tape: Path) -> None:
    """With the figures, for people and in the report; a bound that is kept changes nothing."""
    quick = ("--speed", "20", "--feed-only")
    async with replaying(tape, *quick, "--max-p99-late", "0us") as sim:
        assert await sim.ended() == 1
        assert "--max-p99-late allows 0 ms" in sim.printed
        assert sim.report()["ended"] == "failed"
        assert sim.report()["exit_status"] == 1
    async with replaying(tape, *quick, "--max-p99-late", "30s") as sim:
        assert await sim.ended() == 0
        assert sim.report()["lateness_ms"]["histogram"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fault", "resett@09:16"], ["--fault", "resett", "expected reset"]),
        (["--scenario", "bad-dey"], ["--scenario", "bad-day"]),
        (["--max-p99-late", "5"], ["--max-p99-late", "5ms"]),
        (["--max-p99-late", "5ms", "--speed", "max"], ["--max-p99-late", "--speed"]),
        (["--ledger", "/no-such-folder/ledger"], ["ledger", "/no-such-folder/ledger"]),
    ],
)
def test_wrong_options_are_told(options: list[str], words: list[str], tape: Path) -> None:
    """Status 2, what was found and what was expected."""
    command = [sys.executable, "-m", "simulator.cli", "replay", str(tape), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    for word in words:
        assert word in ended.stderr
