"""QRY: get_subscriptions and ping."""

from __future__ import annotations

from conformance.case import Profile, case
from conformance.expect import (
    expect_equal,
    expect_has,
    expect_reply,
    expect_that,
    expect_type,
)
from conformance.questions import listed, subscribed, subscriptions, unsubscribed
from conformance.world import World


@case(
    "QRY-010",
    title="A new client has no subscriptions, and the lists are empty",
    rules=("S-6", "G-SUBSCRIPTIONS"),
    explain="Empty lists, not null and not left out: clients loop over them.",
)
async def none_yet(world: World) -> None:
    """Ask before anything is subscribed."""
    data = await subscriptions(await world.connect())
    expect_equal(data.get("subscribed_tokens"), [], of="subscribed_tokens")
    expect_equal(data.get("subscribed_symbols"), [], of="subscribed_symbols")
    expect_equal(data.get("total_subscribed"), 0, of="total_subscribed")


@case(
    "QRY-020",
    title="get_subscriptions lists tokens, as strings, and symbols",
    rules=("S-6", "G-SUBSCRIPTIONS"),
    explain="The guide's tokens are strings, as everywhere. A client that compares them with what"
    " it subscribed finds none of them when they are numbers.",
)
async def tokens_and_symbols(world: World) -> None:
    """Subscribe by symbol and by token, and ask."""
    stocks = world.stocks[:3]
    peer = await world.connect()
    await subscribed(peer, stocks[0].symbol, stocks[1].token, stocks[2].symbol)
    data = await subscriptions(peer)
    expect_type(data.get("subscribed_tokens"), "a list of strings", of="subscribed_tokens")
    expect_type(data.get("subscribed_symbols"), "a list of strings", of="subscribed_symbols")
    tokens, symbols = sorted(data["subscribed_tokens"]), sorted(data["subscribed_symbols"])
    expect_equal(tokens, sorted(stock.token for stock in stocks), of="tokens, in any order,")
    expect_equal(symbols, sorted(stock.symbol for stock in stocks), of="symbols, in any order,")
    expect_equal(data.get("total_subscribed"), 3, of="total_subscribed")


@case(
    "QRY-030",
    title="Token and symbol stand at the same place of their lists",
    rules=("S-6", "G-SUBSCRIPTIONS"),
    explain="As in the guide's example: 3045 is SBIN. Lists that are sorted each for itself pair"
    " one company's token with another's name.",
)
async def in_pairs(world: World) -> None:
    """Subscribe stocks whose symbols and tokens sort differently."""
    stocks = world.stocks[:5]
    peer = await world.connect()
    await subscribed(peer, *(stock.symbol for stock in stocks))
    data = await subscriptions(peer)
    pairs = zip(
        map(str, data.get("subscribed_tokens") or []),
        data.get("subscribed_symbols") or [],
        strict=False,
    )
    wanted = sorted([stock.token, stock.symbol] for stock in stocks)
    expect_equal(sorted(map(list, pairs)), wanted, of="pairs of token and symbol, in any order,")


@case(
    "QRY-040",
    title="Subscriptions are listed oldest first",
    rules=("S-6",),
    profile=Profile.FULL,
    explain="The order of a user's table. Lists kept in a set or a map come in any order, and in"
    " another one after each restart.",
)
async def oldest_first(world: World) -> None:
    """Subscribe in three requests, unsubscribe one in the middle."""
    a, b, c, d, e = (stock.symbol for stock in world.stocks[:5])
    peer = await world.connect()
    await subscribed(peer, d, b)
    await subscribed(peer, e)
    await subscribed(peer, c, a)
    await unsubscribed(peer, e)
    expect_equal(await listed(peer), [d, b, c, a], of="subscribed_symbols")


@case(
    "QRY-050",
    title="The exchanges are listed beside tokens and symbols",
    rules=("S-6", "R-2"),
    profile=Profile.FULL,
    features=("bse",),
    explain="SBIN is on NSE and on BSE; the symbol alone does not say which it is.",
)
async def exchanges(world: World) -> None:
    """Subscribe a share on both exchanges."""
    peer = await world.connect()
    await subscribed(peer, "BSE:500112", "NSE:SBIN")
    data = await subscriptions(peer)
    expect_has(data, "subscribed_exchanges", of="data of subscriptions")
    expect_equal(data["subscribed_exchanges"], ["BSE", "NSE"], of="subscribed_exchanges")


@case(
    "QRY-060",
    title="The guide's wrong tokens are listed as the real ones",
    rules=("R-3", "S-6"),
    profile=Profile.FULL,
    features=("guide-tokens",),
    explain="Data come under the real token; a client that takes the alias from the list never"
    " finds its data.",
)
async def real_tokens(world: World) -> None:
    """Subscribe by the guide's tokens for HINDUNILVR, ITC and KOTAKBANK."""
    peer = await world.connect()
    await subscribed(peer, "356", "424", "492")
    found = (await subscriptions(peer)).get("subscribed_tokens")
    expect_type(found, "a list", of="subscribed_tokens")
    tokens = sorted(map(str, found or []))
    expect_equal(tokens, ["1394", "1660", "1922"], of="the tokens, in any order,")


@case(
    "QRY-070",
    title="What failed is not listed",
    rules=("S-2", "S-6", "G-SUBSCRIPTIONS"),
    explain="A server that notes the client's words and looks them up later lists stocks that"
    " do not exist, and counts them.",
)
async def failed_are_not(world: World) -> None:
    """Subscribe one known and one unknown stock."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol, "INVALID_SYMBOL")
    data = await subscriptions(peer)
    expect_equal(data.get("subscribed_symbols"), [symbol], of="subscribed_symbols")
    expect_equal(data.get("total_subscribed"), 1, of="total_subscribed")


@case(
    "QRY-100",
    title="ping is answered by pong, status alive",
    rules=("S-8", "G-PING", "G-HEALTH"),
    explain="The guide's health check, which browsers need because WebSocket pings are hidden from"
    " them. A client that looks for alive and finds success thinks that the server is ill.",
)
async def ping(world: World) -> None:
    """Ping."""
    reply = await (await world.connect()).ping()
    expect_reply(reply, "pong", "alive")


@case(
    "QRY-110",
    title="market_status is answered by market_status",
    rules=("S-7", "G-STATUS"),
    explain="The guide's way to ask whether the market is open. The reply is of its own type, not"
    " a general response, so that one handler serves it and the notices of open and close.",
)
async def status(world: World) -> None:
    """Ask for the market's status."""
    reply = await (await world.connect()).request("market_status")
    expect_equal(reply.type, "market_status", of="type")
    expect_that(reply.get("status") != "error", "a status other than error", reply)
    expect_type(reply.get("data"), "an object", of="data of market_status")
