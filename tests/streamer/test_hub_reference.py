"""The day's life of a quote: what the hub makes of files, evenings and new sessions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamer.calendar import TradingCalendar
from streamer.clock import WallClock
from streamer.instruments import InstrumentTable
from streamer.odin.messages import Touchline
from streamer.reference import (
    Figure,
    Figures,
    ReferenceOf,
    SessionReference,
    Source,
    no_reference,
)
from tests.streamer.desk import RELIANCE, SECOND, THURSDAY, Desk, at, touchline

CALENDAR = TradingCalendar.bundled()
TABLE = InstrumentTable.bundled()
STOCK = ["RELIANCE"]

# A week with its weekend and, on Thursday, Christmas.
FIRST, DAYS = date(2025, 12, 22), 10


def quote(desk: Desk) -> dict[str, Any]:
    """Return RELIANCE's quote, without when it was processed."""
    [found], _ = desk.hub.quotes(STOCK)
    data: dict[str, Any] = json.loads(found)
    del data["last_updated"]
    return data


def close_for(day: date) -> SessionReference:
    """Return a previous close that names its session."""
    source = Source("pd", f"{day}.csv", "0" * 64, day)
    close = Figure(100_000 + 100 * day.day, source)
    high = Figure(100_500 + 10 * day.day, source, day - timedelta(days=40))
    volume = Figure(1000 + day.day, source)
    found = Figures(prev_close=close, week_52_high=high, avg_volume_5d=volume)
    return SessionReference(day, {RELIANCE: found})


def test_a_jump_is_told_to_whoever_owns_the_hub() -> None:
    """Once: the journal writes it down."""
    desk = Desk()
    desk.log_on("10:00")
    for _ in range(2):
        desk.feed(touchline(close=280000, lut=at("10:00")))
    [alarm] = desk.hub.take_alarms()
    assert alarm.startswith("RELIANCE (NSE) opened at 1371.80")
    assert desk.hub.take_alarms() == []


def test_files_that_were_imported_are_taken_in_the_middle_of_a_day() -> None:
    """Once the hub is told; the day goes on."""
    answers = [no_reference, close_for]
    desk = Desk(reference=lambda day: answers[0](day))
    desk.log_on("10:00")
    desk.feed(touchline(close=0, lut=at("10:00")))
    del answers[0]
    assert quote(desk)["prev_close"] is None
    desk.hub.renew_reference(desk.now)
    assert quote(desk)["prev_close"] == 1004.0
    assert quote(desk)["open"] == 1371.8


def test_the_present_session_or_the_next_is_prepared() -> None:
    """On a weekend Monday's; before any time none."""
    desk = Desk(reference=close_for)
    assert desk.hub.reference() is None
    desk.log_on("10:00")
    found = desk.hub.reference()
    assert found is not None
    assert found.day == THURSDAY
    desk.tell_time("10:00", THURSDAY + timedelta(days=2))
    found = desk.hub.reference()
    assert found is not None
    assert found.day == THURSDAY + timedelta(days=4)


def test_a_weekends_repetitions_are_fridays() -> None:
    """A feed without times repeats its state on Saturday: the day does not begin anew."""
    friday = THURSDAY + timedelta(days=1)
    desk = Desk()
    desk.log_on("12:00", friday)
    desk.feed(touchline(ltp=137000, open=0, high=0, low=0, volume=500, lut=at("12:00", friday)))
    saturday = friday + timedelta(days=1)
    desk.tell_time("11:00", saturday)
    desk.feed(touchline(ltp=137100, open=0, high=0, low=0, volume=0, lut=0, ltt=0))
    found = quote(desk)
    assert (found["open"], found["volume"]) == (1370.0, 500)


def test_a_server_that_starts_in_the_middle_takes_the_day_from_the_feeds_snapshot() -> None:
    """Open, high, low, volume and the record are those of the whole day."""
    desk = Desk(reference=close_for)
    desk.log_on("13:00")
    desk.feed(touchline(ltp=136550, high=140000, close=0, lut=at("12:59")))
    found = quote(desk)
    assert (found["open"], found["high"], found["low"]) == (1371.8, 1400.0, 1360.3)
    assert found["volume"] == 8_053_013
    assert found["is_new_week_52_high"]
    assert (found["week_52_high"], found["week_52_high_date"]) == (1400.0, str(THURSDAY))


def week_desk(day: date, reference: ReferenceOf) -> Desk:
    """Return a hub that is started early in the morning of a day."""
    return Desk(
        clock=WallClock(),
        now=at("06:00", day),
        calendar=CALENDAR,
        instruments=TABLE,
        reference=reference,
    )


def is_session(day: date) -> bool:
    """Say whether the market opens on a day."""
    return bool(CALENDAR.day(day).sessions)


def a_days_feed(
    day: date, prices: list[int], previous: int, *, tells_close: bool
) -> Iterator[tuple[int, Touchline]]:
    """Yield what the feed says on a day: ticks with the day's state, then its evening."""
    high = low = 0
    for number, ltp in enumerate(prices):
        high, low = max(high, ltp), min(low or ltp, ltp)
        moment = at("09:15", day) + number * 900 * SECOND
        yield (
            moment,
            touchline(
                ltp=ltp,
                open=prices[0],
                high=high,
                low=low,
                volume=1000 * (number + 1),
                close=previous if tells_close else 0,
                high_52=0,
                low_52=0,
                lut=moment,
            ),
        )
    official = at("15:31", day)
    yield (
        official,
        touchline(
            ltp=prices[-1] + 5,
            open=prices[0],
            high=high,
            low=low,
            volume=1000 * len(prices),
            close=previous if tells_close else 0,
            high_52=0,
            low_52=0,
            lut=official,
        ),
    )


@given(
    st.lists(
        st.lists(st.integers(90_000, 110_000), min_size=1, max_size=5),
        min_size=DAYS,
        max_size=DAYS,
    ),
    st.booleans(),
    st.booleans(),
)
def test_a_server_of_a_week_has_the_quotes_of_one_of_this_morning(
    week: list[list[int]], tells_close: bool, has_files: bool
) -> None:
    """After every update, weekend and holiday included; a fresh one knows what is told today."""
    reference = close_for if has_files else no_reference
    running = week_desk(FIRST, reference)
    previous = 99_000
    state: Touchline | None = None
    for number, prices in enumerate(week):
        day = FIRST + timedelta(days=number)
        fresh = week_desk(day, reference)
        desks = (running, fresh)
        # The feed tells its state to whoever logs on, also on a weekend.
        said = [(at("08:00", day), state)] if state is not None else []
        if is_session(day):
            said += a_days_feed(day, prices, previous, tells_close=tells_close)
            previous = prices[-1] + 5
        for moment, each in said:
            for desk in desks:
                desk.now = moment
                desk.feed(each)
            old, new = map(quote, desks)
            if not tells_close and not has_files and each is state:
                # Yesterday's state, without the evening that came before yesterday.
                for figures in (old, new):
                    figures["sources"].pop("prev_close", None)
                    for name in ("close", "prev_close", "percent_change"):
                        del figures[name]
            assert old == new
        state = said[-1][1] if said else None
