"""The whole program, in a process of its own, between a real feed and real clients."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import StoreError
from streamer.listening import listen, port_of
from streamer.odin.messages import Heartbeat, ServerMessage
from streamer.store import ClientStore
from tests.feed_peer import FeedPeer
from tests.streamer import eod_samples
from tests.streamer.desk import RELIANCE, SBIN, at, touchline
from tests.streamer.program import Program

FEED_CLOCK = ("--clock", "feed")

on_each_event_loop = pytest.mark.parametrize(
    "loop",
    [
        "asyncio",
        pytest.param(
            "uvloop",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop"),
        ),
    ],
)


def ticks(count: int) -> list[ServerMessage]:
    """Return touchlines of RELIANCE that differ in volume."""
    lut = at("10:00")
    return [touchline(RELIANCE, volume=number + 1, lut=lut) for number in range(count)]


@on_each_event_loop
async def test_a_quote_goes_all_the_way(tmp_path: Path, loop: str) -> None:
    """From the feed's wire to a client's JSON, and back goes the interest."""
    options = (*FEED_CLOCK, "--event-loop", loop)
    async with FeedPeer(time=at("10:00")) as feed:
        async with Program(tmp_path, *options, upstream=feed.url) as program:
            async with program.client() as client:
                welcome = await client.next()
                assert welcome["data"]["simulated"] is True
                await program.event("upstream", state="connected")
                reply = await client.subscribe("RELIANCE")
                assert reply["data"]["subscribed_stocks"] == ["RELIANCE"]
                await feed.wait_for_interest(RELIANCE)
                feed.send(*ticks(1))
                quote = await client.until("market_data")
                assert (quote["symbol"], quote["data"]["ltp"]) == ("RELIANCE", 1365.5)
                assert (await program.http("/api/health"))[0] == 200
                stats = (await program.http("/api/stats"))[1]
                assert stats["event_loop"] == loop
                line = stats["feed"]
                assert line["messages"] >= 2
                assert (line["state"], line["reconnects"], line["unusable"]) == ("connected", 0, 0)


async def test_imported_files_stand_behind_the_quotes(tmp_path: Path) -> None:
    """From ``eod import`` through the store to a client, to HTTP and to the report on health."""
    eve = date(2025, 9, 3)
    (tmp_path / "full.csv").write_bytes(
        eod_samples.full(eve, {"RELIANCE": (1380.0, 1380.0, 1370.0, 1372.6, 7_000_000)})
    )
    arguments = ("eod", "import", "--db", str(tmp_path / "sessions.db"), "full.csv")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamer", *arguments), cwd=tmp_path
    )
    assert await process.wait() == 0
    async with FeedPeer(time=at("10:00")) as feed:
        async with Program(tmp_path, *FEED_CLOCK, upstream=feed.url) as program:
            async with program.client() as client:
                await program.event("upstream", state="connected")
                await client.subscribe("RELIANCE")
                await feed.wait_for_interest(RELIANCE)
                feed.send(touchline(RELIANCE, close=0, lut=at("10:00")))
                quote = (await client.until("market_data"))["data"]
                assert (quote["prev_close"], quote["avg_volume_5d"]) == (1372.6, 7_000_000)
            _, answer = await program.http("/api/quotes?stocks=RELIANCE,NOSUCH")
            assert answer["failed_stocks"] == ["NOSUCH"]
            source = answer["quotes"][0]["sources"]["prev_close"]
            assert (source["file"], source["effective"]) == ("full.csv", "2025-09-03")
            reference = (await program.http("/api/health"))[1]["reference"]
            assert reference["session"] == "2025-09-04"
            assert any("NSE 52-week file" in each for each in reference["missing"])


async def test_a_feed_that_says_it_is_simulated_is_told(tmp_path: Path) -> None:
    """C-3: under the wall clock too, when the feed says so in its logon answer."""
    for simulated in (True, False):
        async with FeedPeer(simulated=simulated) as feed:
            async with Program(tmp_path, upstream=feed.url) as program:
                await program.event("upstream", state="connected")
                # The answer is handed on right after the state.
                await feed.wait_for_logons(1)
                async with program.client() as client:
                    assert (await client.next())["data"]["simulated"] is simulated


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_gracefully(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """C-6: clients are told and closed with 1012; the exit status tells how it was ended."""
    async with Program(tmp_path) as program, program.client() as client:
        await client.next()
        program.send_signal(number)
        messages, code = await client.rest()
        assert [message["type"] for message in messages] == ["server_shutdown"]
        assert code == 1012
        assert await program.end() == status
        # The feed is dialled again and again meanwhile, which is told, too.
        told = [event["event"] for event in program.events if event["event"] != "upstream"]
        assert told[-3:] == ["stopping", "client_gone", "stopped"]
        assert program.events[-1]["reason"] == number.name
        assert "Traceback" not in program.log


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Who does not want to wait for the drain need not."""
    async with Program(tmp_path, "--drain-s", "60") as program:
        async with program.client("first") as first, program.client("second") as second:
            await first.next()
            await second.next()
            program.send_signal(signal.SIGTERM)
            await program.event("stopping")
            program.send_signal(signal.SIGTERM)
            assert await program.end() == 0
            assert (await second.rest())[0][-1]["type"] == "server_shutdown"


