"""``odin-sim hash``: its options and its output; see `simulator.stream_hash`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.errors import ConfigError, RecordingError

if TYPE_CHECKING:
    from fractions import Fraction

    from simulator.faults import Planned

STATUS_UNUSABLE = 3

EXAMPLES = """
\b
Examples:
  odin-sim hash recordings/day.parquet
  odin-sim hash day.parquet --from 10:00 --to 10:10 --speed 100
  odin-sim hash day.parquet --seed 7 --fault drop:share=0.1@10:00:00+5m

\b
Exit status:
  0  hashed
  2  wrong usage
  3  the recording is unusable
"""


def _rate(_: click.Context, __: click.Parameter, value: str) -> Fraction | None:
    from simulator.clock import parse_rate

    try:
        return parse_rate(value.strip().lower())
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _plan(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[Planned, ...]:
    from simulator.faults import parse_planned

    try:
        return tuple(parse_planned(value) for value in values)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


@click.command("hash", epilog=EXAMPLES)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option(
    "--speed",
    "rate",
    default="max",
    show_default=True,
    callback=_rate,
    metavar="N|max",
    help="How fast it is played; the hash is the same.",
)
@click.option("--from", "start", metavar="HH:MM[:SS]|start", help="Where to begin, as in a replay.")
@click.option("--to", "end", metavar="HH:MM[:SS]|end", help="Where to end, as in a replay.")
@click.option("--symbols", metavar="A,B", help="These instruments alone.")
@click.option(
    "--fault",
    "plan",
    multiple=True,
    callback=_plan,
    metavar="NAME[:option=value,...]@HH:MM:SS[+4s]",
    help="A fault that changes what the feed says; can be given again.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Chooses what is random about faults.",
)
@click.option("--sort", is_flag=True, help="Put rows that go back in time in order.")
def hash_stream(
    files: tuple[Path, ...],
    rate: Fraction | None,
    start: str | None,
    end: str | None,
    symbols: str | None,
    plan: tuple[Planned, ...],
    seed: int,
    sort: bool,
) -> None:
    """
    Print the SHA-256 of everything that a replay says.

    Plays the window to one client of all instruments. The hash is the same in
    every process, at every speed and on every machine; heartbeats that only
    repeat the time are not part of it.
    """
    import asyncio

    from simulator.progress_line import ProgressLine
    from simulator.recording import Recording
    from simulator.replay import Replay
    from simulator.stream_hash import stream_hash
    from simulator.window import chosen_keys, window_end, window_start
    from streamer.calendar import TradingCalendar
    from streamer.instruments import InstrumentTable

    table, calendar = InstrumentTable.bundled(), TradingCalendar.bundled()
    try:
        with ProgressLine() as line:
            recording = Recording.open(
                files,
                instruments=table,
                sort=sort,
                on_rows=lambda rows: line.show(f"Checking: {rows:,} rows"),
            )
        begins = window_start(start, first_row=recording.start, calendar=calendar)
        ends = window_end(end, last_row=recording.end, start=begins)
        keys = list(recording.instruments)
        if symbols:
            names = tuple(name.strip() for name in symbols.split(",") if name.strip())
            chosen = chosen_keys(names, instruments=recording.instruments, table=table)
            keys = [key for key in keys if key in chosen]
        replay = Replay(recording, start=begins, end=ends, keys=keys, calendar=calendar)
        with ProgressLine() as line:
            total = replay.rows_total
            digest, _ = asyncio.run(
                stream_hash(
                    replay,
                    keys,
                    rate=rate,
                    plan=plan,
                    seed=seed,
                    on_progress=lambda rows: line.show(f"Hashing: {rows:,} of {total:,} updates"),
                )
            )
    except RecordingError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(STATUS_UNUSABLE)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    click.echo(digest)
