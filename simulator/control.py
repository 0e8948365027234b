"""
The control port: HTTP beside the feed.

``POST /authentication/v1/user/session`` is the REST logon of the published
clients that learn the feed's address there; any user and password will do.
``GET /`` is the console page, which lives on the other requests: ``GET
/status``, ``POST /control``, ``GET /events`` (server-sent events), ``GET
/faults``, ``GET /market``, ``GET /clients`` and ``GET /density``; ``GET
/ledger`` is for programs. What they answer is given to this module; it only
speaks HTTP, and keeps browsers that show a page from elsewhere away from the
controls.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Protocol
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.announcements import Announcements
from simulator.faults import catalogue
from streamer.errors import RecordingError

__all__ = ["CONTROL_PATH", "EVENTS_PATH", "LOGON_PATH", "STATUS_PATH", "ControlServer", "Controls"]

LOGON_PATH = "/authentication/v1/user/session"
STATUS_PATH = "/status"
CONTROL_PATH = "/control"
EVENTS_PATH = "/events"

LEDGER_LINES = 10_000
"""How many lines of the ledger one request gets at the most."""

_MAX_BODY_BYTES = 64 * 2**10
_MAX_CONNECTIONS = 256
_MAX_USER = 128
_LOGON = "an object with user_id"
_COMMAND = 'an object such as {"command": "pause"}'

_UNSTORED = {"Cache-Control": "no-store"}

# The page is whole in itself: it loads nothing, and talks to this port alone.
_PAGE_HEADERS = _UNSTORED | {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
        " connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


class Controls(Protocol):
    """What the control port shows and passes on."""

    announcements: Announcements

    def status(self) -> Mapping[str, object]:
        """Return how the replay stands."""

    async def command(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out a command; raise `ValueError` if it cannot be."""

    def market(self, find: str = "") -> Sequence[Mapping[str, object]]:
        """Return the present state of instruments."""

    def clients(self) -> Sequence[Mapping[str, object]]:
        """Return the connections of the feed."""

    async def density(self) -> Mapping[str, object]:
        """Return how busy each stretch of the window is."""

    def faults(self) -> Sequence[Mapping[str, object]]:
        """Return what runs and what is planned to go wrong."""

    async def ledger(self, after: int, limit: int) -> bytes:
        """Return lines of the ledger behind a number; begin one if there is none."""