async def test_the_end_of_its_input_ends_it(tmp_path: Path) -> None:
    """A child whose parent died does not stay behind."""
    async with Program(tmp_path) as program:
        program.close_input()
        assert await program.end() == 0
        assert program.events[-1]["reason"] == "standard input has ended"


async def test_until_logoff_everything_is_sent_first(tmp_path: Path) -> None:
    """C-6: the feed's logoff ends it, once a slow client has every update."""
    count = 12_000
    options = (*FEED_CLOCK, "--until-logoff", "--lossless")
    async with FeedPeer(time=at("10:00")) as feed:
        async with Program(tmp_path, *options, upstream=feed.url) as program:
            async with program.client() as client:
                await client.next()
                await client.subscribe("RELIANCE")
                await feed.wait_for_interest(RELIANCE)
                feed.send(*ticks(count))
                feed.log_off(sent=at("10:00"))
                messages, code = await client.rest()
                quotes = [each["seq"] for each in messages if each["type"] == "market_data"]
                assert quotes == list(range(1, count + 1))
                assert (messages[-1]["type"], code) == ("server_shutdown", 1012)
            assert await program.end() == 0
            assert program.events[-1] == {
                "event": "stopped",
                "reason": "the feed has logged off",
                "delivered": count,
            }
            assert len(feed.logons) == 1


@on_each_event_loop
async def test_lossless_waits_for_a_client_that_does_not_read(tmp_path: Path, loop: str) -> None:
    """With --lossless what a client does not read is not read from the feed either."""
    count = 30_000
    options = (*FEED_CLOCK, "--lossless", "--event-loop", loop)
    async with FeedPeer(time=at("10:00")) as feed:
        async with Program(tmp_path, *options, upstream=feed.url) as program:
            async with program.client() as client:
                await client.next()
                await client.subscribe("RELIANCE")
                await feed.wait_for_interest(RELIANCE)
                feed.send(*ticks(count))
                taken = [0, 1]
                while taken[-1] != taken[-2] or not taken[-1]:
                    taken.append((await program.http("/api/stats"))[1]["updates"])
                assert taken[-1] < count
                quotes = [(await client.until("market_data"))["seq"] for _ in range(count)]
                assert quotes == list(range(1, count + 1))


async def test_otherwise_a_logoff_is_a_feed_that_is_down(tmp_path: Path) -> None:
    """Without --until-logoff the feed is dialled again, and asked for the same."""
    async with FeedPeer(time=at("10:00")) as feed:
        async with Program(tmp_path, *FEED_CLOCK, upstream=feed.url) as program:
            async with program.client() as client:
                await client.next()
                await client.subscribe("RELIANCE")
                await feed.wait_for_interest(RELIANCE)
                feed.log_off()
                await feed.wait_for_logons(2)
                await feed.wait_for_interest(RELIANCE)
                feed.send(Heartbeat(sent=at("10:00")), *ticks(1))
                await client.until("market_data")


async def test_a_restart_keeps_subscriptions(tmp_path: Path) -> None:
    """P-1: data flows again with no new request."""
    async with FeedPeer(time=at("10:00")) as feed:
        async with Program(tmp_path, *FEED_CLOCK, upstream=feed.url) as program:
            async with program.client() as client:
                await client.next()
                await client.subscribe("SBIN", "RELIANCE")
            program.send_signal(signal.SIGTERM)
            assert await program.end() == 0
        await feed.wait_for_interest()
        async with Program(tmp_path, *FEED_CLOCK, upstream=feed.url) as program:
            async with program.client() as client:
                welcome = await client.next()
                assert welcome["data"]["restored_stocks"] == ["SBIN", "RELIANCE"]
                await feed.wait_for_interest(SBIN, RELIANCE)
                feed.send(*ticks(1))
                assert (await client.until("market_data"))["symbol"] == "RELIANCE"


