"""The command ``odin-sim facts``: a recording in, its figures and a verdict out."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.progress_line import ProgressLine
from streamer.errors import RecordingError

if TYPE_CHECKING:
    from simulator.facts import Measured

__all__ = ["facts"]

_EXAMPLES = """
\b
Examples:
  odin-sim facts recordings/day.parquet
  odin-sim facts day.parquet --html facts.html

\b
Exit status:
  0  every figure that can be judged lies where those of real days lie
  1  some figure lies outside
  2  wrong usage
  3  the recording is unusable

The figures are described in docs/synthetic-days.md.
"""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=_EXAMPLES)
@click.argument("path", metavar="FILE", type=_FILE)
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The day, if the recording has several.  [default: the one with the most rows]",
)
@click.option("--html", type=_FILE, metavar="OUT", help="Write a page with charts.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures for programs.")
@click.option(
    "--sort", is_flag=True, help="Put rows that go back in time in order, instead of refusing."
)
def facts(path: Path, day: datetime | None, html: Path | None, as_json: bool, sort: bool) -> None:
    """Measure how much a recording, synthetic or real, looks like a real trading day."""
    from simulator.facts import measure
    from simulator.recording import Recording
    from streamer.instruments import InstrumentTable

    if html is not None and not html.absolute().parent.is_dir():
        raise click.UsageError(f"--html: there is no folder {html.parent}")
    try:
        with ProgressLine() as progress:
            recording = Recording.open(
                [path],
                instruments=InstrumentTable.bundled(),
                sort=sort,
                on_rows=lambda rows: progress.show(f"{rows:,} rows checked"),
            )
            measured = measure(
                recording,
                None if day is None else day.date(),
                seen=lambda rows: progress.show(f"{rows:,} of {recording.rows:,} rows measured"),
            )
    except RecordingError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)
    if html is not None:
        from simulator.facts_page import page

        try:
            html.write_text(page(measured, path.name), encoding="utf-8")
        except OSError as error:
            raise click.UsageError(f"{html}: cannot be written ({error.strerror})") from error
    click.echo(_json(measured, path) if as_json else _text(measured, path))
    sys.exit(1 if measured.outside else 0)


def _json(measured: Measured, path: Path) -> str:
    import msgspec

    from simulator.facts import FIGURES

    answer = {
        "file": str(path),
        "date": measured.day.isoformat(),
        "rows": measured.rows,
        "instruments": measured.instruments,
        "stocks": list(measured.stocks),
        "verdict": "outside" if measured.outside else "pass",
        "figures": [
            {
                "name": figure.name,
                "meaning": figure.meaning,
                "value": measured.values[figure.name],
                "least": figure.least,
                "most": figure.most,
                "verdict": measured.verdict(figure).value,
            }
            for figure in FIGURES
        ],
    }
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()


def _text(measured: Measured, path: Path) -> str:
    from simulator.facts import CROSS_SECTION, FIGURES
    from simulator.facts_page import value_text

    lines = [
        f"{path}: {measured.day}, {measured.rows:,} rows, {measured.instruments:,} instruments, "
        f"{len(measured.stocks)} stocks measured",
        "",
        f"{'':<58}{'here':>9}   {'real days':<15}",
    ]
    for figure in FIGURES:
        span = "none" if figure.is_count else f"{figure.least:g} to {figure.most:g}"
        value = value_text(figure, measured.values[figure.name])
        lines.append(f"{figure.meaning:<58}{value:>9}   {span:<15}{measured.verdict(figure).value}")
    if len(measured.stocks) < CROSS_SECTION:
        lines += ["", f"Figures over all stocks are judged from {CROSS_SECTION} stocks on."]
    outside = len(measured.outside)
    verdict = f"{outside} outside the range of real days." if outside else "Like a real day."
    return "\n".join([*lines, "", verdict])
