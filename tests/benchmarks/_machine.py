"""What every benchmark prints beside its figures: machine, versions, quantiles."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from streamer.native import part

_PACKAGES = (
    "odin-streamer",
    "websockets",
    "msgspec",
    "polars",
    "pyarrow",
    "numpy",
    "isal",
    "uvloop",
)
_COMPILED = ("simulator._writing", "streamer._spelling", "streamer.odin._reading")


def machine() -> dict[str, object]:
    """Return where the figures come from."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "compiled": [name for name in _COMPILED if part(name, form=1)],
        "versions": {name: version(name) for name in _PACKAGES if _is_installed(name)},
    }


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def describe(found: dict[str, object]) -> str:
    """Return the machine in two lines."""
    versions = found["versions"]
    assert isinstance(versions, dict)
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    compiled = found.get("compiled") or ["nothing"]
    assert isinstance(compiled, list)
    return (
        f"{found['processor']}, {found['cores']} cores, load {found['load_before']} before,"
        f" {found['system']}\nPython {found['python']}, {packages}; compiled: {', '.join(compiled)}"
    )


def resident_bytes(pid: int | str = "self") -> int:
    """Return how much memory a process holds; 0 where that is not told."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def quantile(ordered: Sequence[int], share: float) -> int:
    """Return the value that ``share`` of the ordered values do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def peak_bytes(pid: int | str = "self") -> int:
    """Return the most memory that a process has held; 0 where that is not told."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
