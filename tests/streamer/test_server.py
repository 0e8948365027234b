"""The server's shell over real sockets: each rule that it carries."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import tracemalloc
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.protocol import State

import streamer.frames
from streamer.access import AccessList, digest_token
from streamer.clock import WallClock
from streamer.connection import Connection, HubSettings
from streamer.frames import FrameWriter
from streamer.links import StreamSocket
from streamer.odin.messages import FeedMessage
from tests.streamer.desk import RELIANCE, SBIN, TCS, at, touchline
from tests.streamer.serving import Client, Serving


@pytest.fixture(params=["prepared frames", "message by message"])
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a test run with both ways to write; the second is for libraries that forbid the first."""
    if request.param == "message by message":

        async def fail(_: FrameWriter) -> None:
            raise AttributeError("no transport here")

        monkeypatch.setattr(streamer.frames, "try_writer", fail)
    return str(request.param)


async def read_quotes(client: Client, count: int) -> list[int]:
    """Return the ``seq`` of the next quotes."""
    return [(await client.until("market_data"))["seq"] for _ in range(count)]


def burst(count: int, first: int = 1) -> list[FeedMessage]:
    """Return touchlines of RELIANCE that differ in volume."""
    lut = at("10:00")
    return [touchline(RELIANCE, volume=first + n, lut=lut) for n in range(count)]


# --- opening


async def test_an_unknown_path_is_404(tmp_path: Path) -> None:
    """C-1: only the stream's path is upgraded."""
    async with Serving(tmp_path) as serving:
        status, _, body = await serving.http("/stream")
        assert status == 404
        assert json.loads(body)["type"] == "error"
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        assert (await serving.http("/enhanced-stream/", upgrade))[0] == 404


async def test_a_plain_get_of_the_stream_is_426(tmp_path: Path) -> None:
    """C-1: a browser's address bar learns that this is a WebSocket."""
    async with Serving(tmp_path) as serving:
        status, headers, _ = await serving.http("/enhanced-stream?client_id=!")
        assert (status, headers["upgrade"]) == (426, "websocket")


@pytest.mark.parametrize("query", ["client_id=a%20b", "client_id=a&client_id=a", "heartbeat=61"])
async def test_a_bad_query_is_400_with_the_reason(tmp_path: Path, query: str) -> None:
    """C-2, C-5: refused before the upgrade, in words."""
    async with Serving(tmp_path) as serving:
        status, body = await serving.refusal(query)
        assert (status, body["code"]) == (400, "invalid_request")
        assert "expected" in body["message"]


async def test_a_client_id_is_made_up(tmp_path: Path) -> None:
    """C-2: without client_id the server makes one up; C-3: welcome tells it."""
    async with Serving(tmp_path) as serving, serving.client(None) as client:
        welcome = await client.next()
        assert welcome["type"] == "welcome"
        assert welcome["data"]["client_id"].startswith("client_")


async def test_welcome_precedes_restored_quotes(tmp_path: Path) -> None:
    """C-3: the first message is always welcome."""
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        async with serving.client() as client:
            await client.next()
            await client.subscribe("RELIANCE")
        serving.server.feed([touchline(RELIANCE, lut=at("10:00"))])
        async with serving.client() as client:
            assert (await client.next())["data"]["restored_stocks"] == ["RELIANCE"]
            assert (await client.next())["symbol"] == "RELIANCE"


@pytest.mark.parametrize("origin", ["http://localhost:3000", "null"])
async def test_local_pages_may_connect(tmp_path: Path, origin: str) -> None:
    """C-7: loopback origins of any port, and files."""
    async with Serving(tmp_path) as serving, serving.client(origin=origin) as client:
        assert (await client.next())["type"] == "welcome"


async def test_other_pages_are_403_unless_configured(tmp_path: Path) -> None:
    """C-7: other origins only when configured."""
    async with Serving(tmp_path, origins=("https://desk.example",)) as serving:
        status, body = await serving.refusal("", origin="https://evil.example")
        assert (status, body["code"]) == (403, "unauthorised")
        async with serving.client(origin="https://desk.example") as client:
            await client.next()


