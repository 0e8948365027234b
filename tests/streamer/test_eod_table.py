"""One table of an end-of-day file: cells, checked where they stand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.eod_table import Row, Table, base_name, parse_date
from streamer.errors import EodError


def row(**cells: str) -> Row:
    """Return line 7 of a file with these cells."""
    places = {name: place for place, name in enumerate(cells)}
    table = Table("f.csv", "", places, [(7, list(cells.values()))])
    [only] = table.each()
    return only


@given(st.integers(0, 10**11))
def test_a_price_is_read_exactly(paise: int) -> None:
    """To the paisa, with and without the zeros that need not be written."""
    rupees = f"{paise // 100}.{paise % 100:02d}"
    assert row(p=rupees).price("p") == paise
    assert row(p=rupees.removeprefix("0") if paise else "0").price("p") == paise


@pytest.mark.parametrize(
    ("read", "value"),
    [
        ("price", value)
        for value in ("", ".", "-", "1,365.5", "1e3", "+1", " 1", "1.23456", "nan", "1" * 13)
    ]
    + [("quantity", value) for value in ("", "-1", "1.5", "x", "1" * 16)]
    + [("date", value) for value in ("", "20251217", "2025-13-01", "17-XYZ-2025", "17-Dec-25")]
    + [("required", "")],
)
def test_what_is_unusable_is_refused_with_its_place(read: str, value: str) -> None:
    """File, line, column and value are in the error, as data and as text."""
    with pytest.raises(EodError) as caught:
        getattr(row(cell=value), read)("cell")
    found: Any = caught.value
    assert (found.file, found.line, found.column, found.value) == ("f.csv", 7, "cell", value)
    assert str(found).startswith(f"f.csv, line 7, column 'cell', value {value!r}: ")


def test_an_unknown_value_is_one_where_it_may_be() -> None:
    """Else a dash is refused like any other text."""
    assert row(p="-").price("p", unknown="-") == 0
    assert row(p="-").date("p", unknown="-") is None


def test_parts_of_a_paisa_are_rounded_where_they_may_be() -> None:
    """Half of one up: India VIX has four decimals."""
    assert row(p="9.8375").price("p", exact=False) == 984
    assert row(p="9.3950").price("p", exact=False) == 940
    assert row(p="9.3949").price("p", exact=False) == 939


def test_a_quantity_may_have_a_point() -> None:
    """As some files write whole numbers."""
    assert row(q="1200.00").quantity("q") == 1200


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_a_date_is_read_in_each_way_of_writing_it(day: date) -> None:
    """ISO, and those that NSE has used."""
    for form in ("%Y-%m-%d", "%d-%b-%Y", "%d/%m/%Y", "%d-%m-%Y"):
        assert parse_date(day.strftime(form)) == day
        assert parse_date(day.strftime(form).upper()) == day


def test_the_name_of_a_file_is_its_own() -> None:
    """Neither its folder nor its archive belongs to it."""
    assert base_name("/in/PR171225.zip:PR/bc17122025.csv") == "bc17122025.csv"
    assert base_name("bc17122025.csv") == "bc17122025.csv"
