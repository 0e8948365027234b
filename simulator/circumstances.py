"""
Under which circumstances a market ran: what was asked, with which versions, on what data.

Together with how the run ended this is a report that can be read a year later.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from streamer import native

__all__ = ["MAX_FAULTS", "Circumstances", "FaultEvent", "of_this_process"]

MAX_FAULTS = 200
"""How many beginnings and ends of faults are kept; more are counted."""

_LIBRARIES = ("websockets", "pyarrow", "numpy", "msgspec")


class FaultEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    A fault that began or ended.

    Args:
        after_ns: Real time since the start of the run.
        time: The simulated time in India, as text.
        phase: ``begins`` or ``ends``.
        fault: As it was planned.

    """

    after_ns: int
    time: str
    phase: str
    fault: str


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a report tells beside how a run went.

    Args:
        command: The command line.
        versions: Of this program and of what it runs on, by name.
        machine: In words.
        simulated: Whether the data were made up; None where a recording does
            not say.
        faults: The first `MAX_FAULTS` beginnings and ends of faults, in order.
        faults_left_out: How many more there were.

    """

    command: str
    versions: Mapping[str, str]
    machine: str
    simulated: bool | None
    faults: Sequence[FaultEvent] = ()
    faults_left_out: int = 0

    def as_json_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "command": self.command,
            "versions": dict(self.versions),
            "machine": self.machine,
            "simulated": self.simulated,
            "faults": [
                {
                    "after_s": each.after_ns / 1e9,
                    "time": each.time,
                    "phase": each.phase,
                    "fault": each.fault,
                }
                for each in self.faults
            ],
            "faults_left_out": self.faults_left_out,
        }


def of_this_process(*, simulated: bool | None) -> Circumstances:
    """Return what is so from the start: no fault has happened yet."""
    versions = {"odin-streamer": version("odin-streamer"), "Python": platform.python_version()}
    versions |= {name: version(name) for name in _LIBRARIES}
    # Not installed, it is not used: the feed compresses with zlib.
    with contextlib.suppress(PackageNotFoundError):
        versions["isal"] = version("isal")
    versions["compiled"] = ", ".join(native.in_use()) or "nothing"
    cores = os.cpu_count() or 1
    return Circumstances(
        command=shlex.join(["odin-sim", *sys.argv[1:]]),
        versions=versions,
        machine=f"{platform.platform()}, {cores} core{'' if cores == 1 else 's'}",
        simulated=simulated,
    )
