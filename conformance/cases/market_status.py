"""QRY: what market_status says at which time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from conformance.case import Level, Need, Profile, case, family
from conformance.expect import (
    Unmet,
    expect_equal,
    expect_has,
    expect_in,
    expect_matches,
    expect_reply,
    expect_that,
    expect_type,
)
from conformance.peer import Message, Peer
from conformance.tape import IST, moment
from conformance.world import World

TYPES: Final = {
    "market_open": "true or false",
    "market_hours": "a string",
    "current_time": "a string",
    "next_open": "a string",
    "next_close": "a string",
    "phase": "a string",
    "trading_day": "a string",
    "streaming_data": "true or false",
    "timezone": "a string",
    "upstream": "a string",
    "last_tick_age_ms": "an integer or null",
}


@case(
    "QRY-200",
    title="market_status has all its fields, each of its type",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="Pages show hours and the next open from here. A field that is missing, or a time of"
    " another form, shows as undefined or Invalid Date.",
)
async def fields(world: World) -> None:
    """Look at each field at noon."""
    data = await _status(await world.connect())
    expect_has(data, *TYPES, of="data of market_status")
    for name, kind in TYPES.items():
        expect_type(data[name], kind, of=f"{name} of market_status")
    for name in ("current_time", "next_open", "next_close"):
        form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        expect_matches(data[name], form, of=name, like="2025-09-05 09:15:00")
    expect_equal(data["timezone"], "Asia/Kolkata", of="timezone")


@case(
    "QRY-210",
    title="market_status tells the time in India",
    rules=("S-7", "H-4", "G-IST"),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="All times are IST, whatever the zone of the server's machine.",
)
async def current_time(world: World) -> None:
    """Compare current_time with the market's time."""
    found = (await _status(await world.connect())).get("current_time")
    expect_type(found, "a string", of="current_time")
    try:
        told = datetime.strptime(str(found), "%Y-%m-%d %H:%M:%S").replace(tzinfo=IST)
    except ValueError:
        raise Unmet("current_time like 2025-09-04 11:00:00", str(found)) from None
    slack = timedelta(seconds=1 if world.exact else 60)
    wanted = f"current_time {moment(world.now):%Y-%m-%d %H:%M:%S}"
    expect_that(abs(told - moment(world.now)) <= slack, wanted, str(found))


@case(
    "QRY-220",
    title="At noon the market is open: it closes today and opens on the next trading day",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="next_open while open is the next one, not today's, which is past.",
)
async def open_(world: World) -> None:
    """Ask on Thursday noon."""
    data = await _status(await world.connect())
    expect_equal(data.get("market_open"), True, of="market_open")
    expect_equal(data.get("phase"), "open", of="phase")
    expect_equal(data.get("next_close"), "2025-09-04 15:30:00", of="next_close")
    expect_equal(data.get("next_open"), "2025-09-05 09:15:00", of="next_open")


@case(
    "QRY-230",
    title="Before the open the phase is pre_open, and both times are today's",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    at="09:10:00",
    explain="In the quarter of an hour before a session the exchanges collect orders. The market is"
    " not open then, and no data flow, but a page wants to show that it is about to begin.",
)
async def pre_open(world: World) -> None:
    """Ask five minutes before the open."""
    data = await _status(await world.connect())
    expect_equal(data.get("market_open"), False, of="market_open")
    expect_equal(data.get("phase"), "pre_open", of="phase")
    expect_equal(data.get("next_open"), "2025-09-04 09:15:00", of="next_open")
    expect_equal(data.get("next_close"), "2025-09-04 15:30:00", of="next_close")


@case(
    "QRY-240",
    title="After the close the phase is closed, and both times are of the next trading day",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    at="16:00:00",
    explain="next_close today would lie in the past: a countdown to it runs backwards.",
)
async def closed(world: World) -> None:
    """Ask on Thursday evening."""
    data = await _status(await world.connect())
    expect_equal(data.get("market_open"), False, of="market_open")
    expect_equal(data.get("phase"), "closed", of="phase")
    expect_equal(data.get("next_open"), "2025-09-05 09:15:00", of="next_open")
    expect_equal(data.get("next_close"), "2025-09-05 15:30:00", of="next_close")


@case(
    "QRY-250",
    title="On Friday evening the next open is on Monday",
    rules=("S-7", "H-1"),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    day="2025-09-05",
    at="16:00:00",
    explain="Tomorrow at 09:15 is the mistake of every first version.",
)
async def friday(world: World) -> None:
    """Ask on Friday evening."""
    data = await _status(await world.connect())
    expect_equal(data.get("next_open"), "2025-09-08 09:15:00", of="next_open")
    expect_equal(data.get("next_close"), "2025-09-08 15:30:00", of="next_close")


@case(
    "QRY-260",
    title="While the feed is connected and the market open, data are streaming",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    explain="upstream, streaming_data and last_tick_age_ms tell a quiet market from a dead feed.",
)
async def streaming(world: World) -> None:
    """Let a tick come, and ask."""
    await world.until("11:00:02")
    data = await _status(await world.connect())
    expect_equal(data.get("upstream"), "connected", of="upstream")
    expect_equal(data.get("streaming_data"), True, of="streaming_data")
    age = data.get("last_tick_age_ms")
    expect_type(age, "an integer", of="last_tick_age_ms after a tick")
    expect_that(isinstance(age, int) and age >= 0, "last_tick_age_ms from 0 on", age)


@case(
    "QRY-270",
    title="While the market is closed no data are streaming",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    at="16:00:00",
    explain="streaming_data false, with the feed connected, tells why a page stands still.",
)
async def not_streaming(world: World) -> None:
    """Ask in the evening."""
    data = await _status(await world.connect())
    expect_equal(data.get("streaming_data"), False, of="streaming_data")


@case(
    "QRY-280",
    title="While the feed is away upstream says so",
    rules=("S-7",),
    profile=Profile.FULL,
    needs=(Need.FEED,),
    own_feed=True,
    explain="A server that lost its feed looks as if the market had gone quiet. upstream is the one"
    " place where a client can see it; a constant there is worse than nothing.",
)
async def feed_away(world: World) -> None:
    """Lose the feed and ask until the server has noticed."""
    peer = await world.connect()
    expect_equal((await _status(peer)).get("upstream"), "connected", of="upstream before")
    await world.feed.lose()
    last: dict[str, Any] = {}

    def away(reply: Message) -> bool:
        last.update(reply.get("data") or {})
        return last.get("upstream") != "connected"

    await world.stage.poll(away)
    expect_in(last.get("upstream"), ("connecting", "down", "stale"), of="upstream")
    expect_equal(last.get("streaming_data"), False, of="streaming_data")


@family(
    "QRY-290",
    variants={
        "trading-day": ("2025-09-04", "2025-09-04"),
        "saturday": ("2025-09-06", "2025-09-08"),
    },
    title="trading_day is today's date, or the next one on which the market opens: {variant}",
    rules=("S-7",),
    level=Level.SHOULD,
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="A page heads its table with the day that its figures are of.",
)
async def trading_day(world: World, days: tuple[str, str]) -> None:
    """Ask on a day at noon."""
    today, wanted = days
    if f"{moment(world.now):%Y-%m-%d}" != today:
        await world.to("11:00:00", day=today)
    data = await _status(await world.connect())
    expect_equal(data.get("trading_day"), wanted, of="trading_day")


async def _status(peer: Peer) -> dict[str, Any]:
    """Ask for the market's status and return the reply's data."""
    data = expect_reply(await peer.request("market_status"), "market_status")
    expect_type(data, "an object", of="data of market_status")
    assert isinstance(data, dict)
    return data
