"""The suite judges by the rules that are published, all of them, in their own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.case import CHAPTERS, Level, Profile, catalogue
from conformance.cases import load
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


def test_every_rule_has_a_case() -> None:
    """What is promised is judged: each rule by a case whose failure is told."""
    load()
    judged = {id for case in catalogue() if case.level is not Level.INFO for id in case.rules}
    assert sorted(set(rules()) - judged) == []


def test_the_guide_s_profile_judges_all_that_the_guide_states_and_nothing_else() -> None:
    """Each of its cases names what the guide states, and each such statement is judged there."""
    load()
    guides = [case for case in catalogue() if case.profile is Profile.GUIDE]
    stated = {id for id in rules() if id.startswith("G-")}
    assert [case.id for case in guides if not stated & set(case.rules)] == []
    judged = {id for case in guides if case.level is Level.MUST for id in case.rules}
    assert sorted(stated - judged) == []


def test_every_chapter_has_cases() -> None:
    """None of the chapters that the page tells of is empty."""
    load()
    assert {case.chapter for case in catalogue()} == set(CHAPTERS)
