"""The suite judges by the rules that are published, in their own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.rules import rule, rules

PAGE = Path(__file__).parents[2] / "docs" / "client-protocol.md"


def published() -> dict[str, str]:
    """Return the rules of the page of the client protocol, links as their text."""
    rows = re.findall(r"^\| ([A-Z]-\d+) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    return {id: re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text) for id, text in rows}


def test_rules_of_the_client_protocol_are_those_of_its_page() -> None:
    """Every rule of the page is a rule of the suite, word for word, and there is no other."""
    own = {id: text for id, text in rules().items() if not id.startswith("G-")}
    assert own == published()
    assert len(own) > 40


def test_rules_of_the_guide_name_their_place() -> None:
    """What the guide states ends with the section that states it."""
    guide = {id: text for id, text in rules().items() if id.startswith("G-")}
    assert len(guide) > 15
    assert all(text.rstrip().endswith(")") for text in guide.values())


def test_an_unknown_rule_is_refused() -> None:
    """Whoever names a rule that is none hears of it."""
    with pytest.raises(KeyError, match="C-99"):
        rule("C-99")
