"""The fixtures for tests of clients, as this session's plugin gives them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import ClientConnection, connect

from conformance.playground import MarketClock, OdinServer, OdinSim, Setting

ROOT = Path(__file__).parents[2]
DAY = ROOT / "recordings/day.parquet"


def ask(socket: ClientConnection, action: str, **fields: object) -> list[dict[str, Any]]:
    """Send a request and a ping; return all that comes before the pong."""
    socket.send(json.dumps({"action": action, **fields}))
    socket.send(json.dumps({"action": "ping"}))
    came: list[dict[str, Any]] = []
    while True:
        message = json.loads(socket.recv(timeout=20))
        if message["type"] == "pong":
            return came
        came.append(message)


def test_what_was_due_has_been_sent(odin_server: OdinServer, odin_clock: MarketClock) -> None:
    """The clock returns when every tick up to that second is on its way, not one more."""
    with connect(odin_server.url_for("a")) as socket:
        ask(socket, "subscribe", stocks=["SBIN"])
        odin_clock.advance_to("09:15:03")
        messages = ask(socket, "market_status")
    prices = [each["data"]["ltp"] for each in messages if each["type"] == "market_data"]
    ticks = odin_server.sim.ticks("SBIN", "09:14:59", "09:15:03")
    assert prices == [row.ltp / 100 for row in ticks if row.clock >= "09:15"]
    assert messages[0]["data"]["event"] == "market_opened"
    assert odin_clock.now.isoformat() == "2025-09-04T09:15:03+05:30"


async def test_a_coroutine_awaits_the_clock(odin_server: OdinServer) -> None:
    """The test's own loop reads meanwhile; subscriptions outlive kill -9."""
    clock = odin_server.clock
    async with connect_async(odin_server.url_for("a")) as socket:
        await socket.recv()
        await socket.send(json.dumps({"action": "subscribe", "stocks": ["TCS"]}))
        await socket.recv()
        await clock.jump_to("11:00")
        await clock.advance(2)
        kinds = [json.loads(await socket.recv())["type"] for _ in range(3)]
    assert kinds == ["market_status", "market_data", "market_data"]
    await odin_server.kill()
    await odin_server.start()
    async with connect_async(odin_server.url_for("a")) as socket:
        welcome = json.loads(await socket.recv())
    assert welcome["data"]["restored_stocks"] == ["TCS"]


async def test_a_clock_that_is_not_awaited_is_told(odin_sim: OdinSim) -> None:
    """Else the test would go on while time passes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        odin_sim.clock.advance(1)
    assert [str(each.message) for each in caught] == ["advance(1) was never awaited"]
    await odin_sim.clock.advance(1)


@pytest.mark.odin(recording=DAY, at="10:00", options=("--max-subscriptions", "1"))
def test_another_recording_and_options(odin_server: OdinServer) -> None:
    """The marker says what is played, from when, and how the server is started."""
    with connect(odin_server.url_for("a")) as socket:
        reply = ask(socket, "subscribe", stocks=["SBIN", "TCS"])[1]
        assert reply["data"]["failed_stocks"] == ["TCS"]
        odin_server.clock.advance_to("10:00:10")
        assert ask(socket, "market_status")[0]["type"] == "market_data"
    with pytest.raises(LookupError, match="not on the suite's recording"):
        odin_server.sim.ticks("SBIN", "10:00", "10:01")


def test_a_server_that_asks_for_tokens_is_refused() -> None:
    """The clock could not see it follow."""
    with pytest.raises(ValueError, match="without access tokens expected"):
        Setting(options=["--tokens=file"])


def test_the_clock_does_not_go_back_by_itself(odin_sim: OdinSim) -> None:
    """It can be sent back; a time that is none is refused."""
    odin_sim.clock.advance_to("09:15:00")
    with pytest.raises(ValueError, match="it is 2025-09-04 09:15:00 already"):
        odin_sim.clock.advance_to("09:14")
    with pytest.raises(ValueError, match="a time of day expected"):
        odin_sim.clock.advance_to("quarter past nine")
    odin_sim.clock.jump_to("09:14")
    assert odin_sim.clock.now.minute == 14
    assert odin_sim.url.startswith("ws://127.0.0.1:")