async def test_both_loopback_addresses_answer(tmp_path: Path) -> None:
    """C-7: the default host is 127.0.0.1 and ::1."""
    async with Serving(tmp_path) as serving:
        for host in ("127.0.0.1", "::1"):
            async with serving.client(host, host=host) as client:
                assert (await client.next())["type"] == "welcome"


# --- compression


@pytest.mark.parametrize("window_bits", [None, 9])
async def test_clients_that_ask_for_it_share_compressed_quotes(
    tmp_path: Path, window_bits: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever window they ask for; others read the same quotes as they are."""
    offer = ClientPerMessageDeflateFactory(server_max_window_bits=window_bits)
    async with Serving(tmp_path, compression=True) as serving:
        serving.tell_time("10:00")
        async with (
            serving.client("thin", extensions=[offer]) as thin,
            serving.client("thick") as thick,
        ):
            [extension] = thin.socket.protocol.extensions
            decode = extension.decode
            compressed: list[bool] = []

            def decode_and_note(frame: Frame, **limits: int | None) -> Frame:
                compressed.append(frame.rsv1)
                return decode(frame, **limits)

            monkeypatch.setattr(extension, "decode", decode_and_note)
            for client in (thin, thick):
                await client.next()
                await client.subscribe("RELIANCE")
            serving.server.feed(burst(3))
            assert await read_quotes(thin, 3) == await read_quotes(thick, 3) == [1, 2, 3]
            # The reply, which is nobody else's, is as it is.
            assert compressed[-4:] == [False, True, True, True]


async def test_without_the_option_nothing_is_compressed(tmp_path: Path, writer: str) -> None:
    """Nor with it, where each message is sent alone: who offers it is served without."""
    compression = writer == "message by message"
    async with (
        Serving(tmp_path, compression=compression) as serving,
        serving.client(compression="deflate") as client,
    ):
        assert client.socket.protocol.extensions == []
        assert (await client.next())["type"] == "welcome"


# --- one connection for a client_id


async def test_the_newest_connection_wins(tmp_path: Path, writer: str) -> None:
    """C-4: the older one gets its error and 4501, the newer one the subscriptions and the data."""
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        async with serving.client() as older:
            await older.next()
            await older.subscribe("RELIANCE")
            async with serving.client() as newer:
                assert (await newer.next())["data"]["restored_stocks"] == ["RELIANCE"]
                messages, code = await older.rest()
                assert [message.get("code") for message in messages] == ["session_replaced"]
                assert code == 4501
                serving.server.feed(burst(1))
                assert await read_quotes(newer, 1) == [1]
                assert serving.hub.connections == 1


async def test_too_many_takeovers_are_429(tmp_path: Path) -> None:
    """C-4: two programs with one client_id cannot kick each other for ever."""
    async with Serving(tmp_path) as serving, AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(serving.client("app"))
            await serving.wait_until(lambda: serving.hub.connections == 1)
        status, body = await serving.refusal("client_id=app")
        assert (status, body["code"]) == (429, "rate_limited")


async def test_a_client_over_capacity_is_503(tmp_path: Path) -> None:
    """The number of connections has a bound."""
    async with Serving(tmp_path, limits=HubSettings(max_connections=1)) as serving:
        async with serving.client() as client:
            await client.next()
            assert (await serving.refusal("client_id=other"))[0] == 503


# --- staying connected


async def test_a_client_that_only_reads_stays(tmp_path: Path) -> None:
    """C-5: pings are answered by the client's library; silence is no fault."""
    async with Serving(tmp_path, ping_interval_s=0.05, ping_timeout_s=1.0) as serving:
        async with serving.client(query="heartbeat=1") as client:
            await client.next()
            # Twenty pings pass meanwhile.
            assert (await client.next())["type"] == "heartbeat"


async def test_a_client_that_answers_no_ping_is_closed(tmp_path: Path) -> None:
    """C-5: closed after the time-out without pong."""
    async with Serving(
        tmp_path, ping_interval_s=0.05, ping_timeout_s=0.1, close_timeout_s=0.1
    ) as serving:
        async with serving.client() as client:
            await client.next()
            client.socket.transport.pause_reading()
            await serving.wait_until(lambda: serving.hub.connections == 0)


async def test_m4_last_quotes_come_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    """M-4, C-6: all of them, by themselves, and also to one that comes before the end."""
    monkeypatch.setattr("streamer.hub.LAST_QUOTES_AT_ONCE", 1)
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        serving.server.feed([touchline(key) for key in (RELIANCE, SBIN, TCS)])
        async with serving.client() as client:
            await client.next()
            await client.ask({"action": "subscribe", "stocks": ["RELIANCE", "SBIN", "TCS"]})
            symbols = [(await client.until("market_data"))["symbol"] for _ in range(3)]
            assert symbols == ["RELIANCE", "SBIN", "TCS"]
        async with serving.client() as client:
            await client.next()
            stopping = asyncio.create_task(serving.server.stop(send_all=True))
            symbols = [(await client.until("market_data"))["symbol"] for _ in range(3)]
            assert symbols == ["RELIANCE", "SBIN", "TCS"]
            await client.socket.wait_closed()
            await stopping


async def test_an_idle_connection_keeps_nothing_of_what_its_client_sent(tmp_path: Path) -> None:
    """Neither the opening request nor the last message waits for the connection's end."""
    padding = "x" * 200_000
    async with Serving(tmp_path) as serving:
        async with serving.client(additional_headers={"X-Padding": padding[:4000]}) as client:
            await client.next()
            accepted = next(each for each in StreamSocket.everyone if each.state is State.OPEN)
            assert accepted.request is not None
            assert not accepted.request.headers
            await client.ask({"action": "ping"})
            tracemalloc.start()
            try:
                await client.ask({"action": "ping", "padding": padding})
                kept, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert kept < len(padding)


async def test_connections_share_the_names_of_their_attributes(tmp_path: Path) -> None:
    """With more than 30 of them, the interpreter makes a dictionary for each connection."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        accepted = next(each for each in StreamSocket.everyone if each.state is State.OPEN)
        assert len(vars(accepted)) <= 30


async def test_heartbeats_come_while_the_market_is_closed(tmp_path: Path) -> None:
    """C-5: a browser can see a mute feed at any time."""
    async with Serving(tmp_path) as serving, serving.client(query="heartbeat=1") as client:
        await client.next()
        heartbeat = await client.next()
        assert heartbeat["type"] == "heartbeat"
        assert heartbeat["data"]["market_open"] is False
        assert heartbeat["data"]["upstream"] == "connecting"


# --- requests


async def test_binary_frames_are_taken_as_text(tmp_path: Path) -> None:
    """R-4: a binary frame that holds UTF-8 JSON is a request."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        assert (await client.ask(b'{"action": "ping"}'))["type"] == "pong"
        assert (await client.ask(b"\xff"))["code"] == "invalid_json"


async def test_a_message_over_the_limit_is_1009(tmp_path: Path) -> None:
    """R-5, C-8: close code 1009; at the limit it is read."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        request = '{"action": "ping"}'
        assert (await client.ask(request.ljust(256 * 1024)))["type"] == "pong"
        await client.send(request.ljust(256 * 1024 + 1))
        assert (await client.rest())[1] == 1009


async def test_abuse_of_the_request_rate_is_4429(tmp_path: Path) -> None:
    """R-7, C-8: close code 4429."""
    limits = HubSettings(request_rate=1.0, request_burst=2.0)
    async with Serving(tmp_path, limits=limits) as serving, serving.client() as client:
        await client.next()
        for _ in range(20):
            await client.send({"action": "ping"})
        messages, code = await client.rest()
        assert code == 4429
        assert {message.get("code") for message in messages} == {None, "rate_limited"}


async def test_many_requests_of_one_do_not_hold_up_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that sends without pause takes turns with the others."""
    async with Serving(tmp_path) as serving:
        async with serving.client("greedy") as greedy, serving.client("modest") as modest:
            await greedy.next()
            await modest.next()
            order: list[str] = []
            receive = serving.hub.receive

            def note(connection: Connection, text: str | bytes, now: int) -> None:
                order.append(connection.client_id)
                receive(connection, text, now)

            monkeypatch.setattr(serving.hub, "receive", note)
            for client, count in ((greedy, 150), (modest, 1)):
                # All of it is in the server's kernel before the server reads any.
                for _ in range(count):
                    client.socket.protocol.send_text(b'{"action": "ping"}')
                client.socket.transport.write(b"".join(client.socket.protocol.data_to_send()))
            assert (await modest.next())["type"] == "pong"
            for _ in range(150):
                assert (await greedy.next())["type"] == "pong"
            assert order.index("modest") < 50


async def test_the_feed_is_asked_for_what_is_subscribed(tmp_path: Path) -> None:
    """Interest reaches the feed with the request that changes it."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        await client.subscribe("RELIANCE", "TCS")
        assert serving.asked == {RELIANCE, TCS}
        await client.ask({"action": "unsubscribe", "stocks": ["TCS"]})
        assert serving.asked == {RELIANCE}


# --- persistence


async def test_subscriptions_outlive_the_server(tmp_path: Path) -> None:
    """P-1: after a restart the data flows again with no new request."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        await client.subscribe("SBIN", "RELIANCE")
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        async with serving.client() as client:
            assert (await client.next())["data"]["restored_stocks"] == ["SBIN", "RELIANCE"]
            assert serving.asked == {SBIN, RELIANCE}
            serving.server.feed(burst(1))
            assert await read_quotes(client, 1) == [1]


async def test_a_reply_comes_after_the_save(tmp_path: Path) -> None:
    """P-2: what is acknowledged can be read from the file by then."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        await client.subscribe("SBIN")
        with sqlite3.connect(f"file:{tmp_path}/sessions.db?mode=ro", uri=True) as reader:
            rows = reader.execute("SELECT client_id FROM client").fetchall()
        reader.close()
        assert rows == [("app",)]


async def test_nothing_is_acknowledged_that_cannot_be_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """P-2: a store that fails ends the connection that waits for a reply with 1011, no other."""
    async with Serving(tmp_path) as serving:
        async with serving.client("asking") as asking, serving.client("reading") as reading:
            await asking.next()
            await reading.next()
            stranger = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
            stranger.execute("BEGIN IMMEDIATE")
            await asking.send({"action": "subscribe", "stocks": ["SBIN"]})
            assert await asking.rest() == ([], 1011)
            assert "ERROR" in [record.levelname for record in caplog.records]
            status, _, body = await serving.http("/api/health")
            assert (status, json.loads(body)["checks"]["store"]["ok"]) == (503, False)
            assert (await reading.ask({"action": "ping"}))["type"] == "pong"
            stranger.execute("ROLLBACK")
            stranger.close()
            await serving.wait_until(lambda: serving.server.store_problem is None)
            assert [record.client_id for record in serving.store.load()] == ["asking"]


# --- market hours


async def test_the_market_opens_at_its_moment(tmp_path: Path) -> None:
    """H-2, H-4: under the wall clock a timer opens the market, at 09:15:00 and not before."""
    offset = at("09:14:59", date(2026, 11, 23)) + 700_000_000 - time.time_ns()
    async with (
        Serving(tmp_path, clock=WallClock(), now=lambda: time.time_ns() + offset) as serving,
        serving.client() as client,
    ):
        assert (await client.next())["data"]["market_open"] is False
        opened = await client.next()
        assert opened["data"]["event"] == "market_opened"
        assert opened["data"]["current_time"] == "2026-11-23 09:15:00"
        assert 0 <= opened["timestamp"] - at("09:15", date(2026, 11, 23)) // 1_000_000 < 1000


async def test_open_precedes_the_first_quote(tmp_path: Path, writer: str) -> None:
    """H-2: also when a tick brings the time of the opening."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        await client.subscribe("RELIANCE")
        serving.tell_time("09:14:59")
        serving.server.feed([touchline(RELIANCE, lut=at("09:15"))])
        assert (await client.next())["data"]["event"] == "market_opened"
        assert (await client.next())["type"] == "market_data"


# --- fan-out and slow clients


async def test_every_update_arrives_in_order(tmp_path: Path, writer: str) -> None:
    """M-3: each update has its seq; a client that reads misses none."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        serving.tell_time("10:00")
        await client.next()
        await client.subscribe("RELIANCE", delivery="all")
        for first in range(0, 300, 30):
            serving.server.feed(burst(30, first + 1))
        assert await read_quotes(client, 300) == list(range(1, 301))


async def test_nothing_follows_the_reply_of_an_unsubscribe(tmp_path: Path, writer: str) -> None:
    """M-2: none after the reply, though a quote was under way."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        serving.tell_time("10:00")
        await client.next()
        await client.subscribe("RELIANCE")
        await client.send({"action": "unsubscribe", "stocks": ["*"]})
        serving.server.feed(burst(10))
        await client.until("subscription_response")
        serving.server.feed(burst(10, 11))
        assert (await client.ask({"action": "ping"}))["type"] == "pong"


async def test_a_slow_client_gets_the_newest(tmp_path: Path, writer: str) -> None:
    """M-5: it skips updates and ends with the newest; its reply is not lost."""
    async with Serving(tmp_path) as serving:
        serving.tell_time("10:00")
        async with serving.client(receive_buffer=4096, max_queue=1) as slow:
            await slow.next()
            await slow.subscribe("RELIANCE")
            await slow.send({"action": "ping"})
            for first in range(0, 20_000, 500):
                serving.server.feed(burst(500, first + 1))
                await asyncio.sleep(0)
            seqs: list[int] = []
            kinds: list[str] = []
            while not seqs or seqs[-1] < 20_000 or "pong" not in kinds:
                message = await slow.next()
                kinds.append(message["type"])
                if message["type"] == "market_data":
                    seqs.append(message["seq"])
            assert kinds.count("pong") == 1
            assert seqs == sorted(seqs)
            assert len(seqs) < 19_000


async def test_a_stalled_client_is_4008_and_delays_nobody(tmp_path: Path, writer: str) -> None:
    """M-5, C-8: 10 s (here 0.3) without progress end it; others get everything meanwhile."""
    async with Serving(tmp_path, stall_s=0.3) as serving:
        serving.tell_time("10:00")
        async with (
            serving.client("stalled", receive_buffer=4096, max_queue=1) as stalled,
            serving.client("lively") as lively,
        ):
            await stalled.next()
            await lively.next()
            await stalled.subscribe("RELIANCE")
            await lively.subscribe("RELIANCE", delivery="all")
            seqs: list[int] = []
            while serving.hub.connections == 2 and not is_closing(serving, "stalled"):
                serving.server.feed(burst(200, len(seqs) + 1))
                seqs += await read_quotes(lively, 200)
            assert seqs == list(range(1, len(seqs) + 1))
            _, code = await stalled.rest()
            assert code == 4008


async def test_a_client_that_never_reads_again_is_cut_off(tmp_path: Path) -> None:
    """M-5: not even the close frame can wait for ever."""
    async with Serving(tmp_path, stall_s=0.1, close_timeout_s=0.2) as serving:
        serving.tell_time("10:00")
        async with serving.client(receive_buffer=4096, max_queue=1) as client:
            await client.next()
            await client.subscribe("RELIANCE")
            while serving.hub.connections:
                serving.server.feed(burst(200))
                await asyncio.sleep(0.001)


async def test_all_updates_or_an_end(tmp_path: Path) -> None:
    """M-5: with delivery "all" the queue is bounded; when it is full, 4008."""
    limits = HubSettings(max_outbox_bytes=100_000)
    async with Serving(tmp_path, limits=limits) as serving:
        serving.tell_time("10:00")
        async with serving.client(receive_buffer=4096, max_queue=1) as slow:
            await slow.next()
            await slow.subscribe("RELIANCE", delivery="all")
            while not is_closing(serving, "app"):
                serving.server.feed(burst(500))
                await asyncio.sleep(0)
            messages, code = await slow.rest()
            assert code == 4008
            seqs = [message["seq"] for message in messages]
            assert seqs == list(range(1, len(seqs) + 1))


async def test_lossless_holds_the_feed_back(tmp_path: Path, writer: str) -> None:
    """With --lossless the feed waits for a slow client, which then gets every update."""
    async with Serving(tmp_path, limits=HubSettings(lossless=True)) as serving:
        serving.tell_time("10:00")
        async with serving.client(receive_buffer=4096, max_queue=1) as slow:
            await slow.next()
            await slow.subscribe("RELIANCE")
            held_back = 0

            async def pump() -> None:
                nonlocal held_back
                for first in range(0, 6000, 100):
                    ready = await begin_waiting(serving)
                    held_back += not ready.done()
                    await ready
                    serving.server.feed(burst(100, first + 1))

            pumping = asyncio.create_task(pump())
            assert await read_quotes(slow, 6000) == list(range(1, 6001))
            await pumping
            assert held_back


async def test_a_client_that_goes_away_lets_the_feed_go_on(tmp_path: Path) -> None:
    """A slow client that is gone holds nothing back any more."""
    async with Serving(tmp_path, limits=HubSettings(lossless=True)) as serving:
        serving.tell_time("10:00")
        async with serving.client(receive_buffer=4096, max_queue=1) as slow:
            await slow.next()
            await slow.subscribe("RELIANCE")
            while (waiting := await begin_waiting(serving)).done():
                serving.server.feed(burst(200))
            slow.socket.transport.abort()
            async with asyncio.timeout(10):
                await waiting


# --- the end


async def test_shutdown_tells_everyone_and_closes_1012(tmp_path: Path, writer: str) -> None:
    """C-6: queued replies, server_shutdown, 1012; no new connections."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.next()
        [connection] = serving.hub._connections
        serving.hub.receive(connection, '{"action": "ping"}', time.time_ns())
        stopping = asyncio.create_task(serving.server.stop())
        messages, code = await client.rest()
        await stopping
        assert [message["type"] for message in messages] == ["pong", "server_shutdown"]
        assert messages[1]["data"]["reconnect_after_ms"] >= 1000
        assert code == 1012
        with pytest.raises(ConnectionRefusedError):
            await serving.http("/")


async def test_clients_are_closed_over_the_drain_time(tmp_path: Path) -> None:
    """C-6: spread, so that clients do not come back all at once."""
    async with Serving(tmp_path, drain_s=0.6) as serving, AsyncExitStack() as stack:
        clients = []
        for name in ("a", "b", "c"):
            client = await stack.enter_async_context(serving.client(name))
            await client.next()
            clients.append(client)
        loop = asyncio.get_running_loop()

        async def end_of(client: Client) -> float:
            await client.rest()
            return loop.time()

        began = loop.time()
        stopping = asyncio.create_task(serving.server.stop())
        ends = [end - began for end in await asyncio.gather(*map(end_of, clients))]
        await stopping
        assert ends == sorted(ends)
        assert ends[1] >= 0.2
        assert ends[2] >= 0.4


async def test_a_silent_tcp_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Browsers open connections that they may never use."""
    async with Serving(tmp_path) as serving:
        _, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await serving.server.stop()
        assert loop.time() - began < 2
        writer.close()


async def test_everything_is_sent_before_the_end(tmp_path: Path, writer: str) -> None:
    """C-6: with send_all a slow reader gets every byte before its close, however long it takes."""
    limits = HubSettings(lossless=True, max_outbox_bytes=1 << 28)
    async with Serving(tmp_path, limits=limits, close_timeout_s=0.15) as serving:
        serving.tell_time("10:00")
        async with serving.client(receive_buffer=4096, max_queue=1) as slow:
            await slow.next()
            await slow.subscribe("RELIANCE")
            count = 20_000
            serving.server.feed(burst(count))
            stopping = asyncio.create_task(serving.server.stop(send_all=True))
            messages, code = await slow.rest()
            await stopping
            quotes = [message["seq"] for message in messages if message["type"] == "market_data"]
            assert quotes == list(range(1, count + 1))
            assert (messages[-1]["type"], code) == ("server_shutdown", 1012)


async def test_the_end_does_not_wait_for_who_does_not_read(tmp_path: Path) -> None:
    """C-6, M-5: even with send_all a stalled client ends after its time."""
    async with Serving(tmp_path, stall_s=0.2, close_timeout_s=0.2) as serving:
        serving.tell_time("10:00")
        async with serving.client(receive_buffer=4096, max_queue=1) as client:
            await client.next()
            await client.subscribe("RELIANCE", delivery="all")
            serving.server.feed(burst(9000))
            async with asyncio.timeout(5):
                await serving.server.stop(send_all=True)
            assert serving.hub.connections == 0


# --- what a parent process is told


async def test_life_is_told_as_events(tmp_path: Path) -> None:
    """Listening, clients coming and going, the feed's states: one event each."""
    async with Serving(tmp_path) as serving:
        serving.server.upstream("connected")
        async with serving.client() as client:
            await client.next()
        await serving.wait_until(lambda: serving.hub.connections == 0)
        assert serving.events == [
            {
                "event": "listening",
                "host": "localhost",
                "port": serving.port,
                "url": f"ws://localhost:{serving.port}/enhanced-stream",
            },
            {"event": "upstream", "state": "connected"},
            {"event": "client_connected", "client_id": "app", "clients": 1},
            {"event": "client_gone", "client_id": "app", "clients": 0, "code": 1000},
        ]
        async with serving.client() as client:
            await client.next()
            client.socket.transport.abort()
            await serving.wait_until(lambda: serving.hub.connections == 0)
        assert serving.events[-1]["code"] == 1006


async def test_a_day_beyond_the_calendar_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond its bounds the server says so, once a day."""
    day = date(2031, 1, 6)
    async with Serving(tmp_path, clock=WallClock(), now=lambda: at("10:00", day)) as serving:
        serving.server.flush()
        warnings = [record.message for record in caplog.records if "calendar" in record.message]
        assert len(warnings) == 1
        assert "2031-01-06" in warnings[0]
        assert "--calendar" in warnings[0]


# --- access


async def test_a_token_that_vanished_closes_its_connections_4503(tmp_path: Path) -> None:
    """C-8: 4503 when access is revoked; the others stay."""
    first, other = digest_token("first-token"), digest_token("other-token")
    access = AccessList({first: "alice", other: "bob"})
    async with Serving(tmp_path, access=access) as serving:
        async with (
            serving.client("a", "token=first-token") as alice,
            serving.client("b", "token=other-token") as bob,
        ):
            await alice.next()
            await bob.next()
            serving.server.replace_access(AccessList({other: "bob"}))
            assert (await alice.rest())[1] == 4503
            assert (await bob.ask({"action": "ping"}))["type"] == "pong"


async def begin_waiting(serving: Serving) -> asyncio.Future[None]:
    """Return the wait for the server to take more of the feed, done if it takes more now."""
    waiting = asyncio.ensure_future(serving.server.ready_for_feed())
    await asyncio.sleep(0)
    return waiting


def is_closing(serving: Serving, client_id: str) -> bool:
    """Tell if the hub has decided to end a client's connection."""
    connections = [each for each in serving.hub._connections if each.client_id == client_id]
    return not connections or connections[0].closing is not None
