"""
A synthetic trading day from a seed: stocks and two indices that look alive.

One factor moves all stocks, one each sector, one each stock; volatility comes
in clusters and is highest in the morning; prices are sticky, because quotes
stand until the market has left them; a feed tells about one update a second.
:class:`Market` is a day as a plan, from which the tapes of any stocks can be
made, in any order and any process. Everything is integers of paise and
nanoseconds when it leaves. Files are `simulator.synth`'s business.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import msgspec
import numpy as np

from simulator.columns import Batch
from simulator.defects import with_defects
from simulator.paths import FloatArray, clustered, generator, returns
from simulator.profiles import PROFILES, Halt, Profile
from simulator.setting import Setting
from simulator.tape import FIGURES, Tape, course_of, index_tape, stock_tape
from simulator.timetables import SECONDS, timetable_of
from simulator.universe import INDICES, Index, Stock, nifty_50
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.ist import ist_ns

__all__ = ["FIGURES", "PROFILES", "Market", "MarketDay", "Profile", "in_time_order", "synthesise"]

# Words of generators: for what is drawn besides the common factor and the tapes.
_AFFECTED, _DEFECTS, _FALL = 3, 4, 5

# Before a halt the market falls, faster and faster, and breaks through the level at the end.
_FALL_S = 1_500
_FALL_VOLATILITY = 0.005
_LAST_STEP_S = 3
_LAST_STEP = 0.002
_REBOUND = 0.01  # when trading resumes


class MarketDay(NamedTuple):
    """
    A synthetic day: its rows in time order, and what the rows' numbers mean.

    Args:
        instruments: Stocks in the order given, then the indices.
        rows: The figures of `FIGURES`; previous close and 52-week range are
            told in an instrument's first row, the best bid and ask when they change.

    """

    instruments: tuple[Stock | Index, ...]
    rows: Batch


class Market(msgspec.Struct, frozen=True):
    """
    A synthetic day before it is made; the same values make the same tapes.

    Args:
        day: A day with an ordinary session from 09:15 to 15:30.
        seed: 0 or more.
        profile: What kind of day it is.
        timetable: By name; None for the one of the day.
        affected: The stocks that the profile's events happen to; None: drawn
            by the seed from the members.
        members: Of the indices; made in any case, since the indices are made of them.
        indices: With the levels from which they start.
        defects: Whether the tapes have the late and stale rows of real feeds.

    """

    day: date
    seed: int
    profile: Profile = PROFILES["normal"]
    timetable: str | None = None
    affected: tuple[Stock, ...] | None = None
    members: tuple[Stock, ...] = msgspec.field(default_factory=nifty_50)
    indices: tuple[Index, ...] = INDICES
    defects: bool = False

    def check(self, calendar: TradingCalendar) -> None:
        """
        Refuse what cannot be made.

        Raises:
            ConfigError: If there is no ordinary session on the day, no such
                timetable or halt, or not as many affected stocks as the profile has.

        """
        if not calendar.day(self.day).is_regular:
            hours = calendar.day(self.day).hours or "no session"
            raise ConfigError(
                f"{self.day} has {hours}; a day with one session from 09:15 to 15:30 IST expected"
            )
        timetable_of(self.day, self.timetable)
        if self.profile.halt is not None:
            self.profile.halt.check()
        if self.affected is not None and len(set(self.affected)) != self.profile.affects:
            raise ConfigError(
                f"{len(set(self.affected))} affected stocks found; "
                f"profile {self.profile.name} has {self.profile.affects}"
            )

    def affected_stocks(self) -> tuple[Stock, ...]:
        """Return the stocks that the profile's events happen to, in the profile's order."""
        if self.affected is not None:
            return self.affected
        rng = generator(self.seed, self.day.toordinal(), 0, _AFFECTED)
        drawn = rng.permutation(len(self.members))[: self.profile.affects]
        return tuple(self.members[number] for number in drawn.tolist())

    def members_and_indices(self) -> tuple[dict[Stock, Tape], dict[Index, Tape]]:
        """Return the tapes of the indices' members, and those of the indices."""
        setting = self._setting()
        tapes = dict(self._tapes(setting, self.members))
        indices: dict[Index, Tape] = {}
        for index in self.indices:
            of_members = [
                (self.as_it_begins(stock), tape)
                for stock, tape in tapes.items()
                if getattr(stock, index.weight) > 0
            ]
            indices[index] = index_tape(index, setting, of_members)
        # An index is made of what was traded, whatever became of it on the wire.
        finished = {stock: self._finished(stock, tape) for stock, tape in tapes.items()}
        return finished, indices

    def tapes(self, stocks: Sequence[Stock]) -> Iterator[tuple[Stock, Tape]]:
        """Yield the stocks' tapes one by one; each is the same whichever others are made."""
        for stock, tape in self._tapes(self._setting(), stocks):
            yield stock, self._finished(stock, tape)

    def _tapes(self, setting: Setting, stocks: Sequence[Stock]) -> Iterator[tuple[Stock, Tape]]:
        sectors: dict[str, FloatArray] = {}
        for stock in dict.fromkeys(stocks):
            sector = self._sector_returns(stock.sector, sectors)
            yield stock, stock_tape(self.as_it_begins(stock), setting, sector)

    def _finished(self, stock: Stock, tape: Tape) -> Tape:
        if not self.defects:
            return tape
        return with_defects(tape, self._generator(stock.token, _DEFECTS))

    def as_it_begins(self, stock: Stock) -> Stock:
        """Return a stock as the day finds it: of one share, several may have become."""
        parts = self.profile.split
        if parts == 1 or stock not in self.affected_stocks():
            return stock
        return msgspec.structs.replace(
            stock,
            prev_close=round(stock.prev_close / parts),
            volume=stock.volume * parts,
            week_52_high=round(stock.week_52_high / parts),
            week_52_low=round(stock.week_52_low / parts),
        )

    def _generator(self, *words: int) -> np.random.Generator:
        return generator(self.seed, self.day.toordinal(), *words)

    def _setting(self) -> Setting:
        rng = self._generator(0)
        volatility = clustered(rng, 8, 0.48, SECONDS)
        common = returns(rng, volatility, rng.uniform(*self.profile.index_volatility))
        gap = rng.normal(0, self.profile.gap)
        if self.profile.least_gap:
            gap = float(np.copysign(self.profile.least_gap + abs(gap), gap))
        setting = Setting(
            day=self.day,
            seed=self.seed,
            profile=self.profile,
            timetable=timetable_of(self.day, self.timetable),
            returns=common,
            volatility=volatility,
            gap=gap,
            drift=np.zeros(SECONDS),
            trading=np.ones(SECONDS, dtype=np.bool_),
            affected=tuple(stock.token for stock in self.affected_stocks()),
        )
        halt = self.profile.halt
        return setting if halt is None else self._halted(setting, halt)

    def _halted(self, setting: Setting, halt: Halt) -> Setting:
        """Return the setting with a fall that takes the first index to the halt's level in time."""
        sectors: dict[str, FloatArray] = {}
        last = halt.second - _LAST_STEP_S
        level = 0.0
        for stock in self.members:
            sector = self._sector_returns(stock.sector, sectors)
            path = course_of(stock, setting, sector).path
            level += stock.nifty_weight * float(path[last]) / stock.prev_close
        level /= sum(stock.nifty_weight for stock in self.members)
        start = max(0, last - _FALL_S)
        drift = np.zeros(SECONDS)
        just_above = 1 - halt.level / 100 + _LAST_STEP / 2
        # Shocks as large in either direction: the market arrives where it should.
        faster = np.arange(1, last - start + 1, dtype=np.float64)
        shocks = self._generator(0, _FALL).normal(
            0, _FALL_VOLATILITY / np.sqrt(last - start), len(faster)
        )
        drift[start:last] = np.log(just_above / level) * faster / faster.sum()
        drift[start:last] += shocks - shocks.mean()
        drift[last] = np.log(1 - _LAST_STEP)
        trading = np.ones(SECONDS, dtype=np.bool_)
        trading[halt.second : halt.resumes] = False
        if halt.resumes is not None:
            drift[halt.resumes] = _REBOUND
        return setting._replace(drift=drift, trading=trading)

    def _sector_returns(self, sector: str, made: dict[str, FloatArray]) -> FloatArray:
        if sector not in made:
            rng = self._generator(0, zlib.crc32(sector.encode()))
            volatility = clustered(rng, 7, 0.5, SECONDS)
            made[sector] = returns(rng, volatility, self.profile.sector_volatility)
        return made[sector]


