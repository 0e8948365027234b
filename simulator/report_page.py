"""
The report of a run as one self-contained page: figures, charts of lateness, faults.

No script, no library and no network: a file that can be mailed. The figures
are those of `simulator.report`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from simulator.charts import Chart
from simulator.circumstances import Circumstances, FaultEvent
from simulator.lateness import Lateness, Stretch
from simulator.report import Outcome, Standing, speed_text, summary_lines

__all__ = ["page"]

_MS = 1_000_000
_SECOND = 1_000_000_000
_BINS_PER_DECADE = 5
# One update in a hundred thousand is the lowest share that is drawn.
_SHARES = ("0.001 %", "0.01 %", "0.1 %", "1 %", "10 %", "100 %")
_NOTHING_LATE = "<p class=empty>Nothing was due at a moment, so nothing was late.</p>"
_DATA = {
    True: "Simulated data: no price in it was ever traded.",
    False: "Recorded data.",
    None: "Whether the data are simulated, the recording does not say.",
}
_MARKS = {Outcome.COMPLETED: "good", Outcome.FAILED: "bad"}


def page(
    now: Standing,
    circumstances: Circumstances,
    stretches: Sequence[Stretch],
    *,
    exit_status: int | None = None,
) -> str:
    """
    Return the page.

    Args:
        now: How the run ended, or stands.
        circumstances: Under which it ran.
        stretches: How late it was in the course of time, as `LatenessPath` has it.
        exit_status: None while it is held up.

    """
    template = resources.files("simulator").joinpath("pages/report.html").read_text("utf-8")
    files = [Path(name).name for name in now.recording]
    what = " and ".join(files) if len(files) < 3 else f"{len(files)} files"
    status = "held up" if exit_status is None else f"exit status {exit_status}"
    return Template(template).substitute(
        title=escape(f"Replay of {what}" if files else "A live market"),
        speed=escape(speed_text(now.speed)),
        data=_DATA[circumstances.simulated],
        data_mark="simulated" if circumstances.simulated else "told",
        outcome=escape(str(now.outcome)),
        outcome_mark=_MARKS.get(now.outcome, "cut"),
        why=escape(now.why),
        status=status,
        tiles="\n".join(_tile(name, value) for name, value in _figures(now)),
        histogram=_histogram(now.lateness),
        course=_course(stretches, circumstances.faults, now.actual_ns, wide=True),
        narrow_course=_course(stretches, circumstances.faults, now.actual_ns, wide=False),
        faults=_faults(circumstances),
        details="\n".join(_row(name, value) for name, value in _details(now, circumstances)),
    )


def _figures(now: Standing) -> list[tuple[str, str]]:
    late = now.lateness
    rate = now.updates * _SECOND / now.actual_ns if now.actual_ns else 0.0
    figures = [
        ("updates played", f"{now.updates:,}"),
        ("updates a second", f"{rate:,.0f}"),
        ("wanted", "–" if now.wanted_ns is None else _seconds_text(now.wanted_ns)),
        ("actual", _seconds_text(now.actual_ns)),
    ]
    for name, share in (("p50 late", 0.5), ("p99 late", 0.99), ("latest", 1.0)):
        value = late.quantile_ns(share)
        figures.append((name, "–" if value is None else _time_text(value)))
    return figures


def _tile(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _details(now: Standing, circumstances: Circumstances) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {number}" for name, number in circumstances.versions.items())
    return [
        *summary_lines(now),
        ("Speed", speed_text(now.speed)),
        *(("Recording", name) for name in now.recording),
        ("Command", circumstances.command),
        ("Versions", versions),
        ("Machine", circumstances.machine),
    ]


def _row(name: str, value: str) -> str:
    return f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'


def _histogram(lateness: Lateness) -> str:
    """Return bars of equal width on a logarithmic scale: which share was so late."""
    if not lateness.count:
        return _NOTHING_LATE
    counts: dict[int, int] = {}
    for bound, count in lateness.buckets():
        at = math.floor(_log(bound) * _BINS_PER_DECADE)
        counts[at] = counts.get(at, 0) + count
    low = min(counts) // _BINS_PER_DECADE
    high = max(max(counts) // _BINS_PER_DECADE + 1, low + 2)
    top = len(_SHARES) - 1
    chart = Chart((low, high), (0, top), "Share of the updates by how late they were")
    chart.grid(_decades(low, high), list(enumerate(_SHARES)))
    width = 1 / _BINS_PER_DECADE
    bars = [
        ((at + 0.5) * width, max(math.log10(count / lateness.count) + top, 0.04))
        for at, count in sorted(counts.items())
    ]
    chart.bars(bars, width * 0.86, "bar")
    for share, mark in ((0.5, "p50"), (0.99, "p99")):
        value = lateness.quantile_ns(share) or 0
        chart.line([(_log(value), 0), (_log(value), top)], mark, f"{mark} {_time_text(value)}")
    return chart.svg()


def _course(
    stretches: Sequence[Stretch], faults: Sequence[FaultEvent], lasted_ns: int, *, wide: bool
) -> str:
    """Return lines of p50, p99 and the worst over the run's real time."""
    if not stretches:
        return _NOTHING_LATE
    paths: dict[str, list[tuple[float, float]]] = {"worst": [], "p99": [], "p50": []}
    for stretch in stretches:
        late = stretch.lateness
        ends = stretch.start_ns / _SECOND, stretch.end_ns / _SECOND
        for mark, share in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0)):
            value = _log(late.quantile_ns(share) or 0)
            paths[mark] += [(ends[0], value), (ends[1], value)]
    values = [value for path in paths.values() for _, value in path]
    low = math.floor(min(values))
    high = max(math.ceil(max(values)), low + 2)
    last = max(lasted_ns, stretches[-1].end_ns) / _SECOND
    chart = Chart((0, last), (low, high), "Lateness over the run", wide=wide)
    chart.grid(_time_marks(last), _decades(low, high))
    for event in faults:
        if event.phase == "begins":
            at = event.after_ns / _SECOND
            chart.line([(at, low), (at, high)], "fault", event.fault)
    for mark, path in paths.items():
        chart.line(path, mark)
    return chart.svg()


