"""Files that an operator adds to the bundled calendar and instruments."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from streamer.calendar import TradingCalendar
from streamer.loading import instrument_table, trading_calendar


def test_without_files_the_bundled_ones_are_used() -> None:
    """Nothing has to be given."""
    assert trading_calendar(None).coverage == TradingCalendar.bundled().coverage
    assert instrument_table(()).resolve("RELIANCE") is not None


def test_a_calendar_file_goes_before_the_bundled_one(tmp_path: Path) -> None:
    """A special session that was announced late can be added."""
    path = tmp_path / "days.toml"
    path.write_text(
        '[[holiday]]\ndate = 2026-11-25\nname = "Announced late"\nsource = "a circular"\n'
    )
    assert trading_calendar(path).day(date(2026, 11, 25)).kind == "holiday"
    assert TradingCalendar.bundled().day(date(2026, 11, 25)).kind == "trading"


def test_instrument_files_join_the_bundled_ones(tmp_path: Path) -> None:
    """Two files add to each other."""
    header = "exchange,token,symbol,series,name,isin,lot,tick,kind\n"
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(header + "NSE,900001,FIRSTONE,EQ,First,,1,0.05,equity\n")
    second.write_text(header + "NSE,900002,SECONDONE,EQ,Second,,1,0.05,equity\n")
    table = instrument_table((first, second))
    assert all(table.resolve(symbol) for symbol in ("FIRSTONE", "SECONDONE", "RELIANCE"))
