"""
The control port: HTTP beside the feed.

``POST /authentication/v1/user/session`` is the REST logon of the published
clients that learn the feed's address there; any user and password will do.
``GET /status`` tells how the replay stands. What the two answer is given to
this module; it only speaks HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["LOGON_PATH", "STATUS_PATH", "ControlServer"]

LOGON_PATH = "/authentication/v1/user/session"
STATUS_PATH = "/status"

_MAX_BODY_BYTES = 64 * 2**10
_MAX_CONNECTIONS = 256
_MAX_USER = 128


class ControlServer:
    """
    Serves the control port inside the running event loop.

    Args:
        feed_url: Where clients that log on here find the feed.
        status: Returns what ``GET /status`` answers.

    """

    def __init__(self, *, feed_url: str, status: Callable[[], Mapping[str, object]]) -> None:
        self._feed_url = feed_url
        self._status = status
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
                Route(LOGON_PATH, self._log_on, methods=["POST"]),
                Route(STATUS_PATH, self._tell_status, methods=["GET"]),
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
        """Let requests under way end, then close; idempotent."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self._server = None

    async def _log_on(self, request: Request) -> Response:
        answer = await _read_json(request)
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

    async def _tell_status(self, _: Request) -> Response:
        return JSONResponse(dict(self._status()))


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


async def _explain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = {"status": "error", "message": error.detail}
    return JSONResponse(answer, error.status_code, error.headers)


async def _read_json(request: Request) -> dict[str, Any]:
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
        raise HTTPException(400, "found no JSON; expected an object with user_id") from None
    if not isinstance(answer, dict):
        raise HTTPException(400, "found other JSON; expected an object with user_id")
    return answer
