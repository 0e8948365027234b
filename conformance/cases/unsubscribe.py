"""UNS: unsubscribe."""

from __future__ import annotations

from typing import Any

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    expect_equal,
    expect_error,
    expect_none_of,
    expect_reply,
    expect_that,
)
from conformance.questions import listed, subscribed, subscriptions, unsubscribed
from conformance.world import World


@family(
    "UNS-010",
    variants={
        "symbol-by-symbol": (0, 0),
        "symbol-by-token": (0, 1),
        "token-by-symbol": (1, 0),
        "token-by-token": (1, 1),
    },
    title="A stock is unsubscribed by symbol or token, however it was subscribed: {variant}",
    rules=("S-4", "R-2", "G-UNSUBSCRIBE"),
    explain="What is subscribed is the stock, not the word it was asked by. Servers that keep the"
    " words cannot find SBIN when 3045 is unsubscribed, and go on streaming it.",
)
async def either_way(world: World, ways: tuple[int, int]) -> None:
    """Subscribe two stocks and unsubscribe one."""
    gone, kept = world.stocks[:2]
    names = (gone.symbol, gone.token)
    peer = await world.connect()
    await subscribed(peer, names[ways[0]], kept.symbol)
    await unsubscribed(peer, names[ways[1]])
    expect_equal(await listed(peer), [kept.symbol], of="what is still subscribed")


@case(
    "UNS-020",
    title="The reply to an unsubscribe says what was unsubscribed and how many are left",
    rules=("S-4",),
    profile=Profile.FULL,
    explain="action, unsubscribed_stocks, failed_stocks, total_subscribed: with them a client can"
    " mend its own table without asking. Servers that share code with subscribe answer with"
    " subscribed_stocks, or with the total of before.",
)
async def reply(world: World) -> None:
    """Unsubscribe one of three."""
    symbols = [stock.symbol for stock in world.stocks[:3]]
    peer = await world.connect()
    await subscribed(peer, *symbols)
    data = await unsubscribed(peer, symbols[1])
    expect_equal(data.get("action"), "unsubscribe", of="action")
    expect_equal(data.get("unsubscribed_stocks"), symbols[1:2], of="unsubscribed_stocks")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 2, of="total_subscribed")
    expect_that("subscribed_stocks" not in data, "no subscribed_stocks in it", data)


@case(
    "UNS-030",
    title="Stocks are named as they were asked for, in the order of the request",
    rules=("S-1", "S-4"),
    profile=Profile.FULL,
    explain="As in a subscribe: a symbol by symbol, a token as SBIN (NSE). A client matches the"
    " reply with what it sent.",
)
async def names(world: World) -> None:
    """Unsubscribe by token and by symbol, in another order than subscribed."""
    first, second, third = world.stocks[:3]
    peer = await world.connect()
    await subscribed(peer, first.symbol, second.symbol, third.symbol)
    data = await unsubscribed(peer, third.symbol, first.token)
    wanted = [third.symbol, first.label]
    expect_equal(data.get("unsubscribed_stocks"), wanted, of="unsubscribed_stocks")


@case(
    "UNS-040",
    title="A stock that is not subscribed, or not known, stands in failed_stocks; the rest is"
    " unsubscribed",
    rules=("S-4",),
    profile=Profile.FULL,
    explain="To want something gone that is not there is no error: status stays success. But the"
    " client must see it, or a misspelt name streams on unnoticed.",
)
async def not_there(world: World) -> None:
    """Unsubscribe a subscribed, another and an unknown stock."""
    here, other = (stock.symbol for stock in world.stocks[:2])
    peer = await world.connect()
    await subscribed(peer, here)
    data = await unsubscribed(peer, "NO_SUCH_STOCK", other, here)
    expect_equal(data.get("unsubscribed_stocks"), [here], of="unsubscribed_stocks")
    expect_equal(data.get("failed_stocks"), ["NO_SUCH_STOCK", other], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 0, of="total_subscribed")


@case(
    "UNS-050",
    title="An unsubscribe of which nothing was subscribed is a success",
    rules=("S-4",),
    profile=Profile.FULL,
    explain="A page that is left unsubscribes all it may have had. An error for that fills logs"
    " with failures that are none.",
)
async def nothing_there(world: World) -> None:
    """Unsubscribe a stock without any subscription."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    data = expect_reply(await peer.unsubscribe(symbol), "subscription_response")
    expect_equal(data.get("unsubscribed_stocks"), [], of="unsubscribed_stocks")
    expect_equal(data.get("failed_stocks"), [symbol], of="failed_stocks")


@family(
    "UNS-060",
    variants={"empty-list": {"stocks": []}, "no-list": {}},
    title="An unsubscribe without stocks is an error and changes nothing: {variant}",
    rules=("S-5",),
    profile=Profile.FULL,
    explain="No stocks provided for unsubscription, code empty_request. A server that takes no"
    " stocks for all stocks empties a table by a slip.",
)
async def no_stocks(world: World, fields: dict[str, Any]) -> None:
    """Unsubscribe nothing."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol)
    error = await peer.request("unsubscribe", **fields)
    expect_error(error, text="No stocks provided for unsubscription")
    expect_equal(await listed(peer), [symbol], of="the subscriptions, as they were before:")


