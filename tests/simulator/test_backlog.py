from __future__ import annotations

from pathlib import Path

from simulator.backlog import Backlog
from simulator.updates import Update
from tests.simulator.tapes import OPEN, SECOND, replay_of


def updates(path: Path) -> list[Update]:
    """Return updates of two instruments, four in the first second and two in the next."""
    rows = [(i * 250, (2885, 3045)[i % 2], 100 + i) for i in range(6)]
    return replay_of(path / "tape.parquet", rows).take(OPEN + 10 * SECOND)


def test_the_newest_update_of_each_instrument_is_kept(tmp_path: Path) -> None:
    """Older ones are counted as replaced; the kept ones come in the stream's order."""
    backlog = Backlog()
    for update in updates(tmp_path):
        backlog.put(update)
    kept = [item.ltp for item in backlog.take() if isinstance(item, Update)]
    assert kept == [10400, 10500]
    assert backlog.replaced == 4
    assert len(backlog) == 0
    assert list(backlog.take()) == []


def test_the_heartbeat_comes_before_the_updates_of_its_second(tmp_path: Path) -> None:
    """And behind the updates of the seconds before it."""
    _, _, old, _, new, _ = updates(tmp_path)
    backlog = Backlog()
    backlog.heartbeat(OPEN)
    backlog.put(updates(tmp_path)[3])
    backlog.heartbeat(OPEN + SECOND)
    backlog.put(new)
    assert [getattr(item, "ltp", item) for item in backlog.take()] == [
        10300,
        OPEN + SECOND,
        10400,
    ]
    backlog.put(old)
    backlog.heartbeat(OPEN + SECOND)
    assert [getattr(item, "ltp", item) for item in backlog.take()] == [10200, OPEN + SECOND]


def test_clearing_forgets_what_was_due_before_a_jump(tmp_path: Path) -> None:
    """Updates of the time before a jump are never sent after it."""
    backlog = Backlog()
    for update in updates(tmp_path):
        backlog.put(update)
    backlog.heartbeat(OPEN)
    backlog.clear()
    assert list(backlog.take()) == []
    assert backlog.replaced == 6


def test_what_is_replaced_is_handed_back(tmp_path: Path) -> None:
    """The update that will never be sent now, once."""
    first, second, third = updates(tmp_path)[::2]
    backlog = Backlog()
    assert backlog.put(first) is None
    assert backlog.put(second) is first
    assert backlog.put(third) is second
    assert list(backlog.take()) == [third]
