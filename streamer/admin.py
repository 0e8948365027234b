"""
What the operator may have a running server do over HTTP: ``POST /api/admin/reload``.

It is there when an admin token is set, and asks for it in an ``Authorization:
Bearer`` header, which no web page can send for somebody else unasked.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Response

from streamer.access import digest_token
from streamer.connection import Refusal
from streamer.errors import OdinError
from streamer.handshake import bearer_token
from streamer.http_pages import json_response
from streamer.reloading import Reloaded

RELOAD_PATH: Final = "/api/admin/reload"


class Admin:
    """
    Answers the operator's requests.

    Args:
        token: What the operator must show.
        reload: Reads the files again; raises OdinError if that changed nothing.

    """

    def __init__(self, token: str, reload: Callable[[], Awaitable[Reloaded]]) -> None:
        self._digest = digest_token(token)
        self._reload = reload

    async def answer(self, method: str, headers: Headers) -> Response:
        """Return the response to a request for :data:`RELOAD_PATH`."""
        if method != "POST":
            refusal = Refusal.because(405, "invalid_request", f"Found {method[:20]}; expected POST")
            return json_response(refusal.status, refusal.body, Allow="POST")
        shown = bearer_token(next(iter(headers.get_all("Authorization")), None))
        if shown is None or not secrets.compare_digest(digest_token(shown), self._digest):
            refusal = Refusal.because(
                401,
                "unauthorised",
                "Found no valid admin token; expected an Authorization: Bearer header",
            )
            return json_response(refusal.status, refusal.body)
        try:
            reloaded = await self._reload()
        except OdinError as error:
            refusal = Refusal.because(422, "reload_failed", f"Everything stays as it was: {error}")
            return json_response(refusal.status, refusal.body)
        return json_response(200, reloaded.as_json_dict())
