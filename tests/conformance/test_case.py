"""Cases are registered under their ids, and chosen by them."""

from __future__ import annotations

import pytest

from conformance.case import CHAPTERS, Case, Need, Profile, case, catalogue, chosen, passive
from conformance.cases import load
from conformance.rules import rules

load()


def a_case(id: str) -> Case:
    """Return a case that is in no catalogue."""
    return Case(id=id, title="x", rules=("S-1",), explain="x")


SOME = [a_case(id) for id in ("SUB-010", "SUB-020", "ERR-030.binary", "ERR-030.deep", "MKT-010")]


@pytest.mark.parametrize(
    ("patterns", "ids"),
    [
        ((), ["SUB-010", "SUB-020", "ERR-030.binary", "ERR-030.deep", "MKT-010"]),
        (("SUB-020",), ["SUB-020"]),
        (("SUB-*", "MKT-010"), ["SUB-010", "SUB-020", "MKT-010"]),
        (("ERR-030",), ["ERR-030.binary", "ERR-030.deep"]),
        (("ERR-030.deep",), ["ERR-030.deep"]),
        (("???-010",), ["SUB-010", "MKT-010"]),
        (("!SUB-*",), ["ERR-030.binary", "ERR-030.deep", "MKT-010"]),
        (("SUB-*", "!SUB-010"), ["SUB-020"]),
        (("sub-010",), []),
    ],
)
def test_patterns_choose(patterns: tuple[str, ...], ids: list[str]) -> None:
    """An id, a family, a pattern, and what is left out."""
    assert [case.id for case in chosen(SOME, patterns)] == ids


@pytest.mark.parametrize(
    ("id", "settings", "found"),
    [
        ("SUB-1", {}, "SUB-1"),
        ("XYZ-010", {}, "XYZ-010"),
        ("SUB-010.Upper", {}, "Upper"),
        ("SUB-998", {"rules": ()}, "names no rule"),
        ("SUB-998", {"rules": ("Z-9",)}, "Z-9"),
        ("SUB-998", {"at": "9:15"}, "HH:MM:SS"),
        ("SUB-998", {"day": "04.09.2025"}, "YYYY-MM-DD"),
        ("CON-900", {}, "twice"),
    ],
)
def test_a_wrong_case_is_refused(id: str, settings: dict[str, object], found: str) -> None:
    """A slip in a case is found when its chapter is imported, not when it is run."""
    given = {"title": "x", "rules": ("S-1",), "explain": "x"} | settings
    with pytest.raises((ValueError, KeyError), match=found):
        passive(id, **given)  # type: ignore[arg-type]
    with pytest.raises((ValueError, KeyError), match=found):
        case(id, **given)(lambda _: pytest.fail("never run"))  # type: ignore[arg-type]


def test_every_case_tells_what_it_is() -> None:
    """Each has a title without a full stop, an explanation, and rules that there are."""
    cases = catalogue()
    assert len(cases) > 10
    for one in cases:
        assert one.title
        assert not one.title.endswith(".")
        assert len(one.explain) > 40, one.id
        assert all(id in rules() for id in one.rules)


def test_the_catalogue_is_in_order() -> None:
    """By chapter, then by id."""
    chapters = list(CHAPTERS)
    keys = [(chapters.index(one.chapter), one.id) for one in catalogue()]
    assert keys == sorted(keys)


def test_cases_of_the_guide_rest_on_the_guide() -> None:
    """What is a MUST for a server built from the guide alone is stated by the guide."""
    for one in catalogue():
        if one.profile is Profile.GUIDE:
            assert any(id.startswith("G-") for id in one.rules), one.id


def test_cases_that_restart_are_alone() -> None:
    """Whoever kills the server, or wants other options, has a server of its own."""
    assert Case(
        id="PER-010", title="x", rules=(), explain="x", needs=frozenset({Need.RESTART})
    ).alone
    assert Case(id="SUB-010", title="x", rules=(), explain="x", variant="v").alone
    assert not a_case("SUB-010").alone
