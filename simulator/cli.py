"""
The command ``odin-sim``: options in, exit status out.

Whatever takes long to import is imported by the command that needs it.
"""

from __future__ import annotations

import os
import re
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
from simulator.record_command import record
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

_FILE = click.Path(dir_okay=False, path_type=Path)
_LATENESS = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s)", re.ASCII)
_LATENESS_NS = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def _speed(value: object) -> str:
    from simulator.clock import parse_rate

    text = str(value).strip().lower()
    try:
        parse_rate(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return text


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


def _default_db() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "odin-streamer" / "simulated-sessions.db"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="odin-streamer")
def cli() -> None:
    """Replay recorded or synthetic trading days through the ODIN market feed."""


@cli.command(epilog=REPLAY_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@click.option(
    "--speed",
    default="1",
    show_default=True,
    type=_speed,
    metavar="N|max",
    help="Simulated seconds per second, 0.01 to 10000, or max: as fast as it goes.",
)
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
@click.option(
    "--start-on",
    default="now",
    show_default=True,
    type=click.Choice(["now", "first-client", "subscribe"]),
    help="What starts the clock: nothing, the first client, or the first subscriptions (when "
    "none has changed for 250 ms).",
)
@click.option("--hold", is_flag=True, help="Keep both servers up after the last update.")
@click.option(
    "--feed-only", is_flag=True, help="Start the feed alone, for a streaming server elsewhere."
)
@click.option(
    "--lossless",
    is_flag=True,
    help="Hold the feed back for slow clients, so that every client gets every update.",
)
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Address that all ports listen on.",
)
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the streaming server; 0 picks a free one.",
)
@click.option(
    "--feed-port",
    default=4509,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the feed; 0 picks a free one.",
)
@click.option(
    "--control-port",
    default=4510,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the console page, the control API and the REST logon; 0 picks a free one.",
)
@click.option(
    "--db",
    type=_FILE,
    help="File that keeps what clients subscribe.  [default: "
    "odin-streamer/simulated-sessions.db in the user's state folder]",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    callback=_reports,
    type=_FILE,
    metavar="FILE.html|FILE.json",
    help="Write how it went, as a page with charts or for programs; can be given again.",
)
@click.option(
    "--shift",
    type=click.Choice(["today", "now"]),
    help="Tell all times as if the first day were today, or as if the window began now.",
)
@click.option(
    "--sort", is_flag=True, help="Put rows that go back in time in order, instead of refusing."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_faults,
    metavar="NAME[:option=value,...]@HH:MM:SS[+4s]",
    help="Make the feed go wrong at that time; can be given again. odin-sim faults lists what.",
)
@click.option(
    "--scenario",
    callback=_scenario,
    metavar="NAME|FILE.toml",
    help="Make it go wrong by a list: bad-day, flaky-network, opening-burst, reconnect-storm.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Chooses what is random about faults.  [default: the scenario's, or 0]",
)
@click.option(
    "--ledger",
    type=_FILE,
    metavar="FILE",
    help="Write every update and every fault, for each connection of the feed, as JSON lines.",
)
@click.option(
    "--max-p99-late",
    "max_p99_late_ns",
    type=_lateness,
    metavar="5ms",
    help="Fail if one update in a hundred goes out later than that.",
)
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

    if options["max_p99_late_ns"] is not None and options["speed"] == "max":
        raise click.UsageError("--max-p99-late needs a --speed: at max nothing is late")
    if scenario is not None:
        faults += scenario.plan
        seed = scenario.seed if seed is None else seed
    chosen = ReplayOptions(
        db=db or _default_db(), passes=passes or None, plan=faults, seed=seed or 0, **options
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
