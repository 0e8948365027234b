"""CON: the address, client ids, origins."""

from __future__ import annotations

import socket

from conformance.case import Level, Profile, case, family
from conformance.expect import (
    Inconclusive,
    Unmet,
    expect_equal,
    expect_matches,
    expect_reply,
    expect_that,
    expect_type,
)
from conformance.peer import Peer
from conformance.plain_http import HttpReply, RawSocket
from conformance.questions import listed, subscribed
from conformance.world import World

_ALLOWED = "A to Z, a to z, 0 to 9 and . _ : @ -"


@case(
    "CON-010",
    title="A new client is welcomed, by its own client_id",
    rules=("C-3", "S-1", "G-WELCOME", "G-ENVELOPE"),
    explain="welcome is the first thing that a client hears: it tells that the line works and"
    " under which client_id the server knows it. A server that answers with another id, or with"
    " none, leaves the client unable to come back to its subscriptions.",
)
async def welcome(world: World) -> None:
    """Connect with an id of the client's own."""
    client_id = world.new_id()
    peer = await world.connect(client_id, read_welcome=False)
    message = await peer.wait_for(what="welcome as the first message")
    data = expect_reply(message, "welcome", "connected")
    expect_equal(message.get("client_id"), client_id, of="client_id of welcome")
    expect_type(data, "an object", of="data of welcome")
    expect_that(message.index == 0, "welcome before anything else", message)


@family(
    "CON-020",
    variants={"user": "user_123_{}", "app": "app_v2_client_456_{}"},
    title="A client_id of the guide's own format is taken as it is: {variant}",
    rules=("C-2", "G-CLIENT-ID"),
    explain="The guide invites clients to use ids of their own, with letters, digits and"
    " underscores. A server that adds to them, or changes case, knows the client under a name that"
    " the client does not have.",
)
async def own_format(world: World, form: str) -> None:
    """Connect with an id like those of the guide."""
    client_id = form.format(world.new_id().replace("-", "_"))
    peer = await world.connect(client_id)
    expect_equal(told_id(peer), client_id, of="client_id of welcome")


@family(
    "CON-030",
    variants={"left-out": None, "empty": ""},
    title="A client without a client_id is given one of its own: {variant}",
    rules=("C-2", "G-CLIENT-ID"),
    explain="client_id is optional. Two clients that gave none must never share one, or each gets"
    " the other's stocks; and the id must be told, because with it the client comes back.",
)
async def made_up(world: World, client_id: str | None) -> None:
    """Connect twice without an id."""
    ids = []
    for _ in range(2):
        peer = await world.connect(client_id)
        told = told_id(peer)
        expect_that(isinstance(told, str) and told, "a client_id in welcome", peer.welcome)
        ids.append(told)
    expect_that(ids[0] != ids[1], "two different client_ids", ids)


@case(
    "CON-040",
    title="A client_id that the server made up cannot be guessed",
    rules=("C-2",),
    profile=Profile.FULL,
    explain="Whoever knows a client_id can take its session over. Ids that are numbered or made of"
    " the time let anybody read what strangers subscribe: 128 random bits, URL-safe, are 22"
    " characters after client_.",
)
async def unguessable(world: World) -> None:
    """Look at the ids of three clients that gave none."""
    ids = []
    for _ in range(3):
        peer = await world.connect(None)
        told = told_id(peer)
        expect_matches(
            told,
            r"client_[A-Za-z0-9._~-]{22,}",
            of="client_id",
            like="client_ and at least 22 URL-safe characters",
        )
        ids.append(str(told))
    for position in range(len("client_"), min(map(len, ids)) - 8):
        pieces = {made_up[position : position + 8] for made_up in ids}
        expect_that(len(pieces) > 1, "ids that are random throughout", ids)


