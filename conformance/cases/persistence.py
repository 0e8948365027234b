"""PER: persistence."""

from __future__ import annotations

from conformance.case import Need, case
from conformance.expect import expect_equal, expect_tick
from conformance.world import World


@case(
    "PER-100",
    title="Subscriptions outlive kill -9 of the server, and data flows again unasked",
    rules=("P-1", "P-2", "G-PERSIST"),
    needs=(Need.FEED, Need.CLOCK, Need.RESTART),
    explain="What was acknowledged is kept. Servers that write their sessions on a clean end only,"
    " or a second later, lose them here; servers that restore the list and do not ask the feed"
    " for it restore silence.",
)
async def killed(world: World) -> None:
    """Subscribe, kill the server at once, come back."""
    stocks = world.stocks[:3]
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await peer.subscribe(*(stock.symbol for stock in stocks))
    await world.kill()
    await world.start()
    peer = await world.connect(client_id)
    await world.until("11:00:03")
    await world.settle(peer)
    for stock in stocks:
        came = peer.data(stock.symbol)
        expect_equal(bool(came), True, of=f"data of {stock.symbol} without a request:")
        expect_tick(came[-1], world.feed.tick_of(stock))
    reply = await peer.request("get_subscriptions")
    wanted = [stock.symbol for stock in stocks]
    expect_equal(reply["data"].get("subscribed_symbols"), wanted, of="subscribed_symbols")
