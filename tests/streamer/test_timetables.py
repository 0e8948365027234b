"""Which phase begins when, for stocks with derivatives and for the others."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from streamer.calendar import TradingCalendar
from streamer.ist import NS_PER_SECOND, clock_seconds
from streamer.timetables import REGULAR_WINDOW, Timetable, timetable_at

TIMETABLES = TradingCalendar.bundled().timetables
CLASSIC, AUGUST, SEPTEMBER, DECEMBER = TIMETABLES


def day_of(timetable: Timetable, *, derivatives: bool) -> list[tuple[str, str]]:
    """The phases of a day with their begin, closed times included."""
    told, end = [], 0
    for span in timetable.spans(derivatives=derivatives):
        told += [("closed", end)] * (span.begin > end) + [(span.phase, span.begin)]
        end = span.end
    seconds = [(phase, ns // NS_PER_SECOND) for phase, ns in (*told, ("closed", end))]
    return [(phase, f"{second // 3600:02d}:{second % 3600 // 60:02d}") for phase, second in seconds]


@pytest.mark.parametrize("timetable", TIMETABLES)
def test_others_trade_to_the_end_of_the_session(timetable: Timetable) -> None:
    """No timetable moves the session of stocks without derivatives."""
    assert day_of(timetable, derivatives=False) == [
        ("closed", "00:00"),
        ("pre_open", "09:00"),
        ("open", "09:15"),
        ("closed", "15:30"),
        ("post_close", timetable.post_close[0]),
        ("closed", "16:00"),
    ]


@pytest.mark.parametrize(
    ("timetable", "stop", "end"),
    [(AUGUST, "15:15", "15:35"), (SEPTEMBER, "15:15", "15:35"), (DECEMBER, "15:30", "15:40")],
)
def test_stocks_with_derivatives_end_in_an_auction(
    timetable: Timetable, stop: str, end: str
) -> None:
    """From the end of continuous trading until the orders are matched."""
    assert day_of(timetable, derivatives=True) == [
        ("closed", "00:00"),
        ("pre_open", "09:00"),
        ("open", "09:15"),
        ("closing_auction", stop),
        ("closed", end),
        ("post_close", "15:50"),
        ("closed", "16:00"),
    ]


def test_before_august_2026_all_stocks_are_alike() -> None:
    """The classic day has no auction, and its post-close begins earlier."""
    assert CLASSIC.spans(derivatives=True) == CLASSIC.spans(derivatives=False)
    assert CLASSIC.post_close == ("15:40", "16:00")


@pytest.mark.parametrize("timetable", TIMETABLES)
def test_no_two_phases_at_once(timetable: Timetable) -> None:
    """Spans are in order, none is empty, and continuous trading stays within the session."""
    begin, end = (clock_seconds(clock) * NS_PER_SECOND for clock in REGULAR_WINDOW)
    for derivatives in (False, True):
        spans = timetable.spans(derivatives=derivatives)
        assert all(span.begin < span.end for span in spans)
        assert all(one.end <= other.begin for one, other in pairwise(spans))
        [trading] = [span for span in spans if span.phase == "open"]
        assert begin == trading.begin < trading.end <= end


@pytest.mark.parametrize(
    ("day", "timetable"),
    [
        (date(2010, 10, 17), None),
        (date(2010, 10, 18), CLASSIC),
        (date(2026, 8, 2), CLASSIC),
        (date(2026, 8, 3), AUGUST),
        (date(2026, 9, 7), SEPTEMBER),
        (date(2026, 12, 6), SEPTEMBER),
        (date(2026, 12, 7), DECEMBER),
        (date(2030, 1, 1), DECEMBER),
    ],
)
def test_the_newest_in_force_holds(day: date, timetable: Timetable | None) -> None:
    """A timetable holds from its date until the next one's, in whatever order they are given."""
    assert timetable_at(reversed(TIMETABLES), day) == timetable
