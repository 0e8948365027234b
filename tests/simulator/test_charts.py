from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from simulator.charts import Chart

FINITE = st.floats(-1e6, 1e6)


@given(points=st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=20))
def test_marks_stay_within_the_chart(points: list[tuple[float, float]]) -> None:
    """Whatever the values, the chart is well-formed and nothing is drawn outside it."""
    chart = Chart((-10, 10), (0, 5), "a < b & c")
    chart.grid([(0, "<0>")], [(5, "5")])
    chart.line(points, "path", "A & B")
    chart.dots(points, "dot")
    chart.bars(points, 1, "bar")
    chart.band((0, 1), (1, 2))
    root = ElementTree.fromstring(chart.svg())
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    path = next(e.attrib["d"] for e in root if e.attrib.get("class") == "path")
    for x, y in re.findall(r"([\d.]+) ([\d.]+)", path):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height


def test_up_is_more_and_right_is_later() -> None:
    """Larger values are higher, later ones further right; a bar ends at its value."""
    chart = Chart((0, 10), (0, 10), "x")
    chart.dots([(1, 1), (9, 9)], "dot")
    chart.bars([(5, 10)], 2, "bar")
    root = ElementTree.fromstring(chart.svg())
    low, high = (e.attrib for e in root if e.tag == "circle")
    assert float(low["cx"]) < float(high["cx"])
    assert float(low["cy"]) > float(high["cy"])
    (bar,) = (e.attrib for e in root if e.tag == "rect")
    assert float(bar["y"]) == 12
    assert float(bar["y"]) + float(bar["height"]) == 250
