"""What a case is given: clients, deadlines, tolerances, bare sockets, and its own server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.case import Profile
from conformance.expect import Inconclusive, Loose, Unmet
from conformance.verdicts import Verdict
from conformance.world import World
from tests.conformance.test_runner import a_case, judged


async def passes(body: Any, **settings: Any) -> None:
    """Run a body on a server that can little; it must hold."""
    (result,) = await judged(a_case(body), **settings)
    assert result.verdict is Verdict.PASS, result


async def test_a_client_has_its_welcome_and_an_id_of_its_own() -> None:
    """Ids differ, welcomes are kept, and every client is known to the world."""

    async def body(world: World) -> None:
        first, second = await world.connect(), await world.connect(query={"heartbeat": 5})
        assert first.client_id != second.client_id
        assert first.welcome.type == "welcome"
        assert world.live == [first, second]
        await first.close()
        assert world.live == [second]
        await world.settle()
        nameless = await world.connect(None)
        assert nameless.client_id == "c"

    await passes(body)


async def test_a_tolerance_is_met_strictly_loosely_or_not() -> None:
    """Within 2 s, within 60 s, later."""

    async def body(world: World) -> None:
        world.punctual(1.9, of="it")
        with pytest.raises(Loose):
            world.punctual(2.1, of="it")
        with pytest.raises(Unmet) as caught:
            world.punctual(60.1, of="it")
        assert not isinstance(caught.value, Loose)

    await passes(body)


async def test_time_and_feed_are_missed_in_words() -> None:
    """On a server of which only the address is known nothing can be moved."""

    async def body(world: World) -> None:
        with pytest.raises(Inconclusive):
            _ = world.feed
        with pytest.raises(Inconclusive):
            await world.until("11:00:05")
        with pytest.raises(Inconclusive):
            await world.to("11:00:05", day="2025-09-05")
        assert not world.exact

    await passes(body)


async def test_deadlines_are_scaled() -> None:
    """The scale multiplies what a case gives."""

    async def body(world: World) -> None:
        assert world.within(2) == 0.5
        with pytest.raises(Unmet, match=r"something within 0\.01 s"):
            async with world.deadline("something", 0.04):
                await asyncio.Event().wait()

    await passes(body, scale=0.25)


async def test_a_server_is_met_beneath_websocket() -> None:
    """Plain HTTP, a bare socket, and a refusal that does not come."""

    async def body(world: World) -> None:
        assert (await world.http("/")).status == 426
        async with await world.raw() as raw:
            await raw.upgrade(world.stage.url("x"))
            assert (await raw.read_frame())[0] == 1
        with pytest.raises(Unmet, match="an open WebSocket"):
            await world.refused()
        assert (await world.refused(headers={"Sec-WebSocket-Version": "12"})).status == 400
        assert any("GET /" in frame.text for frame in world.wire.frames())

    await passes(body)


async def test_the_profile_is_known() -> None:
    """A case may be stricter in profile strict."""

    async def body(world: World) -> None:
        assert world.strict
        assert world.profile is Profile.STRICT
        world.measured("a", 1)

    await passes(body, profile=Profile.STRICT)
