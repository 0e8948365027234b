from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from simulator.cli import cli
from tests.guide.page import ROOT
from tests.simulator.parquet_files import rows, write
from tests.simulator.test_tape_journal import row, written

DAY = ROOT / "recordings" / "day.parquet"


def told(*arguments: str | Path) -> tuple[int, str]:
    """The exit status and the output of the command."""
    result = CliRunner().invoke(cli, ["info", *(str(each) for each in arguments)])
    return result.exit_code, result.output


def test_the_bundled_day_is_described() -> None:
    """Its window, that it is made up and how, and its manifest for programs."""
    status, text = told(DAY)
    assert status == 0
    assert "synthetic, profile normal, seed 1; simulated: no price in it was ever traded" in text
    assert "2025-09-04 09:00:0" in text
    assert "bytes, sealed\n" in text
    whole = json.loads(told(DAY, "--json")[1])
    (file,) = whole["files"]
    assert whole["simulated"] is True
    assert file["sealed"] is True
    assert file["manifest"]["rows"] == whole["rows"] == sum(whole["days"].values())
    assert whole["busiest_second"]["rows"] > whole["rows_per_second"] > 10
    assert sum(each["rows"] for each in whole["instruments"]) == whole["rows"]


def test_a_recording_of_a_feed_says_how_it_ended(tmp_path: Path) -> None:
    """And where it comes from."""
    path = written(tmp_path, [row(0), row(1)]).finish("killed")
    status, text = told(path)
    assert status == 0
    assert "recorded, feed.example:4509; simulated" in text
    assert "recovered from a killed recorder" in text
    assert "2: 2.0/s on average, 1 in the busiest second (09:15:00)" in text


def test_other_columns_are_named(tmp_path: Path) -> None:
    """Those that a replay ignores; a file without metadata says so."""
    status, text = told(write(tmp_path / "a.parquet", rows(1, colour=["red"])))
    assert status == 0
    assert "Ignored      colour: not part of the format" in text
    assert "no metadata; not said whether simulated" in text
    assert "sealed" not in text


def test_an_unusable_recording_has_status_3(tmp_path: Path) -> None:
    """With the way to all that is wrong."""
    status, text = told(write(tmp_path / "a.parquet", rows(1, ltp=[-1.0])))
    assert status == 3
    assert "the price is out of range" in text
    assert "odin-sim check" in text
    assert told(tmp_path / "none.parquet")[0] == 3


def test_wrong_usage_has_status_2(tmp_path: Path) -> None:
    """As everywhere."""
    path = write(tmp_path / "a.parquet", rows(1))
    assert told()[0] == 2
    assert told(path, "--instruments", tmp_path / "none.csv")[0] == 2
