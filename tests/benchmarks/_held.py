"""
The streaming server with a watch on its event loop.

    python -m tests.benchmarks._held FILE serve OPTIONS...

Runs the command as it is. Each time the process gets SIGUSR1 it writes to FILE
how long the loop was held at the most by one callback since the last time, by
the clock and in the thread's own processor time.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

from streamer import cli


class Watch:
    """The longest callback so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wall = self._cpu = 0.0
        self._what = ""

    def begin(self) -> None:
        """Time every callback of every event loop of this process from now on."""
        run = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            wall, cpu = time.perf_counter(), time.thread_time()
            run(handle)
            took = time.perf_counter() - wall
            if took > self._wall:
                self._wall, self._cpu = took, time.thread_time() - cpu
                self._what = repr(handle)

        asyncio.Handle._run = timed  # type: ignore[method-assign,assignment]
        signal.signal(signal.SIGUSR1, lambda number, frame: self.tell())

    def tell(self) -> None:
        """Write down what was found, and begin anew."""
        told = {"wall_ms": self._wall * 1e3, "cpu_ms": self._cpu * 1e3, "what": self._what}
        self._wall = self._cpu = 0.0
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(told))
        fresh.rename(self._path)


def main() -> None:
    """Run the command under watch."""
    Watch(Path(sys.argv[1])).begin()
    sys.argv[1:] = sys.argv[2:]
    cli.main()


if __name__ == "__main__":
    main()
