"""
Bar charts as SVG: plain, and readable on a light page and on a dark one.

Text and lines have the reader's colours where the page tells them
(``prefers-color-scheme``), and a grey that both grounds bear where it does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH = 760
LABEL_WIDTH = 270
FIGURE_WIDTH = 110
BAR_HEIGHT = 20
GAP = 8
TITLE_HEIGHT = 34

_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#555}.title{font-weight:600}"
    ".ours{fill:#2a78c8}.other{fill:#9aa4ae}"
    "@media(prefers-color-scheme:dark){text{fill:#c4cad0}.ours{fill:#5aa2ee}.other{fill:#6c757e}}"
)


class Bar(NamedTuple):
    """One figure; ``ours`` is drawn in another colour than those beside it."""

    label: str
    value: float
    ours: bool = False


class Chart(NamedTuple):
    """Bars under a title; with ``log``, their lengths are those of the logarithms."""

    title: str
    bars: Sequence[Bar]
    log: bool = False


def figure(value: float) -> str:
    """Return a figure with three digits that matter."""
    if abs(value) >= 1000:
        digits = 2 - math.floor(math.log10(abs(value)))
        return f"{round(value, digits):,.0f}"
    return f"{value:.3g}"


def svg(chart: Chart) -> str:
    """Return a chart as the text of an SVG file."""
    height = TITLE_HEIGHT + len(chart.bars) * (BAR_HEIGHT + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(chart.title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="0" y="18">{escape(chart.title)}</text>',
    ]
    room = WIDTH - LABEL_WIDTH - FIGURE_WIDTH
    longest = max(_length(chart, bar.value) for bar in chart.bars) or 1.0
    for number, bar in enumerate(chart.bars):
        top = TITLE_HEIGHT + number * (BAR_HEIGHT + GAP)
        width = max(room * _length(chart, bar.value) / longest, 1.0)
        kind = "ours" if bar.ours else "other"
        middle = top + BAR_HEIGHT - 5
        lines += [
            f'<text x="{LABEL_WIDTH - 8}" y="{middle}" text-anchor="end">{escape(bar.label)}'
            "</text>",
            f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{top}" width="{width:.1f}" '
            f'height="{BAR_HEIGHT}" rx="2"/>',
            f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{middle}">{figure(bar.value)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _length(chart: Chart, value: float) -> float:
    return math.log10(1 + max(value, 0.0)) if chart.log else max(value, 0.0)
