"""
Whether the server can do its work, and if not, why: what ``/api/health`` answers.

Each check is a small object with ``ok`` and what it is about. The whole is
ready when all of them are. Reference data that is missing or too old is told
beside them, and a halt of the market: quotes go on.
"""

from __future__ import annotations

from streamer.hub import Hub
from streamer.ist import ist_date, ist_datetime


def health(
    hub: Hub, now: int, *, store_problem: str | None = None
) -> tuple[bool, dict[str, object]]:
    """
    Return whether the server is ready, and its report.

    Args:
        hub: The heart of the server.
        now: The machine's time.
        store_problem: Why sessions cannot be saved, if they cannot.

    """
    time = hub.hours.clock.read(now)
    checks = {
        "upstream": _upstream(hub, now),
        "store": _check(store_problem),
        "calendar": _calendar(hub, time),
        "clock": _clock(hub, time),
    }
    ready = all(check["ok"] for check in checks.values())
    return ready, {
        "status": "ready" if ready else "not_ready",
        "checks": checks,
        "reference": _reference(hub),
        "market_open": hub.market_open,
        "halt": _halt(hub, time),
        "simulated": hub.simulated,
        "connections": hub.connections,
    }


def calendar_gap(hub: Hub, time: int) -> str | None:
    """Return what is wrong with the market's date, if the calendar does not cover it."""
    calendar = hub.hours.calendar
    day = ist_date(time)
    if calendar.day(day).known:
        return None
    first, last = calendar.coverage
    return (
        f"the calendar covers {first} to {last}, not {day}: holidays and special sessions are "
        "unknown and the weekday rule is assumed; give a newer one with --calendar"
    )


def calendar_notice(hub: Hub, time: int) -> str | None:
    """Return that the calendar ends soon after the market's date, if it does, and what to do."""
    notice = hub.hours.calendar.notice(ist_date(time))
    return None if notice is None else f"{notice}; give a newer one with --calendar"


def _reference(hub: Hub) -> dict[str, object]:
    reference = hub.reference()
    wanting = () if reference is None else reference.wanting
    return {
        "session": None if reference is None else reference.day.isoformat(),
        "missing": [each.text() for each in wanting if each.is_missing],
        "stale": [each.text() for each in wanting if not each.is_missing],
    }


def _check(problem: str | None, **about: object) -> dict[str, object]:
    found: dict[str, object] = {"ok": problem is None, **about}
    return found if problem is None else found | {"problem": problem}


def _upstream(hub: Hub, now: int) -> dict[str, object]:
    state = hub.upstream_state
    age_ms = hub.market_status(now)["last_tick_age_ms"]
    problem = None if state == "connected" else f"the feed is {state}"
    return _check(problem, state=state, last_tick_age_ms=age_ms)


def _calendar(hub: Hub, time: int | None) -> dict[str, object]:
    calendar = hub.hours.calendar
    first, last = calendar.coverage
    about: dict[str, object] = {"coverage": [first.isoformat(), last.isoformat()]}
    if time is None:
        return _check(None, **about)
    today = ist_date(time)
    notice = calendar_notice(hub, time)
    if notice is not None:
        about["warning"] = notice
    return _check(
        calendar_gap(hub, time),
        **about,
        date=today.isoformat(),
        days_left=calendar.days_left(today),
    )


def _halt(hub: Hub, time: int | None) -> dict[str, object] | None:
    halt = None if time is None else hub.hours.halt_at(time)
    if halt is None:
        return None
    return {"since": ist_datetime(halt.begin), "until": halt.until}


def _clock(hub: Hub, time: int | None) -> dict[str, object]:
    problem = "the feed has told no time yet" if time is None else None
    shown = None if time is None else ist_datetime(time)
    return _check(problem, kind=hub.hours.clock.kind, time=shown)
