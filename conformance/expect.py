"""
What messages must be, in words that name what was expected and what was found.

Each check returns nothing when it holds and raises :class:`Unmet` otherwise.
What a message may have beyond what is checked is never an error: the protocol
grows by adding keys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from conformance.tape import Row

__all__ = [
    "DATA_FIELDS",
    "Inconclusive",
    "Loose",
    "Unmet",
    "expect_close_code",
    "expect_data_shape",
    "expect_equal",
    "expect_error",
    "expect_has",
    "expect_in",
    "expect_matches",
    "expect_none_of",
    "expect_order",
    "expect_reply",
    "expect_that",
    "expect_tick",
    "expect_type",
    "shown",
]

MAX_SHOWN: Final = 600

NUMBER: Final = "a number"
NUMBER_OR_NULL: Final = "a number or null"
STRING: Final = "a string"
STRING_OR_NULL: Final = "a string or null"
INTEGER: Final = "an integer"
BOOLEAN: Final = "true or false"

DATA_FIELDS: Final[Mapping[str, str]] = {
    "symbol": STRING,
    "token": STRING,
    "exchange": STRING,
    "ltp": NUMBER,
    "open": NUMBER,
    "high": NUMBER,
    "low": NUMBER,
    "close": NUMBER_OR_NULL,
    "prev_close": NUMBER_OR_NULL,
    "volume": INTEGER,
    "percent_change": NUMBER,
    "week_52_high": NUMBER_OR_NULL,
    "week_52_low": NUMBER_OR_NULL,
    "week_52_high_date": STRING_OR_NULL,
    "week_52_low_date": STRING_OR_NULL,
    "day_high": NUMBER,
    "day_low": NUMBER,
    "avg_volume_5d": NUMBER_OR_NULL,
    "timestamp": INTEGER,
    "last_updated": STRING,
    "is_new_week_52_high": BOOLEAN,
    "is_new_week_52_low": BOOLEAN,
}
"""The fields of ``data`` in ``market_data``, in their order, with their types."""

MARKET_DATA_KEYS: Final = ("type", "symbol", "token", "exchange", "data", "timestamp")

_PRICES: Final = ("ltp", "open", "high", "low")


class Unmet(AssertionError):
    """The server did not do what was expected of it."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}; found {found}")
        self.expected = expected
        self.found = found


class Loose(Unmet):
    """The server met a tolerance, but only the loose one."""


class Inconclusive(Exception):
    """What the case needs could not be brought about, so nothing was learnt of the server."""


def shown(value: object) -> str:
    """Return a value as short JSON, for a message."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text)} characters)"


def expect_that(holds: object, expected: str, found: object) -> None:
    """Expect anything; ``found`` is shown as JSON unless it is a string, which stays as it is."""
    if not holds:
        raise Unmet(expected, found if isinstance(found, str) else shown(found))


def expect_equal(found: object, expected: object, *, of: str) -> None:
    """Expect a value; true is not 1, but 1 is 1.0."""
    if found != expected or isinstance(found, bool) is not isinstance(expected, bool):
        raise Unmet(f"{of} {shown(expected)}", shown(found))


def expect_in(found: object, expected: Collection[object], *, of: str) -> None:
    """Expect one of some values."""
    if found not in expected:
        raise Unmet(f"{of} one of {shown(sorted(expected, key=str))}", shown(found))


def expect_matches(found: object, pattern: str, *, of: str, like: str) -> None:
    """Expect a string that ``pattern`` matches as a whole; ``like`` is an example of one."""
    if not isinstance(found, str) or not re.fullmatch(pattern, found, re.ASCII):
        raise Unmet(f"{of} like {like}", shown(found))


def expect_has(message: Mapping[str, Any], *keys: str, of: str = "the message") -> None:
    """Expect keys to be there."""
    expect_type(message, "an object", of=of)
    missing = [key for key in keys if key not in message]
    if missing:
        raise Unmet(f"{', '.join(missing)} in {of}", shown(message))


def expect_order(message: Mapping[str, Any], keys: Sequence[str], *, of: str) -> None:
    """Expect those of ``keys`` that are there to stand in this order, before any others."""
    wanted = [key for key in keys if key in message]
    found = list(message)[: len(wanted)]
    if found != wanted:
        raise Unmet(f"{of} with keys in the order {', '.join(wanted)}", ", ".join(message))


def expect_type(found: object, kind: str, *, of: str) -> None:
    """
    Expect a JSON type.

    Args:
        found: The value.
        kind: In words, as in :data:`DATA_FIELDS`; also ``an object``, ``a list``,
            ``a list of strings`` and ``null``.
        of: What it is, for the message.

    """
    if not _is(found, kind):
        raise Unmet(f"{of} to be {kind}", shown(found))


def expect_reply(
    message: Mapping[str, Any], type: str, status: str = "success", *, code: str | None = None
) -> Any:
    """Expect a reply's type and status, and its code if one is given; return its data."""
    expect_equal(message.get("type"), type, of="type")
    expect_equal(message.get("status"), status, of=f"status of {type}")
    if code is not None:
        expect_equal(message.get("code"), code, of=f"code of {type}")
    return message.get("data")


