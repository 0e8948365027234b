"""
The reports of a run: what they need to know is gathered meanwhile, then they are written.

A path that ends in ``.html`` gets the page of `simulator.report_page`, any
other that is allowed the JSON of `simulator.report`. A report is written to a
temporary name first: a file that is there is whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from simulator.circumstances import MAX_FAULTS, Circumstances, FaultEvent
from simulator.lateness import Lateness, LatenessPath
from simulator.report import Standing, report

__all__ = ["SUFFIXES", "RunReport"]

SUFFIXES = (".json", ".html")
"""How the path of a report may end, in small letters or capital ones."""

_STRETCH_NS = 1_000_000_000
_LOOK_S = 1.0


class RunReport:
    """
    Gathers what happens in a run, and writes its reports.

    Args:
        paths: Where; one file each, its form by its suffix.
        circumstances: Under which it runs, without faults.
        lateness: Of the run; it grows meanwhile.
        elapsed: Returns real nanoseconds since the start of the run.

    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        circumstances: Circumstances,
        lateness: Lateness,
        elapsed: Callable[[], int],
    ) -> None:
        self._paths = paths
        self._circumstances = circumstances
        self._elapsed = elapsed
        self._path = LatenessPath(lateness, _STRETCH_NS)
        self._faults: list[FaultEvent] = []
        self._left_out = 0

    def note(self, event: str, time: str, details: Mapping[str, object]) -> None:
        """Take note of an event of the run, with its simulated time."""
        if event != "fault":
            return
        if len(self._faults) == MAX_FAULTS:
            self._left_out += 1
            return
        fault, phase = str(details["fault"]), str(details["phase"])
        self._faults.append(
            FaultEvent(after_ns=self._elapsed(), time=time, phase=phase, fault=fault)
        )

    async def watch(self) -> None:
        """Follow the lateness of the run until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self._path.note(self._elapsed())

    def write(self, now: Standing, exit_status: int | None) -> list[str]:
        """
        Write every report.

        Args:
            now: How the run stands.
            exit_status: None while it is held up.

        Returns:
            What could not be written, in words; empty if all was.

        """
        self._path.close(self._elapsed())
        circumstances = msgspec.structs.replace(
            self._circumstances, faults=self._faults, faults_left_out=self._left_out
        )
        failures = []
        for path in self._paths:
            if path.suffix.lower() == ".html":
                from simulator.report_page import page

                text = page(now, circumstances, self._path.stretches, exit_status=exit_status)
            else:
                told = report(now, exit_status=exit_status) | circumstances.as_json_dict()
                text = json.dumps(told, indent=2) + "\n"
            part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                part.write_text(text, encoding="utf-8")
                part.replace(path)
            except OSError as error:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
                failures.append(f"Cannot write the report to {path}: {error.strerror}")
        return failures
