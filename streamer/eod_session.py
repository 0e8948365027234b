"""
What the imported files say of instruments, gathered for one session.

Reads the tables of `streamer.eod_store` and hands each instrument's rows to
`streamer.reference`, which makes the figures. Which row is an instrument's is
decided here: by token where the file has one, else by symbol, its own series
first and then EQ before BE.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from streamer.eod_forms import INDEX_SERIES, SERIES
from streamer.eod_table import Kind
from streamer.instruments import Exchange, Instrument
from streamer.odin.tags import InstrumentKey
from streamer.reference import (
    AVERAGE_SESSIONS,
    NO_FIGURES,
    Action,
    Bar,
    Figures,
    Material,
    Range,
    SessionReference,
    Sessions,
    Source,
    Wanting,
    figures,
    range_of_bars,
    session_calendar,
)

_EXCHANGES: Final[tuple[Exchange, ...]] = ("NSE", "BSE")

# Of several files of one day the first of these is taken: it has the tokens,
# and is the one that the exchange declares official.
_BAR_KINDS: Final[tuple[Kind, ...]] = ("udiff", "sec_bhavdata_full", "bhavcopy", "pd")

_RECENT_SESSIONS: Final = 15
"""How far back the close of a stock is looked for that has not traded since."""

_DAY_RADIX: Final = 10**8
"""Above every date as YYYYMMDD, so that a price and its day fit into one integer."""

_BAR_COLUMNS: Final = "symbol, series, token, open, high, low, close, volume"


class StoredFile(msgspec.Struct, frozen=True):
    """One file that was imported."""

    id: int
    kind: Kind
    exchange: Exchange
    effective: date
    name: str
    sha256: str

    @property
    def source(self) -> Source:
        """What figures say of it."""
        return Source(self.kind, self.name, self.sha256, self.effective)


def as_number(day: date) -> int:
    """Return a date as the store writes it, ``20251217``."""
    return day.year * 10_000 + day.month * 100 + day.day


def as_day(number: int) -> date:
    """Return the date of :func:`as_number`."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def prepare_session(
    connection: sqlite3.Connection,
    files: Sequence[StoredFile],
    day: date,
    instruments: Iterable[Instrument],
    is_session: Callable[[date], bool],
) -> SessionReference:
    """
    Return the figures of instruments for a session.

    Args:
        connection: To the store.
        files: All that it has.
        day: The session; files of it, and later ones, are left out.
        instruments: Whose figures.
        is_session: The calendar.

    """
    listed = tuple(instruments)
    found: dict[InstrumentKey, Figures] = {}
    wanting: list[Wanting] = []
    actions = _actions(connection, files, day)
    nse = {each.symbol: each for each in listed if each.exchange == "NSE"}
    for exchange in _EXCHANGES:
        ours = [each for each in files if each.exchange == exchange]
        sessions = session_calendar(
            day, is_session, [each.effective for each in ours if each.kind in _BAR_KINDS]
        )
        wanting += _wanting(exchange, ours, sessions)
        here = _Exchange(connection, ours, sessions, actions, nse)
        found |= here.figures([each for each in listed if each.exchange == exchange])
    return SessionReference(day, found, tuple(wanting))


def without_files(day: date, is_session: Callable[[date], bool]) -> SessionReference:
    """Return the reference data of a session without any file: what is wanting."""
    wanting = [
        each
        for exchange in _EXCHANGES
        for each in _wanting(exchange, (), session_calendar(day, is_session, ()))
    ]
    return SessionReference(day, wanting=tuple(wanting))


