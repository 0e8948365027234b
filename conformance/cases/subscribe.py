"""SUB: subscribe, what a stock may be called, and what the reply says."""

from __future__ import annotations

from typing import Any, Final

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    expect_equal,
    expect_error,
    expect_has,
    expect_in,
    expect_reply,
    expect_that,
    expect_type,
)
from conformance.questions import listed, subscribed, subscriptions
from conformance.world import World

UNKNOWN: Final = "INVALID_SYMBOL"
"""The guide's own example of a stock that is not found."""

GUIDE_TOKENS: Final = {
    "sbin": ("3045", "SBIN (NSE)"),
    "reliance": ("2885", "RELIANCE (NSE)"),
    "tcs": ("11536", "TCS (NSE)"),
    "infy": ("1594", "INFY (NSE)"),
    "hdfcbank": ("1333", "HDFCBANK (NSE)"),
    "bhartiartl": ("10604", "BHARTIARTL (NSE)"),
    "icicibank": ("4963", "ICICIBANK (NSE)"),
    "hindunilvr": ("356", "HINDUNILVR (NSE)"),
    "itc": ("424", "ITC (NSE)"),
    "kotakbank": ("492", "KOTAKBANK (NSE)"),
}


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
    "SUB-020",
    title="Stocks asked for by token are named with their exchange",
    rules=("S-1", "G-TOKENS"),
    explain="The guide's second example: 3045 is answered as SBIN (NSE). A server that echoes the"
    " token, or gives the bare symbol, leaves the client to guess which exchange it meant.",
)
async def by_token(world: World) -> None:
    """Subscribe some stocks by their tokens."""
    stocks = world.stocks[:5]
    peer = await world.connect()
    data = await subscribed(peer, *(stock.token for stock in stocks))
    wanted = [stock.label for stock in stocks]
    expect_equal(data.get("subscribed_stocks"), wanted, of="subscribed_stocks")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), len(stocks), of="total_subscribed")


@case(
    "SUB-030",
    title="Symbols and tokens may be mixed in one request",
    rules=("S-1", "G-MIXED"),
    explain="The guide's third example. Servers that look symbols and tokens up in two passes"
    " answer with all of one kind first.",
)
async def mixed(world: World) -> None:
    """Ask for every other stock by token."""
    stocks = world.stocks[:4]
    names = [s.token if index % 2 else s.symbol for index, s in enumerate(stocks)]
    wanted = [s.label if index % 2 else s.symbol for index, s in enumerate(stocks)]
    data = await subscribed(await world.connect(), *names)
    expect_equal(data.get("subscribed_stocks"), wanted, of="subscribed_stocks")
    expect_equal(data.get("total_subscribed"), len(stocks), of="total_subscribed")


@case(
    "SUB-040",
    title="subscribe adds to what is subscribed, and the total counts all of it",
    rules=("S-1", "S-3", "G-SUBSCRIBED"),
    explain="subscribe is to add stocks. Servers that replace the list take away what an earlier"
    " part of the same page had asked for; totals that count the request alone hide it.",
)
async def adds(world: World) -> None:
    """Subscribe in two requests."""
    symbols = [stock.symbol for stock in world.stocks[:3]]
    peer = await world.connect()
    await subscribed(peer, symbols[0])
    data = await subscribed(peer, *symbols[1:])
    expect_equal(data.get("subscribed_stocks"), symbols[1:], of="subscribed_stocks")
    expect_equal(data.get("total_subscribed"), 3, of="total_subscribed")
    expect_equal(sorted(await listed(peer)), sorted(symbols), of="what is subscribed")


@family(
    "SUB-050",
    variants=GUIDE_TOKENS,
    title="The guide's token of {variant} names that stock",
    rules=("R-3", "S-1", "G-POPULAR"),
    features=("guide-tokens",),
    explain="Clients copy the guide's table of popular tokens. Three of its tokens (356, 424, 492)"
    " are not NSE's numbers for HINDUNILVR, ITC and KOTAKBANK, and are to work all the same.",
)
async def popular_token(world: World, pair: tuple[str, str]) -> None:
    """Subscribe by the token of the table."""
    token, label = pair
    data = await subscribed(await world.connect(), token)
    expect_equal(data.get("subscribed_stocks"), [label], of="subscribed_stocks")


