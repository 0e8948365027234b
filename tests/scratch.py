"""Where tests that open many stores put them."""

from __future__ import annotations

import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")


def scratch() -> Path:
    """
    Make a folder, in memory where the system has a place for that; the caller removes it.

    What is tested there is what is written, not that it reaches a disk, and
    waiting for the disk is most of what opening and closing a store takes.
    """
    place = _MEMORY if _MEMORY.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="odin-streamer-test-", dir=place))
