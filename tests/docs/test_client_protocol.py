"""The client protocol's page and the tests of its rules."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from streamer.protocol import ACTIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client-protocol.md").read_text()
RULES = re.findall(r"^\| ([CRSPMH]-\d+) \|", PAGE, re.MULTILINE)


def test_rules_are_numbered_without_gaps() -> None:
    """An id, once given, stays; none is given twice or left out."""
    for chapter, count in (("C", 8), ("R", 9), ("S", 11), ("P", 6), ("M", 9), ("H", 6)):
        expected = [f"{chapter}-{number}" for number in range(1, count + 1)]
        assert [rule for rule in RULES if rule.startswith(f"{chapter}-")] == expected


def test_every_rule_has_a_test_that_names_it() -> None:
    """A test of a rule has the rule's id in its one sentence."""
    named: set[str] = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    if name.startswith("test_"):
                        sentence = ast.get_docstring(node) or ""
                        named.update(re.findall(r"\b[CRSPMH]-\d+\b", sentence))
    assert [rule for rule in RULES if rule not in named] == []


def test_every_action_is_described() -> None:
    """The page speaks of each action that the server takes."""
    for action in ACTIONS:
        assert f"`{action}`" in PAGE
