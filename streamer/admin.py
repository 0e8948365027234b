"""
What the operator may have a running server do over HTTP: ``POST /api/admin/reload``,
``/api/admin/halt?until=HH:MM`` and ``/api/admin/resume``.

They are there when an admin token is set, and ask for it in an ``Authorization:
Bearer`` header, which no web page can send for somebody else unasked.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qs

from websockets.datastructures import Headers
from websockets.http11 import Response

from streamer.access import digest_token
from streamer.connection import Refusal
from streamer.errors import OdinError, RequestError
from streamer.handshake import MAX_QUERY_FIELDS, bearer_token
from streamer.http_pages import json_response
from streamer.reloading import Reloaded

RELOAD_PATH: Final = "/api/admin/reload"
HALT_PATH: Final = "/api/admin/halt"
RESUME_PATH: Final = "/api/admin/resume"
ADMIN_PATHS: Final = (RELOAD_PATH, HALT_PATH, RESUME_PATH)

_STATUSES: Final = {"market_closed": 409}
"""HTTP statuses of refusals by their code; 400 for any other."""


class Admin:
    """
    Answers the operator's requests.

    Args:
        token: What the operator must show.
        reload: Reads the files again; raises OdinError if that changed nothing.
        halt: Notes that the market stands still, until a time of day or for as
            long as nothing else is said; returns what to answer. Raises
            RequestError if it cannot be.
        resume: Notes that the market trades again; returns what to answer.

    """

    def __init__(
        self,
        token: str,
        reload: Callable[[], Awaitable[Reloaded]],
        halt: Callable[[str | None], Mapping[str, object]],
        resume: Callable[[], Mapping[str, object]],
    ) -> None:
        self._digest = digest_token(token)
        self._reload = reload
        self._halt = halt
        self._resume = resume

    async def answer(self, method: str, path: str, query: str, headers: Headers) -> Response:
        """Return the response to a request for one of :data:`ADMIN_PATHS`."""
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
        if path == RELOAD_PATH:
            return await self._answer_reload()
        try:
            told = self._resume() if path == RESUME_PATH else self._halt(_until(query))
        except RequestError as error:
            refusal = Refusal.because(_STATUSES.get(error.code, 400), error.code, error.message)
            return json_response(refusal.status, refusal.body)
        return json_response(200, {"status": "success", **told})

    async def _answer_reload(self) -> Response:
        try:
            reloaded = await self._reload()
        except OdinError as error:
            refusal = Refusal.because(422, "reload_failed", f"Everything stays as it was: {error}")
            return json_response(refusal.status, refusal.body)
        return json_response(200, reloaded.as_json_dict())


def _until(query: str) -> str | None:
    """
    Return when trading begins again.

    Raises:
        RequestError: If the query says anything else.

    """
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        fields = {"": []}
    if any(name != "until" or len(values) != 1 for name, values in fields.items()):
        raise RequestError(
            "invalid_request", f"Found ?{query[:60]}; expected nothing, or until=HH:MM once"
        )
    return fields["until"][0] if fields else None
