"""LIM: size of messages, number of subscriptions, rate of requests, number of connections."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from conformance.case import Profile, case, family
from conformance.expect import (
    Unmet,
    expect_close_code,
    expect_equal,
    expect_error,
    expect_reply,
    expect_that,
    expect_type,
)
from conformance.peer import Message, Peer, Refused
from conformance.plain_http import RawSocket
from conformance.questions import expect_serving, listed, subscribed, unsubscribed
from conformance.world import World

LARGEST: Final = 256 * 1024
AT_ONCE: Final = 200
TOO_MANY: Final = 450
"""More requests than may come at once, and fewer than three times as many."""
ABUSE: Final = 5000
"""More than anybody may ask, also where a busy machine takes seconds to send them."""


@family(
    "LIM-010",
    variants={"one-frame": 1, "fragments": 5, "announced": 0},
    title="A message over 256 KiB ends the connection with 1009, and the session stays: {variant}",
    rules=("R-5", "C-1", "C-8", "P-1"),
    profile=Profile.FULL,
    explain="Without a limit one client fills the server's memory. The limit is for the message:"
    " servers that look at single frames let any number of fragments through, others read a frame"
    " to its end, however long it says it is, before they look.",
)
async def oversize(world: World, frames: int) -> None:
    """Send 320 KiB as one frame or several, or announce a GiB; then come back."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol)
    await peer.close()
    async with await world.raw() as raw:
        reply = await raw.upgrade(world.stage.url(peer.client_id))
        expect_equal(reply.status, 101, of="HTTP status")
        await _send_large(raw, frames)
        async with world.deadline("the connection closed"):
            code = await raw.wait_close()
    expect_close_code((code or 1006, ""), 1009)
    await expect_serving(await world.connect(peer.client_id), symbol)


@case(
    "LIM-020",
    title="A request for 5,000 stocks is served",
    rules=("R-5", "R-6", "S-2"),
    profile=Profile.FULL,
    explain="Batch subscriptions, says the guide. A client that follows a whole exchange sends its"
    " list in one message; many servers have a limit of a few KiB that nobody chose.",
)
async def large_request(world: World) -> None:
    """Ask for one stock and 4,999 that are not there."""
    symbol = world.stocks[0].symbol
    unknown = [str(900_000_000 + number) for number in range(4999)]
    peer = await world.connect()
    data = await subscribed(peer, *unknown, symbol)
    expect_equal(data.get("subscribed_stocks"), [symbol], of="subscribed_stocks")
    expect_equal(len(data.get("failed_stocks") or []), 4999, of="number of failed_stocks")


@case(
    "LIM-030",
    title="A message of 256 KiB is served",
    rules=("R-5",),
    profile=Profile.FULL,
    explain="The limit is what may be sent; one byte more is too much.",
)
async def largest(world: World) -> None:
    """Send a ping that is as long as a message may be."""
    peer = await world.connect()
    await peer.send_text('{"action":"ping"' + " " * (LARGEST - 17) + "}")
    reply = await peer.wait_for("pong", "error", what="a pong")
    expect_equal(reply.type, "pong", of="type")


@case(
    "LIM-100",
    title="Over the limit of subscriptions stocks are accepted in order; the rest fails",
    rules=("R-1", "R-6", "S-9"),
    profile=Profile.FULL,
    variant="few-subscriptions",
    explain="The client gets what there is room for, in its own order, and the code"
    " too_many_subscriptions says why the rest failed. Servers refuse the whole request, or forget"
    " to count what was subscribed before.",
)
async def too_many(world: World) -> None:
    """Subscribe one, then four, where three are allowed."""
    symbols = [stock.symbol for stock in world.stocks[:5]]
    peer = await world.connect()
    await subscribed(peer, symbols[0])
    reply = await peer.subscribe(*symbols[1:])
    data = expect_reply(reply, "subscription_response", code="too_many_subscriptions")
    expect_type(data, "an object", of="data")
    expect_equal(data.get("subscribed_stocks"), symbols[1:3], of="subscribed_stocks")
    expect_equal(data.get("failed_stocks"), symbols[3:], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 3, of="total_subscribed")
    expect_equal(await listed(peer), symbols[:3], of="subscribed_symbols")


@case(
    "LIM-110",
    title="At the limit what is subscribed may be asked for again, and an unsubscribe makes room",
    rules=("R-1", "R-6", "S-3"),
    profile=Profile.FULL,
    variant="few-subscriptions",
    explain="A server that counts the request's stocks instead of the client's new ones refuses a"
    " client that is full its own list, after each reconnect.",
)
async def full(world: World) -> None:
    """Fill up, subscribe again, make room, use it."""
    symbols = [stock.symbol for stock in world.stocks[:4]]
    peer = await world.connect()
    await subscribed(peer, *symbols[:3])
    data = await subscribed(peer, *symbols[:3])
    expect_equal(data.get("subscribed_stocks"), symbols[:3], of="subscribed_stocks again")
    await unsubscribed(peer, symbols[0])
    data = await subscribed(peer, symbols[3])
    expect_equal(data.get("subscribed_stocks"), symbols[3:], of="subscribed_stocks, with room,")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks, with room,")


@case(
    "LIM-200",
    title="200 requests at once are served",
    rules=("R-1", "R-7"),
    profile=Profile.FULL,
    explain="A page that opens asks for many things in its first moment. A limit that counts by the"
    " second alone turns it away.",
)
async def burst(world: World) -> None:
    """Send 200 pings without waiting."""
    replies = await _pings(await world.connect(), AT_ONCE)
    refused = [reply for reply in replies if reply.type != "pong"]
    expect_equal(len(refused), 0, of="refused requests of 200 at once:")


