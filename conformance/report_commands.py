"""``odin-conformance compare`` and ``report``: options in, exit status out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from conformance.compare import Change, Comparison
    from conformance.reported import Report

COMPARE_EXAMPLES = """
\b
Examples:
  odin-conformance run ws://localhost:8080 --json new.json
  odin-conformance compare old.json new.json

\b
Exit status:
  0  nothing became worse
  1  regressions, or the new run did not come to its end
  2  wrong usage, or a file that is no report
"""

REPORT_EXAMPLES = """
\b
Examples:
  odin-conformance report ours.json theirs.json --html matrix.html
  odin-conformance report run.json --junit run.xml

\b
Exit status:
  0  written
  2  wrong usage, or a file that is no report
"""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=COMPARE_EXAMPLES)
@click.argument("old", type=_FILE, metavar="OLD.json")
@click.argument("new", type=_FILE, metavar="NEW.json")
def compare(old: Path, new: Path) -> None:
    """
    Tell what became worse and what became better from one run to another.

    A regression is a case that fails the run and did not before, one that
    held and holds only loosely now, or one that held and is inconclusive now.
    """
    from conformance.compare import compared

    comparison = compared(_read(old), _read(new))
    click.echo(_told(comparison))
    sys.exit(1 if comparison.is_worse else 0)


@click.command(epilog=REPORT_EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE.json...")
@click.option("--html", type=_FILE, metavar="FILE", help="Write one page, a column a report.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit XML.")
def report(files: tuple[Path, ...], html: Path | None, junit: Path | None) -> None:
    """Make a page or JUnit XML of reports that run --json wrote."""
    if html is None and junit is None:
        raise click.UsageError("nothing to write; --html or --junit expected")
    write_forms([_read(path) for path in files], html=html, junit=junit)


def write_forms(reports: list[Report], *, html: Path | None, junit: Path | None) -> None:
    """
    Write the forms of reports that were asked for.

    Raises:
        click.FileError: If one cannot be written.

    """
    if html is not None:
        from conformance.page import page

        _write(html, page(*reports).encode())
    if junit is not None:
        from conformance.junit import junit as as_junit

        _write(junit, as_junit(*reports))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from None


def _read(path: Path) -> Report:
    from conformance.reported import ReportError, read

    try:
        return read(path)
    except ReportError as error:
        raise click.UsageError(str(error)) from None


def _told(comparison: Comparison) -> str:
    from conformance.compare import Changed

    lines = [f"Note: {remark}" for remark in comparison.remarks]
    for how in Changed:
        changes = comparison.of(how)
        if not changes:
            continue
        lines += ["", f"{how.value.capitalize()} ({len(changes)}):"]
        for change in changes:
            lines += _lines(change)
    counts = [f"{how.value}: {len(found)}" for how in Changed if (found := comparison.of(how))]
    lines += ["", f"{', '.join([*counts, f'unchanged: {comparison.unchanged}'])}"]
    return "\n".join(lines).strip("\n")


def _lines(change: Change) -> list[str]:
    from conformance.compare import Changed

    sides = [side.verdict.value for side in (change.old, change.new) if side is not None]
    lines = [f"  {change.case.id:<26} {' -> '.join(sides):<24} {change.case.title}"]
    if change.how is Changed.REGRESSION and change.new is not None:
        lines += [f"    {change.new.why}", f"    {change.new.again}"]
    return lines
