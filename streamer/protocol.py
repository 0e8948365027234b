"""
The client protocol's text: JSON requests in, JSON replies out.

What a request means is the hub's business; this module knows only which
requests are well formed (rules R-2, R-4) and how replies are spelt (section 3
of docs/client-protocol.md). ``market_data`` is spelt in :mod:`streamer.quotes`,
because its figures live there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NoReturn

import msgspec

from streamer.clients import Delivery
from streamer.errors import RequestError

Action = Literal["subscribe", "unsubscribe", "get_subscriptions", "market_status", "ping"]

ACTIONS: Final[tuple[Action, ...]] = (
    "subscribe",
    "unsubscribe",
    "get_subscriptions",
    "market_status",
    "ping",
)
MAX_REQUEST_ID: Final = 64
MAX_SHOWN: Final = 60
MAX_TOKEN: Final = 10**12

FEATURES: Final = (
    "symbol_subscription",
    "token_subscription",
    "persistent_sessions",
    "market_hours_control",
    "request_id",
    "snapshot",
    "delivery_all",
    "heartbeat",
    "seq",
)

INSTRUCTIONS: Final[Mapping[str, object]] = {
    "subscribe": {"action": "subscribe", "stocks": ["SBIN", "2885", "BSE:500112"]},
    "unsubscribe": {"action": "unsubscribe", "stocks": ["SBIN"]},
    "get_subscriptions": {"action": "get_subscriptions"},
    "market_status": {"action": "market_status"},
    "ping": {"action": "ping"},
}


class Request(msgspec.Struct, frozen=True):
    """
    One well-formed request.

    ``stocks`` is None when the request had none; its items are the client's
    own values, of any JSON type, because they fail one by one (rule R-4).
    """

    action: Action
    stocks: tuple[object, ...] | None = None
    request_id: str | int | None = None
    snapshot: bool = False
    delivery: Delivery | None = None


def parse_request(text: str | bytes) -> Request:
    """
    Return the request that a frame holds.

    Args:
        text: A text frame, or a binary frame, which is taken as UTF-8.

    Raises:
        RequestError: With the code ``invalid_json``, ``invalid_request`` or
            ``unknown_action``, and the request's id as far as it was readable.

    """
    fields = _json_object(text)
    request_id = _request_id(fields)
    for name, types, expected in (
        ("type", str, "a string"),
        ("client_id", str, "a string"),
        ("timestamp", (int, float), "a number"),
        ("snapshot", bool, "true or false"),
    ):
        value = fields.get(name)
        if value is None:
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and name == "timestamp"):
            _refuse("invalid_request", f"{name} is {shown(value)}; expected {expected}", request_id)
    action = fields.get("action")
    if action is None:
        _refuse(
            "invalid_request", f"The request has no action; expected one of {_names()}", request_id
        )
    if not isinstance(action, str):
        _refuse(
            "invalid_request", f"action is {shown(action)}; expected one of {_names()}", request_id
        )
    if action not in ACTIONS:
        _refuse(
            "unknown_action",
            f"Unknown action {shown(action)}; expected one of {_names()}",
            request_id,
        )
    stocks = fields.get("stocks")
    if stocks is not None and not isinstance(stocks, list):
        _refuse(
            "invalid_request", f"stocks is {shown(stocks)}; expected a list of strings", request_id
        )
    delivery = fields.get("delivery")
    if delivery is not None and delivery not in ("latest", "all"):
        _refuse(
            "invalid_request",
            f'delivery is {shown(delivery)}; expected "latest" or "all"',
            request_id,
        )
    return Request(
        action=action,
        stocks=None if stocks is None else tuple(stocks),
        request_id=request_id,
        snapshot=bool(fields.get("snapshot")),
        delivery=delivery,
    )


def stock_text(item: object) -> str | None:
    """
    Return the name of a stock as text, or None when ``item`` cannot name one.

    A JSON integer is taken as a token (rule R-2).
    """
    if isinstance(item, str):
        return item
    if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < MAX_TOKEN:
        return str(item)
    return None


def failed_text(item: object) -> str:
    """Return how ``failed_stocks`` names ``item``: the client's own string, else short JSON."""
    return item if isinstance(item, str) else shown(item)


def encode_reply(
    kind: str,
    status: str,
    *,
    client_id: str,
    timestamp: int | None,
    message: str | None = None,
    code: str | None = None,
    data: Mapping[str, object] | None = None,
    request_id: str | int | None = None,
) -> bytes:
    """
    Return a reply or notice as JSON text, its keys in the order of the envelope.

    Args:
        kind: The message type.
        status: ``success``, ``error``, ``connected``, ``alive`` or ``info``.
        client_id: To whom the message goes.
        timestamp: Market time in UNIX milliseconds; None while it is unknown.
        message: For people.
        code: For programs.
        data: The reply's own content.
        request_id: Of the request that is answered, if it had one.

    """
    envelope: dict[str, object] = {"type": kind, "status": status}
    if message is not None:
        envelope["message"] = message
    if code is not None:
        envelope["code"] = code
    if data is not None:
        envelope["data"] = data
    envelope["client_id"] = client_id
    if request_id is not None:
        envelope["request_id"] = request_id
    envelope["timestamp"] = timestamp
    return msgspec.json.encode(envelope)


def shown(value: object) -> str:
    """Return ``value`` as short JSON for an error message."""
    try:
        text = msgspec.json.encode(value).decode()
    except (RecursionError, ValueError):
        return "…"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _names() -> str:
    return ", ".join(ACTIONS)


def _refuse(code: str, message: str, request_id: str | int | None = None) -> NoReturn:
    raise RequestError(code, message, request_id)


def _json_object(text: str | bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        _refuse("invalid_json", f"Not JSON: {error}; expected one JSON object")
    except RecursionError:
        _refuse("invalid_json", "JSON nested too deeply; expected one flat JSON object")
    if not isinstance(value, dict):
        _refuse("invalid_json", f"Found {shown(value)}; expected one JSON object")
    return value


def _request_id(fields: Mapping[str, object]) -> str | int | None:
    value = fields.get("request_id")
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= MAX_REQUEST_ID:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    _refuse(
        "invalid_request",
        f"request_id is {shown(value)}; expected an integer or a string "
        f"of up to {MAX_REQUEST_ID} characters",
    )
