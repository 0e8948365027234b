"""
The ODIN feed server: sockets in front of ``streamer.odin.ServerConnection``.

It lets everybody in, answers each subscription with the present state, and
hands what the player publishes to the connections that asked for it. When
anything is due is the player's business (``simulator/player.py``).

Back-pressure: what a connection's socket does not take waits in its write
buffer, up to a high-water mark. Above it a conflating server keeps for that
connection only the newest update of each instrument; otherwise the player
waits (:meth:`FeedServer.wait_drained`). A connection whose socket takes nothing
at all for `STALL_LIMIT_S` is closed with 1011.

With faults (``simulator/faulty.py``) it does as they say at their time; with a
ledger (``simulator/ledger.py``) it writes down what it does.
"""

from __future__ import annotations

import asyncio
import logging
import socket as sockets
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from simulator.fault_plan import FaultPlan
from simulator.faults import MOMENTS, Planned
from simulator.faulty import CUTTING, Faults, FaultyTransport
from simulator.lane import Channel
from simulator.ledger import Ledger
from simulator.peer import FeedSocket, Peer
from simulator.spoiling import SentUpdate
from simulator.stretch import Stretch
from simulator.updates import Update
from streamer.errors import FrameError
from streamer.odin import connection as odin
from streamer.odin.messages import encode_heartbeat, encode_logoff
from streamer.odin.tags import InstrumentKey

__all__ = ["FeedServer"]

log = logging.getLogger("simulator.feed")

STALL_LIMIT_S = 30.0

# Closed with 1000 or 1001, known clients end without telling anyone.
_CLOSE_FAULT = 1011
_CLOSE_RESTART = 1012

# Conflation begins late, so that a client that does not read for some seconds
# loses nothing; a player that waits for the sockets has no need of much.
_CONFLATING_HIGH_WATER = 8 * 2**20
_WAITING_HIGH_WATER = 256 * 2**10
# Answers to requests are written whatever the buffer holds, up to this.
_MAX_UNSENT_BYTES = 32 * 2**20
_MAX_REQUEST_BYTES = 128 * 2**10
_STALL_CHECK_S = 1.0
# A client that is dropped is given this long to take the close code.
_DROP_TIMEOUT_S = 2.0


