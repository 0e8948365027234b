"""
What is wrong with a recording, all of it, with the place of each finding.

A replay stops at the first thing that it cannot use; `inspect` goes on.
Whatever `simulator.recording` refuses is an error here, in the same words,
since the same code reads the values; what is merely odd is
`simulator.oddities`' subject. Memory is bounded: rows are read by row group.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator import columns
from simulator.columns import UNTOLD, BadValue, Int32Array, Int64Array
from simulator.decoding import BATCH_ROWS
from simulator.findings import Finding, Findings
from simulator.identity import IDENTITY_COLUMNS, BadName, Identities
from simulator.oddities import Oddities, Rows
from simulator.recording import Recording
from simulator.recording_file import METADATA_KEY
from simulator.synth import recording_hash
from simulator.tape_journal import SUFFIX, leftovers
from streamer.calendar import TradingCalendar
from streamer.errors import RecordingError
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, NS_PER_SECOND, ist_date

__all__ = ["BIN_NS", "Inspection", "inspect", "manifest_of"]

BIN_NS: Final = 300 * NS_PER_SECOND
"""The density of a day is counted by five minutes."""

MAX_BAD_VALUES: Final = 1000
"""After so many bad values of one column of a file, its others are no longer looked for."""

_BINS: Final = NS_PER_DAY // BIN_NS


class Inspection:
    """What was found in some files; made by `inspect`."""

    def __init__(
        self, paths: Sequence[Path], findings: Findings, on_rows: Callable[[int], None]
    ) -> None:
        self.paths = tuple(paths)
        self._on_rows = on_rows
        self.findings = findings
        self.rows = 0
        self.first: int | None = None
        self.last: int | None = None
        self.density: dict[date, Int64Array] = {}
        """For each day in India the updates of each five minutes, from midnight on."""

    def count(self, rows: int, ts: Int64Array) -> None:
        """Take in rows, and those of their times that can be used."""
        self.rows += rows
        self._on_rows(self.rows)
        if not len(ts):
            return
        low, high = int(ts.min()), int(ts.max())
        self.first = low if self.first is None else min(low, self.first)
        self.last = high if self.last is None else max(high, self.last)
        days, moments = np.divmod(ts + IST_OFFSET_NS, NS_PER_DAY)
        for day in np.unique(days).tolist():
            bins = np.bincount(moments[days == day] // BIN_NS, minlength=_BINS)
            name = ist_date(day * NS_PER_DAY - IST_OFFSET_NS)
            self.density[name] = self.density.get(name, np.zeros(_BINS, dtype=np.int64)) + bins


def inspect(
    paths: Sequence[Path],
    *,
    table: InstrumentTable,
    calendar: TradingCalendar,
    gap_ns: int,
    limit: int,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Inspection:
    """
    Look at every row of some files.

    Args:
        paths: Files that follow each other in time are looked at as one recording.
        table: Knows the symbols of rows that have no token.
        calendar: Tells sessions.
        gap_ns: A longer time without any row is a gap, within a session.
        limit: How many findings of a kind are listed; more are counted only.
        on_rows: Told now and then how many rows have been looked at.

    """
    inspection = Inspection(paths, Findings(limit), on_rows)
    identities = Identities(table)
    oddities = Oddities(inspection.findings, _numbered(identities), calendar, gap_ns)
    for path in paths:
        _File(path, inspection, identities, oddities, table).look()
    oddities.end()
    for folder in dict.fromkeys(path.parent for path in paths):
        for journal in leftovers(folder):
            inspection.findings.add(
                Finding(kind="leftover", file=str(journal), problem="a recorder was killed here")
            )
    return inspection


def _numbered(identities: Identities) -> Callable[[int], Instrument]:
    """Return what gives an instrument by its number; more may be met later."""
    known: list[Instrument] = []

    def instrument(number: int) -> Instrument:
        if number >= len(known):
            known[:] = identities.instruments.values()
        return known[number]

    return instrument


class _File:
    """One file that is looked at."""

    def __init__(
        self,
        path: Path,
        inspection: Inspection,
        identities: Identities,
        oddities: Oddities,
        table: InstrumentTable,
    ) -> None:
        self._path = path
        self._inspection = inspection
        self._findings = inspection.findings
        self._identities = identities
        self._oddities = oddities
        self._table = table
        self._bad: dict[str, int] = {}
        self._previous = 0

    def look(self) -> None:
        errors = self._errors()
        try:
            with pq.ParquetFile(self._path) as parquet:
                usable = self._look_at_schema(parquet.schema_arrow)
                # The wire has whole seconds: a feed may say the same twice in one.
                recorded = footer(parquet.schema_arrow).get("source") == "recorded"
                self._oddities.begin(str(self._path), may_repeat=recorded)
                if not parquet.metadata.num_rows:
                    self._note("file", "the file has no rows", "one row or more")
                elif usable:
                    offset = 0
                    for group in range(parquet.metadata.num_row_groups):
                        self._look_at_group(parquet, group, offset, usable)
                        offset += parquet.metadata.row_group(group).num_rows
        except FileNotFoundError:
            self._note("file", "there is no such file", "a Parquet file")
        except (pa.ArrowException, OSError) as error:
            if self._path.suffix == SUFFIX:
                self._note("file", "the file is the journal of a recorder", "a Parquet file")
            else:
                words = str(error).strip().splitlines() or [type(error).__name__]
                self._note(
                    "file", f"the file cannot be read as Parquet ({words[0]})", "a Parquet file"
                )
        if errors == self._errors():
            self._look_at_hashes()

    def _look_at_schema(self, schema: Any) -> list[str]:
        """Report what is wrong with the columns; return those that can be read, or none."""
        names = schema.names
        before = self._errors()
        twice = {name for name in names if names.count(name) > 1} & columns.BY_NAME.keys()
        for name in sorted(twice):
            self._note("schema", "the column is there twice", "each column once", column=name)
        for column in columns.COLUMNS:
            if column.name in twice:
                continue
            if column.name in names:
                problem = columns.type_problem(column, schema.field(column.name).type)
                if problem is not None:
                    self._note("schema", *problem, column=column.name)
            elif column.required:
                expected = columns.TYPES[column.kind]
                self._note("schema", "the column is missing", expected, column=column.name)
        if not {"token", "symbol"} & set(names):
            expected = "a column token, or a column symbol"
            self._note("schema", "the column is missing", expected, column="token")
        return [] if self._errors() > before else [n for n in names if n in columns.BY_NAME]

    def _look_at_group(self, parquet: Any, group: int, offset: int, names: Sequence[str]) -> None:
        try:
            for arrow in parquet.iter_batches(
                batch_size=BATCH_ROWS, row_groups=[group], columns=list(names)
            ):
                self._look_at_batch(arrow, group, offset)
                offset += arrow.num_rows
        except (pa.ArrowException, OSError) as error:
            words = str(error).strip().splitlines() or [type(error).__name__]
            self._note(
                "file",
                f"the row group cannot be read ({words[0]})",
                "a whole Parquet file",
                row_group=group,
            )

    def _look_at_batch(self, arrow: Any, group: int, offset: int) -> None:
        ts, is_time = self._values("ts", arrow, group, offset, None)
        figures = {
            name: self._values(name, arrow, group, offset, (ts, is_time))[0]
            for name in arrow.schema.names
            if name != "ts" and name not in IDENTITY_COLUMNS
        }
        instrument, is_known = self._instruments(arrow, group, offset)
        self._inspection.count(arrow.num_rows, ts[is_time])
        row = np.arange(offset, offset + arrow.num_rows)
        self._look_at_order(ts[is_time], row[is_time], group)
        usable = is_time & is_known
        self._oddities.look(
            Rows(
                str(self._path),
                group,
                row[usable],
                ts[usable],
                instrument[usable],
                {name: values[usable] for name, values in figures.items()},
            )
        )

    def _look_at_order(self, ts: Int64Array, row: Int64Array, group: int) -> None:
        if not len(ts):
            return
        before = np.concatenate(([self._previous], ts[:-1]))
        self._previous = int(ts[-1])
        places = np.flatnonzero(ts < before).tolist()
        self._findings.add_many(
            "order",
            len(places),
            lambda i: Finding(
                kind="order",
                file=str(self._path),
                row_group=group,
                row=int(row[places[i]]),
                ts=int(ts[places[i]]),
                column="ts",
                problem=f"it is {(before[places[i]] - ts[places[i]]) / NS_PER_SECOND:,.3f} s "
                "earlier than the row before",
            ),
        )

    def _values(
        self,
        name: str,
        arrow: Any,
        group: int,
        offset: int,
        times: tuple[Int64Array, Any] | None,
    ) -> tuple[Int64Array, Any]:
        """Return a column's values, and where they can be used; report the others."""
        array = arrow.column(name)
        values = np.full(len(array), UNTOLD, dtype=np.int64)
        usable = np.zeros(len(array), dtype=np.bool_)

        def read(start: int, end: int) -> None:
            part = array.slice(start, end - start)
            values[start:end] = columns.to_integers(columns.BY_NAME[name], part)
            usable[start:end] = True

        for at, bad in self._bad_places(name, "value", len(array), read):
            ts = None
            if times is not None and times[1][at]:
                ts = int(times[0][at])
            self._note(
                "value",
                bad.problem,
                bad.expected,
                row_group=group,
                row=offset + at,
                ts=ts,
                column=name,
                value=bad.value,
            )
        return values, usable

    def _instruments(self, arrow: Any, group: int, offset: int) -> tuple[Int32Array, Any]:
        """Return the rows' instruments by number, and where they are known; report the others."""
        names = [name for name in IDENTITY_COLUMNS if name in arrow.schema.names]
        numbers = np.full(arrow.num_rows, -1, dtype=np.int32)

        def read(start: int, end: int) -> None:
            named = {name: arrow.column(name).slice(start, end - start) for name in names}
            numbers[start:end] = self._identities.number(named, end - start)

        for at, bad in self._bad_places("instrument", "instrument", arrow.num_rows, read):
            self._note(
                "instrument",
                bad.problem,
                bad.expected,
                row_group=group,
                row=offset + at,
                column=bad.column if isinstance(bad, BadName) else None,
                value=bad.value,
            )
        return numbers, numbers >= 0

    def _bad_places(
        self, name: str, kind: str, rows: int, read: Callable[[int, int], None]
    ) -> Iterator[tuple[int, BadValue]]:
        """
        Read rows in pieces around what cannot be read, and yield that in order.

        After `MAX_BAD_VALUES` of a column the rest is left unread.
        """
        waiting = [(0, rows)]
        found: list[tuple[int, BadValue]] = []
        while waiting:
            start, end = waiting.pop()
            if start == end:
                continue
            if self._bad.get(name, 0) >= MAX_BAD_VALUES:
                self._findings.uncounted.add(kind)
                continue
            try:
                read(start, end)
            except BadValue as bad:
                self._bad[name] = self._bad.get(name, 0) + 1
                at = start + bad.row
                found.append((at, bad))
                waiting += [(at + 1, end), (start, at)]
        found.sort(key=lambda each: each[0])
        yield from found

    def _look_at_hashes(self) -> None:
        """Compare a usable file with what its footer and its manifest say of it."""
        manifest = manifest_of(self._path)
        if "sha256" in manifest:
            with self._path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != manifest["sha256"]:
                self._note("hash", f"the bytes are not those that {manifest['file']} is about")
        try:
            recording = Recording.open([self._path], instruments=self._table)
            told = recording.metadata[0].get("content_sha256")
            # Reading a sealed file also compares its bytes with those that were written.
            reads = told is not None or recording.sealed[0]
            found = recording_hash(recording) if reads else None
        except RecordingError as error:
            self._note("file", error.problem, error.expected, row_group=error.row_group)
            return
        if told is not None and told != found:
            self._note("hash", "the rows are not those that the footer is about")

    def _errors(self) -> int:
        counts = self._findings.counts
        return sum(
            counts.get(kind, 0) for kind in ("file", "schema", "value", "instrument", "order")
        )

    def _note(self, kind: str, problem: str, expected: str = "", **place: Any) -> None:
        self._findings.add(
            Finding(kind=kind, file=str(self._path), problem=problem, expected=expected, **place)
        )


def footer(schema: Any) -> dict[str, Any]:
    """Return what the footer of a file says of its origin; empty if it says nothing."""
    try:
        found = json.loads((schema.metadata or {}).get(METADATA_KEY.encode(), b"{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def manifest_of(path: Path) -> dict[str, Any]:
    """Return what stands in the manifest beside a file; empty if there is none."""
    beside = path.with_suffix(".json")
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or found.get("file") != path.name:
        return {}
    return found | {"file": beside.name}
