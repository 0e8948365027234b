"""
How soon a recording gives its first update, and in how much memory it is read to its end.

    python -m tests.benchmarks._reading TAPE

Opening a recording checks all of it, unless it is sealed. ``first_s`` is from
before that to the first update as the replay hands it on; ``take_s`` is the part
that comes after opening. Memory is what the process has come to hold more than
before.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from simulator.recording import Recording
from simulator.replay import Replay
from streamer.instruments import InstrumentTable
from tests.benchmarks._machine import peak_bytes, resident_bytes


def main() -> None:
    """Read the recording that the command line names, and print the figures."""
    table = InstrumentTable.bundled()
    before = resident_bytes()
    began = time.perf_counter()
    recording = Recording.open([Path(sys.argv[1])], instruments=table)
    opened = time.perf_counter()
    replay = Replay(recording, start=recording.start, end=recording.end + 1)
    first = replay.next_due()
    assert first is not None
    replay.take(first)
    taken = time.perf_counter()
    after_first = peak_bytes()
    while replay.take(recording.end):
        pass
    told = {
        "rows": replay.rows_taken,
        "first_s": taken - began,
        "open_s": opened - began,
        "take_s": taken - opened,
        "read_s": time.perf_counter() - taken,
        "grown_at_first_bytes": after_first - before,
        "grown_bytes": peak_bytes() - before,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
