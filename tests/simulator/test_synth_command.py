from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.cli import cli
from simulator.profiles import PROFILES
from simulator.synth import read_manifest
from simulator.timetables import names
from tests.simulator.parquet_files import opened

OPTIONS = [
    "--date", "--universe", "--profile", "--timetable", "--affects", "--halt", "--defects",
    "--seed", "--workers", "--output",
]  # fmt: skip


def test_the_help_names_options_profiles_and_timetables() -> None:
    """And shows examples."""
    text = CliRunner().invoke(cli, ["synth", "--help"], terminal_width=100).output
    joined = " ".join(text.split())
    for option in OPTIONS:
        assert option in text
    for profile in PROFILES.values():
        assert f"{profile.name} {profile.summary} {profile.guarantees}" in joined
    for name in names():
        assert name in text
    assert "odin-sim synth --date 2025-09-04 --seed 1 -o day.parquet" in text


def test_a_day_is_made_as_asked(tmp_path: Path) -> None:
    """Each option arrives; the last line says what was written."""
    path = tmp_path / "day.parquet"
    arguments = ["--date", "2026-10-01", "--universe", "2", "--profile", "record", "--seed", "5"]
    arguments += ["--timetable", "classic", "--affects", "icicibank,hdfcbank"]
    arguments += ["--defects", "real", "-o", str(path)]
    result = CliRunner().invoke(cli, ["synth", *arguments])
    assert result.exit_code == 0, result.output
    manifest = read_manifest(tmp_path / "day.json")
    assert result.output.splitlines()[-1].startswith(f"{path}: {manifest.rows:,} rows")
    assert manifest.command == (
        "odin-sim synth --date 2026-10-01 --universe 2 --profile record --timetable classic "
        f"--affects ICICIBANK --affects HDFCBANK --defects real --seed 5 -o {path.as_posix()}"
    )
    assert len(opened(path).instruments) == 4
    assert sorted(file.name for file in tmp_path.iterdir()) == ["day.json", "day.parquet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "strange"], "one of normal, quiet"),
        (["--timetable", "old"], "one of classic"),
        (["--universe", "nowhere.csv"], "a number of stocks, or a file expected"),
        (["--halt", "10@11:05"], "--halt goes with profile halt"),
        (["--defects", "many"], "one of none, real expected"),
        (["--date", "2025-09-06"], "2025-09-06 has no session"),
        (["--date", "soon"], "soon"),
        (["-o", "/no/such/folder/a.parquet"], "there is no folder /no/such/folder"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_has_status_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    """The message says what was expected, and nothing is written."""
    given = ["--date", "2025-09-04", "-o", str(tmp_path / "a.parquet"), *arguments]
    result = CliRunner().invoke(cli, ["synth", *given])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []
