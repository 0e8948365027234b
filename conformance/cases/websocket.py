"""WS: the points of RFC 6455 that clients of this protocol meet."""

from __future__ import annotations

from typing import Any, Final

import orjson

from conformance.case import Level, Profile, case, family
from conformance.expect import Unmet, expect_equal, expect_in, expect_that
from conformance.plain_http import RawSocket, frame
from conformance.questions import expect_serving, listed, subscribed
from conformance.world import World

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
REQUEST: Final = b'{"action":"ping"}'

VIOLATIONS: Final[dict[str, bytes]] = {
    "unmasked": frame(TEXT, REQUEST, masked=False),
    "reserved-bit": frame(TEXT, REQUEST, rsv=4),
    "reserved-opcode": frame(3, REQUEST),
    "reserved-control": frame(11, b""),
    "lone-continuation": frame(0, REQUEST),
    "text-within-fragments": frame(TEXT, b"{", fin=False) + frame(TEXT, REQUEST),
    "fragmented-ping": frame(PING, b"x", fin=False),
    "long-ping": frame(PING, b"x" * 126),
    "close-of-one-byte": frame(CLOSE, b"\x03"),
}


@family(
    "WS-010",
    variants={"empty": b"", "text": b"are you there", "longest": bytes(range(125))},
    title="A WebSocket ping gets a pong with the same content: {variant}",
    rules=("C-1", "G-ENDPOINT"),
    explain="Libraries and proxies keep a line alive with pings and end it when no pong comes;"
    " some number them, and look for their number.",
)
async def ping(world: World, payload: bytes) -> None:
    """Send a ping frame."""
    async with await _open(world) as raw:
        await raw.send_frame(PING, payload)
        expect_equal((await _next(world, raw, PONG)).hex(), payload.hex(), of="content, in hex,")


