"""
What stands behind a quote: the figures that a trading session begins with.

From the end-of-day files of the sessions before, the range of 52 weeks and the
corporate actions of one instrument come its :class:`Figures` for one session:
previous close, 52-week range, average volume, each with the file that it is
from. Everything a session is told comes from files that were there before it:
a day's own file never serves that day.

Prices are in paise. Adjusted figures are rounded to the paisa, half a paisa
up, as the exchange rounds closes. Reading files is `streamer.eod_files`,
keeping them `streamer.eod_store`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, Literal

import msgspec

from streamer.corporate_actions import changes_price, factor_of
from streamer.odin.tags import InstrumentKey

Flag = Literal[
    "corporate_action",
    "prev_close_stale",
    "week_52_stale",
    "week_52_high_expired",
    "week_52_low_expired",
    "avg_volume_partial",
    "open_jump",
    "feed_close_unadjusted",
]

AVERAGE_SESSIONS: Final = 5

MAX_MISSING_SESSIONS: Final = 5
"""A close and a range are carried over so many sessions without files; then they are unknown."""

_NONE: Final = Fraction(1)


class Source(msgspec.Struct, frozen=True):
    """The file that a figure is from; ``effective`` is the day that the file speaks of."""

    kind: str
    file: str
    sha256: str
    effective: date

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "from": "file",
            "kind": self.kind,
            "file": self.file,
            "sha256": self.sha256,
            "effective": self.effective.isoformat(),
        }


class Bar(msgspec.Struct, frozen=True):
    """One session of one instrument, as the exchange published it: nothing is adjusted."""

    day: date
    open: int
    high: int
    low: int
    close: int
    volume: int
    source: Source


class Range(msgspec.Struct, frozen=True):
    """
    A 52-week range that holds for the session ``effective``, adjusted for what went ex by then.

    0 is an unknown price.
    """

    effective: date
    high: int
    high_on: date | None
    low: int
    low_on: date | None
    high_source: Source
    low_source: Source


class Action(msgspec.Struct, frozen=True):
    """A corporate action, with the exchange's own words for it."""

    ex_date: date
    purpose: str
    source: Source

    @property
    def factor(self) -> Fraction:
        """By what the price of a share is divided; 1 where the words do not tell."""
        return factor_of(self.purpose)

    @property
    def is_price_changing(self) -> bool:
        """Whether it changes what a share is; a dividend, interest or a meeting does not."""
        return changes_price(self.purpose)


class Material(msgspec.Struct, frozen=True):
    """All that is known of one instrument: bars by rising day, the newest range, its actions."""

    bars: tuple[Bar, ...] = ()
    range: Range | None = None
    actions: tuple[Action, ...] = ()


class Sessions(msgspec.Struct, frozen=True):
    """
    The trading session that is prepared, and those before it on one exchange.

    Args:
        day: The session.
        before: The sessions before it, by rising day, over a year at least.
        filed: Those of which there is an end-of-day file.

    """

    day: date
    before: tuple[date, ...]
    filed: frozenset[date]

    @property
    def previous(self) -> date:
        """The session directly before."""
        return self.before[-1]

    def since(self, day: date) -> tuple[date, ...]:
        """Return the sessions from a day on, before this one."""
        return self.before[bisect_left(self.before, day) :]

    def missing_since(self, day: date) -> list[date]:
        """Return those from a day on of which there is no file."""
        return [each for each in self.since(day) if each not in self.filed]

    @property
    def year_begins(self) -> date:
        """
        The first date of the 52-week range.

        The year ends at the session before: a high of 2024-12-16 is in NSE's
        file for 2025-12-17 and gone from the one for 2025-12-18.
        """
        return year_before(self.previous)


class Figure(msgspec.Struct, frozen=True):
    """
    One figure for a session, and where it is from.

    Args:
        value: In paise, or in shares.
        source: The file.
        on: The day of the record, for a 52-week figure.
        factor: What the file's figure was divided by (a volume: multiplied).
        sources: Every file, where there are more than one.

    """

    value: int
    source: Source
    on: date | None = None
    factor: Fraction = _NONE
    sources: tuple[Source, ...] = ()

    def source_json(self) -> dict[str, object]:
        """Return where the figure is from, for programs."""
        told = self.source.as_json()
        if self.factor != 1:
            told["factor"] = str(self.factor)
        if len(self.sources) > 1:
            told["files"] = [source.as_json() for source in self.sources]
        return told


