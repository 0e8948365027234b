"""``odin-sim live``: its options and its exit status; the work is `simulator.live_run`'s."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.run_options import (
    default_db,
    faults_options,
    ledger_options,
    refuse_unusable,
    server_options,
    speed_option,
    start_on_option,
)
from streamer.errors import ConfigError

if TYPE_CHECKING:
    from simulator.faults import Planned
    from simulator.scenarios import Scenario

__all__ = ["LIVE_EXAMPLES", "live"]

LIVE_EXAMPLES = """
\b
Examples:
  odin-sim live
  odin-sim live --hours wall
  odin-sim live --universe 500 --profile volatile --seed 7 --date 2025-09-04
  odin-sim live --speed 60 --days 5
  odin-sim live --feed-only --fault reset@09:20:00 --ledger ledger.jsonl

\b
Exit status:
  0  it was stopped by Ctrl-C or SIGTERM, or played as many days as asked
  1  it ended early; the last lines say why
  2  wrong usage
"""


def _days(value: object) -> int:
    """Return a number of days; 0 stands for ``forever``."""
    text = str(value).strip().lower()
    if text == "forever":
        return 0
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**6):
        raise click.BadParameter(f"{value!r} is not a number from 1 on, or forever")
    return int(text)


@click.command(epilog=LIVE_EXAMPLES)
@click.option(
    "--hours",
    default="endless",
    show_default=True,
    type=click.Choice(["endless", "wall"]),
    help="When there is trading. endless: now, session after session, the nights left out. "
    "wall: in the market's hours; the simulated time is the present one in India.",
)
@click.option(
    "--universe",
    default="nifty50",
    show_default=True,
    metavar="nifty50|N|FILE",
    help="Which stocks, as for odin-sim synth. The NIFTY 50 and NIFTY BANK indices are always "
    "there.",
)
@click.option(
    "--profile",
    default="normal",
    show_default=True,
    metavar="NAME",
    help="Which kind of day each day is; odin-sim synth --help lists them.",
)
@click.option(
    "--timetable", metavar="NAME", help="Which phases the days have.  [default: those of the date]"
)
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The first trading day.  [default: today, or the next one]",
)
@click.option(
    "--days",
    default="forever",
    show_default=True,
    type=_days,
    metavar="N|forever",
    help="How many trading days are played.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="The same seed and first day make the same ticks; also chooses what is random about "
    "faults.",
)
@speed_option
@start_on_option
@server_options
@faults_options
@ledger_options
def live(
    day: datetime | None,
    db: Path | None,
    faults: tuple[Planned, ...],
    scenario: Scenario | None,
    days: int,
    **options: Any,
) -> None:
    """
    Be a market that never ends, with no file: a feed, now.

    Starts the same servers as odin-sim replay, and makes synthetic trading
    days one after the other: each begins where the one before closed.
    """
    from simulator.live_run import LiveOptions, run

    refuse_unusable(options["max_p99_late_ns"], options["speed"])
    if options["hours"] == "wall":
        for name, given in (
            ("--speed", options["speed"] != "1"),
            ("--date", day is not None),
            ("--start-on", options["start_on"] != "now"),
        ):
            if given:
                raise click.UsageError(
                    f"{name} found with --hours wall; the time is the present one there, leave"
                    f" {name} out"
                )
    chosen = LiveOptions(
        day=None if day is None else day.date(),
        db=db or default_db(),
        days=days or None,
        plan=faults if scenario is None else faults + scenario.plan,
        **options,
    )
    try:
        status = run(chosen)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    except KeyboardInterrupt:
        status = 0
    sys.exit(status)
