"""A client of the suite: what it takes, what it waits for, what it says when that does not come."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from websockets.asyncio.server import ServerConnection

from conformance.expect import Unmet
from conformance.invariants import Watch
from conformance.peer import Peer, Refused
from conformance.wire import WireLog
from tests.conformance.scripted import WELCOME, answer_pings, client, say, scripted


async def talk(socket: ServerConnection) -> None:
    """Say something of each kind, then answer pings."""
    await socket.send(json.dumps(WELCOME))
    await say(socket, "market_data", symbol="SBIN", seq=1)
    await say(socket, "market_data", symbol="TCS", seq=1)
    await say(socket, "market_status", status="info", data={"event": "market_closed"})
    await answer_pings(socket)


async def test_a_wait_takes_the_first_that_it_is_for() -> None:
    """Others stay, in their order, and none is taken twice."""
    async with client(talk) as peer:
        tick = await peer.wait_for("market_data", where=lambda m: m["symbol"] == "TCS")
        assert tick["symbol"] == "TCS"
        assert (await peer.wait_for("market_data"))["symbol"] == "SBIN"
        assert (await peer.wait_for()).type == "welcome"
        with pytest.raises(Unmet, match="1 other messages"):
            await peer.wait_for("market_data", within=0.05)
        assert [message.index for message in peer.received] == [0, 1, 2, 3]


async def test_a_machine_that_stood_still_has_not_waited() -> None:
    """What came meanwhile is taken, though the deadline passed before it could be looked at."""

    async def script(socket: ServerConnection) -> None:
        await socket.send(json.dumps(WELCOME))
        await socket.recv()
        # Nothing runs for longer than the deadline: neither the server nor the suite.
        time.sleep(0.6)  # noqa: ASYNC251
        for _ in range(50):
            await asyncio.sleep(0)
        await say(socket, "pong", status="alive")
        await socket.wait_closed()

    async with client(script) as peer:
        await peer.send_json({"action": "ping"})
        assert (await peer.wait_for("pong", within=0.5)).type == "pong"


async def test_settle_brings_what_was_sent_before_and_hides_its_pong() -> None:
    """After it everything is there; the case sees no message that it did not cause."""
    async with client(talk) as peer:
        await peer.settle()
        kinds = ["welcome", "market_data", "market_data", "market_status"]
        assert [message.type for message in peer.received] == kinds
        assert peer.data("SBIN") == [peer.received[1]]
        assert peer.notices() == [peer.received[3]]
        mark = peer.mark()
        assert (await peer.ping()).type == "pong"
        await peer.settle()
        assert [message.type for message in peer.messages(since=mark)] == ["pong"]


async def test_a_notice_is_no_reply() -> None:
    """A market_status that nobody asked for does not answer the request for one."""

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        await say(socket, "market_status", status="info", data={"event": "market_opened"})
        await say(socket, "market_status", data={"market_open": True})
        await socket.wait_closed()

    async with client(script) as peer:
        reply = await peer.request("market_status")
        assert reply["data"] == {"market_open": True}
        assert len(peer.notices()) == 1


async def test_an_error_is_a_reply() -> None:
    """A refused request does not wait for what will not come."""

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        await say(socket, "error", status="error", message="no")
        await socket.wait_closed()

    async with client(script) as peer:
        assert (await peer.subscribe("SBIN")).type == "error"


async def test_a_mute_server_is_unmet_in_time() -> None:
    """A deadline is the given one times the scale, and says so."""
    async with client(lambda socket: socket.wait_closed(), scale=0.02) as peer:
        with pytest.raises(Unmet, match=r"within 0\.1 s; found nothing"):
            await peer.ping()
        with pytest.raises(Unmet, match="pong"):
            await peer.settle()
        with pytest.raises(Unmet, match="an open one"):
            await peer.wait_closed()


async def test_an_ending_is_told_by_code() -> None:
    """A close frame's code and reason are kept, and end every wait."""

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(4501, "replaced")

    async with client(script) as peer:
        with pytest.raises(Unmet, match="4501 replaced"):
            await peer.ping()
        assert await peer.wait_closed() == (4501, "replaced")
        assert peer.closed == (4501, "replaced")
        with pytest.raises(Unmet, match="4501"):
            await peer.send_text("{}")
        with pytest.raises(Unmet, match="4501"):
            await peer.settle()


async def test_a_settle_ends_with_the_connection() -> None:
    """It does not wait out its deadline when no pong can come any more."""

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    async with client(script, scale=100) as peer:
        async with asyncio.timeout(10):
            with pytest.raises(Unmet, match="closed with 1006"):
                await peer.settle()


async def test_a_drop_is_no_clean_close() -> None:
    """The server sees a reset, not a close frame."""
    ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def script(socket: ServerConnection) -> None:
        await socket.wait_closed()
        ended.set_result(socket.close_code)

    async with client(script) as peer:
        await peer.drop()
        async with asyncio.timeout(10):
            assert await ended == 1006


async def test_a_paused_client_takes_nothing_until_it_reads_on() -> None:
    """What the server says meanwhile comes afterwards."""
    async with client(talk) as peer:
        await peer.wait_for("welcome")
        await peer.settle()
        peer.pause_reading()
        mark = peer.mark()
        await peer.send_json({"action": "ping"})
        with pytest.raises(Unmet):
            await peer.wait_for("pong", within=0.1)
        assert peer.mark() == mark
        peer.resume_reading()
        assert (await peer.wait_for("pong")).type == "pong"


async def test_a_refusal_carries_its_answer() -> None:
    """Another status than 101 is no broken connection."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 400 Bad\r\nX-Y: z\r\nContent-Length: 7\r\n\r\n{"a":1}')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(Refused) as caught:
            await Peer.open(
                "p", f"ws://127.0.0.1:{port}/", None, wire=WireLog(), watcher=Watch(), scale=1
            )
    reply = caught.value.reply
    assert (reply.status, reply.headers["x-y"], reply.json()) == (400, "z", {"a": 1})


async def test_no_server_is_unmet() -> None:
    """A port on which nobody listens is the server's failure, not the suite's."""
    async with scripted(answer_pings) as url:
        pass
    with pytest.raises(Unmet, match="a WebSocket connection"):
        await Peer.open("p", url, None, wire=WireLog(), watcher=Watch(), scale=1)
