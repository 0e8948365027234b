"""The gate says in time that the calendar ends, and passes all the same."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from streamer.calendar import NOTICE_DAYS, TradingCalendar
from tests.calendar_end import CalendarEnd, words

pytest_plugins = ["pytester"]

BUNDLED = TradingCalendar.bundled()
LAST = BUNDLED.coverage[1]


@pytest.mark.parametrize(
    ("days_left", "said"),
    [
        (NOTICE_DAYS + 1, None),
        (NOTICE_DAYS, f"the calendar ends on {LAST}, in {NOTICE_DAYS} days"),
        (0, f"the calendar ends on {LAST}, today"),
        (-1, f"the calendar ended on {LAST}"),
        (-1000, f"the calendar ended on {LAST}"),
    ],
)
def test_it_is_said_from_the_day_of_notice_on(days_left: int, said: str | None) -> None:
    """Also when the calendar has ended: then more than ever."""
    found = words(BUNDLED, LAST - timedelta(days=days_left))
    assert (found is None) is (said is None)
    assert (found or "").startswith(said or "")
    assert found is None or "streamer/data/calendar.toml" in found


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder in which pytest is run, without a word from its plugins."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    return pytester


@pytest.mark.parametrize("test", ["def test_it(): pass", "def test_it(): assert False"])
def test_it_is_the_last_thing_that_is_printed(inner: pytest.Pytester, test: str) -> None:
    """Below the failures, above the line that counts; the exit status is that of the tests."""
    inner.makepyfile(test)
    plain = inner.runpytest_inprocess()
    result = inner.runpytest_inprocess(plugins=[CalendarEnd(LAST - timedelta(days=38))])
    assert result.ret == plain.ret
    *_, title, line, count = filter(None, result.outlines)
    assert title.strip("= ") == "trading calendar"
    assert line.startswith(f"the calendar ends on {LAST}, in 38 days")
    assert " in " in count


def test_nothing_is_printed_while_there_is_time(inner: pytest.Pytester) -> None:
    """A section that is always there is not read."""
    inner.makepyfile("def test_it(): pass")
    result = inner.runpytest_inprocess(plugins=[CalendarEnd(date(2026, 1, 1))])
    assert "trading calendar" not in result.stdout.str()
