"""
The server under test, as its target file or a bare address describes it. Values alone.

A file is TOML; targets/foreign.toml explains every key. A key that is not known
is refused, so that a slip of the pen does not quietly judge something else.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from conformance.tape import QUIET, STOCKS, Stock

__all__ = ["ClockTarget", "FeedTarget", "ServerTarget", "Target", "TargetError", "filled"]

PLACEHOLDERS: Final = (
    "port",
    "state",
    "feed",
    "control",
    "tape",
    "feed_port",
    "control_port",
    "pid",
)

TIME_PLACEHOLDERS: Final = ("date", "time", "datetime", "epoch_ms")

DEFAULT_FEED: Final = (
    "odin-sim",
    "replay",
    "{tape}",
    "--feed-only",
    "--hold",
    "--from",
    "09:00",
    "--start-on",
    "first-client",
    "--feed-port",
    "{feed_port}",
    "--control-port",
    "{control_port}",
)

Command = str | list[str]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class TargetError(Exception):
    """A target file cannot be used; the message says what was found and what was expected."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    pass


class _Server(_Strict, frozen=True):
    url: str = "ws://localhost:{port}/enhanced-stream"
    start: Command | None = None
    stop: Command | None = None
    kill: Command | None = None
    cwd: str | None = None
    env: dict[str, str] = {}
    ready_s: Seconds = 30.0
    stop_s: Seconds = 15.0
    variants: dict[str, list[str]] = {}


class _Feed(_Strict, frozen=True):
    kind: Literal["simulator", "live", "none"] = "simulator"
    start: Command = msgspec.field(default_factory=lambda: list(DEFAULT_FEED))
    ready_s: Seconds = 30.0


class _Clock(_Strict, frozen=True):
    drivers: list[Literal["feed", "faketime", "window", "command", "wall"]] = msgspec.field(
        default_factory=lambda: ["feed", "wall"]
    )
    command: Command | None = None
    window: list[str] = []


class _Stock(_Strict, frozen=True):
    symbol: str
    token: str
    exchange: str = "NSE"


class _File(_Strict, frozen=True):
    name: str
    server: _Server = _Server()
    feed: _Feed = _Feed()
    clock: _Clock = _Clock()
    features: dict[str, bool] = {}
    expected_failures: dict[str, str] = {}
    stocks: list[_Stock] = []
    quiet_stocks: list[_Stock] = []


