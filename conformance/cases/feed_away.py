"""RES: the feed away at a start, an open or a close, mute, or talking nonsense."""

from __future__ import annotations

from typing import Any, Final

from conformance.case import Need, Profile, case, family
from conformance.cases.resilience import lose, regain, status
from conformance.expect import Inconclusive, expect_equal, expect_none_of, expect_that
from conformance.peer import Message, Peer
from conformance.questions import expect_flow, expect_listed, subscribed
from conformance.tape import at, moment
from conformance.world import World

_BOTH = (Need.FEED, Need.CLOCK)
_NONSENSE: Final = (
    "corrupt-zlib",
    "truncated-zlib",
    "trailing-nuls",
    "joined-frames",
    "split-frame",
    "fragmented",
    "non-numeric",
    "zero-price",
    "negative-price",
    "unknown-token",
    "duplicate",
    "reorder",
    "stale-time",
    "time-ahead",
    "date-change",
)
"""Faults of the feed that cut no connection."""


@case(
    "RES-400",
    title="A close that passes while the feed is away is told once, and nothing comes after it",
    rules=("H-1", "H-2"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    at="15:29:55",
    explain="Lost at 15:29, back at 15:30. A server that lives by its feed's time hears of the"
    " close with the first word of the returning feed, and in the same breath the state of all"
    " stocks, which must not go out any more. One with a clock of its own closes on time.",
)
async def over_the_close(world: World) -> None:
    """Lose the feed before the close and let it come back after it."""
    stock = world.stocks[0]
    peer, idle = await world.connect(), await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("15:29:57")
    await lose(world)
    mark = peer.mark()
    await _pass(world, "15:30:04")
    await regain(world)
    await world.until("15:30:06")
    await world.settle()
    for one in (peer, idle):
        expect_equal(_events(one), ["market_closed"], of="events of the notices")
    expect_none_of(peer.data(since=mark), "market_data after the loss, as the market closed in it")


@case(
    "RES-410",
    title="An open that passes while the feed is away is told before the first data",
    rules=("H-1", "H-2", "M-2"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    at="09:14:50",
    explain="Lost at 09:14, back at 09:15, when the whole market is busy. The notice must come, and"
    " before the data, though both are due in the same moment.",
)
async def over_the_open(world: World) -> None:
    """Lose the feed before the open and let it come back after it."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("09:14:55")
    await lose(world)
    await _pass(world, "09:15:04")
    await regain(world)
    await expect_flow(world, peer, [stock], until="09:15:06")
    expect_equal(_events(peer), ["market_opened"], of="events of the notices")
    kinds = [message.type for message in peer.messages("market_status", "market_data")]
    expect_equal(kinds[0], "market_status", of="type of the first message of the session")


@case(
    "RES-420",
    title="A feed that went in the evening and comes back the next day finds its clients",
    rules=("H-2", "H-3", "M-2"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    features=("feed-clock",),
    at="15:35:00",
    explain="Feeds are shut down for the night. The server sits through it with its clients, and"
    " the first thing that it hears is that another day is in full swing.",
)
async def over_the_night(world: World) -> None:
    """Lose the feed after the close and let it come back the next day at 11."""
    if not world.exact:
        raise Inconclusive("the server has a clock of its own, which cannot be moved under clients")
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.settle(peer)
    await lose(world)
    await world.feed.seek(at("2025-09-05", "11:00:00"))
    await regain(world)
    await expect_flow(world, peer, [stock], until="11:00:03")
    expect_equal(_events(peer), ["market_opened"], of="events of the notices")


@family(
    "RES-430",
    variants={"restarted": False, "killed": True},
    title="A server that starts while the feed is away restores its clients, and the data when it"
    " comes: {variant}",
    rules=("P-1", "P-2", "M-2"),
    profile=Profile.FULL,
    needs=(*_BOTH, Need.RESTART),
    own_feed=True,
    explain="After a power cut all come up in any order. Servers that wait for their feed before"
    " they listen keep everybody out; those that ask the feed once, at their start, for what is"
    " subscribed ask nobody.",
)
async def at_start(world: World, is_killed: bool) -> None:
    """Start the server without its feed, come back, then let the feed come."""
    stocks = world.stocks[:2]
    symbols = [stock.symbol for stock in stocks]
    client_id = world.new_id()
    await subscribed(await world.connect(client_id), *symbols)
    await world.feed.lose()
    await (world.kill() if is_killed else world.stop())
    await world.start()
    back = await world.connect(client_id)
    await expect_listed(back, symbols)
    await regain(world)
    await expect_flow(world, back, stocks, until="11:00:03")


@case(
    "RES-500",
    title="A feed that was mute for a while is heard again",
    rules=("M-2", "M-3", "H-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    own_feed=True,
    features=("feed-clock",),
    explain="The line stays open and nothing comes on it, not even the time. When it talks again"
    " the server must be there, and its clients with it.",
)
async def mute(world: World) -> None:
    """Silence the feed for four seconds of its time."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:02")
    await world.feed.fault("mute+1h")
    await world.feed.play(_at(world, "11:00:06"))
    await world.feed.clear_fault("mute")
    await expect_flow(world, peer, [stock], until="11:00:08")
    expect_none_of(peer.notices(), "notice")
    await _expect_true(world, peer, "11:00:00", "11:00:08")


@family(
    "RES-600",
    variants={name: name for name in _NONSENSE},
    title="What a feed garbles is not told, and what it says afterwards is: {variant}",
    rules=("M-1", "M-3", "H-1"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="Frames that are cut or broken, figures that are none, times of another day. The client"
    " may miss an update; it must not be told a price that the feed has not told, nor hear that the"
    " market closed, and it must be up to date again with the next good update.",
)
async def nonsense(world: World, fault: str) -> None:
    """Let the feed talk nonsense for three seconds of its time, then sense."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:02")
    await world.settle(peer)
    mark = peer.mark()
    await world.feed.fault(f"{fault}+3s")
    await world.feed.play(_at(world, "11:00:06"))
    await world.until("11:00:08")
    await world.settle(peer)
    expect_none_of(peer.notices(since=mark), "notice")
    expect_equal((await status(peer)).get("market_open"), True, of="market_open")
    await _expect_true(world, peer, "11:00:00", "11:00:08")


async def _pass(world: World, time: str) -> None:
    """Let time pass for a feed that nobody hears, and for the server if it has its own clock."""
    if world.exact:
        await world.feed.play(_at(world, time))
    else:
        await world.until(time)


async def _expect_true(world: World, peer: Peer, first: str, last: str) -> None:
    """Expect figures that the tape holds, and the newest of them in the end."""
    stock = world.stocks[0]
    rows = world.feed.rows(stock, first, last)
    told = [*rows, world.feed.tick_of(stock, first)]
    known = {(str(row.volume), row.ltp / 100) for row in told}
    came = [_figures(message) for message in peer.data(stock.symbol)]
    expect_that(came, f"data of {stock.symbol}", "none")
    strange = [pair for pair in came if pair not in known]
    expect_none_of(
        [{"volume": volume, "ltp": ltp} for volume, ltp in strange],
        "figures that the feed has not told",
    )
    newest = (str(rows[-1].volume), rows[-1].ltp / 100)
    expect_equal(list(came[-1]), list(newest), of=f"volume and ltp, as told at {rows[-1].clock},")


def _figures(message: Message) -> tuple[str, Any]:
    data = message.get("data")
    if not isinstance(data, dict):
        return "", None
    return str(data.get("volume")), data.get("ltp")


def _events(peer: Peer) -> list[object]:
    return [(notice.get("data") or {}).get("event") for notice in peer.notices()]


def _at(world: World, clock: str) -> int:
    return at(moment(world.now).date(), clock)
