"""Access tokens: the file, the handshake, the logs."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from streamer.access import AccessList, digest_token
from streamer.errors import ConfigError
from tests.streamer.serving import Serving

ALICE, BOB = "alices-secret", "bobs-secret"


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """Return a file of two tokens."""
    path = tmp_path / "tokens"
    path.write_text(f"# who may connect\n\n{ALICE} alice\n  {BOB}   Bob the builder \n")
    return path


def test_a_token_names_its_principal(tokens: Path) -> None:
    """Blanks around both, and within a principal, are as people write them."""
    access = AccessList.load(tokens)
    assert access.principal(digest_token(ALICE)) == "alice"
    assert access.principal(digest_token(BOB)) == "Bob the builder"
    assert len(access) == 2


@pytest.mark.parametrize("token", ["", "alice", ALICE[:-1], ALICE + "x", ALICE.upper(), "\udc80"])
def test_any_other_token_names_nobody(tokens: Path, token: str) -> None:
    """Nothing but the whole token is valid."""
    assert AccessList.load(tokens).principal(digest_token(token)) is None


def test_several_tokens_may_name_one_principal(tmp_path: Path) -> None:
    """P-4: a token can be exchanged without losing sessions."""
    path = tmp_path / "tokens"
    path.write_text("old-secret alice\nnew-secret alice\n")
    access = AccessList.load(path)
    assert {access.principal(digest_token(f"{age}-secret")) for age in ("old", "new")} == {"alice"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{ALICE} alice\n{BOB}\n", "line 2: found one word"),
        ("short alice\n", "line 1: found a token of 5 characters"),
        (f"{ALICE} alice\n{ALICE} bob\n", "line 2: found a token that an earlier line"),
    ],
)
def test_a_bad_line_is_named_and_not_shown(tmp_path: Path, text: str, problem: str) -> None:
    """An error tells the line's number and no token."""
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem) as caught:
        AccessList.load(path)
    assert "secret" not in str(caught.value)


def test_a_missing_or_binary_file_is_told(tmp_path: Path) -> None:
    """Without a readable file of tokens nobody would get in: better not to start."""
    with pytest.raises(ConfigError, match="No such file"):
        AccessList.load(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        AccessList.load(tmp_path / "binary")


@pytest.mark.parametrize("query", ["client_id=a", "client_id=a&token=", "token=wrong-secret"])
async def test_without_a_valid_token_it_is_401(tmp_path: Path, tokens: Path, query: str) -> None:
    """Missing or unknown: refused before the upgrade, code unauthorised."""
    async with Serving(tmp_path, access=AccessList.load(tokens)) as serving:
        status, body = await serving.refusal(query)
        assert (status, body["code"]) == (401, "unauthorised")


async def test_a_token_comes_in_by_query_or_header(tmp_path: Path, tokens: Path) -> None:
    """Browsers use the query, programs the header."""
    async with Serving(tmp_path, access=AccessList.load(tokens)) as serving:
        async with serving.client("a", f"token={ALICE}") as client:
            assert (await client.next())["type"] == "welcome"
        header = {"Authorization": f"Bearer {BOB}"}
        async with serving.client("b", additional_headers=header) as client:
            assert (await client.next())["type"] == "welcome"


async def test_a_session_belongs_to_its_principal(tmp_path: Path, tokens: Path) -> None:
    """P-4: another principal's client_id is 403, also after the client has left."""
    async with Serving(tmp_path, access=AccessList.load(tokens)) as serving:
        async with serving.client("app", f"token={ALICE}") as client:
            await client.next()
            await client.subscribe("SBIN")
        assert (await serving.refusal(f"client_id=app&token={BOB}"))[0] == 403
        async with serving.client("app", f"token={ALICE}") as client:
            assert (await client.next())["data"]["restored_stocks"] == ["SBIN"]


async def test_a_token_given_to_another_is_revoked(tmp_path: Path, tokens: Path) -> None:
    """C-8: a connection stays only as long as its token names the same principal."""
    async with Serving(tmp_path, access=AccessList.load(tokens)) as serving:
        async with serving.client("a", f"token={ALICE}") as client:
            await client.next()
            serving.server.replace_access(AccessList({digest_token(ALICE): "mallory"}))
            assert (await client.rest())[1] == 4503


async def test_tokens_never_reach_the_log(
    tmp_path: Path, tokens: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at the lowest level, not by query, not by header, not when refused."""
    caplog.set_level(logging.DEBUG)
    # The test's own client would log what it sends.
    logging.getLogger("websockets.client").setLevel(logging.WARNING)
    async with Serving(tmp_path, access=AccessList.load(tokens)) as serving:
        async with serving.client("a", f"token={ALICE}") as client:
            await client.next()
        header = {"Authorization": f"Bearer {BOB}"}
        async with serving.client("b", additional_headers=header) as client:
            await client.next()
        await serving.refusal("token=wrong-secret")
        await serving.http(f"/api/stats?token={ALICE}")
        await serving.http(f"/enhanced-stream?token={ALICE}")
    assert "client a connected" in caplog.text
    assert "secret" not in caplog.text
    assert "secret" not in json.dumps(serving.events)


async def test_counters_are_for_those_with_a_token(tmp_path: Path, tokens: Path) -> None:
    """With tokens in use, strangers see whether the server works and nothing else."""
    async with Serving(tmp_path, access=AccessList.load(tokens)) as serving:
        assert (await serving.http("/api/stats"))[0] == 401
        assert (await serving.http("/api/stats?token=wrong-secret"))[0] == 401
        assert (await serving.http(f"/api/stats?token={ALICE}"))[0] == 200
        assert (await serving.http("/api/stats", {"Authorization": f"Bearer {ALICE}"}))[0] == 200
        assert (await serving.http("/api/health"))[0] == 503
        assert (await serving.http("/"))[0] == 200
