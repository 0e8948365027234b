from __future__ import annotations

import json

import msgspec

from simulator.lateness import Lateness
from simulator.report import Outcome, Standing, progress_line, report, summary
from tests.simulator.tapes import OPEN, SECOND


def late(*values: int) -> Lateness:
    """Return a histogram of values in nanoseconds."""
    lateness = Lateness()
    for value in values:
        lateness.add(value)
    return lateness


PLAYED = Standing(
    recording=("day.parquet",),
    start=OPEN,
    end=OPEN + 60 * SECOND,
    reached=OPEN + 60 * SECOND,
    speed="60",
    passes=1,
    passes_wanted=1,
    updates=1_000,
    updates_in_window=1_000,
    updates_sent=990,
    updates_replaced=10,
    began=OPEN + 3600 * SECOND,
    clients=1,
    wanted_ns=SECOND,
    actual_ns=SECOND + 1_000_000,
    lateness=late(100_000, 200_000, 3_000_000),
    outcome=Outcome.COMPLETED,
    why="the whole window was replayed",
)
AT_MAX = msgspec.structs.replace(PLAYED, speed="max", wanted_ns=None, lateness=Lateness())


def test_the_summary_tells_window_updates_durations_lateness_and_end() -> None:
    """One line each, with units."""
    assert summary(PLAYED).splitlines() == [
        "Window    2025-09-04 09:15:00 to 2025-09-04 09:16:00 IST",
        "Updates   1,000 played, 990 sent on the feed, 10 replaced by newer ones for slow"
        " connections",
        "Duration  1.000 s wanted, 1.001 s actual",
        "Lateness  p50 0.201 ms, p99 3.000 ms, max 3.000 ms",
        "Ended     completed: the whole window was replayed",
    ]


def test_at_max_there_is_no_wanted_duration_and_no_lateness() -> None:
    """Neither number would mean anything."""
    text = summary(AT_MAX)
    assert "no duration wanted" in text
    assert "Lateness  none" in text
    assert report(AT_MAX)["lateness_ms"] is None
    assert report(AT_MAX)["wanted_s"] is None


def test_the_report_is_json_with_the_same_figures() -> None:
    """Times with their zone, durations in seconds, lateness in milliseconds."""
    told = json.loads(json.dumps(report(PLAYED, exit_status=0)))
    assert told["window"] == {
        "start": "2025-09-04T09:15:00.000000000+05:30",
        "end": "2025-09-04T09:16:00.000000000+05:30",
    }
    assert told["speed"] == 60
    assert told["began"] == "2025-09-04T10:15:00.000000000+05:30"
    assert (told["updates"], told["updates_sent"], told["updates_replaced"]) == (1000, 990, 10)
    assert (told["wanted_s"], told["actual_s"]) == (1.0, 1.001)
    assert told["lateness_ms"]["max"] == 3.0
    assert told["lateness_ms"]["updates"] == 3
    assert sum(count for _, count in told["lateness_ms"]["histogram"]) == 3
    assert (told["ended"], told["exit_status"]) == ("completed", 0)


def test_the_progress_is_one_line() -> None:
    """Simulated time, speed, updates, clients, lateness."""
    assert progress_line(PLAYED) == (
        "09:16:00 IST · 60x · 1,000/1,000 updates · 990 sent · 1 client · p99 3.00 ms"
    )


def test_the_progress_of_a_loop_tells_the_pass() -> None:
    """The updates of all passes are counted together."""
    looping = msgspec.structs.replace(PLAYED, passes=2, passes_wanted=None, updates=2_500)
    assert "pass 3, 2,500 updates" in progress_line(looping)


def test_a_replay_that_waits_says_for_what() -> None:
    """So that nobody takes it for stuck."""
    waiting = msgspec.structs.replace(PLAYED, outcome=Outcome.WAITING, why="waiting for a client")
    assert progress_line(waiting).endswith("waiting for a client")
