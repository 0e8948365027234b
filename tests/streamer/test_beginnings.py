"""What the quotes of a trading session begin with."""

from __future__ import annotations

from datetime import date

from streamer.beginnings import NEVER, Beginnings, begin_without_files
from streamer.calendar import TradingCalendar
from streamer.ist import ist_ns
from streamer.reference import Figure, Figures, SessionReference, Source

KEY = (1, 3045)
FRIDAY, MONDAY = date(2025, 12, 12), date(2025, 12, 15)


class Desk:
    """Answers with figures that name their session, and counts the questions."""

    def __init__(self) -> None:
        self.asked: list[date] = []

    def __call__(self, day: date) -> SessionReference:
        self.asked.append(day)
        close = Figure(day.day, Source("pd", "x", "y", day))
        return SessionReference(day, {KEY: Figures(prev_close=close)})


def test_a_weekend_belongs_to_the_friday_before() -> None:
    """What a feed repeats then is Friday's; a holiday is the same."""
    begin = Beginnings(TradingCalendar.bundled(), Desk())
    for day in (FRIDAY, date(2025, 12, 13), date(2025, 12, 14)):
        assert begin(KEY, day).day == FRIDAY
    assert begin(KEY, date(2025, 12, 25)).day == date(2025, 12, 24)
    monday = begin(KEY, MONDAY)
    assert (monday.day, monday.previous) == (MONDAY, FRIDAY)


def test_a_muhurat_sunday_is_a_session_of_its_own() -> None:
    """The calendar says so, not the weekday."""
    begin = Beginnings(TradingCalendar.bundled(), Desk())
    assert begin(KEY, date(2023, 11, 12)).day == date(2023, 11, 12)
    assert begin(KEY, date(2023, 11, 13)).previous == date(2023, 11, 12)


def test_the_official_close_comes_after_the_last_session_of_the_day() -> None:
    """H-6: half a minute after 15:30; on the split day of 2024-03-02 after its second part."""
    begin = Beginnings(TradingCalendar.bundled(), Desk())
    assert begin(KEY, FRIDAY).official_from == ist_ns(FRIDAY, "15:30:30")
    split = date(2024, 3, 2)
    assert begin(KEY, split).official_from == ist_ns(split, "12:30:30")


def test_figures_are_those_of_the_session_and_asked_for_once() -> None:
    """Until they are forgotten, since other files were imported."""
    desk = Desk()
    begin = Beginnings(TradingCalendar.bundled(), desk)
    for _ in range(3):
        found = begin(KEY, MONDAY).figures.prev_close
        assert found is not None
        assert found.value == 15
        assert begin((1, 1), MONDAY).figures == Figures()
    assert desk.asked == [MONDAY]
    begin.forget()
    begin(KEY, MONDAY)
    assert desk.asked == [MONDAY, MONDAY]


def test_a_long_run_keeps_few_days() -> None:
    """A server runs for years."""
    desk = Desk()
    begin = Beginnings(TradingCalendar.bundled(), desk)
    for day in range(1, 13):
        begin(KEY, date(2025, 12, day))
    assert len(begin._days) <= 4


def test_without_calendar_and_files_each_day_is_a_session() -> None:
    """What a quote stands on in the tests of quotes alone."""
    found = begin_without_files(KEY, MONDAY)
    assert (found.day, found.previous, found.official_from) == (MONDAY, None, NEVER)
