"""The guide's clients that run in a terminal: Python, Node.js, wscat."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.guide.page import at_port, guide_block
from tests.guide.program import (
    DEADLINE_S,
    NODE_MODULES,
    Program,
    environment,
    require,
    require_node_module,
)
from tests.guide.python_client import python_client
from tests.guide.replay import Replay

pytestmark = pytest.mark.xdist_group("guide")


async def test_python_client(replay: Replay, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The Python client gets quotes once its caller subscribes after ``welcome``.

    It runs as printed but for the port; as printed it never subscribes.
    """
    client, messages = python_client("python_client_123", replay.port)
    connected = asyncio.create_task(client.connect())
    seen: list[Any] = []
    async with asyncio.timeout(DEADLINE_S):
        while not seen or seen[-1]["type"] != "market_data":
            seen.append(await messages.get())
            if seen[-1]["type"] == "welcome":
                await client.subscribe_symbols(["RELIANCE"])
        await client.subscribe_tokens(["11536"])
        await client.subscribe_mixed(["SBIN", "1594"])
        await client.unsubscribe(["RELIANCE"])
        await client.get_subscriptions()
        while seen[-1]["type"] != "subscriptions":
            seen.append(await messages.get())
        await client.ws.close()
        await connected
    assert seen[0]["data"]["client_id"] == "python_client_123"
    assert seen[-1]["data"]["subscribed_symbols"] == ["TCS", "SBIN", "INFY"]
    said = capsys.readouterr().out
    assert "Connected to Odin Streamer as python_client_123\nWelcome: {" in said
    assert "Subscription: {'action': 'subscribe', 'subscribed_stocks': ['RELIANCE']" in said
    assert "\nRELIANCE: ₹" in said
    assert "rror" not in said


def test_python_program(replay: Replay, tmp_path: Path) -> None:
    """The Python client, run as the program that is printed but for the port, is welcomed."""
    program = tmp_path / "client.py"
    printed = guide_block("Python Client", "python").text
    program.write_text(at_port(printed, replay.port), encoding="utf-8")
    with Program([sys.executable, program]) as client:
        client.expect("^Connected to Odin Streamer as python_client_123$")
        client.expect("^Welcome: {.*'client_id': 'python_client_123'")


def test_node_client(replay: Replay, tmp_path: Path) -> None:
    """The Node.js client, as printed but for the port, subscribes and prints quotes."""
    node = require("node", "nodejs")
    require_node_module("ws")
    program = tmp_path / "client.js"
    printed = guide_block("Node.js Client", "javascript").text
    program.write_text(at_port(printed, replay.port), encoding="utf-8")
    with Program([node, program], env=environment(NODE_PATH=str(NODE_MODULES))) as client:
        client.expect("^Connected to Odin Streamer$")
        client.expect("^Welcome: .")
        client.expect(r"^Subscribed to: \[ 'SBIN', 'RELIANCE', 'TCS' \]$")
        client.expect(r"^(SBIN|RELIANCE|TCS): ₹\d+(\.\d+)? \(-?\d+\.\d\d%\)$")


def test_wscat(replay: Replay) -> None:
    """The printed wscat command, but for the port, connects; a typed ping gets its pong."""
    require("node", "nodejs")
    require_node_module("wscat")
    printed = guide_block("Connection Example", "bash").text
    (command,) = [line for line in printed.splitlines() if line.startswith("wscat ")]
    path = f"{NODE_MODULES / '.bin'}:{environment()['PATH']}"
    argv = [require("bash"), "-c", at_port(command, replay.port)]
    with Program(argv, env=environment(PATH=path)) as wscat:
        welcome = json.loads(wscat.expect(r"\{.*\}")[0])
        assert welcome["type"] == "welcome"
        assert welcome["client_id"] == "trading_app_123"
        wscat.say('{"action": "ping"}')
        wscat.expect(r'\{"type":"pong","status":"alive"')
