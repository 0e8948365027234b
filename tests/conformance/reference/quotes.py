"""From a touchline of the feed to what clients read: figures, flags, spelling (section 5)."""

from __future__ import annotations

import json
import struct
from datetime import UTC
from typing import Final

from tests.conformance.reference.breaks import broken
from tests.conformance.reference.feed import Fields, read_time
from tests.conformance.reference.hours import in_india
from tests.conformance.reference.instruments import Instrument

HEADER: Final = ("63", "64", "65", "66")
LTP, VOLUME, OPEN, CLOSE, HIGH, LOW = "8", "79", "75", "76", "77", "78"
YEAR_HIGH, YEAR_LOW, LOCATOR, LUT, LTT = "93", "94", "399", "74", "73"
NUMBERS: Final = (LTP, VOLUME, OPEN, CLOSE, HIGH, LOW, YEAR_HIGH, YEAR_LOW)
LOCATORS: Final = tuple(str(10**power) for power in range(10))


def spell(value: object) -> str:
    """Return a message as JSON text."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


class Quote:
    """The present state of one instrument; ``seq`` numbers its updates (M-3)."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.seq = 0
        self.updates_while_closed = 0
        self.said: Fields = {}
        self.day = ""
        self._processed = 0
        self._told = 0
        self._locator = 100
        self._now: dict[str, int] = {}
        self._stored_high = self._stored_low = 0
        self._ltp_before = 0
        self._kept_back: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.said)

    def forget(self) -> None:
        """Begin the day anew: the feed's time went back (H-5)."""
        self.said = {}
        self.day = ""

    def update(self, fields: Fields, now: int, is_state: bool) -> bool:
        """
        Take a touchline; return whether it is an update.

        Args:
            fields: The touchline by tag.
            now: Market time.
            is_state: It answers a subscribe, so it is none if it says nothing new (M-9).

        """
        said = {tag: value for tag, value in fields.items() if tag not in HEADER}
        if said == self.said and (is_state and not broken("state-counts-as-update")):
            return False
        locator = said.get(LOCATOR) or "100"
        figures = {tag: said.get(tag) or "0" for tag in NUMBERS}
        if locator.strip("0") not in ("", "1") or not all(map(str.isdigit, figures.values())):
            return False
        locator = "100" if locator.strip("0") == "" else locator
        if locator not in LOCATORS or not int(figures[LTP]):
            return False
        if said | {LUT: ""} == self.said | {LUT: ""} and broken("unchanged-updates-dropped"):
            return False
        before, self._now = self._now, {tag: int(value) for tag, value in figures.items()}
        self._told = read_time(said.get(LUT, "")) or read_time(said.get(LTT, "")) or now
        day = f"{in_india(min(self._told, now)):%Y-%m-%d}"
        if day > self.day and not (broken("flags-outlive-the-day") and self.day):
            before, self._stored_high, self._stored_low = {}, 0, 0
        self._ltp_before = before.get(LTP, 0)
        self.said, self.day, self._processed = said, max(day, self.day), now
        self._locator = int(locator)
        self._carry_on(before)
        self.seq = 1 if broken("seq-stands-still") else self.seq + 1
        return True

    def _carry_on(self, before: dict[str, int]) -> None:
        """Fill in from the day so far what the feed left unknown."""
        figures = self._now
        ltp = figures[LTP]
        for tag, unknown in (
            (VOLUME, before.get(VOLUME, 0)),
            (OPEN, before.get(OPEN) or ltp),
            (HIGH, max(before.get(HIGH, 0), ltp)),
            (LOW, min(before.get(LOW) or ltp, ltp)),
        ):
            figures[tag] = figures[tag] or unknown
        self._stored_high = self._stored_high or figures[YEAR_HIGH]
        self._stored_low = self._stored_low or figures[YEAR_LOW]

    def data(self) -> dict[str, object]:
        """Return the ``data`` of M-1."""
        figures, one = self._now, self.instrument
        ltp, close = figures[LTP], figures[CLOSE]
        high, low = figures[HIGH], figures[LOW]
        is_high = 0 < self._stored_high < high
        is_low = low < self._stored_low
        if broken("year-high-flag-when-equal"):
            is_high = 0 < self._stored_high <= high
        if broken("year-high-flag-for-one-tick"):
            is_high = is_high and ltp == high and self._ltp_before != ltp
        if broken("year-low-flag-missing"):
            is_low = False
        today = None if broken("year-high-date-missing") else self.day
        previous = self._price(close) if close else None
        if previous is None and broken("prev-close-invented"):
            previous = self._price(figures[OPEN])
        zone = "%Y-%m-%dT%H:%M:%S"
        seconds, fraction = f"{in_india(self._processed):{zone}}", self._processed % 10**9
        data: dict[str, object] = {
            "symbol": one.symbol,
            "token": one.token if broken("token-as-number") else str(one.token),
            "exchange": one.exchange,
            "ltp": float(ltp) if broken("price-in-paise") else self._price(ltp),
            "open": self._price(figures[OPEN]),
            "high": self._price(high),
            "low": self._price(low),
            "close": self._price(ltp) if broken("close-is-ltp") else previous,
            "prev_close": previous,
            "volume": str(figures[VOLUME]) if broken("volume-as-text") else figures[VOLUME],
            "percent_change": self._percent_change(),
            "week_52_high": self._known(high if is_high else self._stored_high),
            "week_52_low": self._known(low if is_low else self._stored_low),
            "week_52_high_date": today if is_high else None,
            "week_52_low_date": self.day if is_low else None,
            "day_high": self._price(ltp if broken("day-high-is-ltp") else high),
            "day_low": self._price(low),
            "avg_volume_5d": figures[VOLUME] if broken("average-volume-invented") else None,
            "timestamp": (self._processed if broken("exchange-time-lost") else self._told) // 10**6,
            "last_updated": f"{seconds}.{fraction:09d}+05:30",
            "is_new_week_52_high": is_high,
            "is_new_week_52_low": is_low,
        }
        if broken("last-updated-in-utc"):
            data["last_updated"] = f"{in_india(self._processed, UTC):{zone}}.000000000Z"
        if broken("data-key-missing"):
            del data["avg_volume_5d"]
        return dict(sorted(data.items())) if broken("data-sorted-by-name") else data

    def message(self, now: int, seq: int) -> str:
        """Return the whole ``market_data`` as JSON text."""
        data = self.data()
        envelope: dict[str, object] = {"type": "market_data"}
        envelope |= {name: data[name] for name in ("symbol", "token", "exchange")}
        return spell(envelope | {"data": data, "timestamp": now // 10**6, "seq": seq})

    def swapped(self, text: str) -> list[str]:
        """Keep every second update back until the next one has gone out."""
        if self._kept_back is None:
            self._kept_back = text
            return []
        texts, self._kept_back = [text, self._kept_back], None
        return texts

    def _percent_change(self) -> float | None:
        ltp, close = self._price(self._now[LTP]), self._price(self._now[CLOSE])
        if broken("percent-from-open"):
            close = self._price(self._now[OPEN])
        if not close:
            return None if broken("percent-null") else 0.0
        change = (ltp - close) / close * 100
        return round(change, 2) if broken("percent-rounded") else change

    def _price(self, scaled: int) -> float:
        price = scaled / self._locator
        if broken("prices-in-single-precision"):
            price = float(struct.unpack("f", struct.pack("f", price))[0])
        return price

    def _known(self, scaled: int) -> float | None:
        return self._price(scaled) if scaled else None
