"""
Calendar files: TOML to the table of days that `streamer.calendar` answers from.

The file is described in docs/market-hours.md. Each entry is checked here, so
that a table holds only days that make sense; which days there are between the
entries, and when the market is open, is `streamer.calendar`'s subject.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from streamer.calendar import CalendarTable, DayKind, Halt, Session, TradingDay
from streamer.errors import CalendarError
from streamer.ist import ist_ns
from streamer.timetables import REGULAR_WINDOW, Timetable

T = TypeVar("T")

_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?", re.ASCII)
_MINUTE = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
_HEADER = re.compile(r"[ \t]*\[\[[ \t]*(\w+)[ \t]*\]\]", re.ASCII)
_AUCTION_KEYS = ("auction", "auction_end", "reference")
_SESSION_KINDS: dict[str, DayKind] = {
    "trading": "trading",
    "special": "special",
    "muhurat": "muhurat",
}


def load_calendar(path: Path) -> CalendarTable:
    """
    Read a calendar file.

    Raises:
        CalendarError: If it cannot be read, or an entry of it is unusable.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CalendarError(
            f"it cannot be read ({error.strerror or error})",
            expected="a calendar file in TOML",
            file=str(path),
        ) from error
    except UnicodeDecodeError as error:
        raise CalendarError(
            f"byte {error.start} is no UTF-8", expected="text in UTF-8", file=str(path)
        ) from error
    return parse_calendar(text, file=str(path))


def parse_calendar(text: str, *, file: str) -> CalendarTable:
    """
    Read the text of a calendar file; ``file`` names it in errors, and as a source.

    Raises:
        CalendarError: At the first unusable entry.

    """
    try:
        top = _Entry(file, "", tomllib.loads(text), headers=_headers(text))
    # tomllib lets two of Python's own limits through: digits of a number, depth of nesting.
    except (ValueError, RecursionError) as error:
        raise CalendarError(str(error), expected="a calendar file in TOML", file=file) from error
    top.allow("coverage", "holiday", "session", "halt", "settlement_holiday", "timetable")
    days: dict[date, TradingDay] = {}
    for day, entry in [
        *((_holiday(entry), entry) for entry in top.tables("holiday")),
        *((_session_day(entry), entry) for entry in top.tables("session")),
    ]:
        if day.date in days:
            entry.refuse(f"{day.date} stands there already", "each date once in a file")
        days[day.date] = day
    return CalendarTable(
        days,
        _coverage(top),
        file,
        halts=_by_date(top, "halt", "date", _halts),
        settlement_holidays=_by_date(top, "settlement_holiday", "date", _settlement_holiday),
        timetables=_by_date(top, "timetable", "effective_from", _timetable),
    )


def bundled_table() -> CalendarTable:
    """Return the calendar that comes with the server, without any override."""
    text = (files("streamer") / "data" / "calendar.toml").read_text(encoding="utf-8")
    return parse_calendar(text, file="calendar.toml")


