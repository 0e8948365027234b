"""
What cases ask a server again and again: to subscribe, what is subscribed, whether it still serves.

Each question is a request of the guide; the answer is checked as far as every
server must give it, and no further.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.expect import Inconclusive, expect_equal, expect_reply, expect_type
from conformance.peer import Message, Peer

__all__ = [
    "expect_serving",
    "listed",
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
