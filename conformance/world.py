"""What a case is given: clients of the server under test, the market's time, feed and server."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from conformance.case import Case, Profile
from conformance.clock import Clock
from conformance.expect import Inconclusive, Loose, Unmet
from conformance.feed import Feed
from conformance.invariants import Watch
from conformance.patience import at_most
from conformance.peer import WAIT_S, Message, Peer, Refused
from conformance.plain_http import HttpReply, RawSocket, request
from conformance.stage import Stage
from conformance.tape import Stock, at, moment
from conformance.target import Target
from conformance.wire import WireLog

__all__ = ["UNIQUE", "World"]

UNIQUE: Final = "\0unique"
STRICT_S: Final = 2.0
LOOSE_S: Final = 60.0


class World:
    """
    The stage as one case sees it.

    Args:
        case: Which.
        stage: Where it is played.
        clock: Moves the market's time.
        profile: By which rules the server is judged.
        watch: Looks at every message.
        seed: What the random numbers follow from, with the case's id.
        scale: What deadlines are multiplied by.

    """

    def __init__(
        self,
        case: Case,
        stage: Stage,
        clock: Clock,
        *,
        profile: Profile,
        watch: Watch,
        seed: int,
        scale: float,
    ) -> None:
        self.case = case
        self.profile = profile
        self.wire = WireLog()
        self.measures: dict[str, object] = {}
        self.rng = random.Random(f"{seed} {case.id}")
        self.peers: list[Peer] = []
        """Every client that was connected, in order; those gone too."""
        self.scale = scale
        self.clock = clock
        self.stage = stage
        self._watch = watch
        # A server that was there before the run may remember the clients of another one.
        nonce = "" if stage.server.ours else f"-{secrets.token_hex(4)}"
        self._prefix = f"{case.id.lower()}-{seed}{nonce}"
        self._ids = 0

    # --- what there is

    @property
    def target(self) -> Target:
        """What is known of the server."""
        return self.stage.target

    @property
    def stocks(self) -> tuple[Stock, ...]:
        """Stocks that the server knows: the guide's ten, unless the target names others."""
        return self.target.stocks

    @property
    def quiet_stocks(self) -> tuple[Stock, ...]:
        """More of them, which the suite itself never subscribes; one is of BSE."""
        return self.target.quiet

    @property
    def feed(self) -> Feed:
        """The feed, and what its tape holds; there in cases with Need.FEED."""
        if self.stage.feed is None:
            raise Inconclusive("the ticks of this feed are not known to the suite")
        return self.stage.feed

    @property
    def strict(self) -> bool:
        """Whether the profile is strict."""
        return self.profile is Profile.STRICT

    @property
    def now(self) -> int:
        """The market's time as the suite has moved it, nanoseconds since 1970."""
        return self.feed.now

    @property
    def exact(self) -> bool:
        """Whether open and close happen at a place in the feed's stream, to the tick."""
        return self.clock.exact

    def within(self, seconds: float) -> float:
        """Return a deadline of the case's own as --timeout-scale makes it."""
        return seconds * self.scale

    def new_id(self, hint: str = "") -> str:
        """Return a client_id that no other case uses."""
        self._ids += 1
        return f"{self._prefix}-{self._ids}{hint and '-'}{hint}".replace(".", "-")

    def measured(self, name: str, value: object) -> None:
        """Tell what was measured; it stands in the report."""
        self.measures[name] = value

    def note(self, text: str) -> None:
        """Write a line into the wire log."""
        self.wire.note(text)

    # --- clients

    async def connect(
        self,
        client_id: str | None = UNIQUE,
        *,
        query: Mapping[str, object] | None = None,
        read_welcome: bool = True,
        name: str = "",
        **settings: Any,
    ) -> Peer:
        """
        Connect a client; its welcome is read and kept as ``peer.welcome``.

        Args:
            client_id: By default one of its own; None leaves it out.
            query: More of the query.
            read_welcome: False leaves the first message to the case.
            name: For the wire log.
            settings: ``headers``, ``receive_buffer``, or those of websockets' connect.

        Raises:
            Refused: If the server answers with a status other than 101.

        """
        if client_id == UNIQUE:
            client_id = self.new_id()
        peer = await Peer.open(
            name or f"peer {len(self.peers) + 1}",
            self.stage.url(client_id, **dict(query or {})),
            client_id,
            wire=self.wire,
            watcher=self._watch,
            scale=self.scale,
            **settings,
        )
        self.peers.append(peer)
        if read_welcome:
            await self.read_welcome(peer)
        return peer

    async def read_welcome(self, peer: Peer) -> None:
        """
        Wait for a client's welcome and keep it; whether it is right is for cases about it.

        On a server that never sends one nobody waits: those cases fail, others go on.
        """
        peer.welcome = Message({}, raw="", ms=0.0, index=-1)
        if self.stage.welcomes:
            peer.welcome = await peer.wait_for("welcome")
        data = peer.welcome.get("data")
        told = peer.welcome.get("client_id")
        if told is None and isinstance(data, dict):
            told = data.get("client_id")
        if not peer.client_id and isinstance(told, str):
            peer.client_id = told

    async def refused(self, client_id: str | None = UNIQUE, **settings: Any) -> HttpReply:
        """Connect, and expect the server to refuse before the upgrade; return its answer."""
        try:
            await self.connect(client_id, read_welcome=False, **settings)
        except Refused as refusal:
            return refusal.reply
        raise Unmet("a refusal before the upgrade", "an open WebSocket")

    async def http(self, path: str, **settings: Any) -> HttpReply:
        """Send a plain HTTP request to the server: ``method``, ``headers``, ``body``."""
        host, port = self.stage.server.address
        self.wire.note(f"{settings.get('method', 'GET')} {path}")
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
        try:
            async with at_most(self.within(WAIT_S)):
                reply = await request(url, **settings)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise Unmet("an HTTP answer", str(error) or type(error).__name__) from None
        self.wire.note(f"HTTP {reply.status} {reply.body[:500].decode(errors='replace')}")
        return reply

    async def raw(self) -> RawSocket:
        """Return a bare TCP connection to the server; use it with ``async with``."""
        try:
            async with at_most(self.within(WAIT_S)):
                return await RawSocket.open(*self.stage.server.address)
        except (OSError, TimeoutError) as error:
            raise Unmet("a connection", str(error) or type(error).__name__) from None

    @asynccontextmanager
    async def deadline(self, expected: str, within: float = WAIT_S) -> AsyncIterator[None]:
        """
        Give what is done inside no longer than a reply may take; for bare sockets.

        Raises:
            Unmet: If it takes longer; ``expected`` is what did not happen.

        """
        seconds = self.within(within)
        try:
            async with at_most(seconds):
                yield
        except TimeoutError:
            raise Unmet(f"{expected} within {seconds:g} s", "nothing of the kind") from None

    # --- the market's time

    async def to(self, time: str, *, day: str = "") -> None:
        """Go to a time on the present day, or another; nothing in between is sent."""
        ts = self._moment(time, day)
        if self.clock.restarts and self.live:
            raise Inconclusive(
                f"the clock driver {self.clock.name} cannot move the time under live clients"
            )
        self.wire.note(f"the market's time becomes {moment(ts):%a %Y-%m-%d %H:%M:%S}")
        await self.clock.to(self.stage, ts)

    async def until(self, time: str, *, day: str = "") -> None:
        """
        Let time pass up to a whole second, inclusive.

        Everything due up to then has been sent by the feed and processed by the
        server when this returns; :meth:`settle` waits for what it sent to clients.
        """
        ts = self._moment(time, day)
        if not self.stage.kept:
            await self.stage.interested(len(self._watch.subscribed(self.live)))
        self.wire.note(f"time passes until {moment(ts):%a %Y-%m-%d %H:%M:%S}")
        await self.clock.until(self.stage, ts)
        self.wire.note(f"it is {moment(ts):%H:%M:%S}")

    async def settle(self, *peers: Peer, within: float = WAIT_S) -> None:
        """Wait until all that the server has for these clients (all, if none are given) came."""
        for peer in peers or self.live:
            await self.stage.settle(peer, within=within)

    @property
    def live(self) -> list[Peer]:
        """The clients whose connections are open."""
        return [peer for peer in self.peers if peer.closed is None]

    def punctual(self, late_s: float, *, of: str) -> None:
        """Expect a transition within 2 s of its time; within 60 s it is loose."""
        if late_s > LOOSE_S:
            raise Unmet(f"{of} within {LOOSE_S:g} s", f"{late_s:.1f} s late")
        if late_s > STRICT_S:
            raise Loose(f"{of} within {STRICT_S:g} s", f"{late_s:.1f} s late")

    # --- the server

    async def start(self) -> None:
        """Start the server again, at the same port, and let it find the feed."""
        self.wire.note("the server is started")
        await self.stage.start_server()

    async def stop(self) -> int | None:
        """Stop the server gracefully; return its exit status."""
        self.wire.note("the server is stopped")
        return await self.stage.stop_server()

    async def kill(self) -> None:
        """End the server with kill -9."""
        self.wire.note("the server is killed")
        await self.stage.kill_server()

    async def restart(self) -> None:
        """Stop the server gracefully and start it again."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """Leave every connection of the case."""
        for peer in self.peers:
            await peer.drop()
            self._watch.closed(peer)

    def _moment(self, time: str, day: str) -> int:
        return at(day or f"{moment(self.feed.now):%Y-%m-%d}", time)
