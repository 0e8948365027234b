from __future__ import annotations

import time

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
