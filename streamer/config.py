"""
What the server can be told: every option with its default, and the file of options.

The command line, the environment and a TOML file give the same options;
`streamer.cli` joins them. This module imports nothing heavy, so that
``--help`` is quick.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from streamer.access import MIN_TOKEN_CHARACTERS
from streamer.errors import ConfigError

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", re.ASCII)
_UNIT_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """
    The options of ``odin-streamer serve``, checked one by one and together.

    Times are in seconds.
    """

    upstream: str
    upstream_user: str = "ODIN"
    upstream_key: str = ""
    upstream_dialect: Literal["plain", "+4"] = "plain"
    clock: Literal["wall", "feed"] = "wall"
    host: str = "localhost"
    port: int = 8080
    db: Path | None = None
    durability: Literal["process", "power"] = "process"
    instruments: tuple[Path, ...] = ()
    calendar: Path | None = None
    origin: tuple[str, ...] = ()
    tokens: Path | None = None
    admin_token: str = ""
    closed_policy: Literal["accept", "reject"] = "accept"
    session_ttl: float = 30 * 86400.0
    max_subscriptions: int = 5000
    max_connections: int = 10_000
    request_rate: float = 50.0
    request_burst: float = 200.0
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    stall: float = 10.0
    drain_s: float = 5.0
    max_message_bytes: int = 256 * 1024
    high_water_bytes: int = 256 * 1024
    compression: bool = False
    event_loop: Literal["asyncio", "uvloop"] = "asyncio"
    lossless: bool = False
    until_logoff: bool = False
    events: bool = False
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"

    def __post_init__(self) -> None:
        url = urlsplit(self.upstream)
        if url.scheme not in ("ws", "wss") or not url.hostname:
            raise ConfigError(
                f"upstream is {self.upstream!r}; expected a WebSocket address such as "
                "ws://127.0.0.1:4509"
            )

        token = self.admin_token
        if token and (len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or " " in token):
            raise ConfigError(
                f"admin_token has {len(token)} characters, or some that a header cannot carry; "
                f"expected {MIN_TOKEN_CHARACTERS} or more, ASCII without blanks"
            )

    def session_file(self, environ: Mapping[str, str]) -> Path:
        """
        Return where sessions are kept.

        Sessions of simulated runs have a default file of their own, so that
        playing a recording never touches those of production.
        """
        if self.db is not None:
            return self.db
        state = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        name = "simulated-sessions.db" if self.clock == "feed" else "sessions.db"
        return Path(state) / "odin-streamer" / name


def read_options(path: Path, known: Collection[str]) -> dict[str, object]:
    """
    Return the options that a TOML file gives, as they stand there.

    Raises:
        ConfigError: If the file cannot be read, is no TOML, or has a key that
            is not ``known``; the text lists those that are.

    """
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise ConfigError(
            f"{path}: found no TOML ({error}); expected lines of NAME = VALUE"
        ) from error
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ConfigError(
            f"{path}: found the unknown {'key' if len(unknown) == 1 else 'keys'} "
            f"{', '.join(unknown)}; expected any of {', '.join(sorted(known))}"
        )
    return options


def parse_duration(text: str) -> float:
    """
    Return the seconds of a duration such as ``20``, ``1.5``, ``30s``, ``5m``, ``24h`` or ``30d``.

    Raises:
        ValueError: If ``text`` is written in any other way.

    """
    match = _DURATION.fullmatch(text.lower())
    if match is None or match[2] not in _UNIT_SECONDS:
        raise ValueError(f"found {text!r}; expected seconds, or a number with s, m, h or d")
    return float(match[1]) * _UNIT_SECONDS[match[2]]
