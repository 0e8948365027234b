from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.recorder import chosen_instruments, window_of
from streamer.errors import ConfigError
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import ist_date, ist_midnight
from tests.simulator.parquet_files import TABLE, at

SECOND = 10**9


@given(
    ts=st.integers(at("09:00"), at("09:00") + 10 * 86_400 * SECOND),
    rotate_s=st.integers(1, 86_400),
)
def test_a_window_holds_its_row_and_no_second_day(ts: int, rotate_s: int) -> None:
    """Windows are counted from midnight in India, and all rows of one have the same beginning."""
    window = window_of(ts, rotate_s * SECOND)
    assert window <= ts < window + rotate_s * SECOND
    assert ist_date(window) == ist_date(ts)
    assert (window - ist_midnight(ist_date(ts))) % (rotate_s * SECOND) == 0
    assert window_of(window, rotate_s * SECOND) == window


def test_quarters_of_an_hour_begin_with_the_session() -> None:
    """The default gives the files that one expects."""
    assert window_of(at("09:15"), 900 * SECOND) == at("09:15")
    assert window_of(at("09:29:59"), 900 * SECOND) == at("09:15")
    assert window_of(at("09:30"), 900 * SECOND) == at("09:30")


def test_names_choose_instruments_once() -> None:
    """Symbols, tokens and aliases, with or without their exchange, in the order given."""
    chosen = chosen_instruments(["SBIN", "2885", "sbin:bse", "NSE:SBIN"], TABLE)
    assert [each.key for each in chosen] == [(1, 3045), (1, 2885), (3, 500112)]


@pytest.mark.parametrize("word", ["all", "ALL"])
def test_all_is_the_whole_table(word: str) -> None:
    """Whatever the case."""
    assert chosen_instruments([word], TABLE) == tuple(TABLE)


def test_what_is_not_known_or_too_much_is_refused() -> None:
    """The message says what would have been right."""
    with pytest.raises(ConfigError, match="'NONSUCH' is not known; expected a symbol"):
        chosen_instruments(["SBIN", "NONSUCH"], TABLE)
    many = InstrumentTable(
        Instrument(1, token, f"S{token}", "NSE", "EQ") for token in range(1, 20_002)
    )
    with pytest.raises(ConfigError, match="20,001 instruments; expected 20,000 at the most"):
        chosen_instruments(["all"], many)
