"""How log lines look."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime

from streamer.logs import JsonFormatter, TextFormatter


def record(message: str, *args: object, with_error: bool = False) -> logging.LogRecord:
    """Return a log record, perhaps of an error that is being handled."""
    error = sys.exc_info() if with_error else None
    return logging.LogRecord("streamer", logging.WARNING, "x.py", 1, message, args, error)


def test_a_line_of_text_has_time_zone_weight_and_message() -> None:
    """People read the zone with the time, wherever the log was written."""
    line = TextFormatter().format(record("feed %s", "down"))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d WARNING feed down", line
    )


def test_a_line_of_json_is_one_object() -> None:
    """A line break or a quote in a message breaks no line."""
    line = JsonFormatter().format(record("two\nlines of %r", '"'))
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["message"]) == ("warning", "two\nlines of '\"'")
    assert datetime.fromisoformat(told["time"]).tzinfo is not None


def test_an_error_brings_its_trace() -> None:
    """What went wrong stands with the line, in both forms."""
    try:
        raise KeyError("lost")
    except KeyError:
        failed = record("failed", with_error=True)
    assert "KeyError: 'lost'" in TextFormatter().format(failed)
    assert "KeyError: 'lost'" in json.loads(JsonFormatter().format(failed))["exception"]
