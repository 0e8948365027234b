"""From a touchline of the feed to the quote that clients get."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.instruments import InstrumentTable
from streamer.quotes import Quote
from tests.streamer.desk import RELIANCE, SECOND, THURSDAY, at, touchline

NOON = at("12:00:00")

GUIDE_ENVELOPE = ["type", "symbol", "token", "exchange", "data", "timestamp"]
GUIDE_DATA = [
    "symbol",
    "token",
    "exchange",
    "ltp",
    "open",
    "high",
    "low",
    "close",
    "prev_close",
    "volume",
    "percent_change",
    "week_52_high",
    "week_52_low",
    "week_52_high_date",
    "week_52_low_date",
    "day_high",
    "day_low",
    "avg_volume_5d",
    "timestamp",
    "last_updated",
    "is_new_week_52_high",
    "is_new_week_52_low",
]


def reliance() -> Quote:
    """Return the quote of RELIANCE before any update."""
    instrument = InstrumentTable.bundled().get(RELIANCE)
    assert instrument is not None
    return Quote(instrument)


def data(quote: Quote) -> dict[str, Any]:
    """Return the data object as a client reads it."""
    found: dict[str, Any] = json.loads(quote.data())
    return found


def test_m1_the_guides_own_example_comes_out_as_printed() -> None:
    """M-1, M-6: the guide's figures, names, order and types, from the touchline that gives them."""
    quote = reliance()
    processed = at("13:09:51") + 651_469_068
    quote.update(touchline(lut=1_756_971_590 * SECOND), processed)
    message = json.loads(quote.market_data(processed))
    assert list(message) == [*GUIDE_ENVELOPE, "seq"]
    assert list(message["data"]) == GUIDE_DATA
    assert message["type"] == "market_data"
    assert message["timestamp"] == processed // 1_000_000
    assert message["data"] == {
        "symbol": "RELIANCE",
        "token": "2885",
        "exchange": "NSE",
        "ltp": 1365.5,
        "open": 1371.8,
        "high": 1374.0,
        "low": 1360.3,
        "close": 1372.6,
        "prev_close": 1372.6,
        "volume": 8053013,
        "percent_change": -0.5172665015299366,
        "week_52_high": 1551.0,
        "week_52_low": 1115.55,
        "week_52_high_date": None,
        "week_52_low_date": None,
        "day_high": 1374.0,
        "day_low": 1360.3,
        "avg_volume_5d": None,
        "timestamp": 1756971590000,
        "last_updated": "2025-09-04T13:09:51.651469068+05:30",
        "is_new_week_52_high": False,
        "is_new_week_52_low": False,
    }
    assert isinstance(message["data"]["high"], float)


@given(st.integers(1, 10**9), st.sampled_from([100, 1000, 10_000, 10_000_000]))
def test_m1_prices_are_exact(scaled: int, locator: int) -> None:
    """M-1: what a client reads is the feed's price, to the last decimal."""
    quote = reliance()
    quote.update(touchline(ltp=scaled, locator=locator, lut=NOON), NOON)
    read = json.loads(quote.data(), parse_float=Decimal)["ltp"]
    assert read == Decimal(scaled) / locator


@pytest.mark.parametrize("figure", ["close", "high_52", "low_52"])
def test_m9_zero_on_the_wire_is_unknown(figure: str) -> None:
    """M-9: an unknown figure is null, and percent_change is 0 without a previous close (M-6)."""
    quote = reliance()
    quote.update(touchline(lut=NOON, **dict[str, Any]({figure: 0})), NOON)
    found = data(quote)
    if figure == "close":
        assert found["close"] is found["prev_close"] is None
        assert found["percent_change"] == 0
    else:
        assert found["week_52_high" if figure == "high_52" else "week_52_low"] is None
        assert not found["is_new_week_52_high" if figure == "high_52" else "is_new_week_52_low"]


@given(st.lists(st.integers(1, 10**7), min_size=1))
def test_m1_open_high_and_low_are_derived_where_the_feed_has_none(ltps: list[int]) -> None:
    """M-1: they are always numbers: the first, highest and lowest price of the day so far."""
    quote = reliance()
    for ltp in ltps:
        quote.update(touchline(ltp=ltp, open=0, high=0, low=0, lut=NOON), NOON)
    found = data(quote)
    assert found["open"] == ltps[0] / 100
    assert found["high"] == found["day_high"] == max(ltps) / 100
    assert found["low"] == found["day_low"] == min(ltps) / 100


