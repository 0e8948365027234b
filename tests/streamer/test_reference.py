"""The figures that a trading session begins with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.reference import (
    MAX_MISSING_SESSIONS,
    Action,
    Bar,
    Figures,
    Material,
    Range,
    Sessions,
    Source,
    factor_between,
    figures,
    is_jump,
    range_of_bars,
    rounded,
    session_calendar,
    year_before,
)

D = date(2025, 12, 18)
BONUS = "BONUS 1:1"


def source(kind: str, day: date) -> Source:
    """Return a made-up file."""
    return Source(kind, f"{kind}_{day:%d%m%Y}.csv", "0" * 64, day)


def bar(day: date, close: int = 1000, *, high: int = 0, low: int = 0, volume: int = 100) -> Bar:
    """Return a session; without others, all its prices are the close."""
    return Bar(
        day, close, high or close, low or close, close, volume, source("sec_bhavdata_full", day)
    )


def year_range(
    day: date,
    high: int = 2000,
    low: int = 500,
    high_on: date | None = date(2025, 9, 1),
    low_on: date | None = date(2025, 3, 3),
) -> Range:
    """Return the range of a 52-week file that is made for a day."""
    file = source("52_week", day)
    return Range(day, high, high_on, low, low_on, file, file)


def action(ex_date: date, purpose: str = BONUS) -> Action:
    """Return a corporate action."""
    return Action(ex_date, purpose, source("bc", ex_date - timedelta(days=1)))


def sessions(day: date, *, without: Iterable[date] = ()) -> Sessions:
    """Return a session for which every weekday before was one, each with a file but some."""
    found = session_calendar(day, lambda each: each.weekday() < 5, ())
    return Sessions(day, found.before, frozenset(found.before).difference(without))


def values(found: Figures) -> tuple[int | None, ...]:
    """Return previous close, high, low and average volume."""
    each = (found.prev_close, found.week_52_high, found.week_52_low, found.avg_volume_5d)
    return tuple(None if figure is None else figure.value for figure in each)


def test_nothing_known_gives_nothing() -> None:
    """M-1: unknown figures are unknown, never invented."""
    assert figures(Material(), sessions(D)) == Figures()


def test_the_previous_close_is_that_of_the_session_before() -> None:
    """Its source names the file."""
    found = figures(
        Material(bars=(bar(date(2025, 12, 16), 900), bar(date(2025, 12, 17)))), sessions(D)
    )
    assert found.prev_close is not None
    assert found.prev_close.value == 1000
    assert found.prev_close.source_json() == {
        "from": "file",
        "kind": "sec_bhavdata_full",
        "file": "sec_bhavdata_full_17122025.csv",
        "sha256": "0" * 64,
        "effective": "2025-12-17",
    }
    assert not found.flags


def test_a_days_own_file_never_serves_that_day() -> None:
    """What is of the session itself, or later, changes nothing at all."""
    before = Material(bars=(bar(date(2025, 12, 17)),), range=year_range(D))
    own = (*before.bars, bar(D, 7777, volume=9**9), bar(date(2025, 12, 19), 8888))
    later = (action(date(2025, 12, 19)),)
    assert figures(Material(own, before.range, later), sessions(D)) == figures(before, sessions(D))


def test_a_range_of_a_later_file_is_not_used() -> None:
    """A 52-week file that is made for tomorrow knows today."""
    found = figures(Material(range=year_range(date(2025, 12, 19))), sessions(D))
    assert found.week_52_high is found.week_52_low is None


@pytest.mark.parametrize(
    ("purpose", "close", "expected"),
    [
        (BONUS, 281600, 140800),
        ("FVSPLT FRM RS 10 TO RS 5", 354490, 177245),
        ("BONUS 1:2", 100001, 66667),
        ("BONUS 1:1", 100001, 50001),
        ("CONSOLIDATION FROM RE 1 TO RS 10", 1000, 10000),
        ("DEMERGER", 1000, 1000),
        ("INTDIV - RS 7 PER SH", 1000, 1000),
    ],
)
def test_on_an_ex_date_the_previous_close_is_divided(
    purpose: str, close: int, expected: int
) -> None:
    """By the factor of a split or bonus alone, rounded to the paisa, half a paisa up."""
    material = Material(bars=(bar(date(2025, 12, 17), close),), actions=(action(D, purpose),))
    found = figures(material, sessions(D))
    assert found.prev_close is not None
    assert found.prev_close.value == expected


def test_an_ex_date_is_told_with_the_exchanges_own_words() -> None:
    """The quote of the day says what happened to the share."""
    doubled = (action(D), action(D), action(date(2025, 12, 10)))
    found = figures(Material(bars=(bar(date(2025, 12, 17)),), actions=doubled), sessions(D))
    assert found.flags == ("corporate_action",)
    assert [each.purpose for each in found.actions] == [BONUS]
    assert found.factor == 2
    assert found.prev_close is not None
    assert found.prev_close.source_json()["factor"] == "2"
    # The day after, all that came before is history.
    after = figures(Material(bars=(bar(D, 500),), actions=doubled), sessions(D + timedelta(days=1)))
    assert (after.flags, after.actions) == ((), ())
    assert after.prev_close is not None
    assert after.prev_close.value == 500


def test_a_stock_that_did_not_trade_keeps_its_close() -> None:
    """It is not in the files of the sessions since, and these are there."""
    found = figures(Material(bars=(bar(date(2025, 12, 10)),)), sessions(D))
    assert found.prev_close is not None
    assert not found.flags


def test_a_close_that_may_be_outdated_says_so() -> None:
    """Without the file of a session since, there may be another close by now."""
    gap = sessions(D, without=[date(2025, 12, 17)])
    found = figures(Material(bars=(bar(date(2025, 12, 16)),)), gap)
    assert found.prev_close is not None
    assert found.flags[0] == "prev_close_stale"


def test_a_close_beyond_the_bound_is_unknown() -> None:
    """A wrong price is worse than none."""
    missing = sessions(D).before[-MAX_MISSING_SESSIONS - 1 :]
    found = figures(Material(bars=(bar(date(2025, 12, 1)),)), sessions(D, without=missing))
    assert found.prev_close is None
    assert "prev_close_stale" in found.flags


@given(st.lists(st.integers(0, 10**9), max_size=8))
def test_the_average_volume_is_that_of_the_five_sessions_before(volumes: list[int]) -> None:
    """Fewer than five: the mean of what there is; none: unknown."""
    days = sessions(D).before[len(sessions(D).before) - len(volumes) :]
    bars = tuple(bar(day, volume=volume) for day, volume in zip(days, volumes, strict=True))
    found = figures(Material(bars=bars), sessions(D)).avg_volume_5d
    five = volumes[-5:]
    if not five:
        assert found is None
    else:
        assert found is not None
        assert abs(found.value - Fraction(sum(five), len(five))) <= Fraction(1, 2)
        assert len(found.sources) == len(five)


def test_the_average_volume_looks_back_five_sessions_and_no_further() -> None:
    """A stock that did not trade for a week has no average of the sessions before that."""
    found = figures(Material(bars=(bar(date(2025, 12, 10)),)), sessions(D))
    assert found.avg_volume_5d is None


def test_volumes_before_an_ex_date_are_multiplied() -> None:
    """Each by what went ex after it: two sessions of 100 old shares and one of 300 new ones."""
    days = (date(2025, 12, 15), date(2025, 12, 16), date(2025, 12, 17))
    bars = tuple(bar(day, volume=v) for day, v in zip(days, (100, 100, 300), strict=True))
    material = Material(bars=bars, actions=(action(date(2025, 12, 17)),))
    found = figures(material, sessions(D)).avg_volume_5d
    assert found is not None
    assert found.value == rounded(Fraction(200 + 200 + 300, 3)) == 233


def test_an_index_has_no_volume() -> None:
    """What the exchange prints there is that of its stocks."""
    found = figures(Material(bars=(bar(date(2025, 12, 17)),)), sessions(D), has_volume=False)
    assert found.avg_volume_5d is None
    assert found.prev_close is not None


def test_a_missing_file_within_the_five_sessions_is_flagged() -> None:
    """The mean is that of the sessions whose files are there."""
    gap = sessions(D, without=[date(2025, 12, 15)])
    found = figures(Material(bars=(bar(date(2025, 12, 17)),)), gap)
    assert found.avg_volume_5d is not None
    assert found.flags == ("avg_volume_partial",)


def test_the_file_made_for_the_day_is_taken_as_it_is() -> None:
    """Also on an ex-date: the exchange has adjusted it, and it knows all highs before."""
    material = Material(
        bars=(bar(date(2025, 12, 17), high=9999, low=1),),
        range=year_range(D),
        actions=(action(D),),
    )
    assert values(figures(material, sessions(D)))[1:3] == (2000, 500)


def test_a_file_one_session_old_is_carried_forward() -> None:
    """With the highs and lows since, each with its day and its own source."""
    before = date(2025, 12, 17)
    for high, low, expected in (
        (1999, 501, (2000, date(2025, 9, 1), 500, date(2025, 3, 3))),
        (2000, 500, (2000, date(2025, 9, 1), 500, date(2025, 3, 3))),
        (2001, 499, (2001, before, 499, before)),
    ):
        material = Material(bars=(bar(before, high=high, low=low),), range=year_range(before))
        found = figures(material, sessions(D))
        assert found.week_52_high is not None
        assert found.week_52_low is not None
        assert expected == (
            *(found.week_52_high.value, found.week_52_high.on),
            *(found.week_52_low.value, found.week_52_low.on),
        )
        assert not found.flags
        kind = "sec_bhavdata_full" if high > 2000 else "52_week"
        assert found.week_52_high.source.kind == kind


def test_a_range_is_divided_as_long_as_the_newest_file_is_older_than_the_ex_date() -> None:
    """And the bars since by what went ex after them."""
    old = date(2025, 12, 15)
    bars = (
        bar(date(2025, 12, 15), high=2400, low=900),
        bar(date(2025, 12, 16), high=1100, low=450),
        bar(date(2025, 12, 17), high=1150, low=480),
    )
    material = Material(bars, year_range(old), (action(date(2025, 12, 16)),))
    found = figures(material, sessions(D))
    assert values(found)[1:3] == (1200, 250)
    assert found.week_52_high is not None
    assert found.week_52_high.on == old
    assert found.week_52_low is not None
    assert found.week_52_low.source_json()["factor"] == "2"


def test_a_range_over_a_gap_says_so_and_ends() -> None:
    """A few sessions without files are flagged, more make the range unknown."""
    before = sessions(D).before
    for missing in (1, MAX_MISSING_SESSIONS, MAX_MISSING_SESSIONS + 1):
        gap = before[-missing:]
        found = figures(Material(range=year_range(gap[0])), sessions(D, without=gap))
        assert "week_52_stale" in found.flags
        assert (found.week_52_high is None) is (missing > MAX_MISSING_SESSIONS)


def test_a_record_that_is_a_year_old_no_longer_counts() -> None:
    """NSE's file has a high of 2024-12-16 for 2025-12-17 and not for 2025-12-18."""
    old = date(2025, 12, 17)
    record = date(2024, 12, 16)
    kept = figures(Material(range=year_range(old, high_on=record)), sessions(old))
    assert kept.week_52_high is not None
    material = Material((bar(old, 700),), year_range(old, high_on=record, low_on=record))
    found = figures(material, sessions(D))
    assert found.week_52_high is found.week_52_low is None
    assert set(found.flags) == {"week_52_high_expired", "week_52_low_expired"}


