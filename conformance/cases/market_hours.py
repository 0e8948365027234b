"""MKT: market hours."""

from __future__ import annotations

from conformance.case import Need, case
from conformance.expect import expect_equal, expect_none_of, expect_that
from conformance.world import World


@case(
    "MKT-010",
    title="Data flows from 09:15:00 and not before, after the notice that the market opened",
    rules=("H-1", "H-2", "G-HOURS", "G-NOTIFY"),
    needs=(Need.FEED, Need.CLOCK),
    at="09:14:50",
    explain="The feed talks before the open too. A server that passes that on shows prices of the"
    " pre-open auction as if they were trades; one that opens by polling misses the first ones.",
)
async def opens(world: World) -> None:
    """Play over the open."""
    stock = world.stocks[0]
    peer = await world.connect()
    await peer.subscribe(stock.symbol)
    await world.until("09:14:59")
    await world.settle(peer)
    expect_none_of(peer.data(), "market_data before the open")
    expect_none_of(peer.notices(), "notice before the open")
    await world.until("09:15:03")
    await world.settle(peer)
    kinds = [message.type for message in peer.messages("market_status", "market_data")]
    expect_equal(kinds[:1], ["market_status"], of="first message of the session")
    expect_equal(len(peer.notices()), 1, of="number of notices")
    rows = world.feed.rows(stock, "09:14:59", "09:15:03")
    prices = [message["data"]["ltp"] for message in peer.data(stock.symbol)]
    wanted = [row.ltp / 100 for row in rows if row.clock >= "09:15:00.000"]
    expect_equal(prices, wanted, of="prices since the open")


@case(
    "MKT-020",
    title="Nothing comes from 15:30:00 on, after the notice that the market closed",
    rules=("H-1", "H-2", "G-HOURS", "G-NOTIFY"),
    needs=(Need.FEED, Need.CLOCK),
    at="15:29:50",
    explain="The feed goes on after the close: last trades of the queue, closing prices, post-close"
    " trades. One tick after the notice makes a client believe in a session that is over.",
)
async def closes(world: World) -> None:
    """Play over the close."""
    stock = world.stocks[0]
    peer = await world.connect()
    await peer.subscribe(stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.until("15:30:03")
    await world.settle(peer)
    rows = world.feed.rows(stock, "15:29:50", "15:30:03")
    wanted = [row.ltp / 100 for row in rows if row.clock < "15:30:00.000"]
    prices = [message["data"]["ltp"] for message in peer.data(stock.symbol, since=mark)]
    expect_equal(prices, wanted, of="prices up to the close")
    expect_equal(len(peer.notices()), 1, of="number of notices")
    last = peer.messages("market_status", "market_data")[-1]
    expect_that(last.is_notice, "the notice that the market closed as the last message", last)
