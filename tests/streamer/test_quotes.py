"""From a tick of the feed to the quote that clients get."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.beginnings import Beginning
from streamer.instruments import InstrumentTable
from streamer.native import in_use
from streamer.odin.tags import InstrumentKey
from streamer.outbox import text_frame
from streamer.quotes import Quote
from streamer.reference import NO_FIGURES, Action, Figure, Figures, Source
from tests.streamer.desk import RELIANCE, SECOND, THURSDAY, at, tick

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
    """M-1, M-6: the guide's figures, names, order and types, from the tick that gives them."""
    quote = reliance()
    processed = at("13:09:51") + 651_469_068
    quote.update(tick(lut=1_756_971_590 * SECOND), processed)
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
    quote.update(tick(ltp=scaled, locator=locator, lut=NOON), NOON)
    read = json.loads(quote.data(), parse_float=Decimal)["ltp"]
    assert read == Decimal(scaled) / locator


@pytest.mark.parametrize("figure", ["close", "high_52", "low_52"])
def test_m9_zero_on_the_wire_is_unknown(figure: str) -> None:
    """M-9: an unknown figure is null, and percent_change is 0 without a previous close (M-6)."""
    quote = reliance()
    quote.update(tick(lut=NOON, **dict[str, Any]({figure: 0})), NOON)
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
        quote.update(tick(ltp=ltp, open=0, high=0, low=0, lut=NOON), NOON)
    found = data(quote)
    assert found["open"] == ltps[0] / 100
    assert found["high"] == found["day_high"] == max(ltps) / 100
    assert found["low"] == found["day_low"] == min(ltps) / 100


def test_m7_a_new_52_week_extreme_is_flagged_from_its_tick_until_the_session_ends() -> None:
    """M-7: strictly beyond the stored extreme; the date is today's; it stays so all day."""
    quote = reliance()
    seen = []
    for high, low in ((155100, 111555), (155105, 111555), (155105, 111550), (155105, 111550)):
        quote.update(tick(high=high, low=low, lut=NOON, ltp=140000), NOON)
        found = data(quote)
        seen.append((found["is_new_week_52_high"], found["is_new_week_52_low"]))
    assert seen == [(False, False), (True, False), (True, True), (True, True)]
    assert (found["week_52_high"], found["week_52_low"]) == (1551.05, 1115.5)
    assert found["week_52_high_date"] == found["week_52_low_date"] == "2025-09-04"
    tomorrow = NOON + 86400 * SECOND
    quote.update(tick(lut=tomorrow, high_52=155105, low_52=111550), tomorrow)
    found = data(quote)
    assert not found["is_new_week_52_high"]
    assert not found["is_new_week_52_low"]


def test_m7_a_feed_that_counts_today_in_does_not_hide_the_record() -> None:
    """M-7: the extreme to beat is the one that the day began with."""
    quote = reliance()
    quote.update(tick(lut=NOON), NOON)
    quote.update(tick(lut=NOON, high=155200, high_52=155200), NOON)
    assert data(quote)["is_new_week_52_high"]


def test_seq_counts_every_update_and_goes_on_after_a_new_day() -> None:
    """M-3: changed or not, and whatever day it is."""
    quote = reliance()
    same = tick(lut=NOON)
    quote.update(same, NOON)
    quote.update(same, NOON)
    quote.begin_day_anew()
    assert quote.tick is None
    quote.update(same, NOON)
    assert json.loads(quote.market_data(NOON))["seq"] == 3


def test_a_new_day_begins_open_high_and_low_anew() -> None:
    """Derived figures of yesterday do not leak into today."""
    quote = reliance()
    for day in range(2):
        for ltp in (100 + day, 300 + day, 200 + day):
            now = at("12:00", THURSDAY + timedelta(days=day))
            quote.update(tick(ltp=ltp, open=0, high=0, low=0, lut=now), now)
    found = data(quote)
    assert (found["open"], found["high"], found["low"]) == (1.01, 3.01, 1.01)
    assert quote.day == date(2025, 9, 5)


