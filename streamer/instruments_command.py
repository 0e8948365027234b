"""``odin-streamer instruments``: its commands, their options, output and exit status."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streamer.errors import InstrumentError, OdinError

if TYPE_CHECKING:
    from streamer.instrument_import import FileReport, Imported
    from streamer.instruments import Instrument, InstrumentTable

IMPORT_EXAMPLES: Final = """
\b
Examples:
  odin-streamer instruments import NSE_CM_security_23112026.csv.gz -o instruments.parquet
  odin-streamer instruments import security.csv.gz EQUITY_L.csv BhavCopy_BSE.zip -o all.parquet
  odin-streamer serve --upstream ws://FEED --instruments instruments.parquet

\b
Exit status:
  0  written; rows that contradict others or cannot be used are left out and listed
  1  nothing written: a file is broken or unknown, or --strict and a row was left out
  2  wrong usage
"""

SEARCH_EXAMPLES: Final = """
\b
Examples:
  odin-streamer instruments search bajaj
  odin-streamer instruments search INE062A01020 --instruments instruments.parquet --json

\b
Exit status:
  0  something was found
  1  nothing was found, or a file cannot be used
  2  wrong usage
"""

SHOW_EXAMPLES: Final = """
\b
Examples:
  odin-streamer instruments show SBIN M&M BSE:500112
  odin-streamer instruments show 'NIFTY 50' --instruments instruments.parquet --json
  odin-streamer instruments show LALPATHLAB --db sessions.db --date 2025-12-19 --json

\b
Exit status:
  0  every STOCK is known
  1  a STOCK is unknown, or a file cannot be used
  2  wrong usage
