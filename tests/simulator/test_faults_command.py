from __future__ import annotations

import json

from click.testing import CliRunner

from simulator.cli import cli
from simulator.faults import CATALOGUE, described


def test_programs_get_the_catalogue_as_json() -> None:
    """All of it, in order."""
    result = CliRunner().invoke(cli, ["faults", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == [described(fault) for fault in CATALOGUE]


def test_people_get_a_list() -> None:
    """Each fault with its summary, each option with its default."""
    result = CliRunner().invoke(cli, ["faults"])
    assert result.exit_code == 0
    for fault in CATALOGUE:
        assert fault.summary in result.output
        for option in fault.options:
            assert f"{option.name}={option.default:g}" in result.output


def test_the_help_shows_an_example() -> None:
    """How a fault is written, too."""
    result = CliRunner().invoke(cli, ["faults", "--help"])
    assert "NAME[:option=value,...]@HH:MM:SS[+4s]" in result.output
    assert "odin-sim replay" in result.output
