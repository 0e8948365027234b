from __future__ import annotations

from io import StringIO

from simulator.waiting_line import WaitingLine


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_terminal_sees_the_line_now_and_then_and_no_more_afterwards() -> None:
    """What changes faster than one can read is left out."""
    now = 100.0
    terminal = Terminal()
    with WaitingLine(terminal, lambda: now) as line:
        line.show("1 row")
        line.show("2 rows")
        now += 1
        line.show("3 rows")
    assert terminal.getvalue() == "\r\x1b[K1 row\r\x1b[K3 rows\r\x1b[K"


def test_a_file_sees_nothing() -> None:
    """Output that is kept has no lines that go."""
    stream = StringIO()
    with WaitingLine(stream) as line:
        line.show("1 row")
    assert stream.getvalue() == ""


def test_where_nothing_was_shown_nothing_is_erased() -> None:
    """A quick command leaves no trace."""
    terminal = Terminal()
    with WaitingLine(terminal):
        pass
    assert terminal.getvalue() == ""
