from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from simulator.day_maker import Answer, Work, make_day
from simulator.overnight import Morning
from simulator.recording import Recording
from simulator.synth import Wanted, recording_hash, write_day
from simulator.universe import largest
from streamer.instruments import InstrumentTable
from tests.simulator.parquet_files import DAY

MORNING = Morning.first(largest(2))


def work(path: Path, profile: str = "normal") -> Work:
    """A day of two stocks."""
    return Work(str(path), Wanted(DAY, 5, "2", profile), MORNING, MORNING)


def answers(job: Work) -> tuple[list[Answer], subprocess.CompletedProcess[bytes]]:
    """What the process says."""
    ended = subprocess.run(
        [sys.executable, "-m", "simulator.day_maker"],
        input=msgspec.json.encode(job),
        capture_output=True,
        check=False,
    )
    return [msgspec.json.decode(line, type=Answer) for line in ended.stdout.splitlines()], ended


def test_a_process_makes_the_day_that_the_command_makes(tmp_path: Path) -> None:
    """Row for row; it says how far it is, and what the next day begins with."""
    path, alone = tmp_path / "day.parquet", tmp_path / "alone.parquet"
    told, ended = answers(work(path))
    assert ended.returncode == 0
    assert ended.stderr == b""
    write_day(alone, Wanted(DAY, 5, "2"))
    table = InstrumentTable.bundled()
    made = [Recording.open([each], instruments=table) for each in (path, alone)]
    assert recording_hash(made[0]) == recording_hash(made[1])
    assert made[0].metadata[0]["simulated"] is True
    assert made[0].sealed == made[1].sealed == (True,)
    assert [(answer.made, answer.of) for answer in told[:-1]] == [(2, 2)]
    assert told[-1].morning == make_day(work(tmp_path / "again.parquet"))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "again.parquet", "alone.json", "alone.parquet", "day.parquet",
    ]  # fmt: skip


def test_a_day_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    """No traceback: an unknown kind of day, a folder that is gone."""
    told, ended = answers(work(tmp_path / "day.parquet", "sunny"))
    assert (len(told), ended.returncode, ended.stderr) == (1, 0, b"")
    assert "profile 'sunny' found" in told[0].problem
    told, ended = answers(work(tmp_path / "gone" / "day.parquet"))
    assert "No such file or directory" in told[-1].problem
    assert ended.stderr == b""
