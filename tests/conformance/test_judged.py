"""Servers that the suite must pass: the reference server, and one in another language."""

from __future__ import annotations

import sys
from typing import Final

from tests.guide.program import Program, require, require_node_module

RUN: Final = (sys.executable, "-m", "conformance", "run")
WITHIN_S: Final = 100.0


def test_the_reference_server_passes_everything() -> None:
    """Nothing is failed, left open or missing, by all rules."""
    target = "tests/conformance/reference/target.toml"
    with Program([*RUN, "--target", target]) as program:
        program.expect(r"^\d+ PASS(, \d+ INFO)? in ", timeout_s=WITHIN_S)


def test_a_server_in_javascript_passes_what_the_guide_states() -> None:
    """Nothing of Python, and nothing that is our rule alone, leaks into the guide's profile."""
    require("node")
    require_node_module("ws")
    target = "tests/conformance/node/target.toml"
    with Program([*RUN, "--profile", "guide", "--target", target]) as program:
        found = program.expect(r"^(\d+) PASS(, \d+ INFO)?(, \d+ SKIP)? in ", timeout_s=WITHIN_S)
        assert int(found[1]) > 0