class ControlServer:
    """
    Serves the control port inside the running event loop.

    Args:
        feed_url: Where clients that log on here find the feed.
        controls: What is shown, and asked for changes.

    """

    def __init__(self, *, feed_url: str, controls: Controls) -> None:
        self._feed_url = feed_url
        self._controls = controls
        self._own_url = ""
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket, url: str) -> None:
        """
        Begin to answer on a listening socket, which becomes the server's.

        Args:
            listener: Where.
            url: How clients reach it.

        """
        self._own_url = url
        app = Starlette(
            routes=[
                Route("/", self._show_page, methods=["GET"]),
                Route(LOGON_PATH, self._log_on, methods=["POST"]),
                Route(STATUS_PATH, self._tell_status, methods=["GET"]),
                Route(CONTROL_PATH, self._control, methods=["POST"]),
                Route(EVENTS_PATH, self._tell_events, methods=["GET"]),
                Route("/market", self._tell_market, methods=["GET"]),
                Route("/clients", self._tell_clients, methods=["GET"]),
                Route("/density", self._tell_density, methods=["GET"]),
                Route("/faults", self._tell_faults, methods=["GET"]),
                Route("/ledger", self._tell_ledger, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _explain},
        )
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self._server.is_up.wait()

    async def close(self) -> None:
        """Let requests under way end, those for events too, then close; idempotent."""
        self._controls.announcements.close()
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self._server = None

    async def _log_on(self, request: Request) -> Response:
        answer = await _read_json(request, _LOGON)
        user = answer.get("user_id")
        if not isinstance(user, str) or not 0 < len(user) <= _MAX_USER:
            raise HTTPException(400, f"found no user_id; expected 1 to {_MAX_USER} characters")
        return JSONResponse(
            {
                "status": "success",
                "data": {
                    "user_id": user,
                    "access_token": "SIMULATED",
                    "simulated": True,
                    "others": {
                        "broadCastSocket": self._feed_url,
                        "messageSocket": self._own_url,
                    },
                },
            }
        )

    async def _show_page(self, _: Request) -> Response:
        page = files("simulator").joinpath("pages", "console.html").read_text(encoding="utf-8")
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    async def _tell_status(self, _: Request) -> Response:
        return JSONResponse(dict(self._controls.status()))

    async def _control(self, request: Request) -> Response:
        _refuse_strange_page(request, urlsplit(self._own_url).hostname or "")
        body = await _read_json(request, _COMMAND)
        try:
            return JSONResponse(dict(await self._controls.command(body)))
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        except RecordingError as error:
            raise HTTPException(500, str(error)) from None

    async def _tell_events(self, request: Request) -> Response:
        announcements = self._controls.announcements
        if announcements.full:
            raise HTTPException(503, "too many listen already; close one and try again")
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else None
        return StreamingResponse(
            announcements.listen(after),
            media_type="text/event-stream",
            headers=_UNSTORED,
        )

    async def _tell_market(self, request: Request) -> Response:
        return JSONResponse(list(self._controls.market(request.query_params.get("find", ""))))

    async def _tell_clients(self, _: Request) -> Response:
        return JSONResponse(list(self._controls.clients()))

    async def _tell_density(self, _: Request) -> Response:
        return JSONResponse(dict(await self._controls.density()))

    async def _tell_faults(self, _: Request) -> Response:
        return JSONResponse({"catalogue": catalogue(), "faults": list(self._controls.faults())})

    async def _tell_ledger(self, request: Request) -> Response:
        after = _number(request, "after", 0, least=0)
        limit = _number(request, "limit", LEDGER_LINES, least=1)
        lines = await self._controls.ledger(after, min(limit, LEDGER_LINES))
        return Response(lines, media_type="application/x-ndjson", headers=_UNSTORED)


class _Server(uvicorn.Server):
    """A uvicorn that leaves signals to the program and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


async def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = error.detail
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    if error.status_code == 404:
        paths = ", ".join(route.path for route in routes)
        message = f"{request.url.path} found; one of {paths} expected"
    elif error.status_code == 405:
        (route,) = (each for each in routes if each.path == request.url.path)
        methods = " or ".join(sorted((route.methods or set()) - {"HEAD"}))
        message = f"{request.method} {request.url.path} found; {methods} expected"
    answer = {"status": "error", "message": message}
    return JSONResponse(answer, error.status_code, error.headers)


def _refuse_strange_page(request: Request, own_host: str) -> None:
    """
    Refuse what a browser sends for a page that is not ours.

    Programs send no Origin. A page on loopback may; so may our own, if it was
    opened by address or by the name we listen on: any other name may have
    been pointed at us by a stranger.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        host = ""
    if _is_loopback(host):
        return
    is_own = host != "" and urlsplit(origin).netloc == request.headers.get("host")
    if not (is_own and (host == own_host or _is_address(host))):
        raise HTTPException(
            403,
            f"origin {origin!r} found; the console page of this port, opened by its address,"
            " or a page on localhost expected",
        )


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _number(request: Request, name: str, default: int, *, least: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) >= least):
        raise HTTPException(400, f"{name} {text!r} found; a whole number from {least} on expected")
    return int(text)


async def _read_json(request: Request, expected: str) -> dict[str, Any]:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                raise HTTPException(413, f"the body is longer than {_MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "the body is not whole") from None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, f"found no JSON; expected {expected}") from None
    if not isinstance(answer, dict):
        raise HTTPException(400, f"found other JSON; expected {expected}")
    return answer
