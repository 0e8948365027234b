"""MSG: the envelope, its types and its order, request ids, the order of replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    expect_equal,
    expect_error,
    expect_has,
    expect_none_of,
    expect_order,
    expect_that,
    expect_type,
)
from conformance.invariants import ENVELOPE
from conformance.peer import REPLY_TYPES, Message, Peer
from conformance.tape import NS
from conformance.world import World

REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "subscribe": {"action": "subscribe", "stocks": ["SBIN"]},
    "unsubscribe": {"action": "unsubscribe", "stocks": ["SBIN"]},
    "subscriptions": {"action": "get_subscriptions"},
    "market-status": {"action": "market_status"},
    "ping": {"action": "ping"},
}
EMPTY: Final = {"action": "subscribe", "stocks": []}
"""What the guide answers with an error."""
WRONG_TYPE: Final = {"action": "subscribe", "stocks": 7}

EARLIEST_MS: Final = 946_684_800_000
LATEST_MS: Final = 4_102_444_800_000
MANY: Final = 100


@family(
    "MSG-010",
    variants={**REQUESTS, "error": EMPTY},
    title="A reply has type, status, client_id and a time stamp in milliseconds: {variant}",
    rules=("S-1", "G-ENVELOPE", "G-ERROR"),
    explain="The guide's envelope. Servers forget client_id in replies that are written elsewhere"
    " (errors, pongs), and time stamps in seconds put every chart into January 1970.",
)
async def envelope(world: World, request: Mapping[str, Any]) -> None:
    """Send a request and look at the envelope of its reply."""
    peer = await world.connect()
    reply = await _ask(peer, request)
    expect_has(reply, "type", "status", "client_id", "timestamp", of="the reply")
    expect_type(reply["status"], "a string", of="status")
    expect_equal(reply["client_id"], peer.client_id, of="client_id")
    stamp = reply["timestamp"]
    expect_type(stamp, "an integer", of="timestamp")
    expect_that(
        isinstance(stamp, int) and EARLIEST_MS < stamp < LATEST_MS,
        "timestamp in milliseconds since 1970",
        stamp,
    )


@family(
    "MSG-020",
    variants={**REQUESTS, "error": EMPTY},
    title="The keys of a reply stand in the order of the envelope: {variant}",
    rules=("S-1", "G-ENVELOPE"),
    profile=Profile.FULL,
    explain="type, status, message, code, data, client_id, request_id, timestamp, as in the guide:"
    " people read the stream in a terminal, and small clients look for type at the beginning.",
)
async def order(world: World, request: Mapping[str, Any]) -> None:
    """Send a request with an id and look at the order of the reply's keys."""
    reply = await _ask(await world.connect(), {**request, "request_id": "r"})
    expect_order(reply, ENVELOPE, of=reply.type)


@case(
    "MSG-030",
    title="The welcome's keys stand in the order of the envelope too",
    rules=("S-1", "C-3"),
    profile=Profile.FULL,
    explain="The first message is written by other code than the replies, and drifts from them.",
)
async def welcome_order(world: World) -> None:
    """Look at the order of the welcome's keys."""
    peer = await world.connect()
    expect_order(peer.welcome, ENVELOPE, of="welcome")