async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    """P-2, P-3: kill -9 right after a reply loses and undoes nothing."""
    expected = ["SBIN"]
    for request, expected_next in (
        ({"action": "subscribe", "stocks": ["SBIN", "TCS"]}, ["SBIN", "TCS"]),
        ({"action": "unsubscribe", "stocks": ["SBIN"]}, ["TCS"]),
        ({"action": "subscribe", "stocks": ["RELIANCE"]}, ["TCS", "RELIANCE"]),
    ):
        async with Program(tmp_path) as program, program.client() as client:
            welcome = await client.next()
            if "TCS" in expected:
                assert welcome["data"]["restored_stocks"] == expected
            await client.ask(request)
            program.send_signal(signal.SIGKILL)
            assert await program.end() == -signal.SIGKILL
        expected = expected_next
    async with Program(tmp_path) as program, program.client() as client:
        assert (await client.next())["data"]["restored_stocks"] == ["TCS", "RELIANCE"]


async def test_sessions_of_replays_have_a_file_of_their_own(tmp_path: Path) -> None:
    """A replay never touches the sessions of production; folders are made as needed."""
    async with Program(tmp_path, *FEED_CLOCK, db=None):
        names = {path.name for path in tmp_path.joinpath("odin-streamer").glob("*.db")}
        assert names == {"simulated-sessions.db"}


async def test_a_store_in_use_is_told(tmp_path: Path) -> None:
    """Exit status 1, with who has it, and no trace."""
    async with Program(tmp_path):
        second = Program(tmp_path)
        await second.begin()
        assert await second.end() == 1
        assert "in use by process" in second.log
        assert "Traceback" not in second.log
        assert second.events == []


async def test_a_store_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    """P-6: the server says why, does not start, and changes nothing."""
    path = tmp_path / "sessions.db"
    content = b"these are no sessions" * 100
    await asyncio.to_thread(path.write_bytes, content)
    program = Program(tmp_path)
    await program.begin()
    assert await program.end() == 1
    assert program.log.strip().startswith("Error: ")
    assert await asyncio.to_thread(path.read_bytes) == content


async def test_an_event_loop_that_is_not_installed_is_told(tmp_path: Path) -> None:
    """Exit status 1, with what was found and what to do."""
    (tmp_path / "uvloop.py").write_text("raise ImportError('hidden')\n")
    environ = {"PYTHONPATH": str(tmp_path)}
    program = Program(tmp_path, "--event-loop", "uvloop", environ=environ)
    await program.begin()
    assert await program.end() == 1
    assert "no package uvloop was found" in program.log
    assert "Traceback" not in program.log


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """Exit status 1, with what to do, and the store let go."""
    sockets = listen("localhost", 0)
    try:
        program = Program(tmp_path, "--port", str(port_of(sockets)))
        await program.begin()
        assert await program.end() == 1
    finally:
        for bound in sockets:
            bound.close()
    assert "in use" in program.log
    assert "--port" in program.log
    assert "Traceback" not in program.log
    store = ClientStore.open(tmp_path / "sessions.db")
    store.close()


async def test_hangup_reads_the_tokens_again(tmp_path: Path) -> None:
    """C-8: who lost access is closed with 4503; a broken file changes nothing."""
    path = tmp_path / "tokens"
    await asyncio.to_thread(path.write_text, "first-token alice\nother-token bob\n")
    async with Program(tmp_path, "--tokens", str(path)) as program:
        async with (
            program.client("a", "token=first-token") as alice,
            program.client("b", "token=other-token") as bob,
        ):
            await alice.next()
            await bob.next()
            await asyncio.to_thread(path.write_text, "broken\n")
            program.send_signal(signal.SIGHUP)
            await program.logged("tokens and instruments stay as they were")
            for client in (alice, bob):
                assert (await client.ask({"action": "ping"}))["type"] == "pong"
            await asyncio.to_thread(path.write_text, "other-token bob\n")
            program.send_signal(signal.SIGHUP)
            assert (await alice.rest())[1] == 4503
            assert (await bob.ask({"action": "ping"}))["type"] == "pong"
        program.send_signal(signal.SIGTERM)
        assert await program.end() == 0
        assert "first-token" not in program.log
        assert "1 tokens read" in program.log


