"""What ``odin-streamer calendar`` prints, of dates and of months."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.cli import cli


def invoke(*args: str, columns: int = 80) -> Result:
    """Run the command in a terminal that is so wide."""
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(cli, ["calendar", *args])


def shown(*args: str, columns: int = 80) -> list[str]:
    """Return the lines that it prints."""
    result = invoke(*args, columns=columns)
    assert result.exit_code == 0, result.output
    return [line.rstrip() for line in result.output.splitlines()]


def told(*args: str) -> Any:
    """Return what it prints as JSON."""
    return json.loads("\n".join(shown("--json", *args)))


def day_file(folder: Path, text: str) -> str:
    """Return the path of a calendar file with a text."""
    path = folder / "days.toml"
    path.write_text(text)
    return str(path)


def test_dates_are_printed_as_one_array() -> None:
    """One object for each date, in the order asked for."""
    assert told("2025-09-04", "2025-09-06", "2025-10-21", "2027-01-01") == [
        {
            "date": "2025-09-04",
            "kind": "trading",
            "sessions": [["09:15:00", "15:30:00"]],
            "known": True,
            "timetable": "classic",
        },
        {"date": "2025-09-06", "kind": "weekend", "sessions": [], "known": True},
        {
            "date": "2025-10-21",
            "kind": "muhurat",
            "sessions": [["13:45:00", "14:45:00"]],
            "known": True,
            "name": "Diwali Laxmi Pujan",
        },
        {
            "date": "2027-01-01",
            "kind": "trading",
            "sessions": [["09:15:00", "15:30:00"]],
            "known": False,
            "timetable": "cas-2026-12",
        },
    ]


def test_what_a_day_has_besides_is_told() -> None:
    """Programs read unconfirmed hours, halts and settlement holidays where there are any."""
    diwali, crash, bank_day = told("2026-11-08", "2020-03-13", "2026-04-01")
    assert (diwali["confirmed"], diwali["sessions"]) == (False, [["18:15:00", "19:15:00"]])
    assert crash["halts"] == [["09:20:00", "10:20:00"]]
    assert bank_day["settlement_holiday"] == "Annual bank closing"


def test_dates_are_printed_for_people() -> None:
    """A line for each date, with what is remarkable about it at its end."""
    lines = shown("2025-09-04", "2025-09-06", "2027-01-01", "2020-03-13", "2026-04-01")
    assert [line.split()[:3] for line in lines] == [
        ["2025-09-04", "Thu", "trading"],
        ["2025-09-06", "Sat", "weekend"],
        ["2027-01-01", "Fri", "trading"],
        ["2020-03-13", "Fri", "trading"],
        ["2026-04-01", "Wed", "trading"],
    ]
    assert lines[1].endswith("closed")
    assert "outside the calendar" in lines[2]
    assert lines[3].endswith("halted 09:20 - 10:20")
    assert lines[4].endswith("settlement holiday: Annual bank closing")


def test_a_month_is_drawn() -> None:
    """Weeks from Monday on; what is out of the ordinary in its cell, and in words below."""
    lines = shown("--month", "2026-11")
    assert lines[0] == "November 2026: 20 days with a session"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert cells == [
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        ["", "", "", "", "", "", "1 -"],
        ["2", "3", "4", "5", "6", "7 -", "8 muhurat"],
        ["", "", "", "", "", "", "18:15-19:15"],
        ["", "", "", "", "", "", "unconfirmed"],
        ["9", "10 holiday", "11", "12", "13", "14 -", "15 -"],
        ["16", "17", "18", "19", "20", "21 -", "22 -"],
        ["23", "24 holiday", "25", "26", "27", "28 -", "29 -"],
        ["30", "", "", "", "", "", ""],
    ]
    assert lines[-10:] == [
        "2026-11-08  Sun  muhurat   18:15 - 19:15 IST  Diwali Laxmi Pujan; hours not confirmed",
        "2026-11-10  Tue  holiday   closed             Diwali Balipratipada",
        "2026-11-24  Tue  holiday   closed             Guru Nanak Jayanti",
        "",
        "Timetable cas-2026-08, in force since 2026-09-07 (IST)",
        "                   with derivatives  others",
        "  pre_open         09:00 - 09:15     09:00 - 09:15",
        "  open             09:15 - 15:15     09:15 - 15:30",
        "  closing_auction  15:15 - 15:35     -",
        "  post_close       15:50 - 16:00     15:50 - 16:00",
    ]


def cell_of(lines: list[str], number: int) -> list[str]:
    """Return what stands in the cell of a day, line by line."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    start, column = next(
        (row, column)
        for row, cells in enumerate(rows)
        for column, cell in enumerate(cells)
        if cell.split()[:1] == [str(number)]
    )
    # The Monday or Sunday of a row has a number; a row that goes on in more lines has none.
    end = start + 1
    while end < len(rows) and not any(cell[:1].isdigit() and len(cell) < 3 for cell in rows[end]):
        end += 1
    return [row[column] for row in rows[start:end] if row[column]]