@family(
    "WS-020",
    variants={"two": 2, "each-byte": len(REQUEST), "with-empty-ones": 0},
    title="A message in fragments is one message: {variant}",
    rules=("C-1", "G-ENDPOINT"),
    explain="Browsers fragment long messages as they like. A server that takes each frame for a"
    " message sees broken JSON.",
)
async def fragments(world: World, count: int) -> None:
    """Send a request in fragments, with a ping between them."""
    size = -(-len(REQUEST) // (count or 3))
    parts = [REQUEST[start : start + size] for start in range(0, len(REQUEST), size)]
    if not count:
        parts = [b"", *parts[:1], b"", *parts[1:], b""]
    async with await _open(world) as raw:
        for index, part in enumerate(parts):
            await raw.send_frame(0 if index else TEXT, part, fin=index == len(parts) - 1)
            if index == 0:
                await raw.send_frame(PING, b"between")
        await _next(world, raw, PONG)
        await _expect_pong(world, raw)


@case(
    "WS-030",
    title="Bytes that come one by one are put together",
    rules=("C-1", "G-ENDPOINT"),
    explain="TCP has no messages: a frame comes in any pieces. Servers written by hand read a frame"
    " from what one read of the socket gives.",
)
async def byte_by_byte(world: World) -> None:
    """Send a request byte by byte, each in a packet of its own."""
    async with await _open(world) as raw:
        for byte in frame(TEXT, REQUEST):
            await raw.send(bytes([byte]))
        await _expect_pong(world, raw)


@case(
    "WS-040",
    title="Several messages in one packet are all read",
    rules=("C-1", "R-1", "G-ENDPOINT"),
    explain="A client that sends three requests in a row has them in one packet. A server that"
    " reads one frame from each read answers the first, and the second when the next comes.",
)
async def one_packet(world: World) -> None:
    """Send three requests in one write."""
    async with await _open(world) as raw:
        await raw.send(frame(TEXT, REQUEST) * 3)
        for _ in range(3):
            await _expect_pong(world, raw)


@case(
    "WS-050",
    title="A server answers in text frames, also to a binary one",
    rules=("C-1", "R-4"),
    profile=Profile.FULL,
    explain="Browsers hand binary frames over as Blobs, which JSON.parse does not take. A server"
    " that answers in the kind that it was asked in ends such clients, if one frame was binary.",
)
async def text_always(world: World) -> None:
    """Send a request in a binary frame and look at the kind of what comes."""
    async with await _open(world) as raw:
        await raw.send_frame(BINARY, REQUEST)
        async with world.deadline("an answer"):
            opcode, payload = await _data_frame(raw)
            while _type(payload) == "welcome":
                opcode, payload = await _data_frame(raw)
        expect_equal(opcode, TEXT, of="opcode of the answer")


@family(
    "WS-060",
    variants={"1000": 1000, "1001": 1001, "own": 3000, "none": None},
    title="A close frame is answered by a close frame, and the connection ends: {variant}",
    rules=("C-1", "G-ENDPOINT"),
    explain="A page that is left closes with 1001, a program with 1000 or no code. Without an"
    " answer the library waits for its time-out, seconds at each end.",
)
async def close(world: World, code: int | None) -> None:
    """Send a close frame and read to the end."""
    async with await _open(world) as raw:
        await raw.send_frame(CLOSE, b"" if code is None else code.to_bytes(2, "big"))
        async with world.deadline("a close frame in answer, and the end"):
            answered = await raw.wait_close()
    expect_that(answered is not None, "a close frame in answer", "the end without one")
    wanted = (1005, 1000) if code is None else (code, 1000)
    expect_in(answered, wanted, of="close code")


@family(
    "WS-070",
    variants=VIOLATIONS,
    title="A frame that breaks RFC 6455 ends the connection and harms nothing else: {variant}",
    rules=("C-1", "G-ENDPOINT"),
    level=Level.SHOULD,
    explain="What follows a broken frame cannot be trusted, so the RFC has the server fail the"
    " connection, with 1002. The session is as it was when the client comes back.",
)
async def violation(world: World, data: bytes) -> None:
    """Send it; then come back."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol)
    await peer.close()
    async with await world.raw() as raw:
        reply = await raw.upgrade(world.stage.url(peer.client_id))
        expect_equal(reply.status, 101, of="HTTP status")
        await raw.send(data)
        async with world.deadline("the connection closed"):
            code = await raw.wait_close()
    expect_in(code, (1002, 1007, None), of="close code (or the end without one)")
    await expect_serving(await world.connect(peer.client_id), symbol)


@family(
    "WS-080",
    variants={
        "firefox": {"Connection": "keep-alive, Upgrade"},
        "capitals": {"Upgrade": "WebSocket", "Connection": "UPGRADE"},
        "subprotocol": {"Sec_WebSocket_Protocol": "graphql-ws, json"},
        "extension": {"Sec_WebSocket_Extensions": "x-unknown; level=1"},
        "cookie": {"Cookie": "session=1; theme=dark"},
        "user-agent": {"User_Agent": "Mozilla/5.0 (X11; Linux x86_64)"},
    },
    title="An opening request in another usual form is granted: {variant}",
    rules=("C-1", "G-ENDPOINT"),
    explain="Header values are compared without case and may be lists; what is offered and not"
    " known is left out of the answer, not refused. Servers written by hand know one browser.",
)
async def opening(world: World, headers: dict[str, str]) -> None:
    """Open with these headers."""
    async with await world.raw() as raw:
        async with world.deadline("an HTTP answer"):
            reply = await raw.upgrade(world.stage.url(world.new_id()), **headers)
        expect_equal(reply.status, 101, of="HTTP status")
        granted = reply.headers.get("sec-websocket-extensions")
        expect_equal(granted, None, of="Sec-WebSocket-Extensions, unknown as they are,")
        protocol = reply.headers.get("sec-websocket-protocol")
        expect_in(protocol, (None, "graphql-ws", "json"), of="Sec-WebSocket-Protocol")
        await raw.send_frame(TEXT, REQUEST)
        await _expect_pong(world, raw)


@family(
    "WS-090",
    variants={
        "no-key": {"Sec_WebSocket_Key": ""},
        "short-key": {"Sec_WebSocket_Key": "c2hvcnQ="},
        "unknown-version": {"Sec_WebSocket_Version": "12"},
        "no-version": {"Sec_WebSocket_Version": ""},
    },
    title="An opening request that is none is refused with an HTTP status of 400 or above:"
    " {variant}",
    rules=("C-1", "G-ENDPOINT"),
    level=Level.SHOULD,
    explain="400, or 426 for a version that is not spoken. A server that grants anything talks to"
    " clients that do not understand it.",
)
async def no_opening(world: World, headers: dict[str, str]) -> None:
    """Open with one header wrong or missing."""
    async with await world.raw() as raw:
        async with world.deadline("an HTTP answer"):
            reply = await raw.upgrade(world.stage.url(world.new_id()), **headers)
    expect_that(400 <= reply.status < 500, "HTTP status 400 to 499", reply.status)


@case(
    "WS-100",
    title="A client that offers compression is served, whether it is granted or not",
    rules=("C-1", "G-ENDPOINT"),
    explain="Every browser offers permessage-deflate. A server that grants it and does not compress"
    " as it said sends frames that no browser can read.",
)
async def compression(world: World) -> None:
    """Connect as browsers do, and subscribe."""
    symbol = world.stocks[0].symbol
    peer = await world.connect(compression="deflate")
    await subscribed(peer, symbol)
    expect_equal(await listed(peer), [symbol], of="subscribed_symbols")


@case(
    "WS-110",
    title="A connection that is cut in the middle of a frame harms nobody",
    rules=("C-1", "P-1", "G-PERSIST"),
    explain="Laptops are closed and trains enter tunnels. Half a frame is no request, and the"
    " client comes back to its subscriptions.",
)
async def cut(world: World) -> None:
    """Send half a frame, cut the line, come back."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol)
    await peer.close()
    async with await world.raw() as raw:
        await raw.upgrade(world.stage.url(peer.client_id))
        await raw.send(frame(TEXT, REQUEST)[:9])
    await expect_serving(await world.connect(peer.client_id), symbol)


async def _open(world: World) -> RawSocket:
    raw = await world.raw()
    async with world.deadline("an upgrade"):
        reply = await raw.upgrade(world.stage.url(world.new_id()))
    expect_equal(reply.status, 101, of="HTTP status")
    return raw


async def _next(world: World, raw: RawSocket, opcode: int) -> bytes:
    """Return the payload of the next frame of a kind."""
    wanted = f"a frame of opcode {opcode}"
    async with world.deadline(wanted):
        while True:
            try:
                found, payload = await raw.read_frame()
            except ConnectionError as error:
                raise Unmet(wanted, str(error)) from None
            if found == opcode:
                return payload
            if found == CLOSE:
                raise Unmet(wanted, f"close {int.from_bytes(payload[:2], 'big')}")


async def _data_frame(raw: RawSocket) -> tuple[int, bytes]:
    """Return opcode and payload of the next text or binary frame."""
    while True:
        try:
            opcode, payload = await raw.read_frame()
        except ConnectionError as error:
            raise Unmet("a message", str(error)) from None
        if opcode == CLOSE:
            raise Unmet("a message", f"close {int.from_bytes(payload[:2], 'big')}")
        if opcode in (TEXT, BINARY):
            return opcode, payload


async def _expect_pong(world: World, raw: RawSocket) -> None:
    """Read messages until the guide's pong comes."""
    async with world.deadline("the guide's pong"):
        while True:
            kind = _type((await _data_frame(raw))[1])
            if kind == "pong":
                return
            expect_that(kind != "error", "a pong", "an error")


def _type(payload: bytes) -> Any:
    try:
        message = orjson.loads(payload)
    except ValueError:
        return None
    return message.get("type") if isinstance(message, dict) else None
