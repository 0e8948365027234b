"""``odin-streamer eod``: its commands, their options, output and exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streamer.errors import EodError, OdinError

if TYPE_CHECKING:
    from streamer.eod_store import EodStore
    from streamer.eod_table import EodFile, OtherFile

IMPORT_EXAMPLES: Final = """
\b
Examples:
  odin-streamer eod import sec_bhavdata_full_17122025.csv CM_52_wk_High_low_18122025.csv
  odin-streamer eod import --db /var/lib/odin-streamer/sessions.db PR171225.zip
  odin-streamer eod import BhavCopy_*.zip --json

\b
Exit status:
  0  every file was imported, was known already, or is of a kind that no quote needs
  1  a file was refused, or the store cannot be used; the other files were imported
  2  wrong usage
"""

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


def default_store() -> Path:
    """Return the file that ``serve`` uses when it is given none."""
    from streamer.config import Config

    return Config(upstream="ws://localhost").session_file(os.environ)


@click.group()
def eod() -> None:
    """Keep the exchanges' end-of-day files, which tomorrow's quotes begin with."""


@eod.command(name="import", epilog=IMPORT_EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@click.option(
    "--db",
    type=_FILE,
    envvar="ODIN_STREAMER_DB",
    metavar="FILE",
    help="Store of the server that shall use them, as in serve --db. Default: that of serve.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Let a file take the place of another one of its kind and day.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def import_command(
    sources: tuple[Path, ...], db: Path | None, replace: bool, as_json: bool
) -> None:
    """
    Import end-of-day files of NSE and BSE, in any order, while the server runs.

    Each FILE is told by its header, and may be packed as gz or zip:
    sec_bhavdata_full, the UDiFF and older bhavcopies of both exchanges,
    CM_52_wk_High_low, and pd and bc of NSE's PR archive. A file that was
    imported before changes nothing.
    """
    from streamer.eod_store import EodStore

    path = db or default_store()
    try:
        if db is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with EodStore.open(path) as store:
            told = [each for source in sources for each in _import(store, source, replace)]
    except (OdinError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"db": str(path), "files": told}, indent=2))
    else:
        for each in told:
            click.echo(_line(each), err=each["outcome"] == "refused")
    if any(each["outcome"] == "refused" for each in told):
        raise SystemExit(1)


def _import(store: EodStore, source: Path, replace: bool) -> list[dict[str, Any]]:
    """Import what is in a file; return what became of each part of it."""
    from streamer.eod_files import load_eod_files

    try:
        files = load_eod_files(source)
    except EodError as error:
        return [_refused(error)]
    return [_keep(store, file, replace) for file in files]


def _keep(store: EodStore, file: EodFile | OtherFile, replace: bool) -> dict[str, Any]:
    from streamer.eod_table import OtherFile

    if isinstance(file, OtherFile):
        return {"outcome": "passed over", "file": file.name, "kind": file.kind}
    try:
        outcome = store.save(file, replace=replace)
    except EodError as error:
        return _refused(error)
    return {
        "outcome": outcome,
        "file": file.name,
        "kind": file.kind,
        "exchange": file.exchange,
        "effective": file.effective.isoformat(),
        "rows": file.rows,
        "sha256": file.sha256,
    }


def _refused(error: EodError) -> dict[str, Any]:
    return {
        "outcome": "refused",
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "value": error.value,
        "problem": error.problem,
        "expected": error.expected,
        "error": str(error),
    }


def _line(told: dict[str, Any]) -> str:
    outcome = told["outcome"]
    if outcome == "refused":
        return f"refused      {told['error']}"
    if outcome == "passed over":
        return f"passed over  {told['file']}: {told['kind']}, which no quote needs"
    what = f"{told['kind']} of {told['exchange']} for {told['effective']}"
    return f"{outcome:<11}  {told['file']}: {what}, {told['rows']:,} rows"
