"""
Many lists of instruments made into one: what each gave, and what did not fit.

The lists are read in the order in which they are given. The first that names
an instrument decides what it is; later ones fill what it left open (a full
name, an ISIN, a lot, a price step). A row that contradicts an earlier one, or
cannot be used, changes nothing: it is counted and listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from streamer.errors import InstrumentError
from streamer.instrument_masters import Details, Passed
from streamer.instrument_rows import Row
from streamer.instrument_sources import Source, open_source
from streamer.instruments import SEGMENTS, Instrument, InstrumentTable
from streamer.odin.tags import InstrumentKey

MAX_LISTED: Final = 1000
"""How many rows of a file are listed with their place; more are counted."""


class Listed:
    """A count, and the first of what was counted."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[InstrumentError] = []

    def add(self, error: InstrumentError) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < MAX_LISTED:
            self.first.append(error)


class FileReport:
    """
    What one file gave.

    ``rows`` are all below the header. Each is one of ``new`` (an instrument
    that no earlier row had), ``filled`` (told more of one), ``repeated`` (told
    nothing new), ``passed`` over for a reason, a ``collision`` or ``unusable``.
    """

    def __init__(self, source: Source) -> None:
        self.file = source.file
        self.kind = source.kind
        self.title = source.title
        self.sha256 = source.sha256
        self.rows = 0
        self.new = 0
        self.filled = 0
        self.repeated = 0
        self.passed: Counter[str] = Counter()
        self.collisions = Listed()
        self.unusable = Listed()

    def origin(self) -> dict[str, object]:
        """Return where instruments come from, to be kept with them."""
        return {"file": Path(self.file).name, "kind": self.kind, "sha256": self.sha256}


class Imported(msgspec.Struct, frozen=True):
    """The instruments of some files, and what each of these gave."""

    instruments: list[Instrument]
    files: list[FileReport]

    @property
    def left_out(self) -> int:
        """How many rows contradict others or cannot be used."""
        return sum(each.collisions.count + each.unusable.count for each in self.files)


def import_files(paths: Iterable[Path], known: InstrumentTable) -> Imported:
    """
    Read lists of instruments and make them one.

    Args:
        paths: The files, the one that decides first.
        known: Has the indices, under the names and numbers of the exchanges.

    Raises:
        InstrumentError: If a file is broken or of no known kind, more than half
            of its rows cannot be used, or no file gives an instrument.

    """
    merger = _Merger()
    reports = []
    # A file is opened when the one before is done: some hold 50 MB.
    for path in paths:
        source = open_source(path)
        report = FileReport(source)
        reports.append(report)
        for row, outcome in source.rows(known):
            report.rows += 1
            if isinstance(outcome, InstrumentError):
                report.unusable.add(outcome)
            elif isinstance(outcome, Passed):
                report.passed[outcome.reason] += 1
            elif isinstance(outcome, Details):
                merger.keep(outcome, row, report)
            else:
                merger.add(outcome, row, report)
        _refuse_misread(report)
    merger.fill_details()
    instruments = merger.instruments()
    if not instruments:
        files = [each.file for each in reports]
        missing = any(each.kind == "equity-l" for each in reports)
        raise InstrumentError(
            "no instrument of the cash markets of NSE or BSE found",
            expected="a list with tokens beside it" if missing else "at least one",
            file=", ".join(files),
        )
    return Imported(instruments, reports)


def _refuse_misread(report: FileReport) -> None:
    looked_at = report.rows - sum(report.passed.values())
    if report.unusable.count * 2 > looked_at:
        first = report.unusable.first[0]
        raise InstrumentError(
            f"{report.unusable.count:,} of {looked_at:,} rows cannot be used, the first: "
            f"{first.problem}",
            expected=first.expected,
            file=report.file,
            line=first.line,
            unit=first.unit,
            column=first.column,
            value=first.value,
        )


