"""Quotes for whoever asks, open or closed."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from streamer.reference import Bar, Figure, Figures, SessionReference, Source
from tests.streamer.desk import RELIANCE, THURSDAY, Desk, at, touchline
from tests.streamer.test_quotes import GUIDE_DATA

WEDNESDAY = THURSDAY - timedelta(days=1)
SBIN, NIFTY = (1, 3045), (1, 26000)


def file_of(day: date) -> Source:
    """Return the end-of-day file of a session."""
    return Source("udiff", f"{day}.csv", "0" * 64, day)


def reference(day: date) -> SessionReference:
    """Return figures of SBIN and an index for a session: those of the day before."""
    eve = day - timedelta(days=1)
    bar = Bar(eve, 80000, 81000, 79000, 80500, 1234, file_of(eve))
    close = Figure(80500 if day == THURSDAY else 78000, file_of(eve))
    shares = Figures(prev_close=close, last_bar=bar)
    return SessionReference(day, {SBIN: shares, NIFTY: shares})


def ask(desk: Desk, *stocks: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the quotes of stocks and those without one."""
    found, failed = desk.hub.quotes(stocks)
    return [json.loads(each) for each in found], failed


def test_the_feeds_quote_is_given_open_or_closed() -> None:
    """With its sources and flags; stocks by symbol, by token or with their exchange."""
    desk = Desk()
    desk.log_on("12:00")
    desk.feed(touchline(lut=at("12:00")))
    opened, failed = ask(desk, "RELIANCE", "2885", "NSE:RELIANCE", "NOSUCH", "TCS")
    desk.tell_time("20:00")
    closed, _ = ask(desk, "2885")
    assert failed == ["NOSUCH", "TCS"]
    assert opened == closed
    [quote] = opened
    assert list(quote) == [*GUIDE_DATA, "sources", "flags"]
    assert (quote["symbol"], quote["ltp"]) == ("RELIANCE", 1365.5)
    assert quote["sources"]["prev_close"] == {"from": "feed"}


def test_what_the_feed_has_not_told_is_that_of_the_last_session() -> None:
    """From its end-of-day file, dated and compared as on that day."""
    desk = Desk(reference=reference)
    desk.log_on("08:00")
    [quote], failed = ask(desk, "SBIN")
    assert failed == []
    assert (quote["open"], quote["high"], quote["low"], quote["ltp"], quote["volume"]) == (
        *(800.0, 810.0, 790.0, 805.0, 1234),
    )
    assert quote["prev_close"] == 780.0
    assert quote["percent_change"] == (805.0 - 780.0) / 780.0 * 100
    assert quote["timestamp"] == at("15:30", WEDNESDAY) // 1_000_000
    assert quote["sources"]["ltp"]["file"] == f"{WEDNESDAY}.csv"
    assert quote["sources"]["prev_close"]["file"] == f"{WEDNESDAY - timedelta(days=1)}.csv"
    [index], _ = ask(desk, "NIFTY 50")
    assert index["volume"] == 0


def test_the_feed_goes_before_a_file() -> None:
    """As soon as it has said a price."""
    desk = Desk(reference=reference)
    desk.log_on("12:00")
    desk.feed(touchline(SBIN, 81500, lut=at("12:00")))
    [quote], _ = ask(desk, "SBIN")
    assert quote["ltp"] == 815.0
    assert quote["sources"]["ltp"] == {"from": "feed"}


def test_before_any_time_nothing_is_known() -> None:
    """H-5: which session is the last one, the feed has not told yet."""
    assert ask(Desk(reference=reference), "SBIN", "RELIANCE") == ([], ["SBIN", "RELIANCE"])


def test_the_order_is_that_of_the_question() -> None:
    """Each instrument once, under whatever names."""
    desk = Desk(reference=reference)
    desk.log_on("12:00")
    desk.feed(touchline(RELIANCE, lut=at("12:00")))
    quotes, failed = ask(desk, "SBIN", "RELIANCE", "3045", " nse:sbin ", "BSE:500112")
    assert [quote["symbol"] for quote in quotes] == ["SBIN", "RELIANCE"]
    assert failed == ["BSE:500112"]
