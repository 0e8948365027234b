"""
What a case is played on: a feed, a server, and the suite's own connections to it.

The *poller* asks for the market's status until the server has come to a time;
that is how the suite knows, without sleeping, that everything the feed sent
before has been processed. The *keeper*, on the common server alone, subscribes
the stocks that cases use, so that the server has asked the feed for them long
before a case does.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from conformance.expect import Unmet, shown
from conformance.feed import Feed
from conformance.invariants import Watch
from conformance.patience import Patience
from conformance.peer import WAIT_S, Message, Peer, Refused
from conformance.process import Guardian
from conformance.server import Dress, Server
from conformance.tape import METRONOME, NS, Tape, moment
from conformance.target import Target
from conformance.wire import WireLog

__all__ = ["Stage"]

# Below what a server of the protocol lets a connection ask at once.
_POLLS: Final = 150
_LOOK_AGAIN_S: Final = 0.002
_CATCH_UP_S: Final = 2.0
_PROBE_S: Final = 1.0


class Stage:
    """
    One server under test with its feed, if it has one.

    Args:
        target: What is known of the server.
        folder: An empty one of its own.
        tape: What the feed plays, and where that was written.
        tape_path: Its file.
        guardian: Sees to the end of processes.
        watch: Looks at the messages of the suite's own connections.
        scale: What time-outs are multiplied by.
        variant: Of the target file, for the server's start.
        feed: One that is used together; it is left alone at the end. None:
            one of its own is started if the target has a simulator.
        feed_options: For a feed of its own.
        keep: Whether the suite subscribes the stocks that cases use.

    """

    def __init__(
        self,
        target: Target,
        *,
        folder: Path,
        tape: Tape,
        tape_path: Path,
        guardian: Guardian,
        watch: Watch,
        scale: float,
        variant: str = "",
        feed: Feed | None = None,
        feed_options: tuple[str, ...] = (),
        keep: bool = False,
    ) -> None:
        self.target = target
        self.follows_time = False
        """Whether the server tells the time of the feed, so that it can be waited for."""
        self.welcomes = True
        """Whether the server welcomes clients; if not, nobody but the cases about it waits."""
        self.wire = WireLog()
        self._folder = folder
        self._watch = watch
        self._scale = scale
        self._keep = keep
        self._owns_feed = feed is None and target.feed.kind == "simulator"
        self.feed = feed
        if self._owns_feed:
            self.feed = Feed(
                target.feed,
                tape,
                tape_path,
                guardian=guardian,
                options=feed_options,
                scale=scale,
            )
        self.server = Server(
            target.server,
            state=folder,
            guardian=guardian,
            places=lambda: {} if self.feed is None else self.feed.places,
            variant=variant,
            scale=scale,
        )
        self._poller: Peer | None = None
        self._polls = 0
        self._question = "market_status"
        self._pongs = True
        self._keeper: Peer | None = None
        self._ids = 0
        self._may_follow = "feed" in target.clock.drivers
        self._nonce = secrets.token_hex(4)
        self._strangers: frozenset[str] = frozenset()

    async def open(self) -> None:
        """
        Start feed and server, and get to know the server.

        Raises:
            StartError: If one of them does not come up.

        """
        if self.feed is not None and self._owns_feed:
            await self.feed.start()
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.start_server()

    async def start_server(self) -> None:
        """Start the server; return when it takes clients, and knows the time if the feed is up."""
        if self.feed is not None:
            self._strangers = frozenset(await self._feed_clients())
        await self.server.start()
        if self.feed is not None and self.feed.reachable and self._may_follow:
            await self._get_to_know()
        await self._try_ping()
        if self._keep and self.feed is not None and self._keeper is None:
            await self._open_keeper()

    async def stop_server(self) -> int | None:
        """Stop the server gracefully; return its exit status."""
        await self._leave()
        return await self.server.stop()

    async def kill_server(self) -> None:
        """Kill the server."""
        await self._leave()
        await self.server.kill()

    async def close(self) -> None:
        """End everything that was started here."""
        await self._leave()
        if self.server.ours:
            await self.server.kill()
        if self.feed is not None and self._owns_feed:
            await self.feed.stop()

    # --- the market's time

    async def reached(self, ts: int) -> None:
        """
        Wait until a server that follows the feed's time has come to ``ts``.

        Raises:
            Unmet: If it does not come to it in time.

        """
        last: Message | None = None

        def there(reply: Message) -> bool:
            nonlocal last
            last = reply
            return _tells(reply, ts)

        if not await self.poll(there, action=self._question):
            raise Unmet(
                f"the server at the feed's time {moment(ts):%Y-%m-%d %H:%M:%S}"
                f" within {WAIT_S * self._scale:g} s",
                f"its market_status {shown(last)}",
            )

    async def caught_up(self, ts: int) -> None:
        """Wait until a server with a time of its own has read what the feed sent up to ``ts``."""
        if self.feed is None or self._keeper is None:
            return
        row = self.feed.tape.last(METRONOME, ts)
        if row is None or not await self.told_open():
            return
        volume = row.volume
        with contextlib.suppress(Unmet):
            await self._keeper.wait_for(
                "market_data",
                where=lambda message: message.get("data", {}).get("volume") == volume,
                within=_CATCH_UP_S,
            )

    async def told_time(self) -> int | None:
        """Return the time stamp of a reply, nanoseconds since 1970; None if it has none."""
        reply = await (await self._fresh_poller()).request("ping")
        stamp = reply.get("timestamp")
        return stamp * 1_000_000 if isinstance(stamp, int) else None

    async def told_open(self) -> bool | None:
        """Return whether the server calls the market open; None if it does not say."""
        reply = await (await self._fresh_poller()).request("market_status")
        data = reply.get("data")
        told = data.get("market_open") if isinstance(data, dict) else None
        return told if isinstance(told, bool) else None

    async def poll(
        self,
        holds: Callable[[Message], bool],
        within: float = WAIT_S,
        *,
        action: str = "market_status",
    ) -> bool:
        """Send a request again and again until a reply satisfies ``holds``; return whether."""
        patience = Patience(within * self._scale)
        looks = 0
        while True:
            looks += 1
            if await self._asked(action, holds, WAIT_S):
                return True
            if patience.ends():
                return False
            if looks > 2:
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def settle(self, peer: Peer, *, within: float = WAIT_S) -> None:
        """Wait until all that the server has for a client came."""
        if self._pongs:
            await peer.settle(within=within)
        else:
            await peer.ping_frame()
            await peer.ping_frame()

    async def dress(self, dress: Dress) -> None:
        """Start the server anew with what a clock driver adds to its command."""
        await self._leave()
        await self.server.kill()
        self.server.dress = dress
        self._may_follow = False
        await self.start_server()

    async def undress(self) -> None:
        """Start it as the target says, if it was started otherwise."""
        if self.server.dress != Dress():
            await self.dress(Dress())

    async def interested(self, instruments: int) -> None:
        """Wait until this server has asked the feed for so many instruments."""
        if self.feed is None or not self.feed.reachable:
            return
        patience = Patience(WAIT_S * self._scale)
        while True:
            clients = await self._feed_clients()
            own = [count for name, count in clients.items() if name not in self._strangers]
            if max(own, default=0) >= instruments:
                return
            if patience.ends():
                raise Unmet(
                    f"a server that asks the feed for the {instruments} instruments of its clients",
                    f"one that asks for {max(own, default=0)}",
                )
            await asyncio.sleep(_LOOK_AGAIN_S)

    @property
    def kept(self) -> bool:
        """Whether the keeper subscribes the usual stocks."""
        return self._keeper is not None

    def url(self, client_id: str | None, **query: object) -> str:
        """Return the address of a client."""
        pairs = {} if client_id is None else {"client_id": client_id}
        pairs |= {name: str(value) for name, value in query.items()}
        return self.server.url + (f"?{urlencode(pairs)}" if pairs else "")

    # --- the suite's own connections

    async def _get_to_know(self) -> None:
        """Find out whether the server tells the feed's time."""
        assert self.feed is not None
        now = self.feed.now
        patience = Patience(WAIT_S * self._scale)
        tells = partial(_tells, ts=now)
        self.follows_time = False
        while not self.follows_time and not patience.ends():
            if await self._asked(self._question, tells, _PROBE_S):
                self.follows_time = True
            elif self._question == "market_status" and await self._asked("ping", tells, _PROBE_S):
                # Either the time has come just now, or this server tells it in stamps alone.
                self.follows_time = True
                if not await self._asked("market_status", tells, _PROBE_S):
                    self._question = "ping"
            else:
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _try_ping(self) -> None:
        """Find out whether the server answers the guide's ping, so that it can be waited for."""
        try:
            await (await self._fresh_poller()).settle(within=_PROBE_S)
            self._pongs = True
        except Unmet:
            self._pongs = False

    async def _asked(self, action: str, holds: Callable[[Message], bool], within: float) -> bool:
        """Ask once; return whether the reply satisfies ``holds``."""
        try:
            poller = await self._fresh_poller()
            reply = await poller.request(action, within=within)
        except Unmet:
            self._polls = _POLLS
            return False
        if reply.type == "error":
            self._polls = _POLLS
            return False
        return holds(reply)

    async def _open_keeper(self) -> None:
        symbols = [METRONOME.symbol, *(stock.symbol for stock in self.target.stocks)]
        with contextlib.suppress(Unmet, Refused):
            self._keeper = await self._connect("keeper")
            await self._keeper.subscribe(*symbols, within=_PROBE_S)
            self._keeper.forgets = True

    async def _fresh_poller(self) -> Peer:
        if self._poller is None or self._poller.closed is not None or self._polls >= _POLLS:
            if self._poller is not None:
                await self._poller.drop()
                self._watch.closed(self._poller)
            self._polls = 0
            self._poller = None
            try:
                self._poller = await self._connect("poller")
            except Refused as refused:
                raise Unmet("room for one more connection", str(refused)) from None
            self._poller.forgets = True
        self._polls += 1
        return self._poller

    async def _connect(self, name: str) -> Peer:
        self._ids += 1
        client_id = f"suite-{self._nonce}-{name}-{self._ids}"
        peer = await Peer.open(
            name,
            self.url(client_id),
            client_id,
            wire=self.wire,
            watcher=self._watch,
            scale=self._scale,
        )
        if self.welcomes:
            try:
                await peer.wait_for("welcome", within=_PROBE_S)
            except Unmet:
                self.welcomes = peer.closed is not None
        return peer

    async def _leave(self) -> None:
        for peer in (self._poller, self._keeper):
            if peer is not None:
                await peer.drop()
                self._watch.closed(peer)
        self._poller = self._keeper = None

    async def _feed_clients(self) -> dict[str, int]:
        """Return how many instruments each of the feed's clients has asked for."""
        assert self.feed is not None
        try:
            clients = await self.feed.connections()
        except OSError:
            return {}
        return {
            str(client.get("client")): int(client.get("instruments", 0))
            for client in clients
            if client.get("logged_on")
        }


def _tells(reply: Message, ts: int) -> bool:
    """Return whether a reply tells that it is ``ts``, to the second: in words or as its stamp."""
    data = reply.get("data")
    told = data.get("current_time") if isinstance(data, dict) else None
    wanted = f"{moment(ts):%Y-%m-%d %H:%M:%S}"
    stamp = reply.get("timestamp")
    return told in (wanted, wanted[11:]) or (isinstance(stamp, int) and stamp // 1000 == ts // NS)
