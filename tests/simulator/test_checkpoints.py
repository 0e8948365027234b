from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simulator.checkpoints import Checkpoint, Checkpoints
from simulator.fold import DayFold
from streamer.calendar import TradingCalendar

FOLD = DayFold(10, ("ltp",), TradingCalendar.bundled())


def held(checkpoints: Checkpoints) -> list[int]:
    """The times of all that are kept."""
    return sorted({checkpoints.before(ts).ts for ts in range(-1, 3000)})


@given(st.lists(st.integers(0, 2000), max_size=200), st.integers(1, 50), st.integers(1, 40))
def test_they_lie_apart_and_within_their_memory(offered: list[int], apart: int, room: int) -> None:
    """In whatever order they come; the first stays, and each is found from its time on."""
    first = Checkpoint(0, 0, FOLD)
    limit = room * FOLD.size_bytes
    checkpoints = Checkpoints(first, rows_apart=apart, max_bytes=limit)
    for row in offered:
        checkpoints.offer(row, row, FOLD)
    times = held(checkpoints)
    assert times[0] == 0
    assert len(times) == len(checkpoints) <= max(room, 2)
    assert all(b - a >= apart for a, b in pairwise(times))
    for ts in times:
        assert checkpoints.before(ts).ts == checkpoints.before(ts + apart - 1).ts == ts
        assert checkpoints.before(ts).rows == ts


def test_before_the_first_there_is_the_first() -> None:
    """Nothing else could be begun from."""
    assert Checkpoints(Checkpoint(7, 0, FOLD)).before(3).ts == 7
