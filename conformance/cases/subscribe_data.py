"""SUB: what follows a subscribe: data, quotes known before, and what a closed market changes."""

from __future__ import annotations

from conformance.case import Need, Profile, case
from conformance.expect import (
    DATA_FIELDS,
    expect_equal,
    expect_error,
    expect_has,
    expect_order,
    expect_reply,
    expect_tick,
    expect_type,
)
from conformance.peer import Message
from conformance.questions import listed, subscribed
from conformance.tape import Row
from conformance.world import World


@case(
    "SUB-100",
    title="The ticks of what is subscribed come, each as the feed told it",
    rules=("M-1", "M-3", "M-6", "M-7", "G-DATA", "G-FIELDS"),
    needs=(Need.FEED, Need.CLOCK),
    explain="The heart of it: what the exchange says reaches the client, all of it, unchanged and"
    " in its order. A server that mixes up fields (close and previous close, volume and last"
    " quantity) or that loses the paisa to a float fails here.",
)
async def ticks(world: World) -> None:
    """Play five seconds and hold every tick against the tape."""
    stock = world.stocks[0]
    peer = await world.connect()
    await peer.subscribe(stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:05")
    await world.settle(peer)
    rows = world.feed.rows(stock, "11:00:00", "11:00:05")
    came = peer.data(stock.symbol, since=mark)
    expect_equal(len(came), len(rows), of=f"number of ticks of {stock.symbol} in five seconds")
    for message, row in zip(came, rows, strict=True):
        expect_tick(message, row)


@case(
    "SUB-300",
    title="A subscribe while the market is closed is kept, and its reply says that it is closed",
    rules=("S-10",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    at="16:00:00",
    explain="Who subscribes in the evening wants tomorrow's data. A server that refuses makes"
    " clients try all night; one that says nothing makes them think that their line is broken."
    " The reply succeeds, with the code market_closed and the time when streaming starts.",
)
async def while_closed(world: World) -> None:
    """Subscribe on Thursday evening."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    reply = await peer.subscribe(symbol)
    data = expect_reply(reply, "subscription_response", code="market_closed")
    expect_type(data, "an object", of="data")
    expect_equal(data.get("subscribed_stocks"), [symbol], of="subscribed_stocks")
    words = "Market is closed; streaming starts 2025-09-05 09:15:00 IST"
    expect_equal(reply.get("message"), words, of="message")
    expect_equal(await listed(peer), [symbol], of="subscribed_symbols")


@case(
    "SUB-310",
    title="A subscribe while the market is open has no word of a closed one",
    rules=("S-10",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="The code market_closed in every reply is as good as none.",
)
async def while_open(world: World) -> None:
    """Subscribe at noon."""
    reply = await (await world.connect()).subscribe(world.stocks[0].symbol)
    expect_reply(reply, "subscription_response")
    expect_equal(reply.get("code"), None, of="code")


@case(
    "SUB-320",
    title="A server told to reject does so while the market is closed, and changes nothing",
    rules=("S-10", "S-9"),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    at="16:00:00",
    variant="closed-policy-reject",
    explain="Some operators want no subscriptions outside hours. The error has the code"
    " market_closed, and what was refused must not turn up in the morning.",
)
async def rejected(world: World) -> None:
    """Subscribe in the evening where that is refused."""
    peer = await world.connect()
    reply = await peer.subscribe(world.stocks[0].symbol)
    expect_error(reply, code="market_closed")
    expect_equal(await listed(peer), [], of="subscribed_symbols")


@case(
    "SUB-400",
    title="With snapshot the reply has the last known quotes, in the order of the request",
    rules=("S-11", "M-1"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    features=("snapshot",),
    explain="A page that opens wants to show prices at once, in one message. The quotes are data"
    " objects as in market_data; strings in place of numbers, or the whole envelope, break it.",
)
async def snapshot(world: World) -> None:
    """Subscribe two stocks with snapshot at noon."""
    await _expect_snapshots(world)


@case(
    "SUB-410",
    title="snapshot gives the last known quotes while the market is closed too",
    rules=("S-10", "S-11", "H-6", "M-1"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    at="15:35:00",
    features=("snapshot",),
    explain="In the evening no data flow, and the snapshot is the only way to see the day's last"
    " prices. Servers that forget their quotes at the close have none to give.",
)
async def snapshot_closed(world: World) -> None:
    """Subscribe two stocks with snapshot after the close."""
    await _expect_snapshots(world)


@case(
    "SUB-420",
    title="Subscribing again with snapshot gives the quotes again",
    rules=("S-11", "S-3", "M-1"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    features=("snapshot",),
    explain="What is asked for is the state of the stocks of this request, not of those that are"
    " new. A page that is drawn anew asks again.",
)
async def snapshot_again(world: World) -> None:
    """Subscribe first without snapshot, then with it."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await subscribed(peer, stock.symbol, snapshot=True)
    reply = await peer.subscribe(stock.symbol, snapshot=True)
    _expect_snapshot(_snapshots(reply), 0, world.feed.tick_of(stock))


async def _expect_snapshots(world: World) -> None:
    stocks = (world.stocks[1], world.stocks[0])
    peer = await world.connect()
    reply = await peer.subscribe(*(stock.symbol for stock in stocks), snapshot=True)
    found = _snapshots(reply)
    expect_equal(len(found), len(stocks), of="number of snapshots")
    for index, stock in enumerate(stocks):
        _expect_snapshot(found, index, world.feed.tick_of(stock))


def _snapshots(reply: Message) -> list[object]:
    expect_reply(reply, "subscription_response")
    data = reply.get("data")
    expect_type(data, "an object", of="data")
    assert isinstance(data, dict)
    found = data.get("snapshots")
    expect_type(found, "a list", of="data.snapshots")
    assert isinstance(found, list)
    return found


def _expect_snapshot(found: list[object], index: int, row: Row) -> None:
    expect_equal(len(found) > index, True, of=f"a snapshot of {row.stock.symbol}:")
    data = found[index]
    expect_type(data, "an object", of="a snapshot")
    assert isinstance(data, dict)
    expect_has(data, *DATA_FIELDS, of="a snapshot")
    expect_order(data, tuple(DATA_FIELDS), of="a snapshot")
    stock = row.stock
    told = (data["symbol"], data["token"], data["exchange"], data["ltp"], data["volume"])
    wanted = (stock.symbol, stock.token, stock.exchange, row.ltp / 100, row.volume)
    expect_equal(told, wanted, of="symbol, token, exchange, ltp and volume of a snapshot")
