"""The catalogue: one module for each chapter; importing this package registers every case."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import every chapter, so that the registry is whole."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