"""

_FILE: Final = click.Path(dir_okay=False, path_type=Path)

_instruments_option: Final[Callable[[Any], Any]] = click.option(
    "--instruments",
    "files",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    envvar="ODIN_STREAMER_INSTRUMENTS",
    help="File of more instruments, CSV or Parquet. Can be given more than once.",
)
_json_option: Final[Callable[[Any], Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, for programs."
)


@click.group()
def instruments() -> None:
    """Make a list of instruments from the exchanges' and brokers' own, and look into it."""


@instruments.command(name="import", epilog=IMPORT_EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@click.option(
    "-o", "--output", required=True, type=_FILE, metavar="FILE.parquet", help="File to write."
)
@click.option("--strict", is_flag=True, help="Write nothing if any row would be left out.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many rows of a kind are listed; more are counted.",
)
@_json_option
def import_command(
    sources: tuple[Path, ...], output: Path, strict: bool, limit: int, as_json: bool
) -> None:
    """
    Make one file of instruments from lists of exchanges and brokers.

    Each FILE is told by its header, not by its name, and may be packed as gz or
    zip: UDiFF bhavcopies of NSE and BSE, the MII security file and EQUITY_L.csv
    of NSE, the lists of Angel, Dhan, Kite, Shoonya and Upstox, and the CSV and
    Parquet files of this server. The first that names an instrument decides
    what it is; later ones fill what it left open.
    """
    from streamer.instrument_import import import_files
    from streamer.instrument_parquet import write_parquet
    from streamer.instruments import InstrumentTable

    try:
        imported = import_files(sources, InstrumentTable.bundled())
        is_written = not (strict and imported.left_out)
        if is_written:
            origin = {"version": 1, "files": [each.origin() for each in imported.files]}
            write_parquet(output, imported.instruments, origin)
    except OdinError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_import_json(imported, output, is_written, limit), indent=2))
    else:
        click.echo(_import_text(imported, output, is_written, limit))
    if not is_written:
        raise SystemExit(1)


@instruments.command(epilog=SEARCH_EXAMPLES)
@click.argument("text", nargs=-1, required=True)
@_instruments_option
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many are shown.",
)
@_json_option
def search(text: tuple[str, ...], files: tuple[Path, ...], limit: int, as_json: bool) -> None:
    """Find instruments by symbol, token, ISIN or name, or by a part of them."""
    from streamer.instrument_search import search as find

    words = " ".join(text)
    found = find(_table(files), words)
    if as_json:
        shown = [plain(each) for each in found[:limit]]
        click.echo(json.dumps({"found": len(found), "instruments": shown}, indent=2))
    elif found:
        click.echo(_lines(found[:limit]))
        if len(found) > limit:
            click.echo(f"and {len(found) - limit:,} more (--limit)")
    else:
        click.echo(f"Nothing found for {words!r}; --instruments gives more than is bundled.")
    if not found:
        raise SystemExit(1)


@instruments.command(epilog=SHOW_EXAMPLES)
@click.argument("stocks", nargs=-1, required=True, metavar="STOCK...")
@_instruments_option
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Day of the rules and the session that are shown. Default: today in India.",
)
@click.option(
    "--db",
    type=_FILE,
    envvar="ODIN_STREAMER_DB",
    metavar="FILE",
    help="Store whose end-of-day files are asked. Default: that of serve.",
)
@_json_option
def show(
    stocks: tuple[str, ...],
    files: tuple[Path, ...],
    day: datetime | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """
    Show who each STOCK is, and what its session begins with.

    A STOCK is a symbol or token, alone or with its exchange. The figures of
    the session of --date, or of the next one, come from the end-of-day files
    that eod import keeps, each with its source.
    """
    from streamer.eod_command import default_store
    from streamer.ist import ist_date
    from streamer.reference_lookup import look_up

    table = _table(files)
    on = ist_date(time.time_ns()) if day is None else day.date()
    found = [(stock, table.resolve(stock)) for stock in stocks]
    known = [each for _, each in found if each is not None]
    try:
        reference = look_up(db or default_store(), table, known, on)
    except OdinError as error:
        raise click.ClickException(str(error)) from error
    shown = [identity(each, table, on) | {"reference": reference[each.key]} for each in known]
    failed = [stock for stock, each in found if each is None]
    if as_json:
        answer = {"date": on.isoformat(), "instruments": shown, "failed_stocks": failed}
        click.echo(json.dumps(answer, indent=2))
    else:
        blocks = [_identity_text(each) for each in shown]
        blocks += [f"{stock}: no instrument is known by this" for stock in failed]
        click.echo("\n\n".join(blocks))
    if failed:
        raise SystemExit(1)


def plain(instrument: Instrument) -> dict[str, Any]:
    """Return an instrument as JSON values; ``tick`` is null where the rule of the date applies."""
    return {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "token": str(instrument.token),
        "segment": instrument.segment,
        "series": instrument.series,
        "name": instrument.name or None,
        "isin": instrument.isin or None,
        "lot": instrument.lot,
        "tick": instrument.tick / 100 if instrument.tick else None,
        "kind": instrument.kind,
    }


def identity(instrument: Instrument, table: InstrumentTable, on: date) -> dict[str, Any]:
    """
    Return who an instrument is, as JSON values.

    Args:
        instrument: One of the table's.
        table: Knows its aliases and relatives.
        on: The day of the rule of price steps.

    """
    from streamer.instrument_search import aliases_of, relatives
    from streamer.instruments import tick_rule

    rule = None
    if not instrument.tick and instrument.kind == "equity":
        applied = tick_rule(instrument.exchange, on)
        rule = {
            "from": None if applied.start == date.min else applied.start.isoformat(),
            "steps": [[lowest / 100, step / 100] for lowest, step in applied.steps],
            "source": applied.source,
        }
    return plain(instrument) | {
        "label": instrument.label,
        "aliases": aliases_of(table, instrument),
        "tick_rule": rule,
        "relatives": [
            {"label": each.label, "token": str(each.token), "series": each.series}
            for each in relatives(table, instrument)
        ],
    }


def _table(files: Iterable[Path]) -> InstrumentTable:
    from streamer.loading import instrument_table

    try:
        return instrument_table(files)
    except OdinError as error:
        raise click.ClickException(str(error)) from error


def _lines(found: Sequence[Instrument]) -> str:
    header = ("exchange", "token", "symbol", "series", "ISIN", "lot", "step", "name")
    rows = [
        (
            each.exchange,
            str(each.token),
            each.symbol,
            each.series,
            each.isin or "-",
            str(each.lot),
            f"{each.tick / 100:.2f}" if each.tick else "-",
            each.name,
        )
        for each in found
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    )


def _identity_text(who: dict[str, Any]) -> str:
    from streamer.reference_lookup import reference_facts

    rule, relatives = who["tick_rule"], who["relatives"]
    if rule is not None:
        steps = "; ".join(f"{step:.2f} from {lowest:.2f}" for lowest, step in rule["steps"])
        begin = f" from {rule['from']}" if rule["from"] else ""
        step_text = f"by the rule of {who['exchange']}{begin}: {steps}"
    else:
        step_text = f"{who['tick']:.2f}" if who["tick"] else "0.01, as of every index"
    facts = {
        "name": who["name"],
        "token": f"{who['token']} (market segment {who['segment']})",
        "series": who["series"] or None,
        "ISIN": who["isin"],
        "lot": str(who["lot"]),
        "price step": step_text,
        "also called": ", ".join(who["aliases"]) or None,
        "see also": ", ".join(
            " ".join(filter(None, (each["label"], each["token"], each["series"])))
            for each in relatives
        )
        or None,
    } | reference_facts(who["reference"])
    lines = [f"  {name:<14}{value}" for name, value in facts.items() if value]
    return "\n".join([who["label"], *lines])


def _import_text(imported: Imported, output: Path, is_written: bool, limit: int) -> str:
    from streamer.instrument_import import segment_counts

    lines = [_file_text(each) for each in imported.files]
    for title, listed in (
        (
            "COLLISIONS ({:,}): rows that contradict an earlier one, which stays as it is",
            [each.collisions for each in imported.files],
        ),
        (
            "UNUSABLE ({:,}): rows with a value that cannot be used",
            [each.unusable for each in imported.files],
        ),
    ):
        count = sum(each.count for each in listed)
        if not count:
            continue
        first = [error for each in listed for error in each.first][:limit]
        lines += ["", title.format(count), *(f"  {error}" for error in first)]
        if count > len(first):
            lines.append(f"  and {count - len(first):,} that are not listed (--limit)")
    if not is_written:
        left_out = f"Nothing written, --strict: rows to be left out: {imported.left_out:,}"
        return "\n".join([*lines, "", left_out])
    counts = segment_counts(imported.instruments)
    told = ", ".join(f"{what} {count:,}" for what, count in counts.items() if count)
    written = f"{output}: {len(imported.instruments):,} instruments written ({told})"
    return "\n".join([*lines, "", written])


def _file_text(report: FileReport) -> str:
    counts = {
        "new": report.new,
        "told more of": report.filled,
        "known already": report.repeated,
        "collide": report.collisions.count,
        "unusable": report.unusable.count,
    }
    told = [f"{count:,} {what}" for what, count in counts.items() if count]
    told += [f"{count:,} passed over, {why}" for why, count in sorted(report.passed.items())]
    return f"{report.file}: {report.title}, {report.rows:,} rows: {'; '.join(told)}"


def _import_json(imported: Imported, output: Path, is_written: bool, limit: int) -> dict[str, Any]:
    from streamer.instrument_import import segment_counts

    return {
        "output": str(output) if is_written else None,
        "instruments": len(imported.instruments),
        "counts": segment_counts(imported.instruments),
        "files": [
            each.origin()
            | {
                "file": each.file,
                "rows": each.rows,
                "new": each.new,
                "filled": each.filled,
                "repeated": each.repeated,
                "passed": dict(each.passed),
                "collisions": each.collisions.count,
                "unusable": each.unusable.count,
            }
            for each in imported.files
        ],
        "collisions": _errors_json((each.collisions.first for each in imported.files), limit),
        "unusable": _errors_json((each.unusable.first for each in imported.files), limit),
    }


def _errors_json(listed: Iterable[Sequence[InstrumentError]], limit: int) -> list[dict[str, Any]]:
    errors = [error for each in listed for error in each][:limit]
    return [
        {
            "file": error.file,
            error.unit: error.line,
            "column": error.column,
            "value": error.value,
            "problem": error.problem,
            "expected": error.expected,
        }
        for error in errors
    ]
