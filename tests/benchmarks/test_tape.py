"""Recordings made for benchmarks, and the check of what a client got of them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.recording import Recording
from simulator.synth import recording_hash
from streamer.instruments import InstrumentTable
from tests.benchmarks._tape import check, instruments_of, prices_of, write

ROWS = 5_000


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of 20 instruments."""
    return write(tmp_path_factory.mktemp("tapes") / "tape.parquet", ROWS, 20)


def messages(tape: Path) -> list[bytes]:
    """Return what a client must get of one instrument."""
    prices = prices_of(tape)["MADEUP3"]
    return [
        json.dumps({"symbol": "MADEUP3", "seq": seq, "data": {"ltp": price / 100}}).encode()
        for seq, price in enumerate(prices, start=1)
    ]


def test_a_recording_can_be_replayed(tape: Path) -> None:
    """The product takes all rows of all instruments."""
    recording = Recording.open([tape], instruments=InstrumentTable.bundled())
    assert recording.rows == ROWS
    assert {key[1] for key in recording.keys} == {token for token, _ in instruments_of(tape)}


def test_the_seal_changes_no_row(tape: Path, tmp_path: Path) -> None:
    """What is measured with one and without is the same recording."""
    plain = write(tmp_path / "tape.parquet", ROWS, 20, sealed=False)
    table = InstrumentTable.bundled()
    one, other = (Recording.open([path], instruments=table) for path in (tape, plain))
    assert (one.sealed, other.sealed) == ((True,), (False,))
    assert recording_hash(one) == recording_hash(other)


def test_volumes_rise_and_prices_wander(tape: Path) -> None:
    """Each row of an instrument goes on from the one before."""
    prices = prices_of(tape)["MADEUP3"]
    assert len(set(prices)) > 5
    assert max(abs(new - old) for old, new in pairwise(prices)) <= 5


def test_what_is_as_recorded_passes(tape: Path) -> None:
    """Every message counts, from whichever update on the client was there."""
    whole = messages(tape)
    assert check(iter(whole), prices_of(tape)) == len(whole)
    assert check(iter(whole[7:]), prices_of(tape)) == len(whole) - 7


@pytest.mark.parametrize("wrong", ["lost", "twice", "swapped", "changed", "none"])
def test_what_is_not_as_recorded_fails(tape: Path, wrong: str) -> None:
    """A lost, repeated, late or changed message ends a benchmark, and so does none at all."""
    whole = messages(tape)
    if wrong == "lost":
        del whole[5]
    elif wrong == "twice":
        whole.insert(5, whole[5])
    elif wrong == "swapped":
        whole[5], whole[6] = whole[6], whole[5]
    elif wrong == "changed":
        whole[5] = whole[5].replace(b'"ltp": ', b'"ltp": 1')
    else:
        whole = []
    with pytest.raises(SystemExit):
        check(iter(whole), prices_of(tape))


def test_rows_before_the_window_are_one_update(tape: Path) -> None:
    """What an instrument's rows have come to when the replay begins counts as one update."""
    everything = prices_of(tape)["MADEUP3"]
    assert prices_of(tape, since=1 << 62)["MADEUP3"] == everything[-1:]
