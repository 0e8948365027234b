"""
``odin-sim record`` on a machine whose time a test tells, in a file: nanoseconds, as a number.

Run as ``python -m tests.end_to_end.timed_recorder CLOCK_FILE FEED FOLDER UNTIL``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from simulator.recorder import RecordOptions, run


def main() -> int:
    """Record everything that the feed has until the clock shows a time."""
    clock_file, feed, folder, until = sys.argv[1:]
    options = RecordOptions(
        upstream=feed, symbols=("all",), folder=Path(folder), flush_s=0.1, until=until
    )
    return run(options, now=lambda: int(Path(clock_file).read_text()))


if __name__ == "__main__":
    sys.exit(main())
