"""The life of the server, told to people and to a parent process."""

from __future__ import annotations

import logging
from datetime import date

import pytest

from streamer.clock import FeedClock, WallClock
from streamer.journal import Event, Journal
from tests.streamer.desk import Desk, at, touchline


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Let the log be seen from INFO on."""
    caplog.set_level(logging.INFO)


def test_each_event_is_told_once_to_each(caplog: pytest.LogCaptureFixture) -> None:
    """One line and one event for each thing that happens."""
    events: list[Event] = []
    journal = Journal(events.append)
    journal.listening("localhost", 8080, "ws://localhost:8080/enhanced-stream")
    journal.client_connected("app", 1)
    journal.client_gone("app", 0, 1006, "")
    journal.stopping("SIGTERM")
    journal.stopped("SIGTERM", 7)
    assert [event["event"] for event in events] == [
        "listening",
        "client_connected",
        "client_gone",
        "stopping",
        "stopped",
    ]
    assert events[-1] == {"event": "stopped", "reason": "SIGTERM", "delivered": 7}
    assert len(caplog.records) == len(events)


def test_without_a_parent_only_the_log_is_written(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has to listen."""
    Journal().stopping("SIGTERM")
    assert "stopping: SIGTERM" in caplog.text


def test_open_and_close_are_noticed_once(caplog: pytest.LogCaptureFixture) -> None:
    """Looking often tells nothing twice."""
    desk, journal = Desk(), Journal()
    for clock in ("09:00", "09:16", "12:00", "15:31", "16:00"):
        desk.tell_time(clock)
        journal.look_at(desk.hub)
        journal.look_at(desk.hub)
    assert [record.message for record in caplog.records] == [
        "market open since 2025-09-04 09:15:00 IST",
        "market closed at 2025-09-04 15:30:00 IST",
    ]


def test_each_day_beyond_the_calendar_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A day that the calendar does not know is a reason to look, every day anew."""
    desk = Desk(clock=WallClock(), now=at("08:00", date(2031, 1, 6)))
    journal = Journal()
    for hours in (0, 1, 23, 1):
        desk.pass_time(hours * 3600)
        journal.look_at(desk.hub)
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [day in text for day, text in zip(("2031-01-06", "2031-01-07"), warnings, strict=True)]


@pytest.mark.parametrize(
    ("clock", "day", "warnings"),
    [
        (WallClock(), date(2026, 11, 23), 1),
        (WallClock(), date(2026, 11, 13), 0),
        (FeedClock(), date(2026, 11, 23), 0),
    ],
)
def test_a_server_that_starts_shortly_before_the_calendar_ends_says_so(
    caplog: pytest.LogCaptureFixture, clock: WallClock | FeedClock, day: date, warnings: int
) -> None:
    """Once, and not in a replay: the date of a recording says nothing of today."""
    desk = Desk(clock=clock, now=at("08:00", day))
    desk.tell_time("08:00", day)
    journal = Journal()
    for hours in (0, 23, 24):
        desk.pass_time(hours * 3600)
        journal.look_at(desk.hub)
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert ["the calendar ends on 2026-12-31, in 38 days" in text for text in told] == [
        True
    ] * warnings


def test_a_server_that_runs_into_the_last_weeks_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Months after its start, on the first day of notice, and once."""
    desk = Desk(clock=WallClock(), now=at("08:00", date(2026, 11, 13)))
    journal = Journal()
    for _ in range(6):
        journal.look_at(desk.hub)
        desk.pass_time(24 * 3600)
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert ["in 45 days" in text for text in told] == [True]


def test_a_halt_is_logged_when_it_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Once each: the operator's word as a warning, its end by itself or by the next word."""
    desk, journal = Desk(clock=WallClock(), now=at("11:05", date(2026, 11, 20))), Journal()
    desk.pass_time(0)
    journal.look_at(desk.hub)
    caplog.clear()
    for until in ("12:05", None):
        journal.operator_halts(desk.hub.hours.halt(desk.now, until))
        journal.look_at(desk.hub)
        desk.pass_time(3600)
        journal.look_at(desk.hub)
    journal.operator_resumes(desk.hub.hours.resume(desk.now))
    journal.look_at(desk.hub)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "the operator says that the market is halted, until 2026-11-20 12:05:00 IST"),
        ("INFO", "market not halted any more since 2026-11-20 12:05:00 IST"),
        ("WARNING", "the operator says that the market is halted, until it resumes"),
        ("INFO", "the operator says that the market is not halted; it is open"),
    ]


def test_a_halt_of_the_calendar_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A replay of such a day tells it as it goes."""
    desk, journal = Desk(), Journal()
    for clock in ("09:16", "09:30", "09:40", "10:20"):
        desk.tell_time(clock, date(2020, 3, 13))
        journal.look_at(desk.hub)
    assert [record.message for record in caplog.records] == [
        "market open since 2020-03-13 09:15:00 IST",
        "market halted since 2020-03-13 09:20:00 IST",
        "market not halted any more since 2020-03-13 10:20:00 IST",
    ]


def test_a_suspicious_opening_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """As a warning: somebody should look before the quotes are trusted."""
    desk = Desk()
    desk.log_on("10:00")
    journal = Journal()
    for _ in range(2):
        desk.feed(touchline(close=280000, lut=at("10:00")))
        journal.look_at(desk.hub)
    [warning] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "RELIANCE (NSE) opened at 1371.80" in warning.getMessage()
