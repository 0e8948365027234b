"""CON: how connections go on and end: takeover, heartbeats, pings, shutdown."""

from __future__ import annotations

from typing import Final

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    Unmet,
    expect_close_code,
    expect_equal,
    expect_error,
    expect_has,
    expect_none_of,
    expect_that,
    expect_type,
)
from conformance.peer import Refused
from conformance.plain_http import RawSocket
from conformance.questions import expect_serving, listed, subscribed
from conformance.world import World

PING: Final = 9
PONG: Final = 10
CLOSE: Final = 8
PINGS_SEEN: Final = 4


@case(
    "CON-400",
    title="The newest connection of a client_id wins, and has its subscriptions",
    rules=("C-4", "P-1"),
    profile=Profile.FULL,
    explain="A client whose line hangs comes back long before the server notices that the old line"
    " is dead. A server that refuses the newcomer keeps it out for minutes.",
)
async def newest_wins(world: World) -> None:
    """Connect again under an id that is connected."""
    symbols = [stock.symbol for stock in world.stocks[:2]]
    older = await world.connect()
    await subscribed(older, *symbols)
    newer = await world.connect(older.client_id)
    await expect_serving(newer, *symbols)


@case(
    "CON-410",
    title="The older connection is told that it was replaced",
    rules=("C-4", "S-9"),
    profile=Profile.FULL,
    explain="An error session_replaced tells the older program why it ends, so that it can tell"
    " its user that the account is open elsewhere.",
)
async def older_is_told(world: World) -> None:
    """Take a connection over and read what the older one gets."""
    older = await world.connect()
    await world.connect(older.client_id)
    error = await older.wait_for("error", what="an error that it was replaced")
    expect_error(error, code="session_replaced")


@case(
    "CON-420",
    title="The older connection is closed with 4501",
    rules=("C-4", "C-8"),
    profile=Profile.FULL,
    explain="By the close code a client knows not to come back: one that reconnects at once would"
    " take over in its turn, and the two go on for ever. 1000 or 1006 tell it to reconnect.",
)
async def older_is_closed(world: World) -> None:
    """Take a connection over and wait for the end of the older one."""
    older = await world.connect()
    await world.connect(older.client_id)
    expect_close_code(await older.wait_closed(), 4501)


@case(
    "CON-430",
    title="After three takeovers within ten seconds the newcomer is refused with HTTP 429",
    rules=("C-4",),
    profile=Profile.FULL,
    explain="Two programs that share an id by mistake, both set to reconnect, would kick each"
    " other many times a second. Refusing the newcomer ends it, and its log says why.",
)
async def takeovers_end(world: World) -> None:
    """Take over three times, then once more."""
    client_id = world.new_id()
    await world.connect(client_id)
    for count in range(1, 4):
        try:
            latest = await world.connect(client_id)
        except Refused as refused:
            raise Unmet(f"takeover {count} of three to succeed", str(refused)) from None
    refusal = await world.refused(client_id)
    expect_equal(refusal.status, 429, of="HTTP status of the fourth takeover")
    await expect_serving(latest)


@case(
    "CON-440",
    title="Coming back after a clean close is no takeover",
    rules=("C-4", "P-1", "G-PERSIST"),
    explain="A page that is reloaded a few times closes and connects again. Counting that as a"
    " takeover, or not noticing the close, locks its user out.",
)
async def reloads(world: World) -> None:
    """Connect and close ten times, then stay."""
    symbol = world.stocks[0].symbol
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, symbol)
    for _ in range(10):
        await peer.close()
        peer = await world.connect(client_id)
    expect_equal(await listed(peer), [symbol], of="subscribed_symbols")