def synthesise(
    day: date,
    *,
    stocks: Sequence[Stock],
    seed: int,
    profile: Profile = PROFILES["normal"],
    index_stocks: Sequence[Stock] | None = None,
    timetable: str | None = None,
    defects: bool = False,
    calendar: TradingCalendar | None = None,
) -> MarketDay:
    """
    Return a synthetic day in memory; the same arguments give the same rows.

    Args:
        day: A day with an ordinary session from 09:15 to 15:30.
        stocks: What is made, in any order, besides the indices.
        seed: 0 or more.
        profile: What kind of day it is.
        index_stocks: The members of the indices, whether they are made or not;
            by default the NIFTY 50.
        timetable: By name; by default the one of the day.
        defects: Whether rows are late and stale as those of real feeds.
        calendar: By default the one that comes with the server.

    Raises:
        ConfigError: If `Market.check` refuses it.

    """
    members = nifty_50() if index_stocks is None else tuple(index_stocks)
    market = Market(day, seed, profile, timetable=timetable, members=members, defects=defects)
    market.check(calendar or TradingCalendar.bundled())
    tapes, indices = market.members_and_indices()
    tapes |= market.tapes([stock for stock in stocks if stock not in tapes])
    made: list[tuple[Stock | Index, Tape]] = [(stock, tapes[stock]) for stock in stocks]
    made += indices.items()
    numbered = [(number, tape) for number, (_, tape) in enumerate(made)]
    return MarketDay(tuple(instrument for instrument, _ in made), in_time_order(day, numbered))


def in_time_order(day: date, tapes: Sequence[tuple[int, Tape]]) -> Batch:
    """
    Return the rows of some tapes by time; of one time, by the instruments' numbers.

    Args:
        day: The trading day.
        tapes: With the number of each one's instrument, which never falls.

    """
    ms = np.concatenate([tape.ms for _, tape in tapes])
    lengths = [len(tape.ms) for _, tape in tapes]
    number = np.repeat(np.array([number for number, _ in tapes], dtype=np.int32), lengths)
    order = np.argsort(ms, kind="stable")
    figures = {
        name: np.concatenate([tape.figures[name] for _, tape in tapes])[order] for name in FIGURES
    }
    return Batch(ist_ns(day, "09:00") + ms[order] * 1_000_000, number[order], figures)
