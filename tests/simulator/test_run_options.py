from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from simulator.run_options import (
    default_db,
    faults_options,
    ledger_options,
    refuse_unusable,
    server_options,
    speed_option,
    start_on_option,
)


@click.command()
@speed_option
@start_on_option
@server_options
@faults_options
@ledger_options
def shared(**options: object) -> None:
    """Print what the options became."""
    for name, value in options.items():
        click.echo(f"{name}={value}")


def invoked(*arguments: str) -> Result:
    """What the command makes of some arguments."""
    return CliRunner().invoke(shared, arguments)


def test_options_become_values() -> None:
    """Texts are parsed at the edge."""
    result = invoked("--speed", " MAX ", "--max-p99-late", "2.5 ms", "--fault", "mute@10:00:00+5s")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "speed=max" in lines
    assert "max_p99_late_ns=2500000" in lines
    assert "start_on=now" in lines
    assert any(line.startswith("faults=(Planned(") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--speed", "fast"), "0.01 to 10000"),
        (("--max-p99-late", "soon"), "expected a time such as 5ms, 500us or 1s"),
        (("--fault", "nonsense@10:00:00"), "nonsense"),
        (("--scenario", "no-such"), "no-such"),
        (("--feed-port", "70000"), "65535"),
    ],
)
def test_wrong_texts_are_refused(arguments: tuple[str, ...], complaint: str) -> None:
    """With status 2 and what was found."""
    result = invoked(*arguments)
    assert result.exit_code == 2
    assert complaint in result.output


def test_a_bound_that_nothing_can_break_is_refused() -> None:
    """At the highest speed nothing is late."""
    refuse_unusable(5_000_000, "10")
    refuse_unusable(None, "max")
    with pytest.raises(click.UsageError, match="at max nothing is late"):
        refuse_unusable(5_000_000, "max")


def test_sessions_are_kept_in_the_users_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where XDG_STATE_HOME says, else below the home."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_db() == tmp_path / "odin-streamer" / "simulated-sessions.db"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_db().is_relative_to(tmp_path / "home" / ".local" / "state")
