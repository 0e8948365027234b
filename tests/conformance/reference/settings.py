"""The options of the reference server, as values."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Settings(NamedTuple):
    """What the command line says; the defaults are those of the rules."""

    state: Path
    port: int = 0
    feed: str | None = None
    clock: str = "feed"
    window: str | None = None
    closed_policy: str = "accept"
    max_subscriptions: int = 5000
    max_connections: int = 10_000
    max_message_bytes: int = 256 * 1024
    request_rate: float = 50.0
    request_burst: float = 200.0
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    stall: float = 10.0
    session_ttl: float = 30 * 86_400.0
    drain: float = 0.5
    origins: tuple[str, ...] = ()
