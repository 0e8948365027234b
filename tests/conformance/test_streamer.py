"""Our own server passes the whole catalogue, as its users would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_our_server_passes_everything() -> None:
    """In full profile, market hours and kill -9 included; nothing is left open."""
    target = "conformance/targets/streamer.toml"
    ended = subprocess.run(
        [sys.executable, "-m", "conformance", "run", "--target", target, "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=390,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