def test_a_record_that_was_met_again_counts_from_then() -> None:
    """Nothing within the year can have gone further than the expired record."""
    old = date(2025, 12, 17)
    expired = year_range(old, high_on=date(2024, 12, 16))
    found = figures(Material((bar(old, high=2000, low=600),), expired), sessions(D))
    assert found.week_52_high is not None
    assert (found.week_52_high.value, found.week_52_high.on) == (2000, old)
    assert not found.flags


def test_a_new_listing_has_the_range_of_its_sessions() -> None:
    """The file has dashes for it; a day later it has one session."""
    old = date(2025, 12, 17)
    unknown = year_range(old, 0, 0, None, None)
    assert values(figures(Material(range=unknown), sessions(old)))[1:3] == (None, None)
    found = figures(Material((bar(old, high=120, low=90),), unknown), sessions(D))
    assert values(found)[1:3] == (120, 90)


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 400)), min_size=1, max_size=60),
    st.sampled_from([None, 3, 100, 200]),
)
def test_a_year_of_bars_makes_the_range_that_a_plain_look_finds(
    prices: list[tuple[int, int]], ex_days_ago: int | None
) -> None:
    """The highest and lowest adjusted price of the year, the first day of several."""
    days = sessions(D).before[-len(prices) :]
    bars = [
        bar(day, low, high=low + more, low=low)
        for day, (low, more) in zip(days, prices, strict=True)
    ]
    actions = [] if ex_days_ago is None else [action(D - timedelta(days=ex_days_ago))]
    found = range_of_bars(bars, actions, sessions(D))
    highs = [Fraction(each.high) / factor_between(actions, each.day, D) for each in bars]
    lows = [Fraction(each.low) / factor_between(actions, each.day, D) for each in bars]
    assert found is not None
    assert (found.high, found.low) == (rounded(max(highs)), rounded(min(lows)))
    assert found.high_on == days[highs.index(max(highs))]
    assert found.low_on == days[lows.index(min(lows))]