class Figures(msgspec.Struct, frozen=True):
    """What one instrument's session begins with; None is unknown."""

    prev_close: Figure | None = None
    week_52_high: Figure | None = None
    week_52_low: Figure | None = None
    avg_volume_5d: Figure | None = None
    last_bar: Bar | None = None
    """The newest session before, unadjusted."""
    actions: tuple[Action, ...] = ()
    """The corporate actions that go ex with this session and change the price."""
    factor: Fraction = _NONE
    """By what yesterday's prices are divided today."""
    flags: tuple[Flag, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the figures in rupees and shares, each with its source, for programs."""
        told: dict[str, object] = {}
        for name in ("prev_close", "week_52_high", "week_52_low"):
            figure: Figure | None = getattr(self, name)
            told[name] = None if figure is None else figure.value / 100
            if name != "prev_close":
                on = None if figure is None else figure.on
                told[f"{name}_date"] = None if on is None else on.isoformat()
        volume = self.avg_volume_5d
        told["avg_volume_5d"] = None if volume is None else volume.value
        told["sources"] = self.sources()
        told["flags"] = list(self.flags)
        told["corporate_actions"] = [
            {
                "ex_date": each.ex_date.isoformat(),
                "purpose": each.purpose,
                "factor": str(each.factor),
                "source": each.source.as_json(),
            }
            for each in self.actions
        ]
        return told

    def sources(self) -> dict[str, object]:
        """Return where each figure that is known is from."""
        names = ("prev_close", "week_52_high", "week_52_low", "avg_volume_5d")
        figures = {name: getattr(self, name) for name in names}
        return {name: each.source_json() for name, each in figures.items() if each is not None}


NO_FIGURES: Final = Figures()


class Wanting(msgspec.Struct, frozen=True):
    """One kind of file that a session of an exchange should have and has not."""

    exchange: str
    what: str
    expected: date
    newest: date | None

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file at all; else the newest is too old."""
        return self.newest is None

    def text(self) -> str:
        """Return what is wrong, for people."""
        found = "there is none" if self.newest is None else f"the newest is of {self.newest}"
        return f"{self.exchange} {self.what}: {found}; expected one of {self.expected}"


class SessionReference(msgspec.Struct, frozen=True):
    """The figures of all instruments for one session, and the files that were missing for them."""

    day: date
    figures: Mapping[InstrumentKey, Figures] = {}
    wanting: tuple[Wanting, ...] = ()


ReferenceOf = Callable[[date], SessionReference]
"""Gives the reference data of a session; asked at each roll-over, it answers without delay."""


def no_reference(day: date) -> SessionReference:
    """Return the reference data of a server without end-of-day files."""
    return SessionReference(day)


def year_before(day: date) -> date:
    """Return the same date a year earlier; 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def factor_between(actions: Sequence[Action], after: date, until: date) -> Fraction:
    """Return the product of the factors that go ex after one day and until another, included."""
    factor = _NONE
    if not actions:
        return factor
    # The exchange may list an action once for each series.
    seen = {(action.ex_date, action.factor) for action in actions}
    for ex_date, each in seen:
        if after < ex_date <= until:
            factor *= each
    return factor


def is_jump(price: int, prev_close: int) -> bool:
    """Return whether a price is more than 25 % away from the previous close; both are known."""
    return 4 * abs(price - prev_close) > prev_close


def rounded(value: Fraction) -> int:
    """Return the whole number next to a positive value, half of one rounded up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def figures(material: Material, sessions: Sessions, *, has_volume: bool = True) -> Figures:
    """
    Return what an instrument's session begins with.

    Args:
        material: What is known; what is of the session itself or later is left out.
        sessions: The session, and those before it.
        has_volume: False for an index.

    """
    day = sessions.day
    bars = tuple(bar for bar in material.bars if bar.day < day)
    actions = tuple(action for action in material.actions if action.ex_date <= day)
    today = [each for each in actions if each.ex_date == day and each.is_price_changing]
    flags: list[Flag] = ["corporate_action"] if today else []
    prev_close = _prev_close(bars, actions, sessions, flags)
    high, low = _year_range(material.range, bars, actions, sessions, flags)
    volume = _average_volume(bars, actions, sessions, flags) if has_volume else None
    return Figures(
        prev_close=prev_close,
        week_52_high=high,
        week_52_low=low,
        avg_volume_5d=volume,
        last_bar=bars[-1] if bars else None,
        actions=tuple({each.purpose: each for each in today}.values()),
        factor=factor_between(actions, sessions.previous, day),
        flags=tuple(flags),
    )


def range_of_bars(
    bars: Iterable[Bar], actions: Sequence[Action], sessions: Sessions
) -> Range | None:
    """
    Return the range that a year of bars makes, adjusted; None without a price in the year.

    For an exchange that publishes none. Whether all bars of the year are there
    is for the caller to know.
    """
    begin, day = sessions.year_begins, sessions.day
    year = [bar for bar in bars if begin <= bar.day < day and bar.high and bar.low]
    if not year:
        return None
    high = max(year, key=lambda bar: (_adjusted(bar.high, bar, actions, day), -bar.day.toordinal()))
    low = min(year, key=lambda bar: (_adjusted(bar.low, bar, actions, day), bar.day))
    return Range(
        effective=day,
        high=rounded(_adjusted(high.high, high, actions, day)),
        high_on=high.day,
        low=rounded(_adjusted(low.low, low, actions, day)),
        low_on=low.day,
        high_source=high.source,
        low_source=low.source,
    )


def _adjusted(price: int, bar: Bar, actions: Sequence[Action], day: date) -> Fraction:
    return price / factor_between(actions, bar.day, day)


def _prev_close(
    bars: tuple[Bar, ...], actions: tuple[Action, ...], sessions: Sessions, flags: list[Flag]
) -> Figure | None:
    if not bars:
        return None
    bar = bars[-1]
    # A stock that is not in the file of a session did not trade in it, and
    # keeps its close. Without that file it may have another one by now.
    missing = sessions.missing_since(bar.day + timedelta(days=1))
    if missing:
        flags.append("prev_close_stale")
    if len(missing) > MAX_MISSING_SESSIONS or bar.day < sessions.before[0]:
        return None
    if not bar.close:
        return None
    factor = factor_between(actions, bar.day, sessions.day)
    return Figure(rounded(bar.close / factor), bar.source, factor=factor)


def _average_volume(
    bars: tuple[Bar, ...], actions: tuple[Action, ...], sessions: Sessions, flags: list[Flag]
) -> Figure | None:
    five = sessions.before[-AVERAGE_SESSIONS:]
    counted = [bar for bar in bars if bar.day in five]
    if not counted:
        return None
    if not sessions.filed.issuperset(five):
        flags.append("avg_volume_partial")
    factors = [factor_between(actions, bar.day, sessions.day) for bar in counted]
    total = sum(
        bar.volume if factor is _NONE else bar.volume * factor
        for bar, factor in zip(counted, factors, strict=True)
    )
    return Figure(
        rounded(Fraction(total, len(counted))),
        counted[-1].source,
        factor=factors[-1],
        sources=tuple(bar.source for bar in counted),
    )


def _year_range(
    known: Range | None,
    bars: tuple[Bar, ...],
    actions: tuple[Action, ...],
    sessions: Sessions,
    flags: list[Flag],
) -> tuple[Figure | None, Figure | None]:
    """Return the highest and lowest price of the year, carried on from the newest range."""
    day = sessions.day
    if known is None or known.effective > day:
        return None, None
    missing = sessions.missing_since(known.effective)
    if len(missing) > MAX_MISSING_SESSIONS or known.effective < sessions.before[0]:
        flags.append("week_52_stale")
        return None, None
    if missing:
        flags.append("week_52_stale")
    since = [bar for bar in bars if bar.day >= known.effective and bar.high and bar.low]
    factor = factor_between(actions, known.effective, day)
    begin = sessions.year_begins
    highs = [(_adjusted(bar.high, bar, actions, day), bar.day, bar.source) for bar in since]
    lows = [(_adjusted(bar.low, bar, actions, day), bar.day, bar.source) for bar in since]
    high = _carried(
        (known.high / factor, known.high_on, known.high_source), highs, begin, lambda a, b: a > b
    )
    low = _carried(
        (known.low / factor, known.low_on, known.low_source), lows, begin, lambda a, b: a < b
    )
    if high is None and known.high:
        flags.append("week_52_high_expired")
    if low is None and known.low:
        flags.append("week_52_low_expired")
    return (
        high and msgspec.structs.replace(high, factor=_factor_of(high, known, actions, day)),
        low and msgspec.structs.replace(low, factor=_factor_of(low, known, actions, day)),
    )


_Extreme = tuple[Fraction, date | None, Source]


def _carried(
    known: _Extreme,
    since: list[tuple[Fraction, date, Source]],
    begin: date,
    is_beyond: Callable[[Fraction, Fraction], bool],
) -> Figure | None:
    """
    Return the extreme of a known one and those since; None if it cannot be told.

    A record that is older than a year no longer counts. What came second to it
    is not known, unless a session since then went as far.
    """
    best: _Extreme | None = known if known[0] else None
    is_expired = best is not None and known[1] is not None and known[1] < begin
    for value, on, source in since:
        if best is None or is_beyond(value, best[0]) or (is_expired and value == best[0]):
            best = (value, on, source)
            is_expired = False
    if best is None or is_expired:
        return None
    return Figure(rounded(best[0]), best[2], on=best[1])


def _factor_of(figure: Figure, known: Range, actions: tuple[Action, ...], day: date) -> Fraction:
    """Return what a file's figure was divided by: an adjusted one only by what came after it."""
    from_range = figure.source in (known.high_source, known.low_source)
    return factor_between(actions, known.effective if from_range else figure.source.effective, day)


def session_calendar(
    day: date, is_session: Callable[[date], bool], filed: Iterable[date]
) -> Sessions:
    """
    Return a session and those before it, for a year and a fortnight.

    A day of which there is a file was a session, whatever the calendar says.
    """
    known = frozenset(each for each in filed if each < day)
    first = year_before(day) - timedelta(days=14)
    days = (first + timedelta(days=each) for each in range((day - first).days))
    before = tuple(each for each in days if each in known or is_session(each))
    return Sessions(day, before, known)
