"""
The plain HTTP side of the port: health, counters, quotes, and a page for people.

``GET /`` says what this is, ``GET /api/health`` whether it works (200 or 503),
``GET /api/stats`` how much it does, ``GET /api/quotes?stocks=SBIN,2885`` what
stocks cost, ``GET /asyncapi.json`` what can be said on the stream. Anything
else is 404.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from importlib import resources
from importlib.metadata import version
from typing import Final
from urllib.parse import parse_qs

import msgspec
from websockets.datastructures import Headers
from websockets.http11 import Response

from streamer.connection import Refusal
from streamer.handshake import MAX_QUERY_FIELDS

METHODS: Final = ("GET", "HEAD")
QUOTES_PATH: Final = "/api/quotes"

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
        quotes: Returns the quotes of stocks as JSON, and the stocks without one.
        may_read: Judges a query and an ``Authorization`` header for counters
            and quotes; None permits.

    """

    def __init__(
        self,
        *,
        health: Callable[[], tuple[bool, Mapping[str, object]]],
        stats: Callable[[], Mapping[str, object]],
        quotes: Callable[[Sequence[str]], tuple[list[bytes], list[str]]],
        may_read: Callable[[str, str | None], Refusal | None],
    ) -> None:
        self._health = health
        self._stats = stats
        self._quotes = quotes
        self._may_read = may_read

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
            case "/asyncapi.json":
                # For the tools of other origins too: it is the same on every server.
                return _response(
                    200, "application/json", asyncapi_json(), **{"Access-Control-Allow-Origin": "*"}
                )
            case "/api/stats" | "/api/quotes":
                authorization = next(iter(headers.get_all("Authorization")), None)
                refusal = self._may_read(query, authorization)
                if refusal is not None:
                    return json_response(refusal.status, refusal.body)
                if path == QUOTES_PATH:
                    return self._answer_quotes(query)
                return json_response(200, self._stats())
            case _:
                refusal = Refusal.because(
                    404,
                    "invalid_request",
                    "Nothing is here; expected /enhanced-stream (WebSocket), /, /api/health, "
                    "/api/stats, /api/quotes or /asyncapi.json",
                )
                return json_response(refusal.status, refusal.body)

    def _answer_quotes(self, query: str) -> Response:
        stocks = asked_stocks(query)
        if not stocks:
            refusal = Refusal.because(
                400,
                "empty_request",
                "Found no stocks; expected symbols or tokens, alone or with their exchange, as "
                "/api/quotes?stocks=SBIN,2885,BSE:500112",
            )
            return json_response(refusal.status, refusal.body)
        quotes, failed = self._quotes(stocks)
        return json_response(
            200, {"quotes": [msgspec.Raw(each) for each in quotes], "failed_stocks": failed}
        )


def asked_stocks(query: str) -> list[str]:
    """Return the stocks that a query names, by commas or by repetition."""
    try:
        fields = parse_qs(query, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return []
    words = [each.strip() for field in fields.get("stocks", ()) for each in field.split(",")]
    return [each for each in words if each]


def json_response(status: int, body: Mapping[str, object], **headers: str) -> Response:
    """Return an HTTP response that holds JSON."""
    return _response(status, "application/json", msgspec.json.encode(body), **headers)


@cache
def index_page() -> bytes:
    """Return the page for people."""
    return resources.files("streamer").joinpath("pages/index.html").read_bytes()


@cache
def asyncapi_json() -> bytes:
    """Return the client protocol for programs, as ``odin-streamer asyncapi`` prints it."""
    from streamer.asyncapi import document

    return msgspec.json.encode(document(version("odin-streamer")))


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
