"""
Every error that Odin Streamer raises on purpose.

::

    OdinError
    ├── FeedError            the other end of the feed broke the feed's rules
    │   ├── FrameError       the byte stream cannot be followed any further
    │   └── MessageError     one message is unusable; the stream goes on
    ├── RequestError         a client's request is refused; its connection stays
    ├── ConfigError          an option, a file of options or a combination of them is unusable
    ├── CalendarError        a calendar file is unusable
    ├── InstrumentError      an instrument file is unusable
    ├── EodError             an end-of-day file is unusable
    ├── StoreError           the session store cannot be read, written or locked
    │   └── StoreInUseError  another process has it
    └── RecordingError       a recording cannot be replayed

Errors carry what was found as data; their text says what was found and what
was expected, in words that their reader can act on.
"""

from __future__ import annotations


class OdinError(Exception):
    """Base of all errors of this project."""


class FeedError(OdinError):
    """The other end of the feed broke the feed's rules."""


class FrameError(FeedError):
    """
    The byte stream of the feed cannot be followed any further.

    Args:
        problem: What was found, and what was expected.
        offset: Position in the stream, in bytes since the connection began.

    """

    def __init__(self, problem: str, *, offset: int) -> None:
        super().__init__(f"{problem} (at byte {offset} of the stream)")
        self.problem = problem
        self.offset = offset


class MessageError(FeedError):
    """
    One message of the feed is unusable; the stream around it is whole.

    Args:
        problem: What was found, and what was expected.
        code: The message code (tag 64), if it could be read.
        tag: The offending tag, if it is one.

    """

    def __init__(self, problem: str, *, code: int | None = None, tag: int | None = None) -> None:
        where = "".join(
            (
                f" in message {code}" if code is not None else "",
                f", tag {tag}" if tag is not None else "",
            )
        )
        super().__init__(f"{problem}{where}")
        self.problem = problem
        self.code = code
        self.tag = tag


class RequestError(OdinError):
    """
    A client's request is refused; the connection stays up and the session unchanged.

    Args:
        code: For programs; one of the codes of rule S-9.
        message: For people.
        request_id: The request's own id, if it could be read.

    """

    def __init__(self, code: str, message: str, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


class ConfigError(OdinError):
    """An option, a file of options or a combination of them is unusable."""


class CalendarError(OdinError):
    """
    A calendar file is unusable.

    Args:
        problem: What was found.
        expected: What was expected in its place.
        file: Name of the file.
        entry: Which part of it, as ``[[holiday]] 2``; empty for the file as a whole.
        line: Where that part begins, from 1; None where that is not known.

    """

    def __init__(
        self, problem: str, *, expected: str, file: str, entry: str = "", line: int | None = None
    ) -> None:
        places = [file, f"line {line}" if line is not None else "", entry]
        super().__init__(f"{', '.join(filter(None, places))}: {problem}; expected {expected}")
        self.problem = problem
        self.expected = expected
        self.file = file
        self.entry = entry
        self.line = line


class InstrumentError(OdinError):
    """
    An instrument file is unusable.

    Args:
        problem: What was found.
        expected: What was expected in its place.
        file: Name of the file.
        line: Number of the line, from 1.
        column: Name of the column.
        value: The offending value, as it stands there.
        unit: What ``line`` counts where the file has no lines: items, rows.

    """

    def __init__(
        self,
        problem: str,
        *,
        expected: str,
        file: str,
        line: int | None = None,
        column: str | None = None,
        value: str | None = None,
        unit: str = "line",
    ) -> None:
        place = [file]
        if line is not None:
            place.append(f"{unit} {line}")
        if column is not None:
            place.append(f"column {column!r}")
        if value is not None:
            place.append(f"value {value!r}")
        super().__init__(f"{', '.join(place)}: {problem}; expected {expected}")
        self.problem = problem
        self.expected = expected
        self.file = file
        self.line = line
        self.column = column
        self.value = value
        self.unit = unit


class EodError(OdinError):
    """
    An end-of-day file is unusable.

    Args:
        problem: What was found.
        expected: What was expected in its place.
        file: Name of the file; behind a colon, that of its part of an archive.
        line: Number of the line, from 1.
        column: Name of the column.
        value: The offending value, as it stands there.

    """

    def __init__(
        self,
        problem: str,
        *,
        expected: str,
        file: str,
        line: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        place = [file]
        if line is not None:
            place.append(f"line {line}")
        if column is not None:
            place.append(f"column {column!r}")
        if value is not None:
            place.append(f"value {value!r}")
        super().__init__(f"{', '.join(place)}: {problem}; expected {expected}")
        self.problem = problem
        self.expected = expected
        self.file = file
        self.line = line
        self.column = column
        self.value = value


class StoreError(OdinError):
    """The session store cannot be read, written or locked."""


class StoreInUseError(StoreError):
    """Another process, or another part of this one, has the session store."""


class RecordingError(OdinError):
    """
    A recording cannot be replayed.

    Args:
        problem: What was found.
        expected: What was expected in its place.
        file: Path of the recording.
        row_group: Index of the row group, from 0.
        row: Index of the row within the file, from 0.
        column: Name of the column.
        value: The offending value, as text.

    """

    def __init__(
        self,
        problem: str,
        *,
        expected: str,
        file: str,
        row_group: int | None = None,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        place = [file]
        if row_group is not None:
            place.append(f"row group {row_group}")
        if row is not None:
            place.append(f"row {row}")
        if column is not None:
            place.append(f"column {column!r}")
        if value is not None:
            place.append(f"value {value}")
        super().__init__(f"{', '.join(place)}: {problem}; expected {expected}")
        self.problem = problem
        self.expected = expected
        self.file = file
        self.row_group = row_group
        self.row = row
        self.column = column
        self.value = value
