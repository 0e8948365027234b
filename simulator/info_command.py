"""``odin-sim info``: its options and its output; what a recording is, says `description`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer.errors import OdinError, RecordingError

if TYPE_CHECKING:
    from simulator.description import Description, FileDescription

STATUS_UNUSABLE = 3

EXAMPLES = """
\b
Examples:
  odin-sim info recordings/day.parquet
  odin-sim info tapes/*.parquet --json

\b
Exit status:
  0  the recording is described
  2  wrong usage
  3  a replay would refuse the recording: see odin-sim check
"""

_MOST_SHOWN = 5


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
    "--instruments",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV or Parquet file of more instruments. Can be given more than once.",
)
def info(files: tuple[Path, ...], as_json: bool, instruments: tuple[Path, ...]) -> None:
    """Say what recordings are: window, instruments, rates, columns, origin, size."""
    from simulator.description import describe
    from simulator.progress_line import ProgressLine
    from streamer.loading import instrument_table

    try:
        with ProgressLine() as line:
            description = describe(
                files,
                table=instrument_table(instruments),
                on_rows=lambda rows: line.show(f"Reading: {rows:,} rows"),
            )
    except RecordingError as error:
        click.echo(f"Error: {error}", err=True)
        click.echo("odin-sim check lists everything that is wrong.", err=True)
        sys.exit(STATUS_UNUSABLE)
    except OdinError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(_json(description), indent=2))
    else:
        click.echo(_text(description))


def _text(found: Description) -> str:
    from streamer.ist import ist_clock, ist_datetime

    second, most = found.busiest
    some = ", ".join(f"{each.symbol} {rows:,}" for each, rows in found.instruments[:_MOST_SHOWN])
    others = len(found.instruments) - _MOST_SHOWN
    lines = [
        ("Files", f"{len(found.files)}, {sum(each.size_bytes for each in found.files):,} bytes"),
        *(("", _file_text(each)) for each in found.files),
        ("Origin", _origin_text(found)),
        ("Window", f"{ist_datetime(found.start)} to {ist_datetime(found.end)} IST"),
        *(("", f"{day}: {rows:,} rows") for day, rows in found.days.items()),
        (
            "Rows",
            f"{found.rows:,}: {found.rate:,.1f}/s on average, "
            f"{most:,} in the busiest second ({ist_clock(second)})",
        ),
        ("Instruments", f"{len(found.instruments):,}: {some}{_and_more(others)}"),
        ("Columns", ", ".join(found.columns)),
    ]
    if found.ignored:
        lines.append(("Ignored", f"{', '.join(found.ignored)}: not part of the format"))
    return "\n".join(f"{name:<12} {text}" for name, text in lines)


def _file_text(file: FileDescription) -> str:
    text = f"{file.path}, {file.size_bytes:,} bytes{', sealed' if file.sealed else ''}"
    gaps = file.footer.get("gaps")
    if gaps:
        text += f", {len(gaps)} gap{'' if len(gaps) == 1 else 's'} while the feed was away"
    if file.footer.get("ended") == "killed":
        text += ", recovered from a killed recorder"
    return text


def _origin_text(found: Description) -> str:
    """Return in words where the files come from, each origin once."""
    words = {
        True: "simulated: no price in it was ever traded",
        False: "not simulated",
        None: "not said whether simulated",
    }
    origins: dict[str, None] = {}
    for file in found.files:
        told = file.footer
        parts = [str(told[name]) for name in ("source", "feed", "made_from") if name in told]
        parts += [f"{name} {told[name]}" for name in ("profile", "seed") if name in told]
        origins[", ".join(parts) or "no metadata"] = None
    return f"{'; '.join(origins)}; {words[found.simulated]}"


def _and_more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _json(found: Description) -> dict[str, Any]:
    from streamer.ist import ist_rfc3339

    second, most = found.busiest
    return {
        "files": [
            {
                "file": str(each.path),
                "size_bytes": each.size_bytes,
                "sealed": each.sealed,
                "footer": dict(each.footer),
                "manifest": dict(each.manifest),
            }
            for each in found.files
        ],
        "simulated": found.simulated,
        "start": ist_rfc3339(found.start),
        "end": ist_rfc3339(found.end),
        "days": {day.isoformat(): rows for day, rows in found.days.items()},
        "rows": found.rows,
        "rows_per_second": round(found.rate, 3),
        "busiest_second": {"time": ist_rfc3339(second), "rows": most},
        "instruments": [
            {
                "symbol": each.symbol,
                "token": each.token,
                "segment": each.segment,
                "exchange": each.exchange,
                "rows": rows,
            }
            for each, rows in found.instruments
        ],
        "columns": list(found.columns),
        "ignored_columns": list(found.ignored),
    }
