"""``odin-streamer calendar``: what is known of dates, or of a month, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streamer.errors import OdinError

if TYPE_CHECKING:
    from rich.table import Table

    from streamer.calendar import TradingCalendar, TradingDay
    from streamer.timetables import Timetable

EXAMPLES: Final = """
\b
Examples:
  odin-streamer calendar 2025-10-21
  odin-streamer calendar 2025-10-20 2025-10-21 2025-10-22 --json
  odin-streamer calendar --month 2026-11

\b
Exit status:
  0  shown, also where a date is outside the calendar
  1  the file of --calendar cannot be used
  2  wrong usage
"""

_WEEK: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ORDINARY: Final = ("trading", "weekend")
"""The kinds of day that nobody looks for in a month."""

_MARKS: Final = {"trading": "", "weekend": "-", "holiday": "h", "special": "s", "muhurat": "m"}
"""What a narrow month has room for beside the number of a day."""

_HOURS_WIDTH: Final = 36


@click.command(epilog=EXAMPLES)
@click.argument("dates", nargs=-1, metavar="[DATE...]", type=click.DateTime(["%Y-%m-%d"]))
@click.option(
    "--month", type=click.DateTime(["%Y-%m"]), metavar="YYYY-MM", help="Show all days of a month."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array, for programs.")
@click.option(
    "--calendar",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="TOML file of more trading days.",
)
def calendar(
    dates: tuple[datetime, ...], month: datetime | None, as_json: bool, file: Path | None
) -> None:
    """
    Show when the market is open on each DATE (YYYY-MM-DD), in Indian Standard Time.

    With --month, draw the month: what is out of the ordinary in it, and the
    timetables that its ordinary days have.
    """
    from streamer.loading import trading_calendar

    if bool(dates) is (month is not None):
        found = "a DATE and --month" if dates else "no DATE"
        raise click.UsageError(f"Found {found}; expected either at least one DATE or --month.")
    try:
        trading = trading_calendar(file)
    except OdinError as error:
        raise click.ClickException(str(error)) from error
    wanted = [moment.date() for moment in dates] if month is None else _dates_of(month.date())
    days = [trading.day(day) for day in wanted]
    if as_json:
        told = [_as_json_dict(day, trading) for day in days]
        click.echo(json.dumps(told, separators=(",", ":")))
    elif month is None:
        click.echo("\n".join(_line(day, trading, _HOURS_WIDTH) for day in days))
    else:
        _draw(days, trading)


def _dates_of(first: date) -> list[date]:
    from calendar import monthrange

    last = monthrange(first.year, first.month)[1]
    return [first.replace(day=number) for number in range(1, last + 1)]


def _as_json_dict(day: TradingDay, trading: TradingCalendar) -> dict[str, object]:
    timetable = trading.timetable(day.date)
    told = day.as_json_dict()
    if timetable is not None and day.is_regular:
        told["timetable"] = timetable.name
    return told


def _line(day: TradingDay, trading: TradingCalendar, hours_width: int) -> str:
    """Return what is known of a day, on one line."""
    remarks = [day.name] if day.name else []
    if day.settlement_holiday:
        remarks.append(f"settlement holiday: {day.settlement_holiday}")
    if day.halts:
        spans = ", ".join(_span(halt.begin, halt.end) for halt in day.halts)
        remarks.append(f"halted {spans}")
    new = _new_timetable(day, trading)
    if new is not None:
        remarks.append(f"timetable {new.name} takes effect")
    if not day.known:
        remarks.append("outside the calendar: the weekday rule, no holiday is known")
    if not day.confirmed:
        remarks.append("hours not confirmed")
    line = f"{day.date}  {day.date:%a}  {day.kind:<8}  {day.hours or 'closed':<{hours_width}}"
    return f"{line}  {'; '.join(remarks)}".rstrip()


def _new_timetable(day: TradingDay, trading: TradingCalendar) -> Timetable | None:
    timetable = trading.timetable(day.date)
    return timetable if timetable and timetable.effective_from == day.date else None


def _draw(days: Sequence[TradingDay], trading: TradingCalendar) -> None:
    """Print a month as a table of weeks, and in words what the table has no room for."""
    from rich.console import Console

    unknown = "" if all(day.known for day in days) else ", if no weekday is a holiday"
    opened = sum(1 for day in days if day.sessions)
    click.echo(f"{days[0].date:%B %Y}: {opened} days with a session{unknown}")
    console = Console(highlight=False, markup=False)
    weeks = _weeks(days, trading)
    # A measure is never more than the width that it is taken for.
    unbounded = console.options.update(width=1000)
    if console.measure(weeks, options=unbounded).maximum <= console.width:
        console.print(weeks)
    else:
        click.echo("\n".join(_narrow_weeks(days)))
    lines = [""]
    told = [day for day in days if _is_remarkable(day, trading)]
    if told:
        width = max(len(day.hours or "closed") for day in told)
        # A day that is not known has its mark; the reason stands once, at the end.
        lines += [_line(day, trading, width) for day in told] + [""]
    click.echo("\n".join([*lines, *_timetable_lines(days, trading)]))


def _weeks(days: Sequence[TradingDay], trading: TradingCalendar) -> Table:
    from rich import box
    from rich.table import Table

    weeks = Table(box=box.ROUNDED, show_lines=True)
    for name in _WEEK:
        weeks.add_column(name, min_width=5, no_wrap=True)
    cells = [""] * days[0].date.weekday() + [_cell(day, trading) for day in days]
    for week in _by_week(cells):
        weeks.add_row(*week)
    return weeks


def _cell(day: TradingDay, trading: TradingCalendar) -> str:
    kind = {"trading": "", "weekend": "-"}.get(day.kind, day.kind)
    rows = [f"{day.date.day:>2} {kind}".rstrip() + ("" if day.known else " ?")]
    if day.kind not in _ORDINARY and day.sessions:
        rows += day.hours.removesuffix(" IST").replace(" - ", "-").split(", ")
    if not day.confirmed:
        rows.append("unconfirmed")
    if day.settlement_holiday:
        rows.append("unsettled")
    if day.halts:
        rows.append("halted")
    new = _new_timetable(day, trading)
    return "\n".join(rows if new is None else [*rows, new.name])


def _narrow_weeks(days: Sequence[TradingDay]) -> Iterator[str]:
    yield "".join(f"{name:>4} " for name in _WEEK).rstrip()
    marked = [_MARKS[day.kind] + ("" if day.known else "?") for day in days]
    cells = ["     "] * days[0].date.weekday()
    cells += [f"{day.date.day:>3}{mark:<2}" for day, mark in zip(days, marked, strict=True)]
    for week in _by_week(cells):
        yield "".join(week).rstrip()
    used = {day.kind: _MARKS[day.kind] for day in days if _MARKS[day.kind]}
    yield ", ".join(f"{mark} {kind}" for kind, mark in used.items())


def _by_week(cells: Sequence[str]) -> list[Sequence[str]]:
    return [cells[start : start + len(_WEEK)] for start in range(0, len(cells), len(_WEEK))]


def _is_remarkable(day: TradingDay, trading: TradingCalendar) -> bool:
    return (
        day.kind not in _ORDINARY
        or bool(day.settlement_holiday or day.halts)
        or _new_timetable(day, trading) is not None
    )


def _timetable_lines(days: Sequence[TradingDay], trading: TradingCalendar) -> Iterator[str]:
    for timetable in dict.fromkeys(trading.timetable(day.date) for day in days):
        if timetable is not None:
            yield f"Timetable {timetable.name}, in force since {timetable.effective_from} (IST)"
            yield from _phase_lines(timetable)
    if not all(day.known for day in days):
        first, last = trading.coverage
        yield (
            f"? outside the calendar, which covers {first} to {last}: "
            "the weekday rule, no holiday is known"
        )


def _phase_lines(timetable: Timetable) -> Iterator[str]:
    from streamer.ist import ist_midnight

    midnight = ist_midnight(timetable.effective_from)
    told = [
        {
            span.phase: _span(midnight + span.begin, midnight + span.end)
            for span in timetable.spans(derivatives=derivatives)
        }
        for derivatives in (True, False)
    ]
    yield f"  {'':<15}  {'with derivatives':<16}  others"
    # Stocks with derivatives have every phase that the others have.
    for phase, hours in told[0].items():
        yield f"  {phase:<15}  {hours:<16}  {told[1].get(phase, '-')}"


def _span(begin: int, end: int) -> str:
    from streamer.ist import ist_clock

    return " - ".join(ist_clock(moment).removesuffix(":00") for moment in (begin, end))