def test_a_date_that_has_not_come_begins_no_day() -> None:
    """One wrong date in one message leaves the day, its figures and what follows as they were."""
    quote = reliance()
    quote.update(tick(ltp=100, open=90, high=0, low=0, lut=NOON), NOON)
    tomorrow = NOON + 86_400 * SECOND
    quote.update(tick(ltp=80, open=0, high=0, low=0, lut=tomorrow), NOON)
    assert quote.day == THURSDAY
    assert data(quote)["open"] == 0.9
    assert data(quote)["high"] == 1.0
    quote.update(tick(ltp=85, open=0, high=0, low=0, lut=tomorrow), tomorrow)
    assert quote.day == THURSDAY + timedelta(days=1)
    assert data(quote)["open"] == 0.85


def test_m9_an_unknown_volume_does_not_undo_the_days() -> None:
    """0 on the wire is unknown: the day's last volume stays, and the next day begins without."""
    quote = reliance()
    quote.update(tick(volume=500, lut=NOON), NOON)
    quote.update(tick(volume=0, lut=NOON + SECOND), NOON + SECOND)
    assert data(quote)["volume"] == 500
    tomorrow = NOON + 86_400 * SECOND
    quote.update(tick(volume=0, lut=tomorrow), tomorrow)
    assert data(quote)["volume"] == 0


def test_m9_the_present_state_is_told_apart_from_an_update() -> None:
    """M-9: a quote's own figures, sent at another time, are the state; any other one is news."""
    quote = reliance()
    assert not quote.is_state(tick(lut=NOON))
    quote.update(tick(lut=NOON), NOON)
    assert quote.is_state(tick(lut=NOON, sent=NOON + SECOND))
    assert not quote.is_state(tick(lut=NOON + SECOND))
    assert not quote.is_state(tick(lut=NOON, volume=1))
    assert quote.is_state(tick(lut=NOON, bid=1))


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
        quote.update(tick(lut=NOON, **dict[str, Any](figures)), NOON)
        quote.data()
        fresh = reliance()
        for again in updates[: index + 1]:
            fresh.update(tick(lut=NOON, **dict[str, Any](again)), NOON)
        assert quote.data() == fresh.data()


# --- what a day begins with

EVE, DAY, NEXT = THURSDAY - timedelta(days=1), THURSDAY, THURSDAY + timedelta(days=1)


def file_figure(value: int, on: date | None = None) -> Figure:
    """Return a figure of a made-up file of the eve."""
    return Figure(value, Source("sec_bhavdata_full", "full.csv", "0" * 64, EVE), on)


def figures(**given: Any) -> Figures:
    """Return figures of files, with some of their own."""
    found: dict[str, Any] = {
        "prev_close": file_figure(137000),
        "week_52_high": file_figure(160000, date(2025, 1, 7)),
        "week_52_low": file_figure(110000, date(2025, 3, 3)),
        "avg_volume_5d": file_figure(7_654_321),
    }
    return Figures(**{**found, **given})


def beginning_with(by_day: dict[date, Figures]) -> Quote:
    """Return the quote of RELIANCE over days with these figures."""
    instrument = InstrumentTable.bundled().get(RELIANCE)
    assert instrument is not None

    def begin(key: InstrumentKey, day: date) -> Beginning:
        official = at("15:30:30", day)
        eve = day - timedelta(days=1)
        return Beginning(day, eve, official, by_day.get(day, NO_FIGURES))

    return Quote(instrument, begin)


def reported(quote: Quote) -> dict[str, Any]:
    """Return the data object with sources and flags."""
    found: dict[str, Any] = json.loads(quote.reported())
    return found


