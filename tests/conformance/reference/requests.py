"""Requests of clients: which are well formed, and how many may come (R-1 to R-7)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn

from tests.conformance.reference.breaks import broken

ACTIONS: Final = ("subscribe", "unsubscribe", "get_subscriptions", "market_status", "ping")
MAX_REQUEST_ID: Final = 64
MAX_SHOWN: Final = 60
ABUSE: Final = 3.0


class RequestError(Exception):
    """A request that is refused: what a program and what a person should know of it."""

    def __init__(
        self,
        code: str,
        message: str,
        request_id: str | int | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.data = data


class Request(NamedTuple):
    """A well-formed request; the items of ``stocks`` may be anything."""

    action: str
    stocks: list[object]
    request_id: str | int | None
    snapshot: bool
    delivery: str | None


def shown(value: object) -> str:
    """Return ``value`` as short JSON."""
    text = json.dumps(value, separators=(",", ":"))
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def parse_request(frame: bytes) -> Request:
    """
    Return the request that a text or binary frame holds.

    Raises:
        RequestError: If it holds none (R-4).

    """
    try:
        fields = json.loads(frame.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        if broken("deep-nesting-kills"):
            raise
        raise RequestError("invalid_json", "Nested too deeply; expected one object") from None
    except ValueError as error:
        raise RequestError("invalid_json", f"Not JSON: {error}; expected one object") from error
    if not isinstance(fields, dict):
        if broken("json-array-kills"):
            raise TypeError("a request that is no object")
        raise RequestError("invalid_json", f"Found {shown(fields)}; expected one object")
    request_id = fields.get("request_id")
    is_number = isinstance(request_id, int) and not isinstance(request_id, bool)
    is_text = isinstance(request_id, str) and len(request_id) <= MAX_REQUEST_ID
    if request_id is not None and not is_number and not is_text:
        _refuse(fields, "request_id", "an integer, or a string of up to 64 characters")
    for name, kinds, expected in (
        ("type", str, "a string"),
        ("client_id", str, "a string"),
        ("timestamp", (int, float), "a number"),
        ("snapshot", bool, "true or false"),
        ("action", str, f"one of {', '.join(ACTIONS)}"),
        ("stocks", list, "a list of strings"),
    ):
        value = fields.get(name)
        if name == "stocks" and isinstance(value, str) and broken("stocks-text-split"):
            value = fields[name] = list(value)
        is_wrong = not isinstance(value, kinds) or (name == "timestamp" and isinstance(value, bool))
        if value is not None and is_wrong:
            _refuse(fields, name, expected)
    action = fields.get("action")
    if action is None:
        _refuse(fields, "action", f"one of {', '.join(ACTIONS)}")
    if action not in ACTIONS:
        message = f"Unknown action {shown(action)}; expected one of {', '.join(ACTIONS)}"
        raise RequestError("unknown_action", message, request_id)
    if fields.get("delivery") not in (None, "latest", "all"):
        _refuse(fields, "delivery", '"latest" or "all"')
    stocks = fields.get("stocks") or []
    if broken("wrong-item-fails-all") and not all(isinstance(item, str | int) for item in stocks):
        _refuse(fields, "stocks", "a list of strings")
    return Request(action, stocks, request_id, bool(fields.get("snapshot")), fields.get("delivery"))


def _refuse(fields: Mapping[str, object], name: str, expected: str) -> NoReturn:
    known = fields.get("request_id")
    request_id = known if name != "request_id" and isinstance(known, str | int) else None
    message = f"{name} is {shown(fields.get(name))}; expected {expected}"
    raise RequestError("invalid_request", message, request_id)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class Budget:
    """How many requests a connection may still make: a rate, and a burst (R-7)."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._left_before_abuse = burst * ABUSE
        self._at = time.monotonic()

    @property
    def is_strained(self) -> bool:
        """Whether so much was asked lately that half of what is tolerated is used up."""
        return self._left_before_abuse < self._burst * ABUSE / 2

    def take(self) -> tuple[int, bool]:
        """Count a request; return the milliseconds that it is early, and whether it is abuse."""
        now = time.monotonic()
        passed, self._at = now - self._at, now
        self._left = min(self._burst, self._left + passed * self._rate)
        abuse = self._left_before_abuse + passed * self._rate * ABUSE
        self._left_before_abuse = min(self._burst * ABUSE, abuse) - 1
        if self._left < 1:
            return max(1, round((1 - self._left) / self._rate * 1000)), self._left_before_abuse < 0
        self._left -= 1
        return 0, False
