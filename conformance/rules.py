"""The rules that cases judge: those of the client protocol, and what the guide itself states."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

__all__ = ["rule", "rules"]


@cache
def rules() -> Mapping[str, str]:
    """Return the text of every rule by its id: ``C-1`` to ``H-6``, and ``G-…`` of the guide."""
    text = files("conformance").joinpath("data", "rules.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    return {**document["protocol"], **document["guide"]}


def rule(id: str) -> str:
    """
    Return a rule's text.

    Raises:
        KeyError: If there is no such rule.

    """
    try:
        return rules()[id]
    except KeyError:
        raise KeyError(f"rule {id!r} found; an id of data/rules.toml expected") from None
