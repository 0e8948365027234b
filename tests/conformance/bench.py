"""
Judges the reference server in many forms, one after the other, on one feed.

To start the suite and a feed for each would take ten times as long.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from conformance.case import Case, catalogue, chosen
from conformance.cases import load
from conformance.feed import Feed
from conformance.process import Guardian
from conformance.runner import Run, Settings
from conformance.tape import Tape
from conformance.target import Target
from conformance.verdicts import Result
from tests.conformance.reference.breaks import Variant
from tests.guide.page import ROOT

TARGET: Final = ROOT / "tests/conformance/reference/target.toml"


class Bench:
    """What servers are judged on; see :func:`bench`."""

    def __init__(self, folder: Path, feed: Feed) -> None:
        self._folder = folder
        self._feed = feed

    async def judge(self, cases: Sequence[Case], *broken: Variant) -> list[Result]:
        """Judge the reference server, broken in some ways or not at all."""
        path = write_target(self._folder, *broken)
        run = Run(
            target=Target.of_file(path),
            cases=cases,
            settings=Settings(keep_wire=False),
            feed=self._feed,
        )
        await run.run()
        return run.results


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Start a feed to judge on, and end it."""
    guardian = Guardian()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tape, path = Tape.made(), folder / "tape.parquet"
        tape.write(path)
        feed = Feed(Target.of_file(write_target(folder)).feed, tape, path, guardian=guardian)
        try:
            await feed.start()
            yield Bench(folder, feed)
        finally:
            await feed.stop()
            guardian.close()


def cases_named(*patterns: str) -> list[Case]:
    """Return the cases of the catalogue that are named; all if none is."""
    load()
    return chosen(catalogue(), patterns)


def write_target(folder: Path, *broken: Variant) -> Path:
    """Write a target file of the reference server, broken in some ways; return its path."""
    text = TARGET.read_text().replace('cwd = "../../.."', f"cwd = {json.dumps(str(ROOT))}")
    more = "".join(f'"--break", "{variant.name}", ' for variant in broken)
    text = text.replace('"--drain-s", "0",', f'"--drain-s", "0", {more}')
    path = folder / "target.toml"
    path.write_text(text)
    return path
