"""Whether the server can do its work, and if not, why."""

from __future__ import annotations

from datetime import date
from typing import Any

from streamer.clock import WallClock
from streamer.health import calendar_gap, health
from streamer.reference import SessionReference, Wanting
from tests.streamer.desk import Desk, at, touchline

MONDAY = date(2026, 11, 23)


def report(desk: Desk, **options: Any) -> tuple[bool, dict[str, Any]]:
    """Return readiness and the checks."""
    ready, found = health(desk.hub, desk.now, **options)
    checks: Any = found["checks"]
    return ready, checks


def desk_at(clock: str, day: date = MONDAY) -> Desk:
    """Return a hub under the wall clock whose feed is connected."""
    desk = Desk(clock=WallClock(), now=at(clock, day))
    desk.hub.upstream("connected", desk.now)
    return desk


def test_all_is_well() -> None:
    """A connected feed, a store that saves, a day that is known, a clock: ready."""
    ready, checks = report(desk_at("10:00"))
    assert ready
    assert checks["calendar"]["date"] == "2026-11-23"
    assert checks["clock"] == {"ok": True, "kind": "wall", "time": "2026-11-23 10:00:00"}


def test_a_feed_that_is_not_connected() -> None:
    """Each state but connected is a reason."""
    for state in ("connecting", "stale", "down"):
        desk = desk_at("10:00")
        desk.hub.upstream(state, desk.now)
        ready, checks = report(desk)
        assert not ready
        assert checks["upstream"]["problem"] == f"the feed is {state}"


def test_a_store_that_does_not_save() -> None:
    """What the store said is the reason."""
    ready, checks = report(desk_at("10:00"), store_problem="the disk is full")
    assert not ready
    assert checks["store"] == {"ok": False, "problem": "the disk is full"}


def test_a_day_outside_the_calendar() -> None:
    """Beyond its coverage the calendar would be guessing: not ready, and it says what to do."""
    ready, checks = report(desk_at("10:00", date(2031, 1, 6)))
    assert not ready
    assert "2031-01-06" in checks["calendar"]["problem"]
    assert "--calendar" in checks["calendar"]["problem"]
    assert checks["calendar"]["days_left"] < 0


def test_a_calendar_that_ends_soon_is_well_and_says_so() -> None:
    """The operator has weeks to get the next one: a warning, and the server stays ready."""
    ready, checks = report(desk_at("10:00"))
    assert ready
    assert checks["calendar"]["ok"] is True
    assert checks["calendar"]["days_left"] == 38
    assert checks["calendar"]["warning"].startswith("the calendar ends on 2026-12-31, in 38 days")
    assert checks["calendar"]["warning"].endswith("give a newer one with --calendar")
    _, checks = report(desk_at("10:00", date(2026, 11, 13)))
    assert "warning" not in checks["calendar"]


def test_a_halt_is_told_and_the_server_stays_ready() -> None:
    """It does all that it can: the market stands still, not the server."""
    desk = desk_at("11:05")
    assert health(desk.hub, desk.now)[1]["halt"] is None
    desk.hub.hours.halt(desk.now, "12:05")
    ready, found = health(desk.hub, desk.now)
    assert ready
    assert found["halt"] == {"since": "2026-11-23 11:05:00", "until": "2026-11-23 12:05:00"}
    desk.hub.hours.halt(desk.now)
    assert health(desk.hub, desk.now)[1]["halt"] == {"since": "2026-11-23 11:05:00", "until": None}
    desk.hub.hours.resume(desk.now)
    assert health(desk.hub, desk.now)[1]["halt"] is None


def test_the_last_covered_day_is_well() -> None:
    """The gap begins with the first day that is not covered, not before."""
    desk = desk_at("10:00")
    last = desk.hub.hours.calendar.coverage[1]
    assert calendar_gap(desk.hub, at("23:59:59", last)) is None
    assert calendar_gap(desk.hub, at("23:59:59", last) + 1_000_000_000) is not None


def test_a_feed_clock_that_was_told_no_time() -> None:
    """H-5: before the feed tells a time there is no day to judge, and the server is not ready."""
    desk = Desk()
    desk.hub.upstream("connected", desk.now)
    ready, checks = report(desk)
    assert not ready
    assert checks["calendar"]["ok"] is True
    assert checks["clock"] == {
        "ok": False,
        "kind": "feed",
        "time": None,
        "problem": "the feed has told no time yet",
    }
    desk.log_on("10:00")
    assert report(desk)[0]


def test_the_age_of_the_last_tick_is_told() -> None:
    """A monitor can judge silence for itself."""
    desk = Desk()
    desk.log_on("10:00")
    desk.connect()
    desk.feed(touchline(lut=at("10:00")))
    desk.pass_time(2)
    assert report(desk)[1]["upstream"]["last_tick_age_ms"] == 2000


def test_reference_data_that_is_missing_or_stale_is_told() -> None:
    """By session; the server is ready all the same."""

    def reference(day: date) -> SessionReference:
        eve = date(2026, 11, 20)
        wanting = (
            Wanting("NSE", "52-week file", day, eve),
            Wanting("BSE", "end-of-day prices", eve, None),
        )
        return SessionReference(day, wanting=wanting)

    desk = Desk(clock=WallClock(), now=at("10:00", MONDAY), reference=reference)
    desk.hub.upstream("connected", desk.now)
    ready, found = health(desk.hub, desk.now)
    assert ready
    assert found["reference"] == {
        "session": "2026-11-23",
        "missing": ["BSE end-of-day prices: there is none; expected one of 2026-11-20"],
        "stale": ["NSE 52-week file: the newest is of 2026-11-20; expected one of 2026-11-23"],
    }
    nothing = health(Desk().hub, desk.now)[1]["reference"]
    assert nothing == {"session": None, "missing": [], "stale": []}