def expect_error(
    message: Mapping[str, Any],
    *,
    code: str | None = None,
    text: str | None = None,
    client_id: str | None = None,
) -> None:
    """
    Expect the guide's error: type, status, a message for people.

    Args:
        message: What came.
        code: Its code, where our own rules are judged.
        text: Its message, where the guide says which.
        client_id: Whose it is.

    """
    expect_reply(message, "error", "error", code=code)
    said = message.get("message")
    expect_that(isinstance(said, str) and said.strip(), "an error with a message", message)
    if text is not None:
        expect_equal(said, text, of="message of the error")
    if client_id is not None:
        expect_equal(message.get("client_id"), client_id, of="client_id of the error")


def expect_data_shape(message: Mapping[str, Any]) -> None:
    """Expect ``market_data`` as the guide shows it: fields, names, types, order (M-1)."""
    expect_equal(message.get("type"), "market_data", of="type")
    expect_has(message, *MARKET_DATA_KEYS, of="market_data")
    expect_order(message, MARKET_DATA_KEYS, of="market_data")
    for key in ("symbol", "token", "exchange"):
        expect_type(message[key], STRING, of=f"{key} of market_data")
    expect_type(message["timestamp"], INTEGER, of="timestamp of market_data")
    data = message["data"]
    expect_type(data, "an object", of="data of market_data")
    expect_has(data, *DATA_FIELDS, of="data of market_data")
    expect_order(data, tuple(DATA_FIELDS), of="data of market_data")
    for key, kind in DATA_FIELDS.items():
        if not _is(data[key], kind):
            expect_type(data[key], kind, of=f"data.{key}")
    for key in ("symbol", "token", "exchange"):
        expect_equal(data[key], message[key], of=f"data.{key}, as on the envelope,")


def expect_tick(message: Mapping[str, Any], row: Row) -> None:
    """
    Expect ``market_data`` to tell what a row of the tape tells.

    Symbol, token and exchange; price, the day's figures, volume and previous
    close; the 52-week range as far as the row does not go beyond it. What the
    row has as 0 of these is unknown, and null in the message.
    """
    stock = row.stock
    expect_equal(message.get("symbol"), stock.symbol, of="symbol")
    expect_equal(message.get("token"), stock.token, of="token")
    expect_equal(message.get("exchange"), stock.exchange, of="exchange")
    data = message.get("data")
    if not isinstance(data, Mapping):
        raise Unmet("data to be an object", shown(data))
    told: dict[str, int | float | None] = {
        "ltp": row.ltp / 100,
        "open": row.open / 100,
        "high": row.high / 100,
        "low": row.low / 100,
        "prev_close": row.prev_close / 100 or None,
        "volume": row.volume,
        "day_high": row.high / 100,
        "day_low": row.low / 100,
    }
    told["close"] = told["prev_close"]
    for key, value in told.items():
        expect_equal(data.get(key), value, of=f"{key} of {stock.symbol} at {row.clock}")
    change = (row.ltp - row.prev_close) / row.prev_close * 100 if row.prev_close else 0.0
    found = data.get("percent_change")
    expect_that(
        isinstance(found, int | float) and math.isclose(found, change, rel_tol=1e-9, abs_tol=1e-9),
        f"percent_change of {stock.symbol} {change!r}",
        found,
    )
    for key, value, inside in (
        ("week_52_high", row.week_52_high, not row.week_52_high or row.high <= row.week_52_high),
        ("week_52_low", row.week_52_low, row.low >= row.week_52_low),
    ):
        if inside:
            expect_equal(data.get(key), value / 100 or None, of=f"{key} of {stock.symbol}")


def expect_none_of(messages: Iterable[Mapping[str, Any]], what: str) -> None:
    """Expect that nothing came."""
    found = list(messages)
    if found:
        raise Unmet(f"no {what}", f"{len(found)}, the first {shown(found[0])}")


def expect_close_code(closed: tuple[int, str] | None, *codes: int) -> None:
    """Expect a connection to have ended with one of some close codes."""
    wanted = " or ".join(map(str, codes))
    if closed is None:
        raise Unmet(f"close {wanted}", "an open connection")
    if closed[0] not in codes:
        raise Unmet(f"close {wanted}", f"close {closed[0]} {closed[1]}".rstrip())


def _is(value: object, kind: str) -> bool:
    match kind:
        case "a number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "an integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "a string":
            return isinstance(value, str)
        case "true or false":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "an object":
            return isinstance(value, Mapping)
        case "a list":
            return isinstance(value, list)
        case "a list of strings":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case _ if kind.endswith(" or null"):
            return value is None or _is(value, kind.removesuffix(" or null"))
    raise ValueError(f"{kind!r} is no kind of value that is known here")