class _Merger:
    """Instruments by key and by symbol, each with the place that it was first found at."""

    def __init__(self) -> None:
        self._by_key: dict[InstrumentKey, tuple[Instrument, str]] = {}
        self._by_symbol: dict[tuple[str, str], list[InstrumentKey]] = {}
        self._details: list[tuple[Details, Row, FileReport]] = []

    def instruments(self) -> list[Instrument]:
        return [instrument for instrument, _ in self._by_key.values()]

    def add(self, found: Instrument, row: Row, report: FileReport) -> None:
        """Take an instrument, unless it contradicts what is there."""
        there = self._by_key.get(found.key)
        if there is not None:
            self._complete(*there, found, row, report)
            return
        namesakes = self._by_symbol.setdefault((found.exchange, found.symbol.upper()), [])
        for key in namesakes:
            other, place = self._by_key[key]
            # Without its series it cannot be told from a namesake.
            if other.series == found.series or not other.series or not found.series:
                report.collisions.add(
                    _collision(
                        row,
                        found,
                        f"{_named(found)} is token {other.token} at {place}",
                        "one token for a symbol in a series",
                    )
                )
                return
        namesakes.append(found.key)
        self._by_key[found.key] = (found, _place(row))
        report.new += 1

    def keep(self, details: Details, row: Row, report: FileReport) -> None:
        """Keep details until all lists are read: they may come before their instrument."""
        self._details.append((details, row, report))

    def fill_details(self) -> None:
        """Give each detail to the instrument that it is about."""
        for details, row, report in self._details:
            wanted = (
                self._by_key[key]
                for key in self._by_symbol.get(("NSE", details.symbol.upper()), ())
                if self._by_key[key][0].series == details.series
            )
            there = next(wanted, None)
            if there is None:
                report.unusable.add(
                    InstrumentError(
                        f"{details.symbol} of series {details.series} has no token",
                        expected="it in a list with tokens: a bhavcopy or a security file",
                        file=row.file,
                        line=row.number,
                        column="SYMBOL",
                        value=details.symbol,
                    )
                )
                continue
            instrument, place = there
            found = msgspec.structs.replace(
                instrument, name=details.name, isin=details.isin, lot=details.lot
            )
            self._complete(instrument, place, found, row, report)

    def _complete(
        self, there: Instrument, place: str, found: Instrument, row: Row, report: FileReport
    ) -> None:
        """Fill what an instrument has left open with what a later row says."""
        for field in ("symbol", "series", "isin", "kind"):
            ours, theirs = getattr(there, field), getattr(found, field)
            if ours != theirs and ours and theirs:
                report.collisions.add(
                    _collision(
                        row,
                        found,
                        f"the token is {_named(there)} at {place}, here {field} {theirs}",
                        f"{field} {ours}",
                    )
                )
                return
        filled = msgspec.structs.replace(
            there,
            series=there.series or found.series,
            name=there.name or found.name,
            isin=there.isin or found.isin,
            # A list that knows no lots says 1 of every one.
            lot=there.lot if there.lot > 1 else found.lot,
            tick=there.tick or found.tick,
        )
        if filled == there:
            report.repeated += 1
        else:
            report.filled += 1
            self._by_key[there.key] = (filled, place)


def _place(row: Row) -> str:
    return f"{row.file}, {row.unit} {row.number}"


def _named(instrument: Instrument) -> str:
    series = f" of series {instrument.series}" if instrument.series else ""
    return f"{instrument.exchange}:{instrument.symbol}{series}"


def _collision(row: Row, found: Instrument, problem: str, expected: str) -> InstrumentError:
    return InstrumentError(
        problem,
        expected=expected,
        file=row.file,
        line=row.number,
        unit=row.unit,
        column="token",
        value=str(found.token),
    )


def segment_counts(instruments: Iterable[Instrument]) -> dict[str, int]:
    """Return how many shares and indices of each exchange there are."""
    counts = {f"{exchange} {what}": 0 for exchange in SEGMENTS for what in ("shares", "indices")}
    for each in instruments:
        counts[f"{each.exchange} {'indices' if each.kind == 'index' else 'shares'}"] += 1
    return counts
