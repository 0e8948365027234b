"""Each way to move the market's time is tried on a real server before it is trusted."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from conformance.case import Case, Need
from conformance.clock import moved_session
from conformance.expect import Inconclusive, expect_equal
from conformance.runner import Run, Settings
from conformance.tape import IST, at, moment
from conformance.target import Target
from conformance.verdicts import Verdict
from conformance.world import World
from tests.guide.program import require

ROOT = Path(__file__).parents[2]
THURSDAY = "2025-09-04"


async def market_open(world: World) -> bool:
    """Return what the server says."""
    peer = await world.connect()
    reply = await peer.request("market_status")
    is_open: bool = reply["data"]["market_open"]
    await peer.close()
    return is_open


async def body(world: World) -> None:
    """See the market open and closed when it should be, and time go on."""
    expect_equal(await market_open(world), True, of="market_open at noon")
    for _ in range(4):
        began = time.monotonic()
        await world.to("15:29:56")
        is_open = await market_open(world)
        if time.monotonic() - began < 4:
            expect_equal(is_open, True, of="market_open before the close")
            break
    # Else a busy machine starts no server in four seconds, and the close was past.
    await world.until("15:30:01")
    expect_equal(await market_open(world), False, of="market_open after the close")


CASE = Case(
    id="MKT-999",
    title="x",
    rules=("H-1",),
    explain="x",
    needs=frozenset({Need.FEED, Need.CLOCK}),
    body=body,
)


async def driven(tmp_path: Path, clock: str) -> Run:
    """Run a case on the server with a clock of its own."""
    target = tmp_path / "t.toml"
    target.write_text(
        f"""
name = "clocked"
[server]
cwd = "{ROOT}"
start = ["{sys.executable}", "-m", "tests.conformance.clocked", "--port", "{{port}}"]
url = "ws://127.0.0.1:{{port}}/enhanced-stream"
[clock]
{clock}
"""
    )
    run = Run(target=Target.of_file(target), cases=[CASE], settings=Settings())
    await run.run()
    return run


def is_near_midnight() -> bool:
    """Return whether a session around the present cannot lie within a day of India's."""
    now = datetime.now(IST)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return min(now - midnight, midnight + timedelta(days=1) - now) < timedelta(minutes=10)


async def test_a_window_is_moved(tmp_path: Path) -> None:
    """Options of the server put its session where the present is, except around midnight."""
    was_near = is_near_midnight()
    run = await driven(
        tmp_path, "drivers = ['window']\nwindow = ['--open', '{open}', '--close', '{close}']"
    )
    if was_near or is_near_midnight():
        assert run.clock_name == "wall" or not was_near
        if run.clock_name == "wall":
            assert "midnight" in run.clock_refusals["window"]
            return
    assert (run.clock_name, run.clock_refusals) == ("window", {})
    assert run.results[0].verdict is Verdict.PASS, run.results[0]


async def test_a_command_sets_the_time(tmp_path: Path) -> None:
    """Each second that passes is told to the server."""
    target = tmp_path / "t.toml"
    clock = tmp_path / "now"
    clock.write_text(f"{THURSDAY}T11:00:00+05:30")
    target.write_text(
        f"""
name = "clocked"
[server]
cwd = "{ROOT}"
start = ["{sys.executable}", "-m", "tests.conformance.clocked", "--port", "{{port}}",
         "--clock", "{clock}"]
url = "ws://127.0.0.1:{{port}}/enhanced-stream"
[clock]
drivers = ["command"]
command = ["sh", "-c", "printf %s {{datetime}} > {clock}"]
"""
    )
    run = Run(target=Target.of_file(target), cases=[CASE], settings=Settings())
    await run.run()
    assert run.clock_name == "command", run.clock_refusals
    assert run.results[0].verdict is Verdict.PASS, run.results[0]


async def test_faketime_moves_a_server_that_knows_nothing_of_it(tmp_path: Path) -> None:
    """The server is started in the belief that it is another day."""
    require("faketime")
    run = await driven(tmp_path, "drivers = ['faketime']")
    assert run.clock_name == "faketime", run.clock_refusals
    assert run.results[0].verdict is Verdict.PASS, run.results[0]


async def test_without_a_driver_nothing_is_judged(tmp_path: Path) -> None:
    """A server that follows nothing leaves the case inconclusive, and it is told why."""
    run = await driven(tmp_path, "drivers = ['feed', 'wall']")
    assert run.clock_name == "wall"
    assert "current_time" in run.clock_refusals["feed"]
    assert run.results[0].verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("hour", range(24))
def test_a_moved_session_lies_within_the_day(hour: int) -> None:
    """At any hour of the present, noon of the session can be now, and its bounds are right."""
    now = datetime(2026, 11, 23, hour, 30, tzinfo=IST)
    first, last = moved_session(at(THURSDAY, "11:00:00"), now)
    assert first < f"{now:%H:%M:%S}" < last
    opens = now - timedelta(hours=1, minutes=45)
    assert first == (f"{opens:%H:%M:%S}" if opens.date() == now.date() else "00:00:00")


def test_no_session_at_midnight_or_on_a_weekend() -> None:
    """What a window cannot show is inconclusive."""
    near = datetime(2026, 11, 23, 23, 59, 50, tzinfo=IST)
    with pytest.raises(Inconclusive, match="midnight"):
        moved_session(at(THURSDAY, "15:29:00"), near)
    saturday = at("2025-09-06", "11:00:00")
    assert moment(saturday).weekday() == 5
    with pytest.raises(Inconclusive, match="weekend"):
        moved_session(saturday, near)
