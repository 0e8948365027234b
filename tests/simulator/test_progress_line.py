from __future__ import annotations

import sys
import threading
import time
from io import StringIO

import pytest

from simulator.progress_line import ProgressLine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The machine's clock, for the test to move."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_nothing_is_shown_in_the_first_second(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is quick says nothing."""
    line = ProgressLine()
    line.show("1 of 2")
    clock[0] += 0.9
    line.show("2 of 2")
    line.clear()
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_a_line_now_and_then(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no terminal, a line every five seconds, on standard error."""
    line = ProgressLine()
    for number in range(12):
        clock[0] += 1
        line.show(f"{number} of 12")
    line.clear()
    assert capsys.readouterr() == ("", "0 of 12\n5 of 12\n10 of 12\n")


def test_a_terminal_has_one_line(
    clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written over, a shorter text hides a longer one, and in the end it is gone."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    line = ProgressLine()
    for text in ("first text", "second"):
        clock[0] += 1
        line.show(text)
    line.clear()
    assert capsys.readouterr().err == "\rfirst text\rsecond    \r          \r"


class Heard(StringIO):
    """A standard error that says when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def flush(self) -> None:
        """Come to the end of what is written at a time."""
        if self.getvalue():
            self.written.set()


def test_a_long_step_that_tells_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said before the first second is over is shown after it, once."""
    heard = Heard()
    monkeypatch.setattr(sys, "stderr", heard)
    with ProgressLine() as line:
        line.show("reading")
        assert heard.getvalue() == ""
        assert heard.written.wait(20)
    assert heard.getvalue() == "reading\n"


def test_it_goes_when_a_step_fails(
    clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is told on a line of its own, and a thread does not stay behind."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    before = threading.active_count()

    def fail(line: ProgressLine) -> None:
        clock[0] += 1
        line.show("text")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), ProgressLine() as line:
        fail(line)
    assert capsys.readouterr().err == "\rtext\r    \r"
    assert threading.active_count() == before
