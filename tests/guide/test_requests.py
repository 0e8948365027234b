"""The guide's requests, sent as they are printed, and the replies that it prints."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.guide.likeness import assert_like, kind
from tests.guide.page import at_port, guide_block, guide_blocks, guide_table
from tests.guide.replay import Replay
from tests.guide.stranger import Stranger, stranger

pytestmark = pytest.mark.xdist_group("guide")

SYMBOLS = "1. Symbol-Based Subscription"
TOKENS = "2. Token-Based Subscription (High Performance)"
MIXED = "3. Mixed Subscription"
UNSUBSCRIBE = "4. Unsubscribe"
SUBSCRIPTIONS = "5. Get Current Subscriptions"
MARKET_STATUS = "6. Market Status"
PING = "7. Ping/Pong"
MARKET_DATA = "Real-Time Data Format"
ERROR = "Common Error Responses"
INVALID_STOCK = "2. Invalid Stock Symbol/Token"

MESSAGE_TYPES = {row[0] for row in guide_table("Message Types")}

# The market's figures of the moment; the stock, its token and its exchange are facts.
FIGURES = {
    name
    for name in json.loads(guide_block(MARKET_DATA, "json").text)["data"]
    if name not in ("symbol", "token", "exchange")
}

# The feed does not tell them, and what is unknown is null, never invented.
UNTOLD = {"week_52_high_date", "week_52_low_date", "avg_volume_5d"}


def printed_request(heading: str) -> str:
    """Return the first JSON block below a heading, as text."""
    return guide_blocks(heading, "json")[0].text


def printed_reply(heading: str) -> Any:
    """Return the JSON block that follows the request below a heading."""
    _, reply = guide_blocks(heading, "json")
    return json.loads(reply.text)


async def test_endpoint(replay: Replay) -> None:
    """The printed address leads to a ``welcome`` for the client_id that stands in it."""
    url = at_port(guide_block("WebSocket Endpoint", "").text.strip(), replay.port)
    async with stranger(url) as (_, welcome):
        assert welcome["status"] == "connected"
        assert welcome["client_id"] == "YOUR_CLIENT_ID"


async def test_client_id_is_optional(replay: Replay) -> None:
    """Without a client_id the server makes one up, a different one each time."""
    url = replay.url("").removesuffix("?client_id=")
    async with stranger(url) as (_, first), stranger(url) as (_, second):
        assert first["client_id"]
        assert first["client_id"] != second["client_id"]


@pytest.mark.parametrize("heading", [SYMBOLS, TOKENS])
async def test_subscription(heading: str, replay: Replay) -> None:
    """The printed subscriptions get the printed replies."""
    async with stranger(replay.url(f"subscription.{heading[0]}")) as (client, _):
        assert_like(printed_reply(heading), await client.ask(printed_request(heading)))


async def test_mixed_subscription(replay: Replay) -> None:
    """Symbols are named by symbol and tokens with their exchange, in the request's order."""
    async with stranger(replay.url("mixed")) as (client, _):
        reply = await client.ask(printed_request(MIXED))
        assert reply["status"] == "success"
        assert reply["data"]["subscribed_stocks"] == [
            "SBIN",
            "RELIANCE (NSE)",
            "TCS",
            "INFY (NSE)",
        ]
        assert reply["data"]["failed_stocks"] == []


async def test_unsubscribe(replay: Replay) -> None:
    """The printed request ends the subscriptions that an earlier one began, by symbol or token."""
    async with stranger(replay.url("unsubscribe")) as (client, _):
        await client.ask(printed_request(SYMBOLS))
        reply = await client.ask(printed_request(UNSUBSCRIBE))
        assert (reply["type"], reply["status"]) == ("subscription_response", "success")
        assert reply["data"]["unsubscribed_stocks"] == ["SBIN", "RELIANCE (NSE)"]
        assert reply["data"]["total_subscribed"] == 3


async def test_get_subscriptions(replay: Replay) -> None:
    """After subscribing the printed tokens, the printed request gets the printed list."""
    printed = printed_reply(SUBSCRIPTIONS)
    tokens = printed["data"]["subscribed_tokens"]
    async with stranger(replay.url("get_subscriptions")) as (client, _):
        await client.ask(json.dumps({"action": "subscribe", "stocks": tokens}))
        assert_like(printed, await client.ask(printed_request(SUBSCRIPTIONS)))


