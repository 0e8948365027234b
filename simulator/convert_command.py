"""``odin-sim convert``: its options and its exit status; the work is `simulator.conversion`'s."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from streamer.errors import ConfigError, OdinError

STATUS_REFUSED = 1
STATUS_UNUSABLE = 2

EXAMPLES = """
\b
Examples:
  odin-sim convert ticks.csv -o day.parquet
  odin-sim convert sbin-1m.csv -o sbin.parquet --symbol SBIN
  odin-sim convert times-only.csv -o day.parquet --date 2025-09-04 --symbol TCS
  odin-sim convert tapes/20250904-0915-01.journal -o day.parquet

\b
Exit status:
  0  every line was converted
  1  some lines were refused, the others converted
  2  nothing was converted; also wrong usage
"""


def _zone(value: object) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(
            f"{value!r} is no time zone; expected one such as Asia/Kolkata or UTC"
        ) from error


@click.command(epilog=EXAMPLES)
@click.argument("source", metavar="IN.csv", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.parquet",
    help="The recording to write.",
)
@click.option(
    "--format",
    "shape",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "ticks", "ohlc"]),
    help="A line for each update, or bars; auto goes by the columns.",
)
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Date of times that have none.",
)
@click.option("--symbol", help="Instrument of all lines, if the file has no column for it.")
@click.option(
    "--exchange",
    type=click.Choice(["NSE", "BSE"]),
    help="Exchange of all lines, if the file has no column for it.",
)
@click.option(
    "--zone",
    default="Asia/Kolkata",
    show_default=True,
    type=_zone,
    metavar="ZONE",
    help="Time zone of times that name none.",
)
@click.option(
    "--instruments",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV or Parquet file of more instruments. Can be given more than once.",
)
def convert(source: Path, path: Path, **options: Any) -> None:
    """
    Turn a CSV file of ticks or bars into a recording.

    Lines that cannot be meant are named and left out. Bars become four ticks
    each, and the recording says so. The journal of a killed recorder is turned
    into the recording that it would have become.
    """
    from simulator.tape_journal import SUFFIX

    try:
        status = (
            _recovered(source, path)
            if source.suffix == SUFFIX
            else _converted(source, path, **options)
        )
    except OSError as error:
        name = error.filename or path
        raise click.UsageError(f"{name}: {error.strerror or error}") from error
    except OdinError as error:
        raise click.UsageError(str(error)) from error
    sys.exit(status)


def _converted(
    source: Path, path: Path, *, day: datetime | None, instruments: tuple[Path, ...], **options: Any
) -> int:
    from simulator import conversion
    from simulator.progress_line import ProgressLine
    from streamer.loading import instrument_table

    date = None if day is None else day.date()
    with ProgressLine() as line:
        done = conversion.convert(
            source,
            path,
            table=instrument_table(instruments),
            day=date,
            on_step=lambda step: line.show(f"{source}: {step}"),
            **options,
        )
    for each in done.refusals:
        click.echo(
            f"{source}, line {each.line}, column {each.column!r}, value {each.value!r}: "
            f"refused; expected {each.expected}",
            err=True,
        )
    if done.refused > len(done.refusals):
        click.echo(f"and {done.refused - len(done.refusals):,} lines more", err=True)
    if done.ignored:
        click.echo(f"Ignored columns: {', '.join(done.ignored)}", err=True)
    text = f"{path}: {done.rows:,} rows of {done.lines:,} lines, made from {done.made_from}"
    click.echo(f"{text}, {done.refused:,} lines refused" if done.refused else text)
    return STATUS_REFUSED if done.refused else 0


def _recovered(journal: Path, path: Path) -> int:
    from simulator.tape_journal import FolderHold, to_parquet

    if not journal.exists():
        raise ConfigError(f"{journal}: there is no such file")
    hold = FolderHold(journal.parent)
    try:
        click.echo(f"{to_parquet(journal, path, 'killed')}: recovered from {journal}")
    finally:
        hold.release()
    return 0
