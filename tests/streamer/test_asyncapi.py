"""The AsyncAPI document: what the server says, no more and no less, and what the suite expects."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft7Validator
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from conformance.expect import expect_data_shape, expect_error, expect_reply
from conformance.invariants import Watch
from conformance.peer import Message, Peer
from conformance.playground import OdinServer
from streamer.asyncapi import document
from streamer.cli import cli
from streamer.client_messages import ErrorCode
from streamer.connection import HubSettings
from streamer.protocol import ACTIONS, INSTRUCTIONS, parse_request
from tests.guide.program import NODE_MODULES, require, require_node_module
from tests.streamer.desk import RELIANCE, Desk, at, touchline

ROOT = Path(__file__).parents[2]

DOCUMENT = document("1.2.3")
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
ASKED = {
    reference["$ref"].rpartition("/")[2]
    for operation in DOCUMENT["operations"].values()
    for reference in operation["messages"]
    if operation["action"] == "receive"
}
TOLD = set(MESSAGES) - ASKED

PARSE = """
const { Parser } = require('@asyncapi/parser');
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const told = texts.map(async (text) => {
    const { document, diagnostics } = await new Parser().parse(text);
    const problems = diagnostics.filter(({ severity }) => severity < 2);
    return { problems, operations: document ? document.operations().length : 0 };
});
Promise.all(told).then((found) => console.log(JSON.stringify(found)));
"""


class Client(NamedTuple):
    """What the judge knows a connection by."""

    client_id: str


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that takes no key which it does not name."""
    return schema | ({"additionalProperties": False} if "properties" in schema else {})


CLOSED = {"schemas": {name: closed(schema) for name, schema in SCHEMAS.items()}}


def expect_schema(name: str, message: dict[str, Any]) -> None:
    """Expect a message to have the keys of its schema, in their order, with their types."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": CLOSED}
    problems = [error.message for error in Draft7Validator(schema).iter_errors(message)]
    assert not problems, f"{name}: {problems} in {message}"
    expect_order_of(name, message)


def expect_order_of(name: str, value: dict[str, Any]) -> None:
    """Expect the keys of an object, and of those in it, to stand in the schema's order."""
    properties = SCHEMAS[name]["properties"]
    assert list(value) == [key for key in properties if key in value], name
    for key, inner in value.items():
        part = properties[key].get("$ref") or properties[key].get("items", {}).get("$ref")
        if part:
            for each in inner if isinstance(inner, list) else [inner]:
                expect_order_of(part.rpartition("/")[2], each)


def name_of(message: dict[str, Any]) -> str:
    """Return which message of the document this is."""
    data = message.get("data", {})
    match message["type"], message.get("status"):
        case "subscription_response", _:
            return "Subscribed" if data["action"] == "subscribe" else "Unsubscribed"
        case "market_status", "info":
            return "MarketNotice"
        case type, _:
            return str("".join(word.capitalize() for word in type.split("_")))