@case(
    "MSG-040",
    title="The time stamp of a reply is the market's time",
    rules=("S-1", "M-8"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    explain="In a replay all times are the replay's. A reply with the machine's time beside data of"
    " last year makes every age that a client computes nonsense.",
)
async def market_time(world: World) -> None:
    """Compare the stamp of a pong with the market's time."""
    reply = await (await world.connect()).ping()
    stamp = reply.get("timestamp")
    expect_type(stamp, "an integer", of="timestamp")
    assert isinstance(stamp, int)
    late_ms = stamp - world.now // (NS // 1000)
    slack_ms = 1000 if world.exact else 60_000
    expect_that(0 <= late_ms <= slack_ms, f"timestamp {world.now // (NS // 1000)}", stamp)


@case(
    "MSG-050",
    title="A request as the guide writes it, with type and timestamp, is served",
    rules=("G-REQUEST",),
    explain="type and timestamp may be left out, and may be there. Servers that read requests into"
    " a fixed form refuse what they do not expect.",
)
async def whole_request(world: World) -> None:
    """Send the guide's whole request."""
    symbol = world.stocks[0].symbol
    reply = await (await world.connect()).request(
        "subscribe", type="request", stocks=[symbol], timestamp=1756971590827
    )
    expect_equal(reply.type, "subscription_response", of="type")
    expect_equal(reply.get("status"), "success", of="status")


@case(
    "MSG-060",
    title="Keys that the server does not know are ignored",
    rules=("R-4", "G-REQUEST"),
    profile=Profile.FULL,
    explain="Newer clients send more. What is unknown must not be an error, or no client can be"
    " newer than its server.",
)
async def unknown_keys(world: World) -> None:
    """Send a ping with more in it."""
    peer = await world.connect()
    reply = await peer.request(
        "ping", client_id=peer.client_id, no_such_key={"a": [1, None]}, stocks=["SBIN"]
    )
    expect_equal(reply.type, "pong", of="type")


@family(
    "MSG-100",
    variants={**REQUESTS, "error": EMPTY},
    title="A request_id comes back on the reply: {variant}",
    rules=("R-1",),
    profile=Profile.FULL,
    explain="With it a client that has asked many things knows which answer is which. Servers"
    " forget it in replies that are written elsewhere, errors above all.",
)
async def request_id(world: World, request: Mapping[str, Any]) -> None:
    """Send a request with an id."""
    reply = await _ask(await world.connect(), {**request, "request_id": "mine-1"})
    expect_equal(reply.get("request_id"), "mine-1", of="request_id")


@family(
    "MSG-110",
    variants={
        "integer": 7,
        "zero": 0,
        "negative": -1,
        "large": 2**53 - 1,
        "longest": "x" * 64,
        "unicode": "ä ✓ \U0001f600",
        "digits": "7",
    },
    title="A request_id comes back as it was sent: {variant}",
    rules=("R-1",),
    profile=Profile.FULL,
    explain="7 is not '7' to a client that looks it up in a map, and 0 is an id like any other.",
)
async def same_id(world: World, sent: object) -> None:
    """Send a ping with an id."""
    reply = await (await world.connect()).request("ping", request_id=sent)
    expect_equal(reply.get("request_id"), sent, of="request_id")
    expect_equal(isinstance(reply.get("request_id"), str), isinstance(sent, str), of="a string:")


@case(
    "MSG-120",
    title="A reply to a request without a request_id has none",
    rules=("R-1",),
    profile=Profile.FULL,
    explain="An id left over from an earlier request resolves the wrong promise.",
)
async def no_request_id(world: World) -> None:
    """Send one ping with an id and one without."""
    peer = await world.connect()
    await peer.request("ping", request_id="first")
    reply = await peer.ping()
    expect_equal(reply.get("request_id"), None, of="request_id")


@case(
    "MSG-200",
    title="Each request gets one reply",
    rules=("R-1",),
    profile=Profile.FULL,
    explain="A client that counts what is outstanding is thrown by a reply too many as by one that"
    " is missing.",
)
async def one_reply(world: World) -> None:
    """Send each request once and count what comes."""
    peer = await world.connect()
    for request in (*REQUESTS.values(), EMPTY):
        await _ask(peer, request)
    await world.settle(peer)
    kinds = {*REPLY_TYPES.values(), "error"}
    replies = [m for m in peer.messages(*kinds) if not m.is_notice]
    extra = [message for message in replies if not message.taken]
    expect_none_of(extra, "second reply to a request")


@case(
    "MSG-210",
    title="Replies come in the order of the requests",
    rules=("R-1",),
    profile=Profile.FULL,
    explain="Without request ids the order is all that tells replies apart. Servers that give each"
    " request a task of its own answer the quick ones first.",
)
async def in_order(world: World) -> None:
    """Send every kind of request at once, twice."""
    peer = await world.connect()
    requests = [*REQUESTS.values(), EMPTY, *reversed(list(REQUESTS.values()))]
    for number, request in enumerate(requests):
        await peer.send_json({**request, "request_id": number})
    wanted = [_reply_type(request) for request in requests]
    found = [(await peer.wait_for(where=_is_reply)).type for _ in requests]
    expect_equal(found, wanted, of="replies in the order")


@case(
    "MSG-220",
    title="A hundred pings sent at once get a hundred pongs, in their order",
    rules=("R-1", "M-5"),
    profile=Profile.FULL,
    explain="Replies are never dropped or joined, however many wait for the socket. A server that"
    " keeps one waiting message of each kind, as it may for quotes, answers once.",
)
async def all_pongs(world: World) -> None:
    """Send a hundred pings without waiting."""
    peer = await world.connect()
    for number in range(MANY):
        await peer.send_json({"action": "ping", "request_id": number})
    found = [(await peer.wait_for("pong")).get("request_id") for _ in range(MANY)]
    expect_equal(found, list(range(MANY)), of="request ids")


@case(
    "MSG-230",
    title="A subscribe and what is sent right behind it see the same state",
    rules=("R-1", "S-6"),
    profile=Profile.FULL,
    explain="A request is carried out before the next is looked at. A server that writes to its"
    " store aside, and answers the question from the store, lists what was before.",
)
async def same_state(world: World) -> None:
    """Send subscribe, get_subscriptions, unsubscribe, get_subscriptions at once."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    for action in ("subscribe", "get_subscriptions", "unsubscribe", "get_subscriptions"):
        await peer.send_json({"action": action, "stocks": [symbol]})
    totals = []
    for _ in range(2):
        data = (await peer.wait_for("subscriptions")).get("data") or {}
        totals.append(data.get("total_subscribed"))
    expect_equal(totals, [1, 0], of="total_subscribed after the one and the other")


@case(
    "MSG-300",
    title="An error has the guide's form",
    rules=("S-9", "G-ERROR"),
    explain="type error, status error, a message, client_id and timestamp. Clients show the message"
    " to their users; undefined helps nobody.",
)
async def error_form(world: World) -> None:
    """Provoke the guide's own error."""
    peer = await world.connect()
    error = await _ask(peer, EMPTY)
    expect_error(error, client_id=peer.client_id)
    expect_type(error.get("timestamp"), "an integer", of="timestamp of the error")


@case(
    "MSG-310",
    title="An error has a code for programs",
    rules=("S-9",),
    profile=Profile.FULL,
    explain="Messages change with every version; the codes do not. A client that has to decide"
    " whether to try again goes by the code.",
)
async def error_code(world: World) -> None:
    """Provoke two errors."""
    peer = await world.connect()
    expect_error(await _ask(peer, EMPTY), code="empty_request")
    expect_error(await _ask(peer, WRONG_TYPE), code="invalid_request")


@family(
    "MSG-320",
    variants={
        "no-stocks": EMPTY,
        "wrong-type": WRONG_TYPE,
    },
    title="Every error has a message for people: {variant}",
    rules=("S-9",),
    profile=Profile.FULL,
    explain="The guide's clients log the message of an error and show it to their users. Servers"
    " word the error that they expect and send the rare ones bare.",
)
async def every_error_says_why(world: World, request: Mapping[str, Any]) -> None:
    """Provoke one error and read its message."""
    peer = await world.connect()
    expect_error(await _ask(peer, request))


async def _ask(peer: Peer, request: Mapping[str, Any]) -> Message:
    await peer.send_json(request)
    return await peer.reply_to(request["action"])


def _is_reply(message: Message) -> bool:
    return message.type not in ("market_data", "welcome") and not message.is_notice


def _reply_type(request: Mapping[str, Any]) -> str:
    return "error" if request == EMPTY else REPLY_TYPES[request["action"]]
