"""The guide's JavaScript examples in headless Chromium, as printed but for the port."""

from __future__ import annotations

import json
import re

import pytest
from websockets.sync.client import connect

from tests.guide.browser import Console, Line, open_page
from tests.guide.page import at_port, guide_block
from tests.guide.replay import Replay

pytestmark = pytest.mark.xdist_group("guide")

CLIENT_ID = "trading_app_123"

QUOTE = re.compile(r"(SBIN|RELIANCE|TCS|INFY): ₹\d+(\.\d+)? \(-?\d+\.\d\d%\)")


def test_client(replay: Replay) -> None:
    """The browser client, told after ``welcome`` to subscribe, shows replies and quotes."""
    with open_page(client_page(replay.port)) as console:
        totals = expect_subscriptions(console)
        assert totals == [3, 3, 4]
        console.expect(is_quote, "quote")


def test_client_comes_back(replay: Replay) -> None:
    """The browser client that lost its connection finds its subscriptions again, unasked."""
    with open_page(client_page(replay.port)) as console:
        expect_subscriptions(console)
        # Nothing of it is read, and a bounded queue would hold up its closing.
        with connect(replay.url(CLIENT_ID), proxy=None, max_queue=None):
            console.expect_text("Disconnected from Odin Streamer")
            console.expect_text("Connected to Odin Streamer")
            _, welcome = console.expect_text("Welcome:")
        assert welcome["restored_stocks"] == ["SBIN", "RELIANCE", "TCS", "INFY"]
        console.expect(is_quote, "quote")


def test_debug_mode(replay: Replay) -> None:
    """The one-line connection with the debugging handler shows what is received."""
    example = guide_block("Connection Example", "bash").text
    (connecting,) = [line for line in example.splitlines() if line.startswith("const ws")]
    debugging = guide_block("Debug Mode", "javascript").text
    with open_page(f"{at_port(connecting, replay.port)}\n{debugging}") as console:
        _, received = console.expect_text("Received:")
    welcome = json.loads(received)
    assert (welcome["type"], welcome["data"]["client_id"]) == ("welcome", CLIENT_ID)


def client_page(port: int) -> str:
    """
    Return the printed script, and lines that a page around it needs.

    As printed the client subscribes before its socket is open, which its own
    ``send`` drops. So the page runs the same printed lines again at the first
    ``welcome``.
    """
    printed = guide_block("JavaScript Client", "javascript").text
    _, subscribing = printed.split("client.connect();\n")
    return f"""{at_port(printed, port)}
const handleMessage = client.handleMessage.bind(client);
let isFirst = true;
client.handleMessage = (message) => {{
    handleMessage(message);
    if (message.type === 'welcome' && isFirst) {{
        isFirst = false;
{subscribing}
    }}
}};
"""


def expect_subscriptions(console: Console) -> list[int]:
    """Wait for the replies to the printed subscriptions; return the total after each."""
    console.expect_text("Connected to Odin Streamer")
    _, welcome = console.expect_text("Welcome:")
    assert welcome["client_id"] == CLIENT_ID
    totals = []
    for names in (
        ["SBIN", "RELIANCE", "TCS"],
        ["SBIN (NSE)", "RELIANCE (NSE)", "TCS (NSE)"],
        ["SBIN", "RELIANCE (NSE)", "TCS", "INFY (NSE)"],
    ):
        _, reply = console.expect_text("Subscription:")
        assert reply["subscribed_stocks"] == names
        totals.append(reply["total_subscribed"])
    return totals


def is_quote(line: Line) -> bool:
    """Return whether a line of the console is how the printed client shows a quote."""
    return QUOTE.fullmatch(str(line[0])) is not None