HEADER = "exchange,token,symbol,series,isin\n"
OLD_LIST = HEADER + "NSE,900001,OLDNAME,EQ,INE000A01001\nNSE,900002,GOING,EQ,INE000B01009\n"
NEW_LIST = HEADER + "NSE,900001,NEWNAME,EQ,INE000A01001\nNSE,900003,GOING,BE,INE000B01009\n"


@pytest.mark.parametrize("how", ["signal", "request"])
async def test_instruments_are_read_again(tmp_path: Path, how: str) -> None:
    """A subscription goes on under a new symbol, one to what has vanished rests; both are told."""
    path = tmp_path / "list.csv"
    await asyncio.to_thread(path.write_text, OLD_LIST)
    options = (*FEED_CLOCK, "--instruments", str(path))
    environ = {"ODIN_STREAMER_ADMIN_TOKEN": "admin-secret"}
    renamed, going = (1, 900001), (1, 900002)
    async with FeedPeer(time=at("10:00")) as feed:
        async with Program(tmp_path, *options, upstream=feed.url, environ=environ) as program:
            async with program.client() as client:
                await client.next()
                await client.subscribe("OLDNAME", "GOING")
                await feed.wait_for_interest(renamed, going)
                feed.send(touchline(renamed, lut=at("10:00")))
                assert (await client.until("market_data"))["symbol"] == "OLDNAME"
                await asyncio.to_thread(path.write_text, NEW_LIST)
                if how == "signal":
                    program.send_signal(signal.SIGHUP)
                else:
                    status, answer = await reload(program, "admin-secret")
                    assert status == 200
                    assert (answer["added"], answer["tokens"]) == (1, None)
                    assert answer["renamed"] == [
                        {
                            "exchange": "NSE",
                            "token": "900001",
                            "from": "OLDNAME",
                            "to": "NEWNAME",
                            "isin_changed": False,
                        }
                    ]
                    [gone] = answer["vanished"]
                    assert (gone["symbol"], gone["successor"]) == (
                        "GOING",
                        {"token": "900003", "symbol": "GOING"},
                    )
                await program.logged("renamed: OLDNAME (NSE) is NEWNAME (NSE) now, token 900001")
                await program.logged("vanished: GOING (NSE), token 900002, is listed no more")
                await feed.wait_for_interest(renamed)
                feed.send(touchline(renamed, volume=9_000_000, lut=at("10:00")))
                quote = await client.until("market_data")
                assert (quote["symbol"], quote["seq"]) == ("NEWNAME", 2)
                reply = await client.ask({"action": "get_subscriptions"})
                assert reply["data"]["subscribed_symbols"] == ["NEWNAME"]
        assert "admin-secret" not in program.log


async def test_an_alias_that_gives_way_is_logged_at_the_start(tmp_path: Path) -> None:
    """R-3: with one warning."""
    path = tmp_path / "list.csv"
    await asyncio.to_thread(path.write_text, HEADER + "NSE,424,TAKEN,EQ,\n")
    async with Program(tmp_path, "--instruments", str(path)) as program:
        await program.logged("WARNING alias 424 of NSE gives way")


async def reload(program: Program, token: str) -> tuple[int, dict[str, Any]]:
    """Ask for the files to be read again."""
    headers = {"Authorization": f"Bearer {token}"}
    return await program.http("/api/admin/reload", headers, "POST")


async def test_a_reload_changes_everything_or_nothing(tmp_path: Path) -> None:
    """A broken list of instruments keeps the new tokens out, too; the answer says why."""
    tokens, listed = tmp_path / "tokens", tmp_path / "list.csv"
    await asyncio.to_thread(tokens.write_text, "first-token alice\n")
    await asyncio.to_thread(listed.write_text, OLD_LIST)
    options = ("--tokens", str(tokens), "--instruments", str(listed))
    environ = {"ODIN_STREAMER_ADMIN_TOKEN": "admin-secret"}
    async with Program(tmp_path, *options, environ=environ) as program:
        async with program.client("a", "token=first-token") as alice:
            await alice.next()
            await asyncio.to_thread(tokens.write_text, "other-token bob\n")
            await asyncio.to_thread(listed.write_text, NEW_LIST + "NSE,x,BAD,EQ,\n")
            status, answer = await reload(program, "admin-secret")
            assert (status, answer["code"]) == (422, "reload_failed")
            assert "line 4, column 'token', value 'x'" in answer["message"]
            assert (await alice.subscribe("OLDNAME"))["data"]["subscribed_stocks"] == ["OLDNAME"]
            await asyncio.to_thread(listed.write_text, NEW_LIST)
            status, answer = await reload(program, "admin-secret")
            assert (status, answer["tokens"]) == (200, 1)
            assert (await alice.rest())[1] == 4503


