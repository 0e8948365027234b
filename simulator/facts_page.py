"""
What was measured of a recording as one self-contained page: figures, verdicts, charts.

No script, no library and no network: a file that can be mailed. What the
figures are is `simulator.facts`' subject.
"""

from __future__ import annotations

from html import escape
from importlib import resources
from string import Template

import numpy as np

from simulator.charts import Chart
from simulator.facts import CROSS_SECTION, FIGURES, Figure, Measured, Verdict, autocorrelation

__all__ = ["page", "value_text"]

_LAGS = 60
_BIN_MINUTES = 15
_HOURS = [(60 * hour - 555.0, f"{hour}:00") for hour in (10, 11, 12, 13, 14, 15)]
_EMPTY = "<p class=empty>The recording does not tell it.</p>"
_MARKS = {Verdict.PASS: "✓", Verdict.OUTSIDE: "✗", Verdict.NOT_JUDGED: "–"}


def page(measured: Measured, title: str) -> str:
    """Return the page; ``title`` names the recording."""
    template = resources.files("simulator").joinpath("pages/facts.html").read_text("utf-8")
    outside = measured.outside
    verdict = (
        "Every figure that can be judged lies where those of real days lie."
        if not outside
        else f"{len(outside)} of {len(FIGURES)} figures lie outside the range of real days."
    )
    few = len(measured.stocks) < CROSS_SECTION
    return Template(template).substitute(
        title=escape(title),
        day=f"{measured.day:%A} {measured.day}",
        rows=f"{measured.rows:,}",
        instruments=f"{measured.instruments:,}",
        stocks=len(measured.stocks),
        verdict=verdict,
        verdict_mark="outside" if outside else "pass",
        few=f"Figures over all stocks are judged from {CROSS_SECTION} stocks on." if few else "",
        figures="\n".join(_figure_row(figure, measured) for figure in FIGURES),
        paths=_paths(measured, wide=True),
        narrow_paths=_paths(measured, wide=False),
        volume=_over_the_day(measured, "volume"),
        volatility=_over_the_day(measured, "return"),
        distribution=_distribution(measured),
        autocorrelation=_autocorrelation(measured),
    )


