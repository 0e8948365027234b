"""
Options that the commands which run a market have in common, and what their texts become.

Each is a decorator; a command puts them in the order of its help.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamer.errors import ConfigError

if TYPE_CHECKING:
    from simulator.faults import Planned
    from simulator.scenarios import Scenario

__all__ = [
    "FILE",
    "default_db",
    "faults_options",
    "ledger_options",
    "refuse_unusable",
    "server_options",
    "speed_option",
    "start_on_option",
]

FILE = click.Path(dir_okay=False, path_type=Path)

_LATENESS = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s)", re.ASCII)
_LATENESS_NS = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}

_Command = TypeVar("_Command", bound=Callable[..., object])


def _speed(value: object) -> str:
    from simulator.clock import parse_rate

    text = str(value).strip().lower()
    try:
        parse_rate(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return text


def _faults(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[Planned, ...]:
    from simulator.faults import parse_planned

    try:
        return tuple(parse_planned(value) for value in values)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def _scenario(_: click.Context, __: click.Parameter, value: str | None) -> Scenario | None:
    from simulator.scenarios import load_scenario

    try:
        return None if value is None else load_scenario(value)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def _lateness(value: object) -> int:
    """Return the nanoseconds of a bound such as ``5ms``."""
    found = _LATENESS.fullmatch(str(value).strip().lower())
    if found is None:
        raise click.BadParameter(f"found {value!r}; expected a time such as 5ms, 500us or 1s")
    return round(float(found[1]) * _LATENESS_NS[found[2]])


def _reports(_: click.Context, __: click.Parameter, values: tuple[Path, ...]) -> tuple[Path, ...]:
    from simulator.run_report import SUFFIXES

    for path in values:
        if path.suffix.lower() not in SUFFIXES:
            raise click.BadParameter(
                f"found {path}; expected a name that ends in {' or '.join(SUFFIXES)}"
            )
        if not path.absolute().parent.is_dir():
            raise click.BadParameter(f"there is no folder {path.parent}")
    return values


def default_db() -> Path:
    """Return the file that keeps what clients subscribe, unless another is given."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "odin-streamer" / "simulated-sessions.db"


def refuse_unusable(max_p99_late_ns: int | None, speed: str) -> None:
    """Raise UsageError for a bound that nothing can break."""
    if max_p99_late_ns is not None and speed == "max":
        raise click.UsageError("--max-p99-late needs a --speed: at max nothing is late")


def _together(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Return a decorator that adds options in their order."""

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


speed_option = _together(
    click.option(
        "--speed",
        default="1",
        show_default=True,
        type=_speed,
        metavar="N|max",
        help="Simulated seconds per second, 0.01 to 10000, or max: as fast as it goes.",
    ),
)

start_on_option = _together(
    click.option(
        "--start-on",
        default="now",
        show_default=True,
        type=click.Choice(["now", "first-client", "subscribe"]),
        help="What starts the clock: nothing, the first client, or the first subscriptions (when "
        "none has changed for 250 ms).",
    ),
)

server_options = _together(
    click.option(
        "--feed-only", is_flag=True, help="Start the feed alone, for a streaming server elsewhere."
    ),
    click.option(
        "--lossless",
        is_flag=True,
        help="Hold the feed back for slow clients, so that every client gets every update.",
    ),
    click.option(
        "--host",
        default="localhost",
        show_default=True,
        help="Address that all ports listen on.",
    ),
    click.option(
        "--port",
        default=8080,
        show_default=True,
        type=click.IntRange(0, 65535),
        help="Port of the streaming server; 0 picks a free one.",
    ),
    click.option(
        "--feed-port",
        default=4509,
        show_default=True,
        type=click.IntRange(0, 65535),
        help="Port of the feed; 0 picks a free one.",
    ),
    click.option(
        "--control-port",
        default=4510,
        show_default=True,
        type=click.IntRange(0, 65535),
        help="Port of the console page, the control API and the REST logon; 0 picks a free one.",
    ),
    click.option(
        "--db",
        type=FILE,
        help="File that keeps what clients subscribe.  [default: "
        "odin-streamer/simulated-sessions.db in the user's state folder]",
    ),
    click.option(
        "--report",
        "reports",
        multiple=True,
        callback=_reports,
        type=FILE,
        metavar="FILE.html|FILE.json",
        help="Write how it went, as a page with charts or for programs; can be given again.",
    ),
)

faults_options = _together(
    click.option(
        "--fault",
        "faults",
        multiple=True,
        callback=_faults,
        metavar="NAME[:option=value,...]@HH:MM:SS[+4s]",
        help="Make the feed go wrong at that time; can be given again. odin-sim faults lists what.",
    ),
    click.option(
        "--scenario",
        callback=_scenario,
        metavar="NAME|FILE.toml",
        help="Make it go wrong by a list: bad-day, flaky-network, opening-burst, reconnect-storm.",
    ),
)

ledger_options = _together(
    click.option(
        "--ledger",
        type=FILE,
        metavar="FILE",
        help="Write every update and every fault, for each connection of the feed, as JSON lines.",
    ),
    click.option(
        "--max-p99-late",
        "max_p99_late_ns",
        type=_lateness,
        metavar="5ms",
        help="Fail if one update in a hundred goes out later than that.",
    ),
)