@case(
    "SUB-060",
    title="The guide's wrong tokens and the real ones name the same stock, and data carries the"
    " real one",
    rules=("R-3", "S-3", "M-1"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    features=("guide-tokens",),
    explain="424 is an alias of ITC's real token, 1660. A server that subscribes the alias itself"
    " at the feed gets another company's data, or none, and calls it ITC.",
)
async def alias(world: World) -> None:
    """Subscribe ITC by both tokens and look at its data."""
    stock = next(stock for stock in world.stocks if stock.symbol == "ITC")
    peer = await world.connect()
    data = await subscribed(peer, "424", stock.token)
    expect_equal(data.get("total_subscribed"), 1, of="total_subscribed")
    await world.until("11:00:02")
    await world.settle(peer)
    came = peer.data("ITC")
    expect_that(came, "data of ITC", "none")
    for message in came:
        expect_equal(message.get("token"), stock.token, of="token")


@family(
    "SUB-070",
    variants={
        "nse-symbol": ("NSE:SBIN", "SBIN (NSE)", "3045"),
        "nse-token": ("NSE:3045", "SBIN (NSE)", "3045"),
        "bse-symbol": ("BSE:SBIN", "SBIN (BSE)", "500112"),
        "bse-token": ("BSE:500112", "SBIN (BSE)", "500112"),
        "bare-bse-token": ("500112", "SBIN (BSE)", "500112"),
        "bare-token": ("3045", "SBIN (NSE)", "3045"),
    },
    title="A stock may have its exchange before it, and the reply names the exchange: {variant}",
    rules=("R-2", "S-1"),
    profile=Profile.FULL,
    features=("bse",),
    explain="Most shares are listed on NSE and BSE under one symbol, at two prices. NSE:SBIN and"
    " BSE:500112 say which is meant; a bare token is NSE's if NSE has it, else BSE's. A server"
    " that drops the prefix gives NSE's price to who asked for BSE's.",
)
async def with_exchange(world: World, stock: tuple[str, str, str]) -> None:
    """Subscribe and look up which instrument it became."""
    name, label, token = stock
    peer = await world.connect()
    data = await subscribed(peer, name)
    expect_equal(data.get("subscribed_stocks"), [label], of="subscribed_stocks")
    found = (await subscriptions(peer)).get("subscribed_tokens")
    expect_equal([str(item) for item in found or []], [token], of="the token subscribed:")


@case(
    "SUB-080",
    title="A bare symbol is the share on NSE",
    rules=("R-2",),
    profile=Profile.FULL,
    explain="Whoever says SBIN means NSE, where most of it is traded. A server that takes the first"
    " match of its list gives, by chance, BSE's or a bond's.",
)
async def nse_first(world: World) -> None:
    """Subscribe by symbol and look up the token."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    found = (await subscriptions(peer)).get("subscribed_tokens")
    expect_equal([str(item) for item in found or []], [stock.token], of="the token subscribed:")


@case(
    "SUB-090",
    title="A share on NSE and the same share on BSE are two subscriptions with data of their own",
    rules=("R-2", "M-1", "M-2"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    features=("bse",),
    explain="What is subscribed is an instrument: exchange and token. A server that keeps symbols"
    " mixes the two prices into one line that jumps up and down.",
)
async def both_exchanges(world: World) -> None:
    """Subscribe SBIN on both and play."""
    nse = world.stocks[0]
    bse = next(stock for stock in world.quiet_stocks if stock.exchange == "BSE")
    peer = await world.connect()
    data = await subscribed(peer, nse.symbol, f"BSE:{bse.symbol}")
    expect_equal(data.get("total_subscribed"), 2, of="total_subscribed")
    await world.until("11:00:03")
    await world.settle(peer)
    for stock in (nse, bse):
        came = [message for message in peer.data() if message.get("exchange") == stock.exchange]
        expect_that(came, f"data of {stock.label}", "none")
        told = {row.ltp / 100 for row in world.feed.rows(stock, "10:59:50", "11:00:03")}
        for message in came:
            expect_in(message["data"].get("ltp"), told, of=f"price of {stock.label}")


@family(
    "SUB-110",
    variants={
        "small-letters": ("sbin", "SBIN"),
        "mixed-case": ("Sbin", "SBIN"),
        "blanks": ("  SBIN ", "SBIN"),
        "token-blanks": (" 3045 ", "SBIN (NSE)"),
        "integer": (3045, "SBIN (NSE)"),
        "exchange-small": ("nse:sbin", "SBIN (NSE)"),
    },
    title="Case and blanks do not matter, and a token may be an integer: {variant}",
    rules=("R-2", "S-1"),
    profile=Profile.FULL,
    features=("guide-tokens",),
    explain="Symbols are typed by people and tokens come out of spreadsheets. Servers compare the"
    " text as it is, or fail on a JSON number where they expect a string.",
)
async def loosely_written(world: World, pair: tuple[object, str]) -> None:
    """Subscribe a stock written in another way."""
    name, told = pair
    data = await subscribed(await world.connect(), name)
    expect_equal(data.get("subscribed_stocks"), [told], of="subscribed_stocks")


@family(
    "SUB-120",
    variants={"ampersand": "M&M", "hyphen": "BAJAJ-AUTO"},
    title="A symbol may hold a sign: {variant}",
    rules=("R-2", "S-1"),
    profile=Profile.FULL,
    features=("signs",),
    explain="M&M and BAJAJ-AUTO are large companies. Servers take what follows the hyphen for a"
    " series, or escape the ampersand on its way into a page.",
)
async def signs(world: World, symbol: str) -> None:
    """Subscribe it, and find it listed."""
    peer = await world.connect()
    data = await subscribed(peer, symbol)
    expect_equal(data.get("subscribed_stocks"), [symbol], of="subscribed_stocks")
    expect_equal(await listed(peer), [symbol], of="subscribed_symbols")


@family(
    "SUB-130",
    variants={
        "nifty": ("NIFTY", "NIFTY 50"),
        "nifty50": ("NIFTY50", "NIFTY 50"),
        "own-name": ("NIFTY 50", "NIFTY 50"),
        "banknifty": ("BANKNIFTY", "NIFTY BANK"),
        "vix": ("INDIA VIX", "INDIA VIX"),
    },
    title="An index is known by its aliases and named by the exchange's name: {variant}",
    rules=("R-9", "S-1"),
    profile=Profile.FULL,
    features=("indices",),
    explain="Nobody calls it NIFTY 50. The reply gives the exchange's name, because data and lists"
    " carry that too, and a client has to find it there.",
)
async def index(world: World, pair: tuple[str, str]) -> None:
    """Subscribe an index."""
    name, told = pair
    peer = await world.connect()
    data = await subscribed(peer, name)
    expect_equal(data.get("subscribed_stocks"), [told], of="subscribed_stocks")
    expect_equal(await listed(peer), [told], of="subscribed_symbols")


@case(
    "SUB-200",
    title="A stock that is not found stands in failed_stocks, and the others are subscribed",
    rules=("S-1", "S-2", "G-INVALID"),
    explain="One misspelt stock must not cost a client the rest of its list. Servers refuse the"
    " whole request, or leave the unknown one out without a word.",
)
async def one_unknown(world: World) -> None:
    """Subscribe an unknown stock between two known ones."""
    first, second = (stock.symbol for stock in world.stocks[:2])
    peer = await world.connect()
    data = await subscribed(peer, first, UNKNOWN, second)
    expect_equal(data.get("subscribed_stocks"), [first, second], of="subscribed_stocks")
    expect_equal(data.get("failed_stocks"), [UNKNOWN], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 2, of="total_subscribed")


@case(
    "SUB-210",
    title="Unknown stocks alone stand in failed_stocks too",
    rules=("S-1", "S-2", "G-INVALID"),
    explain="The guide tells a client to look into failed_stocks. A bare error without the list"
    " does not say which stock was wrong.",
)
async def all_unknown(world: World) -> None:
    """Subscribe nothing but an unknown stock."""
    peer = await world.connect()
    reply = await peer.subscribe(UNKNOWN)
    expect_in(reply.get("status"), ("success", "error"), of="status")
    data = reply.get("data")
    expect_type(data, "an object", of="data of the reply")
    assert isinstance(data, dict)
    expect_equal(data.get("failed_stocks"), [UNKNOWN], of="failed_stocks")
    expect_equal(data.get("subscribed_stocks", []), [], of="subscribed_stocks")


@case(
    "SUB-220",
    title="With no stock known the reply is an error, invalid_stock",
    rules=("S-2", "S-9"),
    profile=Profile.FULL,
    explain="A program looks at status first. success for a request that did nothing lets it wait"
    " for data that never come.",
)
async def none_known(world: World) -> None:
    """Subscribe two unknown stocks."""
    reply = await (await world.connect()).subscribe(UNKNOWN, "999999999")
    expect_equal(reply.type, "subscription_response", of="type")
    expect_equal(reply.get("status"), "error", of="status")
    expect_equal(reply.get("code"), "invalid_stock", of="code")


@case(
    "SUB-230",
    title="failed_stocks gives the client's own strings, in their order",
    rules=("S-2",),
    profile=Profile.FULL,
    explain="The client looks for its own text in the list. A server that gives back what it made"
    " of it (trimmed, in capitals) is never found.",
)
async def own_strings(world: World) -> None:
    """Subscribe unknown stocks that are written oddly."""
    odd = [" no_such_stock ", "zzz:No_Such", "NSE:No_Such", "0000000"]
    data = await subscribed(await world.connect(), odd[0], world.stocks[0].symbol, *odd[1:])
    expect_equal(data.get("failed_stocks"), odd, of="failed_stocks")


@case(
    "SUB-240",
    title="Subscribing again succeeds and changes nothing",
    rules=("S-1", "S-3", "S-6"),
    profile=Profile.FULL,
    explain="After a reconnect many clients subscribe all they want, restored or not. An error"
    " alarms them; a stock that is listed twice, or moves to the end, brings their tables into"
    " disorder.",
)
async def again(world: World) -> None:
    """Subscribe the first of three stocks again."""
    symbols = [stock.symbol for stock in world.stocks[:3]]
    peer = await world.connect()
    await subscribed(peer, *symbols)
    data = await subscribed(peer, symbols[0])
    expect_equal(data.get("subscribed_stocks"), symbols[:1], of="subscribed_stocks")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 3, of="total_subscribed")
    expect_equal(await listed(peer), symbols, of="the subscriptions, as they were before:")


@family(
    "SUB-250",
    variants={
        "symbol-twice": ("SBIN", "SBIN"),
        "symbol-and-token": ("SBIN", "3045"),
        "token-and-exchange": ("3045", "NSE:SBIN"),
    },
    title="The same stock twice in a request is listed and counted once: {variant}",
    rules=("R-2", "S-1", "S-3"),
    profile=Profile.FULL,
    features=("guide-tokens",),
    explain="Lists that were put together from several places name a stock more than once. Counted"
    " twice, it uses up the client's limit; subscribed twice, its ticks come twice.",
)
async def twice(world: World, names: tuple[str, str]) -> None:
    """Name one stock twice, and another."""
    other = world.stocks[1].symbol
    peer = await world.connect()
    data = await subscribed(peer, *names, other)
    found = data.get("subscribed_stocks")
    expect_type(found, "a list of strings", of="subscribed_stocks")
    expect_equal(len(found or []), 2, of=f"stocks in {found}:")
    expect_equal(data.get("failed_stocks"), [], of="failed_stocks")
    expect_equal(data.get("total_subscribed"), 2, of="total_subscribed")


@family(
    "SUB-260",
    variants={"empty-list": {"stocks": []}, "no-list": {}},
    title="A subscribe without stocks is answered by the guide's error: {variant}",
    rules=("S-5", "G-EMPTY", "G-ERROR"),
    explain="The guide gives the words: No stocks provided for subscription. A server that calls it"
    " a success leaves the mistake unfound.",
)
async def no_stocks(world: World, fields: dict[str, Any]) -> None:
    """Subscribe nothing."""
    peer = await world.connect()
    reply = await peer.request("subscribe", **fields)
    expect_error(reply, text="No stocks provided for subscription")


@case(
    "SUB-270",
    title="The error for a subscribe without stocks has the code empty_request",
    rules=("S-5", "S-9"),
    profile=Profile.FULL,
    explain="Words are for people and may be translated; a program goes by the code.",
)
async def no_stocks_code(world: World) -> None:
    """Subscribe nothing, and look at the code."""
    reply = await (await world.connect()).subscribe()
    expect_equal(reply.get("code"), "empty_request", of="code")


@case(
    "SUB-280",
    title="The lists of the reply are lists of strings, and the total is an integer",
    rules=("S-1", "G-SYMBOLS"),
    explain="Clients loop over the lists without looking. null in place of an empty list, as some"
    " languages write it, ends them.",
)
async def types(world: World) -> None:
    """Look at the types of a reply without failed stocks."""
    data = await subscribed(await world.connect(), world.stocks[0].symbol)
    expect_has(data, "subscribed_stocks", "failed_stocks", "total_subscribed", of="data")
    expect_type(data["subscribed_stocks"], "a list of strings", of="subscribed_stocks")
    expect_type(data["failed_stocks"], "a list of strings", of="failed_stocks")
    expect_type(data["total_subscribed"], "an integer", of="total_subscribed")
