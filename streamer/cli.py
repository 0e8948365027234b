"""
The command ``odin-streamer``: options in, exit status out.

Options come from the command line, the environment, a TOML file and the
defaults, in this order of precedence. Whatever takes long to import is
imported by the command that needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from streamer.asyncapi_command import asyncapi as asyncapi_command
from streamer.calendar_command import calendar as calendar_command
from streamer.config import Config, parse_duration, read_options
from streamer.eod_command import eod as eod_group
from streamer.errors import ConfigError, OdinError
from streamer.instruments_command import instruments as instruments_group

ENVIRONMENT: Final = "ODIN_STREAMER"
INTERRUPTED: Final = 130

DEFAULTS: Final = Config(upstream="ws://default")

SERVE_EXAMPLES: Final = """
\b
Examples:
  odin-streamer serve --upstream ws://feed.example:4509 --upstream-user U1
  odin-streamer serve --config /etc/odin-streamer.toml
  odin-streamer serve --upstream ws://127.0.0.1:4509 --clock feed

Every option can be set in the environment too, --request-rate as
ODIN_STREAMER_REQUEST_RATE, and in the file of --config, as request_rate. The
command line goes before the environment, that before the file.
"""

Command = TypeVar("Command", bound=Callable[..., Any])


def _duration(lowest: float = 0.0) -> Callable[[object], float]:
    """Return an option's type: seconds, or a number with a unit, not below ``lowest`` seconds."""

    def duration(value: object) -> float:
        try:
            seconds = parse_duration(str(value))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        if seconds < lowest:
            raise click.BadParameter(f"found {value}; expected {lowest:g} s or more")
        return seconds

    return duration


def _option(name: str, help: str, **settings: Any) -> Callable[[Command], Command]:
    """Declare an option whose default is the one of :class:`Config`."""
    field = name.removeprefix("--").replace("-", "_")
    default = getattr(DEFAULTS, field)
    if default not in (None, "", ()):
        settings.setdefault("show_default", True)
    if not settings.get("required") and not settings.get("multiple"):
        settings.setdefault("default", default)
    return click.option(name, field, help=help, envvar=f"{ENVIRONMENT}_{field.upper()}", **settings)


def _read_config_file(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Let the file's options stand in for defaults, each checked as if it were given."""
    if path is None:
        return
    options = {
        option.name: option
        for option in ctx.command.params
        if isinstance(option, click.Option) and option.name not in ("config", "help", None)
    }
    try:
        given = read_options(path, [name for name in options if name])
    except ConfigError as error:
        raise click.UsageError(str(error), ctx) from error
    for name, value in given.items():
        option = options[name]
        if option.multiple is not isinstance(value, list):
            expected = "a list" if option.multiple else "a single value"
            raise click.UsageError(f"{path}: {name} is {value!r}; expected {expected}", ctx)
        try:
            option.type_cast_value(ctx, value)
        except click.BadParameter as error:
            raise click.UsageError(f"{path}: {name}: {error.message}", ctx) from error
    ctx.default_map = given


_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="odin-streamer")
def cli() -> None:
    """Stream live NSE and BSE quotes from an ODIN market feed to WebSocket clients."""


