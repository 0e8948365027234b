"""SUB: subscribe."""

from __future__ import annotations

from conformance.case import Need, case
from conformance.expect import expect_equal, expect_reply, expect_tick
from conformance.world import World


@case(
    "SUB-010",
    title="Stocks asked for by symbol are named by symbol, in the order of the request",
    rules=("S-1", "G-SYMBOLS"),
    explain="The guide's first example. Servers that keep subscriptions in a set answer in any"
    " order, and a client that matches the lists by place takes one stock for another.",
)
async def by_symbol(world: World) -> None:
    """Subscribe some stocks, not in the order of the alphabet."""
    symbols = [stock.symbol for stock in world.stocks[:5]]
    peer = await world.connect()
    reply = await peer.subscribe(*symbols)
    data = expect_reply(reply, "subscription_response")
    expect_equal(data.get("action"), "subscribe", of="action")
    expect_equal(data.get("subscribed_stocks"), symbols, of="subscribed_stocks")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), len(symbols), of="total_subscribed")


@case(
    "SUB-100",
    title="The ticks of what is subscribed come, each as the feed told it",
    rules=("M-1", "M-3", "G-DATA", "G-FIELDS"),
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
