from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.faults import parse_planned
from simulator.ledger import Ledger
from simulator.spoiling import Spoiler
from streamer.errors import ConfigError
from tests.simulator.tapes import OPEN, SECOND, counted_rows, replay_of


def lines(path: Path) -> list[dict[str, object]]:
    """Return what a ledger says."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_when_what_happened_to_whom(tmp_path: Path) -> None:
    """In real seconds since it was opened, and in the feed's own time."""
    now = 5 * SECOND
    ledger = Ledger(tmp_path / "ledger", monotonic=lambda: now)
    ledger.note("connected", OPEN, 1)
    now += SECOND // 2
    ledger.note_interest("subscribe", OPEN + SECOND, 1, "touchline", [(1, 2885)])
    ledger.close()
    assert lines(tmp_path / "ledger") == [
        {
            "n": 1,
            "real_s": 0.0,
            "time": "2025-09-04T09:15:00.000000000+05:30",
            "what": "connected",
            "connection": 1,
        },
        {
            "n": 2,
            "real_s": 0.5,
            "time": "2025-09-04T09:15:01.000000000+05:30",
            "what": "subscribe",
            "connection": 1,
            "kind": "touchline",
            "instruments": [[1, 2885]],
        },
    ]


def test_an_update_is_told_with_the_faults_that_made_it(tmp_path: Path) -> None:
    """Its instrument, its price, its row's time, and what was done to it."""
    update = replay_of(tmp_path / "tape.parquet", counted_rows(2)).take(OPEN)[0]
    spoiler = Spoiler(0)
    spoiler.turn_to(enumerate(map(parse_planned, ("duplicate@09:15", "zero-price@09:15"))))
    ledger = Ledger(tmp_path / "ledger")
    for sent in spoiler.spoil([update]):
        ledger.note_update("update", OPEN, 2, sent)
    ledger.flush()
    told = lines(tmp_path / "ledger")
    ledger.close()
    assert [line["faults"] for line in told] == [["zero-price"], ["duplicate", "zero-price"]]
    for line in told:
        assert (line["segment"], line["token"], line["ltp"], line["ts"]) == (1, 2885, 10000, OPEN)
        assert line["volume"] == 1


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the path and the system's reason."""
    with pytest.raises(ConfigError, match="no-such-folder"):
        Ledger(tmp_path / "no-such-folder" / "ledger")


@pytest.mark.parametrize("is_file", [True, False])
async def test_lines_are_asked_for_by_their_numbers(is_file: bool, tmp_path: Path) -> None:
    """Behind any number, so many; behind the last there are none."""
    ledger = Ledger(tmp_path / "ledger" if is_file else None)
    for _ in range(10_000):
        ledger.note("connected", OPEN)

    async def numbers(after: int, limit: int) -> list[int]:
        return [json.loads(line)["n"] for line in (await ledger.lines(after, limit)).splitlines()]

    for after in (0, 1, 4095, 4096, 4097, 8191, 8192, 9_990):
        assert await numbers(after, 5) == list(range(after + 1, after + 6))
    assert await numbers(9_998, 5) == [9_999, 10_000]
    assert await numbers(10_000, 5) == []
    assert await numbers(20_000, 5) == []
    ledger.note("gone", OPEN)
    assert await numbers(10_000, 5) == [10_001]
    ledger.close()


async def test_memory_is_bounded() -> None:
    """What is not kept any more is told, with a number to go on from."""
    ledger = Ledger(kept=3)
    for _ in range(8):
        ledger.note("connected", OPEN)
    told = [json.loads(line) for line in (await ledger.lines(1, 100)).splitlines()]
    assert told[0] == {"n": 5, "what": "missing", "lines": 4}
    assert [line["n"] for line in told[1:]] == [6, 7, 8]
    assert [json.loads(line)["n"] for line in (await ledger.lines(5, 2)).splitlines()] == [6, 7]
