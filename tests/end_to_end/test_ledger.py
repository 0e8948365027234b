"""
What the ledger proves of a feed and a streaming server: nothing lost, nothing doubled.

A client subscribes and unsubscribes while ticks flow. A second client of the
feed, subscribed all the time, is the measure of what was due when.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect

from simulator.faults import parse_planned
from tests.end_to_end.faulty_feed import DEADLINE_S, USER, ledger_of, stage
from tests.simulator.feed_client import FeedClient
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, counted_rows

RECOVERY_S = 5.0
PERIODS = 4
QUOTES = 25
WITNESS = "WITNESS"
Line = dict[str, Any]


class Period(NamedTuple):
    """What the feed sent of an instrument between a subscribe and its end, and when that was."""

    token: int
    connection: int
    first: int
    last: int
    sent: list[Line]


def connections(ledger: Sequence[Line], user: str) -> list[int]:
    """Return the connections on which a user was let in, in order."""
    return [line["connection"] for line in ledger if line.get("user") == user and line["accepted"]]


def periods(ledger: Sequence[Line], connection: int) -> Iterator[Period]:
    """Yield each period of a connection; fail on what is sent outside of all of them."""
    wanted: dict[int, Period] = {}
    for place, line in enumerate(ledger):
        if line.get("connection") != connection:
            continue
        match line["what"]:
            case "subscribe":
                for _, token in line["instruments"]:
                    assert token not in wanted
                    wanted[token] = Period(token, connection, place, len(ledger), [])
            case "unsubscribe":
                for _, token in line["instruments"]:
                    yield wanted.pop(token)._replace(last=place)
            case "gone":
                yield from (each._replace(last=place) for each in wanted.values())
                wanted.clear()
            case "update" | "state":
                # Nothing is sent that was not subscribed, or not any more.
                wanted[line["token"]].sent.append(line)
    yield from wanted.values()


def due(ledger: Sequence[Line], connection: int, period: Period) -> list[int]:
    """Return the times of the rows that were sent to a connection during a period of another."""
    return [
        line["ts"]
        for line in ledger[period.first : period.last]
        if line["what"] == "update"
        and line["connection"] == connection
        and line["token"] == period.token
    ]


async def read_quotes(client: ClientConnection, quotes: list[tuple[int, int]], count: int) -> None:
    """Read so many quotes; keep token and volume."""
    while count:
        message = json.loads(await client.recv())
        if message["type"] == "market_data":
            quotes.append((int(message["data"]["token"]), message["data"]["volume"]))
            count -= 1


async def unsubscribe(client: ClientConnection, quotes: list[tuple[int, int]]) -> None:
    """Unsubscribe everything; keep the quotes up to the answer."""
    await client.send(json.dumps({"action": "unsubscribe", "stocks": ["RELIANCE", "SBIN"]}))
    while (message := json.loads(await client.recv()))["type"] != "subscription_response":
        if message["type"] == "market_data":
            quotes.append((int(message["data"]["token"]), message["data"]["volume"]))


async def test_nothing_is_lost_or_doubled_or_sent_unasked(tmp_path: Path) -> None:
    """To the streaming server, nor to its client, however often that comes and goes."""
    told: list[list[tuple[int, int]]] = []
    rows = counted_rows(1200)
    plan = [parse_planned("drop:share=0.3@09:15:02+3s")]
    async with (
        stage(rows, plan, tmp_path, length_s=13) as on,
        asyncio.timeout(DEADLINE_S),
        FeedClient(on.feed_url, WITNESS) as witness,
        connect(on.streamer.url("fickle"), max_queue=None) as client,
    ):
        await witness.log_on()
        await witness.subscribe(RELIANCE, SBIN)
        await witness.answered()
        on.player.start()
        for _ in range(PERIODS):
            quotes: list[tuple[int, int]] = []
            await client.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE", "SBIN"]}))
            await read_quotes(client, quotes, QUOTES)
            await unsubscribe(client, quotes)
            told.append(quotes)
            # Nothing comes unasked: the answer to a ping is all there is to read.
            await client.send(json.dumps({"action": "ping"}))
            assert json.loads(await client.recv())["type"] == "pong"
        assert not on.player.finished.is_set()
        await on.player.finished.wait()
        await witness.answered()
        on.ledger.flush()
        ledger = ledger_of(tmp_path)
    (seen,), (own,) = connections(ledger, WITNESS), connections(ledger, USER)
    # Each row was sent to who was there all the time, or is told as lost.
    published = [
        line["ts"]
        for line in ledger
        if line["what"] == "lost" or (line["what"] == "update" and line["connection"] == seen)
    ]
    assert sorted(published) == [OPEN + int(at_ms * 1_000_000) for at_ms, _, _ in rows]
    assert len(witness.touchlines) == sum(len(each.sent) for each in periods(ledger, seen))
    found = list(periods(ledger, own))
    assert len(found) == 2 * PERIODS
    for period in found:
        assert [line["ts"] for line in period.sent if line["what"] == "update"] == due(
            ledger, seen, period
        )
    # The client was told what its server was, without a gap and in order; before it, at once,
    # what the server knew last (M-4).
    known: dict[int, int] = {}
    for number, quotes in enumerate(told):
        for period in found[2 * number : 2 * number + 2]:
            volumes = [volume for token, volume in quotes if token == period.token]
            if volumes[0] <= known.get(period.token, 0):
                del volumes[0]
            sent = [line["volume"] for line in period.sent]
            start = sent.index(volumes[0])
            assert volumes == sent[start : start + len(volumes)]
            assert len(set(volumes)) == len(volumes)
            known[period.token] = sent[-1]


async def test_recovery_is_measured(tmp_path: Path) -> None:
    """From the moment of the fault to the next figures, and all of them from there on."""
    rows = counted_rows(800)
    plan = [parse_planned("reset@09:15:03")]
    async with (
        stage(rows, plan, tmp_path) as on,
        asyncio.timeout(DEADLINE_S),
        connect(on.streamer.url("reader"), max_queue=None) as client,
    ):
        await client.send(json.dumps({"action": "subscribe", "stocks": ["RELIANCE", "SBIN"]}))
        await on.feed.wait_subscribed(0.05)
        on.player.start()
        told: list[tuple[int, int]] = []
        while {(2885, 400), (3045, 400)} - set(told):
            await read_quotes(client, told, 1)
        await on.player.finished.wait()
        on.ledger.flush()
        ledger = ledger_of(tmp_path)
    before, after = connections(ledger, USER)
    (hit,) = [line for line in ledger if line.get("phase") == "hits"]
    assert hit["connection"] == before
    first = next(
        line
        for line in ledger
        if line["what"] in ("state", "update") and line["connection"] == after
    )
    assert 0 < first["real_s"] - hit["real_s"] < RECOVERY_S
    ends = {}
    for period in [*periods(ledger, before), *periods(ledger, after)]:
        # Rows of one instrument are 20 ms apart: there is no gap but between connections.
        times = [line["ts"] for line in period.sent]
        assert times == list(range(times[0], times[-1] + 1, 20_000_000))
        ends[period.connection, period.token] = times[0], times[-1]
    for (_, token), at_ms in zip((RELIANCE, SBIN), (7980, 7990), strict=True):
        assert ends[before, token][1] < ends[after, token][0]
        assert ends[after, token][1] == OPEN + at_ms * 1_000_000
