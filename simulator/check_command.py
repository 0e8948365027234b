"""``odin-sim check``: its options, its output and its exit status; see `simulator.inspection`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer.errors import OdinError

if TYPE_CHECKING:
    from simulator.inspection import Inspection

STATUS_CLEAN = 0
STATUS_WARNINGS = 1
STATUS_UNUSABLE = 2

EXAMPLES = """
\b
Examples:
  odin-sim check day.parquet
  odin-sim check tapes/*.parquet --gap 2m
  odin-sim check day.parquet --json

\b
Exit status:
  0  clean
  1  warnings: a replay takes it, but something is odd
  2  unusable: a replay refuses it as it is; also wrong usage
"""

_MOST_NAMED = 3
_BARS = " ▁▂▃▄▅▆▇█"
_TITLES = {STATUS_CLEAN: "clean", STATUS_WARNINGS: "warnings", STATUS_UNUSABLE: "unusable"}


def _seconds(value: object) -> float:
    from streamer.config import parse_duration

    try:
        seconds = parse_duration(str(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not 0 < seconds <= 86_400:
        raise click.BadParameter(f"found {value}; expected more than nothing, up to 24h")
    return seconds


def sparkline(counts: list[int]) -> str:
    """Return a bar for each count, relative to the highest; a blank for none."""
    top = max(counts, default=0) or 1
    highest = len(_BARS) - 1
    return "".join(_BARS[-(-count * highest // top)] for count in counts)


@click.command(epilog=EXAMPLES)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option(
    "--gap",
    "gap_s",
    default="60s",
    show_default=True,
    type=_seconds,
    metavar="TIME",
    help="For how long all instruments may be silent within a session.",
)
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many findings of a kind are listed; more are counted.",
)
@click.option(
    "--instruments",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV or Parquet file of more instruments. Can be given more than once.",
)
def check(
    files: tuple[Path, ...],
    as_json: bool,
    gap_s: float,
    limit: int,
    instruments: tuple[Path, ...],
) -> None:
    """
    Find everything that is wrong or odd in recordings.

    Unlike a replay, which stops at the first thing that it cannot use, this
    lists all of it, each with its place and what to do about it.
    """
    from simulator.inspection import inspect
    from simulator.progress_line import ProgressLine
    from streamer.calendar import TradingCalendar
    from streamer.loading import instrument_table

    try:
        with ProgressLine() as line:
            inspection = inspect(
                files,
                table=instrument_table(instruments),
                calendar=TradingCalendar.bundled(),
                gap_ns=round(gap_s * 1e9),
                limit=limit,
                on_rows=lambda rows: line.show(f"Checking: {rows:,} rows"),
            )
    except OdinError as error:
        raise click.UsageError(str(error)) from error
    status = _status(inspection)
    if as_json:
        click.echo(json.dumps(_json(inspection, status), indent=2))
    else:
        click.echo(_text(inspection, status))
    sys.exit(status)


def _status(inspection: Inspection) -> int:
    worst = inspection.findings.worst
    if worst is None:
        return STATUS_CLEAN
    return STATUS_UNUSABLE if worst == "error" else STATUS_WARNINGS


def _text(inspection: Inspection, status: int) -> str:
    from simulator.findings import KINDS
    from streamer.ist import ist_datetime

    paths = inspection.paths
    names = ", ".join(str(path) for path in paths)
    if len(paths) > _MOST_NAMED:
        names = f"{len(paths):,} files, {paths[0]} to {paths[-1]}"
    lines = [f"{names}: {inspection.rows:,} rows"]
    if inspection.first is not None and inspection.last is not None:
        window = f"{ist_datetime(inspection.first)} to {ist_datetime(inspection.last)} IST"
        lines[0] += f", {window}"
    if inspection.density:
        lines += ["", "Updates in each five minutes:"]
        lines += [_strip(inspection, day) for day in sorted(inspection.density)]
    findings = inspection.findings
    for name, kind in KINDS.items():
        if name not in findings.counts:
            continue
        listed, count = findings.listed[name], findings.counts[name]
        more = " or more" if name in findings.uncounted else ""
        lines += ["", f"{kind.severity.upper()} {name} ({count:,}{more}): {kind.meaning}"]
        for finding in listed:
            expected = f"; expected {finding.expected}" if finding.expected else ""
            lines.append(f"  {finding.place}: {finding.problem}{expected}")
        if count > len(listed):
            lines.append(f"  and {count - len(listed):,}{more} that are not listed (--limit)")
        lines.append(f"  What to do: {kind.what_to_do}")
    return "\n".join([*lines, "", f"Result: {_TITLES[status]}"])


def _strip(inspection: Inspection, day: Any) -> str:
    counts, first, last = _trimmed(inspection, day)
    return (
        f"  {day}  {_clock(first)} {sparkline(counts)} {_clock(last + 1)}"
        f"  {sum(counts):,} updates, {max(counts):,} at the most"
    )


def _trimmed(inspection: Inspection, day: Any) -> tuple[list[int], int, int]:
    """Return a day's counts from the first to the last that is not 0, and where these are."""
    counts: list[int] = inspection.density[day].tolist()
    there = [number for number, count in enumerate(counts) if count]
    return counts[there[0] : there[-1] + 1], there[0], there[-1]


def _clock(number: int) -> str:
    return f"{number // 12:02d}:{number % 12 * 5:02d}"


def _json(inspection: Inspection, status: int) -> dict[str, Any]:
    from streamer.ist import ist_rfc3339

    findings = inspection.findings
    density = []
    for day in sorted(inspection.density):
        counts, first, _ = _trimmed(inspection, day)
        density.append(
            {"date": day.isoformat(), "from": _clock(first), "minutes": 5, "updates": counts}
        )
    return {
        "files": [str(path) for path in inspection.paths],
        "status": _TITLES[status],
        "rows": inspection.rows,
        "first": None if inspection.first is None else ist_rfc3339(inspection.first),
        "last": None if inspection.last is None else ist_rfc3339(inspection.last),
        "counts": findings.counts,
        "uncounted": sorted(findings.uncounted),
        "findings": [each.as_json_dict() for listed in findings.listed.values() for each in listed],
        "density": density,
    }
