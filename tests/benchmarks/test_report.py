"""The page of figures: goals, notes, tables and charts from what was measured."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.benchmarks import _report
from tests.benchmarks._command import at_least, at_most, is_met
from tests.benchmarks._svg import Bar, Chart, figure, svg


def answer(*goals: dict[str, Any]) -> dict[str, Any]:
    """Return what a benchmark prints, as far as the page needs it."""
    where = {
        "processor": "P", "cores": 2, "load_before": 0.1, "system": "S", "python": "3",
        "versions": {"isal": "1"},
    }  # fmt: skip
    kb = {"odin-streamer": 12.0, "library": 10.0}
    return {"machine": where, "workload": {"rounds": 3}, "kb": kb, "goals": list(goals)}


NOTES = _report.read_notes(
    "# Notes\n\nfor readers of this file\n\n## memory: idle\n\nBecause.\n\n## memory\n\nAlways.\n"
)


def written(*goals: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the page of one benchmark, and its charts."""
    return _report.page(
        {"memory": answer(*goals)}, NOTES, lambda name, found: "TABLE", lambda name: "ABOUT"
    )


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (at_least("a", 2, 2.0), True),
        (at_least("a", 2, 1.99), False),
        (at_most("a", 2, 2.0), True),
        (at_most("a", 2, 2.01), False),
    ],
)
def test_a_goal_is_met_at_its_bound(goal: dict[str, Any], met: bool) -> None:
    """A figure that is exactly what was wanted is good enough, the next worse one is not."""
    assert is_met(goal) is met


def test_each_goal_has_a_row_that_says_whether_it_is_met() -> None:
    """The first table names what was wanted, what was measured, and how many are met."""
    text, _ = written(at_most("idle", 16, 26.8, "KB"), at_least("more", 2, 3))
    assert "| [memory](#memory) | idle | ≤ 16 KB | 26.8 KB | **not met** |" in text
    assert "| [memory](#memory) | more | ≥ 2x | 3x | met |" in text
    assert "1 of 2 are met" in text


def test_a_note_stands_with_the_goal_that_it_is_about_while_that_is_missed() -> None:
    """Text about a goal goes when the goal is met; text about a benchmark stays."""
    missed, _ = written(at_most("idle connection", 16, 26.8, "KB"))
    met, _ = written(at_most("idle connection", 16, 12, "KB"))
    assert "**idle.** Because." in missed
    assert "Because." not in met
    assert "Always." in missed
    assert "Always." in met


def test_a_missed_goal_without_a_note_is_named() -> None:
    """Whoever writes the page is told of what nobody has explained."""
    goals = [at_most("busy", 1, 2), at_most("idle", 1, 2), at_most("fine", 2, 1)]
    assert _report.unexplained({"latency": answer(*goals)}, NOTES) == [
        "latency: busy",
        "latency: idle",
    ]


def test_figures_of_the_tables_and_charts_of_the_page_are_those_measured() -> None:
    """The page shows what the benchmark prints and links to charts that are written with it."""
    text, files = written()
    assert "```text\nTABLE\n```" in text
    assert "(performance/memory-1.svg)" in text
    assert list(files) == ["memory-1.svg"]
    assert "12" in files["memory-1.svg"]


def test_a_chart_is_xml_with_bars_as_long_as_their_figures() -> None:
    """The longest figure fills the room, one half as large half of it."""
    drawn = svg(Chart("a < b", [Bar("us & them", 4.0, True), Bar("half", 2.0)]))
    bars = [e for e in ElementTree.fromstring(drawn).iter() if e.tag.endswith("rect")]
    longest, half = (float(bar.attrib["width"]) for bar in bars)
    assert half == pytest.approx(longest / 2, abs=0.1)
    assert [bar.attrib["class"] for bar in bars] == ["ours", "other"]


@pytest.mark.parametrize(
    ("value", "text"), [(1_234_567, "1,230,000"), (1000, "1,000"), (12.345, "12.3"), (0.5, "0.5")]
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    """More digits than three would promise what no run gives."""
    assert figure(value) == text


def test_the_page_is_the_one_of_the_figures_beside_it() -> None:
    """docs/performance.md tells of every benchmark whose figures are kept, and explains misses."""
    names = sorted(path.stem for path in _report.FOLDER.glob("*.json"))
    answers = _report.read(_report.FOLDER, names)
    text = _report.PAGE.read_text()
    for name, found in answers.items():
        assert f"\n## {name}\n" in text
        for goal in found["goals"]:
            assert f"| {goal['what']} |" in text
    notes = _report.read_notes((_report.FOLDER / _report.NOTES).read_text())
    assert _report.unexplained(answers, notes) == []
    assert json.dumps(answers)
