"""``odin-sim record``: its options and its exit status; the work is `simulator.recorder`'s."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from streamer.errors import ConfigError, OdinError

EXAMPLES = """
\b
Examples:
  odin-sim record --upstream ws://feed.example:4509 --user U1 --symbols all -o tapes/
  odin-sim record --upstream ws://127.0.0.1:4509 --symbols RELIANCE,SBIN -o tapes/
  odin-sim record --upstream ws://feed.example:4509 --symbols all -o tapes/ --until 15:45

\b
Exit status:
  0  something was recorded, and all of it is in files; Ctrl-C is a good end
  1  it ended early, or nothing was recorded
  2  wrong usage
"""


def _duration(lowest: float) -> Callable[[object], float]:
    """Return an option's type: seconds, or a number with a unit."""

    def duration(value: object) -> float:
        from streamer.config import parse_duration

        try:
            seconds = parse_duration(str(value))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        if not lowest <= seconds <= 86_400:
            raise click.BadParameter(f"found {value}; expected {lowest:g} s to 24h")
        return seconds

    return duration


def _clock(value: object) -> str:
    from streamer.ist import clock_seconds

    text = str(value).strip()
    try:
        clock_seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return text


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    names = tuple(name.strip() for name in str(value).split(",") if name.strip())
    if not names:
        raise click.BadParameter("found no symbol; expected some, separated by commas, or all")
    return names


@click.command(epilog=EXAMPLES)
@click.option(
    "--upstream", required=True, metavar="URL", help="Address of the feed, ws:// or wss://."
)
@click.option(
    "--symbols",
    required=True,
    type=_names,
    metavar="A,B|all",
    help="What is recorded: symbols or tokens, or every instrument that is known.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the files; it is made if it is not there.",
)
@click.option(
    "--rotate",
    "rotate_s",
    default="15m",
    show_default=True,
    type=_duration(1),
    metavar="TIME",
    help="How much of the day is in one file.",
)
@click.option(
    "--flush",
    "flush_s",
    default="2s",
    show_default=True,
    type=_duration(0.05),
    metavar="TIME",
    help="How often rows are made durable: what a kill or a power cut can lose.",
)
@click.option("--user", default="ODIN", show_default=True, help="User id of the feed's logon.")
@click.option(
    "--key",
    default="",
    envvar="ODIN_SIM_KEY",
    help="Key or token of the logon. Better set as ODIN_SIM_KEY in the environment.",
)
@click.option(
    "--dialect",
    default="plain",
    show_default=True,
    type=click.Choice(["plain", "+4"]),
    help="How requests to the feed are framed.",
)
@click.option(
    "--until",
    type=_clock,
    metavar="HH:MM[:SS]",
    help="End when the market's clock next shows this Indian time.",
)
@click.option(
    "--instruments",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV or Parquet file of more instruments. Can be given more than once.",
)
def record(**options: Any) -> None:
    """
    Record a feed, a real one or a simulator, until Ctrl-C.

    The rows go to Parquet files that can be replayed; a kill loses no more
    than the last flush interval.
    """
    from simulator.recorder import RecordOptions, run

    try:
        status = run(RecordOptions(**options))
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    except OdinError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{options['folder']}: {error.strerror or error}") from error
    sys.exit(status)
