from __future__ import annotations

from datetime import date

import pytest

from simulator.window import chosen_keys, shift_of, window_end, window_start
from streamer.calendar import TradingCalendar
from streamer.errors import ConfigError
from streamer.instruments import Instrument, InstrumentTable
from streamer.ist import ist_ns

DAY = date(2025, 9, 4)
HOLIDAY = date(2025, 8, 15)
MUHURAT = date(2024, 11, 1)
SPLIT = date(2024, 3, 2)
CALENDAR = TradingCalendar.bundled()


@pytest.mark.parametrize(
    ("first_row", "start"),
    [
        (ist_ns(DAY, "09:00"), ist_ns(DAY, "09:14:55")),
        (ist_ns(DAY, "09:15"), ist_ns(DAY, "09:14:55")),
        (ist_ns(DAY, "11:00"), ist_ns(DAY, "09:14:55")),
        (ist_ns(DAY, "15:30"), ist_ns(DAY, "15:29:55")),
        (ist_ns(HOLIDAY, "11:00"), ist_ns(HOLIDAY, "10:59:55")),
        (ist_ns(MUHURAT, "17:50"), ist_ns(MUHURAT, "17:59:55")),
        (ist_ns(SPLIT, "09:00"), ist_ns(SPLIT, "09:14:55")),
        (ist_ns(SPLIT, "10:45"), ist_ns(SPLIT, "11:29:55")),
    ],
    ids=["early", "open", "late", "closed", "holiday", "muhurat", "split", "second session"],
)
def test_by_default_a_window_begins_five_seconds_before_something_happens(
    first_row: int, start: int
) -> None:
    """Before the open of the session; before the first row if no session follows it."""
    assert window_start(None, first_row=first_row, calendar=CALENDAR) == start


def test_a_window_begins_where_it_is_told() -> None:
    """A time on the first row's day, or the first row itself."""
    first_row = ist_ns(DAY, "09:07:03")
    for text in ("10:30", "10:30:00"):
        start = window_start(text, first_row=first_row, calendar=CALENDAR)
        assert start == ist_ns(DAY, "10:30")
    assert window_start("start", first_row=first_row, calendar=CALENDAR) == first_row


def test_a_window_ends_behind_the_last_row_or_where_it_is_told() -> None:
    """The last row is part of the default window; a time is on the last row's day."""
    last_row = ist_ns(date(2025, 9, 5), "15:30")
    start = ist_ns(DAY, "09:15")
    assert window_end(None, last_row=last_row, start=start) == last_row + 1
    assert window_end("end", last_row=last_row, start=start) == last_row + 1
    told = window_end("10:00", last_row=last_row, start=start)
    assert told == ist_ns(date(2025, 9, 5), "10:00")


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    """Also one without length; the message shows both ends."""
    start = ist_ns(DAY, "10:00")
    for end in ("09:59", "10:00"):
        with pytest.raises(ConfigError, match="2025-09-04 10:00:00 IST"):
            window_end(end, last_row=ist_ns(DAY, "15:30"), start=start)


@pytest.mark.parametrize("text", ["25:00", "9:15", "noon", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    """The message names the option and what was expected."""
    with pytest.raises(ConfigError, match="--from"):
        window_start(text, first_row=ist_ns(DAY, "09:00"), calendar=CALENDAR)
    with pytest.raises(ConfigError, match="--to"):
        window_end(text, last_row=ist_ns(DAY, "15:30"), start=0)


TABLE = InstrumentTable.bundled()
MADEUP = Instrument(1, 987654, "MADEUP", "NSE", "EQ")
RECORDED = {MADEUP.key: MADEUP, (1, 2885): Instrument(1, 2885, "RELIANCE", "NSE", "EQ")}


@pytest.mark.parametrize("name", ["RELIANCE", "reliance", "2885", "NSE:RELIANCE"])
def test_instruments_are_named_as_clients_name_them(name: str) -> None:
    """By symbol or token, with or without exchange."""
    assert list(chosen_keys([name], instruments=RECORDED, table=TABLE)) == [(1, 2885)]


def test_instruments_of_the_recording_alone_can_be_chosen() -> None:
    """Also those that no list has; one that is named twice is chosen once."""
    keys = chosen_keys(["MADEUP", "987654"], instruments=RECORDED, table=TABLE)
    assert list(keys) == [MADEUP.key]


@pytest.mark.parametrize("name", ["SBIN", "NONSUCH"])
def test_an_instrument_that_was_not_recorded_is_refused(name: str) -> None:
    """The message says what there is."""
    with pytest.raises(ConfigError, match=rf"'{name}' is not in the recording.*MADEUP"):
        chosen_keys([name], instruments=RECORDED, table=TABLE)


@pytest.mark.parametrize(
    ("word", "start"),
    [
        (None, ist_ns(DAY, "09:14:55")),
        ("today", ist_ns(HOLIDAY, "09:14:55")),
        ("now", ist_ns(HOLIDAY, "11:00:07")),
    ],
)
def test_shifts_move_the_start(word: str | None, start: int) -> None:
    """To the same time today, or to now; by whole seconds, so that fractions stay."""
    recorded = ist_ns(DAY, "09:14:55") + 250
    shift = shift_of(word, start=recorded, now=ist_ns(HOLIDAY, "11:00:07") + 300)
    assert recorded + shift == start + 250
