"""Values of instrument files: read by one rule, refused with their place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import InstrumentError
from streamer.instrument_rows import MAX_TICK, MAX_TOKEN, Row


def row(**cells: str) -> Row:
    """Return a row of a file without lines."""
    return Row("master.json", 7, cells, unit="item")


@given(paise=st.integers(0, 99_999_999))
def test_a_step_is_the_same_in_rupees_and_in_paise(paise: int) -> None:
    """5 paise, 5.0000 paise and 0.05 rupees are one step."""
    cells = row(
        rupees=f"{paise // 100}.{paise % 100:02d}", paise=f"{paise}.000000", plain=f"{paise}"
    )
    assert cells.tick_in_rupees("rupees") == paise
    assert cells.tick_in_paise("paise") == cells.tick_in_paise("plain") == paise
    assert paise <= MAX_TICK


@given(token=st.integers(-5, MAX_TOKEN + 5))
def test_a_token_is_a_whole_number_that_the_wire_can_carry(token: int) -> None:
    """Within the bounds it is read, outside it is refused."""
    if 1 <= token <= MAX_TOKEN:
        assert row(token=str(token)).token("token") == token
    else:
        with pytest.raises(InstrumentError):
            row(token=str(token)).token("token")


@pytest.mark.parametrize("text", ["M&M", "BAJAJ-AUTO", "NIFTY 50", "NAM-INDIA", "3MINDIA"])
def test_signs_and_blanks_belong_to_a_symbol(text: str) -> None:
    """Nothing is split off."""
    assert row(symbol=text).symbol("symbol") == text


def test_what_is_missing_has_its_default() -> None:
    """ISIN, step and lot may be left out; a lot is 1 then."""
    empty = row(isin="", tick="", lot="", series="")
    assert empty.isin("isin") == empty.series("series") == ""
    assert empty.tick_in_paise("tick") == empty.tick_in_rupees("tick") == 0
    assert empty.lot("lot") == 1


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (Row.token, "12a", "a whole number from 1 to 2147483647"),
        (Row.symbol, "A:B", "no colon"),
        (Row.series, "E-Q", "up to 8 letters or digits"),
        (Row.isin, "INE002A0101", "12 letters and digits"),
        (Row.lot, "0", "from 1 to 10000000"),
        (Row.tick_in_rupees, "0.0025", "two decimals"),
        (Row.tick_in_paise, "0.05", "whole paise"),
        (Row.tick_in_paise, "-1", "whole paise"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(
    read: Callable[[Row, str], object], value: str, expected: str
) -> None:
    """File, number, column, value and expectation, in the unit of the file."""
    with pytest.raises(InstrumentError) as caught:
        read(row(cell=value), "cell")
    error = caught.value
    assert (error.file, error.line, error.column, error.value) == ("master.json", 7, "cell", value)
    assert expected in error.expected
    assert str(error).startswith(f"master.json, item 7, column 'cell', value '{value}': ")
