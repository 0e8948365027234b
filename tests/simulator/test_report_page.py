from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest

from simulator.circumstances import Circumstances, FaultEvent
from simulator.lateness import Lateness, Stretch
from simulator.report import Outcome
from simulator.report_page import page
from tests.guide.browser import Console, serving
from tests.simulator.browser_page import open_page
from tests.simulator.test_report import AT_MAX, PLAYED

MS = 1_000_000
FAULT = FaultEvent(
    after_ns=500 * MS, time="2025-09-04T09:15:30+05:30", phase="begins", fault="drop:share=0.1"
)
ALONE = Circumstances(
    command="odin-sim replay '<day>.parquet' --speed 60",
    versions={"odin-streamer": "1.2.3", "Python": "3.11.7"},
    machine="a machine, 2 cores",
    simulated=True,
)
WITH_FAULT = msgspec.structs.replace(ALONE, faults=[FAULT], faults_left_out=4)


def stretches() -> list[Stretch]:
    """Two stretches, of which the later is late."""
    made = []
    for number, late_ns in enumerate((200_000, 40 * MS)):
        late = Lateness()
        late.add(late_ns)
        made.append(Stretch(number * 500 * MS, (number + 1) * 500 * MS, late))
    return made


def charts(text: str) -> dict[str, ElementTree.Element]:
    """The charts of a page, by what they show."""
    found = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    return {chart.attrib["aria-label"]: chart for chart in found}


def marks(chart: ElementTree.Element, mark: str) -> list[ElementTree.Element]:
    """The marks of a chart that have a class."""
    return [element for element in chart if element.attrib.get("class") == mark]


def test_a_page_tells_what_the_summary_tells_and_under_which_circumstances() -> None:
    """Window, updates, durations, lateness, the end, the command, versions, simulated data."""
    text = page(PLAYED, WITH_FAULT, stretches(), exit_status=0)
    for told in (
        "Replay of day.parquet",
        "2025-09-04 09:15:00 to 2025-09-04 09:16:00 IST",
        "1,000 played, 990 sent on the feed, 10 replaced",
        "1.000 s wanted, 1.001 s actual",
        "p50 0.201 ms, p99 3.000 ms, max 3.000 ms",
        "completed: the whole window was replayed",
        "exit status 0",
        "odin-sim replay &#x27;&lt;day&gt;.parquet&#x27; --speed 60",
        "odin-streamer 1.2.3, Python 3.11.7",
        "a machine, 2 cores",
        "Simulated data: no price in it was ever traded.",
        "and 4 more that are not listed",
    ):
        assert told in text, told


class _Reader(HTMLParser):
    """Notes what a page would load, and what would run in it."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "meta" and told.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(told["content"] or "")
        if tag in ("script", "link", "img", "iframe", "object", "embed", "base", "form"):
            self.loads.append(tag)
        self.loads += [name for name in told if name in ("src", "href", "style", "xlink:href")]
        self.loads += [name for name in told if name.startswith("on")]


def test_a_page_is_self_contained() -> None:
    """It loads nothing, runs nothing, and its own policy forbids both."""
    text = page(PLAYED, WITH_FAULT, stretches(), exit_status=0)
    reader = _Reader()
    reader.feed(text)
    assert reader.loads == []
    assert reader.policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not re.search(r"https?://|url\(|@import|\$[a-z]", text)


def test_the_histogram_counts_every_update() -> None:
    """A bar stands where updates were that late, higher where there were more."""
    late = Lateness()
    late.add(15_000, times=9_000)
    late.add(2 * MS, times=1_000)
    text = page(msgspec.structs.replace(PLAYED, lateness=late), ALONE, [], exit_status=0)
    chart = charts(text)["Share of the updates by how late they were"]
    few_later = [
        (float(bar.attrib["x"]), float(bar.attrib["height"])) for bar in marks(chart, "bar")
    ]
    (many, few) = few_later
    assert many[0] < few[0]
    assert many[1] > few[1]
    (median,) = marks(chart, "p50")
    assert median.findtext("title") == "p50 15.1 µs"


def test_the_course_shows_when_it_was_late_and_when_faults_began() -> None:
    """The lines rise where the later stretch begins; a fault is a line across."""
    text = page(PLAYED, WITH_FAULT, stretches(), exit_status=0)
    chart = charts(text)["Lateness over the run"]
    (path,) = marks(chart, "p99")
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", path.attrib["d"])]
    assert heights[0] == heights[1] > heights[2] == heights[3]
    (fault,) = marks(chart, "fault")
    assert fault.findtext("title") == "drop:share=0.1"


@pytest.mark.parametrize(
    ("outcome", "mark"),
    [(Outcome.COMPLETED, "good"), (Outcome.FAILED, "bad"), (Outcome.INTERRUPTED, "cut")],
)
def test_how_it_ended_can_be_seen(outcome: Outcome, mark: str) -> None:
    """Good, bad and cut off look different."""
    text = page(msgspec.structs.replace(PLAYED, outcome=outcome), ALONE, [], exit_status=1)
    assert f'class="summary {mark}"' in text


def test_at_max_the_page_says_that_nothing_was_due() -> None:
    """There is no chart to draw, and no fault to list."""
    text = page(AT_MAX, msgspec.structs.replace(ALONE, simulated=None), [], exit_status=None)
    assert text.count("Nothing was due at a moment") == 3
    assert "No fault happened." in text
    assert "held up" in text
    assert "the recording does not say" in text
    assert not charts(text)


@pytest.mark.parametrize("lasted_s", [0.05, 1, 61, 900, 23_400, 200_000])
def test_a_run_of_any_length_has_an_axis(lasted_s: float) -> None:
    """Two to nine marks of time, each text once."""
    late = Lateness()
    late.add(0)
    run = [Stretch(0, int(lasted_s * 1_000 * MS), late)]
    now = msgspec.structs.replace(PLAYED, actual_ns=run[0].end_ns, lateness=late)
    chart = charts(page(now, ALONE, run))["Lateness over the run"]
    texts = [e.text for e in chart if e.attrib.get("text-anchor") == "middle"]
    assert 1 <= len(texts) <= 9
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("width", [1200, 390])
async def test_a_browser_shows_it_whole(width: int) -> None:
    """On a wide and on a narrow screen nothing is beyond the edge, and nothing is complained of."""
    command = "odin-sim replay " + "a-very-long-name" * 20
    circumstances = msgspec.structs.replace(WITH_FAULT, command=command)
    text = page(PLAYED, circumstances, stretches(), exit_status=0)
    with serving(text, Console()) as url:
        async with open_page(url) as shown:
            await shown.look(width=width, height=900)
            sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            wanted, there = await shown.value(sizes)
            assert wanted <= there
            seen = "[...document.querySelectorAll('svg')].filter((e) => e.checkVisibility()).length"
            assert await shown.value(seen) == 2
            assert shown.complaints == []
