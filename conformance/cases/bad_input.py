"""ERR: frames that are no request: broken JSON, wrong encodings, other values than objects."""

from __future__ import annotations

from typing import Final

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    Unmet,
    expect_close_code,
    expect_equal,
    expect_error,
    expect_in,
    expect_reply,
    expect_that,
)
from conformance.peer import Peer
from conformance.questions import expect_serving, listed, subscribed
from conformance.world import World

DEEP: Final = 100_000
"""Levels of nesting; more than any parser's stack takes, in less than 256 KiB."""

NO_JSON: Final = {
    "empty": "",
    "word": "ping",
    "truncated": '{"action":"ping"',
    "trailing-comma": '{"action":"ping",}',
    "single-quotes": "{'action':'ping'}",
    "two-objects": '{"action":"ping"}{"action":"ping"}',
    "trailing-text": '{"action":"ping"} x',
    "not-a-number": '{"action":"ping","timestamp":NaN}',
    "control-character": '{"action":"ping","note":"a\tb"}',
    "markup": "<request action='ping'/>",
}

NO_OBJECT: Final = {
    "list": '[{"action":"ping"}]',
    "empty-list": "[]",
    "string": '"ping"',
    "number": "42",
    "true": "true",
    "null": "null",
}


@family(
    "ERR-010",
    variants=NO_JSON,
    title="A frame that is no JSON gets an error, and the next request is served: {variant}",
    rules=("R-4", "S-9"),
    profile=Profile.FULL,
    explain="Everybody sends broken JSON once: by hand, from a template, cut short. The answer is"
    " an error, invalid_json, on a connection that stays up. Servers close it, say nothing, or stop"
    " listening because the loop that reads has ended.",
)
async def no_json(world: World, text: str) -> None:
    """Send it, then a good request."""
    peer, symbol = await _client(world)
    await peer.send_text(text)
    expect_error(await peer.reply_to("error"), code="invalid_json")
    await expect_serving(peer, symbol)


@family(
    "ERR-020",
    variants=NO_OBJECT,
    title="JSON that is no object gets an error, and the next request is served: {variant}",
    rules=("R-4", "S-9"),
    profile=Profile.FULL,
    explain="Servers that look for a key in whatever was parsed fall over a list or null with an"
    " exception that nobody catches, and the connection with it.",
)
async def no_object(world: World, text: str) -> None:
    """Send it, then a good request."""
    peer, symbol = await _client(world)
    await peer.send_text(text)
    error = await peer.reply_to("error")
    expect_error(error)
    expect_in(error.get("code"), ("invalid_json", "invalid_request"), of="code")
    await expect_serving(peer, symbol)


@family(
    "ERR-030",
    variants={
        "invalid-utf8": b'{"action":"ping","note":"\xff\xfe"}',
        "cut-character": b'{"action":"ping","note":"\xe2\x82"}',
        "encoded-surrogate": b'{"action":"ping","note":"\xed\xa0\x80"}',
        "overlong": b'{"action":"ping","note":"\xc0\xaf"}',
    },
    title="A text frame that is no UTF-8 gets an error or close 1007, and harms nothing: {variant}",
    rules=("R-4", "C-1"),
    profile=Profile.FULL,
    explain="WebSocket has its own word for this, close 1007, and libraries send it by themselves;"
    " an error on a connection that stays up will do as well. What must not happen is an answer as"
    " if nothing were wrong, or a session that is lost.",
)
async def no_utf8(world: World, data: bytes) -> None:
    """Send it in a text frame; then ask again, on a new connection if need be."""
    peer, symbol = await _client(world)
    await peer.send_text(data)
    await _expect_refused(world, peer, symbol, 1007)


@family(
    "ERR-040",
    variants={
        "invalid-utf8": b'{"action":"ping","note":"\xff\xfe"}',
        "utf16": '{"action":"ping"}'.encode("utf-16"),
        "bytes": bytes(range(256)),
        "empty": b"",
        "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03",
    },
    title="A binary frame that is no UTF-8 JSON gets an error, and the next request is served:"
    " {variant}",
    rules=("R-4", "S-9"),
    profile=Profile.FULL,
    explain="Binary frames are not checked by the WebSocket library, so the server decodes them"
    " itself, and forgets what decoding can raise.",
)
async def binary_rubbish(world: World, data: bytes) -> None:
    """Send it, then a good request."""
    peer, symbol = await _client(world)
    await peer.send_binary(data)
    expect_error(await peer.reply_to("error"), code="invalid_json")
    await expect_serving(peer, symbol)


