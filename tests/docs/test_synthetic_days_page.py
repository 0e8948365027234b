"""The page on synthetic days lists what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.cli import cli
from simulator.defects import LATE_SHARE, STALE_SHARE
from simulator.facts import CROSS_SECTION, FIGURES, MOST_STOCKS, Figure
from simulator.profiles import CALL_MINUTES, HALT_MINUTES, PROFILES, REST_OF_DAY
from simulator.timetables import timetables
from simulator.universe import FIRST_MADE_UP_TOKEN, LIQUIDITY_CLASSES
from simulator.universe import MOST_STOCKS as MOST_MADE
from simulator.universe_files import COLUMNS
from streamer.timetables import REGULAR_WINDOW, Timetable

PAGE = (Path(__file__).parents[2] / "docs" / "synthetic-days.md").read_text(encoding="utf-8")


def table(section: str, header: str) -> list[str]:
    """The rows of the table below a heading that has this header."""
    found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    lines = found.group(1).splitlines()
    start = lines.index(header) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append(line)
    return rows


def span(times: tuple[str, str] | None) -> str:
    """Two times of day, or none."""
    return "none" if times is None else "-".join(times)


def timetable_row(timetable: Timetable) -> str:
    """A timetable as the page has it."""
    return (
        f"| `{timetable.name}` | {timetable.effective_from} | {span(timetable.pre_open)} | "
        f"{REGULAR_WINDOW[0]}-{timetable.derivatives_close} | {span(timetable.auction)} | "
        f"{span(REGULAR_WINDOW)} | {span(timetable.post_close)} |"
    )


def figure_row(figure: Figure) -> str:
    """A figure as the page has it."""
    accepted = "none" if figure.is_count else f"{figure.least:g} to {figure.most:g}"
    return f"| `{figure.name}` | {figure.meaning} | {accepted} |"


def halt_row(level: int) -> str:
    """A level of the circuit breaker as the page has it."""
    lengths = (
        {REST_OF_DAY: "rest of the day", 0: "no halt"}.get(minutes, f"{minutes} min")
        for minutes in HALT_MINUTES[level]
    )
    return f"| {level} % | {' | '.join(lengths)} |"


TABLES = {
    ("Profiles", "| profile | what it is | what it guarantees |"): [
        f"| `{p.name}` | {p.summary} | {p.guarantees} |" for p in PROFILES.values()
    ],
    ("Profiles", "| level | before 13:00 | before 14:00 | before 14:30 | later |"): [
        halt_row(level) for level in HALT_MINUTES
    ],
    (
        "Timetables",
        "| timetable | from | pre-open | with derivatives | auction | without | post-close |",
    ): [timetable_row(timetable) for timetable in timetables()],
    ("Facts", "| figure | meaning | real days |"): [figure_row(figure) for figure in FIGURES],
    ("Universes", "| rank | trades a day, median | derivatives |"): [
        f"| to {c.last_rank:,} | {c.trades:,} | {'yes' if c.derivatives else 'no'} |"
        for c in LIQUIDITY_CLASSES
    ],
    ("Universes", "| column | meaning |"): [f"| `{n}` | {text} |" for n, text in COLUMNS.items()],
}


@pytest.mark.parametrize("place", TABLES, ids=lambda place: place[0])
def test_tables_are_the_codes(place: tuple[str, str]) -> None:
    """Each table has the entries of the code, in their order and words."""
    assert table(*place) == TABLES[place]


def test_numbers_are_the_codes() -> None:
    """Limits and shares on the page are those of the code."""
    assert f"a number from 1 to {MOST_MADE:,}" in PAGE
    assert f"tokens from {FIRST_MADE_UP_TOKEN + 51} on" in PAGE
    assert f"{LATE_SHARE:.1%}".replace("%", " %") + " come a second late" in PAGE
    assert f"{STALE_SHARE:.1%}".replace("%", " %") + " bring the volume" in PAGE
    assert f"judged from {CROSS_SECTION} stocks on" in PAGE
    assert MOST_STOCKS == 50
    assert f"a call of {CALL_MINUTES} minutes" in PAGE


def test_options_on_the_page_exist() -> None:
    """Each option that the page names is one of the commands'."""
    helps = "".join(
        CliRunner().invoke(cli, [command, "--help"]).output for command in ("synth", "facts")
    )
    for option in set(re.findall(r"--[a-z]+", PAGE)):
        assert option in helps
