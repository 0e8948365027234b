from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from simulator.cli import cli
from tests.simulator.tapes import write_tape

REPLAY_OPTIONS = [
    "--speed", "--from", "--to", "--symbols", "--loop", "--start-on", "--hold", "--feed-only",
    "--lossless", "--host", "--port", "--feed-port", "--control-port", "--db", "--report", "--sort",
]  # fmt: skip


def test_the_help_names_every_option_and_shows_an_example() -> None:
    """And the exit statuses."""
    text = CliRunner().invoke(cli, ["replay", "--help"], terminal_width=100).output
    for option in REPLAY_OPTIONS:
        assert option in text
    assert "odin-sim replay recordings/day.parquet" in text
    assert "130  interrupted" in text


def test_help_imports_nothing_heavy() -> None:
    """It must come at once: no data frames, no web server, no event loop."""
    script = (
        "import sys; from click.testing import CliRunner; from simulator.cli import cli;"
        "CliRunner().invoke(cli, ['replay', '--help']);"
        "print([m for m in ('polars','pyarrow','numpy','uvicorn','starlette','rich.live',"
        "'websockets') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing argument"),
        (["--speed", "fast"], "0.01 to 10000"),
        (["--speed", "0"], "0.01 to 10000"),
        (["--from", "9:15"], "HH:MM"),
        (["--to", "start"], "HH:MM"),
        (["--loop", "0"], "a number from 1 on, or forever"),
        (["--loop", "-2"], "a number from 1 on, or forever"),
        (["--start-on", "tomorrow"], "now"),
        (["--symbols", ", ,"], "no symbol"),
        (["--port", "70000"], "65535"),
        (["--report", "/no/such/folder/report.json"], "no folder"),
        (["--report", "report.txt"], "ends in .json or .html"),
        (["--from", "11:00", "--to", "10:00"], "not after its start"),
        (["--symbols", "NONSUCH"], "'NONSUCH' is not in the recording"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_has_status_2(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    """The message says what was expected."""
    tape = write_tape(tmp_path / "tape.parquet", [(0, 2885, 100)])
    files = [str(tape)] if arguments else []
    result = CliRunner().invoke(cli, ["replay", *files, *arguments])
    assert result.exit_code == 2, result.output
    assert complaint in result.output.replace("\n", " ")


def test_an_unusable_recording_has_status_3(tmp_path: Path) -> None:
    """The message names the file and what is wrong with it."""
    missing = tmp_path / "missing.parquet"
    result = CliRunner().invoke(cli, ["replay", str(missing)])
    assert result.exit_code == 3
    assert str(missing) in result.output
    no_ltp = tmp_path / "no-ltp.parquet"
    table = pq.read_table(write_tape(tmp_path / "tape.parquet", [(0, 2885, 100)]))
    pq.write_table(table.drop_columns(["ltp"]), no_ltp)
    result = CliRunner().invoke(cli, ["replay", str(no_ltp)])
    assert result.exit_code == 3
    assert "ltp" in result.output


def test_a_window_without_rows_has_status_3(tmp_path: Path) -> None:
    """The recording cannot serve it; the message says what it covers."""
    tape = write_tape(tmp_path / "tape.parquet", [(0, 2885, 100)])
    result = CliRunner().invoke(cli, ["replay", str(tape), "--from", "12:00", "--to", "13:00"])
    assert result.exit_code == 3
    assert "no row between" in result.output


def test_the_version_is_the_distributions() -> None:
    """Whatever the command, there is one version."""
    result = CliRunner().invoke(cli, ["--version"])
    assert result.exit_code == 0
    assert "version" in result.output


def test_a_day_is_made_from_a_seed(tmp_path: Path) -> None:
    """With its manifest beside it."""
    path = tmp_path / "day.parquet"
    result = CliRunner().invoke(cli, ["synth", "--date", "2025-09-04", "-o", str(path)])
    assert result.exit_code == 0, result.output
    assert path.exists()
    assert path.with_suffix(".json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--date", "yesterday"],
        ["--date", "2025-08-15"],
        ["--date", "2025-09-04", "--universe", "martian"],
        ["--date", "2025-09-04", "--profile", "martian"],
        ["--date", "2025-09-04", "--seed", "-1"],
    ],
    ids="_".join,
)
def test_days_that_cannot_be_made_are_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    """No date, no session, no such universe or profile, no seed."""
    path = tmp_path / "day.parquet"
    result = CliRunner().invoke(cli, ["synth", *arguments, "-o", str(path)])
    assert result.exit_code == 2, result.output
    assert not path.exists()
