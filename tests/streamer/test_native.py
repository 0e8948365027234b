"""Compiled parts: in use where they were built, and never needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from streamer import native

PARTS = ["simulator._writing", "streamer._spelling", "streamer.odin._reading"]
ROOT = Path(__file__).parents[2]
TELL = """
import json
import simulator.updates, streamer.quotes
from streamer.native import in_use
print(json.dumps(in_use()))
"""


def told(**environ: str) -> list[str]:
    """Return what a new process has in use."""
    command = [sys.executable, "-c", TELL]
    answer = subprocess.run(
        command, env=os.environ | environ, cwd=ROOT, check=True, capture_output=True, text=True
    )
    found: list[str] = json.loads(answer.stdout)
    return found


CAN_COMPILE = shutil.which("g++") and Path(sysconfig.get_path("include"), "Python.h").exists()


@pytest.mark.skipif(not CAN_COMPILE, reason="nothing is compiled without a compiler")
def test_what_was_installed_where_a_compiler_is_runs_compiled() -> None:
    """The installation built all parts; ``make clean test`` does if this fails."""
    assert told(ODIN_NATIVE="") == PARTS


def test_one_switch_turns_all_of_them_off() -> None:
    """ODIN_NATIVE=0, as the documentation says."""
    assert told(ODIN_NATIVE="0") == []


def test_a_part_that_was_not_built_is_none() -> None:
    """Then Python code runs."""
    before = native.in_use()
    assert native.part("streamer._unheard_of", form=1) is None
    assert native.in_use() == before


@pytest.mark.skipif(not CAN_COMPILE, reason="nothing is compiled without a compiler")
def test_a_build_that_stayed_behind_is_not_used() -> None:
    """What Python code calls may have changed since."""
    before = native.in_use()
    assert native.part("streamer._spelling", form=0) is None
    assert native.in_use() == before
