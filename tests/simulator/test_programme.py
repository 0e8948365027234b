from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.programme import Programme
from simulator.replay import Replay
from tests.simulator.tapes import OPEN, SECOND, Row, open_tape

ROWS = st.lists(
    st.tuples(st.integers(0, 9_000), st.sampled_from([2885, 3045])), min_size=1, max_size=60
)
Item = tuple[str, int]


def tape(directory: str, times: list[tuple[int, int]]) -> list[Row]:
    """Return rows in time order, each with a price of its own."""
    return [(at, token, 100 + i / 100) for i, (at, token) in enumerate(sorted(times))]


def everything(programme: Programme, cuts: list[tuple[int, int]]) -> list[Item]:
    """Take the whole programme, in cuts of (simulated step, limit), and then the rest."""
    items: list[Item] = []
    until = programme.start
    steps = iter(cuts)
    while programme.next_due() is not None:
        step, limit = next(steps, (10 * SECOND, 100))
        until += step
        for burst in programme.take(until, limit):
            if burst.second is not None:
                items.append(("heartbeat", burst.second))
            items += [("row", update.ts) for update in burst.updates]
    return items


@settings(max_examples=40, deadline=None)
@given(
    ROWS,
    st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 20)), max_size=30),
    st.integers(0, 2 * SECOND),
)
def test_the_order_does_not_depend_on_how_it_is_taken(
    times: list[tuple[int, int]], cuts: list[tuple[int, int]], offset: int
) -> None:
    """Each second's heartbeat precedes its rows, none is missing, at any speed and batch size."""
    with tempfile.TemporaryDirectory() as directory:
        rows = tape(directory, times)
        recording = open_tape(Path(directory, "tape.parquet"), rows)
        start, end = OPEN - offset, recording.end + 1
        programme = Programme(Replay(recording, start=start, end=end), start=start, end=end)
        items = everything(programme, cuts)
        seconds = range(start - start % SECOND, end - end % SECOND + 1, SECOND)
        expected: list[Item] = []
        for second in seconds:
            expected.append(("heartbeat", second))
            expected += [
                ("row", OPEN + int(at * 1_000_000))
                for at, _, _ in rows
                if second <= OPEN + at * 1_000_000 < second + SECOND
            ]
        assert items == expected
        programme.begin_again()
        assert everything(programme, []) == expected, "the second pass differs"


def test_nothing_is_taken_before_it_is_due(tmp_path: Path) -> None:
    """What lies after ``until`` stays, and is told as next."""
    recording = open_tape(tmp_path / "tape.parquet", [(0, 2885, 100), (1500, 2885, 101)])
    end = OPEN + 3 * SECOND
    programme = Programme(Replay(recording, start=OPEN, end=end), start=OPEN, end=end)
    assert programme.next_due() == OPEN
    (burst,) = programme.take(OPEN + SECOND - 1, 100)
    assert (burst.second, [u.ltp for u in burst.updates], burst.jumped) == (OPEN, [10000], False)
    assert programme.next_due() == OPEN + SECOND
    assert programme.take(OPEN + SECOND - 1, 100) == []
    (burst,) = programme.take(OPEN + SECOND, 100)
    assert (burst.second, burst.updates) == (OPEN + SECOND, [])
    (burst,) = programme.take(OPEN + 3 * SECOND // 2, 100)
    assert (burst.second, [u.ltp for u in burst.updates]) == (None, [10100])
    assert [b.second for b in programme.take(end, 100)] == [OPEN + 2 * SECOND, end]
    assert programme.next_due() is None


def test_a_jump_is_told_once_before_any_update_is_taken(tmp_path: Path) -> None:
    """The states that follow the jump's heartbeat are those at the start of the window."""
    recording = open_tape(tmp_path / "tape.parquet", [(0, 2885, 100), (1500, 2885, 101)])
    end = recording.end + 1
    replay = Replay(recording, start=OPEN + 1, end=end)
    programme = Programme(replay, start=OPEN + 1, end=end)
    assert [b.jumped for b in programme.take(end, 100)] == [False, False]
    programme.begin_again()
    (jump,) = programme.take(end, 100)
    assert (jump.second, jump.updates, jump.jumped) == (OPEN, [], True)
    state = replay.state((1, 2885))
    assert state is not None
    assert state.ltp == 10000
    assert [(b.second, b.jumped) for b in programme.take(end, 100)] == [(OPEN + SECOND, False)]


def test_a_place_begins_with_its_time_and_the_states_there(tmp_path: Path) -> None:
    """The jump's heartbeat is due at once, then the rows from there on, each once."""
    rows: list[Row] = [(i * 500, 2885, 100 + i) for i in range(10)]
    recording = open_tape(tmp_path / "tape.parquet", rows)
    end = recording.end + 1
    replay = Replay(recording, start=OPEN, end=end)
    programme = Programme(replay, start=OPEN, end=end)
    programme.take(end, 100)
    for to_ms in (3200, 1500, 0):
        to = OPEN + to_ms * 1_000_000
        programme.go(replay.find(to))
        assert programme.next_due() == to
        (jump,) = programme.take(to, 100)
        assert (jump.second, jump.updates, jump.jumped) == (to - to % SECOND, [], True)
        state = replay.state((1, 2885))
        before = [price for at, _, price in rows if at < to_ms]
        assert (state and state.ltp) == (before[-1] * 100 if before else None)
        rest = [u.ltp for burst in programme.take(end, 100) for u in burst.updates]
        assert rest == [price * 100 for at, _, price in rows if at >= to_ms]


def test_a_window_that_starts_within_a_second_begins_with_that_seconds_heartbeat(
    tmp_path: Path,
) -> None:
    """The heartbeat's time is the whole second; it is due when the window starts."""
    recording = open_tape(tmp_path / "tape.parquet", [(0, 2885, 100), (700, 2885, 101)])
    start = OPEN + 400_000_000
    programme = Programme(
        Replay(recording, start=start, end=OPEN + SECOND), start=start, end=OPEN + SECOND
    )
    assert programme.next_due() == start
    assert [b.second for b in programme.take(start, 10)] == [OPEN]