@case(
    "LIM-210",
    title="Over the rate a request gets rate_limited and the time to wait, on a connection that"
    " stays",
    rules=("R-7", "S-9", "R-1"),
    profile=Profile.FULL,
    explain="An error with the code rate_limited and retry_after_ms lets a client slow down and go"
    " on. Servers close the connection at the first request too many, or drop it silently, so that"
    " the client waits for a reply that never comes.",
)
async def rate_limited(world: World) -> None:
    """Send 450 pings without waiting; then wait as long as the server says."""
    peer = await world.connect()
    replies = await _pings(peer, TOO_MANY)
    refused = [reply for reply in replies if reply.type == "error"]
    expect_that(refused, "some of 450 requests at once refused", "none")
    for reply in refused:
        expect_error(reply, code="rate_limited")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + world.within(5)
    reply = refused[-1]
    while reply.type == "error" and loop.time() < deadline:
        await asyncio.sleep(_retry_after_ms(reply) / 1000)
        reply = await peer.ping()
    expect_equal(reply.type, "pong", of="type of the reply after the time to wait:")


@case(
    "LIM-220",
    title="A client that never stops asking is closed with 4429",
    rules=("R-7", "C-8"),
    profile=Profile.FULL,
    explain="Whoever ignores rate_limited costs as much as before. Three times the rate, refused"
    " requests counted, is no mistake any more; 4429 tells the client to come back, later.",
)
async def abuse(world: World) -> None:
    """Send pings until the server ends it."""
    peer = await world.connect()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + world.within(5)
    sent = 0
    try:
        while peer.closed is None and (sent < ABUSE or loop.time() < deadline):
            await peer.send_text('{"action":"ping"}')
            sent += 1
            # Let what came be read, so that the close is not lost behind it.
            await asyncio.sleep(0)
    except Unmet:
        if peer.closed is None:
            raise
    expect_close_code(peer.closed, 4429)


@case(
    "LIM-230",
    title="Each connection has its own budget of requests",
    rules=("R-1", "R-7"),
    profile=Profile.FULL,
    explain="Clients behind one address, or of one user, must not use up each other's requests.",
)
async def own_budget(world: World) -> None:
    """Use one client's budget up and ask with another."""
    greedy, modest = await world.connect(), await world.connect()
    await _pings(greedy, TOO_MANY)
    replies = await _pings(modest, 50)
    refused = [reply for reply in replies if reply.type != "pong"]
    expect_equal(len(refused), 0, of="refused requests of the other client:")


@case(
    "LIM-300",
    title="With no room for another connection the server says over capacity, and lets in later",
    rules=("C-8", "S-9"),
    profile=Profile.FULL,
    variant="few-connections",
    explain="Before the upgrade with the code over_capacity, or by close 1013: try again later. A"
    " connection that is accepted and left unserved, or cut without a word, looks like a broken"
    " server. And a place that was left must be free.",
)
async def over_capacity(world: World) -> None:
    """Fill the server, be refused, make room, be let in."""
    peers: list[Peer] = []
    try:
        while len(peers) < 10:
            peer = await world.connect(read_welcome=False)
            first = await _first(peer)
            if first is None:
                expect_close_code(peer.closed, 1013)
                break
            peers.append(peer)
    except Refused as refused:
        body = refused.reply.json()
        expect_type(body, "an object", of="the body of the refusal")
        assert isinstance(body, dict)
        expect_equal(body.get("code"), "over_capacity", of="code of the refusal")
    expect_that(0 < len(peers) < 10, "room for some connections, and for no more", len(peers))
    await peers[0].close()
    async with world.deadline("a newcomer let in once there is room"):
        while not await _is_let_in(world):
            await world.settle(*peers[1:])


async def _send_large(raw: RawSocket, frames: int) -> None:
    """Send 320 KiB of a message in some frames, or, in none, the head of one of a GiB."""
    try:
        if not frames:
            await raw.send(b"\x81\xff" + (2**30).to_bytes(8, "big") + b"mask" + b" " * 1000)
            return
        part = b" " * (320 * 1024 // frames)
        for number in range(frames):
            await raw.send_frame(0 if number else 1, part, fin=number == frames - 1)
    except ConnectionError:
        # Closed before all of it was sent.
        return


async def _pings(peer: Peer, count: int) -> list[Message]:
    """Send pings without waiting; return the replies."""
    for _ in range(count):
        await peer.send_json({"action": "ping"})
    return [await peer.wait_for("pong", "error") for _ in range(count)]


def _retry_after_ms(reply: Message) -> float:
    data: Any = reply.get("data")
    expect_type(data, "an object", of="data of rate_limited")
    after = data.get("retry_after_ms")
    expect_type(after, "a number", of="retry_after_ms")
    expect_that(0 < after <= 10_000, "retry_after_ms of some milliseconds", data)
    return float(after)


async def _first(peer: Peer) -> Message | None:
    """Return the first message of a connection, None if it was closed instead."""
    try:
        return await peer.wait_for()
    except Unmet:
        if peer.closed is None:
            raise
        return None


async def _is_let_in(world: World) -> bool:
    try:
        peer = await world.connect(read_welcome=False)
    except Refused:
        return False
    return await _first(peer) is not None
