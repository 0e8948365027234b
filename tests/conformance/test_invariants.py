"""What is watched in every message is noticed, once and for all, and nothing else is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from conformance import invariants
from conformance.case import Case
from conformance.expect import Unmet
from conformance.invariants import Watch
from tests.conformance.scripted import WELCOME, client
from tests.conformance.test_expect import quote

SUBSCRIBED = {
    "type": "subscription_response",
    "status": "success",
    "data": {"action": "subscribe", "subscribed_stocks": ["WIPRO", "SBIN (BSE)"]},
    "client_id": "c",
    "timestamp": 1,
}
UNSUBSCRIBED = SUBSCRIBED | {"data": {"unsubscribed_stocks": ["WIPRO (NSE)"]}}
PONG = {"type": "pong", "status": "alive", "client_id": "c", "timestamp": 1}
CLOSED = {
    "type": "market_status",
    "status": "info",
    "data": {"event": "market_closed", "market_open": False},
    "client_id": "c",
    "timestamp": 1,
}


async def breaches(*frames: Any) -> dict[Case, str]:
    """Let a server send some frames; return what was broken, in words."""

    async def script(socket: ServerConnection) -> None:
        for frame in frames:
            await socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    watch = Watch()
    watch.case = "SUB-010"
    async with client(script, watch=watch) as peer:
        await peer.wait_closed()
    found: dict[Case, str] = {}
    for watched, breach in watch.breaches.items():
        if breach.first is not None:
            assert breach.seen_in == ["SUB-010"]
            assert isinstance(breach.first, Unmet)
            found[watched] = str(breach.first)
    return found


async def test_what_was_on_its_way_to_a_connection_that_is_replaced_is_no_breach() -> None:
    """The newer one has unsubscribed meanwhile; which socket is read first nobody can tell."""
    unsubscribed, judged = asyncio.Event(), asyncio.Event()

    async def older(socket: ServerConnection) -> None:
        await socket.send(json.dumps(WELCOME))
        await unsubscribed.wait()
        await socket.send(json.dumps(quote()))
        await judged.wait()

    async def newer(socket: ServerConnection) -> None:
        for frame in (WELCOME, SUBSCRIBED, quote(), UNSUBSCRIBED):
            await socket.send(json.dumps(frame))
        await judged.wait()

    watch = Watch()
    async with client(older, watch=watch) as first, client(newer, watch=watch) as second:
        await second.wait_for("subscription_response")
        await second.wait_for("subscription_response")
        unsubscribed.set()
        await first.wait_for("market_data")
        judged.set()
    assert watch.breaches[invariants.SUBSCRIBED].first is None


async def test_what_is_right_is_no_breach() -> None:
    """A whole conversation by the protocol breaks nothing."""
    later = quote() | {"seq": 4}
    bare = {"type": "heartbeat", "data": {"market_open": True}}
    said = [WELCOME, SUBSCRIBED, quote(), later, PONG, bare, CLOSED, UNSUBSCRIBED]
    assert await breaches(*said) == {}


@pytest.mark.parametrize(
    ("subscribed", "unsubscribed", "left"),
    [
        (["WIPRO"], ["WIPRO"], set()),
        (["WIPRO"], ["WIPRO (NSE)"], set()),
        (["WIPRO (NSE)"], ["WIPRO"], set()),
        (["WIPRO (BSE)"], ["WIPRO"], set()),
        (["WIPRO", "WIPRO (BSE)"], ["WIPRO"], {("WIPRO", "BSE")}),
        (["WIPRO", "WIPRO (BSE)"], ["WIPRO (BSE)"], {("WIPRO", "")}),
        (["WIPRO"], ["SBIN"], {("WIPRO", "")}),
    ],
)
async def test_an_unsubscribe_takes_what_it_names(
    subscribed: list[str], unsubscribed: list[str], left: set[tuple[str, str]]
) -> None:
    """A bare symbol, one with its exchange, and two of the same name."""

    async def script(socket: ServerConnection) -> None:
        for data in ({"subscribed_stocks": subscribed}, {"unsubscribed_stocks": unsubscribed}):
            await socket.send(json.dumps(SUBSCRIBED | {"data": data}))

    watch = Watch()
    async with client(script, watch=watch) as peer:
        await peer.wait_closed()
        assert watch.subscribed([peer]) == left


@pytest.mark.parametrize(
    ("frames", "broken"),
    [
        (["no json"], invariants.FRAMES),
        (["[1]"], invariants.FRAMES),
        ([b"{}"], invariants.FRAMES),
        ([WELCOME | {"type": 1}], invariants.FRAMES),
        ([PONG], invariants.FIRST),
        ([WELCOME, PONG | {"client_id": "other"}], invariants.CLIENT_ID),
        ([WELCOME, PONG | {"status": "success"}], invariants.REPLIES),
        ([WELCOME, {"type": "pong", "status": "alive", "client_id": "c"}], invariants.REPLIES),
        ([WELCOME, {"status": "alive"} | PONG], invariants.ORDER),
        ([WELCOME, SUBSCRIBED, quote(ltp="251.05")], invariants.DATA),
        ([WELCOME, SUBSCRIBED, quote(), quote() | {"seq": 2}], invariants.SEQ),
        ([WELCOME, quote()], invariants.SUBSCRIBED),
        ([WELCOME, SUBSCRIBED, UNSUBSCRIBED, quote()], invariants.SUBSCRIBED),
        ([WELCOME, SUBSCRIBED, CLOSED, quote()], invariants.HOURS),
    ],
)
async def test_one_breach_is_that_breach(frames: list[Any], broken: Case) -> None:
    """Each rule is broken by what breaks it; MSG-900.json may come with others."""
    found = await breaches(*frames)
    assert broken in found
    assert set(found) <= {broken, invariants.FIRST} or broken is invariants.FRAMES
