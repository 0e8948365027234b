"""What holds for all tests: a profile for property tests, and a look at the calendar's end."""

from __future__ import annotations

import time

import pytest
from hypothesis import settings

from streamer.ist import ist_date
from tests.calendar_end import CalendarEnd

# No deadline, since a busy machine is no bug.
settings.register_profile("odin", deadline=None, print_blob=True)
settings.load_profile("odin")


def pytest_configure(config: pytest.Config) -> None:
    """Have it said at the end of a run that the bundled calendar ends soon."""
    config.pluginmanager.register(CalendarEnd(ist_date(time.time_ns())))
