"""The table of the broken servers on the page about the suite: read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tests.conformance.reference.breaks import VARIANTS, Variant, made_for
from tests.guide.page import DOCS

PAGE: Final = DOCS / "conformance.md"
BEGIN: Final = "<!-- written by: python -m tests.conformance.matrix --write -->\n"
END: Final = "<!-- end of what is written -->\n"
HEAD: Final = "| variant | what it does wrong | case that catches it | others that fail too |"
MAX_OTHERS: Final = 6
NOT_JUDGED: Final = "not judged yet"


class Row(NamedTuple):
    """One broken server, as the page has it."""

    variant: str
    sentence: str
    case: str
    others: str


def row_of(variant: Variant, others: str) -> Row:
    """Return the row of a variant; ``others`` is known by those who judged it alone."""
    return Row(f"`{variant.name}`", variant.sentence, made_for().get(variant.name, ""), others)


def others_in_words(variant: Variant, failed: Sequence[str]) -> str:
    """Name the failed cases that are not the one made for it, its own chapter's first."""
    families: dict[str, list[str]] = {}
    for case in failed:
        if case != made_for().get(variant.name):
            families.setdefault(case.partition(".")[0], []).append(case)
    names = [
        members[0] if len(members) == 1 else f"{family}.* ({len(members)})"
        for family, members in families.items()
    ]
    names.sort(key=lambda name: not name.startswith(f"{variant.chapter}-"))
    told = ", ".join(names[:MAX_OTHERS])
    rest = len(names) - MAX_OTHERS
    return f"{told}, and {rest} more" if rest > 0 else told


def read_rows(page: str) -> list[Row]:
    """Return the rows of the page's table."""
    lines = _between(page)[1].partition(HEAD)[2].splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    return [Row(*(cell.strip() for cell in row.strip("|").split(" |"))) for row in rows]


def with_outcomes(page: str, failed: Mapping[str, Sequence[str]]) -> str:
    """
    Return the page with its table written anew.

    Args:
        page: The page as it is; rows of variants that were not judged keep their last column.
        failed: The failed cases of each variant that was judged.

    """
    known = {row.variant.strip("`"): row.others for row in read_rows(page)}
    rows = [
        row_of(
            one,
            others_in_words(one, failed[one.name])
            if one.name in failed
            else known.get(one.name, NOT_JUDGED),
        )
        for one in VARIANTS
    ]
    before, _, after = _between(page)
    return f"{before}{BEGIN}\n{count_in_words()}\n\n{_table(rows)}\n{END}{after}"


def count_in_words() -> str:
    """Say how many there are, and how many cases are made for them."""
    cases = {made_for()[one.name] for one in VARIANTS if one.name in made_for()}
    return f"{len(VARIANTS)} broken servers, caught by {len(cases)} cases:"


def _table(rows: Iterable[Row]) -> str:
    lines = [HEAD, "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _between(page: str) -> tuple[str, str, str]:
    before, begin, rest = page.partition(BEGIN)
    written, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN.strip()} … {END.strip()}")
    return before, written, after