def examples(names: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each example of some messages."""
    for name in MESSAGES:
        if name in names:
            for example in MESSAGES[name]["examples"]:
                yield name, example["payload"]


def transcript() -> Iterator[dict[str, Any]]:
    """Yield all that a hub says in a day on which everything happens."""
    desk = Desk(settings=HubSettings(max_subscriptions=3, request_rate=1, request_burst=12))
    early = desk.connect("early")
    yield from desk.read(early)
    yield from desk.ask(early, {"action": "market_status", "request_id": "a"})
    yield from desk.ask(early, {"action": "subscribe", "stocks": ["RELIANCE"], "snapshot": True})
    desk.log_on("09:14:59")
    desk.feed(touchline(RELIANCE, lut=at("09:14:59")))
    desk.tell_time("09:15:00")
    desk.feed(touchline(RELIANCE, lut=at("09:15:00")))
    desk.feed(touchline(RELIANCE, lut=at("09:15:01"), close=0, high_52=0, low_52=0))
    yield from desk.read(early)
    app = desk.connect("app", heartbeat_s=1)
    yield from desk.read(app)
    requests: list[object] = [
        {"action": "subscribe", "stocks": ["2885", "NO"], "snapshot": True, "request_id": 7},
        {"action": "subscribe", "stocks": ["NO"]},
        {"action": "subscribe", "stocks": ["TCS", "SBIN", "INFY"]},
        {"action": "subscribe"},
        "no JSON",
        {"action": 1},
        {"action": "dance", "request_id": "x"},
        {"action": "get_subscriptions"},
        {"action": "market_status"},
        {"action": "ping", "request_id": 3},
        {"action": "unsubscribe", "stocks": ["SBIN", "NO"]},
        {"action": "unsubscribe", "stocks": []},
        {"action": "ping"},
    ]
    for request in requests:
        yield from desk.ask(app, request)
    desk.pass_time(2)
    desk.tell_time("15:30:00")
    yield from desk.read(app)
    desk.connect("app")
    yield from desk.read(app)
    desk.hub.shut_down(2000, desk.now)
    yield from desk.read(early)


def test_the_page_is_the_servers() -> None:
    """docs/asyncapi.yaml is what the command prints; run it again after a change."""
    printed = CliRunner().invoke(cli, ["asyncapi", "--yaml"])
    assert printed.exit_code == 0, printed.output
    again = "odin-streamer asyncapi --yaml > docs/asyncapi.yaml"
    page = (ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8")
    assert page == printed.output, f"not up to date: {again}"
    as_json = CliRunner().invoke(cli, ["asyncapi"])
    assert json.loads(as_json.output) == yaml.safe_load(page)


def test_yaml_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which servers have no use for; whoever lacks it is told what to install."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    printed = CliRunner().invoke(cli, ["asyncapi", "--yaml"])
    assert printed.exit_code == 1
    assert "pip install pyyaml" in printed.output


def test_all_that_is_said_is_described() -> None:
    """No message, key or value beyond the document, and no message in it that is never said."""
    said = set()
    codes = set()
    for message in transcript():
        name = name_of(message)
        said.add(name)
        codes.add(message.get("code"))
        expect_schema(name, message)
    assert said == TOLD
    assert codes >= {"rate_limited", "too_many_subscriptions", "session_replaced", "market_closed"}


def test_a_server_of_its_own_says_no_more(odin_server: OdinServer) -> None:
    """From before the bell to its end, over the wire."""
    came: list[dict[str, Any]] = []
    with connect(f"{odin_server.url_for('app')}&heartbeat=1") as socket:
        for request in (
            {"action": "subscribe", "stocks": ["SBIN", "2885", "NO"], "snapshot": True},
            {"action": "get_subscriptions"},
            {"action": "market_status"},
        ):
            socket.send(json.dumps(request))
        odin_server.clock.advance_to("09:15:05")
        socket.send(json.dumps({"action": "dance"}))
        while not came or name_of(came[-1]) != "Heartbeat":
            came.append(json.loads(socket.recv(timeout=20)))
        odin_server.stop()
        with contextlib.suppress(ConnectionClosed):
            while True:
                came.append(json.loads(socket.recv(timeout=20)))
    for message in came:
        expect_schema(name_of(message), message)
    never = {"Pong", "Unsubscribed"}
    assert {name_of(message) for message in came} == TOLD - never


def test_examples_are_what_the_suite_expects() -> None:
    """The judge of servers has nothing against any of them, as one client's day."""
    watch = Watch()
    told = list(examples(TOLD))
    peer = cast(Peer, Client(told[0][1]["client_id"]))
    watch.opened(peer)
    for index, (name, example) in enumerate(told):
        expect_schema(name, example)
        message = Message(example, raw=json.dumps(example), ms=0.0, index=index)
        watch.came(peer, message)
        if message.type == "market_data":
            expect_data_shape(message)
        elif message.type == "error":
            expect_error(message, code=example["code"], client_id=example["client_id"])
        else:
            expect_reply(message, message.type, message["status"])
    assert {str(breach.first) for breach in watch.breaches.values()} == {"None"}
    assert all(breach.watched for breach in watch.breaches.values())


def test_examples_are_requests_that_the_server_takes() -> None:
    """Each means what it says; those that welcome teaches are described too."""
    actions = set()
    for name, example in examples(ASKED):
        expect_schema(name, example)
        request = parse_request(json.dumps(example))
        assert request.action == example["action"]
        assert list(request.stocks or ()) == example.get("stocks", [])
        assert request.request_id == example.get("request_id")
        actions.add(request.action)
    assert actions == set(ACTIONS)
    names = {MESSAGES[name]["examples"][0]["payload"]["action"]: name for name in ASKED}
    for taught in INSTRUCTIONS.values():
        fields = cast(dict[str, Any], taught)
        expect_schema(names[fields["action"]], fields)


def test_codes_are_those_of_the_rules() -> None:
    """S-9 names them; over_capacity comes before the upgrade alone."""
    rules = (ROOT / "docs/client-protocol.md").read_text(encoding="utf-8")
    (rule,) = re.findall(r"\| S-9 \| (.*) \|", rules)
    named = set(re.findall(r"`([a-z_]+)`", rule.split("for programs:")[1]))
    assert named - set(get_args(ErrorCode)) == {"over_capacity"}
    assert set(get_args(ErrorCode)) <= named


def test_the_parser_of_asyncapi_takes_it() -> None:
    """Without an error or a warning; whoever makes clients of the document begins there."""
    page = (ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8")
    wrong = page.replace("action: receive", "action: take", 1)
    assert wrong != page
    good, bad = parsed(page, wrong)
    assert good == {"problems": [], "operations": len(DOCUMENT["operations"])}
    assert bad["problems"]


def parsed(*texts: str) -> Any:
    """Return what AsyncAPI's parser finds in each: errors, warnings, how many operations."""
    node = require("node", "nodejs")
    require_node_module("@asyncapi/parser")
    ended = subprocess.run(
        [node, "-e", PARSE],
        cwd=NODE_MODULES.parent,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
