"""
What the gate says of a calendar that ends soon: the last section of what pytest prints.

It is said, and nothing fails for it: a release whose sources have not changed
must pass its tests on any later day, and whoever runs them cannot know a
holiday that is not published yet.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import date

import pytest

from streamer.calendar import TradingCalendar


def words(calendar: TradingCalendar, today: date) -> str | None:
    """Return what to say of a calendar on a day; None while there is time."""
    notice = calendar.notice(today)
    if calendar.days_left(today) < 0:
        notice = (
            f"the calendar ended on {calendar.coverage[1]}: beyond it holidays and special "
            "sessions are unknown"
        )
    todo = "streamer/data/calendar.toml needs the dates of the next year"
    return None if notice is None else f"{notice}; {todo}"


class CalendarEnd:
    """A pytest plugin that says it on a day."""

    def __init__(self, today: date) -> None:
        self._words = words(TradingCalendar.bundled(), today)

    # Around everything else that is printed: below a list of failures nobody overlooks it.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, object, object]:
        """Print the section after all others."""
        outcome = yield
        if self._words is not None:
            terminalreporter.section("trading calendar", yellow=True)
            terminalreporter.line(self._words)
        return outcome