@case(
    "ERR-050",
    title="A binary frame of UTF-8 JSON is taken as text",
    rules=("R-4",),
    profile=Profile.FULL,
    explain="Some libraries send bytes as binary whatever is in them. Their JSON is as good as any"
    " other.",
)
async def binary_json(world: World) -> None:
    """Subscribe in a binary frame."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await peer.send_binary(f'{{"action":"subscribe","stocks":["{symbol}"]}}'.encode())
    expect_reply(await peer.reply_to("subscribe"), "subscription_response")
    await expect_serving(peer, symbol)


@family(
    "ERR-060",
    variants={
        "lists": "[" * DEEP,
        "closed-lists": "[" * DEEP + "]" * DEEP,
        "objects": '{"a":' * (DEEP // 2),
        "in-a-key": '{"action":"ping","note":' + "[" * DEEP + "]" * DEEP + "}",
        "in-stocks": '{"action":"subscribe","stocks":' + "[" * DEEP + "]" * DEEP + "}",
    },
    title="JSON that is nested a hundred thousand deep is answered, and harms nothing: {variant}",
    rules=("R-4",),
    profile=Profile.FULL,
    explain="A parser that calls itself for each level runs out of stack: in some languages an"
    " exception of a kind that nobody expects, in others the end of the process, with all clients.",
)
async def deep(world: World, text: str) -> None:
    """Send it, then a good request."""
    peer, symbol = await _client(world)
    await peer.send_text(text)
    await peer.wait_for("error", "pong", "subscription_response", what="an answer")
    await expect_serving(peer, symbol)


@family(
    "ERR-070",
    variants={
        "lone-surrogate": '{"action":"ping","note":"\\ud800"}',
        "same-key-twice": '{"action":"ping","action":"ping"}',
        "byte-order-mark": '\ufeff{"action":"ping"}',
        "huge-number": '{"action":"ping","timestamp":1e400}',
        "long-number": '{"action":"ping","note":' + "9" * 20_000 + "}",
        "many-keys": '{"action":"ping",' + ",".join(f'"k{n}":{n}' for n in range(10_000)) + "}",
    },
    title="JSON on which parsers differ is answered one way or the other, and harms nothing:"
    " {variant}",
    rules=("R-4",),
    profile=Profile.FULL,
    explain="The standard leaves these open: an answer and an error are both right. No answer, or"
    " an end of the connection, is not.",
)
async def doubtful(world: World, text: str) -> None:
    """Send it, then a good request."""
    peer, symbol = await _client(world)
    await peer.send_text(text)
    await peer.wait_for("error", "pong", what="a pong or an error")
    await expect_serving(peer, symbol)


@case(
    "ERR-080",
    title="Data go on after bad input",
    rules=("R-4", "M-2"),
    profile=Profile.FULL,
    needs=(Need.FEED, Need.CLOCK),
    explain="The session is as it was: what was subscribed goes on streaming, to this client and"
    " to the others.",
)
async def data_go_on(world: World) -> None:
    """Send bad frames of several kinds, and play."""
    peer, symbol = await _client(world)
    other, _ = await _client(world)
    for text in ("{", "[]", '{"action":5}', '{"action":"no_such_action"}'):
        await peer.send_text(text)
        await peer.reply_to("error")
    await world.settle()
    marks = {client: client.mark() for client in (peer, other)}
    await world.until("11:00:02")
    await world.settle()
    for client, mark in marks.items():
        expect_that(client.data(symbol, since=mark), f"data for {client.name}", "none")


@case(
    "ERR-090",
    title="A client that keeps sending rubbish gets an error each time, and harms nobody",
    rules=("R-1", "R-4", "S-9"),
    profile=Profile.FULL,
    explain="Each bad frame is a request that was refused: one reply to each, in order. Servers"
    " that count errors and close, or answer the first only, leave the client without a word.",
)
async def storm(world: World) -> None:
    """Send fifty bad frames at once, and a ping behind them."""
    peer, symbol = await _client(world)
    for number in range(50):
        await peer.send_text("{" * (1 + number % 7))
    await peer.send_json({"action": "ping"})
    for _ in range(50):
        expect_error(await peer.wait_for("error", "pong"))
    expect_equal((await peer.wait_for("pong", "error")).type, "pong", of="what follows")
    expect_equal(await listed(peer), [symbol], of="the subscriptions, as they were before:")


async def _client(world: World) -> tuple[Peer, str]:
    """Connect a client with one stock, so that it can be seen whether its session suffers."""
    symbol = world.stocks[0].symbol
    peer = await world.connect()
    await subscribed(peer, symbol)
    return peer, symbol


async def _expect_refused(world: World, peer: Peer, symbol: str, code: int) -> None:
    """Expect an error, or a close; and the session as it was in either case."""
    try:
        answer = await peer.wait_for("error", "pong", what="an error or a close")
    except Unmet:
        if peer.closed is None:
            raise
        expect_close_code(peer.closed, code)
        peer = await world.connect(peer.client_id)
    else:
        expect_error(answer)
    await expect_serving(peer, symbol)