def test_m7_a_new_52_week_extreme_is_flagged_from_its_tick_until_the_session_ends() -> None:
    """M-7: strictly beyond the stored extreme; the date is today's; it stays so all day."""
    quote = reliance()
    seen = []
    for high, low in ((155100, 111555), (155105, 111555), (155105, 111550), (155105, 111550)):
        quote.update(touchline(high=high, low=low, lut=NOON, ltp=140000), NOON)
        found = data(quote)
        seen.append((found["is_new_week_52_high"], found["is_new_week_52_low"]))
    assert seen == [(False, False), (True, False), (True, True), (True, True)]
    assert (found["week_52_high"], found["week_52_low"]) == (1551.05, 1115.5)
    assert found["week_52_high_date"] == found["week_52_low_date"] == "2025-09-04"
    tomorrow = NOON + 86400 * SECOND
    quote.update(touchline(lut=tomorrow, high_52=155105, low_52=111550), tomorrow)
    found = data(quote)
    assert not found["is_new_week_52_high"]
    assert not found["is_new_week_52_low"]


def test_m7_a_feed_that_counts_today_in_does_not_hide_the_record() -> None:
    """M-7: the extreme to beat is the one that the day began with."""
    quote = reliance()
    quote.update(touchline(lut=NOON), NOON)
    quote.update(touchline(lut=NOON, high=155200, high_52=155200), NOON)
    assert data(quote)["is_new_week_52_high"]


def test_seq_counts_every_update_and_goes_on_after_a_new_day() -> None:
    """M-3: changed or not, and whatever day it is."""
    quote = reliance()
    same = touchline(lut=NOON)
    quote.update(same, NOON)
    quote.update(same, NOON)
    quote.begin_day_anew()
    assert quote.touchline is None
    quote.update(same, NOON)
    assert json.loads(quote.market_data(NOON))["seq"] == 3


def test_a_new_day_begins_open_high_and_low_anew() -> None:
    """Derived figures of yesterday do not leak into today."""
    quote = reliance()
    for day in range(2):
        for ltp in (100 + day, 300 + day, 200 + day):
            now = at("12:00", THURSDAY + timedelta(days=day))
            quote.update(touchline(ltp=ltp, open=0, high=0, low=0, lut=now), now)
    found = data(quote)
    assert (found["open"], found["high"], found["low"]) == (1.01, 3.01, 1.01)
    assert quote.day == date(2025, 9, 5)


def test_a_date_that_has_not_come_begins_no_day() -> None:
    """One wrong date in one message leaves the day, its figures and what follows as they were."""
    quote = reliance()
    quote.update(touchline(ltp=100, open=90, high=0, low=0, lut=NOON), NOON)
    tomorrow = NOON + 86_400 * SECOND
    quote.update(touchline(ltp=80, open=0, high=0, low=0, lut=tomorrow), NOON)
    assert quote.day == THURSDAY
    assert data(quote)["open"] == 0.9
    assert data(quote)["high"] == 1.0
    quote.update(touchline(ltp=85, open=0, high=0, low=0, lut=tomorrow), tomorrow)
    assert quote.day == THURSDAY + timedelta(days=1)
    assert data(quote)["open"] == 0.85


def test_m9_an_unknown_volume_does_not_undo_the_days() -> None:
    """0 on the wire is unknown: the day's last volume stays, and the next day begins without."""
    quote = reliance()
    quote.update(touchline(volume=500, lut=NOON), NOON)
    quote.update(touchline(volume=0, lut=NOON + SECOND), NOON + SECOND)
    assert data(quote)["volume"] == 500
    tomorrow = NOON + 86_400 * SECOND
    quote.update(touchline(volume=0, lut=tomorrow), tomorrow)
    assert data(quote)["volume"] == 0


def test_m9_the_present_state_is_told_apart_from_an_update() -> None:
    """M-9: the same figures, sent at another time, are the state; any other figure is news."""
    quote = reliance()
    assert not quote.is_state(touchline(lut=NOON))
    quote.update(touchline(lut=NOON), NOON)
    assert quote.is_state(touchline(lut=NOON, sent=NOON + SECOND))
    assert not quote.is_state(touchline(lut=NOON + SECOND))
    assert not quote.is_state(touchline(lut=NOON, bid=1))


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "ltp": st.integers(1, 500),
                "open": st.integers(0, 3),
                "high": st.sampled_from([0, 500, 501]),
                "low": st.sampled_from([0, 1]),
                "close": st.sampled_from([0, 77]),
                "high_52": st.sampled_from([0, 400]),
                "low_52": st.sampled_from([0, 5]),
                "volume": st.integers(0, 10),
            }
        ),
        min_size=1,
    )
)
def test_cached_pieces_never_go_stale(updates: list[dict[str, int]]) -> None:
    """The text pieces kept between updates spell the same as a quote built from scratch."""
    quote = reliance()
    for index, figures in enumerate(updates):
        quote.update(touchline(lut=NOON, **dict[str, Any](figures)), NOON)
        quote.data()
        fresh = reliance()
        for again in updates[: index + 1]:
            fresh.update(touchline(lut=NOON, **dict[str, Any](again)), NOON)
        assert quote.data() == fresh.data()
