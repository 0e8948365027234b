"""
Charts as inline SVG: axes, lines, bars and bands in a few hundred bytes, no library, no network.

A chart is built by adding marks in the units of its axes; colours and fonts are
the page's style sheet's, by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["Chart"]

_WIDTH, _HEIGHT = 520, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 12, 30


class Chart:
    """
    One chart with two axes.

    Args:
        x: Least and most of the horizontal axis.
        y: Least and most of the vertical axis.
        label: What it shows, for those who cannot see it.
        wide: Twice as wide as high.

    """

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], label: str, *, wide: bool = False
    ) -> None:
        self._x, self._y = x, y
        self._label = label
        self._width = 2 * _WIDTH if wide else _WIDTH
        self._marks: list[str] = []

    def grid(self, x: Sequence[tuple[float, str]], y: Sequence[tuple[float, str]]) -> None:
        """Draw the lines of the axes at some values, with their texts."""
        bottom = _HEIGHT - _BOTTOM
        for value, text in y:
            at = self._at_y(value)
            self._marks.append(
                f'<path class="grid" d="M{_LEFT} {at}H{self._width - _RIGHT}"/>'
                f'<text x="{_LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{escape(text)}</text>'
            )
        for value, text in x:
            at = self._at_x(value)
            self._marks.append(
                f'<path class="grid" d="M{at} {bottom}v5"/>'
                f'<text x="{at}" y="{bottom + 20}" text-anchor="middle">{escape(text)}</text>'
            )

    def line(self, points: Sequence[tuple[float, float]], mark: str, title: str = "") -> None:
        """Draw a line through points; ``mark`` is its class."""
        path = "L".join(f"{self._at_x(x)} {self._at_y(y)}" for x, y in points)
        text = f"<title>{escape(title)}</title>" if title else ""
        self._marks.append(f'<path class="{mark}" d="M{path}">{text}</path>')

    def bars(self, points: Sequence[tuple[float, float]], width: float, mark: str) -> None:
        """Draw a bar from 0 to each value, centred at its place and ``width`` wide."""
        zero = self._at_y(max(self._y[0], 0.0))
        for x, y in points:
            left, right, end = self._at_x(x - width / 2), self._at_x(x + width / 2), self._at_y(y)
            top, height = min(end, zero), abs(end - zero)
            self._marks.append(
                f'<rect class="{mark}" x="{left}" y="{top}" width="{right - left:.1f}" '
                f'height="{height:.1f}" rx="1.5"/>'
            )

    def dots(self, points: Sequence[tuple[float, float]], mark: str) -> None:
        """Draw a dot at each point."""
        for x, y in points:
            self._marks.append(
                f'<circle class="{mark}" cx="{self._at_x(x)}" cy="{self._at_y(y)}" r="3"/>'
            )

    def band(self, x: tuple[float, float], y: tuple[float, float], mark: str = "band") -> None:
        """Shade a range: from one value to another, over a part of the axis."""
        left, right = self._at_x(x[0]), self._at_x(x[1])
        top, bottom = self._at_y(y[1]), self._at_y(y[0])
        self._marks.append(
            f'<rect class="{mark}" x="{left}" y="{top}" width="{right - left:.1f}" '
            f'height="{bottom - top:.1f}" rx="2"/>'
        )

    def svg(self) -> str:
        """Return the chart as an SVG element."""
        return (
            f'<svg viewBox="0 0 {self._width} {_HEIGHT}" role="img" '
            f'aria-label="{escape(self._label)}">{"".join(self._marks)}</svg>'
        )

    def _at_x(self, value: float) -> float:
        share = (value - self._x[0]) / (self._x[1] - self._x[0])
        return round(_LEFT + min(max(share, 0.0), 1.0) * (self._width - _LEFT - _RIGHT), 1)

    def _at_y(self, value: float) -> float:
        share = (value - self._y[0]) / (self._y[1] - self._y[0])
        return round(_HEIGHT - _BOTTOM - min(max(share, 0.0), 1.0) * (_HEIGHT - _TOP - _BOTTOM), 1)
