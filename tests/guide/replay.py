"""The real program on free ports: ``odin-sim replay`` with its feed and its streaming server."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.guide.program import Program

RECORDING: Final = "recordings/day.parquet"

INTERRUPTED: Final = 130
"""What the program's exit status is after Ctrl-C."""


@dataclass(frozen=True)
class Replay:
    """A running replay; ``port`` is where its streaming server listens on localhost."""

    port: int

    def url(self, client_id: str) -> str:
        """Return where a client connects."""
        return f"ws://localhost:{self.port}/enhanced-stream?client_id={client_id}"


@contextmanager
def running_replay(folder: Path, *options: str) -> Iterator[Replay]:
    """
    Start a replay of the bundled day that waits for a subscription; end it with Ctrl-C.

    Args:
        folder: For its sessions; empty, so that no client is known yet.
        options: Of ``odin-sim replay``, besides the ports.

    """
    free_ports = ("--port", "0", "--feed-port", "0", "--control-port", "0")
    command = (sys.executable, "-m", "simulator.cli", "replay", RECORDING, *free_ports)
    sessions = ("--db", str(folder / "sessions.db"))
    with Program([*command, *sessions, "--start-on", "subscribe", *options]) as program:
        found = program.expect(r"ws://\S+:(\d+)/enhanced-stream")
        yield Replay(int(found[1]))
        assert program.stop(signal.SIGINT) == INTERRUPTED
