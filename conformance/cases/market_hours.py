"""MKT: open and close: the first and last data of a session, and the notices of both."""

from __future__ import annotations

from typing import Final

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    Inconclusive,
    expect_equal,
    expect_none_of,
    expect_that,
    expect_type,
)
from conformance.peer import Message, Peer
from conformance.questions import expect_flow, expect_listed, subscribed
from conformance.tape import NS, Row, Stock, at, moment
from conformance.world import World

_BOTH = (Need.FEED, Need.CLOCK)
_OPENING: Final = ("09:14:55", "09:15:00", "09:15:04")
_CLOSING: Final = ("15:29:55", "15:30:00", "15:30:04")
_CHANGES: Final = {"opening": _OPENING, "closing": _CLOSING}


@case(
    "MKT-010",
    title="Data flows from 09:15 and not before, and clients are told that the market opened",
    rules=("H-1", "H-2", "G-HOURS", "G-NOTIFY"),
    needs=_BOTH,
    at="09:14:50",
    explain="The feed talks before the open too. A server that passes that on shows prices of the"
    " pre-open auction as if they were trades; one that opens by polling misses the first ones.",
)
async def opens(world: World) -> None:
    """Play over the open."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("09:14:58")
    await world.settle(peer)
    if world.exact:
        # A time that runs on by itself may have got there meanwhile.
        expect_none_of(peer.data(), "market_data before the open")
        expect_none_of(peer.messages("market_status"), "notice before the open")
    await world.until("09:15:04")
    await world.settle(peer)
    rows = ticks_told(world, peer, stock, "09:14:50", "09:15:04")
    expect_that(rows, "data after the open", "none")
    late_s = (rows[0].ts - _moment(world, "09:15:00")) / NS
    expect_that(late_s >= -slack_s(world), "no tick of before the open", rows[0].clock)
    world.punctual(late_s, of="the first data after the open")
    expect_that(peer.messages("market_status"), "a market_status that was not asked for", "none")


@case(
    "MKT-020",
    title="Data flows up to 15:30 and not after, and clients are told that the market closed",
    rules=("H-1", "H-2", "H-3", "G-HOURS", "G-NOTIFY"),
    needs=_BOTH,
    at="15:29:50",
    explain="The feed goes on after the close: last trades of the queue, closing prices, post-close"
    " trades. One tick after the notice makes a client believe in a session that is over.",
)
async def closes(world: World) -> None:
    """Play over the close."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("15:30:04")
    await world.settle(peer)
    rows = ticks_told(world, peer, stock, "15:29:50", "15:30:04")
    expect_that(rows, "data before the close", "none")
    late_s = (rows[-1].ts - _moment(world, "15:30:00")) / NS
    expect_that(late_s < slack_s(world), "no tick after the close", rows[-1].clock)
    # There is a tick a second.
    world.punctual(-late_s - 1, of="the last data before the close")
    expect_that(peer.messages("market_status"), "a market_status that was not asked for", "none")


@case(
    "MKT-030",
    title="The session's first moment, 09:15:00.000, belongs to it",
    rules=("H-1",),
    profile=Profile.FULL,
    needs=_BOTH,
    features=("feed-clock",),
    at="09:14:58",
    explain="The opening price is traded in that moment. Servers that compare with 'after' in place"
    " of 'from' lose it, and the day's first price with it.",
)
async def first_moment(world: World) -> None:
    """Look for the tick of exactly 09:15:00."""
    stock = world.stocks[0]
    peer = await _subscriber(world, stock)
    await world.until("09:15:02")
    await world.settle(peer)
    rows = _exactly(world, peer, stock, "09:14:58", "09:15:02")
    wanted = [row for row in _rows(world, stock, "09:14:58", "09:15:02") if _is_open(row)]
    expect_equal(_clocks(rows), _clocks(wanted), of="times of the ticks from the open on")


