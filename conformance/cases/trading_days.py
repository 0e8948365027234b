"""MKT: weekends, holidays and special sessions."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from conformance.case import Need, Profile, case, family
from conformance.cases.market_hours import slack_s, ticks_told
from conformance.expect import expect_equal, expect_none_of, expect_that, expect_type
from conformance.peer import Peer
from conformance.questions import subscribed
from conformance.tape import NS, at, moment
from conformance.world import World

_CALENDAR: Final = (Need.FEED, Need.CALENDAR)
SATURDAY: Final = "2025-09-06"
HOLIDAY: Final = "2025-08-27"
SPLIT: Final = "2024-03-02"
DIWALI: Final = "2024-11-01"


class Span(NamedTuple):
    """A stretch of a day."""

    day: str
    since: str
    until: str


class Change(NamedTuple):
    """An open or close of a special session, and the stretch around it that is played."""

    day: str
    since: str
    at: str
    until: str
    opens: bool


@family(
    "MKT-200",
    variants={
        "saturday-open": Span(SATURDAY, "09:14:57", "09:15:04"),
        "saturday-noon": Span(SATURDAY, "10:59:57", "11:00:04"),
        "saturday-close": Span(SATURDAY, "15:29:57", "15:30:04"),
        "sunday": Span("2025-09-07", "09:14:57", "09:15:04"),
    },
    title="The market is closed at weekends, though the feed talks: {variant}",
    rules=("H-1", "H-2"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    explain="Exchanges hold mock trading on Saturdays, and feeds carry it. A server that knows the"
    " hours and not the days streams it as if it were the market.",
)
async def weekend(world: World, span: Span) -> None:
    """Play a stretch of the weekend."""
    await _expect_closed(world, span)


@family(
    "MKT-210",
    variants={
        "open": Span(HOLIDAY, "09:14:57", "09:15:04"),
        "noon": Span(HOLIDAY, "10:59:57", "11:00:04"),
    },
    title="The market is closed on a holiday: {variant}",
    rules=("H-1", "H-2"),
    profile=Profile.FULL,
    needs=_CALENDAR,
    explain="27 August 2025, Ganesh Chaturthi, a Wednesday. The exchanges publish some fifteen such"
    " days a year; a server without their list opens on each.",
)
async def holiday(world: World, span: Span) -> None:
    """Play a stretch of a holiday."""
    await _expect_closed(world, span)


@family(
    "MKT-220",
    variants={
        "diwali-morning": Span(DIWALI, "09:14:57", "09:15:04"),
        "diwali-noon": Span(DIWALI, "10:59:57", "11:00:04"),
        "split-pause": Span(SPLIT, "10:29:58", "10:36:00"),
        "split-evening": Span(SPLIT, "12:34:58", "12:41:00"),
    },
    title="On a special day the market is closed outside its sessions: {variant}",
    rules=("H-1", "H-2"),
    profile=Profile.FULL,
    needs=_CALENDAR,
    explain="On Diwali the market trades for an hour in the evening and not in the morning; on"
    " 2 March 2024 it moved to its other data centre between two short sessions. The feed talks"
    " throughout.",
)
async def outside_special(world: World, span: Span) -> None:
    """Play a stretch outside the day's sessions."""
    await _expect_closed(world, span)


@family(
    "MKT-230",
    variants={
        "diwali-open": Change(DIWALI, "17:59:57", "18:00:00", "18:00:04", True),
        "diwali-close": Change(DIWALI, "18:59:55", "19:00:00", "19:00:04", False),
        "split-first-open": Change(SPLIT, "09:14:57", "09:15:00", "09:15:04", True),
        "split-first-close": Change(SPLIT, "09:59:55", "10:00:00", "10:00:04", False),
        "split-second-open": Change(SPLIT, "11:29:57", "11:30:00", "11:30:04", True),
        "split-second-close": Change(SPLIT, "12:29:55", "12:30:00", "12:30:04", False),
    },
    title="A special session opens and closes at its own times, with the notices: {variant}",
    rules=("H-1", "H-2"),
    profile=Profile.FULL,
    needs=_CALENDAR,
    explain="Special sessions are announced a few weeks ahead and are easily forgotten. A server"
    " with one opening and one closing time for all days misses them, or joins two into one.",
)
async def special(world: World, change: Change) -> None:
    """Play over the open or close."""
    stock = world.stocks[0]
    await world.to(change.since, day=change.day)
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.until(change.until)
    await world.settle(peer)
    rows = ticks_told(world, peer, stock, change.since, change.until, since=mark)
    expect_that(rows, f"data about {change.at}", "none")
    boundary, slack = at(moment(world.now).date(), change.at), slack_s(world)
    if change.opens:
        late_s = (rows[0].ts - boundary) / NS
        expect_that(late_s >= -slack, f"no tick before {change.at}", rows[0].clock)
        world.punctual(late_s, of=f"the first data after {change.at}")
    else:
        late_s = (rows[-1].ts - boundary) / NS
        expect_that(late_s < slack, f"no tick from {change.at} on", rows[-1].clock)
    wanted = ["market_opened" if change.opens else "market_closed"]
    events = [_data(notice).get("event") for notice in peer.notices(since=mark)]
    expect_equal(events, wanted, of="events of the notices")