@pytest.mark.parametrize(
    ("month", "number", "cell", "words"),
    [
        ("2024-03", 2, ["2 special", "09:15-10:00", "11:30-12:30"], "disaster recovery"),
        ("2020-03", 13, ["13", "halted"], "halted 09:20 - 10:20"),
        ("2026-04", 1, ["1", "unsettled"], "settlement holiday: Annual bank closing"),
        ("2026-12", 7, ["7", "cas-2026-12"], "timetable cas-2026-12 takes effect"),
        ("2020-02", 1, ["1 special", "09:15-15:30"], "Union Budget"),
    ],
)
def test_what_is_out_of_the_ordinary_stands_in_its_cell(
    month: str, number: int, cell: list[str], words: str
) -> None:
    """And once more in words, on a line that begins with the date."""
    lines = shown("--month", month)
    assert cell_of(lines, number) == cell
    [line] = [line for line in lines if line.startswith(f"{month}-{number:02d}")]
    assert words in line


def test_a_month_of_two_timetables_tells_both() -> None:
    """With the dates since which they hold."""
    lines = shown("--month", "2026-12")
    assert [line for line in lines if line.startswith("Timetable")] == [
        "Timetable cas-2026-08, in force since 2026-09-07 (IST)",
        "Timetable cas-2026-12, in force since 2026-12-07 (IST)",
    ]


@pytest.mark.parametrize("columns", [20, 40, 67])
def test_a_narrow_terminal_loses_nothing(columns: int) -> None:
    """Where the table does not fit, each day keeps its mark, and the words below tell the rest."""
    lines = shown("--month", "2026-11", columns=columns)
    assert lines[1:9] == [
        " Mon  Tue  Wed  Thu  Fri  Sat  Sun",
        "                                1-",
        "  2    3    4    5    6    7-   8m",
        "  9   10h  11   12   13   14-  15-",
        " 16   17   18   19   20   21-  22-",
        " 23   24h  25   26   27   28-  29-",
        " 30",
        "- weekend, m muhurat, h holiday",
    ]
    assert lines[9:] == shown("--month", "2026-11")[18:]


@pytest.mark.parametrize("month", ["2024-03", "2024-05", "2020-11", "2021-11", "2026-12"])
def test_the_table_is_never_wider_than_the_terminal(month: str) -> None:
    """Cut off at its right side, it would hide the very days that are special."""
    for columns in range(36, 90):
        lines = shown("--month", month, columns=columns)
        table = [line for line in lines if line and line[0] in "╭│├╰"]
        assert all(line[-1] in "╮│┤╯" and len(line) <= columns for line in table)
        assert "…" not in "".join(table)


@pytest.mark.parametrize("columns", [30, 80])
def test_a_month_beyond_the_calendar_says_so(tmp_path: Path, columns: int) -> None:
    """Each such day has its mark, and the reason stands at the end, once."""
    path = day_file(tmp_path, "coverage = [2027-01-01, 2027-06-15]")
    lines = shown("--month", "2027-06", "--calendar", path, columns=columns)
    assert lines[0] == "June 2027: 22 days with a session, if no weekday is a holiday"
    assert lines[-1] == (
        "? outside the calendar, which covers 2018-01-01 to 2027-06-15: "
        "the weekday rule, no holiday is known"
    )
    drawn = "\n".join(line for line in lines if not line.startswith("?"))
    assert drawn.count("?") == 15


def test_a_month_is_printed_as_one_array() -> None:
    """All of its days, whatever they are."""
    days = told("--month", "2024-02")
    assert [day["date"] for day in days] == [f"2024-02-{number:02d}" for number in range(1, 30)]


def test_a_file_of_more_days_is_taken(tmp_path: Path) -> None:
    """It can be tried out before the server gets it."""
    path = day_file(tmp_path, '[[holiday]]\ndate = 2025-09-04\nname = "Late"\n')
    [day] = told("2025-09-04", "--calendar", path)
    assert (day["kind"], day["name"]) == ("holiday", "Late")


def test_a_file_that_cannot_be_used_is_1(tmp_path: Path) -> None:
    """Exit status 1 with its name."""
    result = invoke("2025-09-04", "--calendar", day_file(tmp_path, "nonsense"))
    assert result.exit_code == 1
    assert "days.toml" in result.output


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ((), "Found no DATE; expected either at least one DATE or --month."),
        (("2026-11-01", "--month", "2026-11"), "Found a DATE and --month"),
        (("21-10-2025",), "'21-10-2025' does not match the format"),
        (("--month", "2026-13"), "'2026-13' does not match the format"),
    ],
)
def test_wrong_usage_is_2(args: tuple[str, ...], problem: str) -> None:
    """Exit status 2, and what was expected."""
    result = invoke(*args)
    assert result.exit_code == 2
    assert problem in result.output
