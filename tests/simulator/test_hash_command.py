"""The command in processes of its own, which is what its promise is about."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.sealed_files import tape_with_a_wrong_row
from tests.simulator.tapes import counted_rows, write_tape


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Two instruments that take turns, an update every 10 ms for ten seconds from the open."""
    return write_tape(tmp_path / "tape.parquet", counted_rows(1000))


def hashed(tape: Path, *options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "simulator.cli", "hash", str(tape), *options],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_three_speeds_in_two_processes_each_give_one_hash(tape: Path) -> None:
    """Whatever the hash seed of the process, faults included."""
    fault = ("--seed", "7", "--fault", "reorder:share=0.5@09:15:02+3s")
    runs = [
        hashed(tape, "--speed", speed, *fault, hash_seed=hash_seed)
        for speed in ("max", "100", "15")
        for hash_seed in ("1", "2")
    ]
    assert {run.returncode for run in runs} == {0}
    assert len({run.stdout for run in runs}) == 1
    assert re.fullmatch(r"[0-9a-f]{64}\n", runs[0].stdout)


def test_seed_window_and_symbols_matter(tape: Path) -> None:
    """The seed only with faults."""
    fault = ("--fault", "drop:share=0.5@09:15:02+3s")
    distinct = [(), fault, ("--seed", "1", *fault), ("--symbols", "SBIN"), ("--to", "09:15:05")]
    assert len({hashed(tape, *options).stdout for options in distinct}) == len(distinct)
    assert hashed(tape, "--seed", "1").stdout == hashed(tape).stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fault", "reset@09:15:02"], ["found the fault reset", "drop"]),
        (["--fault", "drop"], ["--fault", "@HH:MM:SS"]),
        (["--speed", "fast"], ["--speed", "fast"]),
        (["--from", "soon"], ["--from", "soon"]),
        (["--symbols", "NOSUCH"], ["NOSUCH"]),
    ],
)
def test_wrong_usage_is_told(options: list[str], words: list[str], tape: Path) -> None:
    """Status 2, what was found and what was expected."""
    run = hashed(tape, *options)
    assert run.returncode == 2, run.stderr
    for word in words:
        assert word in run.stderr


def test_an_unusable_recording_is_told(tmp_path: Path) -> None:
    """Status 3, with the file."""
    run = hashed(tmp_path / "none.parquet")
    assert run.returncode == 3
    assert "none.parquet" in run.stderr


def test_a_wrong_row_behind_a_seal_is_told(tmp_path: Path) -> None:
    """Status 3 and no hash, although the replay has begun by then."""
    run = hashed(tape_with_a_wrong_row(tmp_path, wrong=850, count=1000, row_group_size=100))
    assert (run.returncode, run.stdout) == (3, "")
    assert "row group 8, row 850, column 'ltp', value -1.0: the price is out of range" in run.stderr