def test_m6_the_feeds_own_previous_close_goes_first() -> None:
    """M-6: then the file's; 0 on the wire is unknown."""
    quote = beginning_with({DAY: figures()})
    quote.update(tick(close=137260, lut=NOON), NOON)
    found = reported(quote)
    assert found["prev_close"] == found["close"] == 1372.6
    assert found["sources"]["prev_close"] == {"from": "feed"}
    quote.update(tick(close=0, lut=NOON), NOON)
    found = reported(quote)
    assert found["prev_close"] == found["close"] == 1370.0
    assert found["percent_change"] == (1365.5 - 1370.0) / 1370.0 * 100
    assert found["sources"]["prev_close"]["file"] == "full.csv"


def test_m7_the_feed_changes_no_figure_of_a_file() -> None:
    """M-7: neither lower nor higher: tags 93 and 94 may be of a lifetime, and not adjusted."""
    for high, low in ((155100, 120000), (203770, 90000), (0, 0)):
        quote = beginning_with({DAY: figures()})
        quote.update(tick(high_52=high, low_52=low, lut=NOON), NOON)
        found = reported(quote)
        assert (found["week_52_high"], found["week_52_low"]) == (1600.0, 1100.0)
        assert (found["week_52_high_date"], found["week_52_low_date"]) == (
            *("2025-01-07", "2025-03-03"),
        )
        assert found["sources"]["week_52_high"]["from"] == "file"
        assert found["avg_volume_5d"] == 7_654_321


def test_m7_each_figure_stands_for_itself() -> None:
    """M-7: what no file tells is the feed's, without a date."""
    quote = beginning_with({DAY: figures(week_52_high=None)})
    quote.update(tick(high_52=155100, low_52=90000, lut=NOON), NOON)
    found = reported(quote)
    assert (found["week_52_high"], found["week_52_high_date"]) == (1551.0, None)
    assert (found["week_52_low"], found["week_52_low_date"]) == (1100.0, "2025-03-03")
    assert found["sources"]["week_52_high"] == {"from": "feed"}


def test_m7_shriramfin_makes_a_record_by_the_adjusted_file() -> None:
    """M-7: 875.45 on 2025-12-17 is above the file's 872.00, far below the feed's 3197.00."""
    quote = beginning_with({DAY: figures(week_52_high=file_figure(87200, date(2025, 11, 28)))})
    for high, is_new in ((87200, False), (87545, True), (87545, True)):
        quote.update(tick(high=high, low=85500, ltp=85600, high_52=319700, lut=NOON), NOON)
        assert reported(quote)["is_new_week_52_high"] is is_new
    found = reported(quote)
    assert (found["week_52_high"], found["week_52_high_date"]) == (875.45, str(DAY))
    assert found["sources"]["week_52_high"] == {"from": "feed", "said": str(DAY)}


def test_figures_of_files_come_in_the_feeds_scale() -> None:
    """Files are in paise, whatever the feed's decimals."""
    quote = beginning_with({DAY: figures()})
    quote.update(
        tick(
            ltp=13655000,
            open=13718000,
            high=13740000,
            low=13603000,
            close=0,
            locator=10_000,
            lut=NOON,
        ),
        NOON,
    )
    found = reported(quote)
    assert (found["prev_close"], found["week_52_high"], found["week_52_low"]) == (
        *(1370.0, 1600.0, 1100.0),
    )
    assert not found["is_new_week_52_high"]


def test_a_new_session_begins_with_its_own_figures() -> None:
    """At its first update; nothing of yesterday is left."""
    quote = beginning_with({DAY: figures(), NEXT: Figures(week_52_high=file_figure(170000))})
    quote.update(tick(close=0, lut=NOON), NOON)
    tomorrow = at("09:15", NEXT)
    quote.update(tick(close=0, low_52=0, volume=0, lut=tomorrow), tomorrow)
    found = reported(quote)
    assert (found["prev_close"], found["week_52_high"], found["week_52_low"]) == (
        *(None, 1700.0, None),
    )
    assert (found["avg_volume_5d"], found["volume"]) == (None, 0)


def evening(quote: Quote, clock: str, ltp: int, day: date = DAY) -> None:
    """Let the feed say something on a day."""
    now = at(clock, day)
    quote.update(tick(ltp=ltp, close=0, lut=now), now)


