"""
The kinds of day that can be made, each with what it guarantees.

A profile is a value: how far prices move, and what happens at which time. The
generator (`simulator.market`, `simulator.tape`) does as it says; a test holds
each guarantee; ``odin-sim synth --help`` and docs/synthetic-days.md list them.
"""

from __future__ import annotations

import msgspec

from simulator.paths import CLOSING_VOLUME
from simulator.timetables import SECONDS
from streamer.errors import ConfigError

REST_OF_DAY = -1
"""As a length: trading does not resume on that day."""

CALL_MINUTES = 15
"""After a halt, orders are collected so long before trading resumes."""

# Minutes of halt by level in per cent, for a trigger before 13:00, 14:00, 14:30 and after;
# 0: none. SEBI's and the exchanges' index-based market-wide circuit breakers, since 2013.
_HALT_BEFORE = ("13:00", "14:00", "14:30", "24:00")
HALT_MINUTES: dict[int, tuple[int, int, int, int]] = {
    10: (45, 15, 15, 0),
    15: (105, 45, REST_OF_DAY, REST_OF_DAY),
    20: (REST_OF_DAY, REST_OF_DAY, REST_OF_DAY, REST_OF_DAY),
}


class Halt(msgspec.Struct, frozen=True):
    """
    A market-wide halt: the NIFTY 50 has fallen by a level, trading stops in all stocks.

    Args:
        level: In per cent of the previous close: 10, 15 or 20.
        at: When, ``HH:MM`` in India.

    """

    level: int
    at: str

    @property
    def second(self) -> int:
        """When trading stops, in seconds after 09:15."""
        return second_of(self.at)

    @property
    def resumes(self) -> int | None:
        """When trading goes on after the call, in seconds after 09:15; None: not on this day."""
        minutes = self._minutes()
        if minutes == REST_OF_DAY:
            return None
        resumes = self.second + (minutes + CALL_MINUTES) * 60
        return resumes if resumes < SECONDS else None

    def check(self) -> None:
        """Raise ConfigError if there is no such halt."""
        if self.level not in HALT_MINUTES:
            raise ConfigError(f"a halt at {self.level} % found; one at 10, 15 or 20 % expected")
        if not 60 <= self.second < SECONDS - 60:
            raise ConfigError(f"a halt at {self.at} found; one from 09:16 to 15:28 expected")
        if not self._minutes():
            raise ConfigError(
                f"a halt at {self.level} % at {self.at} found; there is none at 10 % from 14:30 on"
            )

    def _minutes(self) -> int:
        column = next(i for i, end in enumerate(_HALT_BEFORE) if self.at < end)
        return HALT_MINUTES[self.level][column]


class Profile(msgspec.Struct, frozen=True):
    """
    What kind of day it is. Volatilities are standard deviations of a day's return.

    Args:
        name: As the command line knows it.
        summary: What it is, in one sentence.
        guarantees: What holds on each such day, whatever the seed.
        affects: How many stocks something happens to that does not happen to
            all; they are drawn by the seed from the NIFTY 50, or named.
        index_volatility: Least and most of the common factor.
        sector_volatility: Of what the stocks of a sector share besides.
        stock_volatility: Of what a stock does on its own; stocks differ.
        gap: Of the common step from yesterday's close to today's open.
        least_gap: The common step is at least so large, up or down.
        stock_gap: Of the stock's own step.
        volume: Shares traded, an ordinary day being 1.
        closing_volume: How far the volume of the last minutes rises.
        circuit: When the affected stock reaches its band, ``HH:MM``.
        records: When the first affected stock breaks its 52-week high, and
            the second its low, ``HH:MM``.
        split: Into how many shares each share of the affected stock was split.
        halt: When trading stops in the whole market, and why.

    """

    name: str
    summary: str
    guarantees: str
    affects: int = 0
    index_volatility: tuple[float, float] = (0.0045, 0.0068)
    sector_volatility: float = 0.004
    stock_volatility: float = 0.0115
    gap: float = 0.005
    least_gap: float = 0.0
    stock_gap: float = 0.003
    volume: float = 1.0
    closing_volume: float = CLOSING_VOLUME
    circuit: str | None = None
    records: tuple[str, str] | None = None
    split: int = 1
    halt: Halt | None = None


def second_of(clock: str) -> int:
    """Return ``HH:MM`` as seconds after 09:15."""
    hour, minute = clock.split(":")
    return int(hour) * 3_600 + int(minute) * 60 - 33_300


_ALL = (
    Profile(
        "normal",
        "An ordinary day.",
        "Every figure that `odin-sim facts` measures lies where those of real days lie.",
    ),
    Profile(
        "quiet",
        "A day on which little happens.",
        "The NIFTY 50 stays within 1.5 % from its highest to its lowest, at 60 % of the volume.",
        index_volatility=(0.0022, 0.0030),
        sector_volatility=0.002,
        stock_volatility=0.006,
        gap=0.0015,
        stock_gap=0.001,
        volume=0.6,
    ),
    Profile(
        "volatile",
        "A day of large moves.",
        "The NIFTY 50 has a volatility of at least 1 % within the day, at 180 % of the volume.",
        index_volatility=(0.0140, 0.0200),
        sector_volatility=0.009,
        stock_volatility=0.022,
        gap=0.008,
        stock_gap=0.005,
        volume=1.8,
    ),
    Profile(
        "gap",
        "The market opens far from where it closed.",
        "The NIFTY 50 opens at least 1.5 % above or below its previous close.",
        gap=0.004,
        least_gap=0.023,
    ),
    Profile(
        "circuit",
        "One stock reaches its band of 10 % at 11:00 and stands there.",
        "From the trade in the second of 11:00 to the close the stock's price is the last one in "
        "its band, the book has one side, and the volume does not rise.",
        affects=1,
        circuit="11:00",
    ),
    Profile(
        "halt",
        "The whole market is halted: the NIFTY 50 has fallen by a level of the circuit breaker.",
        "No stock trades from the halt to its end, 45 minutes and a call of 15 for 10 % at 11:05; "
        "the last level before it is the first beyond 10 %, to five seconds; then trading resumes.",
        halt=Halt(10, "11:05"),
    ),
    Profile(
        "expiry",
        "Derivatives expire: the last half hour, of which they are settled, is crowded.",
        "The last half hour has at least 22 % of the session's volume; ordinary is 14 %.",
        volume=1.3,
        closing_volume=7.0,
    ),
    Profile(
        "record",
        "One stock breaks its 52-week high at 10:30, another its low at 13:30.",
        "Before its time no price is beyond the record; a trade in that very second is.",
        affects=2,
        records=("10:30", "13:30"),
    ),
    Profile(
        "split",
        "One share has become five overnight.",
        "The stock's previous close and 52-week range are told as a fifth of what they were at the "
        "last close, and it trades around the fifth: a change against the last close is -80 %.",
        affects=1,
        split=5,
    ),
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in _ALL}
"""The kinds of day that can be made."""
