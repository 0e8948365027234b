"""LIM: clients that read slowly, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from conformance.case import Need, Profile, case
from conformance.expect import Unmet, expect_close_code, expect_equal, expect_that
from conformance.peer import Peer
from conformance.questions import subscribed
from conformance.world import World

CLOGGING: Final = 30
"""Requests whose replies are some 6 MB: more than any socket holds, less than may wait."""
NAMES: Final = [f"NO_SUCH_STOCK_{number:0400}" for number in range(500)]
TURNS: Final = 100
"""Pings after which a server that serves its clients in turn has served the clogging requests."""
READ_S: Final = 30.0
"""How long it may take to read what has waited, on a machine that has other things to do."""
MORE: Final = 10
BUFFER: Final = 128 * 1024
"""Of a fixed size, or it grows while the client reads, and takes everything the next time."""
STALL_S: Final = 10.0
"""How long a client may read nothing (M-5)."""
PERIODS: Final = (("11:00:00", "11:00:20"), ("11:00:20", "11:00:40"), ("11:00:40", "11:01:00"))
STALLED_S: Final = (1.2, 3.0, 8.0)
"""
Longer than the 0.5 s that the variant short-stall lets a client read nothing;
tried in turn, for a machine that is busy needs its time to fill the socket.
"""


@case(
    "LIM-400",
    title="A client that does not read gets the newest quote of a stock, not all of the older ones",
    rules=("M-5", "M-3", "M-1", "R-1"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    explain="A price that is minutes old is worse than none. A slow client skips what is outdated;"
    " servers that queue everything deliver the past ever later, those that drop the newest when a"
    " queue is full deliver nothing but the past. seq tells how many were skipped.",
)
async def newest(world: World) -> None:
    """Clog a client's socket, play twenty seconds, read on."""
    await _until_in_time(world, _newest)


async def _newest(world: World, since: str, until: str) -> None:
    stock = world.stocks[0]
    slow, fast = await world.connect(receive_buffer=BUFFER), await world.connect()
    await subscribed(fast, stock.symbol)
    await subscribed(slow, stock.symbol)
    await world.settle(slow)
    mark = slow.mark()
    await _clog(world, slow)
    await world.until(until)
    await world.settle(fast)
    slow.resume_reading()
    await world.settle(slow, within=READ_S)
    rows = world.feed.rows(stock, since, until)
    came = slow.data(stock.symbol, since=mark)
    expect_that(came, f"the newest quote of {stock.symbol}", "none")
    skipped = len(came) <= len(rows) // 2
    expect_that(skipped, f"fewer quotes than the {len(rows)} that passed", f"{len(came)} of them")
    newest = fast.data(stock.symbol)[-1]
    expect_equal(newest["data"].get("volume"), rows[-1].volume, of="volume, for a fast client,")
    expect_equal(came[-1]["data"].get("volume"), rows[-1].volume, of="volume of the newest quote")
    expect_equal(came[-1].get("seq"), newest.get("seq"), of="seq, as for a client that reads,")


@case(
    "LIM-410",
    title="Replies to a client that does not read wait for it, all of them, in their order",
    rules=("M-5", "R-1"),
    profile=Profile.FULL,
    explain="Quotes may be skipped; replies may not. A client that was busy for a second must not"
    " wait for ever for an answer that was thrown away.",
)
async def replies_wait(world: World) -> None:
    """Clog a client's socket with replies, read on, count them."""
    await _until_in_time(world, _replies)


async def _replies(world: World, since: str, until: str) -> None:
    slow = await world.connect(receive_buffer=BUFFER)
    await _clog(world, slow)
    for _ in range(MORE):
        await slow.send_json({"action": "get_subscriptions"})
    await slow.send_json({"action": "ping"})
    slow.resume_reading()
    await slow.wait_for("pong", what="the reply to the last request", within=READ_S)
    wanted = ["subscription_response"] * CLOGGING + ["subscriptions"] * MORE
    found = [message.type for message in slow.messages(*wanted)]
    expect_equal(found, wanted, of="replies")


