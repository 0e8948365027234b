"""Progress above and below the log, and what it costs whoever does not see it."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.progress import Progress

ROOT = Path(__file__).parents[2]


async def test_without_a_terminal_lines_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    """As they are, on standard error, before the start and after the end too."""
    progress = Progress(lambda: "half")
    progress.print("[bold]first[/bold]")
    progress.start()
    progress.emit(logging.LogRecord("a", logging.WARNING, "", 1, "%s", ("second",), None))
    progress.stop()
    progress.stop()
    progress.print("third")
    assert capsys.readouterr() == ("", "[bold]first[/bold]\nsecond\nthird\n")


async def test_on_a_terminal_the_log_stands_above(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of a line is no markup there either."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress(lambda: "half")
    progress.start()
    progress.print("[bold]first[/bold]")
    progress.stop()
    progress.print("second")
    shown = capsys.readouterr().err
    assert shown.index("[bold]first[/bold]") < shown.index("second\n")


def test_rich_is_imported_when_there_is_something_to_draw() -> None:
    """It would delay the start of every replay, and of the help everything else would."""
    program = (
        "import sys, simulator.cli; assert 'asyncio' not in sys.modules\n"
        "import simulator.replay_run; assert 'rich' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT)
    assert done.returncode == 0