@case(
    "CON-050",
    title="A client comes back with the client_id that the server made up",
    rules=("C-2", "P-1", "G-CLIENT-ID", "G-PERSIST"),
    explain="The id in welcome is there to be used: a client that keeps it finds its subscriptions"
    " again. A server whose own ids do not pass its own check locks these clients out.",
)
async def comes_back(world: World) -> None:
    """Subscribe under an id that was made up, leave and come back."""
    symbol = world.stocks[0].symbol
    peer = await world.connect(None)
    await subscribed(peer, symbol)
    await peer.close()
    told = str(told_id(peer))
    again = await world.connect(told)
    expect_equal(told_id(again), told, of="client_id of welcome")
    expect_equal(await listed(again), [symbol], of="subscribed_symbols")


@family(
    "CON-060",
    variants={"all-signs": "aZ9._:@-", "longest": "x" * 128, "digits": "0"},
    title="A client_id may have 1 to 128 characters of the allowed set: {variant}",
    rules=("C-2",),
    profile=Profile.FULL,
    explain=f"Allowed are {_ALLOWED}, as in mail addresses and host names. Servers forget one of"
    " the signs, or count one character too few.",
)
async def allowed(world: World, form: str) -> None:
    """Connect with an id at the border of what is allowed."""
    client_id = world.new_id() + form
    client_id = client_id[-128:] if len(form) < 128 else client_id[:128]
    peer = await world.connect(client_id)
    expect_equal(told_id(peer), client_id, of="client_id of welcome")


@family(
    "CON-070",
    variants={
        "too-long": "x" * 129,
        "blank": "a b",
        "slash": "a/b",
        "umlaut": "ä",
        "newline": "a\nb",
        "nul": "a\0b",
        "markup": "<b>",
        "other-digits": "٣٤",
    },
    title="A client_id that is not allowed is refused with HTTP 400 and a reason: {variant}",
    rules=("C-2",),
    profile=Profile.FULL,
    explain=f"Ids end up in logs, files and pages. Allowed are 1 to 128 of {_ALLOWED}; anything"
    " else is refused before the upgrade, where a library shows the status. A pattern that is not"
    " anchored, or that takes any digit of Unicode, lets them through.",
)
async def not_allowed(world: World, client_id: str) -> None:
    """Try to connect with an id that may not be."""
    reply = await world.refused(client_id)
    expect_equal(reply.status, 400, of="HTTP status")
    _expect_reason(reply)


@case(
    "CON-080",
    title="client_id given twice is refused with HTTP 400 and a reason",
    rules=("C-2",),
    profile=Profile.FULL,
    explain="Which of two ids is meant cannot be told; libraries disagree on the first and the"
    " last. Guessing gives the client somebody else's session.",
)
async def given_twice(world: World) -> None:
    """Give two ids in one query."""
    url = world.stage.url(world.new_id()) + f"&client_id={world.new_id()}"
    async with await world.raw() as raw:
        reply = await raw.upgrade(url)
    expect_equal(reply.status, 400, of="HTTP status")
    _expect_reason(reply)


@family(
    "CON-090",
    variants={
        "unknown": "/no-such-page",
        "below": "/enhanced-stream/more",
        "like": "/enhanced-streams",
    },
    title="A WebSocket at another path is refused with HTTP 404: {variant}",
    rules=("C-1",),
    profile=Profile.FULL,
    explain="The stream lives at one path. A server that upgrades any path hides a wrong address"
    " until something else is served there.",
)
async def other_path(world: World, path: str) -> None:
    """Ask for an upgrade where no stream is."""
    host = world.stage.url(None).split("://")[1].split("/")[0]
    async with await world.raw() as raw:
        reply = await raw.upgrade(f"ws://{host}{path}?client_id={world.new_id()}")
    expect_equal(reply.status, 404, of="HTTP status")


@case(
    "CON-100",
    title="A plain GET of the stream's path gets HTTP 426",
    rules=("C-1",),
    profile=Profile.FULL,
    explain="Somebody who opens the address in a browser should learn that it is a WebSocket:"
    " 426 Upgrade Required says it. Common are 200 with an empty page, 400, or silence.",
)
async def plain_get(world: World) -> None:
    """GET the stream's path without asking for an upgrade."""
    path = "/" + world.stage.url(None).split("://")[1].partition("/")[2]
    reply = await world.http(f"{path}?client_id={world.new_id()}")
    expect_equal(reply.status, 426, of="HTTP status")


