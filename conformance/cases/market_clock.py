"""MKT: the closed market, and clocks: none yet, one that goes back, another time zone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.case import Need, Profile, case, family
from conformance.cases.market_hours import slack_s, ticks_told
from conformance.expect import (
    Inconclusive,
    expect_equal,
    expect_has,
    expect_matches,
    expect_none_of,
    expect_reply,
    expect_that,
    expect_type,
)
from conformance.peer import Message, Peer
from conformance.questions import expect_flow, subscribed
from conformance.tape import NS, Stock, at
from conformance.world import World

_BOTH = (Need.FEED, Need.CLOCK)


@case(
    "MKT-300",
    title="A subscribe while the market is closed brings no data",
    rules=("H-1", "M-4", "G-HOURS"),
    needs=_BOTH,
    at="15:35:00",
    explain="Streaming is active only during market hours. The last known quote, sent as"
    " market_data in the evening, looks as if the stock were trading.",
)
async def subscribed_while_closed(world: World) -> None:
    """Subscribe after the close and let post-close ticks pass."""
    peer = await world.connect()
    await subscribed(peer, *(stock.symbol for stock in world.stocks[:3]))
    await world.until("15:41:00")
    await world.settle(peer)
    expect_none_of(peer.data(), "market_data after the close")


@family(
    "MKT-310",
    variants={"close": "15:30:04", "evening": "15:41:00"},
    title="Who comes back after the close gets no data: {variant}",
    rules=("H-1", "P-1", "M-4", "G-HOURS"),
    needs=_BOTH,
    at="15:29:55",
    explain="A reconnect restores subscriptions, and while the market is open brings quotes."
    " Servers whose restore does not look at the hours send them in the evening too.",
)
async def back_after_the_close(world: World, time: str) -> None:
    """Leave before the close, come back after it."""
    client_id = world.new_id()
    peer = await world.connect(client_id)
    await subscribed(peer, world.stocks[0].symbol)
    await peer.drop()
    await world.until(time)
    back = await world.connect(client_id)
    await world.settle(back)
    expect_none_of(back.data(), "market_data after the close")


@case(
    "MKT-320",
    title="What the feed tells after the close is read, and stands in snapshots",
    rules=("H-6", "S-11"),
    profile=Profile.FULL,
    needs=_BOTH,
    at="15:29:57",
    features=("snapshot",),
    explain="The official closing price comes at about 15:31. A server that does not read its feed"
    " while the market is closed keeps the last trade's price for the day's close.",
)
async def read_while_closed(world: World) -> None:
    """Play on after the close, then ask for a snapshot."""
    stock = world.stocks[0]
    await subscribed(await world.connect(), stock.symbol)
    await world.until("15:36:00")
    reply = await (await world.connect()).subscribe(stock.symbol, snapshot=True)
    data = expect_reply(reply, "subscription_response")
    found = data.get("snapshots") if isinstance(data, dict) else None
    expect_that(isinstance(found, list) and found, "a snapshot", found)
    row = world.feed.tick_of(stock)
    last = found[0] if isinstance(found, list) and isinstance(found[0], dict) else {}
    told = str(last.get("volume"))
    expect_equal(told, str(row.volume), of=f"volume of the snapshot, as told at {row.clock},")


@case(
    "MKT-400",
    title="Before the feed has told a time the server waits, and opens with the first time in a"
    " session",
    rules=("H-5", "S-7"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    own_feed=True,
    features=("feed-clock",),
    explain="A server that follows its feed's time has none before the feed is up. Guessing it from"
    " the machine's clock opens the market on a wrong day. Clients may connect and subscribe"
    " meanwhile, and hear that it opened as they do in the morning.",
)
async def before_any_time(world: World) -> None:
    """Start the server without its feed, connect, then let the feed come."""
    _expect_feeds_clock(world)
    stock = world.stocks[0]
    await world.feed.lose()
    await world.restart()
    peer = await world.connect()
    data = await _status(peer)
    expect_equal(data.get("market_open"), False, of="market_open")
    expect_equal(data.get("phase"), "waiting", of="phase")
    expect_has(data, "current_time", "next_open", "next_close", of="data of market_status")
    for name in ("current_time", "next_open", "next_close"):
        expect_equal(data[name], None, of=name)
    await subscribed(peer, stock.symbol)
    expect_none_of(peer.notices(), "notice before any time")
    await world.feed.restore()
    notice = await peer.wait_for(
        "market_status",
        where=lambda message: message.is_notice,
        what="the notice that the market opened",
        within=20,
    )
    expect_equal((notice.get("data") or {}).get("event"), "market_opened", of="data.event")
    await world.until("11:00:02")
    await expect_flow(world, peer, [stock], until="11:00:04")


@case(
    "MKT-410",
    title="A clock that goes back into the session opens it again",
    rules=("H-5", "H-2"),
    profile=Profile.FULL,
    needs=_BOTH,
    at="15:35:00",
    features=("feed-clock",),
    explain="Replays are sought back and looped. A server that only knows 'later' stays closed, or"
    " drops every tick as too old.",
)
async def back_into_the_session(world: World) -> None:
    """Go from the evening to noon of the same day, and play."""
    _expect_feeds_clock(world)
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.to("11:00:00")
    await world.settle(peer)
    events = [(notice.get("data") or {}).get("event") for notice in peer.notices(since=mark)]
    expect_equal(events, ["market_opened"], of="events of the notices")
    await _expect_ticks(world, peer, stock, "11:00:00", "11:00:03")


@case(
    "MKT-420",
    title="A clock that goes back begins the day anew, with the figures of that time",
    rules=("H-5", "M-3", "M-4"),
    profile=Profile.FULL,
    needs=_BOTH,
    features=("feed-clock",),
    explain="After a seek back to 10:32 the day's volume and range are those of 10:32. A server"
    " that keeps the highest it has seen tells a day that has not happened yet; one that begins"
    " with nothing forgets the morning. seq goes on rising.",
)
async def day_anew(world: World) -> None:
    """Play some ticks at noon, go back half an hour, look at the state and at what follows."""
    _expect_feeds_clock(world)
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:03")
    await world.settle(peer)
    before = max((_seq(message) for message in peer.data(stock.symbol)), default=0)
    mark = peer.mark()
    await world.to("10:32:00")
    await world.settle(peer)
    late = await world.connect()
    await subscribed(late, stock.symbol)
    await world.settle(late)
    row = world.feed.tick_of(stock)
    for came in (peer.data(stock.symbol, since=mark), late.data(stock.symbol)):
        expect_that(came, f"a quote of {stock.symbol} at the new time", "none")
        told = [str((message.get("data") or {}).get("volume")) for message in came]
        expect_equal(told[-1], str(row.volume), of=f"volume at {row.clock}")
    expect_none_of(peer.notices(since=mark), "notice, as the market stays open")
    await _expect_ticks(world, peer, stock, "10:32:00", "10:35:02")
    seqs = [_seq(message) for message in peer.data(stock.symbol, since=mark)]
    expect_that(min(seqs) >= before, f"seq from {before} on", seqs)


@case(
    "MKT-500",
    title="All times are of India, whatever the time zone of the host",
    rules=("H-4", "H-1", "G-IST", "G-HOURS"),
    needs=(Need.FEED, Need.CLOCK, Need.RESTART),
    at="09:14:55",
    explain="Servers run in UTC, laptops anywhere. The suite sets the server's TZ to New York, and"
    " the market is to open at 09:15 in India all the same. Servers that ask for the local time of"
    " day open nine hours off.",
)
async def another_time_zone(world: World) -> None:
    """Start the server in another time zone and play over the open."""
    server = world.stage.server
    server.dress = replace(server.dress, env={**server.dress.env, "TZ": "America/New_York"})
    await world.restart()
    if not world.exact:
        # The server begins anew with this machine's time, or goes on with one in another zone.
        await world.to("09:14:55")
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("09:14:58")
    await world.settle(peer)
    if world.exact:
        expect_none_of(peer.data(), "market_data before 09:15 in India")
    await world.until("09:15:04")
    await world.settle(peer)
    rows = ticks_told(world, peer, stock, "09:14:50", "09:15:04")
    came = peer.data(stock.symbol)
    expect_that(came and rows, "data after 09:15 in India", "none")
    early_s = (at("2025-09-04", "09:15:00") - rows[0].ts) / NS
    expect_that(early_s <= slack_s(world), "no tick of before 09:15 in India", rows[0].clock)
    told = (came[-1].get("data") or {}).get("last_updated")
    like = "2025-09-04T09:15:03.000000000+05:30"
    expect_matches(told, r"2025-09-04T09:15:.*\+05:30", of="last_updated", like=like)


async def _expect_ticks(world: World, peer: Peer, stock: Stock, first: str, last: str) -> None:
    mark = peer.mark()
    await world.until(last)
    await world.settle(peer)
    rows = ticks_told(world, peer, stock, first, last, since=mark)
    wanted = world.feed.rows(stock, first, last)
    found = [row.clock for row in rows]
    expect_equal(found, [row.clock for row in wanted], of="times of the ticks")


def _expect_feeds_clock(world: World) -> None:
    if not world.exact:
        raise Inconclusive("the server has a clock of its own and does not follow the feed's")


async def _status(peer: Peer) -> dict[str, Any]:
    data = (await peer.request("market_status")).get("data")
    expect_type(data, "an object", of="data of market_status")
    assert isinstance(data, dict)
    return data


def _seq(message: Message) -> int:
    seq = message.get("seq")
    return seq if isinstance(seq, int) else 0