class FeedServer:
    """
    Every connection of the feed, each with its own interest and modes.

    Args:
        state: Returns the present state of an instrument, None if it has none.
        second: The feed's time before the first heartbeat, UNIX nanoseconds.
        conflate: What a slow connection does: lose superseded updates, or
            make :meth:`wait_drained` wait.
        stall_limit_s: After this time without any progress a connection whose
            buffer is full is closed.
        high_water_bytes: What a connection's buffer may hold before it counts
            as full.
        plan: Faults that are to happen.
        seed: Chooses what is random about them.
        ledger: Where everything that happens is noted.
        tell: Hears of each event by its name, with what belongs to it.

    """

    def __init__(
        self,
        state: Callable[[InstrumentKey], Update | None],
        *,
        second: int,
        conflate: bool,
        stall_limit_s: float = STALL_LIMIT_S,
        high_water_bytes: int | None = None,
        plan: Sequence[Planned] = (),
        seed: int = 0,
        ledger: Ledger | None = None,
        tell: Callable[[str, Mapping[str, object]], None] = lambda _, __: None,
    ) -> None:
        self.updates_sent = 0
        """Updates handed to sockets, counted for each connection and form."""
        self._state = state
        self._second = second
        self._conflate = conflate
        self._stall_limit_s = stall_limit_s
        if high_water_bytes is None:
            high_water_bytes = _CONFLATING_HIGH_WATER if conflate else _WAITING_HIGH_WATER
        self._high_water_bytes = high_water_bytes
        self._replaced_before = 0
        self._peers: dict[Peer, None] = {}
        self._epoch = 0
        self._channel: _Channel | None = None
        self._wanted: dict[InstrumentKey, dict[Peer, None]] = {}
        self._text_interest: frozenset[InstrumentKey] | None = None
        self._news = asyncio.Event()
        self._farewells: dict[asyncio.Task[None], FeedSocket] = {}
        self._server: Server | None = None
        self._numbers = count(1)
        self._ledger = ledger
        self._tell = tell
        self.fault_plan = FaultPlan(plan)
        """What goes wrong, and when; :meth:`follow_faults` makes a change of it take effect."""
        self._faults = Faults(self.fault_plan, seed=seed, on_lost=self._note_lost)

    async def start(self, listener: sockets.socket) -> None:
        """Begin to accept connections on a bound socket, which becomes the server's."""
        self._server = await serve(
            self._talk,
            sock=listener,
            # It is called, and never looked at.
            create_connection=cast(
                type[ServerConnection], partial(FeedSocket, faults=self._faults)
            ),
            compression=None,
            max_size=_MAX_REQUEST_BYTES,
            write_limit=self._high_water_bytes,
            close_timeout=self._stall_limit_s,
            # Pings keep the path open. A held-back client answers none for as
            # long as it is held back, which the stall limit judges better.
            ping_timeout=None,
        )

    @property
    def second(self) -> int:
        """The time that was told last, UNIX nanoseconds."""
        return self._second

    @property
    def connections(self) -> int:
        """How many clients are logged on."""
        return sum(peer.odin.logged_on for peer in self._peers)

    @property
    def instruments_wanted(self) -> int:
        """How many instruments somebody subscribes to."""
        return len(self._wanted)

    @property
    def text_interest(self) -> frozenset[InstrumentKey]:
        """The instruments whose touchlines somebody wants as text."""
        if self._text_interest is None:
            self._text_interest = frozenset(
                key for peer in self._peers for key in peer.odin.text_interest()
            )
        return self._text_interest

    @property
    def updates_replaced(self) -> int:
        """Updates that slow connections never got because a newer one took their place."""
        return self._replaced_before + sum(peer.backlog.replaced for peer in self._peers)

    def clients(self) -> list[dict[str, object]]:
        """Return each connection, with what waits for it: in its buffer, and in its backlog."""
        return [
            {
                "client": str(peer),
                "logged_on": peer.odin.logged_on,
                "instruments": len(set(peer.odin.interest())),
                "unsent_bytes": peer.socket.unsent_bytes,
                "waiting": len(peer.backlog),
                "congested": peer.congested,
                "replaced": peer.backlog.replaced,
            }
            for peer in self._peers
        ]

    async def wait_logged_on(self) -> None:
        """Return when a client is logged on."""
        while not self.connections:
            await self.wait_for_news()

    async def wait_subscribed(self, quiet_s: float) -> None:
        """Return when there is a subscription and none has changed for ``quiet_s``."""
        while True:
            try:
                async with asyncio.timeout(quiet_s if self._wanted else None):
                    await self.wait_for_news()
            except TimeoutError:
                return

    async def wait_for_news(self) -> None:
        """Return when next a client logs on or goes, or a subscription changes."""
        self._news.clear()
        await self._news.wait()

    def heartbeat(self, second: int) -> None:
        """Queue the time for every client; also the header time of what is answered from now on."""
        self._second = second
        if self._faults.may_happen:
            self._follow(second)
            if not self._faults.says_time:
                return
        message = encode_heartbeat(second)
        for peer in self._peers:
            if peer.congested:
                peer.backlog.heartbeat(second)
            elif peer.odin.logged_on:
                peer.odin.send(message)

    def jump(self, second: int) -> None:
        """Queue a time that was not passed to, then each client's instruments as they are then."""
        for peer in self._peers:
            peer.backlog.clear()
        self._faults.release()
        self.heartbeat(second)
        for peer in self._peers:
            self._send_all_states(peer)

    def channel(self) -> Channel | None:
        """
        Return a short way to the one client that wants anything, while there is such a way.

        What is written there goes out as if it had been published and flushed.
        """
        if self._channel is None or self._channel.epoch != self._epoch:
            self._channel = _Channel(self, self._epoch, self._plain_peer())
        return self._channel if self._channel.is_open else None

    def _plain_peer(self) -> Peer | None:
        """Return the only peer that wants anything, if all of that is texts of touchlines."""
        peers = [peer for peer in self._peers if peer.odin.has_interest]
        if len(peers) != 1 or self._ledger is not None or self._faults.any_on:
            return None
        peer = peers[0]
        is_plain = peer.odin.wants_texts_alone and not peer.odin.queued_messages
        return peer if is_plain and not peer.congested else None

    def write_through(self, peer: Peer, rows: int, texts: int, framed: bytes) -> None:
        """Publish rows, of which a peer wants some texts, framed already, and flush."""
        if framed:
            peer.socket.transport.write(framed)
            self.updates_sent += texts
            if not peer.socket.writable.is_set():
                self.flush()
        self._faults.pass_over(rows)

    def publish(self, updates: Sequence[Update]) -> None:
        """Queue updates, in order, for the clients that want them."""
        sent = self._faults.spoil(updates)
        if isinstance(sent, Stretch) and self._ledger is None:
            self._publish_stretch(sent)
        else:
            self._publish(sent)

    def _publish_stretch(self, stretch: Stretch) -> None:
        """Queue updates as one piece for whom all of their texts are, the others' one by one."""
        texts = stretch.rows.texts
        others = dict.fromkeys(peer for peer in self._peers if peer.odin.has_interest)
        if texts is not None:
            run = texts.between(stretch.first, stretch.last)
            for peer in list(others):
                if not peer.congested and peer.odin.wants_texts_of(texts.of):
                    self.updates_sent += peer.odin.publish_run(run)
                    del others[peer]
        if others:
            self._publish(stretch, others)

    def _publish(self, updates: Iterable[SentUpdate], only: Container[Peer] | None = None) -> None:
        for update in updates:
            for peer in self._wanted.get(update.key, ()):
                if only is not None and peer not in only:
                    continue
                if peer.congested:
                    replaced = peer.backlog.put(update)
                    if replaced is not None and self._ledger is not None:
                        self._ledger.note_update("replaced", self._second, peer.number, replaced)
                else:
                    forms = peer.odin.publish(update)
                    self.updates_sent += forms
                    if self._ledger is not None:
                        self._note_sent(peer, update, forms)

    def flush(self) -> None:
        """Write everything queued, and drop connections that have stalled for too long."""
        for peer in list(self._peers):
            peer.write()
            if not peer.socket.writable.is_set():
                peer.congested = self._conflate
                if peer.socket.stalled_for() > self._stall_limit_s:
                    self._drop(peer, f"nothing was read for {self._stall_limit_s:g} s")

    async def wait_drained(self, timeout_s: float) -> bool:
        """
        Wait until no connection's buffer is above its mark, or until the time is up.

        Returns:
            Whether all are. Call :meth:`flush` after a False: it drops
            connections that make no progress.

        """
        full = [peer.socket.writable.wait() for peer in self._full_peers()]
        if full:
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.gather(*full)
            except TimeoutError:
                return False
        return True

    def _full_peers(self) -> Iterator[Peer]:
        return (peer for peer in self._peers if not peer.socket.writable.is_set())

    async def log_off(self, reason: str) -> None:
        """
        Tell every client, behind everything it has yet to get, that the feed ends.

        Returns when the sockets have taken all of it, or have stalled.
        """
        self._publish(self._faults.release())
        await self._settle()
        message = encode_logoff(self._second, reason)
        for peer in self._peers:
            if peer.odin.logged_on:
                peer.odin.send(message)
            # From here on a buffer that is not empty counts as full.
            peer.socket.transport.set_write_buffer_limits(0)
        self.flush()
        await self._settle()

    async def _settle(self) -> None:
        while any(self._full_peers()) or any(len(peer.backlog) for peer in self._peers):
            await self.wait_drained(_STALL_CHECK_S)
            self._catch_up()
            self.flush()

    async def close(self, reason: str, *, patience_s: float = _DROP_TIMEOUT_S) -> None:
        """
        Close every connection with 1012, and the server; idempotent.

        Args:
            reason: For people at the other end.
            patience_s: How long clients have to read what was sent before.

        """
        if self._server is None:
            return
        self._server.close(close_connections=False)
        for peer in list(self._peers):
            self._part(peer, _CLOSE_RESTART, reason, patience_s)
        while self._farewells:
            await asyncio.gather(*self._farewells)
        await self._server.wait_closed()
        self._server = None

    def abort(self) -> None:
        """Cut all connections at once, those that are being closed too."""
        for socket in [*(peer.socket for peer in self._peers), *self._farewells.values()]:
            socket.transport.abort()

    async def _talk(self, socket: ServerConnection) -> None:
        """Serve one connection until it ends."""
        assert isinstance(socket, FeedSocket)
        peer = Peer(socket, next(self._numbers), self._faults)
        self._note("connected", peer)
        socket.on_writable = self._catch_up
        self._peers[peer] = None
        try:
            async for data in socket:
                if isinstance(data, str):
                    log.warning("%s sent a text message; closing", peer)
                    self._drop(peer, "found a text message, expected binary ones")
                    break
                self._receive(peer, data)
        except FrameError as error:
            log.warning("%s sent what is no frame: %s; closing", peer, error)
            self._drop(peer, error.problem)
        except ConnectionClosed:
            pass
        finally:
            self._forget(peer)
        await socket.wait_closed()
        log.info("%s is gone", peer)

    def _receive(self, peer: Peer, data: bytes) -> None:
        self._epoch += 1
        for event in peer.odin.receive(data, self._second):
            match event:
                case odin.LogonAsked(request=request):
                    refusal = self._faults.find("logon-refused")
                    accepted = refusal is None
                    self._note("logon", peer, user=request.user, accepted=accepted)
                    if refusal is not None:
                        self._refuse(peer, refusal)
                        return
                    peer.odin.accept(self._second, simulated=True)
                    log.info("%s logged on", peer)
                    self._news.set()
                case odin.InterestChanged(kind=kind, added=added, removed=removed):
                    self._change_interest(peer, kind, added, removed)
                case odin.Resumed():
                    self._send_all_states(peer)
                case odin.Refused(problem=problem):
                    peer.note_refused(problem)
                case odin.KeptAlive():
                    pass
        peer.write()
        self._hit_newcomer(peer)
        if peer.socket.unsent_bytes > _MAX_UNSENT_BYTES:
            self._drop(peer, "answers were asked for and not read")

    def _change_interest(
        self,
        peer: Peer,
        kind: odin.Kind,
        added: Sequence[InstrumentKey],
        removed: Sequence[InstrumentKey],
    ) -> None:
        if self._ledger is not None:
            for what, keys in (("subscribe", added), ("unsubscribe", removed)):
                if keys:
                    self._ledger.note_interest(what, self._second, peer.number, kind, keys)
        for key in added:
            self._wanted.setdefault(key, {})[peer] = None
            self._send_state(peer, kind, key)
        for key in removed:
            if not peer.wants(key):
                self._unwant(peer, key)
        self._text_interest = None
        self._news.set()

    def _unwant(self, peer: Peer, key: InstrumentKey) -> None:
        wanting = self._wanted[key]
        del wanting[peer]
        if not wanting:
            del self._wanted[key]

    def _send_state(self, peer: Peer, kind: odin.Kind, key: InstrumentKey) -> None:
        state = self._state(key)
        if state is not None:
            peer.odin.send_state(kind, state)
            if self._ledger is not None:
                self._ledger.note_update("state", self._second, peer.number, state, kind=kind)

    def _send_all_states(self, peer: Peer) -> None:
        if peer.congested:
            for key in peer.odin.interest():
                state = self._state(key)
                if state is not None:
                    peer.backlog.put(state)
            return
        for kind, keys in peer.interests():
            for key in keys:
                self._send_state(peer, kind, key)

    def _catch_up(self) -> None:
        """Send connections whose sockets take something again what was kept for them."""
        for peer in self._peers:
            if not (peer.congested and peer.socket.writable.is_set()):
                continue
            peer.congested = False
            for item in peer.backlog.take():
                if isinstance(item, int):
                    peer.odin.send(encode_heartbeat(item))
                else:
                    forms = peer.odin.publish(item)
                    self.updates_sent += forms
                    if self._ledger is not None:
                        self._note_sent(peer, item, forms)
            peer.write()

    def _drop(self, peer: Peer, reason: str) -> None:
        log.warning("closing %s: %s", peer, reason)
        self._part(peer, _CLOSE_FAULT, reason, _DROP_TIMEOUT_S)

    def _part(self, peer: Peer, code: int, reason: str, patience_s: float) -> None:
        self._forget(peer)
        task = asyncio.create_task(peer.socket.part(code, reason, patience_s))
        self._farewells[task] = peer.socket
        task.add_done_callback(self._farewells.pop)

    def _forget(self, peer: Peer) -> None:
        """Take a connection off all lists; idempotent."""
        if peer not in self._peers:
            return
        self._epoch += 1
        del self._peers[peer]
        self._note("gone", peer)
        self._replaced_before += peer.backlog.replaced
        for key in peer.odin.interest():
            self._unwant(peer, key)
        self._text_interest = None
        self._news.set()

    # --- faults and the ledger

    def follow_faults(self) -> None:
        """Let what was planned, begun or cleared by hand begin and end now."""
        self._follow(self._second)
        self.flush()

    def _follow(self, second: int) -> None:
        """Let faults begin and end with a new second."""
        faults = self._faults
        # What came before is not concerned.
        self.flush()
        change = faults.pass_time(second)
        self._epoch += 1
        if change is None:
            return
        self._publish(change.released)
        for planned in change.ended:
            faults.end_on_sockets(planned)
            self._note("fault", fault=str(planned), phase="ends")
            self._tell("fault", {"phase": "ends", "fault": str(planned)})
        for planned in change.begun:
            self._note("fault", fault=str(planned), phase="begins")
            self._tell("fault", {"phase": "begins", "fault": str(planned)})
            faults.begin_on_sockets(planned)
            for peer in list(self._peers):
                self._hit(peer, planned)

    def _hit(self, peer: Peer, planned: Planned) -> None:
        """Do to a connection what a fault does to each that is there."""
        name = planned.fault.name
        if name in MOMENTS or name in CUTTING or name == "half-open":
            self._note("fault", peer, fault=str(planned), phase="hits")
        if name in CUTTING:
            self._forget(peer)
        elif name == "close":
            self._part(peer, planned.value("code"), "a planned fault", _DROP_TIMEOUT_S)
        elif name == "logged-off":
            if peer.odin.logged_on:
                peer.odin.send(encode_logoff(self._second, "a planned fault"))
                peer.write()
            self._part(peer, _CLOSE_RESTART, "a planned fault", _DROP_TIMEOUT_S)

    def _hit_newcomer(self, peer: Peer) -> None:
        """Let faults of a moment that last happen to who logs on meanwhile."""
        if not peer.odin.logged_on or peer not in self._peers:
            return
        planned = self._faults.lasting(*MOMENTS)
        if planned is not None:
            if isinstance(peer.socket.transport, FaultyTransport) and planned.fault.name == "reset":
                peer.socket.transport.reset()
            self._hit(peer, planned)

    def _refuse(self, peer: Peer, refusal: Planned) -> None:
        peer.odin.refuse(refusal.value("status"), self._second)
        peer.write()
        self._hit(peer, refusal)
        self._part(peer, _CLOSE_FAULT, "the logon is refused", _DROP_TIMEOUT_S)

    def open_ledger(self) -> Ledger:
        """Return the ledger; if there is none, one in memory that begins now."""
        if self._ledger is None:
            self._epoch += 1
            self._ledger = Ledger()
            self._note("begins", kept=self._ledger.kept)
            for peer in self._peers:
                self._note("connected", peer)
                if peer.odin.logged_on:
                    self._note("logon", peer, user=peer.odin.user, accepted=True)
                for kind, keys in peer.interests():
                    if keys:
                        self._ledger.note_interest(
                            "subscribe", self._second, peer.number, kind, keys
                        )
        return self._ledger

    def _note(self, what: str, peer: Peer | None = None, **more: object) -> None:
        if self._ledger is not None:
            number = None if peer is None else peer.number
            self._ledger.note(what, self._second, number, **more)

    def _note_sent(self, peer: Peer, update: SentUpdate, forms: int) -> None:
        if self._ledger is not None and forms:
            self._ledger.note_update("update", self._second, peer.number, update)

    def _note_lost(self, update: SentUpdate, fault: str) -> None:
        if self._ledger is not None:
            self._ledger.note_update("lost", self._second, None, update, fault=fault)


class _Channel:
    """
    The short way to one client.

    Args:
        feed: Whose client it is.
        epoch: Of the feed; with the next one it is closed.
        peer: The client; None if there is no such way in this epoch.

    """

    def __init__(self, feed: FeedServer, epoch: int, peer: Peer | None) -> None:
        self.epoch = epoch
        self._feed = feed
        self._peer = peer

    @property
    def is_open(self) -> bool:
        """Whether nothing has changed, and the socket takes what is written."""
        peer = self._peer
        return (
            peer is not None
            and self.epoch == self._feed._epoch
            and not peer.congested
            and peer.socket.takes_frames
        )

    @property
    def wanted(self) -> Container[InstrumentKey]:
        """The instruments that the client wants."""
        return () if self._peer is None else self._peer.odin.touchline

    def framed(self, texts: Sequence[bytes]) -> bytes:
        """Return texts as they are written; nothing if there is none."""
        return b"" if self._peer is None else self._peer.framed(texts)

    def write(self, rows: int, texts: int, framed: bytes) -> None:
        """Send at once so many rows, of which so many are wanted."""
        if self._peer is not None:
            self._feed.write_through(self._peer, rows, texts, framed)
