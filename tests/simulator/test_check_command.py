from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from simulator.check_command import sparkline
from simulator.cli import cli
from simulator.findings import KINDS
from tests.simulator.parquet_files import at, rows, write


def checked(*arguments: str | Path) -> tuple[int, str]:
    """The exit status and the output of the command."""
    result = CliRunner().invoke(cli, ["check", *(str(each) for each in arguments)])
    return result.exit_code, result.output


def test_a_clean_recording_has_status_0(tmp_path: Path) -> None:
    """It shows how dense the day is."""
    status, text = checked(write(tmp_path / "a.parquet", rows(600)))
    assert status == 0
    assert "600 rows, 2025-09-04 09:15:00 to 2025-09-04 09:24:59 IST" in text
    assert "2025-09-04  09:15 ██ 09:25  600 updates, 300 at the most" in text
    assert text.endswith("Result: clean\n")


def test_warnings_have_status_1_and_say_what_to_do(tmp_path: Path) -> None:
    """Each kind has its place, and more than the limit is counted."""
    moments = [at("09:15") + minute * 61 * 10**9 for minute in range(6)]
    status, text = checked(write(tmp_path / "a.parquet", rows(6, ts=moments)), "--limit", "2")
    assert status == 1
    assert "WARNING gap (5)" in text
    assert "row group 0, row 1, 2025-09-04 09:16:01 IST, RELIANCE: no row for 61 s before" in text
    assert "and 3 that are not listed" in text
    assert "What to do: " in text
    assert checked(tmp_path / "a.parquet", "--gap", "2m")[0] == 0


def test_errors_have_status_2(tmp_path: Path) -> None:
    """With what was expected."""
    status, text = checked(write(tmp_path / "a.parquet", rows(3, ltp=[1.0, -1.0, 1.0])))
    assert status == 2
    assert "column 'ltp', value -1.0: the price is out of range; expected a price above 0" in text
    assert "Result: unusable" in text


@pytest.mark.parametrize(("ltp", "status"), [(1.0, 0), (-1.0, 2)])
def test_json_is_for_programs(tmp_path: Path, ltp: float, status: int) -> None:
    """The same, and the exit status too."""
    path = write(tmp_path / "a.parquet", rows(3, ltp=[1.0, ltp, 1.0]))
    code, text = checked(path, "--json")
    told = json.loads(text)
    assert code == status
    assert told["status"] == {0: "clean", 2: "unusable"}[status]
    assert (told["files"], told["rows"]) == ([str(path)], 3)
    assert told["first"] == "2025-09-04T09:15:00.000000000+05:30"
    assert told["density"] == [
        {"date": "2025-09-04", "from": "09:15", "minutes": 5, "updates": [3]}
    ]
    if status:
        (finding,) = told["findings"]
        assert finding == {
            "kind": "value",
            "severity": "error",
            "file": str(path),
            "row_group": 0,
            "row": 1,
            "time": "2025-09-04T09:15:01.000000000+05:30",
            "column": "ltp",
            "value": "-1.0",
            "problem": "the price is out of range",
            "expected": "a price above 0 and up to 10,000,000 rupees",
            "what_to_do": KINDS["value"].what_to_do,
        }


@pytest.mark.parametrize("options", [["--gap", "0"], ["--gap", "soon"], ["--limit", "0"]])
def test_wrong_usage_has_status_2(tmp_path: Path, options: list[str]) -> None:
    """As everywhere."""
    status, text = checked(write(tmp_path / "a.parquet", rows(1)), *options)
    assert status == 2
    assert "Usage:" in text


def test_unknown_symbols_can_be_made_known(tmp_path: Path) -> None:
    """By a file of instruments; a file that is none is wrong usage."""
    path = write(tmp_path / "a.parquet", rows(1, token=None, symbol=["NONSUCH"]))
    more = tmp_path / "more.csv"
    more.write_text("exchange,token,symbol\nNSE,99999,NONSUCH\n")
    assert checked(path)[0] == 2
    assert checked(path, "--instruments", more)[0] == 0
    assert "Usage:" in checked(path, "--instruments", path)[1]


@given(counts=st.lists(st.integers(0, 10**6), max_size=40))
def test_bars_keep_the_order_of_counts(counts: list[int]) -> None:
    """A higher count never has a lower bar, and a blank is none."""
    bars = sparkline(counts)
    assert len(bars) == len(counts)
    for one, bar in zip(counts, bars, strict=True):
        assert (bar == " ") == (one == 0)
        for other, higher in zip(counts, bars, strict=True):
            assert one > other or bar <= higher
    assert not any(counts) or "█" in bars