@case(
    "UNS-070",
    title="An unsubscribe of * takes everything",
    rules=("R-8", "S-4"),
    profile=Profile.FULL,
    explain="A client that starts anew need not know what an earlier program under its id had"
    " subscribed.",
)
async def star(world: World) -> None:
    """Subscribe three stocks and unsubscribe *."""
    symbols = [stock.symbol for stock in world.stocks[:3]]
    peer = await world.connect()
    await subscribed(peer, *symbols)
    data = await unsubscribed(peer, "*")
    found = data.get("unsubscribed_stocks")
    expect_equal(sorted(found or []), sorted(symbols), of="unsubscribed_stocks, in any order,")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 0, of="total_subscribed")
    expect_equal(await listed(peer), [], of="subscribed_symbols")


@case(
    "UNS-080",
    title="An unsubscribe of * with nothing subscribed succeeds with empty lists",
    rules=("R-8", "S-4"),
    profile=Profile.FULL,
    explain="The first thing that a careful client sends. It must not look like a failure.",
)
async def star_on_nothing(world: World) -> None:
    """Unsubscribe * on a new client."""
    data = await unsubscribed(await world.connect(), "*")
    expect_equal(data.get("unsubscribed_stocks"), [], of="unsubscribed_stocks")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 0, of="total_subscribed")


@case(
    "UNS-090",
    title="After an unsubscribe no data of that stock comes, and that of the others goes on",
    rules=("M-2", "G-UNSUBSCRIBE", "G-SUBSCRIBED"),
    needs=(Need.FEED, Need.CLOCK),
    explain="The point of it. Servers take the stock off the list and leave the connection in the"
    " stream, so the reply says one thing and the data another.",
)
async def data_stops(world: World) -> None:
    """Unsubscribe one of two and play."""
    gone, kept = world.stocks[:2]
    peer = await world.connect()
    await subscribed(peer, gone.symbol, kept.symbol)
    await unsubscribed(peer, gone.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:03")
    await world.settle(peer)
    expect_none_of(peer.data(gone.symbol, since=mark), f"data of {gone.symbol}")
    expect_that(peer.data(kept.symbol, since=mark), f"data of {kept.symbol}", "none")


@case(
    "UNS-100",
    title="One client's unsubscribe leaves the other clients' data alone",
    rules=("M-2", "P-4", "G-SUBSCRIBED"),
    needs=(Need.FEED, Need.CLOCK),
    explain="A server asks the feed once for all its clients. If it takes the stock off at the feed"
    " with the first client that leaves, the others fall silent.",
)
async def others_go_on(world: World) -> None:
    """Two clients have a stock that nobody else has; one unsubscribes it."""
    stock = world.quiet_stocks[0]
    leaving, staying = await world.connect(), await world.connect()
    await subscribed(leaving, stock.symbol)
    await subscribed(staying, stock.symbol)
    await world.until("11:00:02")
    await unsubscribed(leaving, stock.symbol)
    await world.settle()
    mark = staying.mark()
    await world.until("11:00:05")
    await world.settle(staying)
    expect_that(staying.data(stock.symbol, since=mark), "data for the client that stays", "none")


@case(
    "UNS-110",
    title="A stock that is subscribed anew after an unsubscribe has its data again",
    rules=("M-2", "G-SUBSCRIBED"),
    needs=(Need.FEED, Need.CLOCK),
    explain="Stocks are scrolled out of a page and in again. Servers that answer from a table of"
    " what was once subscribed do not ask the feed a second time.",
)
async def anew(world: World) -> None:
    """Unsubscribe and subscribe a stock that nobody else has."""
    stock = world.quiet_stocks[1]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:02")
    await unsubscribed(peer, stock.symbol)
    await world.until("11:00:04")
    await subscribed(peer, stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:07")
    await world.settle(peer)
    expect_that(peer.data(stock.symbol, since=mark), f"data of {stock.symbol} again", "none")


@case(
    "UNS-120",
    title="A stock that is subscribed anew stands at the end of the list",
    rules=("S-4", "S-6"),
    profile=Profile.FULL,
    explain="The list is in the order of subscription, oldest first, and this is a new one.",
)
async def at_the_end(world: World) -> None:
    """Unsubscribe and subscribe the first of three."""
    first, second, third = (stock.symbol for stock in world.stocks[:3])
    peer = await world.connect()
    await subscribed(peer, first, second, third)
    await unsubscribed(peer, first)
    await subscribed(peer, first)
    expect_equal(await listed(peer), [second, third, first], of="subscribed_symbols")


@case(
    "UNS-130",
    title="To unsubscribe a share on BSE leaves the same share on NSE",
    rules=("R-2", "S-4"),
    profile=Profile.FULL,
    features=("bse",),
    explain="They are two instruments. A server that unsubscribes by symbol takes both, or the"
    " wrong one.",
)
async def one_exchange(world: World) -> None:
    """Subscribe SBIN on both exchanges and unsubscribe BSE's."""
    peer = await world.connect()
    await subscribed(peer, "NSE:SBIN", "BSE:SBIN")
    await unsubscribed(peer, "BSE:SBIN")
    found = (await subscriptions(peer)).get("subscribed_tokens")
    expect_equal([str(item) for item in found or []], ["3045"], of="the token still subscribed:")


@family(
    "UNS-140",
    variants={"small-letters": "itc", "blanks": " ITC ", "integer": 1660, "guide-token": "424"},
    title="A stock may be written for an unsubscribe as for a subscribe: {variant}",
    rules=("R-2", "R-3"),
    profile=Profile.FULL,
    features=("guide-tokens",),
    explain="The two share their rules of reading, and should share their code.",
)
async def loosely_written(world: World, name: object) -> None:
    """Unsubscribe ITC by another name."""
    peer = await world.connect()
    await subscribed(peer, "ITC")
    await unsubscribed(peer, name)
    expect_equal(await listed(peer), [], of="subscribed_symbols")
