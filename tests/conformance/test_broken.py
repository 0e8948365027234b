"""The judge judged: broken servers are caught, each by its own case, and the page tells of all."""

from __future__ import annotations

import os
from typing import Final

import pytest

from conformance.case import CHAPTERS
from conformance.verdicts import Verdict
from tests.conformance.bench import bench, cases_named
from tests.conformance.reference.breaks import VARIANTS, Variant, made_for
from tests.conformance.table import PAGE, count_in_words, read_rows, row_of

ALL: Final = os.environ.get("ODIN_ALL_BROKEN") == "1"
SOME: Final = 2


def of_chapter(chapter: str) -> list[Variant]:
    """Return some variants of a chapter, spread over it, or all with ODIN_ALL_BROKEN=1."""
    variants = [variant for variant in VARIANTS if variant.chapter == chapter]
    return variants if ALL else variants[:: -(-len(variants) // SOME)]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("chapter", CHAPTERS)
async def test_each_broken_server_is_failed_by_the_case_made_for_it(chapter: str) -> None:
    """And that case passes the correct server."""
    variants = of_chapter(chapter)
    cases = {variant.name: cases_named(made_for()[variant.name]) for variant in variants}
    async with bench() as stand:
        correct = await stand.judge(cases_named(*(made_for()[one.name] for one in variants)))
        assert [result for result in correct if result.verdict is not Verdict.PASS] == []
        passed = []
        for variant in variants:
            (result,) = await stand.judge(cases[variant.name], variant)
            if result.verdict is not Verdict.FAIL:
                passed.append((variant.name, result.case.id, result.verdict, result.why))
        assert passed == []


def test_each_broken_server_has_a_case_made_for_it() -> None:
    """A case of its chapter that is in the catalogue."""
    assert set(made_for()) == {variant.name for variant in VARIANTS}
    for variant in VARIANTS:
        (case,) = cases_named(made_for()[variant.name])
        assert (case.id, case.chapter) == (made_for()[variant.name], variant.chapter)


def test_the_page_has_each_broken_server() -> None:
    """In their order, with the sentence and the case that the code has."""
    page = PAGE.read_text()
    rows = read_rows(page)
    assert rows == [row_of(one, row.others) for one, row in zip(VARIANTS, rows, strict=True)]
    assert count_in_words() in page
