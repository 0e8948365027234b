from __future__ import annotations

from collections.abc import Sequence

import pytest
from click.testing import CliRunner

from simulator.cli import cli


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--hours", "wall", "--speed", "2"], "--speed found with --hours wall"),
        (["--hours", "wall", "--date", "2025-09-04"], "--date found with --hours wall"),
        (["--hours", "wall", "--start-on", "subscribe"], "--start-on found with --hours wall"),
        (["--hours", "mine"], "endless"),
        (["--date", "2025-09-06"], "2025-09-06 has no session"),
        (["--date", "4 September"], "%Y-%m-%d"),
        (["--profile", "sunny"], "profile 'sunny' found"),
        (["--universe", "no-such-file"], "universe 'no-such-file' found"),
        (["--universe", "1", "--profile", "record"], "1 affected stocks found"),
        (["--timetable", "summer"], "timetable 'summer' found"),
        (["--days", "0"], "a number from 1 on, or forever"),
        (["--report", "/no/such/folder/report.json"], "no folder"),
        (["--speed", "max", "--max-p99-late", "5ms"], "--max-p99-late needs a --speed"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_has_status_2(arguments: Sequence[str], complaint: str) -> None:
    """The message says what was expected, before anything is made."""
    result = CliRunner().invoke(cli, ["live", *arguments])
    assert result.exit_code == 2, result.output
    assert complaint in " ".join(result.output.split())


def test_the_help_shows_an_example_and_the_statuses() -> None:
    """As every command's."""
    text = CliRunner().invoke(cli, ["live", "--help"], terminal_width=100).output
    assert "odin-sim live --hours wall" in text
    assert "0  it was stopped by Ctrl-C" in text
