"""
Findings about a recording: their kinds, what to do about each, and a list that stays short.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from streamer.ist import ist_datetime, ist_rfc3339

__all__ = ["KINDS", "Finding", "Findings", "Kind", "Severity"]


class Severity(StrEnum):
    """Whether a replay refuses the recording for it."""

    ERROR = "error"
    WARNING = "warning"


class Kind(msgspec.Struct, frozen=True):
    """
    One kind of finding.

    Args:
        name: For programs.
        severity: An error makes the recording unusable as it is.
        meaning: In a sentence.
        what_to_do: For whoever has the recording.

    """

    name: str
    severity: Severity
    meaning: str
    what_to_do: str


_ALL: Final = (
    Kind(
        "file",
        Severity.ERROR,
        "The file, or a part of it, cannot be read.",
        "Get or make the file again.",
    ),
    Kind(
        "schema",
        Severity.ERROR,
        "A column is missing or is not of its type; times without a zone belong here.",
        "Name and type the columns as docs/recordings.md has them.",
    ),
    Kind(
        "value",
        Severity.ERROR,
        "A value is missing, no number, out of range, or off the paisa.",
        "Correct it, remove its row, or make it null where the column is optional.",
    ),
    Kind(
        "instrument",
        Severity.ERROR,
        "A row does not say which instrument it is about.",
        "Give the row a token, or its symbol a line in a file for --instruments.",
    ),
    Kind(
        "order",
        Severity.ERROR,
        "A row is earlier than the one before it.",
        "Replay with --sort, or sort the file by time.",
    ),
    Kind(
        "leftover",
        Severity.WARNING,
        "A recorder was killed and left a journal.",
        "Record into that folder again, or convert the journal: odin-sim convert JOURNAL -o FILE.",
    ),
    Kind(
        "hash",
        Severity.WARNING,
        "The rows or the bytes are not those that were written.",
        "Get the file again, unless it was changed on purpose.",
    ),
    Kind(
        "zone",
        Severity.WARNING,
        "The times lie outside the market's hours, as if their zone were wrong.",
        "Give the column the zone in which its clocks were read: Asia/Kolkata, most likely.",
    ),
    Kind(
        "closed-day",
        Severity.WARNING,
        "There are rows on a day without a session.",
        "Check the date; a replay keeps the market closed all that day.",
    ),
    Kind(
        "gap",
        Severity.WARNING,
        "No instrument has a row for long, within a session.",
        "Replay what lies before or after, by --to and --from, or get that time from elsewhere.",
    ),
    Kind(
        "duplicate",
        Severity.WARNING,
        "A row repeats the instrument's row before it, time and all.",
        "Remove it if it was written twice; a replay sends both.",
    ),
    Kind(
        "falling-volume",
        Severity.WARNING,
        "The volume of the day is below what it was before.",
        "Late rows look so. If the column holds the quantity of each trade, name it ltq.",
    ),
    Kind(
        "off-grid",
        Severity.WARNING,
        "A price in the session is no multiple of the instrument's tick on that date.",
        "Compare with another source; prices adjusted for splits look so, and averages.",
    ),
    Kind(
        "band",
        Severity.WARNING,
        "A price is more than 20 % from the previous close, the widest fixed price band.",
        "Compare with another source: a split, a wrong previous close or a wrong price.",
    ),
)

KINDS: Final = {kind.name: kind for kind in _ALL}
"""Every kind of finding by its name, errors first."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    One thing found, and where.

    Args:
        kind: The name of its kind.
        file: Path of the file.
        row_group: From 0; None if it is about the file as a whole.
        row: Of the file, from 0.
        ts: The row's time, UNIX nanoseconds.
        instrument: The row's instrument.
        column: Name of the column.
        value: As text.
        problem: What was found, in words.
        expected: What was expected in its place; empty where the kind says it.

    """

    kind: str
    file: str
    problem: str
    expected: str = ""
    row_group: int | None = None
    row: int | None = None
    ts: int | None = None
    instrument: str | None = None
    column: str | None = None
    value: str | None = None

    @property
    def place(self) -> str:
        """Where it is, in words."""
        parts = [self.file]
        if self.row_group is not None:
            parts.append(f"row group {self.row_group}")
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.ts is not None:
            parts.append(f"{ist_datetime(self.ts)} IST")
        if self.instrument is not None:
            parts.append(self.instrument)
        if self.column is not None:
            parts.append(f"column {self.column!r}")
        if self.value is not None:
            parts.append(f"value {self.value}")
        return ", ".join(parts)

    def as_json_dict(self) -> dict[str, object]:
        """Return it for programs; what is not known is left out."""
        told = {name: getattr(self, name) for name in self.__struct_fields__ if name != "ts"}
        if self.ts is not None:
            told["time"] = ist_rfc3339(self.ts)
        kind = KINDS[self.kind]
        told |= {"severity": kind.severity.value, "what_to_do": kind.what_to_do}
        return {name: value for name, value in told.items() if value not in (None, "")}


class Findings:
    """
    What was found so far: the first of each kind, and how many there are.

    Args:
        limit: How many of a kind are listed; more are counted only.

    """

    def __init__(self, limit: int) -> None:
        self.listed: dict[str, list[Finding]] = {}
        """The listed ones by kind, in the order in which they were found."""
        self.counts: dict[str, int] = {}
        """How many of each kind there are."""
        self.uncounted: set[str] = set()
        """Kinds of which there may be more: the search was given up."""
        self._limit = limit

    def add(self, finding: Finding) -> None:
        """Take one."""
        self.add_many(finding.kind, 1, lambda _: finding)

    def add_many(self, kind: str, count: int, make: Callable[[int], Finding]) -> None:
        """Take ``count`` of a kind; ``make(i)`` makes the i-th if it is to be listed."""
        if not count:
            return
        listed = self.listed.setdefault(kind, [])
        listed += (make(i) for i in range(min(count, self._limit - len(listed))))
        self.counts[kind] = self.counts.get(kind, 0) + count

    @property
    def worst(self) -> Severity | None:
        """The worst severity; None if nothing was found."""
        severities = {KINDS[kind].severity for kind in self.counts}
        return Severity.ERROR if Severity.ERROR in severities else min(severities, default=None)
