"""
What may be asked of a running replay, parsed from the JSON of the control port.

Each command is a value; `simulator.desk` carries them out. A request that is
none raises `ValueError`, whose text says what was found and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from simulator.clock import parse_rate
from simulator.fault_plan import second_of_day
from simulator.faults import Planned, parse_fault
from streamer.errors import ConfigError
from streamer.ist import NS_PER_SECOND, ist_date, ist_ns

__all__ = [
    "BeginFault",
    "ClearFaults",
    "Command",
    "Loop",
    "Pause",
    "PlanFault",
    "Resume",
    "Seek",
    "Speed",
    "Step",
    "parse_command",
]

MAX_STEP_S = 7 * 86_400

_NAMES = ("pause", "resume", "speed", "seek", "step", "loop", "fault", "clear-fault")
_MOMENT = "HH:MM, HH:MM:SS or YYYY-MM-DD HH:MM:SS in India"


class Pause(NamedTuple):
    """Stand still."""


class Resume(NamedTuple):
    """Run on."""


class Speed(NamedTuple):
    """Run at a rate, in simulated seconds per second; None is ``max``."""

    rate: Fraction | None


class Seek(NamedTuple):
    """Go to a moment, UNIX nanoseconds."""

    to: int


class Step(NamedTuple):
    """Play up to a moment as fast as it goes, then pause."""

    to: int


class Loop(NamedTuple):
    """Play the window so often in all; None is for ever."""

    passes: int | None


class PlanFault(NamedTuple):
    """Have a fault at its time, each day and in each pass."""

    fault: Planned


class BeginFault(NamedTuple):
    """Have a fault from now on, once."""

    fault: Planned


class ClearFaults(NamedTuple):
    """End what runs, all of it or of one name; or take one fault off the plan by its number."""

    name: str | None
    number: int | None


Command = Pause | Resume | Speed | Seek | Step | Loop | PlanFault | BeginFault | ClearFaults


def parse_command(body: Mapping[str, object], *, now: int) -> Command:
    """
    Return the command that a request's JSON names.

    Args:
        body: ``{"command": NAME, …}``, with ``value`` for speed, ``to`` for
            seek, ``to`` or ``seconds`` for step, ``passes`` for loop,
            ``fault`` for fault, ``name`` or ``number`` or neither for
            clear-fault.
        now: The simulated time; times of day are on its day.

    Raises:
        ValueError: If it names none.

    """
    match body.get("command"):
        case "pause":
            return Pause()
        case "resume":
            return Resume()
        case "speed":
            return Speed(_rate(body))
        case "seek":
            return Seek(_moment(body, now))
        case "step" if "seconds" in body:
            return Step(now + _length_ns(body["seconds"]))
        case "step":
            return Step(_moment(body, now))
        case "loop":
            return Loop(_passes(body))
        case "fault":
            return _fault(body, now)
        case "clear-fault":
            return _clearing(body)
        case other:
            raise ValueError(f"command {other!r} found; one of {', '.join(_NAMES)} expected")


def _rate(body: Mapping[str, object]) -> Fraction | None:
    value = body.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"value {value!r} found; a speed from 0.01 to 10000, or max, expected")
    return parse_rate(str(value))


def _moment(body: Mapping[str, object], now: int) -> int:
    text = body.get("to")
    if isinstance(text, str):
        day, _, clock = text.strip().replace("T", " ").rpartition(" ")
        try:
            return ist_ns(date.fromisoformat(day) if day else ist_date(now), clock)
        except ValueError:
            pass
    raise ValueError(f"to {text!r} found; {_MOMENT} expected")


def _fault(body: Mapping[str, object], now: int) -> PlanFault | BeginFault:
    text = body.get("fault")
    if not isinstance(text, str):
        raise ValueError(f"fault {text!r} found; a text such as 'drop:share=0.1+5m' expected")
    try:
        fault, is_now = parse_fault(text, second=second_of_day(now))
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return BeginFault(fault) if is_now else PlanFault(fault)


def _clearing(body: Mapping[str, object]) -> ClearFaults:
    name, number = body.get("name"), body.get("number")
    if name is not None and not isinstance(name, str):
        raise ValueError(f"name {name!r} found; that of a running fault, or no name, expected")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
        raise ValueError(f"number {number!r} found; a fault's whole number, or none, expected")
    if name is not None and number is not None:
        raise ValueError("name and number found; one of them, or neither, expected")
    return ClearFaults(name, number)


def _length_ns(seconds: object) -> int:
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 < seconds <= MAX_STEP_S
    ):
        raise ValueError(
            f"seconds {seconds!r} found; a number above 0, up to {MAX_STEP_S}, expected"
        )
    return round(Fraction(seconds) * NS_PER_SECOND)


def _passes(body: Mapping[str, object]) -> int | None:
    passes = body.get("passes")
    if passes == "forever":
        return None
    if isinstance(passes, int) and not isinstance(passes, bool) and 0 < passes < 10**9:
        return passes
    raise ValueError(f"passes {passes!r} found; a number from 1 on, or forever, expected")
