"""
Who may say what when: both ends of one feed connection, as state machines.

Each end is given bytes and gives back events or messages, and bytes to send.
It performs no I/O and reads no clock. ``now`` is the feed's time, which on a
replay is the simulated one: it stands in the header (tag 66) of what is sent.

The feed's side moves through four phases::

    NEW --logon--> ASKED --accept--> LOGGED_ON
                     |                   |
                     +-----refuse--------+----> REFUSED --logon--> ASKED

A client need not wait for its answer: requests behind the logon are taken in
``ASKED`` too, and their events follow :class:`LogonAsked` in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, KeysView, Sequence, Set
from enum import Enum, StrEnum, auto
from typing import Protocol, cast

import msgspec

from streamer.errors import MessageError
from streamer.odin.framing import (
    Dialect,
    RequestDecoder,
    ResponseDecoder,
    Run,
    encode_frames,
    encode_queue,
    encode_request_frame,
)
from streamer.odin.messages import (
    BestFiveRequest,
    Disconnect,
    FeedMessage,
    HeartbeatRequest,
    KeepAlive,
    Logoff,
    Logon,
    LogonAnswer,
    LtpRequest,
    Pause,
    Request,
    TouchlineRequest,
    UnknownRequest,
    decode_body,
    decode_body_as_ticks,
    decode_request,
    encode_heartbeat,
    encode_logon_answer,
    encode_request,
)
from streamer.odin.tags import LOGON_ACCEPTED, InstrumentKey

MAX_INSTRUMENTS = 20_000
"""Subscriptions one connection may hold, over all three kinds."""

PAIRS_PER_REQUEST = 50
"""The batch that the original streamer used against live feeds."""


class Kind(StrEnum):
    """The three independent kinds of subscription."""

    TOUCHLINE = "touchline"
    LTP = "ltp"
    BEST_FIVE = "best_five"


class Encodings(Protocol):
    """One update of one instrument in every form of the wire, each encoded at most once."""

    @property
    def key(self) -> InstrumentKey:
        """The instrument."""

    @property
    def ltp(self) -> int:
        """The last traded price, scaled."""

    @property
    def text(self) -> bytes:
        """The touchline as a text."""

    @property
    def native(self) -> bytes:
        """The touchline with its native block."""

    @property
    def ltp_text(self) -> bytes:
        """The LTP touchline."""

    @property
    def best_five(self) -> bytes:
        """The best five message."""


class TouchlineMode(msgspec.Struct, frozen=True, gc=False):
    """How a connection wants an instrument's touchlines."""

    native: bool = False
    on_change: bool = False


class LogonAsked(msgspec.Struct, frozen=True, gc=False):
    """A client asks to be let in; answer by ``accept`` or ``refuse``."""

    request: Logon


class InterestChanged(msgspec.Struct, frozen=True, gc=False):
    """
    A client subscribed or unsubscribed.

    ``added`` are the instruments asked for, in order, also those that were
    subscribed already: the present state of each is due at once, by
    ``send_state``. ``removed`` are those that were subscribed until now.
    """

    kind: Kind
    added: tuple[InstrumentKey, ...] = ()
    removed: tuple[InstrumentKey, ...] = ()


class Resumed(msgspec.Struct, frozen=True, gc=False):
    """A client ended its pause: the present state of all its subscriptions is due once."""


