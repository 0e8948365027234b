"""
What is told about a replay: as lines for people, as an object for programs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from simulator.lateness import Lateness
from streamer.ist import ist_clock, ist_datetime, ist_rfc3339

__all__ = ["Outcome", "Standing", "report", "speed_text", "summary", "summary_lines"]

_MS = 1_000_000
_SECOND = 1_000_000_000


class Outcome(StrEnum):
    """How a replay stands, or how it ended."""

    WAITING = "waiting"
    PLAYING = "playing"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a replay stands at one moment; times are UNIX nanoseconds.

    Args:
        recording: Paths of the files.
        start: Where the window begins.
        end: Where it ends.
        reached: The simulated time.
        speed: As a user writes it.
        passes: How often the window was played to its end.
        passes_wanted: How often it should be; None for ever.
        updates: Rows of the recording played, in all passes.
        updates_in_window: Rows of one pass.
        updates_sent: Updates handed to the sockets of the feed.
        updates_replaced: Those that slow connections of the feed never got.
        began: Real time at which the clock was started; None before.
        clients: Connected to the streamer, or to the feed if it is alone.
        wanted_ns: How long it should take in real time; None at ``max`` and
            for ever.
        actual_ns: How long it took so far.
        lateness: Of the updates played.
        outcome: How it stands.
        why: In words.
        paused: Whether somebody has paused it.
        days: How many days of a live market were played to their end; None
            for a replay.
        began_at: Simulated time at which a live market began; its window is
            the present day.

    """

    recording: tuple[str, ...]
    start: int
    end: int
    reached: int
    speed: str
    passes: int
    passes_wanted: int | None
    updates: int
    updates_in_window: int
    updates_sent: int
    updates_replaced: int
    began: int | None
    clients: int
    wanted_ns: int | None
    actual_ns: int
    lateness: Lateness
    outcome: Outcome
    why: str
    paused: bool = False
    days: int | None = None
    began_at: int | None = None


def speed_text(speed: str) -> str:
    """Return a speed for people."""
    return "as fast as it goes" if speed == "max" else f"{speed}x"


def progress_line(now: Standing) -> str:
    """Return how it stands, in one line."""
    parts = [
        f"{ist_clock(now.reached) if now.days is None else ist_datetime(now.reached)} IST",
        "paused" if now.paused else speed_text(now.speed),
        _progress(now),
        f"{now.updates_sent:,} sent",
        f"{now.clients} client{'' if now.clients == 1 else 's'}",
    ]
    late = now.lateness.quantile_ns(0.99)
    if late is not None:
        parts.append(f"p99 {late / _MS:.2f} ms")
    if now.outcome is Outcome.WAITING:
        parts.append(now.why)
    return " · ".join(parts)


def _progress(now: Standing) -> str:
    if now.days is not None:
        return f"day {now.days + 1}, {now.updates:,} updates"
    if now.passes_wanted == 1:
        return f"{now.updates:,}/{now.updates_in_window:,} updates"
    return f"pass {now.passes + 1}, {now.updates:,} updates"


def summary(now: Standing) -> str:
    """Return what happened, in some lines."""
    return "\n".join(f"{name:<9} {text}" for name, text in summary_lines(now))


def summary_lines(now: Standing) -> list[tuple[str, str]]:
    """Return what happened: for each line what it is about, and the rest."""
    sent = f"{now.updates_sent:,} sent on the feed"
    if now.updates_replaced:
        sent += f", {now.updates_replaced:,} replaced by newer ones for slow connections"
    wanted = "no duration wanted" if now.wanted_ns is None else f"{_seconds(now.wanted_ns)} wanted"
    passes = "" if now.passes_wanted == 1 else f", {now.passes} whole passes"
    if now.days is not None:
        passes = f", {now.days} whole day{'' if now.days == 1 else 's'}"
    start = now.start if now.began_at is None else now.began_at
    return [
        ("Window", f"{ist_datetime(start)} to {ist_datetime(now.reached)} IST{passes}"),
        ("Updates", f"{now.updates:,} played, {sent}"),
        ("Duration", f"{wanted}, {_seconds(now.actual_ns)} actual"),
        ("Lateness", _lateness_text(now.lateness)),
        ("Ended", f"{now.outcome}: {now.why}"),
    ]


def _seconds(ns: int) -> str:
    return f"{ns / _SECOND:,.3f} s"


def _lateness_text(lateness: Lateness) -> str:
    if not lateness.count:
        return "none: nothing was due at a moment"
    p50, p99 = lateness.quantile_ns(0.5) or 0, lateness.quantile_ns(0.99) or 0
    return f"p50 {p50 / _MS:.3f} ms, p99 {p99 / _MS:.3f} ms, max {lateness.max_ns / _MS:.3f} ms"


def report(now: Standing, *, exit_status: int | None = None) -> dict[str, Any]:
    """
    Return the same for programs.

    ``lateness_ms`` is null at ``max``; ``exit_status`` is null while the
    program holds both servers up.
    """
    lateness = now.lateness
    return {
        "recording": list(now.recording),
        "window": {"start": ist_rfc3339(now.start), "end": ist_rfc3339(now.end)},
        "reached": ist_rfc3339(now.reached),
        "speed": "max" if now.speed == "max" else float(now.speed),
        "passes": now.passes,
        "passes_wanted": now.passes_wanted,
        "days": now.days,
        "updates_in_window": now.updates_in_window,
        "updates": now.updates,
        "updates_sent": now.updates_sent,
        "updates_replaced": now.updates_replaced,
        "began": None if now.began is None else ist_rfc3339(now.began),
        "clients": now.clients,
        "wanted_s": None if now.wanted_ns is None else now.wanted_ns / _SECOND,
        "actual_s": now.actual_ns / _SECOND,
        "lateness_ms": {
            "p50": (lateness.quantile_ns(0.5) or 0) / _MS,
            "p99": (lateness.quantile_ns(0.99) or 0) / _MS,
            "max": lateness.max_ns / _MS,
            "updates": lateness.count,
            "histogram": [[bound / _MS, count] for bound, count in lateness.buckets()],
        }
        if lateness.count
        else None,
        "ended": now.outcome.value,
        "why": now.why,
        "exit_status": exit_status,
    }
