"""
A client and its connection, as the hub knows them.

A client is an identity with subscriptions; it outlives its connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from streamer.clients import ClientRecord, Delivery
from streamer.odin.tags import InstrumentKey
from streamer.outbox import DEFAULT_MAX_BYTES, Outbox
from streamer.rates import SECOND_NS, TokenBucket

ABUSE_FACTOR: Final = 3


class HubSettings(msgspec.Struct, frozen=True):
    """The limits and policies of a hub; every one of them bounds what a peer can grow."""

    max_subscriptions: int = 5000
    max_connections: int = 10_000
    max_clients: int = 100_000
    request_rate: float = 50.0
    request_burst: float = 200.0
    takeovers: int = 3
    takeover_window_s: float = 10.0
    session_ttl_s: float = 30 * 86400.0
    made_up_ttl_s: float = 86400.0
    linger_s: float = 30.0
    closed_policy: Literal["accept", "reject"] = "accept"
    max_outbox_bytes: int = DEFAULT_MAX_BYTES
    lossless: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Why a connection is not upgraded: an HTTP status and a JSON body."""

    status: int
    body: Mapping[str, object]

    @classmethod
    def because(cls, status: int, code: str, message: str) -> Refusal:
        """Return a refusal whose body is shaped as an error reply (rule S-9)."""
        return cls(status, {"type": "error", "status": "error", "message": message, "code": code})


class Client:
    """
    An identity and what it subscribes to, oldest first.

    Args:
        client_id: Its name.
        principal: Whose access token made it, when tokens are in use (rule P-4).
        made_up: Whether the server chose the name (rule P-5).
        now: The machine's time.

    """

    __slots__ = (
        "client_id",
        "connection",
        "delivery",
        "last_seen",
        "made_up",
        "principal",
        "subscriptions",
        "takeovers",
        "unlisted",
    )

    def __init__(self, client_id: str, principal: str | None, made_up: bool, now: int) -> None:
        self.client_id = client_id
        self.principal = principal
        self.made_up = made_up
        self.last_seen = now
        self.delivery: Delivery = "latest"
        self.connection: Connection | None = None
        self.subscriptions: tuple[InstrumentKey, ...] = ()
        """No instrument twice. A tuple, because most clients are many and change little."""
        self.unlisted: tuple[InstrumentKey, ...] = ()
        """What an earlier list of instruments knew; kept for the day when it is back."""
        self.takeovers: list[int] = []

    @classmethod
    def from_record(cls, record: ClientRecord, listed: tuple[InstrumentKey, ...]) -> Client:
        """Return the client of ``record``, of whose instruments ``listed`` are known now."""
        client = cls(record.client_id, record.principal, record.made_up, record.last_seen)
        client.delivery = record.delivery
        client.subscriptions = listed
        if len(listed) < len(record.instruments):
            known = set(listed)
            client.unlisted = tuple(key for key in record.instruments if key not in known)
        return client

    def record(self) -> ClientRecord:
        """Return what of this client is kept on disk."""
        return ClientRecord(
            client_id=self.client_id,
            instruments=(*self.subscriptions, *self.unlisted),
            last_seen=self.last_seen,
            delivery=self.delivery,
            principal=self.principal,
            made_up=self.made_up,
        )

    @property
    def is_worth_keeping(self) -> bool:
        """Whether there is anything to restore when the client comes again."""
        return bool(self.subscriptions or self.unlisted)

    def recent_takeovers(self, since: int) -> int:
        """Return how often the client was taken over after ``since``."""
        self.takeovers = [at for at in self.takeovers if at > since]
        return len(self.takeovers)


class Connection:
    """
    The hub's half of a client's socket.

    ``outbox`` holds what is to be written. Once ``closing`` is set, to a close
    code and a reason, the owner writes the outbox and closes the socket.
    """

    __slots__ = (
        "_abuse",
        "_requests",
        "client",
        "closing",
        "heartbeat_ns",
        "last_quotes",
        "live",
        "outbox",
    )

    def __init__(
        self,
        client: Client,
        settings: HubSettings,
        heartbeat_ns: int,
        now: int,
        *,
        deflates: bool = False,
    ) -> None:
        self.client = client
        self.heartbeat_ns = heartbeat_ns
        self.closing: tuple[int, str] | None = None
        self.live = True
        """Whether this is its client's connection: false after a takeover or a disconnect."""
        self.last_quotes: dict[InstrumentKey, int] = {}
        """The last known quotes that it is still to get (rule M-4), with their ``seq``."""
        self.outbox = Outbox(
            conflate=not settings.lossless and client.delivery == "latest",
            max_bytes=settings.max_outbox_bytes,
            deflates=deflates,
        )
        rate, burst = settings.request_rate, settings.request_burst
        self._requests = TokenBucket(rate, burst, now)
        self._abuse = TokenBucket(rate * ABUSE_FACTOR, burst * ABUSE_FACTOR, now)

    @property
    def client_id(self) -> str:
        """Whose connection this is."""
        return self.client.client_id

    def drop_quote(self, key: InstrumentKey) -> None:
        """Let no quote of ``key`` follow any more (rule M-2)."""
        self.last_quotes.pop(key, None)
        self.outbox.drop_quote(key)

    def count_request(self, now: int) -> tuple[int, bool]:
        """Count a request; return how many ms too early it came, and whether it is abuse (R-7)."""
        wait_ns = self._requests.take(now)
        return -(-wait_ns // 1_000_000), self._abuse.take(now) > 0


def seconds(value: float) -> int:
    """Return a number of seconds in nanoseconds."""
    return round(value * SECOND_NS)
