"""Calendar files: what a file says is what the table holds, and a bad one is refused by place."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.calendar import CalendarTable, TradingCalendar, TradingDay
from streamer.calendar_files import bundled_table, load_calendar, parse_calendar
from streamer.errors import CalendarError
from streamer.ist import ist_clock
from tests.streamer.market_strategies import calendar_tables


def as_toml(table: CalendarTable) -> str:
    """Write a table as its author would."""
    assert table.coverage is not None
    first, last = table.coverage
    return "\n".join([f"coverage = [{first}, {last}]", *map(_entry, table.days.values())])


def _entry(day: TradingDay) -> str:
    rows = [f"date = {day.date}", f'name = "{day.name}"', f'source = "{day.source}"']
    if not day.sessions:
        return "\n".join(["[[holiday]]", *rows])
    windows = [[ist_clock(span.open), ist_clock(span.close)] for span in day.sessions]
    return "\n".join(
        ["[[session]]", *rows, f'kind = "{day.kind}"', f"windows = {json.dumps(windows)}"]
    )


@given(table=calendar_tables())
def test_reading_what_was_written_gives_the_table_back(table: CalendarTable) -> None:
    """Every day, its sessions to the second, and the coverage survive the file."""
    read = parse_calendar(as_toml(table), file=table.file)
    assert dict(read.days) == dict(table.days)
    assert read.coverage == table.coverage


def test_each_bundled_entry_has_a_name_and_a_source() -> None:
    """A fact without its source is no fact: no entry falls back on the name of the file."""
    for day in bundled_table().days.values():
        assert day.name
        assert day.source
        assert day.source != "calendar.toml"


def test_bundled_holidays_are_weekdays_in_order() -> None:
    """The bundled holidays are weekdays by rising date, so that a missing one is seen."""
    holidays = [day.date for day in bundled_table().days.values() if day.kind == "holiday"]
    assert holidays == sorted(holidays)
    assert all(day.weekday() < 5 for day in holidays)


def test_a_file_is_read_from_disk(tmp_path: Path) -> None:
    """A path gives the same table as its text."""
    path = tmp_path / "mine.toml"
    path.write_text('[[holiday]]\ndate = 2027-01-26\nname = "Republic Day"\n', encoding="utf-8")
    table = load_calendar(path)
    day = table.days[date(2027, 1, 26)]
    assert (day.kind, day.name, day.source) == ("holiday", "Republic Day", str(path))
    assert table.coverage is None


def test_a_trading_day_needs_no_windows() -> None:
    """An override can cancel a holiday by calling the day an ordinary one."""
    text = '[[session]]\ndate = 2026-11-24\nkind = "trading"\n'
    calendar = TradingCalendar.bundled().merged(parse_calendar(text, file="mine.toml"))
    assert calendar.day(date(2026, 11, 24)).as_json_dict() == {
        "date": "2026-11-24",
        "kind": "trading",
        "sessions": [["09:15:00", "15:30:00"]],
        "known": True,
    }


def test_timetables_halts_and_settlement_holidays_are_read() -> None:
    """Each has its effect on its date, those of the bundled table go on besides."""
    settled = '[[settlement_holiday]]\ndate = 2026-11-23\nname = "Guru"\n'
    auction = (
        'auction = ["15:31", "15:40"]\nauction_end = "15:41"\nreference = ["15:15", "15:30"]\n'
    )
    table = parse_calendar(HALT + settled + TIMETABLE + auction, file="mine.toml")
    calendar = TradingCalendar.bundled().merged(table)
    day = calendar.day(date(2026, 11, 23))
    assert [(ist_clock(halt.begin), ist_clock(halt.end)) for halt in day.halts] == [
        ("11:05:00", "12:05:00")
    ]
    assert day.settlement_holiday == "Guru"
    assert calendar.day(date(2020, 3, 13)).halts
    assert calendar.day(date(2026, 4, 1)).settlement_holiday
    names = [timetable.name for timetable in calendar.timetables]
    assert names == ["classic", "cas-2026-08", "cas-2026-08", "cas-2026-12", "spring"]
    spring = calendar.timetable(date(2027, 3, 1))
    assert spring is not None
    assert (spring.auction_end, spring.source) == ("15:41", "mine.toml")


def test_a_timetable_takes_the_place_of_another_of_its_date() -> None:
    """A date that moved, or hours that changed, can be corrected before the next release."""
    text = TIMETABLE.replace("2027-03-01", "2026-12-07")
    calendar = TradingCalendar.bundled().merged(parse_calendar(text, file="mine.toml"))
    timetable = calendar.timetable(date(2026, 12, 7))
    assert timetable is not None
    assert (timetable.name, timetable.auction) == ("spring", None)
    before = calendar.timetable(date(2026, 12, 6))
    assert before == TradingCalendar.bundled().timetable(date(2026, 12, 6))


def test_dates_may_be_written_as_text() -> None:
    """A quoted ISO date is a date too."""
    table = parse_calendar(
        'coverage = ["2027-01-01", "2027-12-31"]\n[[holiday]]\ndate = "2027-01-26"\nname = "R"\n',
        file="mine.toml",
    )
    assert list(table.days) == [date(2027, 1, 26)]
    assert table.coverage == (date(2027, 1, 1), date(2027, 12, 31))


SESSION = '[[session]]\ndate = 2026-11-08\nkind = "muhurat"\n'
HOLIDAY = '[[holiday]]\ndate = 2027-01-26\nname = "Republic Day"\n'

HALT = '[[halt]]\ndate = 2026-11-23\nwindows = [["11:05", "12:05"]]\n'
TIMETABLE = """
[[timetable]]
name = "spring"
effective_from = 2027-03-01
pre_open = ["09:00", "09:10"]
derivatives_close = "15:30"
official_close = "15:41"
post_close = ["15:50", "16:00"]
"""

BAD_FILES = {
    "no toml": ("coverage = [", "", "Invalid", "a calendar file in TOML"),
    "a number too long": (f"coverage = {'9' * 5000}", "", "digits", "a calendar file in TOML"),
    "nested too deeply": (f"coverage = {'[' * 5000}", "", "recursion", "a calendar file in TOML"),
    "unknown key": (
        "holidays = []",
        "",
        "'holidays' is unknown",
        "coverage or holiday or session or",
    ),
    "no list": ('holiday = "2027-01-26"', "", "holiday is no list", "tables headed [[holiday]]"),
    "list of texts": ('holiday = ["x"]', "", "holiday is no list", "tables headed [[holiday]]"),
    "coverage is text": ('coverage = "2027"', "", "coverage is '2027'", "[FIRST DATE, LAST DATE]"),
    "half a coverage": ("coverage = [2027-01-01]", "", "coverage is [", "[FIRST DATE, LAST DATE]"),
    "coverage of numbers": ("coverage = [1, 2]", "", "coverage is 1", "a date, as 2026-11-08"),
    "coverage reversed": (
        "coverage = [2027-12-31, 2027-01-01]",
        "",
        "coverage ends on 2027-01-01",
        "no date before its begin, 2027-12-31",
    ),
    "no date": ('[[holiday]]\nname = "R"', "[[holiday]] 1", "date is missing", "a date, as"),
    "no such date": (
        '[[holiday]]\ndate = "2027-02-30"\nname = "R"',
        "[[holiday]] 1",
        "date is '2027-02-30'",
        "a date that there is",
    ),
    "a moment for a date": (
        '[[holiday]]\ndate = 2027-01-26T00:00:00\nname = "R"',
        "[[holiday]] 1",
        "date is datetime",
        "a date, as 2026-11-08",
    ),
    "a date far off": (
        '[[holiday]]\ndate = 9999-12-31\nname = "R"',
        "[[holiday]] 1",
        "date is 9999-12-31",
        "years 1970 to 2199",
    ),
    "no name": ("[[holiday]]\ndate = 2027-01-26", "[[holiday]] 1", "name is missing", "a text"),
    "empty name": (
        '[[holiday]]\ndate = 2027-01-26\nname = " "',
        "[[holiday]] 1",
        "name is ' '",
        "a text",
    ),
    "unknown key of a holiday": (
        HOLIDAY + "windows = []",
        "[[holiday]] 1",
        "'windows' is unknown",
        "date or name or source",
    ),
    "a date twice": (
        HOLIDAY + HOLIDAY,
        "[[holiday]] 2",
        "2027-01-26 stands there already",
        "each date once",
    ),
    "a date as holiday and session": (
        SESSION + 'windows = [["18:15", "19:15"]]\n' + HOLIDAY.replace("2027-01-26", "2026-11-08"),
        "[[session]] 1",
        "2026-11-08 stands there already",
        "each date once",
    ),
    "unknown kind": (
        SESSION.replace("muhurat", "half"),
        "[[session]] 1",
        "kind is 'half'",
        "trading or special or muhurat",
    ),
    "no windows": (SESSION, "[[session]] 1", "windows is missing", "windows = [["),
    "empty windows": (SESSION + "windows = []", "[[session]] 1", "windows is []", "windows = [["),
    "a window of one": (
        SESSION + 'windows = [["18:15"]]',
        "[[session]] 1",
        "a window is ['18:15']",
        "windows = [[",
    ),
    "a window of numbers": (
        SESSION + "windows = [[18, 19]]",
        "[[session]] 1",
        "a window is [18, 19]",
        "windows = [[",
    ),
    "no clock": (
        SESSION + 'windows = [["18:15", "25:00"]]',
        "[[session]] 1",
        "the time '25:00' is unusable",
        "HH:MM or HH:MM:SS",
    ),
    "an empty window": (
        SESSION + 'windows = [["18:15", "18:15"]]',
        "[[session]] 1",
        "18:15 to 18:15 is empty",
        "its end after its begin",
    ),
    "windows that touch": (
        SESSION + 'windows = [["09:15", "10:00"], ["10:00", "11:00"]]',
        "[[session]] 1",
        "from 10:00 begins before the one before it is over",
        "a pause between them",
    ),
    "confirmed is text": (
        SESSION + 'windows = [["18:15", "19:15"]]\nconfirmed = "no"',
        "[[session]] 1",
        "confirmed is 'no'",
        "true or false",
    ),
    "a halt without windows": (
        "[[halt]]\ndate = 2026-11-23",
        "[[halt]] 1",
        "windows is missing",
        "windows = [[",
    ),
    "a halt twice": (
        HALT + HALT,
        "[[halt]] 2",
        "2026-11-23 stands there already",
        "each date once",
    ),
    "a settlement holiday without a name": (
        "[[settlement_holiday]]\ndate = 2026-11-23",
        "[[settlement_holiday]] 1",
        "name is missing",
        "a text",
    ),
    "a timetable without a date": (
        TIMETABLE.replace("effective_from = 2027-03-01", ""),
        "[[timetable]] 1",
        "effective_from is missing",
        "a date, as",
    ),
    "a timetable without its close": (
        TIMETABLE.replace('derivatives_close = "15:30"', ""),
        "[[timetable]] 1",
        "derivatives_close has the time missing",
        "HH:MM",
    ),
    "half a pre-open": (
        TIMETABLE.replace('["09:00", "09:10"]', '["09:00"]'),
        "[[timetable]] 1",
        "pre_open is ['09:00']",
        "two times",
    ),
    "a pre-open of no length": (
        TIMETABLE.replace('["09:00", "09:10"]', '["09:10", "09:10"]'),
        "[[timetable]] 1",
        "pre_open ends at 09:10",
        "a time after its begin, 09:10",
    ),
    "a pre-open within the session": (
        TIMETABLE.replace("09:10", "09:20"),
        "[[timetable]] 1",
        "pre_open at 09:20 comes after",
        "times in order",
    ),
    "an early close without an auction": (
        TIMETABLE.replace("15:30", "15:15"),
        "[[timetable]] 1",
        "derivatives_close is 15:15 and there is no auction",
        "15:30, or auction, auction_end, reference",
    ),
    "half an auction": (
        TIMETABLE + 'auction = ["15:31", "15:40"]',
        "[[timetable]] 1",
        "auction_end has the time missing",
        "HH:MM",
    ),
    "an auction after the official close": (
        TIMETABLE
        + 'auction = ["15:45", "15:48"]\nauction_end = "15:49"\nreference = ["15:15", "15:30"]',
        "[[timetable]] 1",
        "auction_end at 15:49 comes after official_close at 15:41",
        "times in order",
    ),
    "a reference of another time": (
        TIMETABLE
        + 'auction = ["15:31", "15:40"]\nauction_end = "15:40"\nreference = ["15:00", "15:15"]',
        "[[timetable]] 1",
        "reference ends at 15:15",
        "its end at derivatives_close, 15:30",
    ),
    "a close beyond the session": (
        TIMETABLE.replace("15:30", "15:35")
        + 'auction = ["15:36", "15:40"]\nauction_end = "15:40"\nreference = ["15:20", "15:35"]',
        "[[timetable]] 1",
        "derivatives_close is 15:35",
        "from 09:15 to 15:30",
    ),
}


@pytest.mark.parametrize(("text", "entry", "found", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_its_place(
    text: str, entry: str, found: str, expected: str
) -> None:
    """The error names file and entry, what was found there and what was expected."""
    with pytest.raises(CalendarError) as caught:
        parse_calendar(text, file="mine.toml")
    error = caught.value
    assert (error.file, error.entry) == ("mine.toml", entry)
    assert found in error.problem
    assert expected in error.expected
    place = f"mine.toml, line {error.line}, {entry}: " if entry else "mine.toml: "
    assert str(error).startswith(place)
    if entry:
        key, number = entry.split()
        headers = [n for n, line in enumerate(text.split("\n"), start=1) if line == key]
        assert error.line == headers[int(number) - 1]


def test_a_line_that_is_not_certain_is_not_told() -> None:
    """A text that looks like the head of a table shifts no line: then none is given."""
    text = f'coverage = """\n[[holiday]]\n"""\n{HOLIDAY}{HOLIDAY}'
    with pytest.raises(CalendarError) as caught:
        parse_calendar(text, file="mine.toml")
    assert str(caught.value).startswith("mine.toml, [[holiday]] 2: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24", "a day with a session"),
        ("2026-11-22", "a day with a session"),
        ("2026-11-08", "one within 18:15 - 19:15 IST"),
    ],
)
def test_a_halt_while_the_market_is_closed_is_refused(text: str, expected: str) -> None:
    """It would do nothing, and so hide that its date is wrong."""
    table = parse_calendar(HALT.replace("2026-11-23", text), file="mine.toml")
    with pytest.raises(CalendarError) as caught:
        TradingCalendar.bundled().merged(table)
    assert str(caught.value) == (
        f"mine.toml, [[halt]] of {text}: the halt from 11:05 to 12:05 touches no session; "
        f"expected {expected}"
    )


def test_a_halt_may_stand_beside_its_session() -> None:
    """Both of one file; and a bundled halt of a day that is overridden disturbs nobody."""
    saturday = SESSION.replace("2026-11-08", "2026-11-21").replace("muhurat", "special")
    text = f'{saturday}windows = [["11:00", "12:00"]]\n' + HALT.replace("11-23", "11-21")
    table = parse_calendar(text, file="mine.toml")
    assert TradingCalendar.bundled().merged(table).day(date(2026, 11, 21)).halts
    closed = HOLIDAY.replace("2027-01-26", "2020-03-13")
    TradingCalendar.bundled().merged(parse_calendar(closed, file="mine.toml"))


def test_bundled_halts_are_within_sessions() -> None:
    """As those of a file have to be."""
    bundled = TradingCalendar.bundled()
    assert bundled.merged(bundled_table()).day(date(2020, 3, 23)).halts


@given(text=st.text() | st.text('[]"=\n-:0123456789 abcdehilnosvwxy'))
def test_garbage_is_refused_by_the_documented_error(text: str) -> None:
    """Any text is either a table or a CalendarError."""
    with suppress(CalendarError):
        parse_calendar(text, file="garbage")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "no utf-8"])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A file that is not there, or is no text, is named in the error."""
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CalendarError, match=r"mine\.toml: .*; expected"):
        load_calendar(path)
