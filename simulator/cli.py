"""
The command ``odin-sim``: options in, exit status out.

Whatever takes long to import is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.check_command import check
from simulator.convert_command import convert
from simulator.ctl_command import ctl
from simulator.facts_command import facts
from simulator.faults_command import faults
from simulator.hash_command import hash_stream
from simulator.info_command import info
from simulator.live_command import live
from simulator.record_command import record
from simulator.run_options import (
    FILE,
    default_db,
    faults_options,
    ledger_options,
    refuse_unusable,
    server_options,
    speed_option,
    start_on_option,
)
from simulator.synth_command import synth
from streamer.errors import ConfigError, RecordingError

if TYPE_CHECKING:
    from simulator.faults import Planned
    from simulator.scenarios import Scenario

STATUS_FAILED = 1
STATUS_USAGE = 2
STATUS_UNUSABLE = 3
STATUS_INTERRUPTED = 130

REPLAY_EXAMPLES = """
\b
Examples:
  odin-sim replay recordings/day.parquet
  odin-sim replay day.parquet --speed 60 --from 09:15 --to 10:00
  odin-sim replay day.parquet --speed max --lossless --start-on subscribe
  odin-sim replay day.parquet --feed-only --hold
  odin-sim replay day.parquet --fault reset@09:20:00 --fault drop:share=0.1@09:30:00+5m
  odin-sim replay day.parquet --scenario bad-day --ledger ledger.jsonl
  odin-sim replay day.parquet --speed 60 --report run.html --report run.json

\b
Exit status:
  0    the whole window was replayed
  1    it ended early; the last lines say why
  2    wrong usage
  3    the recording is unusable
  130  interrupted
"""


def _passes(value: object) -> int:
    """Return a number of passes; 0 stands for ``forever``."""
    text = str(value).strip().lower()
    if text == "forever":
        return 0
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise click.BadParameter(f"{value!r} is not a number from 1 on, or forever")
    return int(text)


def _moment(word: str) -> Callable[[object], str]:
    """Return an option's type: a time of day in India, or ``word``."""

    def moment(value: object) -> str:
        from streamer.ist import clock_seconds

        text = str(value).strip().lower()
        if text != word:
            try:
                clock_seconds(text)
            except ValueError as error:
                raise click.BadParameter(
                    f"{value!r} is no time of day in India; expected HH:MM, HH:MM:SS or {word}"
                ) from error
        return text

    return moment


def _symbols(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names:
        raise click.BadParameter("found no symbol; expected some, separated by commas")
    return names


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="odin-streamer")
def cli() -> None:
    """Replay recorded or synthetic trading days through the ODIN market feed."""


@cli.command(epilog=REPLAY_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=FILE)
@speed_option
@click.option(
    "--from",
    "start",
    type=_moment("start"),
    metavar="HH:MM[:SS]|start",
    help="Where to begin, in Indian time.  [default: 5 s before the session opens]",
)
@click.option(
    "--to",
    "end",
    type=_moment("end"),
    metavar="HH:MM[:SS]|end",
    help="Where to end, in Indian time.  [default: end]",
)
@click.option("--symbols", callback=_symbols, metavar="A,B", help="Replay these instruments alone.")
@click.option(
    "--loop",
    "passes",
    default="1",
    show_default=True,
    type=_passes,
    metavar="N|forever",
    help="How often the window is replayed.",
)
@start_on_option
@click.option("--hold", is_flag=True, help="Keep both servers up after the last update.")
@server_options
@click.option(
    "--shift",
    type=click.Choice(["today", "now"]),
    help="Tell all times as if the first day were today, or as if the window began now.",
)
@click.option(
    "--sort", is_flag=True, help="Put rows that go back in time in order, instead of refusing."
)
@faults_options
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Chooses what is random about faults.  [default: the scenario's, or 0]",
)
@ledger_options
def replay(
    db: Path | None,
    passes: int,
    faults: tuple[Planned, ...],
    scenario: Scenario | None,
    seed: int | None,
    **options: Any,
) -> None:
    """
    Replay recordings as if they were live.

    Starts the ODIN feed server and, joined to it by a real connection, the
    streaming server; prints what to connect to, and in the end what happened.
    """
    from simulator.replay_run import ReplayOptions, run

    refuse_unusable(options["max_p99_late_ns"], options["speed"])
    if scenario is not None:
        faults += scenario.plan
        seed = scenario.seed if seed is None else seed
    chosen = ReplayOptions(
        db=db or default_db(), passes=passes or None, plan=faults, seed=seed or 0, **options
    )
    try:
        status = run(chosen)
    except RecordingError as error:
        click.echo(f"Error: {error}", err=True)
        status = STATUS_UNUSABLE
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    except KeyboardInterrupt:
        status = STATUS_INTERRUPTED
    sys.exit(status)


cli.add_command(check)
cli.add_command(ctl)
cli.add_command(convert)
cli.add_command(info)
cli.add_command(live)
cli.add_command(record)
cli.add_command(synth)
cli.add_command(facts)
cli.add_command(faults)
cli.add_command(hash_stream)


def main() -> None:
    """Run the command."""
    cli(prog_name="odin-sim")


if __name__ == "__main__":
    main()
