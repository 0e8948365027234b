from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from simulator.market import MarketDay
from simulator.timetables import OPEN_S, SECONDS, hours_of, names, timetable_of, timetables
from simulator.universe import NIFTY_50, largest
from streamer.errors import ConfigError
from tests.simulator.market_days import between, day_of, tapes
from tests.simulator.parquet_files import at

AUGUST, SEPTEMBER, DECEMBER = date(2026, 8, 5), date(2026, 10, 1), date(2026, 12, 8)
FEW = (*largest(2), largest(600)[-1])


def made_on(day: date, timetable: str | None = None) -> MarketDay:
    """A day of two stocks with derivatives, and one without."""
    return day_of(1, FEW, day=day, timetable=timetable)


@pytest.mark.parametrize(
    ("day", "name", "pre_open_end"),
    [
        (date(2025, 9, 4), "classic", "09:08"),
        (date(2026, 8, 2), "classic", "09:08"),
        (date(2026, 8, 3), "cas-2026-08", "09:08"),
        (date(2026, 9, 6), "cas-2026-08", "09:08"),
        (date(2026, 9, 7), "cas-2026-08", "09:10"),
        (date(2026, 12, 6), "cas-2026-08", "09:10"),
        (date(2026, 12, 7), "cas-2026-12", "09:10"),
    ],
)
def test_the_date_decides(day: date, name: str, pre_open_end: str) -> None:
    """Each day has the timetable that holds on it."""
    timetable = timetable_of(day)
    assert (timetable.name, timetable.pre_open[1]) == (name, pre_open_end)


def test_a_name_goes_before_the_date() -> None:
    """A timetable can be asked for on any day; a later revision of it only from its date on."""
    assert names() == ("classic", "cas-2026-08", "cas-2026-12")
    assert timetable_of(SEPTEMBER, "classic").name == "classic"
    assert timetable_of(date(2025, 9, 4), "cas-2026-08").pre_open[1] == "09:08"
    assert timetable_of(SEPTEMBER, "cas-2026-08").pre_open[1] == "09:10"
    with pytest.raises(ConfigError, match="timetable 'x' found; one of classic, cas-2026-08"):
        timetable_of(SEPTEMBER, "x")
    with pytest.raises(ConfigError, match="2009-01-01 found; a day from 2010-10-18 on"):
        timetable_of(date(2009, 1, 1))


def test_phases_follow_each_other() -> None:
    """In every timetable, for stocks with and without derivatives."""
    for timetable in timetables():
        assert timetable.source
        for derivatives in (False, True):
            hours = hours_of(timetable, derivatives=derivatives)
            phases = [hours.pre_open_end, OPEN_S, OPEN_S + hours.seconds]
            phases += [*(hours.auction or ()), hours.official_close, *hours.post_close]
            assert phases == sorted(phases)
            assert hours.closing[1] == hours.seconds <= SECONDS
            assert (hours.auction is None) == (timetable.name == "classic" or not derivatives)


@pytest.mark.parametrize(
    ("day", "stops", "collects", "matches", "reference"),
    [
        (AUGUST, "15:15", "15:20", "15:30", "15:00"),
        (SEPTEMBER, "15:15", "15:20", "15:30", "15:00"),
        (DECEMBER, "15:30", "15:31", "15:40", "15:15"),
    ],
)
def test_the_closing_auction(
    day: date, stops: str, collects: str, matches: str, reference: str
) -> None:
    """Stocks with derivatives stop, collect orders, and trade once more at one price: the close."""
    by_instrument = tapes(made_on(day))
    for stock in FEW[:2]:
        rows = by_instrument[stock]
        assert len(between(rows, at("15:14", day), at(stops, day)).ts) > 20
        last = between(rows, at("09:15", day), at(stops, day)).figures
        assert len(between(rows, at(stops, day), at(collects, day)).ts) == 0
        book = between(rows, at(collects, day), at(matches, day))
        assert len(book.ts) > 20
        assert set(book.figures["ltp"].tolist()) == {int(last["ltp"][-1])}
        assert set(book.figures["volume"].tolist()) == {int(last["volume"][-1])}
        auction = between(rows, at(matches, day), at(matches, day) + 60 * 10**9)
        trade = auction.rows(auction.figures["ltq"] > 0)
        assert len(trade.ts) == 1
        price, volume = int(trade.figures["ltp"][0]), int(trade.figures["volume"][0])
        assert volume > last["volume"][-1]
        window = between(rows, at(reference, day), at(stops, day)).figures
        steps = np.diff(window["volume"])
        average = (window["ltp"][1:] * steps).sum() / steps.sum()
        assert abs(price / average - 1) <= 0.03
        after = between(rows, at("15:50", day), at("16:00", day))
        assert len(after.ts) >= 10
        assert set(after.figures["ltp"].tolist()) == {price}
        assert rows.ts[-1] < at("16:00", day)
    index = by_instrument[NIFTY_50]
    assert len(between(index, at(stops, day) + 10**9, at("15:35", day)).ts) == 0


@pytest.mark.parametrize("day", [AUGUST, SEPTEMBER, DECEMBER])
def test_other_stocks_trade_to_the_end(day: date) -> None:
    """A stock without derivatives trades to 15:30 and closes at its average."""
    stock = FEW[2]
    assert not stock.derivatives
    rows = tapes(made_on(day))[stock]
    assert rows.ts[np.searchsorted(rows.ts, at("15:30", day)) - 1] > at("15:15", day)
    assert len(between(rows, at("15:30", day), at("15:31", day)).ts) == 0
    assert len(between(rows, at("15:31", day), at("15:31:10", day)).ts) == 1


def test_an_old_day_with_a_new_timetable() -> None:
    """The day decides the prices, the timetable the phases."""
    day = date(2025, 9, 4)
    rows = tapes(made_on(day, "cas-2026-12"))[FEW[0]]
    assert len(between(rows, at("15:31", day), at("15:40", day)).ts) > 20
