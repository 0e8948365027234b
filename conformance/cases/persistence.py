"""PER: what a client finds when it comes back, and that no other has it."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    expect_equal,
    expect_none_of,
    expect_that,
)
from conformance.questions import expect_flow, expect_listed, listed, subscribed, unsubscribed
from conformance.tape import Stock
from conformance.world import World

_BOTH = (Need.FEED, Need.CLOCK)


@case(
    "PER-010",
    title="After a clean close the same client_id has its subscriptions again",
    rules=("P-1", "G-PERSIST"),
    explain="The promise that the client_id is for: whoever comes back with it need not subscribe"
    " again. Servers that tie subscriptions to the socket lose them with it.",
)
async def closed(world: World) -> None:
    """Subscribe, close, come back, ask."""
    symbols = _symbols(world.stocks[:3])
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *symbols)
    await peer.close()
    await expect_listed(await world.connect(client_id), symbols)


@case(
    "PER-020",
    title="After a dropped connection the same client_id has its subscriptions again",
    rules=("P-1", "G-PERSIST"),
    explain="Connections mostly end without a close frame: a lost network, a laptop that is shut."
    " Servers that save in the close handler alone, or take the error for the client's wish to"
    " leave, forget these clients.",
)
async def dropped(world: World) -> None:
    """Subscribe, drop the line, come back, ask."""
    symbols = _symbols(world.stocks[:3])
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *symbols)
    await peer.drop()
    await expect_listed(await world.connect(client_id), symbols)


@case(
    "PER-030",
    title="A connection that takes over has the subscriptions of the one before",
    rules=("P-1", "C-4", "G-PERSIST"),
    explain="A client that changed its network comes back while the server still believes in the"
    " old connection. Servers that restore on connect only what was saved on disconnect give it"
    " an empty list.",
)
async def taken_over(world: World) -> None:
    """Come back while the old connection is open."""
    symbols = _symbols(world.stocks[:3])
    client_id = world.new_id()
    await subscribed(await world.connect(client_id), *symbols)
    await expect_listed(await world.connect(client_id), symbols)


@case(
    "PER-040",
    title="The end of the older connection takes nothing from the newer one",
    rules=("P-1", "C-4", "G-PERSIST"),
    needs=_BOTH,
    explain="The old connection ends after the new one began, be it by a minute. Servers whose"
    " clean-up knows the client_id and not the connection then unsubscribe the newcomer.",
)
async def older_ends(world: World) -> None:
    """Take over, let the older end, and see that data flow."""
    stocks = world.stocks[:2]
    client_id = world.new_id()
    older = await world.connect(client_id)
    await subscribed(older, *_symbols(stocks))
    newer = await world.connect(client_id)
    await older.drop()
    await world.settle(newer)
    await expect_flow(world, newer, stocks, until="11:00:03")
    await expect_listed(newer, _symbols(stocks))


@case(
    "PER-050",
    title="After a reconnect data flows again without a request",
    rules=("P-1", "M-2", "G-PERSIST"),
    needs=_BOTH,
    explain="A restored list that brings no data is worse than none: the client sees that it is"
    " subscribed and waits. Servers restore the list in one place and forget to join the streams"
    " in the other.",
)
async def data_again(world: World) -> None:
    """Come back and only listen."""
    stocks = world.stocks[:3]
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *_symbols(stocks))
    await peer.close()
    back = await world.connect(client_id)
    await world.settle(back)
    await expect_flow(world, back, stocks, until="11:00:03")


@case(
    "PER-060",
    title="A reconnect brings the last known quotes at once",
    rules=("P-1", "M-4"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="What changed while the client was away is in the last quotes. Without them its page"
    " shows old prices until each stock has traded again.",
)
async def quotes_again(world: World) -> None:
    """Come back after some ticks, and let no time pass."""
    stocks = world.stocks[:3]
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *_symbols(stocks))
    await peer.drop()
    await world.until("11:00:03")
    back = await world.connect(client_id)
    await world.settle(back)
    for stock in stocks:
        came = back.data(stock.symbol)
        expect_that(came, f"the last quote of {stock.symbol}", "none")
        data, row = came[-1].get("data"), world.feed.tick_of(stock)
        volume = str(data.get("volume")) if isinstance(data, dict) else "none"
        expect_equal(volume, str(row.volume), of=f"volume of {stock.symbol}, as at {row.clock},")


@case(
    "PER-070",
    title="Subscriptions are restored in their order",
    rules=("P-1", "S-6"),
    profile=Profile.FULL,
    explain="A client shows its list as it made it. Sets and indices of databases give it back in"
    " an order of their own.",
)
async def order(world: World) -> None:
    """Subscribe in an order that is neither that of names nor that of tokens."""
    symbols = _symbols(world.stocks[:6])
    world.rng.shuffle(symbols)
    if symbols == sorted(symbols):
        symbols.reverse()
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *symbols)
    await peer.close()
    expect_equal(await listed(await world.connect(client_id)), symbols, of="subscribed_symbols")


@case(
    "PER-080",
    title="What was unsubscribed does not come back with the client",
    rules=("P-1", "P-3", "G-PERSIST", "G-UNSUBSCRIBE"),
    explain="An unsubscribe is kept as a subscribe is. Servers that store what is added and not"
    " what is taken away bring it back with each reconnect.",
)
async def unsubscribed_stays(world: World) -> None:
    """Unsubscribe one of three stocks, come back, ask."""
    symbols = _symbols(world.stocks[:3])
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *symbols)
    await unsubscribed(peer, symbols[1])
    await world.settle(peer)
    await peer.drop()
    await expect_listed(await world.connect(client_id), [symbols[0], symbols[2]])


@case(
    "PER-090",
    title="A client with an id that the server made up finds its subscriptions by it",
    rules=("P-1", "P-5", "G-PERSIST", "G-CLIENT-ID"),
    explain="A client that gave no id is told one in its welcome. Servers keep such sessions for"
    " the connection only, or under another name than the one that they told.",
)
async def made_up(world: World) -> None:
    """Connect without an id, then come back with the one that was told."""
    symbols = _symbols(world.stocks[:2])
    peer = await world.connect(None)
    expect_that(peer.client_id, "a client_id told by the server", "none")
    await subscribed(peer, *symbols)
    await peer.close()
    await expect_listed(await world.connect(peer.client_id), symbols)


@case(
    "PER-095",
    title="Who leaves while the market is closed finds its subscriptions in the morning",
    rules=("P-1", "H-3", "G-PERSIST"),
    needs=_BOTH,
    at="15:29:55",
    explain="People close their laptops in the evening. Servers that tidy up after the close take"
    " a client that is not connected then for one that is gone.",
)
async def left_while_closed(world: World) -> None:
    """Subscribe before the close, leave after it, come back the next day."""
    stocks = world.stocks[:2]
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *_symbols(stocks))
    await world.until("15:30:05")
    await peer.drop()
    await world.to("09:14:55", day="2025-09-05")
    back = await world.connect(client_id)
    await expect_listed(back, _symbols(stocks))
    await expect_flow(world, back, stocks, until="09:15:04")


@case(
    "PER-200",
    title="Clients have subscriptions of their own",
    rules=("P-4", "M-2", "G-PERSIST", "G-CLIENT-ID"),
    explain="What one client subscribes or unsubscribes is nothing to another. Servers with one"
    " list for all, or one that is keyed by the address of the peer, mix up everybody behind one"
    " router.",
)
async def apart(world: World) -> None:
    """Let two clients subscribe, and one unsubscribe what both have."""
    shared, first, second = _symbols(world.stocks[:3])
    ids = [world.new_id(), world.new_id()]
    peers = [await world.connect(client_id) for client_id in ids]
    await subscribed(peers[0], shared, first)
    await subscribed(peers[1], shared, second)
    await unsubscribed(peers[0], shared)
    for peer in peers:
        await peer.close()
    await expect_listed(await world.connect(ids[0]), [first])
    await expect_listed(await world.connect(ids[1]), [shared, second])


@family(
    "PER-210",
    variants={
        "case": ("Trader-{}", "trader-{}"),
        "separators": ("a.b-{}", "a_b-{}"),
        "prefix": ("user-{}", "user-{}-1"),
        "colon": ("x:y-{}", "x-y-{}"),
        "sign": ("a@b-{}", "a_b@-{}"),
    },
    title="Two client_ids that are alike are two clients: {variant}",
    rules=("P-4", "C-2"),
    profile=Profile.FULL,
    explain="Servers turn ids into names of files or keys of a cache: made small, cut off, with an"
    " underscore for each sign. Two clients then share one session, and neither can tell.",
)
async def alike(world: World, forms: tuple[str, str]) -> None:
    """Subscribe under both, come back under both."""
    client_id = world.new_id()
    first, second = (form.format(client_id) for form in forms)
    symbols = _symbols(world.stocks[:2])
    await subscribed(await world.connect(first), symbols[0])
    await subscribed(await world.connect(second), symbols[1])
    for peer in world.live:
        await peer.close()
    await expect_listed(await world.connect(first), [symbols[0]])
    await expect_listed(await world.connect(second), [symbols[1]])


@family(
    "PER-220",
    variants={"leaves": "leaves", "unsubscribes": "unsubscribes"},
    title="A client goes on getting a stock when another {variant} that has it too",
    rules=("P-4", "M-2", "G-SUBSCRIBED"),
    needs=_BOTH,
    explain="The server has asked its feed for the stock once. Servers that do not count who still"
    " wants it stop the stock for all when the first one goes.",
)
async def other_goes(world: World, how: str) -> None:
    """Let one of two clients of a stock go; nobody else has it."""
    stock = world.quiet_stocks[2]
    stays, goes = await world.connect(), await world.connect()
    for peer in (stays, goes):
        await subscribed(peer, stock.symbol)
    if how == "leaves":
        await goes.close()
    else:
        await unsubscribed(goes, stock.symbol)
    await world.settle(stays)
    await expect_flow(world, stays, [stock], until="11:00:03")
    if how == "unsubscribes":
        mark = goes.mark()
        await world.until("11:00:05")
        await world.settle(goes)
        expect_none_of(goes.data(since=mark), "data of what was unsubscribed")


def _symbols(stocks: Sequence[Stock]) -> list[str]:
    return [stock.symbol for stock in stocks]
