"""
Which parts run compiled.

A compiled part does what Python code beside it does, byte for byte, in less time. Where none was
built, or the environment says ``ODIN_NATIVE=0``, the Python code runs.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

SWITCH: Final = "ODIN_NATIVE"

_in_use: dict[str, None] = {}


def part(name: str, form: int) -> Any:
    """
    Return a compiled module; None if Python code is to run in its place.

    Args:
        name: Of the module.
        form: Which of its forms the caller knows. A build that stayed behind when the sources
            went on has another, and is not used.

    """
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        found = import_module(name)
    except ImportError:
        return None
    if getattr(found, "FORM", None) != form:
        return None
    _in_use[name] = None
    return found


def in_use() -> list[str]:
    """Return the names of the compiled modules that run."""
    return sorted(_in_use)