class _Entry(msgspec.Struct, frozen=True):
    """One table of the file: ``place`` says which, ``content`` is what TOML made of it."""

    file: str
    place: str
    content: dict[str, object]
    line: int | None = None
    headers: Mapping[str, Sequence[int]] = {}

    def refuse(self, problem: str, expected: str) -> NoReturn:
        raise CalendarError(
            problem, expected=expected, file=self.file, entry=self.place, line=self.line
        )

    def allow(self, *keys: str) -> None:
        for key in self.content:
            if key not in keys:
                self.refuse(f"{key!r} is unknown", " or ".join(keys))

    def tables(self, key: str) -> list[_Entry]:
        tables = self.content.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.refuse(f"{key} is no list of tables", f"tables headed [[{key}]]")
        lines: Sequence[int | None] = self.headers.get(key, ())
        if len(lines) != len(tables):
            lines = [None] * len(tables)
        return [
            _Entry(self.file, f"[[{key}]] {number}", table, line)
            for number, (table, line) in enumerate(zip(tables, lines, strict=True), start=1)
        ]

    def text(self, key: str, default: str | None = None) -> str:
        value = self.content.get(key, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            self.refuse(f"{key} is {_shown(value)}", "a text")
        return value.strip()

    def flag(self, key: str, default: bool) -> bool:
        value = self.content.get(key, default)
        if not isinstance(value, bool):
            self.refuse(f"{key} is {_shown(value)}", "true or false")
        return value

    def clock(self, key: str) -> str:
        """Return a time of day, ``HH:MM``."""
        return self._clock(key, self.content.get(key))

    def clocks(self, key: str) -> tuple[str, str]:
        """Return two times of day, the second one later."""
        value = self.content.get(key)
        if not isinstance(value, list) or len(value) != 2:
            self.refuse(f"{key} is {_shown(value)}", 'two times, as ["09:00", "09:08"]')
        begin, end = (self._clock(key, each) for each in value)
        if end <= begin:
            self.refuse(f"{key} ends at {end}", f"a time after its begin, {begin}")
        return begin, end

    def _clock(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not _MINUTE.fullmatch(value):
            self.refuse(f"{key} has the time {_shown(value)}", "HH:MM before midnight")
        return value

    def as_date(self, key: str, value: object) -> date:
        if isinstance(value, str) and _ISO_DATE.fullmatch(value):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                self.refuse(f"{key} is {_shown(value)}", "a date that there is")
        if not isinstance(value, date) or isinstance(value, datetime):
            self.refuse(f"{key} is {_shown(value)}", "a date, as 2026-11-08")
        if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
            self.refuse(f"{key} is {value}", f"a date in the years {_FIRST_YEAR} to {_LAST_YEAR}")
        return value


def _headers(text: str) -> dict[str, list[int]]:
    """Return the lines with ``[[key]]``, by key: the parser does not tell where it found what."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        header = _HEADER.match(line)
        if header is not None:
            found.setdefault(header[1], []).append(number)
    return found


def _coverage(top: _Entry) -> tuple[date, date] | None:
    if "coverage" not in top.content:
        return None
    bounds = top.content["coverage"]
    if not isinstance(bounds, list) or len(bounds) != 2:
        top.refuse(f"coverage is {_shown(bounds)}", "[FIRST DATE, LAST DATE]")
    first, last = (top.as_date("coverage", bound) for bound in bounds)
    if last < first:
        top.refuse(f"coverage ends on {last}", f"no date before its begin, {first}")
    return first, last


def _by_date(
    top: _Entry, key: str, date_key: str, read: Callable[[_Entry, date], T]
) -> dict[date, T]:
    """Return what the tables of a kind say, by their dates."""
    found: dict[date, T] = {}
    for entry in top.tables(key):
        day = entry.as_date(date_key, entry.content.get(date_key))
        if day in found:
            entry.refuse(f"{day} stands there already", "each date once in a file")
        found[day] = read(entry, day)
    return found


def _halts(entry: _Entry, day: date) -> tuple[Halt, ...]:
    entry.allow("date", "windows", "name", "source")
    spans = _sessions(entry, day, entry.content.get("windows"))
    return tuple(Halt(span.open, span.close) for span in spans)


def _settlement_holiday(entry: _Entry, day: date) -> str:
    entry.allow("date", "name", "source")
    return entry.text("name")


def _timetable(entry: _Entry, effective_from: date) -> Timetable:
    entry.allow(*Timetable.__struct_fields__)
    stop = entry.clock("derivatives_close")
    timetable = Timetable(
        name=entry.text("name"),
        effective_from=effective_from,
        pre_open=entry.clocks("pre_open"),
        derivatives_close=stop,
        official_close=entry.clock("official_close"),
        post_close=entry.clocks("post_close"),
        source=entry.text("source", default=entry.file),
    )
    if any(key in entry.content for key in _AUCTION_KEYS):
        timetable = msgspec.structs.replace(
            timetable,
            auction=entry.clocks("auction"),
            auction_end=entry.clock("auction_end"),
            reference=entry.clocks("reference"),
        )
    elif stop != REGULAR_WINDOW[1]:
        entry.refuse(
            f"derivatives_close is {stop} and there is no auction",
            f"{REGULAR_WINDOW[1]}, or {', '.join(_AUCTION_KEYS)}",
        )
    _refuse_disorder(entry, timetable)
    return timetable


def _refuse_disorder(entry: _Entry, timetable: Timetable) -> None:
    """Refuse times that do not follow each other: of two phases at once neither would be true."""
    begin, end = REGULAR_WINDOW
    times = [
        ("pre_open", timetable.pre_open[1]),
        (f"the session's begin, {begin}", begin),
        ("derivatives_close", timetable.derivatives_close),
    ]
    if timetable.auction is not None and timetable.auction_end is not None:
        times += [
            ("auction", timetable.auction[0]),
            ("auction", timetable.auction[1]),
            ("auction_end", timetable.auction_end),
        ]
    times += [
        ("official_close", timetable.official_close),
        ("post_close", timetable.post_close[0]),
    ]
    for (earlier, one), (later, other) in pairwise(times):
        if other < one:
            entry.refuse(f"{earlier} at {one} comes after {later} at {other}", "times in order")
    if timetable.reference is not None and timetable.reference[1] != timetable.derivatives_close:
        entry.refuse(
            f"reference ends at {timetable.reference[1]}",
            f"its end at derivatives_close, {timetable.derivatives_close}",
        )
    if not begin < timetable.derivatives_close <= end <= timetable.official_close:
        entry.refuse(
            f"derivatives_close is {timetable.derivatives_close}, "
            f"official_close {timetable.official_close}",
            f"the former from {begin} to {end}, the latter after it",
        )


def _holiday(entry: _Entry) -> TradingDay:
    entry.allow("date", "name", "source")
    return TradingDay(
        date=entry.as_date("date", entry.content.get("date")),
        kind="holiday",
        sessions=(),
        name=entry.text("name"),
        source=entry.text("source", default=entry.file),
    )


def _session_day(entry: _Entry) -> TradingDay:
    entry.allow("date", "kind", "windows", "name", "source", "confirmed")
    day = entry.as_date("date", entry.content.get("date"))
    kind = entry.text("kind")
    if kind not in _SESSION_KINDS:
        entry.refuse(f"kind is {_shown(kind)}", " or ".join(_SESSION_KINDS))
    windows: object = entry.content.get("windows")
    if windows is None and kind == "trading":
        windows = [list(REGULAR_WINDOW)]
    return TradingDay(
        date=day,
        kind=_SESSION_KINDS[kind],
        sessions=tuple(_sessions(entry, day, windows)),
        confirmed=entry.flag("confirmed", default=True),
        name=entry.text("name", default=""),
        source=entry.text("source", default=entry.file),
    )


def _sessions(entry: _Entry, day: date, windows: object) -> Iterable[Session]:
    expected = 'windows = [["09:15", "10:00"], ["11:30", "12:30"]], or the like'
    if not isinstance(windows, list) or not windows:
        entry.refuse(f"windows is {_shown(windows)}", expected)
    previous: Session | None = None
    for window in windows:
        if not (
            isinstance(window, list)
            and len(window) == 2
            and all(isinstance(clock, str) for clock in window)
        ):
            entry.refuse(f"a window is {_shown(window)}", expected)
        for clock in window:
            if not _CLOCK.fullmatch(clock):
                entry.refuse(f"the time {clock!r} is unusable", "HH:MM or HH:MM:SS before midnight")
        session = Session(ist_ns(day, window[0]), ist_ns(day, window[1]))
        if session.close <= session.open:
            entry.refuse(
                f"the window {window[0]} to {window[1]} is empty", "its end after its begin"
            )
        # Two windows that touch would be an end and a begin at the same moment.
        if previous is not None and session.open <= previous.close:
            entry.refuse(
                f"the window from {window[0]} begins before the one before it is over",
                "windows in order of time, with a pause between them",
            )
        yield session
        previous = session


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)