class _Exchange:
    """The files of one exchange, as far as a session needs them."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        files: Sequence[StoredFile],
        sessions: Sessions,
        actions: Mapping[str, tuple[Action, ...]],
        nse: Mapping[str, Instrument],
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._actions = actions
        self._nse = nse
        self._sources = {each.id: each.source for each in files}
        self._bar_files: dict[date, list[StoredFile]] = defaultdict(list)
        for kind in _BAR_KINDS:
            for each in files:
                if each.kind == kind and each.effective < sessions.day:
                    self._bar_files[each.effective].append(each)
        self._year_file = max(
            (each for each in files if each.kind == "52_week" and each.effective <= sessions.day),
            key=lambda each: each.effective,
            default=None,
        )
        self._index_file = max(
            (each for each in files if each.kind == "pd" and each.effective < sessions.day),
            key=lambda each: each.effective,
            default=None,
        )

    def figures(self, instruments: Sequence[Instrument]) -> dict[InstrumentKey, Figures]:
        if not self._sources:
            return {}
        ranges = self._ranges(instruments)
        bars = self._bars(instruments, self._first_recent(ranges.values()))
        found = {}
        for each in instruments:
            material = Material(
                bars=tuple(bars[each.key]),
                range=ranges.get(each.key),
                actions=self._actions_of(each),
            )
            prepared = figures(material, self._sessions, has_volume=each.kind != "index")
            if prepared != NO_FIGURES:
                found[each.key] = prepared
        return found

    def _first_recent(self, ranges: Iterable[Range]) -> date:
        """Return from which session on bars are needed: ranges are carried on with them."""
        before = self._sessions.before
        first = before[-_RECENT_SESSIONS:][0]
        return min([first, *(each.effective for each in ranges if each.effective >= before[0])])

    def _bars(
        self, instruments: Sequence[Instrument], first: date
    ) -> dict[InstrumentKey, list[Bar]]:
        found: dict[InstrumentKey, list[Bar]] = defaultdict(list)
        days = [day for day in self._sessions.before if day >= first]
        for day in days:
            left = instruments
            for file in self._bar_files.get(day, ()):
                rows = _Rows(
                    self._connection.execute(
                        f"SELECT {_BAR_COLUMNS} FROM eod_bar WHERE file = ?", (file.id,)
                    )
                )
                source, missed = file.source, []
                for each in left:
                    row = rows.of(each)
                    if row is None:
                        missed.append(each)
                    else:
                        found[each.key].append(_bar(day, row, source))
                left = missed
        return found

    def _actions_of(self, instrument: Instrument) -> tuple[Action, ...]:
        """Return a company's actions; NSE's file tells those of a share that BSE lists too."""
        if instrument.exchange == "BSE":
            twin = self._nse.get(instrument.symbol)
            # A split changes an ISIN's end; its first seven letters are the company.
            if twin and twin.isin and instrument.isin and twin.isin[:7] != instrument.isin[:7]:
                return ()
        return self._actions.get(instrument.symbol, ())

    def _ranges(self, instruments: Sequence[Instrument]) -> dict[InstrumentKey, Range]:
        found: dict[InstrumentKey, Range] = {}
        shares = [each for each in instruments if each.kind != "index"]
        if self._year_file is not None:
            found |= self._filed_ranges(shares, self._year_file, self._year_file.effective)
        elif self._has_whole_year():
            found |= self._year_of_bars(shares)
        if self._index_file is not None:
            sessions = self._sessions
            after = bisect_right(sessions.before, self._index_file.effective)
            effective = (*sessions.before, sessions.day)[after]
            indices = [each for each in instruments if each.kind == "index"]
            found |= self._filed_ranges(indices, self._index_file, effective)
        return found

    def _filed_ranges(
        self, instruments: Iterable[Instrument], file: StoredFile, effective: date
    ) -> dict[InstrumentKey, Range]:
        rows = _Rows(
            self._connection.execute(
                "SELECT symbol, series, 0, high, high_on, low, low_on FROM eod_range "
                "WHERE file = ?",
                (file.id,),
            )
        )
        found = {}
        for each in instruments:
            row = rows.of(each)
            if row is not None:
                high, high_on, low, low_on = row[3:]
                found[each.key] = Range(
                    effective=effective,
                    high=high,
                    high_on=high_on and as_day(high_on),
                    low=low,
                    low_on=low_on and as_day(low_on),
                    high_source=file.source,
                    low_source=file.source,
                )
        return found

    def _has_whole_year(self) -> bool:
        sessions = self._sessions
        year = sessions.before[bisect_left(sessions.before, sessions.year_begins) :]
        return sessions.filed.issuperset(year)

    def _year_of_bars(self, instruments: Sequence[Instrument]) -> dict[InstrumentKey, Range]:
        """Return the ranges that a whole year of bhavcopies makes."""
        sessions = self._sessions
        begin = sessions.year_begins
        files = [file for day, those in self._bar_files.items() if day >= begin for file in those]
        sources = {file.effective: file.source for file in reversed(files)}
        extremes = _extremes(self._connection, files)
        found = {}
        for each in instruments:
            actions = self._actions_of(each)
            if any(begin <= action.ex_date <= sessions.day for action in actions):
                whole = range_of_bars(self._bars_of(each, files), actions, sessions)
            else:
                whole = _range_of_extremes(extremes.get(_own_name(each)), sessions, sources)
            if whole is not None:
                found[each.key] = whole
        return found

    def _bars_of(self, instrument: Instrument, files: Iterable[StoredFile]) -> list[Bar]:
        bars: dict[date, Bar] = {}
        for file in files:
            rows = _Rows(
                self._connection.execute(
                    f"SELECT {_BAR_COLUMNS} FROM eod_bar WHERE file = ? AND symbol = ?",
                    (file.id, instrument.symbol),
                )
            )
            row = rows.of(instrument)
            if row is not None:
                bars.setdefault(file.effective, _bar(file.effective, row, file.source))
        return sorted(bars.values(), key=lambda bar: bar.day)


class _Rows:
    """The rows of one file, found by instrument; each begins with symbol, series, token."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._by_token: dict[int, tuple[Any, ...]] = {}
        self._by_symbol: dict[str, dict[str, tuple[Any, ...]]] = {}
        for row in rows:
            if row[2]:
                self._by_token[row[2]] = row
            self._by_symbol.setdefault(row[0], {})[row[1]] = row

    def of(self, instrument: Instrument) -> tuple[Any, ...] | None:
        if instrument.kind == "index":
            return self._by_symbol.get(instrument.symbol.upper(), {}).get(INDEX_SERIES)
        found = self._by_token.get(instrument.token)
        if found is not None or instrument.exchange == "BSE":
            return found
        series = self._by_symbol.get(instrument.symbol)
        if series is None or instrument.series not in SERIES:
            # Bonds of a company bear its symbol too, and cost something else.
            return None
        for each in (instrument.series, *SERIES):
            if each in series:
                return series[each]
        return None


