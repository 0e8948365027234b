"""Run a benchmark by its name, or list them."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from tests import benchmarks


def names() -> list[str]:
    """Return the names of all benchmarks."""
    modules = pkgutil.iter_modules(benchmarks.__path__)
    return [module.name for module in modules if not module.name.startswith("_")]


def first_line(name: str) -> str:
    """Return what a benchmark measures, in one line."""
    text = importlib.import_module(f"{benchmarks.__name__}.{name}").__doc__ or ""
    return text.strip().splitlines()[0]


def main() -> int:
    """Run the benchmark that the command line names."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in names():
        print("usage: python -m tests.benchmarks NAME [--help] [--json]\n")
        for name in names():
            print(f"  {name:<12} {first_line(name)}")
        return 0 if arguments in ([], ["--help"], ["-h"]) else 2
    module = importlib.import_module(f"{benchmarks.__name__}.{arguments[0]}")
    status: int = module.main(arguments[1:])
    return status


sys.exit(main())