def test_h6_the_close_of_the_evening_is_tomorrows_previous_close() -> None:
    """H-6: the row of about 15:31, where neither feed nor file tell one the next day."""
    quote = beginning_with({})
    for clock, ltp in (("15:29:59", 136500), ("15:31:00", 136620), ("15:50:00", 136620)):
        evening(quote, clock, ltp)
    evening(quote, "09:15:00", 137000, NEXT)
    found = reported(quote)
    assert found["prev_close"] == 1366.2
    assert found["sources"]["prev_close"] == {"from": "feed", "said": str(DAY)}


def test_h6_the_last_trade_is_no_close() -> None:
    """H-6: nor is one that comes in late, and nothing is made of them."""
    quote = beginning_with({})
    for clock in ("15:29:59", "15:30:00", "15:30:29"):
        evening(quote, clock, 136500)
    evening(quote, "09:15:00", 137000, NEXT)
    assert reported(quote)["prev_close"] is None


def test_h6_an_older_evening_is_none() -> None:
    """H-6: only the session directly before counts."""
    quote = beginning_with({})
    evening(quote, "15:31:00", 136620)
    evening(quote, "09:15:00", 137000, NEXT + timedelta(days=1))
    assert reported(quote)["prev_close"] is None


def test_h6_a_file_goes_before_the_evening_unless_it_is_stale() -> None:
    """H-6: both are the official close; a stale one is of an earlier session."""
    for flags, expected in (((), 1370.0), (("prev_close_stale",), 1366.2)):
        quote = beginning_with({NEXT: figures(flags=flags)})
        evening(quote, "15:31:00", 136620)
        evening(quote, "09:15:00", 137000, NEXT)
        found = reported(quote)
        assert found["prev_close"] == expected
        assert found["flags"] == []


def test_h6_the_close_of_the_evening_is_divided_on_an_ex_date() -> None:
    """H-6: like a file's."""
    bonus = Action(NEXT, "BONUS 1:1", Source("bc", "bc.csv", "0" * 64, DAY))
    quote = beginning_with({NEXT: Figures(actions=(bonus,), factor=Fraction(2))})
    evening(quote, "15:31:00", 136621)
    evening(quote, "09:15:00", 68500, NEXT)
    assert reported(quote)["prev_close"] == 683.11


def test_a_clock_that_goes_back_takes_the_evening_with_it() -> None:
    """H-5: what was said later has not been said yet."""
    quote = beginning_with({})
    evening(quote, "15:31:00", 136620)
    quote.begin_day_anew()
    evening(quote, "09:15:00", 137000, NEXT)
    assert reported(quote)["prev_close"] is None


def test_files_that_come_during_the_day_are_taken_at_once() -> None:
    """With what the day has brought so far."""
    by_day: dict[date, Figures] = {}
    quote = beginning_with(by_day)
    quote.update(tick(close=0, high=165000, lut=NOON), NOON)
    by_day[DAY] = figures()
    quote.renew_reference()
    found = reported(quote)
    assert found["prev_close"] == 1370.0
    assert found["high"] == found["week_52_high"] == 1650.0
    assert found["is_new_week_52_high"]
    assert found["avg_volume_5d"] == 7_654_321


def test_files_that_come_in_the_evening_leave_the_close_of_the_eve() -> None:
    """H-6: today's official close is tomorrow's previous close, not today's."""
    quote = beginning_with({})
    evening(quote, "15:31:00", 136620)
    evening(quote, "09:15:00", 137000, NEXT)
    evening(quote, "15:31:00", 138000, NEXT)
    quote.renew_reference()
    assert reported(quote)["prev_close"] == 1366.2