@family(
    "MKT-240",
    variants={
        "saturday": (SATURDAY, "11:00:00", "holiday"),
        "holiday": (HOLIDAY, "11:00:00", "holiday"),
        "split-pause": (SPLIT, "10:30:00", "closed"),
        "split-pre-open": (SPLIT, "11:20:00", "pre_open"),
        "diwali-noon": (DIWALI, "11:00:00", "closed"),
        "diwali-pre-open": (DIWALI, "17:50:00", "pre_open"),
        "diwali-session": (DIWALI, "18:30:00", "open"),
    },
    title="phase tells a day without a session from the hours around one: {variant}",
    rules=("S-7", "H-1"),
    profile=Profile.FULL,
    needs=(Need.CALENDAR,),
    explain="holiday is the whole of a day without a session, weekends included; closed any other"
    " time of a day that has one; pre_open the quarter of an hour before. A page says 'opens at"
    " 18:00' or 'closed today' by it.",
)
async def phase(world: World, moment_: tuple[str, str, str]) -> None:
    """Ask at that time."""
    day, time, wanted = moment_
    await world.to(time, day=day)
    data = await _status(await world.connect())
    expect_equal(data.get("phase"), wanted, of="phase")
    expect_equal(data.get("market_open"), wanted == "open", of="market_open")


@family(
    "MKT-250",
    variants={
        "regular": ("2025-09-04", ("09:15 - 15:30",)),
        "split": (SPLIT, ("09:15 - 10:00", "11:30 - 12:30")),
        "diwali": (DIWALI, ("18:00 - 19:00",)),
    },
    title="market_hours are those of the day: {variant}",
    rules=("S-7", "H-1"),
    profile=Profile.FULL,
    needs=(Need.CALENDAR,),
    explain="The hours in welcome and market_status are shown to people. The regular ones on a"
    " special day send them home too early or let them wait for nothing.",
)
async def hours(world: World, wanted: tuple[str, tuple[str, ...]]) -> None:
    """Ask in the morning."""
    day, windows = wanted
    await world.to("09:10:00", day=day)
    told = (await _status(await world.connect())).get("market_hours")
    expect_type(told, "a string", of="market_hours")
    for window in windows:
        expect_that(window in str(told), f"{window} in market_hours", told)
    expect_equal(str(told).count(" - "), len(windows), of=f"number of sessions in {told!r}")


@family(
    "MKT-260",
    variants={
        "eve-of-holiday": ("2025-08-26", "16:00:00", "2025-08-28 09:15:00"),
        "on-holiday": (HOLIDAY, "11:00:00", "2025-08-28 09:15:00"),
        "sunday": ("2025-09-07", "11:00:00", "2025-09-08 09:15:00"),
        "eve-of-special-saturday": ("2024-03-01", "16:00:00", "2024-03-02 09:15:00"),
        "split-pause": (SPLIT, "10:30:00", "2024-03-02 11:30:00"),
        "diwali-noon": (DIWALI, "11:00:00", "2024-11-01 18:00:00"),
    },
    title="next_open is the next session's, whatever lies between: {variant}",
    rules=("S-7", "H-1"),
    profile=Profile.FULL,
    needs=(Need.CALENDAR,),
    explain="Clients sleep until then. Tomorrow at 09:15 is wrong before each weekend and holiday,"
    " and misses every special session.",
)
async def next_open(world: World, wanted: tuple[str, str, str]) -> None:
    """Ask at that time."""
    day, time, told = wanted
    await world.to(time, day=day)
    data = await _status(await world.connect())
    expect_equal(data.get("next_open"), told, of="next_open")


@case(
    "MKT-270",
    title="A subscribe on a holiday is kept for the next session",
    rules=("H-3", "P-1", "G-PERSIST"),
    profile=Profile.FULL,
    needs=_CALENDAR,
    at="16:00:00",
    day=HOLIDAY,
    explain="Whoever sets up a page on a holiday finds it alive the next morning.",
)
async def subscribed_on_a_holiday(world: World) -> None:
    """Subscribe, come to the next morning's open."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.to("09:14:57", day="2025-08-28")
    await world.until("09:15:03")
    await world.settle(peer)
    expect_that(peer.data(stock.symbol), f"data of {stock.symbol}", "none")


async def _expect_closed(world: World, span: Span) -> None:
    """Play a stretch of a day in which the market is closed, and expect to hear nothing."""
    stock = world.stocks[0]
    await world.to(span.since, day=span.day)
    peer = await world.connect()
    await peer.subscribe(stock.symbol)
    await world.settle(peer)
    await world.until(span.until)
    await world.settle(peer)
    # Otherwise nothing could have come.
    world.feed.rows(stock, span.since, span.until)
    expect_none_of(peer.data(), "market_data")
    expect_none_of(peer.notices(), "notice")
    expect_equal((await _status(peer)).get("market_open"), False, of="market_open")


async def _status(peer: Peer) -> dict[str, Any]:
    return _data(await peer.request("market_status"))


def _data(message: dict[str, Any]) -> dict[str, Any]:
    data = message.get("data")
    expect_type(data, "an object", of="data of market_status")
    assert isinstance(data, dict)
    return data
