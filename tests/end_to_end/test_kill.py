"""
Rules P-2 and P-3 held against kill -9, at moments that nobody chose.

A round starts the program on the files that the last one left, compares what
it finds with what was acknowledged, loads it with changes, and kills it after
so many acknowledgements. ``ODIN_KILL_ROUNDS`` sets the number of rounds,
``ODIN_KILL_SEED`` chooses the changes again that a failure printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from streamer.clients import ClientRecord
from streamer.instruments import InstrumentTable
from streamer.store import ClientStore
from tests.end_to_end.store_writer import change
from tests.feed_peer import FeedPeer
from tests.streamer.client_strategies import apply
from tests.streamer.desk import at, touchline

ROUNDS = int(os.environ.get("ODIN_KILL_ROUNDS", "5"))
SEED = int(os.environ.get("ODIN_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


def read(path: Path) -> dict[str, ClientRecord]:
    """Return what a store holds."""
    with closing(ClientStore.open(path)) as store:
        return {record.client_id: record for record in store.load()}


def test_a_store_killed_while_saving_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """After each kill -9 the store holds each acknowledged change, and at most the next one."""
    chance = random.Random(SEED)
    path = tmp_path / "sessions.db"
    kept: dict[str, ClientRecord] = {}
    number = 0
    for each in range(ROUNDS):
        arguments = ["-m", "tests.end_to_end.store_writer", str(SEED), str(number), str(path)]
        with subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as writer:
            assert writer.stdout is not None
            wanted = chance.choice([0, 1, 30, 400, 1500])
            told = [writer.stdout.readline() for _ in range(wanted)]
            writer.kill()
            # What it said and nobody had read yet is acknowledged as well.
            told += [line for line in writer.stdout if line.endswith("\n")]
        assert "" not in told, f"seed {SEED}, round {each}: the writer failed"
        for _ in told:
            apply(kept, change(SEED, number))
            number += 1
        found = read(path)
        if found != kept:
            # Durable, but killed before it said so.
            apply(kept, change(SEED, number))
            number += 1
        assert found == kept, f"seed {SEED}, round {each}, change {number}"


# --- the server, with its clients and its feed

SYMBOLS = [
    instrument.symbol
    for instrument in InstrumentTable.bundled()
    if instrument.exchange == "NSE" and instrument.kind == "equity"
]
QUOTES = [touchline(each.key, lut=at("10:00:00")) for each in InstrumentTable.bundled()]

Subscriptions = list[str]


class Client:
    """
    One client_id over all rounds: what it asked, what was acknowledged, what it found.

    Args:
        name: The client_id.
        chance: What it asks for.

    """

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.kept: Subscriptions = []
        """What the server has acknowledged, oldest first."""
        self.waiting: deque[tuple[str, list[str]]] = deque()
        """Requests without a reply, oldest first."""
        self._chance = chance

    async def live(self, url: str, load: Load) -> None:
        """Connect, check what was restored, then ask and ask until the server is gone."""
        with suppress(ConnectionClosed):
            async with connect(f"{url}?client_id={self.name}", proxy=None) as socket:
                welcome = json.loads(await socket.recv())
                self.check(welcome["data"]["restored_stocks"])
                load.on_welcome()
                while True:
                    while len(self.waiting) < 4:
                        action, stocks = self._choose()
                        self.waiting.append((action, stocks))
                        await socket.send(json.dumps({"action": action, "stocks": stocks}))
                    message = json.loads(await socket.recv())
                    if message["type"] in ("market_data", "market_status"):
                        continue
                    assert message["type"] == "subscription_response", message
                    self.kept = after(self.kept, *self.waiting.popleft())
                    assert message["data"]["total_subscribed"] == len(self.kept)
                    load.on_ack()

    def check(self, restored: Subscriptions) -> None:
        """Hold what was restored against what was acknowledged; take it as what is kept."""
        possible = [self.kept]
        for request in self.waiting:
            possible.append(after(possible[-1], *request))
        assert restored in possible, (
            f"seed {SEED}, {self.name}: restored {restored}, acknowledged {self.kept}, "
            f"then asked {list(self.waiting)}"
        )
        self.kept = restored
        self.waiting.clear()

    def _choose(self) -> tuple[str, list[str]]:
        chance = self._chance
        if chance.random() < 0.05:
            return "unsubscribe", ["*"]
        action = "unsubscribe" if chance.random() < 0.4 else "subscribe"
        return action, chance.sample(SYMBOLS, chance.randrange(1, 12))


class Load:
    """
    What a round does to a server before the kill.

    Args:
        feed: Sends a few quotes with every acknowledgement.
        clients: How many must have been welcomed.
        acknowledgements: How many must have come.
        chance: Which quotes are sent.

    """

    def __init__(
        self, feed: FeedPeer, clients: int, acknowledgements: int, chance: random.Random
    ) -> None:
        self.is_done = asyncio.Event()
        self._feed = feed
        self._clients_left = clients
        self._left = acknowledgements
        self._chance = chance

    def on_welcome(self) -> None:
        """Count a client that found what it should."""
        self._clients_left -= 1
        self._look()

    def on_ack(self) -> None:
        """Count an acknowledgement."""
        self._left -= 1
        self._feed.send(*self._chance.sample(QUOTES, 5))
        self._look()

    def _look(self) -> None:
        if self._left <= 0 and self._clients_left <= 0:
            self.is_done.set()


def after(kept: Subscriptions, action: str, stocks: Sequence[str]) -> Subscriptions:
    """Return what is subscribed after a request."""
    if action == "subscribe":
        return list(dict.fromkeys([*kept, *stocks]))
    return [symbol for symbol in kept if symbol not in stocks and "*" not in stocks]


@asynccontextmanager
async def serving(feed: str, path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the real program on a store; give its process and where clients connect."""
    options = ["--upstream", feed, "--clock", "feed", "--host", "127.0.0.1", "--port", "0"]
    options += ["--db", str(path), "--events", "--request-rate", "1000000", "--request-burst"]
    options += ["1000000", "--log-level", "warning"]
    with (path.parent / "log").open("a") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "streamer", "serve", *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
        try:
            assert process.stdout is not None
            event: dict[str, Any] = json.loads(await process.stdout.readline())
            assert event["event"] == "listening"
            reading = asyncio.ensure_future(process.stdout.read())
            yield process, event["url"]
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await reading


async def test_a_server_killed_under_load_loses_and_undoes_nothing(tmp_path: Path) -> None:
    """After each kill -9 every client finds what was acknowledged, in its order (P-1 to P-4)."""
    chance = random.Random(SEED)
    path = tmp_path / "sessions.db"
    clients = [Client(f"app-{n}", random.Random(f"{SEED}:{n}")) for n in range(6)]
    for each in range(ROUNDS):
        acknowledgements = chance.choice([0, 1, 10, 100, 400])
        async with asyncio.timeout(DEADLINE_S), FeedPeer(time=at("10:00:00")) as feed:
            load = Load(feed, len(clients), acknowledgements, chance)
            async with serving(feed.url, path) as (process, url), asyncio.TaskGroup() as tasks:
                for client in clients:
                    tasks.create_task(client.live(url, load))
                await load.is_done.wait()
                process.kill()
        assert load.is_done.is_set(), f"seed {SEED}, round {each}: the server failed"
    symbols = {instrument.key: instrument.symbol for instrument in InstrumentTable.bundled()}
    found = read(path)
    for client in clients:
        record = found.get(client.name)
        client.check([] if record is None else [symbols[key] for key in record.instruments])
