"""The page on market hours says what the calendar does."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from click.testing import CliRunner

import streamer.calendar
from streamer.calendar import (
    MAX_CLOSED_DAYS,
    NOTICE_DAYS,
    DayKind,
    StockPhase,
    TradingCalendar,
)
from streamer.calendar_files import parse_calendar
from streamer.cli import cli

PAGE = (Path(__file__).parents[2] / "docs" / "market-hours.md").read_text(encoding="utf-8")
BUNDLED = TradingCalendar.bundled()


def ist_clock_of(ns: int) -> str:
    """A time of day, given in nanoseconds after midnight."""
    minutes = ns // 60_000_000_000
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def blocks(language: str) -> list[str]:
    """The page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_of_an_override_can_be_used() -> None:
    """The example file parses, joins the bundled table, and each entry has its effect."""
    [text] = blocks("toml")
    merged = BUNDLED.merged(parse_calendar(text, file="example.toml"))
    assert merged.coverage == (date(2018, 1, 1), date(2027, 12, 31))
    told = {
        day: (merged.day(date.fromisoformat(day)).kind, merged.day(date.fromisoformat(day)).hours)
        for day in ("2027-01-26", "2027-10-29", "2027-02-06", "2026-12-25")
    }
    assert told == {
        "2027-01-26": ("holiday", ""),
        "2027-10-29": ("muhurat", "18:15 - 19:15 IST"),
        "2027-02-06": ("special", "09:15 - 10:00, 11:30 - 12:30 IST"),
        "2026-12-25": ("trading", "09:15 - 15:30 IST"),
    }
    assert not merged.day(date(2027, 10, 29)).confirmed
    assert merged.day(date(2027, 3, 15)).halts
    assert merged.day(date(2027, 4, 1)).settlement_holiday == "Annual bank closing"
    timetable = merged.timetable(date(2027, 2, 1))
    assert timetable is not None
    assert timetable.name == "cas-2027"


def test_the_example_of_the_command_is_what_the_calendar_tells() -> None:
    """Each object of the example is what is printed for its date, key by key."""
    [text] = blocks("json")
    example = json.loads(text)
    result = CliRunner().invoke(cli, ["calendar", "--json", *(day["date"] for day in example)])
    assert [list(day.items()) for day in json.loads(result.output)] == [
        list(day.items()) for day in example
    ]


def test_the_table_of_special_days_is_complete() -> None:
    """The page lists every day with sessions of its own, with its kind and hours."""
    listed = re.findall(r"^\| (\d{4}-\d{2}-\d{2}) \| (\w+) \| ([^|]*?) \|$", PAGE, re.MULTILINE)
    first, last = BUNDLED.coverage
    days = [BUNDLED.day(first + timedelta(days=n)) for n in range((last - first).days + 1)]
    assert listed == [
        (
            str(day.date),
            day.kind,
            day.hours.removesuffix(" IST") + ("" if day.confirmed else " (not confirmed)"),
        )
        for day in days
        if day.kind in ("special", "muhurat")
    ]


def test_every_kind_and_phase_is_described() -> None:
    """The page has a row for each kind of day and each phase, and for `waiting`."""
    first_cells = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    for word in (*get_args(DayKind), *get_args(StockPhase), "waiting"):
        assert word in first_cells


def test_the_timetables_are_those_of_the_calendar() -> None:
    """The page has a row for each, with the phases of both classes."""
    rows = []
    for timetable in BUNDLED.timetables:
        spans = {
            (span.phase, derivatives): f"{ist_clock_of(span.begin)} - {ist_clock_of(span.end)}"
            for derivatives in (True, False)
            for span in timetable.spans(derivatives=derivatives)
        }
        cells = [
            f"`{timetable.name}`",
            str(timetable.effective_from),
            spans["pre_open", True],
            spans["open", True],
            spans.get(("closing_auction", True), "none"),
            spans["open", False],
            spans["post_close", False],
        ]
        rows.append(f"| {' | '.join(cells)} |")
    assert re.findall(r"^\| `(?:classic|cas).*\|$", PAGE, re.MULTILINE) == rows


def test_the_bounds_are_the_codes() -> None:
    """Coverage and the longest closure stand on the page as they are."""
    assert f"covers {BUNDLED.coverage[0]} to {BUNDLED.coverage[1]}" in PAGE
    assert f"from {NOTICE_DAYS} days before the last one on" in PAGE
    assert f"more than {MAX_CLOSED_DAYS} days in a row" in PAGE
    assert streamer.calendar.PRE_OPEN_NS == 15 * 60 * 1_000_000_000
    assert "the quarter of an hour before a session" in PAGE
