"""
What a client asks for in its opening HTTP request, read into a value.

Pure: a request target and headers in, an :class:`Opening` or a
:class:`~streamer.connection.Refusal` out. Whether a well-formed ``client_id``
is admitted is the hub's decision.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qs

import msgspec

from streamer.connection import Refusal

STREAM_PATH: Final = "/enhanced-stream"

MIN_HEARTBEAT_S: Final = 1.0
MAX_HEARTBEAT_S: Final = 60.0

MAX_QUERY_FIELDS: Final = 32

ANY_ORIGIN: Final = "*"

_LOOPBACK_ORIGIN: Final = re.compile(
    r"https?://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII
)
_FILE_ORIGINS: Final = ("null", "file://")
_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE | re.ASCII)


class Opening(msgspec.Struct, frozen=True):
    """
    What a well-formed request for the stream asks for.

    ``client_id`` is as the client gave it, None when it gave none; ``token``
    likewise. ``heartbeat_s`` is the seconds between heartbeats, None for none.
    """

    client_id: str | None = None
    heartbeat_s: float | None = None
    token: str | None = None


def split_target(target: str) -> tuple[str, str]:
    """Return the path and the query of an HTTP request target."""
    path, _, query = target.partition("?")
    return path, query


def read_opening(query: str, authorization: str | None = None) -> Opening | Refusal:
    """
    Return what a request for the stream asks for, or why it cannot be understood.

    Args:
        query: The query of the request target, still encoded.
        authorization: The ``Authorization`` header, if there is one. A token
            in the query goes before it.

    """
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return _invalid(f"Found more than {MAX_QUERY_FIELDS} query parameters; expected fewer")
    for name in ("client_id", "heartbeat", "token"):
        if len(fields.get(name, ())) > 1:
            # Rule C-2: which of the two is meant cannot be told.
            return _invalid(f"Found {name} {len(fields[name])} times; expected it once")
    heartbeat_s = None
    if "heartbeat" in fields:
        heartbeat_s = _heartbeat(fields["heartbeat"][0])
        if heartbeat_s is None:
            return _invalid(
                "Found a heartbeat that cannot be used; expected a number of seconds "
                f"from {MIN_HEARTBEAT_S:g} to {MAX_HEARTBEAT_S:g}"
            )
    return Opening(
        client_id=fields["client_id"][0] if "client_id" in fields else None,
        heartbeat_s=heartbeat_s,
        token=fields["token"][0] if "token" in fields else bearer_token(authorization),
    )


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header, None if it has none."""
    match = _BEARER.fullmatch(authorization or "")
    return match[1] if match else None


def origin_allowed(origin: str | None, configured: Collection[str]) -> bool:
    """
    Tell if pages of an origin may connect (rule C-7).

    Args:
        origin: The ``Origin`` header; None for programs, which send none.
        configured: Origins allowed beside those of this machine and of files.

    """
    return (
        origin is None
        or origin in _FILE_ORIGINS
        or _LOOPBACK_ORIGIN.fullmatch(origin) is not None
        or ANY_ORIGIN in configured
        or origin.lower().rstrip("/") in configured
    )


def _heartbeat(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    in_range = math.isfinite(value) and MIN_HEARTBEAT_S <= value <= MAX_HEARTBEAT_S
    return value if in_range else None


def _invalid(message: str) -> Refusal:
    return Refusal.because(400, "invalid_request", message)
