"""``odin-streamer eod``: options, output, exit status."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.cli import cli
from tests.streamer import eod_samples as samples

DAY = date(2025, 12, 17)
SBIN = (965.0, 970.5, 960.05, 967.4, 5_000_000)
HL = b"SECURITY,NEW,PREVIOUS,NEW_STATUS\nX,1,2,H\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of files: two of use, one passed over, one broken, one unknown."""
    for name, content in {
        "full.csv": samples.full(DAY, {"SBIN": SBIN}),
        "bc17122025.csv": samples.bc([("SBIN", DAY, "BONUS 1:1")]),
        "hl.csv": HL,
        "broken.csv": samples.full(DAY, {"TCS": SBIN}).replace(b"967.40", b"abc"),
        "unknown.csv": b"a,b\n1,2\n",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def run(*arguments: object, environ: dict[str, str] | None = None) -> Result:
    """Run ``odin-streamer eod import``."""
    return CliRunner(env=environ).invoke(cli, ["eod", "import", *map(str, arguments)])


def outcomes(result: Result) -> dict[str, Any]:
    """Return what became of each file, from the JSON output."""
    return {Path(each["file"]).name: each for each in json.loads(result.stdout)["files"]}


def test_files_are_imported_and_passed_over(folder: Path) -> None:
    """Each has its line; the second time nothing is new."""
    names = [folder / name for name in ("full.csv", "bc17122025.csv", "hl.csv")]
    first = run("--db", folder / "s.db", *names)
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines() == [
        "imported     full.csv: sec_bhavdata_full of NSE for 2025-12-17, 1 rows",
        "imported     bc17122025.csv: bc of NSE for 2025-12-17, 1 rows",
        "passed over  hl.csv: hl, which no quote needs",
    ]
    again = run("--db", folder / "s.db", "--json", *names)
    assert again.exit_code == 0
    assert {name: each["outcome"] for name, each in outcomes(again).items()} == {
        "full.csv": "known",
        "bc17122025.csv": "known",
        "hl.csv": "passed over",
    }


def test_a_refused_file_does_not_hold_up_the_others(folder: Path) -> None:
    """It is named with line, column, value and expectation; the status is 1."""
    names = [folder / name for name in ("broken.csv", "unknown.csv", "full.csv")]
    result = run("--db", folder / "s.db", "--json", *names)
    assert result.exit_code == 1
    found = outcomes(result)
    assert found["full.csv"]["outcome"] == "imported"
    broken = found["broken.csv"]
    assert (broken["outcome"], broken["line"], broken["column"], broken["value"]) == (
        *("refused", 2, "CLOSE_PRICE", "abc"),
    )
    assert broken["expected"].startswith("rupees")
    assert "expected the header of one of UDiFF bhavcopy" in found["unknown.csv"]["error"]
    text = run("--db", folder / "s.db", *names)
    assert "refused" in text.stderr
    assert "line 2, column 'CLOSE_PRICE', value 'abc'" in text.stderr


def test_another_file_of_a_day_needs_a_word_of_the_operator(folder: Path) -> None:
    """Refused, with the option that lets it in."""
    assert run("--db", folder / "s.db", folder / "full.csv").exit_code == 0
    (folder / "full.csv").write_bytes(samples.full(DAY, {"SBIN": (*SBIN[:3], 968.0, 1)}))
    refused = run("--db", folder / "s.db", folder / "full.csv")
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    replaced = run("--db", folder / "s.db", "--replace", folder / "full.csv")
    assert replaced.exit_code == 0
    assert replaced.stdout.startswith("replaced")


def test_the_store_is_that_of_serve(folder: Path) -> None:
    """Without --db the one in the user's state folder, which is made if need be."""
    result = run(folder / "full.csv", environ={"XDG_STATE_HOME": str(folder / "state")})
    assert result.exit_code == 0, result.output
    assert (folder / "state" / "odin-streamer" / "sessions.db").is_file()


def test_a_store_that_cannot_be_used_is_an_error(folder: Path) -> None:
    """With what was found; nothing is written."""
    result = run("--db", folder / "hl.csv", folder / "full.csv")
    assert result.exit_code == 1
    assert "expected an SQLite file of this server" in result.stderr
    assert (folder / "hl.csv").read_bytes() == HL


def test_help_shows_an_example_and_the_exit_statuses() -> None:
    """As every command does."""
    shown = run("--help").output
    assert "odin-streamer eod import" in shown
    assert "Exit status:" in shown
    assert run().exit_code == 2
