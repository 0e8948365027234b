"""
What cases ask a server again and again: to subscribe, what is subscribed, whether it still serves.

Each question is a request of the guide; the answer is checked as far as every
server must give it, and no further.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conformance.expect import Inconclusive, expect_equal, expect_reply, expect_that, expect_type
from conformance.peer import Message, Peer
from conformance.tape import Stock

if TYPE_CHECKING:
    from conformance.world import World

__all__ = [
    "expect_flow",
    "expect_listed",
    "expect_serving",
    "listed",
    "stock_of",
    "subscribed",
    "subscriptions",
    "unsubscribed",
]


async def subscribed(peer: Peer, *stocks: Any, **fields: Any) -> Mapping[str, Any]:
    """
    Subscribe stocks, of which the server knows some, and return the reply's data.

    Raises:
        Inconclusive: If the market is closed and the server, as the guide
            lets it, refuses because of that.

    """
    reply = await peer.subscribe(*stocks, **fields)
    said = str(reply.get("message", "")).lower()
    if reply.type == "error" and "market" in said and "closed" in said:
        raise Inconclusive("the market is closed, and the server takes no subscriptions then")
    return _data(reply, "subscription_response")


async def unsubscribed(peer: Peer, *stocks: Any, **fields: Any) -> Mapping[str, Any]:
    """Unsubscribe stocks and return the reply's data."""
    return _data(await peer.unsubscribe(*stocks, **fields), "subscription_response")


async def subscriptions(peer: Peer) -> Mapping[str, Any]:
    """Ask what is subscribed and return the reply's data."""
    return _data(await peer.request("get_subscriptions"), "subscriptions")


async def listed(peer: Peer) -> list[str]:
    """Ask what is subscribed and return the symbols in the order in which they are listed."""
    data = await subscriptions(peer)
    symbols = data.get("subscribed_symbols")
    expect_type(symbols, "a list of strings", of="subscribed_symbols")
    return list(symbols or [])


async def expect_listed(peer: Peer, symbols: Iterable[str]) -> None:
    """Expect these to be subscribed and no others, in whatever order."""
    expect_equal(sorted(await listed(peer)), sorted(symbols), of="what is subscribed now:")


async def expect_flow(world: World, peer: Peer, stocks: Sequence[Stock], *, until: str) -> None:
    """Let time pass, and expect some of each stock's ticks in it."""
    mark = peer.mark()
    await world.until(until)
    await world.settle(peer)
    for stock in stocks:
        came = peer.data(stock.symbol, since=mark)
        expect_that(came, f"data of {stock.symbol} up to {until}", "none")


def stock_of(world: World, symbol: str) -> Stock:
    """
    Return one of the stocks that the server knows.

    Raises:
        Inconclusive: If the target names others.

    """
    for stock in world.stocks:
        if stock.symbol == symbol:
            return stock
    raise Inconclusive(f"the target does not name {symbol} among its stocks")


async def expect_serving(peer: Peer, *symbols: str) -> None:
    """Expect a connection that is up, answers requests, and subscribes these and no others."""
    reply = await peer.ping()
    expect_equal(reply.type, "pong", of="type of the reply to a ping afterwards:")
    found = sorted(await listed(peer))
    expect_equal(found, sorted(symbols), of="the subscriptions, as they were before:")


def _data(reply: Message, type: str) -> Mapping[str, Any]:
    data = expect_reply(reply, type)
    expect_type(data, "an object", of=f"data of {type}")
    return data  # type: ignore[no-any-return]
