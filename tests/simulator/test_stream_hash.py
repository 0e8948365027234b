from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from simulator.faults import parse_planned
from simulator.replay import Replay
from simulator.stream_hash import HASHABLE, stream_hash
from streamer.errors import ConfigError
from streamer.odin.messages import LogonAnswer, encode_heartbeat, encode_logon_answer
from tests.simulator.tapes import OPEN, RELIANCE, SBIN, SECOND, counted_rows, replay_of

KEYS = (RELIANCE, SBIN)


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Two instruments that take turns, an update every 10 ms for four seconds."""
    return replay_of(tmp_path / "tape.parquet", counted_rows(400), end=OPEN + 4 * SECOND)


async def test_it_is_what_the_feed_says(replay: Replay, tmp_path: Path) -> None:
    """The logon's answer, then each second's heartbeat and its updates, each behind its length."""
    updates = replay_of(tmp_path / "again.parquet", counted_rows(400)).take(OPEN + 4 * SECOND)
    texts = [encode_logon_answer(LogonAnswer(10_000, simulated=True), OPEN)]
    for second in range(5):
        texts.append(encode_heartbeat(OPEN + second * SECOND))
        texts += [each.text for each in updates if (each.ts - OPEN) // SECOND == second]
    plain = b"".join(b"%05d%b" % (len(text), text) for text in texts)
    assert await stream_hash(replay, KEYS, rate=None) == (
        hashlib.sha256(plain).hexdigest(),
        len(texts),
    )


@pytest.mark.parametrize("name", sorted(HASHABLE))
async def test_faults_give_the_same_stream_at_every_speed(name: str, tmp_path: Path) -> None:
    """Of one seed; with or without them is not the same."""
    plan = [parse_planned(f"{name}@09:15:01+2s")]
    found = []
    for number, (rate, faults) in enumerate(((None, plan), (Fraction(40), plan), (None, []))):
        tape = tmp_path / f"{number}.parquet"
        replay = replay_of(tape, counted_rows(400), end=OPEN + 4 * SECOND)
        found.append(await stream_hash(replay, KEYS, rate=rate, plan=faults, seed=7))
    assert found[0] == found[1]
    assert found[0] != found[2]


async def test_a_fault_of_sockets_has_no_stream(replay: Replay) -> None:
    """It is refused by name."""
    with pytest.raises(ConfigError, match="found the fault reset"):
        await stream_hash(replay, KEYS, rate=None, plan=[parse_planned("reset@09:15:01")])
