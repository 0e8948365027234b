"""
The rules of "What is derived" in ``docs/recordings.md``, row by row and as plain as can be.

The oracle of `simulator.fold`, which computes whole columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from simulator.fold import CARRIED
from streamer.calendar import TradingCalendar
from streamer.ist import ist_date

CALENDAR = TradingCalendar.bundled()

Row = dict[str, int | None]
"""One row's told figures; None where it tells none."""


@dataclass
class PlainDay:
    """One instrument's day so far."""

    has_volume: bool
    day: date | None = None
    figures: dict[str, int] = field(default_factory=dict)
    shares: int = 0
    value: int = 0

    def fold(self, ts: int, row: Row) -> dict[str, int]:
        """Return the figures after the row."""
        today = ist_date(ts)
        if today != self.day:
            last = self.figures.get("ltp", 0) if self._was_yesterday(today) else 0
            self.figures = dict.fromkeys((*CARRIED, "volume", "open", "high", "low"), 0)
            self.figures |= {"prev_close": last, "ltt": 0}
            self.day, self.shares, self.value = today, 0, 0
        now = self.figures
        ltp = now["ltp"] = row["ltp"] or 0
        for name in CARRIED:
            told = row.get(name)
            if told is not None:
                now[name] = told
        if row.get("prev_close"):
            now["prev_close"] = row["prev_close"] or 0
        self._trade(ts, row)
        self._range(ts, row)
        average = (2 * self.value + self.shares) // (2 * self.shares) if self.shares else 0
        now["atp"] = row.get("atp") or average
        assert now["ltp"] == ltp
        return dict(now)

    def _trade(self, ts: int, row: Row) -> None:
        now = self.figures
        before = now["volume"]
        if self.has_volume:
            told = row.get("volume")
            now["volume"] = before if told is None else told
        else:
            now["volume"] = before + (row.get("ltq") or 0)
        traded = max(now["volume"] - before, 0)
        self.shares += traded
        self.value += traded * now["ltp"]
        if traded or not now["volume"]:
            now["ltt"] = ts

    def _range(self, ts: int, row: Row) -> None:
        now = self.figures
        assert self.day is not None
        sessions = CALENDAR.day(self.day).sessions
        counts = not sessions or ts >= sessions[0].open or now["volume"] > 0
        if row.get("open"):
            now["open"] = row["open"] or 0
        elif counts and not now["open"]:
            now["open"] = now["ltp"]
        for name, better in (("high", max), ("low", min)):
            if row.get(name):
                now[name] = row[name] or 0
            elif counts:
                now[name] = better(now[name], now["ltp"]) if now[name] else now["ltp"]

    def _was_yesterday(self, today: date) -> bool:
        if self.day is None:
            return False
        between = self.day + timedelta(1)
        while between < today:
            if CALENDAR.day(between).sessions:
                return False
            between += timedelta(1)
        return True