@family(
    "CON-500",
    variants={"open": "11:00:00", "closed": "16:00:00"},
    title="A heartbeat that was asked for comes: market {variant}",
    rules=("C-5",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    features=("heartbeat",),
    explain="A browser cannot see WebSocket pings, and a quiet market looks like a dead line. The"
    " heartbeat, also while the market is closed, tells whether the server and its feed are alive.",
)
async def heartbeat(world: World, time: str) -> None:
    """Ask for one each second and wait for the first."""
    if time != "11:00:00":
        await world.to(time)
    peer = await world.connect(query={"heartbeat": 1})
    beat = await peer.wait_for("heartbeat", within=4)
    data = beat.get("data")
    expect_type(data, "an object", of="data of heartbeat")
    assert isinstance(data, dict)
    expect_has(data, "market_open", "upstream", "last_tick_age_ms", of="data of heartbeat")
    expect_equal(data["market_open"], time == "11:00:00", of="market_open")
    expect_equal(data["upstream"], "connected", of="upstream")
    expect_type(data["last_tick_age_ms"], "an integer or null", of="last_tick_age_ms")


@case(
    "CON-510",
    title="The server pings, and a client that answers and else only reads is never closed",
    rules=("C-5",),
    profile=Profile.FULL,
    variant="short-ping",
    explain="Pings keep proxies from cutting a quiet line and find clients that are gone. A server"
    " that waits for requests instead closes those that only read.",
)
async def only_reads(world: World) -> None:
    """Answer some pings, on a server that pings often, and send nothing else."""
    async with await _upgraded(world) as raw:
        for _ in range(PINGS_SEEN):
            payload = await _next(world, raw, PING)
            await raw.send_frame(PONG, payload)
        # It is still served.
        await _next(world, raw, PING)


@case(
    "CON-520",
    title="A client that answers no ping is closed",
    rules=("C-5",),
    profile=Profile.FULL,
    variant="short-ping",
    explain="A machine that lost its network says nothing. Without a time-out its connection, and"
    " what is kept for it, stays for hours.",
)
async def answers_no_ping(world: World) -> None:
    """Read, and leave the pings of a server that pings often unanswered."""
    async with await _upgraded(world) as raw:
        await _next(world, raw, PING)
        async with world.deadline("the connection closed for want of a pong"):
            await raw.wait_close()


@case(
    "CON-600",
    title="At its end the server says so, then closes with 1012",
    rules=("C-6", "C-8"),
    profile=Profile.FULL,
    needs=(Need.RESTART,),
    explain="server_shutdown and 1012 tell a client that this is a restart: come back in a moment,"
    " spread out. After 1006 or 1001 many clients reconnect at once, or not at all.",
)
async def shutdown(world: World) -> None:
    """Stop the server under two clients."""
    peers = [await world.connect() for _ in range(2)]
    await subscribed(peers[0], world.stocks[0].symbol)
    await world.stop()
    for peer in peers:
        told = await peer.wait_for("server_shutdown")
        data = told.get("data")
        expect_type(data, "an object", of="data of server_shutdown")
        assert isinstance(data, dict)
        after = data.get("reconnect_after_ms")
        expect_type(after, "an integer", of="reconnect_after_ms")
        expect_that(isinstance(after, int) and after >= 0, "reconnect_after_ms from 0 on", after)
        expect_close_code(await peer.wait_closed(), 1012)
        # Quotes may go on until the connection is closed: that is spread over the drain time.
        after_it = [
            message
            for message in peer.received
            if message.index > told.index and message.type != "market_data"
        ]
        expect_none_of(after_it, "reply after server_shutdown")


@case(
    "CON-610",
    title="Once it has ended the server takes no connections",
    rules=("C-6",),
    profile=Profile.FULL,
    needs=(Need.RESTART,),
    explain="A process that listens on while it ends takes clients in and drops them at once.",
)
async def ended(world: World) -> None:
    """Stop the server and knock."""
    await world.connect()
    status = await world.stop()
    expect_that(status is not None, "a server that ends when it is told to", "one that goes on")
    host, port = world.stage.server.address
    try:
        raw = await RawSocket.open(host, port)
    except OSError:
        return
    raw.close()
    raise Unmet("a server that is gone", "one that takes connections")


async def _upgraded(world: World) -> RawSocket:
    raw = await world.raw()
    reply = await raw.upgrade(world.stage.url(world.new_id()))
    expect_equal(reply.status, 101, of="HTTP status")
    return raw


async def _next(world: World, raw: RawSocket, opcode: int) -> bytes:
    """Return the payload of the next frame of a kind."""
    async with world.deadline(f"a frame of opcode {opcode}"):
        while True:
            try:
                found, payload = await raw.read_frame()
            except ConnectionError as error:
                raise Unmet(f"a frame of opcode {opcode}", str(error)) from None
            if found == opcode:
                return payload
            if found == CLOSE:
                raise Unmet(f"a frame of opcode {opcode}", f"close {payload!r}")
