"""
The plain HTTP side of the port: health, counters, and a page for people.

``GET /`` says what this is, ``GET /api/health`` whether it works (200 or 503),
``GET /api/stats`` how much it does. Anything else is 404.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Final

import msgspec
from websockets.datastructures import Headers
from websockets.http11 import Response

from streamer.connection import Refusal

METHODS: Final = ("GET", "HEAD")

# The page loads nothing, from anywhere, and connects to nothing but the stream.
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src data:; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'"
    ),
}


class Pages:
    """
    Answers plain HTTP requests.

    Args:
        health: Returns whether the server is ready, and a report.
        stats: Returns the counters.
        may_read_stats: Judges a query and an ``Authorization`` header; None
            permits.

    """

    def __init__(
        self,
        *,
        health: Callable[[], tuple[bool, Mapping[str, object]]],
        stats: Callable[[], Mapping[str, object]],
        may_read_stats: Callable[[str, str | None], Refusal | None],
    ) -> None:
        self._health = health
        self._stats = stats
        self._may_read_stats = may_read_stats

    def answer(self, method: str, path: str, query: str, headers: Headers) -> Response:
        """Return the response to a request that is not for the stream."""
        response = self._answer(path, query, headers)
        if response.status_code != HTTPStatus.NOT_FOUND and method not in METHODS:
            refusal = Refusal.because(405, "invalid_request", f"Found {method[:20]}; expected GET")
            response = json_response(refusal.status, refusal.body, Allow=", ".join(METHODS))
        if method == "HEAD":
            # The headers stay those of the GET, the length among them.
            response.body = b""
        return response

    def _answer(self, path: str, query: str, headers: Headers) -> Response:
        match path:
            case "/":
                return _response(200, "text/html; charset=utf-8", index_page(), **_PAGE_HEADERS)
            case "/api/health":
                ready, report = self._health()
                return json_response(200 if ready else 503, report)
            case "/api/stats":
                authorization = next(iter(headers.get_all("Authorization")), None)
                refusal = self._may_read_stats(query, authorization)
                if refusal is not None:
                    return json_response(refusal.status, refusal.body)
                return json_response(200, self._stats())
            case _:
                refusal = Refusal.because(
                    404,
                    "invalid_request",
                    "Nothing is here; expected /enhanced-stream (WebSocket), /, /api/health "
                    "or /api/stats",
                )
                return json_response(refusal.status, refusal.body)


def json_response(status: int, body: Mapping[str, object], **headers: str) -> Response:
    """Return an HTTP response that holds JSON."""
    return _response(status, "application/json", msgspec.json.encode(body), **headers)


@cache
def index_page() -> bytes:
    """Return the page for people."""
    return resources.files("streamer").joinpath("pages/index.html").read_bytes()


def _response(status: int, content_type: str, body: bytes, **more: str) -> Response:
    headers = Headers(
        {
            "Date": formatdate(usegmt=True),
            "Connection": "close",
            "Content-Length": str(len(body)),
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **more,
        }
    )
    return Response(status, HTTPStatus(status).phrase, headers, body)
