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