@case(
    "CON-110",
    title="localhost is both 127.0.0.1 and ::1",
    rules=("C-7",),
    profile=Profile.FULL,
    features=("localhost",),
    explain="The guide's address is localhost. Browsers and Node try ::1 first, others 127.0.0.1;"
    " a server that listens on one of them works for some clients and not for others.",
)
async def both_loopbacks(world: World) -> None:
    """Connect to each address of localhost."""
    host, port = world.stage.server.address
    if host != "localhost":
        raise Inconclusive(f"the server's address is {host}, not localhost")
    for address in ("127.0.0.1", "::1"):
        _expect_usable(address)
        url = world.stage.url(world.new_id())
        try:
            async with await RawSocket.open(address, port) as raw:
                reply = await raw.upgrade(url)
        except OSError as error:
            raise Unmet(f"a server at {address}", error.strerror or str(error)) from None
        expect_equal(reply.status, 101, of=f"HTTP status at {address}")


@family(
    "CON-120",
    variants={
        "localhost": "http://localhost:3000",
        "https": "https://localhost",
        "ipv4": "http://127.0.0.1:8000",
        "ipv6": "http://[::1]:5173",
        "file": "null",
    },
    title="A page of this machine may connect: {variant}",
    rules=("C-7",),
    profile=Profile.FULL,
    explain="Developers open pages from a server of their own at any port, or from a file, for"
    " which browsers send Origin: null. A server that refuses those cannot be tried out.",
)
async def own_page(world: World, origin: str) -> None:
    """Connect as a page of a loopback origin does."""
    await world.connect(headers={"Origin": origin})


@family(
    "CON-130",
    variants={
        "stranger": "https://evil.example",
        "prefix": "http://localhost.evil.example",
        "suffix": "http://evil-localhost:8080",
        "number": "http://127.0.0.1.evil.example",
        "user": "http://localhost@evil.example",
    },
    title="A page of another origin is refused with HTTP 403: {variant}",
    rules=("C-7",),
    profile=Profile.FULL,
    features=("origins",),
    explain="Any web page can open a WebSocket to localhost; the Origin header is the only thing"
    " that tells it from the user's own page. Checks by prefix or by part of the text let"
    " localhost.evil.example in.",
)
async def foreign_page(world: World, origin: str) -> None:
    """Try to connect as a page of a strange origin."""
    reply = await world.refused(headers={"Origin": origin})
    expect_equal(reply.status, 403, of="HTTP status")


@case(
    "CON-140",
    title="Parameters that the server does not know are ignored",
    rules=("C-1", "G-ENDPOINT"),
    level=Level.SHOULD,
    explain="Proxies, trackers and newer clients add to the query. A server that refuses what it"
    " does not know cuts them off.",
)
async def more_parameters(world: World) -> None:
    """Connect with a parameter that nobody knows."""
    client_id = world.new_id()
    peer = await world.connect(client_id, query={"no_such_parameter": "1"})
    expect_equal(told_id(peer), client_id, of="client_id of welcome")


def told_id(peer: Peer) -> object:
    """Return the client_id that the welcome tells, in its envelope or in its data."""
    data = peer.welcome.get("data")
    told = data.get("client_id") if isinstance(data, dict) else None
    return peer.welcome.get("client_id", told)


def _expect_reason(reply: HttpReply) -> None:
    """Expect a JSON body that says why in words."""
    body = reply.json()
    expect_type(body, "an object", of="the body's JSON")
    assert isinstance(body, dict)
    words = [value for value in body.values() if isinstance(value, str) and " " in value]
    expect_that(words, "a reason in words in the body", body)


def _expect_usable(address: str) -> None:
    """See that the machine has this address at all."""
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(kind) as trial:
            trial.bind((address, 0))
    except OSError:
        raise Inconclusive(f"this machine has no {address}") from None
