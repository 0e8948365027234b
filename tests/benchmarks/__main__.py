"""Run a benchmark by its name, or list them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from types import ModuleType

from tests import benchmarks
from tests.benchmarks import _report


def names() -> list[str]:
    """Return the names of all benchmarks."""
    modules = pkgutil.iter_modules(benchmarks.__path__)
    found = (module.name for module in modules if not module.name.startswith(("_", "test_")))
    return [name.replace("_", "-") for name in found]


def first_line(name: str) -> str:
    """Return what a benchmark measures, in one line."""
    return (load(name).__doc__ or "").strip().splitlines()[0]


def load(name: str) -> ModuleType:
    """Return the module of a benchmark."""
    return importlib.import_module(f"{benchmarks.__name__}.{name.replace('-', '_')}")


def main() -> int:
    """Run the benchmark that the command line names."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["report"]:
        return _report.main(arguments[1:], names(), load)
    if not arguments or arguments[0] not in names():
        print("usage: python -m tests.benchmarks NAME [--help] [--quick] [--json]")
        print("       python -m tests.benchmarks report [--help] [--run [NAME ...]]\n")
        for name in names():
            print(f"  {name:<12} {first_line(name)}")
        return 0 if arguments in ([], ["--help"], ["-h"]) else 2
    status: int = load(arguments[0]).main(arguments[1:])
    return status


sys.exit(main())
