"""
What a synthetic market is made of: stocks with levels to start from, and indices.

The NIFTY 50 with invented levels stand in ``simulator/data/universe.csv``;
:func:`largest` adds as many made-up stocks as are wanted. Universes from files
are `simulator.universe_files`' subject, how prices move `simulator.tape`'s.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec
import numpy as np

from simulator.paths import generator
from streamer.odin.tags import NSE_CASH, InstrumentKey


class Stock(msgspec.Struct, frozen=True):
    """
    One stock as a day begins. Prices are in paise.

    Args:
        symbol: As the exchange writes it.
        token: NSE's number for it.
        sector: Stocks of one sector move together a little.
        prev_close: Official close of the day before.
        volume: Shares traded on an ordinary day.
        week_52_high: Highest price of the year before this day.
        week_52_low: Lowest price of the year before this day.
        nifty_weight: Share in the NIFTY 50, in per cent; 0 for no member.
        bank_weight: Share in the NIFTY BANK, in per cent; 0 for no member.
        trades: On an ordinary day; 0 for so many that there is an update in most seconds.
        band: How far it may move from the previous close, as a share of it.
        derivatives: Whether it has some; a closing auction is for such stocks.

    """

    symbol: str
    token: int
    sector: str
    prev_close: int
    volume: int
    week_52_high: int
    week_52_low: int
    nifty_weight: float = 0.0
    bank_weight: float = 0.0
    trades: int = 0
    band: float = 0.10
    derivatives: bool = True

    @property
    def key(self) -> InstrumentKey:
        """The identity: (market segment, token)."""
        return (NSE_CASH, self.token)


class Index(msgspec.Struct, frozen=True):
    """
    One index as a day begins: the weighted sum of its members, nothing of its own.

    ``weight`` names the field of `Stock` that has its members' weights;
    ``step`` is what its level is rounded to, in hundredths of a point.
    """

    symbol: str
    token: int
    weight: str
    prev_close: int
    week_52_high: int
    week_52_low: int
    step: int = 5

    @property
    def key(self) -> InstrumentKey:
        """The identity: (market segment, token)."""
        return (NSE_CASH, self.token)


NIFTY_50 = Index("NIFTY 50", 26000, "nifty_weight", 2_471_505, 2_627_735, 2_174_365)
NIFTY_BANK = Index("NIFTY BANK", 26009, "bank_weight", 5_406_745, 5_762_875, 4_770_285)
INDICES: tuple[Index, ...] = (NIFTY_50, NIFTY_BANK)
"""Made with every universe. Levels are invented like those of the stocks."""


class LiquidityClass(NamedTuple):
    """
    Stocks that trade about as much as each other.

    Args:
        last_rank: Of the class, by turnover; the first rank follows the class before.
        trades: On the class's ordinary day, the median.
        derivatives: Whether its stocks have some.

    """

    last_rank: int
    trades: int
    derivatives: bool


# Medians of NSE's day 2025-12-18, by rank of turnover.
LIQUIDITY_CLASSES: tuple[LiquidityClass, ...] = (
    LiquidityClass(50, 159_000, True),
    LiquidityClass(100, 62_700, True),
    LiquidityClass(250, 34_800, True),
    LiquidityClass(500, 17_800, False),
    LiquidityClass(1_000, 7_500, False),
    LiquidityClass(2_000, 1_300, False),
    LiquidityClass(5_000, 83, False),
)
"""From the most liquid to the least; a universe has no more than the last rank."""

MOST_STOCKS = LIQUIDITY_CLASSES[-1].last_rank

FIRST_MADE_UP_TOKEN = 900_000
"""NSE's own tokens have up to five digits: no made-up stock has the token of a real one."""

_SECTORS = ("auto", "consumer", "energy", "financial", "healthcare", "metals", "technology")
_LEVELS = 7  # the generator's word for what a stock is before any day


def largest(count: int) -> tuple[Stock, ...]:
    """
    Return as many stocks by turnover: of the NIFTY 50 the heaviest, behind them made-up ones.

    The made-up stocks are called SIM0051, SIM0052 and so on by their rank; each
    is the same in every universe that has it.
    """
    members = sorted(nifty_50(), key=lambda stock: (-stock.nifty_weight, stock.symbol))
    made_up = (_ranked(rank) for rank in range(len(members) + 1, count + 1))
    return (*members[:count], *made_up)


def stock_named(symbol: str) -> Stock | None:
    """Return the made-up stock of this symbol; None if there is none."""
    if symbol[:3] != "SIM" or not (symbol[3:].isascii() and symbol[3:].isdigit()):
        return None
    rank = int(symbol[3:])
    if not len(nifty_50()) < rank <= MOST_STOCKS or symbol != f"SIM{rank:04d}":
        return None
    return _ranked(rank)


def _ranked(rank: int) -> Stock:
    return made_up_stock(f"SIM{rank:04d}", FIRST_MADE_UP_TOKEN + rank, class_of(rank))


def class_of(rank: int) -> LiquidityClass:
    """Return the class of a stock's rank by turnover, from 1 on."""
    return next(liquidity for liquidity in LIQUIDITY_CLASSES if rank <= liquidity.last_rank)


def made_up_stock(symbol: str, token: int, liquidity: LiquidityClass) -> Stock:
    """Return a stock with levels that were drawn for its token, whatever the day and the seed."""
    rng = generator(_LEVELS, token)
    price = float(np.clip(np.exp(rng.normal(6.0, 1.1)), 10, 20_000))
    prev_close = 5 * round(price * 20)
    trades = max(20, round(liquidity.trades * float(rng.lognormal(0, 0.3))))
    shares_a_trade = float(rng.uniform(25, 60)) * max(1.0, 300 / price)
    return Stock(
        symbol=symbol,
        token=token,
        sector=_SECTORS[int(rng.integers(len(_SECTORS)))],
        prev_close=prev_close,
        volume=max(50, round(trades * shares_a_trade)),
        week_52_high=round(prev_close * float(rng.uniform(1.12, 1.8)) / 5) * 5,
        week_52_low=round(prev_close * float(rng.uniform(0.45, 0.88)) / 5) * 5,
        trades=trades,
        band=0.10 if liquidity.derivatives else float(rng.choice([0.05, 0.10, 0.20])),
        derivatives=liquidity.derivatives,
    )


@cache
def nifty_50() -> tuple[Stock, ...]:
    """Return the members of the NIFTY 50 as of 2025-09-04, in the order of their symbols."""
    text = resources.files("simulator").joinpath("data/universe.csv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(
        Stock(
            symbol=row["symbol"],
            token=int(row["token"]),
            sector=row["sector"],
            prev_close=_paise(row["prev_close"]),
            volume=int(row["volume"]),
            week_52_high=_paise(row["week_52_high"]),
            week_52_low=_paise(row["week_52_low"]),
            nifty_weight=float(row["nifty_weight"]),
            bank_weight=float(row["bank_weight"]),
        )
        for row in csv.DictReader(lines)
    )


def _paise(rupees: str) -> int:
    whole, _, fraction = rupees.partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))
