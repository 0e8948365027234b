"""
Where log lines go and how they look; only the command line sets this.

Lines go to standard error, standard output being for answers and events.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import msgspec

from streamer.config import LogFormat, LogLevel


class TextFormatter(logging.Formatter):
    """Local time with its offset from UTC, weight, message: one line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line, and what went wrong below it."""
        when = _moment(record).astimezone().isoformat(timespec="milliseconds")
        return f"{when} {record.levelname} {super().format(record)}"


class JsonFormatter(logging.Formatter):
    """One JSON object for each line, for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as ``time`` (UTC), ``level``, ``message`` and what went wrong."""
        line = {
            "time": _moment(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure(level: LogLevel, form: LogFormat) -> None:
    """Log to standard error from ``level`` on; libraries only when someone should look."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("streamer").setLevel(level.upper())


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