@cli.command(epilog=SERVE_EXAMPLES)
@_option("--upstream", "Address of the ODIN feed, ws:// or wss://.", required=True, metavar="URL")
@_option("--upstream-user", "User id of the feed's logon.")
@_option(
    "--upstream-key",
    "Key or token of the feed's logon. Better set in the environment, where other users of the "
    "machine do not see it.",
)
@_option(
    "--upstream-dialect",
    "How requests to the feed are framed; +4 is that of the original streamer.",
    type=click.Choice(["plain", "+4"]),
)
@_option(
    "--clock",
    "What tells the market's time: this machine, or the feed (for replays).",
    type=click.Choice(["wall", "feed"]),
)
@_option("--host", "Address to listen on; localhost is both 127.0.0.1 and ::1.")
@_option("--port", "Port to listen on; 0 picks a free one.", type=click.IntRange(0, 65535))
@_option(
    "--db",
    "File that keeps what clients subscribe. Default: odin-streamer/sessions.db in the user's "
    "state folder, simulated-sessions.db with --clock feed.",
    type=_FILE,
)
@_option(
    "--durability",
    "What an acknowledged subscription outlives: the end of this process, or a power cut too "
    "(slower).",
    type=click.Choice(["process", "power"]),
)
@_option(
    "--instruments",
    "File of more instruments, CSV or Parquet. Can be given more than once.",
    multiple=True,
    type=_FILE,
)
@_option("--calendar", "TOML file of more trading days.", type=_FILE)
@_option(
    "--origin",
    "Web origin whose pages may connect, besides those of this machine; * for any. Can be given "
    "more than once.",
    multiple=True,
)
@_option("--tokens", "File of access tokens; without it everybody may connect.", type=_FILE)
@_option(
    "--admin-token",
    "Token that POST /api/admin/reload, halt and resume ask for; without it there is no such door. "
    "Better set in the environment, where other users of the machine do not see it.",
)
@_option(
    "--closed-policy",
    "What a subscribe gets while the market is closed.",
    type=click.Choice(["accept", "reject"]),
)
@_option(
    "--session-ttl",
    "How long an unused client_id keeps its subscriptions.",
    type=_duration(1),
    default="30d",
)
@_option("--max-subscriptions", "Most stocks for one client.", type=click.IntRange(1))
@_option("--max-connections", "Most clients at once.", type=click.IntRange(1))
@_option(
    "--request-rate",
    "Requests a second that a client may make.",
    type=click.FloatRange(0, min_open=True),
)
@_option("--request-burst", "Requests that a client may make at once.", type=click.FloatRange(1))
@_option("--ping-interval", "Time between WebSocket pings.", type=_duration(0.1))
@_option("--ping-timeout", "How long a pong may take.", type=_duration(0.1))
@_option("--stall", "How long a client may read nothing of what waits.", type=_duration(0.1))
@_option("--drain-s", "Over how long clients are closed at the end.", type=_duration())
@_option("--max-message-bytes", "Longest message of a client.", type=click.IntRange(1024))
@_option(
    "--high-water-bytes",
    "How much may wait for a client before it counts as slow.",
    type=click.IntRange(1024),
)
@_option(
    "--compression",
    "Compress quotes for clients that ask for it (permessage-deflate).",
    is_flag=True,
)
@_option(
    "--event-loop",
    "What waits for sockets; uvloop is a package of its own.",
    type=click.Choice(["asyncio", "uvloop"]),
)
@_option(
    "--lossless",
    "Hold the feed back for slow clients instead of skipping updates.",
    is_flag=True,
)
@_option(
    "--until-logoff",
    "End when the feed logs off and all clients have everything.",
    is_flag=True,
)
@_option(
    "--events",
    "Print what happens as JSON lines on standard output, and end with standard input.",
    is_flag=True,
)
@_option(
    "--log-level",
    "Least weight of what is logged.",
    type=click.Choice(["debug", "info", "warning", "error"]),
)
@_option("--log-format", "How log lines look.", type=click.Choice(["text", "json"]))
@click.option(
    "--config",
    type=_FILE,
    metavar="FILE.toml",
    is_eager=True,
    expose_value=False,
    callback=_read_config_file,
    envvar=f"{ENVIRONMENT}_CONFIG",
    help="TOML file of options, named as here with _ for -.",
)
def serve(**options: Any) -> None:
    """
    Log on to a feed and serve its quotes to WebSocket clients.

    SIGTERM and Ctrl-C end it gracefully: clients are told, then closed one
    after the other. A second one ends it at once. SIGHUP reads the tokens
    and the instruments again. The exit status is 0 after a clean end, 1 after a failure, 2 for
    wrong usage, 130 after Ctrl-C.
    """
    options["origin"] = tuple(origin.lower().rstrip("/") for origin in options["origin"])
    try:
        config = Config(**options)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error

    from streamer import app, logs

    logs.configure(config.log_level, config.log_format)
    try:
        status = app.run(config, os.environ)
    except OdinError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


cli.add_command(asyncapi_command)
cli.add_command(calendar_command)
cli.add_command(eod_group)
cli.add_command(instruments_group)


def main() -> None:
    """Run the command."""
    cli(prog_name="odin-streamer")


if __name__ == "__main__":
    main()