@dataclass(frozen=True, kw_only=True)
class ServerTarget:
    """How the server is reached, started and ended; commands with their placeholders."""

    url: str
    start: tuple[str, ...] = ()
    """Empty if the suite does not start it."""
    stop: tuple[str, ...] = ()
    """Empty: SIGTERM."""
    kill: tuple[str, ...] = ()
    """Empty: SIGKILL."""
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    ready_s: float = 30.0
    stop_s: float = 15.0
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Arguments that are added to ``start``, by the names that cases know."""


@dataclass(frozen=True, kw_only=True)
class FeedTarget:
    """What feeds the server."""

    kind: Literal["simulator", "live", "none"]
    start: tuple[str, ...] = DEFAULT_FEED
    ready_s: float = 30.0


@dataclass(frozen=True, kw_only=True)
class ClockTarget:
    """How the server's idea of the market's time may be moved, in order of preference."""

    drivers: tuple[str, ...]
    command: tuple[str, ...] = ()
    window: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """All that the suite knows of the server under test."""

    name: str
    server: ServerTarget
    feed: FeedTarget
    clock: ClockTarget
    features: Mapping[str, bool] = field(default_factory=dict)
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    """Reasons by case id, family or pattern."""
    stocks: tuple[Stock, ...] = STOCKS
    quiet: tuple[Stock, ...] = QUIET
    source: str = ""
    """What the user gave: a file or an address."""

    def has(self, feature: str) -> bool:
        """Return whether the server has a feature; it has all that the file does not deny."""
        return self.features.get(feature, True)

    @classmethod
    def of_url(cls, url: str) -> Target:
        """
        Return a server that runs already: nothing is known but its address.

        Raises:
            TargetError: If the address is none.

        """
        parts = urlsplit(url)
        try:
            usable = parts.scheme in ("ws", "wss", "http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            usable = False
        if not usable:
            raise TargetError(f"{url!r} found; an address expected: ws://localhost:8080")
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        path = parts.path if parts.path not in ("", "/") else "/enhanced-stream"
        return cls(
            name=parts.netloc,
            server=ServerTarget(url=f"{scheme}://{parts.netloc}{path}"),
            feed=FeedTarget(kind="none"),
            clock=ClockTarget(drivers=("wall",)),
            source=url,
        )

    @classmethod
    def of_file(cls, path: Path) -> Target:
        """
        Read a target file.

        Raises:
            TargetError: If it cannot be read, or says something that is not known.

        """
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            file = msgspec.convert(document, _File)
        except OSError as error:
            raise TargetError(f"{path}: {error.strerror}") from None
        except msgspec.ValidationError as error:
            raise TargetError(f"{path}: {error}") from None
        except ValueError as error:
            commented = Path(__file__).parent / "targets" / "foreign.toml"
            raise TargetError(
                f"{path} is no TOML: {error}; expected a target file, as {commented}"
            ) from None
        server = file.server
        target = cls(
            name=file.name,
            server=ServerTarget(
                url=server.url,
                start=_words(server.start),
                stop=_words(server.stop),
                kill=_words(server.kill),
                cwd=None if server.cwd is None else path.parent / server.cwd,
                env=server.env,
                ready_s=server.ready_s,
                stop_s=server.stop_s,
                variants={name: tuple(more) for name, more in server.variants.items()},
            ),
            feed=FeedTarget(
                kind=file.feed.kind, start=_words(file.feed.start), ready_s=file.feed.ready_s
            ),
            clock=ClockTarget(
                drivers=tuple(file.clock.drivers),
                command=_words(file.clock.command),
                window=tuple(file.clock.window),
            ),
            features=file.features,
            expected_failures=file.expected_failures,
            stocks=_stocks(file.stocks) or STOCKS,
            quiet=_stocks(file.quiet_stocks) or QUIET,
            source=str(path),
        )
        target._check(path)
        return target

    def _check(self, path: Path) -> None:
        commands = [self.server.start, self.server.stop, self.server.kill, self.feed.start]
        commands += self.server.variants.values()
        texts = [word for command in commands for word in command]
        texts += [self.server.url, *self.server.env.values()]
        self._check_places(path, texts, PLACEHOLDERS)
        self._check_places(path, list(self.clock.command), (*PLACEHOLDERS, *TIME_PLACEHOLDERS))
        self._check_places(path, list(self.clock.window), ("open", "close"))
        if "command" in self.clock.drivers and not self.clock.command:
            raise TargetError(f"{path}: clock driver 'command' found; clock.command expected too")
        if "window" in self.clock.drivers and not self.clock.window:
            raise TargetError(f"{path}: clock driver 'window' found; clock.window expected too")

    def _check_places(self, path: Path, texts: list[str], known: tuple[str, ...]) -> None:
        blank = dict.fromkeys(known, "")
        for text in texts:
            try:
                text.format_map(blank)
            except (KeyError, ValueError, IndexError):
                names = ", ".join(f"{{{name}}}" for name in known)
                raise TargetError(
                    f"{path}: {text!r} has a placeholder that is not known; expected any of {names}"
                ) from None


def filled(command: tuple[str, ...], values: Mapping[str, object]) -> list[str]:
    """Return a command with its placeholders filled in."""
    return [word.format_map(values) for word in command]


def _words(command: Any) -> tuple[str, ...]:
    if command is None:
        return ()
    return tuple(shlex.split(command) if isinstance(command, str) else command)


def _stocks(stocks: list[_Stock]) -> tuple[Stock, ...]:
    known = {(stock.token, stock.exchange): stock for stock in (*STOCKS, *QUIET)}
    return tuple(
        known.get((s.token, s.exchange), Stock(s.symbol, s.token, s.exchange)) for s in stocks
    )
