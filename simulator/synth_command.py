"""The command ``odin-sim synth``: options in, a synthetic day as a file out."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

import click

from simulator.progress_line import ProgressLine
from streamer.errors import ConfigError

__all__ = ["synth"]

_EXAMPLES = """
\b
Examples:
  odin-sim synth --date 2025-09-04 --seed 1 -o day.parquet
  odin-sim synth --date 2025-09-04 --universe 500 --profile volatile -o wild.parquet
  odin-sim synth --date 2025-09-04 --profile circuit --affects SBIN -o circuit.parquet
  odin-sim synth --date 2025-09-04 --profile halt --halt 15@12:30 -o halt.parquet
  odin-sim synth --date 2026-10-01 --universe mine.csv --defects real -o mine.parquet

The day is described in docs/synthetic-days.md; `odin-sim facts` measures it.
"""


class _Command(click.Command):
    """Lists profiles and timetables in its help; they are data, not text of this module."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lists and the examples."""
        from simulator.profiles import PROFILES
        from simulator.timetables import timetables

        with formatter.section("Profiles"):
            formatter.write_dl([(p.name, f"{p.summary} {p.guarantees}") for p in PROFILES.values()])
        dates = {table.name: "" for table in timetables()}
        for table in timetables():
            dates[table.name] = dates[table.name] or f"From {table.effective_from} on."
        with formatter.section("Timetables"):
            formatter.write_dl(list(dates.items()))
        super().format_epilog(ctx, formatter)


def _symbols(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    names = [name.strip().upper() for value in values for name in value.split(",")]
    return tuple(name for name in names if name)


@click.command(cls=_Command, epilog=_EXAMPLES)
@click.option(
    "--date",
    "day",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The trading day.",
)
@click.option(
    "--universe",
    default="nifty50",
    show_default=True,
    metavar="nifty50|N|FILE",
    help="Which stocks: the NIFTY 50; the largest N, made up beyond the NIFTY 50; or those of a "
    "CSV or Parquet file with a column symbol. The NIFTY 50 and NIFTY BANK are always made.",
)
@click.option(
    "--profile", default="normal", show_default=True, metavar="NAME", help="Which kind of day."
)
@click.option(
    "--timetable", metavar="NAME", help="Which phases it has.  [default: those of the date]"
)
@click.option(
    "--affects",
    multiple=True,
    callback=_symbols,
    metavar="A[,B]",
    help="The stocks to which the profile's event happens.  [default: drawn by the seed]",
)
@click.option(
    "--halt",
    metavar="LEVEL@HH:MM",
    help="With profile halt: at how many per cent, and when.  [default: 10@11:05]",
)
@click.option(
    "--defects",
    default="none",
    show_default=True,
    metavar="none|real",
    help="With real, some rows come late and some bring an old volume, as on real feeds.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(0),
    help="The same seed makes the same day.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Processes; they do not change the day.  [default: 1 up to 200 stocks, else one a core]",
)
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The recording to write.",
)
def synth(
    day: datetime,
    universe: str,
    profile: str,
    timetable: str | None,
    affects: tuple[str, ...],
    halt: str | None,
    defects: str,
    seed: int,
    workers: int | None,
    path: Path,
) -> None:
    """Make a synthetic trading day; its manifest is written beside it."""
    from simulator.synth import Wanted, write_day

    wanted = Wanted(
        date(day.year, day.month, day.day),
        seed,
        universe,
        profile,
        timetable,
        affects,
        halt,
        defects,
    )
    if workers is None:
        is_small = (universe.isdigit() and int(universe) <= 200) or universe == "nifty50"
        workers = 1 if is_small else os.cpu_count() or 1
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"-o: there is no folder {path.absolute().parent}")
    progress = ProgressLine()

    def count(done: int, total: int) -> None:
        more = "" if done < total else ", writing the recording"
        progress.show(f"{done:,} of {total:,} stocks made{more}")

    try:
        made = write_day(path, wanted, workers=workers, made=count)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        progress.clear()
    click.echo(f"{path}: {made.rows:,} rows, {made.size_bytes:,} bytes, sha256 {made.sha256}")
