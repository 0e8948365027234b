"""
The client protocol as an AsyncAPI 3 document, for programs that make clients of it.

Made of the types in :mod:`streamer.client_messages`. What a type cannot say
(order, durability, market hours) stands in docs/client-protocol.md, which the
descriptions cite by its rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from streamer import client_messages as of
from streamer.asyncapi_examples import EXAMPLES
from streamer.handshake import MAX_HEARTBEAT_S, MIN_HEARTBEAT_S, STREAM_PATH

__all__ = ["document"]

_CHANNEL: Final = "stream"
_SCHEMAS: Final = "#/components/schemas/{name}"


class _Operation(NamedTuple):
    """What the server does with a message: receives a request and replies, or sends unasked."""

    summary: str
    message: type[Struct]
    reply: type[Struct] | None = None


_OPERATIONS: Final[Mapping[str, _Operation]] = {
    "subscribe": _Operation("Subscribe stocks", of.Subscribe, of.Subscribed),
    "unsubscribe": _Operation("Unsubscribe stocks", of.Unsubscribe, of.Unsubscribed),
    "get_subscriptions": _Operation(
        "Ask what is subscribed", of.GetSubscriptions, of.Subscriptions
    ),
    "market_status": _Operation(
        "Ask whether the market is open", of.GetMarketStatus, of.MarketStatus
    ),
    "ping": _Operation("Ask whether the server is there", of.Ping, of.Pong),
    "welcome": _Operation("The first message of a connection (C-3)", of.Welcome),
    "market_data": _Operation("A quote of a subscribed stock", of.MarketData),
    "market_notice": _Operation("The market opened or closed (H-2)", of.MarketNotice),
    "heartbeat": _Operation("The feed is alive, or is not (C-5)", of.Heartbeat),
    "server_shutdown": _Operation("The server goes away (C-6)", of.ServerShutdown),
    "connection_ends": _Operation("Why the server closes the connection (C-4, C-8)", of.Error),
}

_DESCRIPTION: Final = """\
Live NSE and BSE quotes over one WebSocket: subscriptions by symbol or token that outlive
disconnects, crashes and restarts, and market hours kept.

Frames are text, UTF-8, one JSON object each. Clients ignore keys and message types that they do
not know: more may be added. Each request gets one reply, in the order of the requests (R-1). The
rules in brackets are those of docs/client-protocol.md.
"""

_CHANNEL_DESCRIPTION: Final = """\
A client_id has one live connection; a reconnect with the same client_id restores its subscriptions
(P-1, C-4). Before the upgrade the server may answer with HTTP 400 (a client_id that cannot be
used), 403 (a web origin or a token that is not allowed), 429 (two programs share a client_id) or
503 (no room), each with an error as JSON body.

After a close code of 4000 to 4499, 1012 or 1013, reconnect; after 4500 to 4999, do not (C-8).
"""


def document(version: str) -> dict[str, Any]:
    """
    Return the document, as values that JSON and YAML can hold.

    Args:
        version: Of the server.

    """
    kinds = list(EXAMPLES)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS)
    made = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Odin Streamer",
            "version": version,
            "description": _paragraphs(_DESCRIPTION),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "localhost:8080",
                "protocol": "ws",
                "description": "A server or a replay on this machine.",
            }
        },
        "channels": {_CHANNEL: _channel(kinds)},
        "operations": {name: _operation(each) for name, each in _OPERATIONS.items()},
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in kinds},
            "schemas": {name: _schema(schema) for name, schema in schemas.items()},
        },
    }
    # Without the ties between parts that are the same value, which YAML would show.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return plain


def _paragraphs(text: str) -> str:
    """Return text in lines as long as they come."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _channel(kinds: list[type[Struct]]) -> dict[str, Any]:
    return {
        "address": STREAM_PATH,
        "title": "The stream",
        "description": _paragraphs(_CHANNEL_DESCRIPTION),
        "messages": {kind.__name__: _ref("components", "messages", kind) for kind in kinds},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {
                    "type": "object",
                    "properties": {
                        "client_id": {
                            "type": "string",
                            "pattern": "^[A-Za-z0-9._:@-]{0,128}$",
                            "description": "Missing or empty: the server makes one up (C-2).",
                        },
                        "heartbeat": {
                            "type": "number",
                            "minimum": MIN_HEARTBEAT_S,
                            "maximum": MAX_HEARTBEAT_S,
                            "description": "Asks for a heartbeat every so many seconds (C-5).",
                        },
                        "token": {
                            "type": "string",
                            "description": "An access token, where the server asks for one.",
                        },
                    },
                },
                "headers": {
                    "type": "object",
                    "properties": {
                        "Authorization": {
                            "type": "string",
                            "description": "Bearer and an access token, in place of the query's.",
                        }
                    },
                },
                "bindingVersion": "0.1.0",
            }
        },
    }


def _operation(operation: _Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "action": "send" if operation.message in _SENT else "receive",
        "channel": {"$ref": f"#/channels/{_CHANNEL}"},
        "summary": operation.summary,
        "messages": [_ref("channels", _CHANNEL, "messages", operation.message)],
    }
    if operation.reply is not None:
        told["reply"] = {
            "channel": {"$ref": f"#/channels/{_CHANNEL}"},
            "messages": [
                _ref("channels", _CHANNEL, "messages", kind) for kind in (operation.reply, of.Error)
            ],
        }
    return told


_SENT: Final = {each.message for each in _OPERATIONS.values() if each.reply is None}


def _message(kind: type[Struct]) -> dict[str, Any]:
    return {
        "name": kind.__name__,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip(),
        "payload": _ref("components", "schemas", kind),
        "examples": [
            {"name": name, "payload": example} for name, example in EXAMPLES[kind].items()
        ],
    }


def _ref(*path: str | type[Struct]) -> dict[str, str]:
    parts = [part if isinstance(part, str) else part.__name__ for part in path]
    return {"$ref": f"#/{'/'.join(parts)}"}


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema in which what a type fixes is a constant that has to be there."""
    properties: dict[str, Any] = {}
    required = set(schema["required"])
    for name, given in schema["properties"].items():
        told = dict(given)
        if len(told.get("enum", ())) == 1:
            told["const"] = told.pop("enum")[0]
            if "default" in told:
                del told["default"]
                required.add(name)
        properties[name] = told
    return dict(schema) | {
        "properties": properties,
        "required": [name for name in properties if name in required],
    }
