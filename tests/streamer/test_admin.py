"""The operator's door: closed without the token, and plain about what it did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.datastructures import Headers

from streamer.admin import Admin
from streamer.errors import InstrumentError
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


async def test_the_token_opens_it() -> None:
    """The answer is JSON, and tells what is different."""
    files = Files()
    admin = Admin(TOKEN, files.reload)
    response = await admin.answer("POST", Headers(Authorization=f"Bearer {TOKEN}"))
    body = json.loads(response.body or b"")
    assert (response.status_code, files.reads) == (200, 1)
    assert body["status"] == "success"
    assert body["instruments"] == len(InstrumentTable.bundled())
    assert (body["added"], body["renamed"], body["vanished"], body["tokens"]) == (0, [], [], 2)


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
async def test_without_the_token_nothing_is_read(headers: dict[str, str]) -> None:
    """401, and the answer does not tell the token."""
    files = Files()
    response = await Admin(TOKEN, files.reload).answer("POST", Headers(**headers))
    assert (response.status_code, files.reads) == (401, 0)
    assert TOKEN.encode() not in (response.body or b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_another_method_is_405(method: str) -> None:
    """A link that is followed, or fetched ahead, must not reload anything."""
    files = Files()
    headers = Headers(Authorization=f"Bearer {TOKEN}")
    response = await Admin(TOKEN, files.reload).answer(method, headers)
    assert (response.status_code, response.headers["Allow"], files.reads) == (405, "POST", 0)


async def test_files_that_cannot_be_used_are_told() -> None:
    """422 with the place, so that the operator need not look into the log."""
    error = InstrumentError("it is empty", expected="a number", file="list.csv", line=4)
    response = await Admin(TOKEN, Files(error).reload).answer(
        "POST", Headers(Authorization=f"Bearer {TOKEN}")
    )
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
        status, _, _ = await serving.http("/api/admin/reload", headers, method)
        assert status == 404