def test_a_jump_without_a_corporate_action_is_flagged_once() -> None:
    """In the quote for the day, and for the log at its first sign."""
    quote = beginning_with({DAY: figures(prev_close=file_figure(280000))})
    alarms = 0
    for _ in range(3):
        quote.update(tick(close=0, lut=NOON), NOON)
        assert reported(quote)["flags"] == ["open_jump"]
        alarms += quote.alarm is not None
        if quote.alarm is not None:
            assert "RELIANCE (NSE) opened at 1371.80 on 2025-09-04" in quote.alarm
            assert "previous close 2800.00" in quote.alarm
        quote.alarm = None
    assert alarms == 1


@pytest.mark.parametrize(
    ("purpose", "factor", "feed_close", "expected"),
    [
        ("DEMERGER", Fraction(1), 280000, []),
        ("BONUS 1:1", Fraction(2), 137000, []),
        ("BONUS 1:1", Fraction(2), 280000, ["feed_close_unadjusted"]),
        ("BONUS 1:1", Fraction(2), 0, []),
    ],
)
def test_a_known_action_explains_a_jump(
    purpose: str, factor: Fraction, feed_close: int, expected: list[str]
) -> None:
    """A feed that has not adjusted its close for a bonus is told from one that has."""
    action = Action(DAY, purpose, Source("bc", "bc.csv", "0" * 64, EVE))
    quote = beginning_with({DAY: figures(actions=(action,), factor=factor)})
    quote.update(tick(close=feed_close, lut=NOON), NOON)
    assert reported(quote)["flags"] == expected


def test_an_ordinary_opening_is_no_jump() -> None:
    """A quarter is the bound, and an unknown close is none."""
    quote = beginning_with({DAY: figures()})
    for close in (137260, 0):
        quote.update(tick(close=close, lut=NOON), NOON)
        assert (reported(quote)["flags"], quote.alarm) == ([], None)
    bare = beginning_with({})
    bare.update(tick(close=0, lut=NOON), NOON)
    assert (reported(bare)["flags"], bare.alarm) == ([], None)


def test_a_report_is_the_quote_and_more() -> None:
    """All of M-1 in its order, then sources and flags."""
    quote = beginning_with({DAY: figures(flags=("week_52_stale",))})
    quote.update(tick(lut=NOON), NOON)
    found = reported(quote)
    assert list(found) == [*GUIDE_DATA, "sources", "flags"]
    assert found["sources"]["ltp"] == {"from": "feed"}
    assert found["flags"] == ["week_52_stale"]


scaled_prices = st.integers(1, 10**7) | st.integers(1, 10**18 - 1)
known_or_not = st.just(0) | scaled_prices
told_days = st.fixed_dictionaries(
    {"ltp": scaled_prices, "volume": st.integers(0, 10**18 - 1)}
    | dict.fromkeys(("open", "high", "low", "close", "high_52", "low_52"), known_or_not)
)
records = st.none() | st.builds(
    lambda value, days: replace(
        file_figure(value), on=DAY - timedelta(days=days) if days else None
    ),
    st.integers(1, 10**9),
    st.integers(0, 400),
)


@pytest.mark.skipif("streamer._spelling" not in in_use(), reason="no compiled speller is installed")
@given(
    st.lists(told_days, min_size=1, max_size=4),
    st.integers(0, 9).map(lambda places: 10**places),
    st.text(min_size=1, max_size=40) | st.just("\u20b9" * 30_000),
    st.builds(
        Figures,
        prev_close=records,
        week_52_high=records,
        week_52_low=records,
        avg_volume_5d=records,
    ),
)
def test_the_compiled_speller_spells_as_the_plain_one(
    days: list[dict[str, int]], locator: int, symbol: str, figures: Figures
) -> None:
    """The same frame, update after update, for any price, divisor, name and reference."""
    quote = beginning_with({DAY: figures})
    quote.rename(replace(quote.instrument, symbol=symbol))
    now = NOON + 10_000 * SECOND
    for number, told in enumerate(days):
        for lut in (NOON + number * SECOND, 0):
            quote.update(tick(locator=locator, lut=lut, **told), now)
            assert quote.frame(now) == text_frame(quote.market_data(now))