def _faults(circumstances: Circumstances) -> str:
    if not circumstances.faults:
        return "<p class=empty>No fault happened.</p>"
    rows = "\n".join(
        f"<tr><td class=number>{escape(_clock(event.time))}</td>"
        f'<td class="number after">{event.after_ns / _SECOND:,.3f} s</td>'
        f"<td>{escape(event.phase)}</td><td class=name>{_breakable(event.fault)}</td></tr>"
        for event in circumstances.faults
    )
    more = circumstances.faults_left_out
    left_out = f"<p class=note>and {more:,} more that are not listed</p>" if more else ""
    return (
        "<table><thead><tr><th class=number>Simulated time</th><th class=after>After</th>"
        f"<th></th><th>Fault</th></tr></thead><tbody>\n{rows}\n</tbody></table>{left_out}"
    )


def _breakable(fault: str) -> str:
    """Return a planned fault with the places where a line may end."""
    return escape(fault).replace("@", "<wbr>@").replace(",", ",<wbr>").replace(":", ":<wbr>", 1)


def _clock(time: str) -> str:
    """Return the time of day of a moment."""
    return time[11:19]


def _log(ns: int) -> float:
    """Return the power of ten of a lateness; below a microsecond all is one."""
    return math.log10(max(ns, 1_000))


def _decades(low: int, high: int) -> list[tuple[float, str]]:
    return [(power, _time_text(10**power)) for power in range(low, high + 1)]


def _time_marks(last: float) -> list[tuple[float, str]]:
    """Return up to nine round moments of a run that lasted so many seconds."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200)
    step = next((step for step in steps if last / step <= 8), 14_400.0 * math.ceil(last / 115_200))
    marks = [number * step for number in range(math.floor(last / step + 1e-9) + 1)]
    return [(at, _elapsed_text(at)) for at in marks]


def _elapsed_text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min" if not rest else f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h"


def _seconds_text(ns: int) -> str:
    return f"{ns / _SECOND:,.3f} s"


def _time_text(ns: int) -> str:
    """Return a lateness for people, to three figures."""
    if ns >= _SECOND:
        return f"{ns / _SECOND:.3g} s" if ns < 1_000 * _SECOND else f"{ns / _SECOND:,.0f} s"
    return f"{ns / _MS:.3g} ms" if ns >= _MS else f"{ns / 1_000:.3g} µs"
