from __future__ import annotations

from pathlib import Path

import pytest

from simulator.faults import parse_planned
from simulator.scenarios import load_scenario, parse_scenario, shipped
from streamer.errors import ConfigError


def test_the_shipped_scenarios_can_be_loaded_by_name() -> None:
    """All four, each within the hours of one session."""
    assert list(shipped()) == ["bad-day", "flaky-network", "opening-burst", "reconnect-storm"]
    for name in shipped():
        scenario = load_scenario(name)
        for fault in scenario.plan:
            assert 9 * 3600 + 15 * 60 <= fault.at_s < 15 * 3600 + 30 * 60
    assert len(load_scenario("bad-day").plan) >= 12


def test_a_file_is_read(tmp_path: Path) -> None:
    """Its faults in order, with options, and its seed."""
    path = tmp_path / "own.toml"
    path.write_text(
        'seed = 7\n[[fault]]\nname = "drop"\nat = "09:20:00"\nlasts = "30s"\nshare = 0.1\n'
        '[[fault]]\nname = "reset"\nat = "09:25"\n'
    )
    plan, seed = load_scenario(str(path))
    assert seed == 7
    assert plan == (parse_planned("drop:share=0.1@09:20:00+30s"), parse_planned("reset@09:25"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed", ["no TOML"]),
        ("", ["no fault", "[[fault]]"]),
        ("seed = 1.5\n[[fault]]", ["1.5", "whole number"]),
        ("sead = 1\n[[fault]]", ["'sead'", "seed"]),
        ("fault = [3]", ["[[fault]] 1", "3", "name and at"]),
        ('[[fault]]\nat = "09:15"', ["[[fault]] 1", "name"]),
        ('[[fault]]\nname = "drop"', ["[[fault]] 1", "time of drop"]),
        ('[[fault]]\nname = "drip"\nat = "09:15"\nbites = 3', ["'bites'", "bytes"]),
        ('[[fault]]\nname = "drop"\nat = "09:15"\nlasts = "x"', ["'x'", "4s"]),
    ],
)
def test_what_cannot_be_read_is_told(text: str, words: list[str]) -> None:
    """With its place, what was found, and what was expected."""
    with pytest.raises(ConfigError) as refused:
        parse_scenario(text, "own.toml")
    for word in ["own.toml", *words]:
        assert word in str(refused.value)


def test_an_unknown_scenario_is_told_with_a_near_one(tmp_path: Path) -> None:
    """So is a file that is not there, or is no text."""
    with pytest.raises(ConfigError, match="expected bad-day"):
        load_scenario("bad-dey")
    with pytest.raises(ConfigError, match="found no name; expected bad-day"):
        load_scenario("")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_scenario(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no text"):
        load_scenario(str(tmp_path / "binary.toml"))
