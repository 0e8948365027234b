"""PER: what outlives the server's process: stop, kill -9, expiry, a damaged store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from conformance.case import Need, Profile, case
from conformance.expect import (
    Inconclusive,
    Unmet,
    expect_equal,
    expect_none_of,
    expect_that,
)
from conformance.process import StartError
from conformance.questions import expect_flow, expect_listed, listed, subscribed, unsubscribed
from conformance.tape import Stock
from conformance.world import World

_RESTART = (Need.FEED, Need.CLOCK, Need.RESTART)
_EXPIRY_S: Final = 1.0
"""What the variant short-session makes of the 30 days."""
_GARBAGE: Final = b"this is no store of sessions\n"


@case(
    "PER-100",
    title="Subscriptions outlive kill -9 of the server, and data flows again unasked",
    rules=("P-1", "P-2", "G-PERSIST"),
    needs=_RESTART,
    explain="What was acknowledged is kept. Servers that write their sessions on a clean end only,"
    " or a second later, lose them here; servers that restore the list and do not ask the feed"
    " for it restore silence.",
)
async def killed(world: World) -> None:
    """Subscribe, kill the server at once, come back."""
    stocks = world.stocks[:3]
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *_symbols(stocks))
    await world.kill()
    await world.start()
    back = await world.connect(client_id)
    await expect_listed(back, _symbols(stocks))
    await expect_flow(world, back, stocks, until="11:00:03")


@case(
    "PER-110",
    title="Subscriptions outlive a restart of the server",
    rules=("P-1", "G-PERSIST"),
    needs=_RESTART,
    explain="Every update of the server is a restart. Clients with auto-reconnect, as the guide has"
    " them, come back by themselves and are to notice nothing but the gap.",
)
async def restarted(world: World) -> None:
    """Subscribe, restart, come back."""
    stocks = world.stocks[:3]
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *_symbols(stocks))
    await world.restart()
    back = await world.connect(client_id)
    await expect_listed(back, _symbols(stocks))
    await expect_flow(world, back, stocks, until="11:00:03")


@case(
    "PER-120",
    title="An unsubscribe outlives kill -9 as a subscribe does",
    rules=("P-3", "P-2", "G-PERSIST", "G-UNSUBSCRIBE"),
    needs=_RESTART,
    explain="One client unsubscribes one stock, another all. Servers that write when something is"
    " added, or that store nothing for an empty list, bring the old list back.",
)
async def unsubscribe_kept(world: World) -> None:
    """Unsubscribe, kill the server at once, come back."""
    symbols = _symbols(world.stocks[:3])
    ids = [world.new_id(), world.new_id()]
    some, all_of_it = [await world.connect(client_id) for client_id in ids]
    for peer in (some, all_of_it):
        await subscribed(peer, *symbols)
    await unsubscribed(all_of_it, *symbols)
    await unsubscribed(some, symbols[0])
    await world.kill()
    await world.start()
    await expect_listed(await world.connect(ids[0]), symbols[1:])
    await expect_listed(await world.connect(ids[1]), [])


@case(
    "PER-130",
    title="A share of BSE comes back as one of BSE",
    rules=("P-1", "R-2"),
    profile=Profile.FULL,
    needs=_RESTART,
    features=("bse",),
    explain="What is stored has to be the instrument. A store of symbols alone makes NSE's share of"
    " it when it is read, at another price.",
)
async def exchange_kept(world: World) -> None:
    """Subscribe SBIN of BSE, restart, and look at the data."""
    stock = next((one for one in world.quiet_stocks if one.exchange == "BSE"), None)
    if stock is None:
        raise Inconclusive("the target names no stock of BSE")
    client_id = world.new_id()
    await subscribed(await world.connect(client_id), f"{stock.exchange}:{stock.token}")
    await world.restart()
    back = await world.connect(client_id)
    await world.until("11:00:03")
    await world.settle(back)
    expect_that(back.data(), f"data of {stock.label}", "none")
    for message in back.data():
        told = (message.get("symbol"), message.get("exchange"), str(message.get("token")))
        expect_equal(told, (stock.symbol, stock.exchange, stock.token), of="the instrument")


@case(
    "PER-140",
    title="Twenty clients find each their own list after kill -9",
    rules=("P-1", "P-2", "P-4", "G-PERSIST"),
    needs=_RESTART,
    explain="Each client has a list of its own, some with the same stocks. Servers that write one"
    " file for all lose what came between two writes; those that append get lists mixed up.",
)
async def many(world: World) -> None:
    """Let twenty clients subscribe one after the other, kill, and ask each."""
    lists: dict[str, list[str]] = {}
    for _ in range(20):
        client_id = world.new_id()
        symbols = world.rng.sample(_symbols(world.stocks), world.rng.randint(1, 5))
        await subscribed(await world.connect(client_id), *symbols)
        lists[client_id] = symbols
    await world.kill()
    await world.start()
    for client_id, symbols in lists.items():
        await expect_listed(await world.connect(client_id), symbols)


@case(
    "PER-150",
    title="A second crash loses no more than the first",
    rules=("P-1", "P-2", "G-PERSIST"),
    needs=_RESTART,
    explain="The second crash comes before the client was back. Servers that move their store aside"
    " when they start, or keep what they read in memory until someone changes it, have lost it.",
)
async def killed_twice(world: World) -> None:
    """Kill the server twice, with a graceful restart between, then come back."""
    symbols = _symbols(world.stocks[:3])
    client_id = world.new_id()
    await subscribed(await world.connect(client_id), *symbols)
    await world.kill()
    await world.start()
    await world.restart()
    await world.kill()
    await world.start()
    await expect_listed(await world.connect(client_id), symbols)


@case(
    "PER-160",
    title="Subscriptions are restored in their order after kill -9",
    rules=("P-1", "P-2", "S-6"),
    profile=Profile.FULL,
    needs=_RESTART,
    explain="Stored sets lose their order; so do rows of a table that are read without one.",
)
async def order_kept(world: World) -> None:
    """Subscribe in two requests and no order of names, kill, ask."""
    symbols = _symbols(world.stocks[:6])
    symbols = [symbols[place] for place in (3, 0, 5, 1, 4, 2)]
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, *symbols)
    await world.kill()
    await world.start()
    expect_equal(await listed(await world.connect(client_id)), symbols, of="subscribed_symbols")


@case(
    "PER-170",
    title="A server that was restarted in the evening serves its clients in the morning",
    rules=("P-1", "H-3", "G-PERSIST", "G-HOURS"),
    needs=_RESTART,
    at="15:40:00",
    explain="Servers are updated after the close. What was stored must come through a start at"
    " which nothing flows, and a feed that was asked for nothing.",
)
async def restarted_in_the_evening(world: World) -> None:
    """Restart after the close and play the next open."""
    stocks = world.stocks[:2]
    client_id = world.new_id()
    await subscribed(await world.connect(client_id), *_symbols(stocks))
    await world.restart()
    back = await world.connect(client_id)
    await world.settle(back)
    expect_none_of(back.data(), "market_data in the evening")
    await world.to("09:14:55", day="2025-09-05")
    await world.settle(back)
    await expect_flow(world, back, stocks, until="09:15:04")


@case(
    "PER-300",
    title="A session that was unused for its time is forgotten",
    rules=("P-5",),
    profile=Profile.FULL,
    needs=(Need.RESTART,),
    variant="short-session",
    explain="Made-up names and clients that never come back would fill the store for ever. Whoever"
    " comes back too late begins anew, as a new client does.",
)
async def expired(world: World) -> None:
    """Stay away for longer than the second that this server gives, and over a restart."""
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, world.stocks[0].symbol)
    await peer.close()
    left = time.monotonic()
    await world.stop()
    # The server's clock is the machine's here, and no case can move that.
    await asyncio.sleep(max(0.0, left + 1.5 * _EXPIRY_S - time.monotonic()))
    await world.start()
    await expect_listed(await world.connect(client_id), [])


@case(
    "PER-310",
    title="A session is in use as long as its client is connected, and expires not before",
    rules=("P-5", "P-1"),
    profile=Profile.FULL,
    needs=(Need.RESTART,),
    variant="short-session",
    explain="The time counts from when the client was last there. Servers that count from the"
    " connect, or from the last request, forget a client that only listens in the middle of its"
    " day.",
)
async def in_use(world: World) -> None:
    """Stay and listen for longer than an unused session lasts, then take over."""
    symbols = _symbols(world.stocks[:2])
    older = await world.connect()
    await subscribed(older, *symbols)
    # The server's clock is the machine's here, and no case can move that.
    await asyncio.sleep(1.5 * _EXPIRY_S)
    await expect_listed(await world.connect(older.client_id), symbols)


@case(
    "PER-400",
    title="A session store that cannot be read is left as it is, and the server does not start",
    rules=("P-6",),
    profile=Profile.FULL,
    needs=(Need.RESTART,),
    explain="A damaged file can often be mended, or a backup be put in its place. A server that"
    " begins a new one has thrown away what all its clients subscribe; one that starts without"
    " saying why leaves the operator to find out from complaints. Mended, it is read again.",
)
async def damaged(world: World) -> None:
    """Overwrite the store, try to start, put it back."""
    symbols = _symbols(world.stocks[:2])
    client_id = world.new_id()
    await subscribed(await world.connect(client_id), *symbols)
    await world.stop()
    files = _files_with(world.stage.server.state, client_id)
    if not files:
        raise Inconclusive("the server keeps nothing in the folder {state}")
    for path in files:
        path.write_bytes(_GARBAGE * 40)
    try:
        await world.start()
    except StartError as refusal:
        world.note(f"the server did not start: {refusal}")
    else:
        raise Unmet("a server that does not start on a store that it cannot read", "one that did")
    for path in files:
        expect_that(
            path.exists() and path.read_bytes() == _GARBAGE * 40,
            f"{path.name} as it was left",
            f"{path.read_bytes()[:60]!r}" if path.exists() else "no such file",
        )
    said = [line for line in world.stage.server.said if not line.startswith("$")]
    expect_that(any(line.strip() for line in said), "a word on why", "nothing")
    for path, kept in files.items():
        path.write_bytes(kept)
    await world.start()
    await expect_listed(await world.connect(client_id), symbols)


def _files_with(folder: Path, client_id: str) -> dict[Path, bytes]:
    """Return the files that mention a client, else the longest, with what is in them."""
    found = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    mentions = {path: held for path, held in found.items() if client_id.encode() in held}
    longest = sorted(found.items(), key=lambda each: len(each[1]))[-1:]
    return mentions or {path: held for path, held in longest if held}


def _symbols(stocks: Sequence[Stock]) -> list[str]:
    return [stock.symbol for stock in stocks]