class KeptAlive(msgspec.Struct, frozen=True, gc=False):
    """A client gave a sign of life."""


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Something a client sent was ignored, in whole or in part."""

    problem: str


ServerEvent = LogonAsked | InterestChanged | Resumed | KeptAlive | Refused


class _Phase(Enum):
    NEW = auto()
    ASKED = auto()
    LOGGED_ON = auto()
    REFUSED = auto()


_LISTENING = frozenset({_Phase.ASKED, _Phase.LOGGED_ON})
"""The phases in which requests other than a logon are taken."""


class ServerConnection:
    """
    The feed's side of one client's connection.

    Everything it sends waits in a queue until :meth:`data_to_send`. The queue
    has no bound of its own: the caller, who knows how fast the socket is,
    looks at ``queued_messages`` and decides.

    Args:
        level: Level of zlib compression.
        batch: The most messages in one frame.
        max_instruments: The most subscriptions; what is asked beyond is
            ignored and told by :class:`Refused`.

    """

    def __init__(
        self, *, level: int = 1, batch: int = 128, max_instruments: int = MAX_INSTRUMENTS
    ) -> None:
        self.user = ""
        self.paused = False
        self.touchline: dict[InstrumentKey, TouchlineMode] = {}
        self.ltp: dict[InstrumentKey, None] = {}
        self.best_five: dict[InstrumentKey, None] = {}
        self._level = level
        self._batch = batch
        self._max_instruments = max_instruments
        self._phase = _Phase.NEW
        self._asked = Logon("")
        self._decoder = RequestDecoder()
        self._queue: list[bytes | Run] = []
        self._has_runs = False
        self._last_ltp: dict[InstrumentKey, int] = {}
        self._compared: Set[InstrumentKey] | None = None
        self._wants_those = False

    @property
    def logged_on(self) -> bool:
        """Whether the client was let in."""
        return self._phase is _Phase.LOGGED_ON

    @property
    def queued_messages(self) -> int:
        """How many messages wait for :meth:`data_to_send`."""
        return sum(len(item.marks) - 1 if isinstance(item, Run) else 1 for item in self._queue)

    @property
    def has_interest(self) -> bool:
        """Whether an instrument is wanted in any form."""
        return bool(self.touchline or self.ltp or self.best_five)

    def interest(self) -> KeysView[InstrumentKey]:
        """Return the instruments wanted in any form, each once, oldest first by kind."""
        return (self.touchline | self.ltp | self.best_five).keys()

    def text_interest(self) -> Iterator[InstrumentKey]:
        """Return the instruments whose touchlines are wanted as text."""
        return (key for key, mode in self.touchline.items() if not mode.native)

    def receive(self, data: bytes, now: int) -> list[ServerEvent]:
        """
        Take what came from the socket; return what it means, in order.

        Heartbeats are answered at once. Requests before a logon are ignored.
        After a :class:`LogonAsked` that is refused, the events behind it are
        of no interest.

        Raises:
            FrameError: If the stream cannot be followed; the connection must
                end.

        """
        events: list[ServerEvent] = []
        lost = self._decoder.lost_frames
        texts = self._decoder.feed(data)
        for text in texts:
            try:
                request = decode_request(text)
            except MessageError as error:
                events.append(Refused(str(error)))
                continue
            if isinstance(request, Logon) or self._phase in _LISTENING:
                events += self._take(request, now)
        if self._decoder.lost_frames > lost:
            events.append(Refused(str(self._decoder.last_problem)))
        return events

    def _take(self, request: Request, now: int) -> Iterable[ServerEvent]:
        match request:
            case Logon():
                self._asked = request
                if self._phase is not _Phase.LOGGED_ON:
                    self._phase = _Phase.ASKED
                return [LogonAsked(request)]
            case TouchlineRequest(instruments=keys, subscribe=subscribe, skipped=skipped):
                mode = TouchlineMode(request.native, request.on_change)
                return self._change(Kind.TOUCHLINE, keys, mode if subscribe else None, skipped)
            case LtpRequest(instruments=keys, subscribe=subscribe, skipped=skipped):
                plain = TouchlineMode() if subscribe else None
                return self._change(Kind.LTP, keys, plain, skipped)
            case BestFiveRequest(instrument=key, subscribe=subscribe):
                plain = TouchlineMode() if subscribe else None
                return self._change(Kind.BEST_FIVE, (key,), plain, 0)
            case Pause(paused=paused):
                resumed = self.paused and not paused
                self.paused = paused
                return [Resumed()] if resumed else []
            case HeartbeatRequest(echo=echo):
                self._queue.append(encode_heartbeat(now, echo))
                return [KeptAlive()]
            case KeepAlive():
                return [KeptAlive()]
            case UnknownRequest(code=code):
                return [Refused(f"found a request with code {code}, which is not known")]

    def _change(
        self,
        kind: Kind,
        keys: tuple[InstrumentKey, ...],
        mode: TouchlineMode | None,
        skipped: int,
    ) -> Iterable[ServerEvent]:
        """Subscribe ``keys`` in a mode, or unsubscribe them if there is none."""
        if skipped:
            yield Refused(f"skipped {skipped} instruments that could not be read")
        if mode is None:
            removed = tuple(key for key in dict.fromkeys(keys) if self._drop(kind, key))
            if removed:
                yield InterestChanged(kind, removed=removed)
            return
        wanted = tuple(dict.fromkeys(keys))
        added = tuple(key for key in wanted if self._add(kind, key, mode))
        if len(added) < len(wanted):
            yield Refused(
                f"ignored {len(wanted) - len(added)} subscriptions beyond"
                f" the limit of {self._max_instruments}"
            )
        if added:
            yield InterestChanged(kind, added=added)

    def _add(self, kind: Kind, key: InstrumentKey, mode: TouchlineMode) -> bool:
        """Subscribe one instrument unless the limit forbids it; tell whether it is subscribed."""
        self._compared = None
        subscribed = self._subscribed(kind)
        held = len(self.touchline) + len(self.ltp) + len(self.best_five)
        if key not in subscribed and held >= self._max_instruments:
            return False
        if kind is Kind.TOUCHLINE:
            self.touchline[key] = mode
            self._last_ltp.pop(key, None)
        elif kind is Kind.LTP:
            self.ltp[key] = None
        else:
            self.best_five[key] = None
        return True

    def _drop(self, kind: Kind, key: InstrumentKey) -> bool:
        """Unsubscribe one instrument; tell whether it was subscribed."""
        self._compared = None
        subscribed = self._subscribed(kind)
        if key not in subscribed:
            return False
        del subscribed[key]
        if kind is Kind.TOUCHLINE:
            self._last_ltp.pop(key, None)
        return True

    def _subscribed(
        self, kind: Kind
    ) -> dict[InstrumentKey, TouchlineMode] | dict[InstrumentKey, None]:
        if kind is Kind.TOUCHLINE:
            return self.touchline
        return self.ltp if kind is Kind.LTP else self.best_five

    def accept(self, now: int, *, simulated: bool, status: int = LOGON_ACCEPTED) -> None:
        """
        Let the client in: queue the answer, ahead of everything that waits already.

        Args:
            now: The feed's time.
            simulated: Say in a private tag that the feed is a simulator.
            status: 10000, or 10004 if the password expires soon.

        """
        self._phase = _Phase.LOGGED_ON
        self.user = self._asked.user
        answer = LogonAnswer(status, simulated=simulated)
        # Some clients ignore whatever comes before the answer.
        self._queue.insert(0, encode_logon_answer(answer, now))

    def refuse(self, status: int, now: int) -> None:
        """
        Turn the client away: queue the answer and drop what else it asked for.

        The caller then closes the socket, with a code other than 1000 and
        1001, which some clients take for a good end.
        """
        self._phase = _Phase.REFUSED
        self.user = ""
        self.paused = False
        self._compared = None
        for subscribed in (self.touchline, self.ltp, self.best_five, self._last_ltp):
            subscribed.clear()
        self._queue = [encode_logon_answer(LogonAnswer(status), now)]
        self._has_runs = False

    def send(self, message: bytes) -> None:
        """Queue the text of one message, whatever the client asked for."""
        self._queue.append(message)

    def publish(self, update: Encodings) -> int:
        """Queue an update in each form that the client wants of its instrument; return how many."""
        if self.paused or self._phase is not _Phase.LOGGED_ON:
            return 0
        key = update.key
        queue = self._queue
        before = len(queue)
        mode = self.touchline.get(key)
        if mode is not None and not (mode.on_change and self._last_ltp.get(key, -1) == update.ltp):
            self._send_touchline(update, mode)
        if key in self.ltp:
            queue.append(update.ltp_text)
        if key in self.best_five:
            queue.append(update.best_five)
        return len(queue) - before

    def wants_texts_of(self, keys: Set[InstrumentKey]) -> bool:
        """
        Tell whether every touchline of these instruments is wanted as text, and nothing else.

        It is told fast while ``keys`` is the same object and no subscription changes.
        """
        if self.paused or self._phase is not _Phase.LOGGED_ON or self.ltp or self.best_five:
            return False
        if self._compared is not keys:
            self._compared = keys
            plain = TouchlineMode()
            self._wants_those = self.touchline.keys() == keys and all(
                mode == plain for mode in self.touchline.values()
            )
        return self._wants_those

    @property
    def wants_texts_alone(self) -> bool:
        """Whether updates go out as the texts of touchlines, in no other form and mode."""
        return self.wants_texts_of(self.touchline.keys())

    def publish_run(self, run: Run) -> int:
        """
        Queue the texts of updates of which :meth:`wants_texts_of` is true; return how many.

        It comes to what publishing the updates one by one comes to.
        """
        self._queue.append(run)
        self._has_runs = True
        return len(run.marks) - 1

    def send_state(self, kind: Kind, update: Encodings) -> None:
        """
        Queue the present state of an instrument in one form, if it is subscribed so.

        This is the answer of a subscribe and, for each subscription, of a
        resume; a state is sent whether or not the price has changed.
        """
        if self.paused or self._phase is not _Phase.LOGGED_ON:
            return
        key = update.key
        match kind:
            case Kind.TOUCHLINE if key in self.touchline:
                self._send_touchline(update, self.touchline[key])
            case Kind.LTP if key in self.ltp:
                self._queue.append(update.ltp_text)
            case Kind.BEST_FIVE if key in self.best_five:
                self._queue.append(update.best_five)

    def _send_touchline(self, update: Encodings, mode: TouchlineMode) -> None:
        if mode.on_change:
            self._last_ltp[update.key] = update.ltp
        self._queue.append(update.native if mode.native else update.text)

    def frames_of(self, texts: Sequence[bytes]) -> list[bytes]:
        """Return texts past the queue, at most as many as the batch, as whole frames."""
        return encode_frames(texts, self._level)

    def data_to_send(self) -> list[bytes]:
        """Empty the queue; return whole frames in order, each one WebSocket message."""
        queue = self._queue
        if not queue:
            return []
        self._queue = []
        if not self._has_runs and len(queue) <= self._batch:
            return encode_frames(cast(list[bytes], queue), self._level)
        self._has_runs = False
        return encode_queue(queue, self._batch, self._level)


class ClientConnection:
    """
    The adapter's side: log on, subscribe, read.

    Args:
        user: The user id of the logon.
        key: The password or token of the logon, if the feed wants one.
        dialect: How requests are framed and written.
        ticks: Return ticks in place of touchlines.

    """

    def __init__(
        self,
        user: str,
        key: str = "",
        *,
        dialect: Dialect = Dialect.PLAIN,
        ticks: bool = False,
    ) -> None:
        self.logged_on = False
        self.unusable = 0
        self.last_problem: MessageError | None = None
        self._logon = Logon(user, key)
        self._decode = decode_body_as_ticks if ticks else decode_body
        self._dialect = dialect
        self._decoder = ResponseDecoder()

    def logon(self, now: int) -> bytes:
        """Return the frame that asks the feed to be let in."""
        return self._frame(self._logon, now)

    def receive(self, data: bytes) -> list[FeedMessage]:
        """
        Return the messages that ``data`` completes, in order.

        Messages and frames that cannot be used are left out, counted in
        ``unusable``, the latest described in ``last_problem``. ``logged_on``
        follows the feed's answers.

        Raises:
            FrameError: If the stream cannot be followed; the connection must
                end. What ``data`` held before that point is lost with it.

        """
        lost = self._decoder.lost_frames
        messages: list[FeedMessage] = []
        try:
            for body in self._decoder.feed(data):
                decoded, problems = self._decode(body)
                messages += decoded
                if problems:
                    self.unusable += len(problems)
                    self.last_problem = problems[-1]
        finally:
            # A frame whose length is told wrong is lost, and with it the stream.
            if self._decoder.lost_frames > lost:
                self.unusable += self._decoder.lost_frames - lost
                self.last_problem = self._decoder.last_problem
        for message in messages:
            if isinstance(message, LogonAnswer):
                self.logged_on = message.accepted
            elif isinstance(message, Logoff | Disconnect):
                self.logged_on = False
        return messages

    def subscribe(
        self,
        keys: Sequence[InstrumentKey],
        now: int,
        *,
        native: bool = False,
        on_change: bool = False,
    ) -> list[bytes]:
        """Return the frames that subscribe touchlines, at most fifty instruments in each."""
        return self._batches(
            keys, now, lambda batch: TouchlineRequest(batch, True, native, on_change)
        )

    def unsubscribe(self, keys: Sequence[InstrumentKey], now: int) -> list[bytes]:
        """Return the frames that unsubscribe touchlines, at most fifty instruments in each."""
        return self._batches(keys, now, lambda batch: TouchlineRequest(batch, False))

    def subscribe_ltp(
        self, keys: Sequence[InstrumentKey], now: int, *, subscribe: bool = True
    ) -> list[bytes]:
        """Return the frames that subscribe or unsubscribe LTP touchlines."""
        return self._batches(keys, now, lambda batch: LtpRequest(batch, subscribe))

    def subscribe_best_five(
        self, keys: Sequence[InstrumentKey], now: int, *, subscribe: bool = True
    ) -> list[bytes]:
        """Return the frames that subscribe or unsubscribe best five, one for each instrument."""
        return [self._frame(BestFiveRequest(key, subscribe), now) for key in keys]

    def heartbeat(self, now: int, echo: str = "") -> bytes:
        """Return the frame that asks for a sign of life."""
        return self._frame(HeartbeatRequest(echo), now)

    def pause(self, now: int) -> bytes:
        """Return the frame that stops all updates."""
        return self._frame(Pause(True), now)

    def resume(self, now: int) -> bytes:
        """Return the frame that lets updates flow again."""
        return self._frame(Pause(False), now)

    def _batches(
        self,
        keys: Sequence[InstrumentKey],
        now: int,
        request: Callable[[tuple[InstrumentKey, ...]], Request],
    ) -> list[bytes]:
        return [
            self._frame(request(tuple(keys[start : start + PAIRS_PER_REQUEST])), now)
            for start in range(0, len(keys), PAIRS_PER_REQUEST)
        ]

    def _frame(self, request: Request, now: int) -> bytes:
        return encode_request_frame(encode_request(request, now, self._dialect), self._dialect)