async def test_market_status(replay: Replay) -> None:
    """The printed request gets the market's status, in India's time."""
    async with stranger(replay.url("market_status")) as (client, _):
        reply = await client.ask(printed_request(MARKET_STATUS))
        assert (reply["type"], reply["status"]) == ("market_status", "success")
        assert reply["data"]["market_hours"] == "09:15 - 15:30 IST"
        assert reply["data"]["timezone"] == "Asia/Kolkata"


async def test_ping(replay: Replay) -> None:
    """The printed ping gets a pong that says alive."""
    async with stranger(replay.url("ping")) as (client, _):
        reply = await client.ask(printed_request(PING))
        assert (reply["type"], reply["status"]) == ("pong", "alive")


async def test_error(replay: Replay) -> None:
    """A subscription without stocks gets the printed error."""
    (block,) = guide_blocks(ERROR, "json")
    printed = json.loads(block.text)
    async with stranger(replay.url(printed["client_id"])) as (client, _):
        for request in ('{"action": "subscribe"}', '{"action": "subscribe", "stocks": []}'):
            assert_like(printed, await client.ask(request), varying=["timestamp"])


async def test_invalid_stock(replay: Replay) -> None:
    """The printed unknown stock comes back among the failed ones."""
    printed = json.loads(guide_block(INVALID_STOCK, "json").text)
    request = {"action": "subscribe", "stocks": printed["data"]["failed_stocks"]}
    async with stranger(replay.url("invalid_stock")) as (client, _):
        reply = await client.ask(json.dumps(request))
        assert_like(printed, reply)
        assert reply["status"] == "error"


async def test_each_action_of_the_request_structure(replay: Replay) -> None:
    """The printed request structure with each of its actions gets a reply of a documented type."""
    printed = guide_block("Request Message Structure", "json").text
    alternatives = json.loads(printed)["action"]
    assert set(alternatives.split("|")) == {row[0] for row in guide_table("Actions")}
    async with stranger(replay.url("structure")) as (client, _):
        for action in alternatives.split("|"):
            reply = await client.ask(printed.replace(alternatives, action))
            assert reply["type"] in MESSAGE_TYPES - {"error", "welcome", "market_data"}


@pytest.mark.parametrize(
    ("symbol", "token"),
    re.findall(r"'(\w+)': '(\d+)'", guide_block("Token Mapping", "javascript").text),
)
async def test_token_mapping(symbol: str, token: str, replay: Replay) -> None:
    """Each token of the guide's list is taken for its stock."""
    async with stranger(replay.url(f"token.{token}")) as (client, _):
        reply = await client.ask(json.dumps({"action": "subscribe", "stocks": [token]}))
        assert reply["data"]["subscribed_stocks"] == [f"{symbol} (NSE)"]


async def test_market_data(replay: Replay) -> None:
    """``market_data`` has the printed fields, in the printed order, of the printed types."""
    printed = json.loads(guide_block(MARKET_DATA, "json").text)
    async with stranger(replay.url("market_data")) as (client, _):
        quote = await subscribed_quote(client, printed["symbol"])
    assert_like(printed, quote, varying=FIGURES, nullable=UNTOLD)
    data = quote["data"]
    assert data["close"] == data["prev_close"]
    assert (data["day_high"], data["day_low"]) == (data["high"], data["low"])
    assert data["low"] <= data["ltp"] <= data["high"]
    assert data["percent_change"] == pytest.approx((data["ltp"] / data["close"] - 1) * 100)
    assert re.fullmatch(r"2025-09-04T09:\d\d:\d\d\.\d{9}\+05:30", data["last_updated"])


async def test_market_data_fields(replay: Replay) -> None:
    """Each field of the guide's table is there and has the type that the table gives."""
    async with stranger(replay.url("market_data_fields")) as (client, _):
        quote = await subscribed_quote(client, "RELIANCE")
    for name, expected, _ in guide_table("Market Data Fields"):
        assert kind(quote["data"][name]) == expected


async def subscribed_quote(client: Stranger, symbol: str) -> dict[str, Any]:
    """Subscribe a stock and return its first quote."""
    await client.ask(json.dumps({"action": "subscribe", "stocks": [symbol]}))
    return await client.quote(symbol)
