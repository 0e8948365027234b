"""ERR: requests with something wrong in them: actions, types, items of stocks."""

from __future__ import annotations

from typing import Any, Final

from conformance.case import Level, Profile, case, family
from conformance.expect import (
    expect_equal,
    expect_error,
    expect_in,
    expect_that,
    expect_type,
)
from conformance.questions import expect_serving, subscribed
from conformance.world import World

MISTYPED: Final[dict[str, dict[str, Any]]] = {
    "action-number": {"action": 5},
    "action-object": {"action": {"ping": True}},
    "type-number": {"type": 1, "action": "ping"},
    "timestamp-text": {"action": "ping", "timestamp": "now"},
    "stocks-text": {"action": "subscribe", "stocks": "RELIANCE"},
    "stocks-object": {"action": "subscribe", "stocks": {"0": "RELIANCE"}},
    "stocks-number": {"action": "subscribe", "stocks": 2885},
    "snapshot-text": {"action": "subscribe", "stocks": ["RELIANCE"], "snapshot": "yes"},
    "delivery-unknown": {"action": "subscribe", "stocks": ["RELIANCE"], "delivery": "some"},
    "request-id-object": {"action": "ping", "request_id": {}},
    "request-id-fraction": {"action": "ping", "request_id": 1.5},
    "request-id-true": {"action": "ping", "request_id": True},
    "request-id-long": {"action": "ping", "request_id": "x" * 65},
}

WRONG_ITEMS: Final[dict[str, Any]] = {
    "null": None,
    "true": True,
    "fraction": 3045.5,
    "negative": -3045,
    "huge": 2**62,
    "list": ["SBIN"],
    "object": {"symbol": "SBIN"},
    "empty-list": [],
}

ODD_NAMES: Final = {
    "empty": "",
    "blank": "   ",
    "star": "*",
    "exchange-alone": "NSE:",
    "unknown-exchange": "XYZ:SBIN",
    "long": "A" * 10_000,
    "nul": "SBIN\0",
    "newline": "SB\nIN",
    "lookalike": "ЅBIN",
    "markup": "<script>alert(1)</script>",
    "path": "../../etc/passwd",
    "right-to-left": "\u202eNIBS",
}


@family(
    "ERR-100",
    variants={"missing": {}, "null": {"action": None}, "no-keys-known": {"stocks": ["SBIN"]}},
    title="A request without an action gets an error, and the next one is served: {variant}",
    rules=("R-4", "S-9"),
    profile=Profile.FULL,
    explain="Without an action nothing can be done; guessing one is worse than saying so.",
)
async def no_action(world: World, fields: dict[str, Any]) -> None:
    """Send it, then a good request."""
    peer = await world.connect()
    await peer.send_json(fields)
    error = await peer.reply_to("error")
    expect_error(error)
    expect_in(error.get("code"), ("invalid_request", "unknown_action"), of="code")
    await expect_serving(peer)


@family(
    "ERR-110",
    variants={"unknown": "no_such_action", "near": "subscribe_all", "empty": ""},
    title="An unknown action gets an error, unknown_action, and the next request is served:"
    " {variant}",
    rules=("R-4", "S-9"),
    profile=Profile.FULL,
    explain="A client that is newer than its server learns from the code that the action is not"
    " there, and does without. Servers say nothing, so that it waits for ever, or speak of JSON.",
)
async def unknown_action(world: World, action: str) -> None:
    """Send it, then a good request."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol)
    expect_error(await peer.request(action), code="unknown_action")
    await expect_serving(peer, symbol)


@family(
    "ERR-120",
    variants=MISTYPED,
    title="A value of a wrong type gets an error and changes nothing: {variant}",
    rules=("R-4", "S-9"),
    profile=Profile.FULL,
    explain="A string in place of a list is taken letter by letter in some languages; true is 1 in"
    " others. The answer is an error, invalid_request, that says what was expected, and the session"
    " stays as it was.",
)
async def mistyped(world: World, fields: dict[str, Any]) -> None:
    """Send it, then a good request."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol)
    await peer.send_json(fields)
    reply = await peer.wait_for("error", "pong", "subscription_response", what="an error")
    expect_error(reply, code="invalid_request")
    await expect_serving(peer, symbol)


@family(
    "ERR-130",
    variants=WRONG_ITEMS,
    title="An item of a wrong type fails alone, and the stocks beside it are subscribed: {variant}",
    rules=("R-4", "S-2"),
    profile=Profile.FULL,
    explain="A list that comes out of a spreadsheet has holes. One null must not cost the other"
    " stocks; and it stands in failed_stocks, as a string like the others there.",
)
async def wrong_item(world: World, item: object) -> None:
    """Subscribe it between two stocks."""
    first, second = (stock.symbol for stock in world.stocks[:2])
    peer = await world.connect()
    data = await subscribed(peer, first, item, second)
    expect_equal(sorted(data.get("subscribed_stocks") or []), sorted([first, second]), of="stocks")
    failed = data.get("failed_stocks")
    expect_type(failed, "a list of strings", of="failed_stocks")
    expect_equal(len(failed or []), 1, of="number of failed_stocks")
    await expect_serving(peer, first, second)


@family(
    "ERR-140",
    variants=ODD_NAMES,
    title="A name that no stock has fails alone, and comes back as it was: {variant}",
    rules=("R-2", "R-4", "S-2"),
    profile=Profile.FULL,
    explain="Names come from people and other programs. Whatever they hold, the server looks it up"
    " and does not find it; it does not crash, does not match a stock that only looks alike, and"
    " gives the very text back.",
)
async def odd_name(world: World, name: str) -> None:
    """Subscribe it beside a stock."""
    symbol = world.stocks[1].symbol
    peer = await world.connect()
    data = await subscribed(peer, name, symbol)
    expect_equal(data.get("failed_stocks"), [name], of="failed_stocks")
    await expect_serving(peer, symbol)


@case(
    "ERR-150",
    title="A bad request on one connection is answered on that one alone",
    rules=("R-1", "R-4", "S-9", "P-4"),
    profile=Profile.FULL,
    explain="Errors are replies, and go to who asked. Servers that broadcast what goes wrong alarm"
    " everybody.",
)
async def own_errors(world: World) -> None:
    """Send bad frames beside a client that sends none."""
    peer, other = await world.connect(), await world.connect()
    await peer.send_text("{")
    expect_error(await peer.reply_to("error"))
    await peer.send_json({"action": "no_such_action"})
    expect_error(await peer.reply_to("error"))
    await world.settle()
    expect_equal(len(other.messages("error")), 0, of="errors that another client got:")


@case(
    "ERR-160",
    title="The message of an error says what was found or what was expected",
    rules=("S-9",),
    level=Level.SHOULD,
    profile=Profile.FULL,
    explain="Invalid request, says a server, of a request with ten keys. A message that names the"
    " key, the value or what would be right saves an hour.",
)
async def helpful(world: World) -> None:
    """Look into the messages of two errors."""
    peer = await world.connect()
    error = await peer.request("no_such_action")
    expect_error(error)
    words = str(error.get("message")).lower()
    found = "no_such_action" in words or "get_subscriptions" in words
    expect_that(found, "the unknown action, or the known ones, in the message", error)
    error = await peer.request("subscribe", stocks="RELIANCE")
    expect_that("stocks" in str(error.get("message")).lower(), "stocks in the message", error)
