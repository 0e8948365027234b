"""
The catalogue of faults: what the feed can be made to do wrong, and when.

A :class:`Fault` is a kind of fault, one small value: its name, what it does,
its options with their units, what is required of a streaming server. A
:class:`Planned` fault is one with options and a place on the feed's own time.
What a fault does to updates, frames and sockets is told elsewhere
(``simulator/spoiling.py``, ``simulator/faulty.py``).

A planned fault is written ``NAME[:option=value,...]@HH:MM:SS[+4s]``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from streamer.errors import ConfigError
from streamer.ist import clock_seconds

__all__ = [
    "CATALOGUE",
    "CATALOGUE_BY_NAME",
    "MOMENTS",
    "Fault",
    "FaultOption",
    "Layer",
    "Planned",
    "catalogue",
    "described",
    "parse_fault",
    "parse_planned",
    "planned",
]

_DAY_S = 86_400
_FORM = "NAME[:option=value,...]@HH:MM:SS[+4s]"
_FORM_NOW = "NAME[:option=value,...][@HH:MM:SS][+4s]"
_PLANNED = re.compile(r"(?P<name>[^:@]*)(?::(?P<options>[^@]*))?@(?P<at>[^+]*)(?:\+(?P<for>.*))?")
_NOW = re.compile(r"(?P<name>[^:@+]*)(?::(?P<options>[^@+]*))?(?:\+(?P<for>.*))?")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_DURATION = re.compile(r"(\d{1,5})(s|m|h)?", re.ASCII)
_UNITS = {None: 1, "s": 1, "m": 60, "h": 3600}


class Layer(StrEnum):
    """What a fault breaks."""

    SOCKET = "socket"
    WEBSOCKET = "websocket"
    FRAME = "frame"
    MESSAGE = "message"
    SESSION = "session"


class FaultOption(msgspec.Struct, frozen=True):
    """
    A number that shapes a fault.

    Args:
        name: As it is written.
        unit: What it counts.
        default: What it is unless it is given; whole options have a whole one.
        least: The smallest value allowed.
        most: The largest value allowed.

    """

    name: str
    unit: str
    default: int | float
    least: float = 0
    most: float = 1_000_000


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """
    One kind of fault.

    Args:
        name: As it is written.
        layer: What it breaks.
        summary: What the feed does, in one sentence.
        required: What a streaming server must make of it.
        options: What shapes it.
        lasts_s: How long it lasts unless that is told; 0 is a moment.

    """

    name: str
    layer: Layer
    summary: str
    required: str
    options: tuple[FaultOption, ...] = ()
    lasts_s: int = 1


_REDIAL = "Dials again; its clients stay, and get no quote meanwhile"
_LEFT_OUT = "Leaves the message out, and uses those around it"
_PASSED_ON = "Passes the message on as the feed told it"
_SHARE = FaultOption("share", "of all, 0 to 1", 1.0, 0, 1)


def _socket(name: str, summary: str, required: str, *options: FaultOption, lasts_s: int) -> Fault:
    return Fault(
        name=name,
        layer=Layer.SOCKET,
        summary=summary,
        required=required,
        options=options,
        lasts_s=lasts_s,
    )


def _frame(name: str, summary: str, required: str, *options: FaultOption) -> Fault:
    return Fault(
        name=name,
        layer=Layer.FRAME,
        summary=summary,
        required=required,
        options=(*options, _SHARE),
    )


def _message(name: str, summary: str, required: str, *options: FaultOption) -> Fault:
    return Fault(
        name=name,
        layer=Layer.MESSAGE,
        summary=summary,
        required=required,
        options=(*options, _SHARE),
    )


CATALOGUE: tuple[Fault, ...] = (
    _socket(
        "refuse",
        "Cuts all connections, and new ones as soon as they are made.",
        f"{_REDIAL}, with growing delays.",
        lasts_s=4,
    ),
    _socket(
        "silent",
        "Cuts all connections; accepts new ones and never says a word on them.",
        "Gives up the handshake in time, and dials again; its clients stay.",
        lasts_s=4,
    ),
    _socket("reset", "Resets all connections (TCP RST).", f"{_REDIAL}.", lasts_s=0),
    _socket(
        "half-open",
        "Neither reads nor writes on the connections there are, without ending them; then cuts"
        " them.",
        "Finds out by the silence, and dials again; its clients stay.",
        lasts_s=4,
    ),
    _socket(
        "drip",
        "Sends a few bytes at a time.",
        "Puts the pieces together; every quote is as the feed told it.",
        FaultOption("bytes", "bytes at a time", 64, 1),
        FaultOption("gap", "real milliseconds between them", 1, 1, 10_000),
        lasts_s=4,
    ),
    _socket(
        "slow-down",
        "Sends no faster than a thin line would take it.",
        "Is late, and loses nothing that the feed still sends.",
        FaultOption("rate", "bytes per real second", 8_000, 100),
        lasts_s=4,
    ),
    Fault(
        name="close",
        layer=Layer.WEBSOCKET,
        summary="Closes all connections with a close code.",
        required=f"{_REDIAL}, whatever the code.",
        options=(FaultOption("code", "WebSocket close code", 1011, 1000, 4999),),
        lasts_s=0,
    ),
    Fault(
        name="no-pong",
        layer=Layer.WEBSOCKET,
        summary="Answers no ping.",
        required="Does not mind while data comes; without data it dials again.",
        lasts_s=30,
    ),
    Fault(
        name="fragmented",
        layer=Layer.WEBSOCKET,
        summary="Sends each WebSocket message in fragments.",
        required="Puts them together; every quote is as the feed told it.",
        options=(FaultOption("pieces", "fragments of a message", 3, 2, 100),),
    ),
    _frame(
        "bad-header",
        "Begins a frame with a byte that no frame begins with.",
        f"{_REDIAL}: no later place is certain to begin a frame.",
        FaultOption("byte", "value of the first byte", 88, 6, 255),
    ),
    _frame(
        "wrong-length",
        "Counts fewer bytes in a frame's header than follow it.",
        "Loses that frame, and dials again; its clients stay.",
        FaultOption("short", "bytes not counted", 10, 1, 1_000),
    ),
    _frame(
        "truncated-zlib",
        "Cuts a frame's zlib stream short; the header counts what is left.",
        "Loses that frame alone.",
        FaultOption("cut", "bytes cut off", 8, 1, 1_000),
    ),
    _frame(
        "corrupt-zlib",
        "Flips bits in the middle of a frame's zlib stream.",
        "Loses that frame alone.",
    ),
    _frame(
        "split-frame",
        "Spreads a frame over several WebSocket messages.",
        "Puts it together; every quote is as the feed told it.",
        FaultOption("pieces", "WebSocket messages", 2, 2, 100),
    ),
    _frame(
        "joined-frames",
        "Sends two frames in one WebSocket message: a heartbeat's, then another.",
        "Reads both; every quote is as the feed told it.",
    ),
    _frame(
        "trailing-nuls",
        "Sends NULs behind a frame that its header does not count.",
        "Skips them; every quote is as the feed told it.",
        FaultOption("count", "NULs", 4, 1, 10_000),
    ),
    _message(
        "missing-tag",
        "Leaves a field out of updates.",
        f"{_LEFT_OUT} if it cannot do without the field, as without a price (8).",
        FaultOption("tag", "tag number", 8, 1, 9_999),
    ),
    _message(
        "unknown-tag",
        "Adds a field to updates that nobody knows.",
        "Ignores the field; every quote is as the feed told it.",
        FaultOption("tag", "tag number", 7777, 1, 9_999),
    ),
    _message(
        "non-numeric",
        "Writes letters where an update has a number.",
        f"{_LEFT_OUT}.",
        FaultOption("tag", "tag number", 8, 1, 9_999),
    ),
    _message("zero-price", "Tells a last traded price of 0.", "Tells clients no quote for it."),
    _message("negative-price", "Tells a last traded price below 0.", f"{_LEFT_OUT}."),
    _message(
        "stale-time",
        "Tells times of last trade and last update (73, 74) that are long past.",
        f"{_PASSED_ON}; neither its clock nor the market's hours move.",
        FaultOption("by", "seconds", 300, 1, 86_400),
    ),
    _message(
        "time-ahead",
        "Tells times of last trade and last update (73, 74) that are still to come.",
        f"{_PASSED_ON}; neither its clock nor the market's hours move.",
        FaultOption("by", "seconds", 3_600, 1, 86_400),
    ),
    _message(
        "unknown-token",
        "Tells updates for an instrument that nobody knows.",
        "Tells no client anything of it.",
        FaultOption("token", "token", 99_999_999, 1, 2**31 - 1),
    ),
    _message(
        "duplicate",
        "Sends updates more than once.",
        "Never tells other figures than the feed did; a quote may come again.",
        FaultOption("copies", "extra copies", 1, 1, 100),
    ),
    _message(
        "reorder",
        "Sends updates in a random order, within windows of a few.",
        "Tells only figures that the feed told, and ends with right ones.",
        FaultOption("window", "updates", 8, 2, 1_000),
    ),
    _message(
        "volume-falling",
        "Tells updates with the volume and price of earlier ones of the instrument.",
        "Tells only figures that the feed told, and ends with right ones.",
        FaultOption("back", "updates back", 3, 1, 100),
    ),
    _message(
        "date-change",
        "Moves the date of last trade and last update (73, 74) to another day.",
        "The market's day does not change, and last quotes still follow a subscribe.",
        FaultOption("days", "days", 1, 1, 366),
    ),
    _message("drop", "Leaves updates out.", "Tells what is left; the next update repairs it."),
    Fault(
        name="logon-refused",
        layer=Layer.SESSION,
        summary="Cuts all connections, and refuses each logon.",
        required="Waits long before it asks again; its clients stay, and get no quote meanwhile.",
        options=(FaultOption("status", "tag 70 of the answer", 10_001, 0, 99_999),),
        lasts_s=4,
    ),
    Fault(
        name="logged-off",
        layer=Layer.SESSION,
        summary="Logs all clients off in the middle of the day (109), and closes.",
        required=f"{_REDIAL}.",
        lasts_s=0,
    ),
    Fault(
        name="heartbeat-stops",
        layer=Layer.SESSION,
        summary="Sends no heartbeats; updates go on.",
        required="Goes on; its clock follows the updates.",
        lasts_s=10,
    ),
    Fault(
        name="mute",
        layer=Layer.SESSION,
        summary="Says nothing at all; what is due meanwhile is lost.",
        required="Calls the feed stale if it lasts, and dials again; the next update repairs it.",
        lasts_s=5,
    ),
    Fault(
        name="burst",
        layer=Layer.SESSION,
        summary="Keeps updates back, and sends them all at once in the end.",
        required="Takes them in order; every quote is as the feed told it.",
        lasts_s=2,
    ),
)
"""Every fault, socket first."""

CATALOGUE_BY_NAME: Mapping[str, Fault] = {fault.name: fault for fault in CATALOGUE}

MOMENTS = frozenset(fault.name for fault in CATALOGUE if fault.lasts_s == 0)
"""Faults that happen at a moment, to all connections there are."""


class Planned(NamedTuple):
    """
    A fault with its options, at a place on the feed's own time.

    Args:
        fault: The kind.
        options: The value of every option of the kind.
        at_s: Seconds after midnight in India; the fault comes on each day and
            in each pass of a replay.
        lasts_s: Simulated seconds; 0 is a moment. A fault of a moment that
            lasts happens to each connection that logs on meanwhile too.

    """

    fault: Fault
    options: Mapping[str, int | float]
    at_s: int
    lasts_s: int

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        hours, rest = divmod(self.at_s, 3600)
        at = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
        return f"{self.fault.name}{':' if options else ''}{options}@{at}+{self.lasts_s}s"

    def value(self, name: str) -> int:
        """Return an option whose values are whole numbers."""
        return int(self.options[name])

    def is_on(self, second: int) -> bool:
        """Tell whether it is on at a time: a moment only in its own second."""
        return self.at_s <= second < self.at_s + max(self.lasts_s, 1)


def planned(
    name: str, at: str, *, lasts: str | None = None, options: Mapping[str, object] | None = None
) -> Planned:
    """
    Return a planned fault.

    Args:
        name: One of the catalogue.
        at: A time of day in India.
        lasts: As ``4s``, ``2m``; None for what is usual for the fault.
        options: Those that are given; the others have their defaults.

    Raises:
        ConfigError: If one of them is not as expected.

    """
    fault = CATALOGUE_BY_NAME.get(name)
    if fault is None:
        near = difflib.get_close_matches(name, CATALOGUE_BY_NAME, n=3, cutoff=0.5)
        raise ConfigError(
            f"found the fault {name!r}; expected "
            + (f"{' or '.join(near)}, or another" if near else "one")
            + " of those that odin-sim faults lists"
        )
    try:
        at_s = clock_seconds(at.strip())
    except ValueError:
        raise ConfigError(
            f"found {at!r} as the time of {name}; expected HH:MM:SS in India"
        ) from None
    values = {option.name: option.default for option in fault.options}
    for key, value in (options or {}).items():
        values[key] = _option_value(fault, key, value)
    return Planned(
        fault, values, at_s, fault.lasts_s if lasts is None else _lasting(fault, lasts.strip())
    )


def _lasting(fault: Fault, text: str) -> int:
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _DAY_S:
        raise ConfigError(
            f"found {text!r} as how long {fault.name} lasts; expected whole simulated seconds,"
            " as 4s, or 2m, 1h"
        )
    return seconds


def _option_value(fault: Fault, name: str, value: object) -> int | float:
    option = next((each for each in fault.options if each.name == name), None)
    if option is None:
        names = [each.name for each in fault.options]
        near = difflib.get_close_matches(name, names, n=1) or names
        raise ConfigError(
            f"found the option {name!r} of {fault.name}; expected "
            + (" or ".join(near) if near else "none, it has no options")
        )
    kind = type(option.default)
    try:
        number = kind(str(value))
    except ValueError:
        number = None
    if number is None or not option.least <= number <= option.most:
        raise ConfigError(
            f"found {value!r} as {name} of {fault.name}; expected"
            f" {'a whole number' if kind is int else 'a number'} from {kind(option.least)} to"
            f" {kind(option.most)} ({option.unit})"
        )
    return number


def parse_planned(text: str) -> Planned:
    """
    Return the fault that ``NAME[:option=value,...]@HH:MM:SS[+4s]`` plans.

    Raises:
        ConfigError: If the text is not of this form, or something in it is
            not known.

    """
    found = _PLANNED.fullmatch(text.strip())
    if found is None:
        problem = "" if "@" in text else " without a time"
        raise ConfigError(f"found {text!r}{problem}; expected {_FORM}")
    return _parsed(text, found, found["at"], _FORM)


def parse_fault(text: str, *, second: int) -> tuple[Planned, bool]:
    """
    Return the fault that ``NAME[:option=value,...][@HH:MM:SS][+4s]`` asks for.

    Args:
        text: With a time it is planned, as by :func:`parse_planned`.
        second: When it begins without one: seconds after midnight in India.

    Returns:
        The fault, and whether it begins now.

    Raises:
        ConfigError: As :func:`parse_planned`.

    """
    if "@" in text:
        return parse_planned(text), False
    found = _NOW.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"found {text!r}; expected {_FORM_NOW}")
    minutes, seconds = divmod(second, 60)
    at = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return _parsed(text, found, at, _FORM_NOW), True


def _parsed(text: str, found: re.Match[str], at: str, form: str) -> Planned:
    kind = found["name"].strip()
    if _NAME.fullmatch(kind) is None:
        raise ConfigError(f"found {kind!r} as the name in {text!r}; expected {form}")
    options: dict[str, object] = {}
    for part in (found["options"] or "").split(","):
        name, equals, value = part.partition("=")
        if part.strip() and not equals:
            raise ConfigError(f"found {part!r} among the options of {text!r}; expected {form}")
        if equals:
            options[name.strip()] = value.strip()
    return planned(kind, at, lasts=found["for"], options=options)


def described(fault: Fault) -> dict[str, object]:
    """Return an entry of the catalogue for programs."""
    return {
        "name": fault.name,
        "layer": fault.layer.value,
        "summary": fault.summary,
        "options": [
            {"name": option.name, "unit": option.unit, "default": option.default}
            for option in fault.options
        ],
        "required": fault.required,
    }


def catalogue() -> list[dict[str, object]]:
    """Return all entries for programs that offer a choice: bounds and usual lengths as well."""
    return [
        described(fault)
        | {
            "lasts_s": fault.lasts_s,
            "options": [msgspec.structs.asdict(option) for option in fault.options],
        }
        for fault in CATALOGUE
    ]
