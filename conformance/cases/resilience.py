"""RES: the feed is lost in the middle of the day, and comes back."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    expect_equal,
    expect_none_of,
    expect_reply,
    expect_that,
    expect_type,
)
from conformance.peer import Message, Peer
from conformance.questions import expect_flow, expect_serving, subscribed, unsubscribed
from conformance.tape import Stock, at, moment
from conformance.world import World

_BOTH = (Need.FEED, Need.CLOCK)
_BACK_S: Final = 20.0
"""Servers dial with growing delays; none of the protocol's rules says how soon."""
_AWAY_S: Final = 0.5
_ENDINGS: Final = {"reset": "reset", "closed": "close", "logged-off": "logged-off"}
"""How a feed ends its connections, and takes new ones at once: its faults by their names."""


@case(
    "RES-010",
    title="Clients stay connected and are served while the feed is away",
    rules=("H-3", "C-5", "S-1", "S-6"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="The feed is lost for a moment every other day. Servers that end their clients'"
    " connections with it, or let requests wait until it is back, make one lost line a thousand.",
)
async def stay(world: World) -> None:
    """Lose the feed; ask and subscribe meanwhile, and look again when it is back."""
    first, second = _symbols(world.stocks[:2])
    peer, idle = await world.connect(), await world.connect()
    await subscribed(peer, first)
    await lose(world)
    await expect_serving(peer, first)
    await subscribed(peer, second)
    await regain(world)
    await expect_serving(peer, first, second)
    await expect_serving(idle)


@family(
    "RES-020",
    variants=_ENDINGS,
    title="When the feed is back data flows again, and nobody has to ask for it: {variant}",
    rules=("M-2", "H-3", "G-SUBSCRIBED"),
    needs=_BOTH,
    own_feed=True,
    explain="The new connection to the feed knows nothing of what the old one had subscribed."
    " Servers that do not dial again, or dial and do not ask again, look alive and are mute for"
    " the rest of the day.",
)
async def data_again(world: World, fault: str) -> None:
    """Let the feed end its connections, and play on."""
    stocks = world.stocks[:3]
    peer = await world.connect()
    await subscribed(peer, *_symbols(stocks))
    await world.until("11:00:02")
    await end_connections(world, fault)
    await expect_flow(world, peer, stocks, until="11:00:05")


@case(
    "RES-030",
    title="After an absence in which the feed refuses everybody data flows again",
    rules=("M-2", "H-3", "G-SUBSCRIBED"),
    needs=_BOTH,
    own_feed=True,
    explain="A feed that is restarted refuses connections until it is up. Servers that try again"
    " once and leave it at that stay without a feed.",
)
async def refused_for_long(world: World) -> None:
    """Lose the feed for longer than a server waits before it tries again, and play on."""
    stocks = world.stocks[:2]
    peer = await world.connect()
    await subscribed(peer, *_symbols(stocks))
    await lose(world)
    # Nobody outside can see how often it has tried.
    await asyncio.sleep(_AWAY_S)
    await regain(world)
    await expect_flow(world, peer, stocks, until="11:00:03")


@case(
    "RES-040",
    title="The feed may be lost again and again",
    rules=("M-2", "H-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="A line that flaps drops three times in a row. Servers that dial again from within the"
    " connection that ends, or remember what they asked for as if it still held, get over the first"
    " loss and not over the second.",
)
async def again_and_again(world: World) -> None:
    """Reset three times, with some ticks between."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    for until in ("11:00:02", "11:00:04", "11:00:06"):
        await end_connections(world, "reset")
        await expect_flow(world, peer, [stock], until=until)


@case(
    "RES-100",
    title="What is subscribed while the feed is away flows when it is back",
    rules=("M-2", "S-1"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="Servers that ask the feed in the moment of the subscribe, and restore afterwards what"
    " they had asked for, forget what came between.",
)
async def subscribed_meanwhile(world: World) -> None:
    """Subscribe while the feed is away, a stock of one's own and one that another has."""
    old, new = world.stocks[0], world.quiet_stocks[0]
    first, second = await world.connect(), await world.connect()
    await subscribed(first, old.symbol)
    await lose(world)
    await subscribed(first, new.symbol)
    await subscribed(second, old.symbol)
    await regain(world)
    await expect_flow(world, first, [old, new], until="11:00:03")
    expect_that(second.data(old.symbol), f"data of {old.symbol} for the other client", "none")


@case(
    "RES-110",
    title="What is unsubscribed while the feed is away does not come back with it",
    rules=("M-2", "P-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="Servers that restore from a list of what was subscribed when the feed was lost bring"
    " back what nobody wants any more.",
)
async def unsubscribed_meanwhile(world: World) -> None:
    """Unsubscribe one of two stocks while the feed is away."""
    kept, dropped = world.stocks[:2]
    peer = await world.connect()
    await subscribed(peer, kept.symbol, dropped.symbol)
    await lose(world)
    await unsubscribed(peer, dropped.symbol)
    mark = peer.mark()
    await regain(world)
    await expect_flow(world, peer, [kept], until="11:00:03")
    expect_none_of(peer.data(dropped.symbol, since=mark), "data of what was unsubscribed")


@case(
    "RES-200",
    title="market_status tells that the feed is away, and that it is back",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="A server that lost its feed looks as if the market had gone quiet. upstream and"
    " streaming_data tell it, and have to tell the return as well: a page that once showed 'feed"
    " lost' shows it for ever otherwise. Lost is not closed: market_open stays.",
)
async def told(world: World) -> None:
    """Ask before, while it is away, and after it is back and a tick has come."""
    peer = await world.connect()
    await subscribed(peer, world.stocks[0].symbol)
    await world.until("11:00:02")
    await _expect_upstream(peer, connected=True)
    await lose(world)
    await _expect_upstream(peer, connected=False)
    await regain(world)
    await world.until("11:00:04")
    await _expect_upstream(peer, connected=True)


@case(
    "RES-210",
    title="The heartbeat tells that the feed is away, and that it is back",
    rules=("C-5",),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    features=("heartbeat",),
    explain="The way for a browser to see a mute feed. A heartbeat that says what was true when the"
    " client connected is no sign of life.",
)
async def heartbeat_tells(world: World) -> None:
    """Wait for a heartbeat that says so, twice."""
    peer = await world.connect(query={"heartbeat": 1})
    await subscribed(peer, world.stocks[0].symbol)

    async def beat(what: str, *, connected: bool) -> None:
        mark = peer.mark()
        await peer.wait_for(
            "heartbeat",
            where=lambda message: (
                message.index >= mark
                and (_data(message).get("upstream") == "connected") is connected
            ),
            what=f"a heartbeat that says that the feed is {what}",
        )

    await lose(world)
    await beat("away", connected=False)
    await regain(world)
    await beat("back", connected=True)


@case(
    "RES-220",
    title="While no tick comes last_tick_age_ms grows",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="A feed that is connected and says nothing any more is told by the age of the last"
    " tick alone, until its silence is long enough to be called stale.",
)
async def mute_is_told(world: World) -> None:
    """Let a tick come, silence the feed, and ask until the age has grown."""
    peer = await world.connect()
    await subscribed(peer, world.stocks[0].symbol)
    await world.until("11:00:02")
    await world.feed.fault("mute+1h")
    first = (await status(peer)).get("last_tick_age_ms")
    expect_type(first, "an integer", of="last_tick_age_ms after a tick")
    last: Any = first

    def grown(reply: Message) -> bool:
        nonlocal last
        last = _data(reply).get("last_tick_age_ms")
        return isinstance(last, int) and last > int(str(first))

    found = await world.stage.poll(grown)
    expect_that(found, f"last_tick_age_ms that grows from {first} on", last)


@case(
    "RES-230",
    title="The feed's absence is no close of the market: nobody is told of one",
    rules=("H-2", "S-7"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="Clients end their day on a notice that the market closed. Servers that call it closed"
    " while they have no feed send everybody home at noon, and open a second time later.",
)
async def no_notice(world: World) -> None:
    """Lose the feed, let it come back, play on, and look for notices."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await lose(world)
    data = await status(peer)
    expect_equal(data.get("market_open"), True, of="market_open while the feed is away")
    await regain(world)
    await expect_flow(world, peer, [stock], until="11:00:03")
    expect_none_of(peer.notices(), "notice")


@case(
    "RES-300",
    title="seq goes on where it was when the feed was lost",
    rules=("M-3",),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="An epoch is the life of the server, not that of its line to the feed. A client that"
    " sees seq begin again within one epoch takes all that follows for old.",
)
async def seq_goes_on(world: World) -> None:
    """Compare seq before and after."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:03")
    await world.settle(peer)
    before = seqs(peer, stock)
    expect_that(before, f"data of {stock.symbol} with a seq", "none")
    mark = peer.mark()
    await end_connections(world, "reset")
    await expect_flow(world, peer, [stock], until="11:00:05")
    after = seqs(peer, stock, since=mark)
    expect_that(after and after[0] > before[-1], f"seq beyond {before[-1]}", after)


@case(
    "RES-310",
    title="What a returning feed says of a stock that has not traded since is no update",
    rules=("M-9", "M-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    explain="Asked again, the feed answers with its present state, which the server has already."
    " Told as an update it makes each loss of the feed look like a trade of every stock.",
)
async def state_is_no_update(world: World) -> None:
    """Lose the feed while time stands still, play one second, and count."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:03")
    await world.settle(peer)
    before = seqs(peer, stock)
    expect_that(before, f"data of {stock.symbol} with a seq", "none")
    mark = peer.mark()
    await end_connections(world, "reset")
    await world.until("11:00:04")
    await world.settle(peer)
    rows = world.feed.rows(stock, "11:00:03", "11:00:04")
    came = peer.data(stock.symbol, since=mark)
    expect_that(came, f"data of {stock.symbol}", "none")
    expect_equal(len(came), len(rows), of="quotes told since the feed was lost")
    wanted = list(range(before[-1] + 1, before[-1] + 1 + len(rows)))
    expect_equal(seqs(peer, stock, since=mark), wanted, of="seq since the feed was lost")


@case(
    "RES-320",
    title="What has changed while the feed was away is told as soon as it is back",
    rules=("M-9", "M-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    features=("feed-clock",),
    explain="The feed's answer is new to the server then, so it is an update. Servers that take it"
    " for a mere repetition show the price of before the loss until the stock trades again: a"
    " second for SBIN, an hour for others.",
)
async def change_is_update(world: World) -> None:
    """Let five seconds pass while the feed is away, and none after it is back."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:02")
    await world.settle(peer)
    before = seqs(peer, stock)
    mark = peer.mark()
    await lose(world)
    await world.feed.play(_now(world, "11:00:07"))
    await regain(world)
    row = world.feed.tick_of(stock)
    quote = await peer.wait_for(
        "market_data",
        where=lambda message: message.index >= mark and message.get("symbol") == stock.symbol,
        what=f"a quote of {stock.symbol} at {row.clock}",
    )
    expect_equal(_data(quote).get("ltp"), row.ltp / 100, of=f"ltp of {stock.symbol} at {row.clock}")
    await world.settle(peer)
    after = seqs(peer, stock, since=mark)
    expect_that(len(after) == 1 and after > before[-1:], f"one seq beyond {before[-1:]}", after)


# --- what the other file of the chapter uses as well


async def lose(world: World) -> None:
    """Take the feed away, and return when the clients' connections must have noticed."""
    world.note("the feed is lost")
    await world.feed.lose()
    await world.feed.wait_alone(within=_BACK_S)
    # The server reads the end of its line before the requests that follow.
    for _ in range(2):
        await world.settle()


async def regain(world: World) -> None:
    """Let the feed come back; return when the server has found it, and its time."""
    await world.feed.restore()
    world.note("the feed is back")
    await world.feed.wait_client(within=_BACK_S)
    await _meet(world)


async def end_connections(world: World, fault: str) -> None:
    """Have the feed end its connections in some way, and wait for the next one."""
    world.note(f"the feed ends its connections: {fault}")
    before = await world.feed.logged_on()
    await world.feed.fault(fault)
    await world.feed.wait_client(within=_BACK_S, but=before)
    await _meet(world)


async def status(peer: Peer) -> dict[str, Any]:
    """Ask for the market's status and return the reply's data."""
    return _data(await peer.request("market_status"))


def seqs(peer: Peer, stock: Stock, *, since: int = 0) -> list[int]:
    """Return the numbers of a stock's quotes, in order; what has none is left out."""
    found = [message.get("seq") for message in peer.data(stock.symbol, since=since)]
    return [seq for seq in found if isinstance(seq, int)]


async def _meet(world: World) -> None:
    """Wait until the server knows the feed's present time, where it follows that."""
    if world.exact:
        await world.stage.reached(world.now)
    await world.settle()


async def _expect_upstream(peer: Peer, *, connected: bool) -> None:
    reply = await peer.request("market_status")
    data = expect_reply(reply, "market_status")
    expect_type(data, "an object", of="data of market_status")
    said = data.get("upstream")
    expect_equal(data.get("market_open"), True, of="market_open")
    expect_equal(data.get("streaming_data"), connected, of="streaming_data")
    if connected:
        expect_equal(said, "connected", of="upstream")
    else:
        expect_that(
            said in ("connecting", "stale", "down"), "upstream connecting, stale or down", said
        )


def _data(message: Message) -> dict[str, Any]:
    data = message.get("data")
    expect_type(data, "an object", of=f"data of {message.type}")
    assert isinstance(data, dict)
    return data


def _now(world: World, clock: str) -> int:
    return at(moment(world.now).date(), clock)


def _symbols(stocks: tuple[Stock, ...]) -> list[str]:
    return [stock.symbol for stock in stocks]
