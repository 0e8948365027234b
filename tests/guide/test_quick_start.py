"""The guide's quick start: a replay, the guide's Python client, one stock, the market opens."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.guide.page import guide_block
from tests.guide.program import DEADLINE_S
from tests.guide.python_client import python_client
from tests.guide.replay import running_replay

pytestmark = pytest.mark.xdist_group("guide")


async def test_quick_start(tmp_path: Path) -> None:
    """
    A newcomer is welcomed, subscribes, sees the market open, and then gets quotes.

    The replay begins where it does by default, five seconds before the open.
    """
    seen: list[Any] = []
    with running_replay(tmp_path, "--speed", "5") as replay:
        client, messages = python_client("quick_start", replay.port)
        connected = asyncio.create_task(client.connect())
        async with asyncio.timeout(DEADLINE_S):
            while not seen or seen[-1]["type"] != "market_data":
                seen.append(await messages.get())
                if seen[-1]["type"] == "welcome":
                    await client.subscribe_symbols(["RELIANCE"])
            await client.ws.close()
            await connected
    welcome, reply, opened, quote = seen
    assert (welcome["type"], welcome["status"]) == ("welcome", "connected")
    assert welcome["data"]["simulated"] is True
    assert welcome["data"]["market_open"] is False
    assert (reply["type"], reply["status"]) == ("subscription_response", "success")
    assert reply["data"]["subscribed_stocks"] == ["RELIANCE"]
    assert (opened["type"], opened["status"]) == ("market_status", "info")
    assert opened["data"]["event"] == "market_opened"
    assert opened["data"]["current_time"] == "2025-09-04 09:15:00"
    printed = json.loads(guide_block("Real-Time Data Format", "json").text)
    assert quote["symbol"] == "RELIANCE"
    assert set(quote) >= set(printed)
    assert set(quote["data"]) >= set(printed["data"])
