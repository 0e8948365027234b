"""PER: random lives of a few clients, held against a model; Hypothesis writes and shrinks them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conformance.case import Need, case
from conformance.expect import Unmet, expect_equal
from conformance.peer import Peer, Refused
from conformance.process import StartError
from conformance.questions import expect_listed, subscribed, unsubscribed
from conformance.tape import at, moment
from conformance.wire import WireLog
from conformance.world import World

_CLIENTS: Final = "AB"
_SCRIPTS: Final = 8
_STEPS: Final = 10
_WRITING_S: Final = 15.0
_SHRINKING_S: Final = 30.0
# After three takeovers within ten seconds the newcomer may be refused (C-4).
_TAKEOVERS: Final = 2


@dataclass(frozen=True)
class Step:
    """
    One thing that happens: to a client, or to the server where ``client`` is empty.

    Every step can follow every other: who is not connected connects first, and
    of the stocks those count to which it can happen.
    """

    what: str
    client: str = ""
    stocks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(filter(None, (self.client or "the server", self.what, *self.stocks)))


@case(
    "PER-900",
    title="Whatever a few clients do and whatever becomes of the server, each has what it left",
    rules=("P-1", "P-2", "P-3", "P-4", "M-2", "S-3", "C-4", "G-PERSIST", "G-SUBSCRIBED"),
    needs=(Need.FEED, Need.CLOCK, Need.RESTART),
    timeout_s=180.0,
    explain="Two clients subscribe, unsubscribe, leave, are cut off, take themselves over, and"
    " the server is restarted and killed, in an order that no case thought of. After each return"
    " the list is held against a plain model, and in the end the data. What fails is made as short"
    " as it can be: the steps in the report are all needed, and a kill follows the last. --seed"
    " makes other scripts.",
)
async def random_lives(world: World) -> None:
    """Play scripts until one fails; then find the shortest that does."""
    theatre = _Theatre(world)
    try:
        await asyncio.to_thread(_write_scripts, theatre)
    finally:
        theatre.is_over = True
    failed = theatre.failed
    world.measured("scripts played", theatre.played)
    if failed is None:
        return
    error = theatre.outcomes[failed]
    assert error is not None
    lines = [f"{number}. {step}" for number, step in enumerate(failed, 1)]
    world.measured("script", lines)
    # Once more, so that the wire log of the report is that of the shortest script.
    await theatre.play(failed)
    if isinstance(error, Unmet):
        raise Unmet(f"{error.expected} after the script {'; '.join(lines)}", error.found) from None
    raise error


class _Theatre:
    """Plays scripts on one server, each with clients of its own; remembers how each ended."""

    def __init__(self, world: World) -> None:
        self.outcomes: dict[tuple[Step, ...], Exception | None] = {}
        self.failed: tuple[Step, ...] | None = None
        """The last that failed: in the end, the shortest."""
        self.played = 0
        self.is_over = False
        self.loop = asyncio.get_running_loop()
        self.seed = world.rng.getrandbits(32)
        self.symbols = [stock.symbol for stock in world.stocks[:3]]
        self._world = world
        self._deadline = time.monotonic() + world.within(_WRITING_S)

    def see(self, script: tuple[Step, ...]) -> None:
        """
        Play a script, from Hypothesis' thread; raise what it ends with.

        One that was seen ends as it did then. When the time is up, all others
        pass unseen.
        """
        if script not in self.outcomes:
            if self.is_over or time.monotonic() > self._deadline:
                return
            playing = asyncio.run_coroutine_threadsafe(self.play(script), self.loop)
            self.outcomes[script] = error = playing.result()
            if error is not None and self.failed is None:
                self._deadline = time.monotonic() + self._world.within(_SHRINKING_S)
        error = self.outcomes[script]
        if error is not None:
            self.failed = script
            raise error

    async def play(self, script: Sequence[Step]) -> Exception | None:
        """Play a script; return what it fails with."""
        world = self._world
        world.wire = WireLog()
        self.played += 1
        try:
            if world.now > at(moment(world.now).date(), "11:01:20"):
                await world.to(world.case.at)
            if not world.stage.server.running:
                await world.start()
            await _Play(world).act(script)
        except Refused as error:
            return Unmet("a connection", str(error))
        except (Unmet, StartError) as error:
            return error
        finally:
            for peer in world.live:
                await peer.drop()
        return None


class _Play:
    """One script under way: the model, and the connections."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = {client: world.new_id(client) for client in _CLIENTS}
        self._model: dict[str, list[str]] = {client: [] for client in _CLIENTS}
        self._peers: dict[str, Peer] = {}
        self._takeovers = dict.fromkeys(_CLIENTS, 0)

    async def act(self, script: Sequence[Step]) -> None:
        """Do all steps, kill the server, and see that everybody has the list and the data."""
        for step in (*script, Step("is killed")):
            self._world.note(str(step))
            await self._do(step)
        for last in ("returns", "takes over", "leaves", "returns"):
            for client in _CLIENTS:
                await self._do(Step(last, client))
        await self._expect_data()

    async def _do(self, step: Step) -> None:
        client, model = step.client, self._model.get(step.client, [])
        match step.what:
            case "is restarted":
                await self._world.restart()
                self._peers.clear()
            case "is killed":
                await self._world.kill()
                self._peers.clear()
                await self._world.start()
            case "subscribes":
                new = [symbol for symbol in step.stocks if symbol not in model]
                if new:
                    await subscribed(await self._peer(client), *new)
                    model += new
            case "unsubscribes":
                gone = [symbol for symbol in step.stocks if symbol in model]
                if gone:
                    await unsubscribed(await self._peer(client), *gone)
                    self._model[client] = [symbol for symbol in model if symbol not in gone]
            case "leaves" if client in self._peers:
                await self._peers.pop(client).close()
            case "is cut off" if client in self._peers:
                peer = self._peers.pop(client)
                await self._world.settle(peer)
                await peer.drop()
            case "takes over" | "returns":
                await self._return(client)

    async def _peer(self, client: str) -> Peer:
        if client not in self._peers:
            await self._return(client)
        return self._peers[client]

    async def _return(self, client: str) -> None:
        """Connect, though there may be a connection, and hold the list against the model."""
        older = self._peers.pop(client, None)
        if older is not None:
            self._takeovers[client] += 1
            if self._takeovers[client] > _TAKEOVERS:
                await older.close()
        peer = self._peers[client] = await self._world.connect(self._ids[client], name=client)
        await expect_listed(peer, self._model[client])

    async def _expect_data(self) -> None:
        marks = {client: peer.mark() for client, peer in self._peers.items()}
        now = moment(self._world.now + 2_000_000_000)
        await self._world.settle(*self._peers.values())
        await self._world.until(f"{now:%H:%M:%S}")
        await self._world.settle(*self._peers.values())
        for client, peer in self._peers.items():
            came = {str(message.get("symbol")) for message in peer.data(since=marks[client])}
            expect_equal(
                sorted(came), sorted(self._model[client]), of=f"stocks with data of {client}"
            )


def _write_scripts(theatre: _Theatre) -> None:
    """Let Hypothesis write scripts and shrink one that fails; this is its thread."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    stocks = st.lists(st.sampled_from(theatre.symbols), min_size=1, max_size=2, unique=True)
    client = st.sampled_from(_CLIENTS)
    whats = ("subscribes", "unsubscribes")
    changes = st.builds(Step, st.sampled_from(whats), client, stocks.map(tuple))
    moves = st.builds(Step, st.sampled_from(("leaves", "is cut off", "takes over")), client)
    blows = st.builds(Step, st.sampled_from(("is killed", "is restarted")))
    steps = st.one_of(changes, changes, changes, changes, moves, moves, blows)
    scripts = st.lists(steps, max_size=_STEPS).map(tuple)

    @seed(theatre.seed)
    @settings(
        max_examples=_SCRIPTS,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(scripts)
    def every_script(script: tuple[Step, ...]) -> None:
        theatre.see(script)

    try:
        every_script()
    except Exception as error:
        # What a script failed with is told by the theatre; all else is a fault of this file.
        if error not in theatre.outcomes.values():
            raise
