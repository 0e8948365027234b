"""What an opening request asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.connection import Refusal
from streamer.handshake import Opening, bearer_token, origin_allowed, read_opening, split_target


def refused(query: str) -> str:
    """Return why a query is refused."""
    refusal = read_opening(query)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    return str(refusal.body["message"])


def test_an_empty_query_asks_for_nothing() -> None:
    """C-2: client_id is optional."""
    assert read_opening("") == Opening()


def test_client_id_is_decoded() -> None:
    """C-2: what is percent-encoded arrives as the client meant it."""
    assert read_opening("client_id=a%40b%3A1") == Opening(client_id="a@b:1")


def test_an_empty_client_id_is_none_given() -> None:
    """C-2: an empty client_id is left for the hub to replace."""
    assert read_opening("client_id=") == Opening(client_id="")


@pytest.mark.parametrize("name", ["client_id", "heartbeat", "token"])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    """C-2: which of two is meant cannot be told."""
    assert "2 times" in refused(f"{name}=1&{name}=1")


@pytest.mark.parametrize(("text", "seconds"), [("1", 1.0), ("60", 60.0), ("2.5", 2.5)])
def test_heartbeats_from_1_to_60_seconds(text: str, seconds: float) -> None:
    """C-5: heartbeat=N, 1 to 60 s."""
    assert read_opening(f"heartbeat={text}") == Opening(heartbeat_s=seconds)


@pytest.mark.parametrize("text", ["0", "0.99", "60.1", "-5", "", "x", "nan", "inf", "1e400"])
def test_other_heartbeats_are_refused(text: str) -> None:
    """C-5: anything but 1 to 60 s is a mistake that the client should hear of."""
    assert "1 to 60" in refused(f"heartbeat={text}")


def test_a_query_of_many_parameters_is_refused() -> None:
    """A query cannot cost more than reading a few parameters."""
    assert "fewer" in refused("&".join(f"a{n}=1" for n in range(100)))


def test_unknown_parameters_are_ignored() -> None:
    """Clients may add parameters of their own, as for proxies."""
    assert read_opening("client_id=a&v=2&cache=no") == Opening(client_id="a")


def test_the_token_comes_from_the_query_or_the_header() -> None:
    """A browser cannot set headers; a program should not put tokens into addresses."""
    assert read_opening("token=abc") == Opening(token="abc")
    assert read_opening("", "Bearer abc") == Opening(token="abc")
    assert read_opening("token=abc", "Bearer other") == Opening(token="abc")


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer a b"])
def test_other_authorizations_hold_no_token(header: str | None) -> None:
    """Only one bearer token is taken."""
    assert bearer_token(header) is None


@given(st.text())
def test_any_query_is_read_or_refused(query: str) -> None:
    """No query raises."""
    assert isinstance(read_opening(query), Opening | Refusal)


@given(st.text())
def test_any_authorization_is_read(header: str) -> None:
    """No header raises."""
    token = bearer_token(header)
    assert token is None or token in header


def test_a_target_is_split_at_its_first_question_mark() -> None:
    """A question mark may stand in a value."""
    assert split_target("/a?b=c?d") == ("/a", "b=c?d")
    assert split_target("/a") == ("/a", "")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "file://",
        "http://localhost",
        "http://localhost:3000",
        "https://LOCALHOST:8443",
        "http://127.0.0.1:5173",
        "http://127.1.2.3",
        "http://[::1]:8080",
    ],
)
def test_pages_of_this_machine_and_of_files_are_welcome(origin: str | None) -> None:
    """C-7: loopback origins of any port, null, and none."""
    assert origin_allowed(origin, ())


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example/http://localhost",
        "http://localhost:80@evil.example",
        "http://[::1].evil.example",
        "http://localhost\n",
        "ftp://localhost",
        "",
    ],
)
def test_other_origins_are_not(origin: str) -> None:
    """C-7: a look-alike is another origin."""
    assert not origin_allowed(origin, ())


def test_configured_origins_are_welcome() -> None:
    """C-7: an origin that is configured is let in, and no other with it."""
    configured = ("https://desk.example",)
    assert origin_allowed("https://desk.example", configured)
    assert origin_allowed("https://Desk.example", configured)
    assert not origin_allowed("http://desk.example", configured)
    assert origin_allowed("http://anything.example", ("*",))