def value_text(figure: Figure, value: float | None) -> str:
    """Return a figure's value for people."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if figure.is_count else f"{value:.3f}"


def _figure_row(figure: Figure, measured: Measured) -> str:
    value, verdict = measured.values[figure.name], measured.verdict(figure)
    mark = verdict.value.replace(" ", "-")
    span = "none" if figure.is_count else f"{figure.least:g} to {figure.most:g}"
    gauge = "" if figure.is_count or value is None else _gauge(figure, value, mark)
    return (
        f'<tr class="{mark}"><th scope="row">{escape(figure.meaning)}</th>'
        f"<td class=number>{value_text(figure, value)}</td>"
        f"<td class=gauge>{gauge}</td><td class=range>{span}</td>"
        f'<td class=verdict><span title="{verdict.value}">{_MARKS[verdict]}</span></td></tr>'
    )


def _gauge(figure: Figure, value: float, mark: str) -> str:
    """Return a small bar: the range of real days, and where the value lies."""
    width = figure.most - figure.least
    low, high = figure.least - width / 2, figure.most + width / 2
    at = 100 * min(max((value - low) / (high - low), 0.02), 0.98)
    return (
        '<svg viewBox="0 0 100 12" aria-hidden="true"><rect class="rail" y="5" width="100" '
        'height="2" rx="1"/><rect class="band" x="25" y="2" width="50" height="8" rx="2"/>'
        f'<circle class="{mark}" cx="{at:.1f}" cy="6" r="4"/></svg>'
    )


def _paths(measured: Measured, *, wide: bool) -> str:
    minutes = measured.minutes
    changes = (minutes.prices / minutes.prices[:, :1] - 1) * 100
    nifty = None if minutes.nifty is None else (minutes.nifty / minutes.nifty[0] - 1) * 100
    low, high, ticks = _axis(float(changes.min()), float(changes.max()))
    chart = Chart((0, 375), (low, high), "Price of each stock over the day", wide=wide)
    chart.grid(_HOURS, [(tick, f"{tick:+g} %" if tick else "0") for tick in ticks])
    places = minutes.first + np.arange(changes.shape[1])
    shown = slice(None) if wide else slice(None, None, 3)
    for symbol, change in zip(measured.stocks, changes, strict=True):
        points = list(zip(places[shown].tolist(), change[shown].tolist(), strict=True))
        chart.line(points, "path", f"{symbol} {change[-1]:+.2f} %")
    if nifty is not None:
        points = list(zip(places[shown].tolist(), nifty[shown].tolist(), strict=True))
        chart.line(points, "nifty", f"NIFTY 50 {nifty[-1]:+.2f} %")
    return chart.svg()


def _over_the_day(measured: Measured, what: str) -> str:
    minutes = measured.minutes
    of_minutes = minutes.volumes if what == "volume" else abs(minutes.returns)
    trading = of_minutes[of_minutes.mean(1) > 0]
    if not len(trading):
        return _EMPTY
    shape = (trading / trading.mean(1, keepdims=True)).mean(0)
    bins = [
        (
            minutes.first + start + _BIN_MINUTES / 2,
            float(shape[start : start + _BIN_MINUTES].mean()),
        )
        for start in range(0, len(shape) - _BIN_MINUTES + 1, _BIN_MINUTES)
    ]
    end = minutes.first + len(shape)
    spans = {"opening": (0, 15), "midday": (120, 240), "closing": (end - 15, end)}
    ranges = {f.name: (f.least, f.most) for f in FIGURES}
    accepted = [(span, ranges[f"{what}_{part}"]) for part, span in spans.items()]
    top = max([value for _, value in bins] + [most for _, (_, most) in accepted])
    _, high, ticks = _axis(0, top)
    chart = Chart((0, 375), (0, high), f"Mean {what} of each quarter of an hour")
    chart.grid(_HOURS, [(tick, f"{tick:g}") for tick in ticks])
    chart.bars(bins, _BIN_MINUTES - 3, "bar")
    for span, accept in accepted:
        chart.band(span, accept)
    return chart.svg()


def _distribution(measured: Measured) -> str:
    returns = measured.minutes.returns
    moving = returns[returns.std(1) > 0]
    if not len(moving):
        return _EMPTY
    standard = ((moving - moving.mean(1, keepdims=True)) / moving.std(1, keepdims=True)).ravel()
    edges = np.arange(-8, 8.01, 0.5)
    counts, _ = np.histogram(standard, edges)
    density = counts / len(standard) / 0.5
    middles = (edges[:-1] + edges[1:]) / 2
    low = -5.0
    chart = Chart((-8, 8), (low, 0), "Distribution of returns beside the normal distribution")
    chart.grid(
        [(value, f"{value:+d} σ" if value else "0") for value in range(-6, 7, 3)],
        [(power, text) for power, text in zip(range(-5, 1), _POWERS, strict=True)],
    )
    places = np.linspace(-4.7, 4.7, 95)
    normal = -(places**2) / 2 / np.log(10) - np.log10(np.sqrt(2 * np.pi))
    chart.line(list(zip(places.tolist(), normal.tolist(), strict=True)), "normal")
    told = density > 0
    logs = np.log10(density[told])
    chart.dots(list(zip(middles[told].tolist(), logs.tolist(), strict=True)), "dot")
    return chart.svg()


_POWERS = ("10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1")


def _autocorrelation(measured: Measured) -> str:
    returns = measured.minutes.returns
    moving = returns[returns.std(1) > 0]
    if not len(moving):
        return _EMPTY
    plain, absolute = (
        [(lag, float(np.median(autocorrelation(series, lag)))) for lag in range(1, _LAGS + 1)]
        for series in (moving, abs(moving))
    )
    values = [value for _, value in plain + absolute]
    low, high, ticks = _axis(min(-0.15, *values), max(0.35, *values))
    chart = Chart((0, _LAGS + 1), (low, high), "Autocorrelation of returns by lag in minutes")
    chart.grid(
        [(1, "1 min"), *((lag, str(lag)) for lag in (15, 30, 45, 60))],
        [(t, f"{t:g}") for t in ticks],
    )
    ranges = {f.name: (f.least, f.most) for f in FIGURES}
    for lag in (1, 5, 60):
        chart.band((lag - 0.9, lag + 0.9), ranges[f"absolute_{lag}"])
    chart.bars(plain, 0.6, "plain")
    chart.line(absolute, "absolute")
    return chart.svg()


def _axis(least: float, most: float) -> tuple[float, float, list[float]]:
    """Return round ends of an axis, and up to seven round values on it."""
    span = max(most - least, 1e-6)
    power = 10.0 ** np.floor(np.log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first, last = int(np.floor(least / step + 1e-9)), int(np.ceil(most / step - 1e-9))
    ticks = [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]
    return ticks[0], ticks[-1], ticks
