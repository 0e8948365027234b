"""
What a synthetic market is made of: stocks with levels to start from, and indices.

The levels are invented and stand in ``simulator/data/universe.csv``. How prices
move from there is `simulator.market`'s subject.
"""

from __future__ import annotations

import csv
from importlib import resources

import msgspec

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
