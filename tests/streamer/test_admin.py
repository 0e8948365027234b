"""The operator's door: closed without the token, and plain about what it did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Response

from streamer.admin import ADMIN_PATHS, HALT_PATH, RELOAD_PATH, RESUME_PATH, Admin
from streamer.errors import InstrumentError, RequestError
from streamer.instruments import InstrumentTable
from streamer.relisting import compare
from streamer.reloading import Reloaded
from tests.streamer.serving import Serving

TOKEN = "admin-secret"


class Files:
    """Files that can be read again, or not; counts how often they were."""

    def __init__(self, error: InstrumentError | None = None) -> None:
        self.reads = 0
        self._error = error

    async def reload(self) -> Reloaded:
        """Read them."""
        self.reads += 1
        if self._error is not None:
            raise self._error
        table = InstrumentTable.bundled()
        return Reloaded(compare(table, table), tokens=2)


class Market:
    """A market that can be halted, or not; keeps what the operator said of it."""

    def __init__(self, error: RequestError | None = None) -> None:
        self.words: list[str | None] = []
        self._error = error

    def halt(self, until: str | None) -> dict[str, object]:
        """Stand still."""
        if self._error is not None:
            raise self._error
        self.words.append(until)
        return {"phase": "halted"}

    def resume(self) -> dict[str, object]:
        """Trade again."""
        self.words.append("resume")
        return {"phase": "open"}


def door(files: Files | None = None, market: Market | None = None) -> Admin:
    """The operator's door to them."""
    files, market = files or Files(), market or Market()
    return Admin(TOKEN, files.reload, market.halt, market.resume)


async def ask(admin: Admin, path: str = RELOAD_PATH, query: str = "") -> Response:
    """Ask with the token."""
    return await admin.answer("POST", path, query, Headers(Authorization=f"Bearer {TOKEN}"))


@pytest.mark.parametrize(("query", "until"), [("", None), ("until=12:05", "12:05"), ("until=", "")])
async def test_the_market_is_halted_and_resumed(query: str, until: str | None) -> None:
    """What is answered is what the market says to it; whether a time will do, it judges."""
    market = Market()
    halted = await ask(door(None, market), HALT_PATH, query)
    resumed = await ask(door(None, market), RESUME_PATH)
    assert (halted.status_code, resumed.status_code) == (200, 200)
    assert json.loads(halted.body or b"") == {"status": "success", "phase": "halted"}
    assert json.loads(resumed.body or b"") == {"status": "success", "phase": "open"}
    assert market.words == [until, "resume"]


@pytest.mark.parametrize(
    ("query", "error", "status"),
    [
        ("", RequestError("market_closed", "Found it closed"), 409),
        ("until=10:00", RequestError("invalid_request", "It is past"), 400),
        ("till=10:00", None, 400),
        ("until=10:00&until=11:00", None, 400),
        ("&".join(f"a{n}=" for n in range(50)), None, 400),
    ],
)
async def test_a_halt_that_cannot_be_is_refused(
    query: str, error: RequestError | None, status: int
) -> None:
    """With a code for programs; a slip in the query does not halt the market for the whole day."""
    market = Market(error)
    response = await ask(door(None, market), HALT_PATH, query)
    body = json.loads(response.body or b"")
    assert (response.status_code, market.words) == (status, [])
    assert body["code"] == (error.code if error else "invalid_request")
    assert body["message"]


async def test_the_token_opens_it() -> None:
    """The answer is JSON, and tells what is different."""
    files = Files()
    response = await ask(door(files))
    body = json.loads(response.body or b"")
    assert (response.status_code, files.reads) == (200, 1)
    assert body["status"] == "success"
    assert body["instruments"] == len(InstrumentTable.bundled())
    assert (body["added"], body["renamed"], body["vanished"], body["tokens"]) == (0, [], [], 2)


@pytest.mark.parametrize("path", ADMIN_PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-secret"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
async def test_without_the_token_nothing_happens(path: str, headers: dict[str, str]) -> None:
    """401, and the answer does not tell the token."""
    files = Files()
    market = Market()
    response = await door(files, market).answer("POST", path, "", Headers(**headers))
    assert (response.status_code, files.reads, market.words) == (401, 0, [])
    assert TOKEN.encode() not in (response.body or b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_another_method_is_405(method: str) -> None:
    """A link that is followed, or fetched ahead, must not change anything."""
    files, market = Files(), Market()
    for path in ADMIN_PATHS:
        headers = Headers(Authorization=f"Bearer {TOKEN}")
        response = await door(files, market).answer(method, path, "", headers)
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert (files.reads, market.words) == (0, [])


async def test_files_that_cannot_be_used_are_told() -> None:
    """422 with the place, so that the operator need not look into the log."""
    error = InstrumentError("it is empty", expected="a number", file="list.csv", line=4)
    response = await ask(door(Files(error)))
    body = json.loads(response.body or b"")
    assert (response.status_code, body["code"]) == (422, "reload_failed")
    assert body["message"] == (
        "Everything stays as it was: list.csv, line 4: it is empty; expected a number"
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_token_set_there_is_no_such_door(tmp_path: Path, method: str) -> None:
    """404, as for any path where nothing is."""
    async with Serving(tmp_path) as serving:
        headers = {"Authorization": "Bearer "}
        for path in ADMIN_PATHS:
            status, _, _ = await serving.http(path, headers, method)
            assert status == 404
