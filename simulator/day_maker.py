"""
Makes one day of an endless market, in a process of its own.

``python -m simulator.day_maker`` reads a `Work` as JSON from its standard input
and writes `Answer` values to its standard output, one a line: how far it is,
and in the end the morning of the next day, or why there is none. It gives way
to every other process.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from simulator.blocks import Blocks, Made
from simulator.overnight import Morning
from simulator.synth import Wanted, write_recording
from streamer.errors import ConfigError

__all__ = ["Answer", "Work", "main", "make_day"]

_NICENESS = 10


class Work(msgspec.Struct, frozen=True):
    """
    A day that is to be made.

    Args:
        path: Where its recording is written.
        wanted: Which day.
        morning: What it begins with.
        first: What the first day of the market began with.
        workers: Processes that make it; they do not change the day.

    """

    path: str
    wanted: Wanted
    morning: Morning
    first: Morning
    workers: int = 1


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What is told of the work.

    Args:
        made: How many stocks there are so far.
        of: How many there will be.
        morning: What the next day begins with; the last answer has it.
        problem: Why the day cannot be made; no answer follows.

    """

    made: int = 0
    of: int = 0
    morning: Morning | None = None
    problem: str = ""


def make_day(work: Work, made: Made | None = None) -> Morning:
    """
    Write the recording of a day; return what the next day begins with.

    Raises:
        ConfigError: If there is no such kind of day.
        OSError: If the file cannot be written.

    """
    wanted, path = work.wanted, Path(work.path)
    market = work.morning.market(wanted.day, wanted.seed, wanted.kind(), timetable=wanted.timetable)
    footer = {
        "source": "synthetic",
        "licence": "MIT",
        "date": wanted.day.isoformat(),
        "seed": wanted.seed,
        "universe": wanted.universe,
        "profile": wanted.profile,
    }
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        blocks = Blocks(market, work.morning.stocks, Path(folder))
        blocks.make(work.workers, made)
        write_recording(path, blocks, footer)
    return work.morning.after(market, blocks.endings, work.first)


def main() -> None:
    """Do the work on standard input."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)

    def answer(told: Answer) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()

    # Nobody listens any more: then nobody wants the day.
    with suppress(BrokenPipeError):
        try:
            work = msgspec.json.decode(sys.stdin.buffer.read(), type=Work)
            morning = make_day(work, lambda made, of: answer(Answer(made, of)))
            answer(Answer(morning=morning))
        except (ConfigError, OSError) as error:
            answer(Answer(problem=str(error)))


if __name__ == "__main__":
    main()
