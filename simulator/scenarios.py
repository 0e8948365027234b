"""
Scenarios: lists of planned faults with a seed, shipped or in a TOML file.

::

    seed = 7

    [[fault]]
    name = "drop"
    at = "09:20:00"
    lasts = "30s"
    share = 0.1
"""

from __future__ import annotations

import difflib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from simulator.faults import Planned, planned
from streamer.errors import ConfigError

__all__ = ["Scenario", "load_scenario", "shipped"]

_SUFFIX = ".toml"


class Scenario(NamedTuple):
    """What goes wrong, and the seed of what is random about it."""

    plan: tuple[Planned, ...]
    seed: int


def shipped() -> dict[str, str]:
    """Return the text of each scenario that comes with the simulator, by its name."""
    folder = files("simulator") / "data" / "scenarios"
    found = (each for each in folder.iterdir() if each.name.endswith(_SUFFIX))
    return {
        each.name.removesuffix(_SUFFIX): each.read_text(encoding="utf-8")
        for each in sorted(found, key=lambda each: each.name)
    }


def load_scenario(name: str) -> Scenario:
    """
    Return a scenario by the name of a shipped one, or from a file.

    Raises:
        ConfigError: If there is none, or something in it is not as expected.

    """
    known = shipped()
    if name in known:
        return parse_scenario(known[name], name)
    if not name.strip():
        raise ConfigError(f"found no name; expected {' or '.join(known)}, or a TOML file")
    path = Path(name)
    if path.suffix != _SUFFIX and not path.exists():
        near = difflib.get_close_matches(name, known, n=1) or sorted(known)
        raise ConfigError(
            f"found the scenario {name!r}; expected {' or '.join(near)}, or a TOML file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeError:
        raise ConfigError(f"{path}: found bytes that are no text; expected TOML") from None
    return parse_scenario(text, str(path))


def parse_scenario(text: str, where: str) -> Scenario:
    """
    Return the scenario that a TOML text describes.

    Raises:
        ConfigError: If something in it is not as expected; tells where.

    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: found no TOML ({error})") from None
    entries, seed = content.pop("fault", None), content.pop("seed", 0)
    if content:
        raise ConfigError(f"{where}: found {next(iter(content))!r}; expected seed and [[fault]]")
    if type(seed) is not int:
        raise ConfigError(f"{where}: found the seed {seed!r}; expected a whole number")
    if not entries or not isinstance(entries, list):
        raise ConfigError(f"{where}: found no fault; expected [[fault]] with name and at")
    plan = []
    for number, entry in enumerate(entries, start=1):
        try:
            plan.append(_planned(entry))
        except ConfigError as error:
            raise ConfigError(f"{where}, [[fault]] {number}: {error}") from None
    return Scenario(tuple(plan), seed)


def _planned(entry: Any) -> Planned:
    if not isinstance(entry, dict):
        raise ConfigError(f"found {entry!r}; expected name and at")
    options = dict(entry)
    name, at, lasts = options.pop("name", None), options.pop("at", None), options.pop("lasts", None)
    if not isinstance(name, str):
        raise ConfigError(f"found {name!r} as its name; expected one that odin-sim faults lists")
    return planned(name, str(at), lasts=None if lasts is None else str(lasts), options=options)