@case(
    "LIM-420",
    title="A client that does not read delays no other",
    rules=("M-5",),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    explain="One hung browser tab must not stop the market for everybody. Servers that write to"
    " their clients one after the other, and wait for each, do exactly that.",
)
async def others(world: World) -> None:
    """Clog a client's socket and let another one read and ask."""
    stock = world.stocks[0]
    slow, fast = await world.connect(receive_buffer=BUFFER), await world.connect()
    await subscribed(slow, stock.symbol)
    await subscribed(fast, stock.symbol)
    await _clog(world, slow)
    await world.settle(fast)
    mark = fast.mark()
    await world.until("11:00:05")
    await world.settle(fast)
    rows = world.feed.rows(stock, "11:00:00", "11:00:05")
    came = fast.data(stock.symbol, since=mark)
    expect_equal(len(came), len(rows), of="ticks of the client that reads")


@case(
    "LIM-430",
    title='With "delivery": "all" a client that does not read gets every update afterwards',
    rules=("M-5",),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    features=("delivery-all",),
    explain="Who records the market wants all of it, and would rather be late, or be closed, than"
    " have holes.",
)
async def every_update(world: World) -> None:
    """Ask for every update, clog the socket, play twenty seconds, read on."""
    await _until_in_time(world, _all)


async def _all(world: World, since: str, until: str) -> None:
    stock = world.stocks[0]
    slow = await world.connect(receive_buffer=BUFFER)
    await subscribed(slow, stock.symbol, delivery="all")
    await world.settle(slow)
    mark = slow.mark()
    await _clog(world, slow)
    await world.until(until)
    slow.resume_reading()
    await world.settle(slow, within=READ_S)
    rows = world.feed.rows(stock, since, until)
    came = slow.data(stock.symbol, since=mark)
    expect_equal(len(came), len(rows), of="number of updates")


@case(
    "LIM-440",
    title="A client that reads nothing for long is closed",
    rules=("M-5", "C-8"),
    profile=Profile.FULL,
    variant="short-stall",
    explain="What waits for a client that is gone waits for ever. After a time without any progress"
    " (10 s; half a second in this case) the connection ends: with 4008, or cut off where even that"
    " cannot be told to a client that does not read.",
)
async def stalled(world: World) -> None:
    """Clog a client's socket for longer than is allowed, then read what there is."""
    slow = await world.connect(receive_buffer=BUFFER)
    try:
        for seconds in STALLED_S:
            await _clog(world, slow)
            await asyncio.sleep(seconds)
            slow.resume_reading()
            for _ in range(CLOGGING):
                await slow.wait_for("subscription_response", "error", within=READ_S)
            await slow.ping()
    except Unmet:
        if slow.closed is None:
            raise
    expect_close_code(slow.closed, 4008, 1006)


async def _until_in_time(world: World, play: Callable[[World, str, str], Awaitable[None]]) -> None:
    """
    Play twenty seconds of the market, and others if the client was rightly closed in the first.

    A server closes whoever reads nothing for ten seconds, also where it is the
    machine that took so long.
    """
    for since, until in PERIODS:
        began, others = time.monotonic(), len(world.peers)
        try:
            await play(world, since, until)
            return
        except Unmet:
            ends = [peer.closed for peer in world.peers[others:] if peer.closed is not None]
            is_cut = any(code in (4008, 1006) for code, _ in ends)
            if until == PERIODS[-1][1] or not is_cut or time.monotonic() - began < STALL_S:
                raise
            world.note("the machine took longer than a client may read nothing; once more")
            if world.clock.movable:
                await world.to(until)


async def _clog(world: World, peer: Peer) -> None:
    """Stop reading, and ask for more than the socket takes; return when it is clogged."""
    peer.pause_reading()
    try:
        for _ in range(CLOGGING):
            await peer.send_json({"action": "unsubscribe", "stocks": NAMES})
    except Unmet:
        # A server may leave unread what comes from a client that reads nothing itself.
        if peer.closed is not None:
            raise
    other = await world.connect()
    for _ in range(TURNS):
        await other.ping()
    await other.close()
