from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.odin import times
from tests import strategies

NS = 10**9
TEN_PAST_TEN = int(datetime(2026, 9, 4, 4, 44, 59, tzinfo=UTC).timestamp()) * NS
"""2026-09-04 10:14:59 IST."""


def test_times_are_written_as_indian_wall_clock() -> None:
    """The same instant has one form in bodies, one in headers, one in requests."""
    assert times.stamp(TEN_PAST_TEN) == "2026-09-04 101459"
    assert times.header_stamp(TEN_PAST_TEN) == "04092026 101459"
    assert times.clock(TEN_PAST_TEN) == "10:14:59"
    assert times.seconds_since_1980(TEN_PAST_TEN) == 1_472_984_099


def test_fractions_of_a_second_are_dropped() -> None:
    """The wire knows whole seconds; a time is never rounded up into the future."""
    assert times.stamp(TEN_PAST_TEN + NS - 1) == "2026-09-04 101459"


@pytest.mark.parametrize(
    "value",
    [
        b"2026-09-04 101459",
        b"2026-09-04 10:14:59",
        b"2026-09-04T10:14:59",
        b"2026-09-04  101459",
        b"04092026 101459",
        b"04092026 10:14:59",
        b" 2026-09-04 101459 ",
    ],
)
def test_a_date_and_a_time_are_read_in_every_known_form(value: bytes) -> None:
    """Senders differ in form, not in meaning."""
    assert times.parse_stamp(value) == TEN_PAST_TEN


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"10:14:59",
        b"2026-09-04",
        b"2026-13-04 101459",
        b"2026-02-30 101459",
        b"2026-09-04 241459",
        b"2026-09-04 106059",
        b"2026-09-04 101460",
        b"1979-12-31 235959",
        b"0000-00-00 000000",
        b"00000000 000000",
        b"yesterday",
        b"\xff\xff",
        "२०२६-०९-०४ १०१४५९".encode(),
    ],
)
def test_what_is_no_date_and_time_is_unknown(value: bytes) -> None:
    """An unreadable time is unknown, never a guess."""
    assert times.parse_stamp(value) == 0
    assert times.parse_time(value, TEN_PAST_TEN) == 0


@given(strategies.times)
def test_every_written_time_is_read_again(ns: int) -> None:
    """Text, header and native form carry the same instant; unknown stays unknown."""
    assert times.parse_stamp(times.stamp(ns).encode()) == ns
    assert times.parse_stamp(times.header_stamp(ns).encode()) == ns
    assert times.from_seconds_since_1980(times.seconds_since_1980(ns)) == ns


@given(st.integers(-(10**30), 10**30))
def test_no_time_is_too_strange_to_be_written(ns: int) -> None:
    """What the wire cannot express is written as unknown."""
    assert len(times.stamp(ns)) == 17
    assert len(times.header_stamp(ns)) == 15
    assert len(times.clock(ns)) == 8


@pytest.mark.parametrize("seconds", [b"1472984099", b"1788497099"])
def test_bare_seconds_are_told_apart_by_the_header(seconds: bytes) -> None:
    """Seconds since 1980 in India and since 1970 in Greenwich name the same instant."""
    assert times.parse_time(seconds, TEN_PAST_TEN + NS) == TEN_PAST_TEN


def test_bare_seconds_without_a_header_time_are_unknown() -> None:
    """With nothing to compare there is no telling which of two instants is meant."""
    assert times.parse_time(b"1472984099", 0) == 0


@given(st.binary(max_size=40))
def test_garbage_is_a_time_or_unknown(value: bytes) -> None:
    """No bytes make the reading of a time fail."""
    assert times.parse_stamp(value) >= 0
    assert times.parse_time(value, TEN_PAST_TEN) >= 0