def test_a_year_of_bars_without_prices_makes_no_range() -> None:
    """Bars outside the year do not count either."""
    assert range_of_bars([bar(date(2024, 12, 16), 100), bar(D, 100)], [], sessions(D)) is None


@pytest.mark.parametrize(
    ("price", "prev_close", "expected"),
    [
        (125, 100, False),
        (126, 100, True),
        (75, 100, False),
        (74, 100, True),
        (219945, 2170240, True),
    ],
)
def test_a_jump_is_more_than_a_quarter(price: int, prev_close: int, expected: bool) -> None:
    """Either way, and EICHERMOT's split of 2020-08-24 is one when it is not adjusted."""
    assert is_jump(price, prev_close) is expected


def test_a_year_before_a_leap_day_is_the_28th() -> None:
    """2023 had no 29 February."""
    assert year_before(date(2024, 2, 29)) == date(2023, 2, 28)
    assert year_before(D) == date(2024, 12, 18)


def test_a_file_makes_a_session_whatever_the_calendar_says() -> None:
    """A Sunday that a file is of was one."""
    sunday = date(2025, 12, 14)
    found = session_calendar(D, lambda day: day.weekday() < 5, [sunday, D])
    assert sunday in found.before
    assert D not in found.filed
    assert found.previous == date(2025, 12, 17)


def test_figures_are_told_in_rupees_with_their_sources() -> None:
    """As JSON: every figure has its key, those that are known have a source."""
    material = Material((bar(date(2025, 12, 17), 100050),), year_range(D), (action(D),))
    told = figures(material, sessions(D)).as_json()
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    assert told["prev_close"] == 500.25
    assert (told["week_52_high"], told["week_52_high_date"]) == (20.0, "2025-09-01")
    assert told["avg_volume_5d"] == 200
    assert set(msgspec.convert(told["sources"], dict[str, object])) == {
        *("prev_close", "week_52_high", "week_52_low", "avg_volume_5d")
    }
    assert told["flags"] == ["corporate_action"]
    nothing = Figures().as_json()
    assert (nothing["prev_close"], nothing["week_52_low_date"], nothing["sources"]) == (
        None,
        None,
        {},
    )
