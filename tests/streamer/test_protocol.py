"""The client protocol's text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import RequestError
from streamer.protocol import ACTIONS, encode_reply, failed_text, parse_request, shown, stock_text

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_of_the_guide_is_read(action: str) -> None:
    """The guide's own request, whole, is well formed."""
    request = parse_request(
        json.dumps(
            {
                "type": "request",
                "action": action,
                "stocks": ["SBIN", "2885"],
                "timestamp": 1756971590827,
            }
        )
    )
    assert (request.action, request.stocks) == (action, ("SBIN", "2885"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("ping", "invalid_json"),
        ("[]", "invalid_json"),
        ('"ping"', "invalid_json"),
        ("null", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"action":"\xc3"}', "invalid_json"),
        ('{"action":"ping","x":1e999}', "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"a":' * 100_000, "invalid_json"),
        ('{"action":"ping"} {"action":"ping"}', "invalid_json"),
        ("{}", "invalid_request"),
        ('{"action":null}', "invalid_request"),
        ('{"action":5}', "invalid_request"),
        ('{"action":["ping"]}', "invalid_request"),
        ('{"action":"dance"}', "unknown_action"),
        ('{"action":"PING"}', "unknown_action"),
        ('{"action":"subscribe","stocks":"SBIN"}', "invalid_request"),
        ('{"action":"subscribe","stocks":{"0":"SBIN"}}', "invalid_request"),
        ('{"action":"ping","type":5}', "invalid_request"),
        ('{"action":"ping","timestamp":"now"}', "invalid_request"),
        ('{"action":"ping","timestamp":true}', "invalid_request"),
        ('{"action":"ping","client_id":5}', "invalid_request"),
        ('{"action":"subscribe","stocks":[],"snapshot":"yes"}', "invalid_request"),
        ('{"action":"subscribe","stocks":[],"delivery":"some"}', "invalid_request"),
        ('{"action":"subscribe","stocks":[],"delivery":{}}', "invalid_request"),
        ('{"action":"ping","request_id":1.5}', "invalid_request"),
        ('{"action":"ping","request_id":true}', "invalid_request"),
        (json.dumps({"action": "ping", "request_id": "x" * 65}), "invalid_request"),
    ],
)
def test_r4_what_is_no_request_is_refused_with_its_code(text: str | bytes, code: str) -> None:
    """R-4: no JSON object, wrong types, unknown or missing action: an error that names it."""
    with pytest.raises(RequestError) as caught:
        parse_request(text)
    assert caught.value.code == code
    assert "expected" in caught.value.message


def test_the_request_id_is_known_even_of_a_refused_request() -> None:
    """A client can match the error to its request."""
    with pytest.raises(RequestError) as caught:
        parse_request('{"action":"dance","request_id":"r-1"}')
    assert caught.value.request_id == "r-1"


def test_r4_a_binary_frame_of_utf8_json_is_taken_as_text() -> None:
    """R-4: bytes and text give the same request."""
    text = '{"action":"subscribe","stocks":["M&M"],"request_id":7}'
    assert parse_request(text) == parse_request(text.encode())


def test_r2_a_json_integer_names_a_token() -> None:
    """R-2: 3045 is taken as "3045"; what no token can be is not."""
    assert stock_text(3045) == "3045"
    assert stock_text("SBIN") == "SBIN"
    wrongs: list[object] = [True, None, 3045.0, -1, 10**5000, [], {}]
    for wrong in wrongs:
        assert stock_text(wrong) is None


def test_s2_failed_stocks_are_the_clients_own_strings() -> None:
    """S-2: strings come back as they were, anything else as short JSON."""
    assert failed_text(" sbi n ") == " sbi n "
    assert failed_text(None) == "null"
    assert failed_text({"a": [1]}) == '{"a":[1]}'
    assert len(failed_text([0] * 1000)) <= 60


@given(
    st.binary()
    | st.text()
    | JSON.map(json.dumps)
    | st.dictionaries(
        st.sampled_from(
            ["type", "action", "stocks", "timestamp", "client_id", "request_id", "snapshot"]
        ),
        JSON | st.sampled_from(ACTIONS),
    ).map(json.dumps)
)
def test_whatever_comes_is_a_request_or_a_request_error(text: str | bytes) -> None:
    """No text raises anything else, and what an error shows can be sent back."""
    try:
        request = parse_request(text)
    except RequestError as error:
        encode_reply(
            "error",
            "error",
            client_id="c",
            timestamp=0,
            message=error.message,
            request_id=error.request_id,
        )
    else:
        for item in request.stocks or ():
            assert isinstance(failed_text(item), str)
            assert isinstance(shown(item), str)


def test_the_envelope_keeps_its_order() -> None:
    """The keys of a reply stand in the order of section 3, absent ones left out."""
    reply = encode_reply(
        "pong",
        "alive",
        client_id="c",
        timestamp=5,
        message="m",
        code="x",
        data={"a": 1},
        request_id="r",
    )
    assert list(json.loads(reply)) == [
        "type",
        "status",
        "message",
        "code",
        "data",
        "client_id",
        "request_id",
        "timestamp",
    ]
    assert list(json.loads(encode_reply("pong", "alive", client_id="c", timestamp=None))) == [
        "type",
        "status",
        "client_id",
        "timestamp",
    ]