@case(
    "MKT-040",
    title="15:30:00.000 does not belong to the session any more",
    rules=("H-1", "H-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    features=("feed-clock",),
    at="15:29:57",
    explain="The session is from its begin to before its end. A tick of exactly 15:30:00 is one of"
    " the closing session, whose prices are no trades of the day.",
)
async def last_moment(world: World) -> None:
    """Look for the tick of exactly 15:30:00."""
    stock = world.stocks[0]
    peer = await _subscriber(world, stock)
    await world.settle(peer)
    mark = peer.mark()
    await world.until("15:30:02")
    await world.settle(peer)
    rows = _exactly(world, peer, stock, "15:29:57", "15:30:02", since=mark)
    wanted = [row for row in _rows(world, stock, "15:29:57", "15:30:02") if _is_open(row)]
    expect_equal(_clocks(rows), _clocks(wanted), of="times of the ticks up to the close")


@family(
    "MKT-050",
    variants=_CHANGES,
    title="The notice of the {variant} says which it is, in words and for programs",
    rules=("H-2", "S-7"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="status is info, data.event names the event, market_open is what holds from now on, and"
    " a message says it to people. A notice that still tells the state of before, as it was when it"
    " was put together, turns pages the wrong way.",
)
async def notice_content(world: World, change: tuple[str, str, str]) -> None:
    """Look at the notice."""
    peer, _ = await _played(world, change)
    is_open = change is _OPENING
    expect_that(peer.notices(), "a notice", "none")
    notice = peer.notices()[0]
    expect_equal(notice.get("status"), "info", of="status")
    said = notice.get("message")
    expect_that(isinstance(said, str) and said.strip(), "a message in words", notice)
    data = notice.get("data")
    expect_type(data, "an object", of="data of the notice")
    assert isinstance(data, dict)
    event = "market_opened" if is_open else "market_closed"
    expect_equal(data.get("event"), event, of="data.event")
    expect_equal(data.get("market_open"), is_open, of="data.market_open")
    for name in ("market_hours", "current_time", "next_open", "next_close", "phase"):
        expect_type(data.get(name), "a string", of=f"data.{name}")
    expect_equal(data.get("phase"), "open" if is_open else "closed", of="data.phase")


@family(
    "MKT-060",
    variants=_CHANGES,
    title="The notice of the {variant} comes once",
    rules=("H-2", "H-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="Clients begin and end their day on it. Servers with a timer and a poll, or with one"
    " notice for each subscription, tell it more often.",
)
async def notice_once(world: World, change: tuple[str, str, str]) -> None:
    """Count the notices of a client with three stocks."""
    peer, _ = await _played(world, change)
    expect_equal(len(peer.notices()), 1, of="number of notices")


@family(
    "MKT-070",
    variants=_CHANGES,
    title="The notice of the {variant} stands where the session begins or ends",
    rules=("H-2", "H-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="Opened precedes the first data of the session, closed follows the last, and nothing"
    " comes after it. Servers that send notices and data through two queues, or wake up for the"
    " notice on another timer, get it the wrong way round.",
)
async def notice_order(world: World, change: tuple[str, str, str]) -> None:
    """Compare the places of notice and data."""
    peer, mark = await _played(world, change)
    kinds = [
        "notice" if message.is_notice else "data"
        for message in peer.messages("market_status", "market_data", since=mark)
    ]
    expect_that("notice" in kinds, "a notice", "none")
    expect_that("data" in kinds, "data", "none")
    count = len(kinds) - 1
    wanted = ["notice", *["data"] * count] if change is _OPENING else [*["data"] * count, "notice"]
    expect_equal(kinds, wanted, of="order of notice and data")


@family(
    "MKT-080",
    variants=_CHANGES,
    title="A client without subscriptions is told of the {variant} too",
    rules=("H-2", "H-3"),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="A page that waits for the open to subscribe hears of it on this way alone. Servers"
    " that go through the subscribers of stocks pass it over.",
)
async def told_without_subscriptions(world: World, change: tuple[str, str, str]) -> None:
    """Play with a client that only listens."""
    before, _, after = change
    await world.to(before)
    peer = await world.connect()
    await world.until(after)
    await world.settle(peer)
    expect_that(peer.notices(), "a notice", "none")


@family(
    "MKT-090",
    variants={"open": "11:00:00", "closed": "16:00:00"},
    title="Connecting brings no notice, the market being {variant}",
    rules=("H-2",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="Whether the market is open is in the welcome; the notice tells that it has changed. A"
    " client that reconnects at noon must not begin its day anew.",
)
async def none_at_connect(world: World, time: str) -> None:
    """Connect, subscribe, and look for notices."""
    await world.to(time)
    peer = await world.connect()
    await peer.subscribe(world.stocks[0].symbol)
    await world.settle(peer)
    expect_none_of(peer.notices(), "notice at connecting")


@case(
    "MKT-100",
    title="Connections and subscriptions live on over the close",
    rules=("H-3", "G-PERSIST"),
    needs=_BOTH,
    at="15:29:57",
    explain="The evening is part of a client's connection. Servers that close everybody at 15:30"
    " make all of them come back at once, and those that clear the lists leave them mute in the"
    " morning.",
)
async def over_the_close(world: World) -> None:
    """Play over the close, then ask."""
    stock = world.stocks[0]
    peer = await _subscriber(world, stock)
    await world.until("15:30:03")
    pong = await peer.ping()
    expect_equal(pong.type, "pong", of="type of the reply to a ping after the close:")
    await expect_listed(peer, [stock.symbol])


@case(
    "MKT-110",
    title="In the morning data flows again on the same connection, without a request",
    rules=("H-3", "G-PERSIST", "G-HOURS"),
    needs=_BOTH,
    at="15:29:57",
    explain="A client that stayed overnight has nothing to do at 09:15 but to listen. Servers that"
    " stop their streams at the close and start them for who subscribes leave it waiting.",
)
async def over_night(world: World) -> None:
    """Play the close, go to the next morning, play the open."""
    stock = world.stocks[0]
    peer = await _subscriber(world, stock)
    await world.until("15:30:03")
    await world.to("09:14:57", day="2025-09-05")
    await world.settle(peer)
    await expect_flow(world, peer, [stock], until="09:15:03")


@case(
    "MKT-120",
    title="A night passes without a word but the two notices",
    rules=("H-1", "H-2", "H-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    at="15:29:57",
    explain="The evening, midnight in India, midnight in UTC and the early morning are played, on"
    " one connection. Timers that were set for a midnight, by the host's time zone or for so many"
    " hours show themselves here.",
)
async def whole_night(world: World) -> None:
    """Play the close, the odd hours of the night, and the next open."""
    stock = world.stocks[0]
    peer = await _subscriber(world, stock)
    await world.until("15:30:02")
    await world.settle(peer)
    mark = peer.mark()
    await world.until("15:46:00")
    for day, first, last in (
        ("2025-09-04", "23:59:50", "00:00:10"),
        ("2025-09-05", "05:29:50", "05:30:10"),
        ("2025-09-05", "08:59:50", "09:14:58"),
    ):
        await world.to(first, day=day)
        await world.until(last, day="2025-09-05")
    await world.settle(peer)
    expect_none_of(peer.data(since=mark), "market_data in the night")
    expect_none_of(peer.notices(since=mark), "notice in the night")
    await expect_flow(world, peer, [stock], until="09:15:03")
    expect_equal(_events(peer.notices()), ["market_closed", "market_opened"], of="the notices")


@case(
    "MKT-130",
    title="From Thursday to Monday each trading day opens and closes once",
    rules=("H-1", "H-2", "H-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    at="09:14:58",
    explain="One connection for a long weekend: two days, two nights, a Saturday and a Sunday on"
    " which the feed talks as well, and a third day. State that is set once a day, or kept by the"
    " time of day alone, goes wrong on one of them.",
)
async def several_days(world: World) -> None:
    """Play each open and close, and go from one to the next."""
    stock = world.stocks[0]
    peer = await _subscriber(world, stock)
    days = ("2025-09-04", "2025-09-05", "2025-09-06", "2025-09-07", "2025-09-08")
    for day in days:
        is_open = day not in ("2025-09-06", "2025-09-07")
        for before, _, after in (_OPENING, _CLOSING):
            if (
                moment(world.now).date().isoformat() != day
                or before > f"{moment(world.now):%H:%M:%S}"
            ):
                await world.to(before, day=day)
            await world.settle(peer)
            mark = peer.mark()
            await world.until(after)
            await world.settle(peer)
            found = (len(peer.notices(since=mark)), bool(peer.data(stock.symbol, since=mark)))
            wanted = (int(is_open), is_open)
            expect_equal(
                found, wanted, of=f"notices, and whether data came, on {day} about {after}"
            )


# --- what the other files of the chapter use as well


def slack_s(world: World) -> float:
    """Return how far from its place in the stream an open or close may be, by this clock."""
    return 0.0 if world.exact else 1.0


def ticks_told(
    world: World, peer: Peer, stock: Stock, first: str, last: str, *, since: int = 0
) -> list[Row]:
    """Return the rows of the tape from ``first`` to ``last`` that a client was told of."""
    volumes = {_volume(message) for message in peer.data(stock.symbol, since=since)}
    return [row for row in _rows(world, stock, first, last) if str(row.volume) in volumes]


def _rows(world: World, stock: Stock, first: str, last: str) -> list[Row]:
    return world.feed.rows(stock, first, last)


def _exactly(
    world: World, peer: Peer, stock: Stock, first: str, last: str, *, since: int = 0
) -> list[Row]:
    if not world.exact:
        raise Inconclusive("open and close happen some time before or after a tick, by this clock")
    return ticks_told(world, peer, stock, first, last, since=since)


async def _subscriber(world: World, *stocks: Stock) -> Peer:
    peer = await world.connect()
    await subscribed(peer, *(stock.symbol for stock in stocks))
    await world.settle(peer)
    return peer


async def _played(world: World, change: tuple[str, str, str]) -> tuple[Peer, int]:
    """Play over an open or close with a client of three stocks; return it and a mark before."""
    before, _, after = change
    await world.to(before)
    peer = await _subscriber(world, *world.stocks[:3])
    mark = peer.mark()
    await world.until(after)
    await world.settle(peer)
    return peer, mark


def _is_open(row: Row) -> bool:
    return "09:15:00.000" <= row.clock < "15:30:00.000"


def _clocks(rows: list[Row]) -> list[str]:
    return [row.clock for row in rows]


def _events(notices: list[Message]) -> list[object]:
    return [(notice.get("data") or {}).get("event") for notice in notices]


def _volume(message: Message) -> str:
    data = message.get("data")
    return str(data.get("volume")) if isinstance(data, dict) else ""


def _moment(world: World, clock: str) -> int:
    return at(moment(world.now).date(), clock)