def _actions(
    connection: sqlite3.Connection, files: Iterable[StoredFile], day: date
) -> dict[str, tuple[Action, ...]]:
    """
    Return the actions that change prices, by symbol, that go ex up to a session.

    Each file lists what is to come; for a date the newest file before it
    counts, so that an action which was put off is not taken twice.
    """
    lists = sorted(
        (each for each in files if each.kind == "bc" and each.effective < day),
        key=lambda each: each.effective,
    )
    found: dict[str, dict[tuple[date, str], Action]] = defaultdict(dict)
    for place, file in enumerate(lists):
        until = min([day, *(each.effective for each in lists[place + 1 : place + 2])])
        rows = connection.execute(
            "SELECT symbol, ex_date, purpose FROM eod_action "
            "WHERE file = ? AND ex_date > ? AND ex_date <= ?",
            (file.id, as_number(file.effective), as_number(until)),
        )
        for symbol, ex_date, purpose in rows:
            action = Action(as_day(ex_date), purpose, file.source)
            if action.is_price_changing:
                found[symbol][action.ex_date, purpose] = action
    return {symbol: tuple(each.values()) for symbol, each in found.items()}


def _wanting(exchange: Exchange, files: Sequence[StoredFile], sessions: Sessions) -> list[Wanting]:
    """Return which files a session should have and has not."""

    def newest(kind: Kind, latest: date) -> date | None:
        days = (each.effective for each in files if each.kind == kind and each.effective <= latest)
        return max(days, default=None)

    previous = sessions.previous
    checks = [("end-of-day prices", previous, max(sessions.filed, default=None))]
    if exchange == "NSE":
        checks += [
            ("52-week file", sessions.day, newest("52_week", sessions.day)),
            ("corporate actions", previous, newest("bc", previous)),
        ]
    found = [Wanting(exchange, *each) for each in checks if each[1] != each[2]]
    gaps = [day for day in sessions.before[-AVERAGE_SESSIONS:-1] if day not in sessions.filed]
    if sessions.filed and gaps:
        found.append(Wanting(exchange, "volumes of five sessions", gaps[-1], max(sessions.filed)))
    return found


def _bar(day: date, row: tuple[Any, ...], source: Source) -> Bar:
    first, high, low, close, volume = row[3:]
    return Bar(day, first, high, low, close, volume, source)


def _own_name(instrument: Instrument) -> int | str:
    return instrument.token if instrument.exchange == "BSE" else instrument.symbol


def _extremes(
    connection: sqlite3.Connection, files: Iterable[StoredFile]
) -> dict[int | str, tuple[int, int]]:
    """
    Return the highest high and the lowest low of each share, each packed with its first day.

    SQLite finds them in one pass; a year of both exchanges has two million rows.
    """
    numbers = ",".join(str(file.id) for file in files)
    name = "CASE exchange WHEN 'BSE' THEN token ELSE symbol END"
    rows = connection.execute(
        f"SELECT {name}, MAX(high * {_DAY_RADIX} + {_DAY_RADIX} - 1 - effective), "
        f"MIN(low * {_DAY_RADIX} + effective) "
        "FROM eod_bar JOIN eod_file ON eod_file.id = eod_bar.file "
        f"WHERE file IN ({numbers}) AND high > 0 AND low > 0 GROUP BY 1"
    )
    return {own: (high, low) for own, high, low in rows}


def _range_of_extremes(
    packed: tuple[int, int] | None, sessions: Sessions, sources: Mapping[date, Source]
) -> Range | None:
    if packed is None:
        return None
    high, high_rest = divmod(packed[0], _DAY_RADIX)
    low, low_day = divmod(packed[1], _DAY_RADIX)
    high_on, low_on = as_day(_DAY_RADIX - 1 - high_rest), as_day(low_day)
    return Range(
        effective=sessions.day,
        high=high,
        high_on=high_on,
        low=low,
        low_on=low_on,
        high_source=sources[high_on],
        low_source=sources[low_on],
    )