async def test_the_operator_halts_the_market(tmp_path: Path) -> None:
    """S-7: a client that asks hears of it, and the feed's updates reach it all the same (H-1)."""
    halt = {"since": "2025-09-04 11:05:00", "until": "2025-09-04 12:05:00"}
    headers = {"Authorization": "Bearer admin-secret"}
    environ = {"ODIN_STREAMER_ADMIN_TOKEN": "admin-secret"}
    async with FeedPeer(time=at("11:05")) as feed:
        async with Program(tmp_path, *FEED_CLOCK, upstream=feed.url, environ=environ) as program:
            async with program.client() as client:
                await client.next()
                await client.subscribe("RELIANCE")
                await feed.wait_for_interest(RELIANCE)
                status, answer = await program.http("/api/admin/halt?until=12:05", headers, "POST")
                assert (status, answer) == (200, {"status": "success", "phase": "halted"} | halt)
                status, health = await program.http("/api/health")
                assert (status, health["halt"]) == (200, halt)
                reply = await client.ask({"action": "market_status"})
                assert reply["data"]["phase"] == "halted"
                assert reply["data"]["market_open"] is True
                feed.send(touchline(RELIANCE, lut=at("11:06")))
                assert (await client.until("market_data"))["symbol"] == "RELIANCE"
                status, answer = await program.http("/api/admin/halt?until=11", headers, "POST")
                assert (status, answer["code"]) == (400, "invalid_request")
                status, answer = await program.http("/api/admin/resume", headers, "POST")
                assert (status, answer) == (200, {"status": "success", "phase": "open"})
                reply = await client.ask({"action": "market_status"})
                assert reply["data"]["phase"] == "open"
                assert (await program.http("/api/health"))[1]["halt"] is None
        assert program.log.count("WARNING the operator says that the market is halted") == 1
        assert program.log.count("INFO the operator says that the market is not halted") == 1


async def test_a_halt_ends_by_the_feeds_clock_and_with_the_server(tmp_path: Path) -> None:
    """S-7: at its time by itself; a reload keeps it, a server that starts again knows of none."""
    headers = {"Authorization": "Bearer admin-secret"}
    environ = {"ODIN_STREAMER_ADMIN_TOKEN": "admin-secret"}
    async with FeedPeer(time=at("11:05")) as feed:
        async with Program(tmp_path, *FEED_CLOCK, upstream=feed.url, environ=environ) as program:
            await program.logged("market open since")
            await program.http("/api/admin/halt?until=11:06", headers, "POST")
            feed.send(Heartbeat(sent=at("11:06")))
            await program.logged("market not halted any more since 2025-09-04 11:06:00 IST")
            await program.http("/api/admin/halt", headers, "POST")
            assert (await program.http("/api/admin/reload", headers, "POST"))[0] == 200
            assert (await program.http("/api/health"))[1]["halt"]["until"] is None
        async with Program(tmp_path, *FEED_CLOCK, upstream=feed.url, environ=environ) as program:
            await program.logged("market open since")
            assert (await program.http("/api/health"))[1]["halt"] is None


async def test_a_key_in_the_environment_reaches_the_feed_and_no_log(tmp_path: Path) -> None:
    """Credentials need not stand on a command line, and are never logged."""
    environ = {
        "ODIN_STREAMER_UPSTREAM_USER": "U1",
        "ODIN_STREAMER_UPSTREAM_KEY": "very-secret",
        "ODIN_STREAMER_LOG_LEVEL": "debug",
    }
    async with FeedPeer() as feed:
        async with Program(tmp_path, upstream=feed.url, environ=environ) as program:
            await feed.wait_for_logons(1)
            assert feed.logons == ["U1"]
            program.send_signal(signal.SIGTERM)
            assert await program.end() == 0
            assert "very-secret" not in program.log


async def test_the_store_is_let_go_at_the_end(tmp_path: Path) -> None:
    """After a clean end another process may have the file, with its log folded in."""
    async with Program(tmp_path) as program:
        with pytest.raises(StoreError, match="in use"):
            ClientStore.open(tmp_path / "sessions.db")
        async with program.client() as client:
            await client.next()
            await client.subscribe("SBIN")
        program.send_signal(signal.SIGTERM)
        assert await program.end() == 0
    connection = sqlite3.connect(f"file:{tmp_path}/sessions.db?immutable=1", uri=True)
    assert connection.execute("SELECT client_id FROM client").fetchall() == [("app",)]
    connection.close()
