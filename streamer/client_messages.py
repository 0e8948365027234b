"""
The types of every message that a client sends and gets, for whoever describes the protocol.

Requests are read in :mod:`streamer.protocol`, which tells more of what is wrong
than a type could; replies are put together where they are decided, and
``market_data`` is spelt in :mod:`streamer.quotes`. What they spell is of these
types, key by key in this order: the tests hold it. A key whose type has
``UnsetType`` may be left out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from streamer.calendar import Phase, StockPhase
from streamer.clients import Delivery
from streamer.hub import UpstreamState
from streamer.protocol import MAX_REQUEST_ID

ErrorCode = Literal[
    "invalid_json",
    "invalid_request",
    "unknown_action",
    "empty_request",
    "invalid_stock",
    "too_many_subscriptions",
    "rate_limited",
    "market_closed",
    "session_replaced",
    "slow_consumer",
    "unauthorised",
    "internal",
]

ClientId = Annotated[str, Meta(description="Whose message it is (C-2).")]
RequestId = Annotated[
    Annotated[str, Meta(max_length=MAX_REQUEST_ID)] | int,
    Meta(description="Chosen by the client; it comes back on the reply."),
]
Stamp = Annotated[
    int | None,
    Meta(
        description="Milliseconds since the UNIX epoch by the server's clock; null as long as a"
        " replay has told no time (H-5)."
    ),
]
Text = Annotated[str, Meta(description="For people: what was found, what was expected.")]
Stocks = Annotated[
    list[str | int],
    Meta(
        description="Symbols or numeric tokens, either alone or with an exchange: SBIN, 3045,"
        " NSE:SBIN, BSE:500112 (R-2)."
    ),
]
Failed = Annotated[list[str], Meta(description="The client's own strings (S-2).")]
Total = Annotated[int, Meta(ge=0, description="How many stocks are subscribed now.")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$")]
TickAge = Annotated[
    int | None, Meta(description="How long ago the feed last sent an update, in real time.")
]
Open = Annotated[bool, Meta(description="Whether the market is open (H-1).")]


# --- requests


class Request(Struct, frozen=True, kw_only=True):
    """What each request may have."""

    type: Literal["request"] | UnsetType = UNSET
    action: str
    request_id: RequestId | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    timestamp: float | UnsetType = UNSET


class Subscribe(Request, frozen=True, kw_only=True):
    """Subscribe stocks; what is subscribed already stays so (S-3)."""

    action: Literal["subscribe"] = "subscribe"
    stocks: Stocks
    snapshot: Annotated[
        bool | UnsetType, Meta(description="Put the last known quotes into the reply (S-11).")
    ] = UNSET
    delivery: Annotated[
        Delivery | UnsetType,
        Meta(description="The newest quote of each stock, or every update (M-5)."),
    ] = UNSET


class Unsubscribe(Request, frozen=True, kw_only=True):
    """Unsubscribe stocks; ``["*"]`` is everything (R-8)."""

    action: Literal["unsubscribe"] = "unsubscribe"
    stocks: Stocks


class GetSubscriptions(Request, frozen=True, kw_only=True):
    """Ask what is subscribed."""

    action: Literal["get_subscriptions"] = "get_subscriptions"


class GetMarketStatus(Request, frozen=True, kw_only=True):
    """Ask whether the market is open."""

    action: Literal["market_status"] = "market_status"


class Ping(Request, frozen=True, kw_only=True):
    """Ask whether the server is there."""

    action: Literal["ping"] = "ping"


# --- market data


class QuoteData(Struct, frozen=True, kw_only=True):
    """A quote (M-1). Prices are in rupees, exact to the paisa; null is unknown."""

    symbol: str
    token: Annotated[str, Meta(description="The exchange's number of the stock.")]
    exchange: str
    ltp: Annotated[float, Meta(description="Last traded price.")]
    open: float
    high: float
    low: float
    close: Annotated[float | None, Meta(description="The previous session's official close.")]
    prev_close: float | None
    volume: Annotated[int, Meta(ge=0, description="Shares traded today.")]
    percent_change: Annotated[
        float, Meta(description="(ltp - prev_close) / prev_close × 100, unrounded (M-6).")
    ]
    week_52_high: float | None
    week_52_low: float | None
    week_52_high_date: Day | None
    week_52_low_date: Day | None
    day_high: float
    day_low: float
    avg_volume_5d: int | None
    timestamp: Annotated[int, Meta(description="The exchange's last-update time, ms (M-8).")]
    last_updated: Annotated[
        str,
        Meta(
            description="When the server processed it, RFC 3339 with nine decimals (M-8).",
            pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}\+05:30$",
        ),
    ]
    is_new_week_52_high: bool
    is_new_week_52_low: bool


class MarketData(Struct, frozen=True, kw_only=True):
    """An update of a subscribed stock, while the market is open."""

    type: Literal["market_data"] = "market_data"
    symbol: str
    token: str
    exchange: str
    data: QuoteData
    timestamp: Annotated[int, Meta(description="When it was encoded, ms (M-8).")]
    seq: Annotated[
        int,
        Meta(
            ge=0,
            description="Numbers this stock's updates within one epoch; a jump tells how many were"
            " skipped (M-3).",
        ),
    ]


# --- replies


class SubscribedData(Struct, frozen=True, kw_only=True):
    """What became of a subscribe (S-1)."""

    action: Literal["subscribe"] = "subscribe"
    subscribed_stocks: Annotated[
        list[str],
        Meta(description="As they were asked for: SBIN by symbol, SBIN (NSE) by token."),
    ]
    failed_stocks: Failed
    total_subscribed: Total
    snapshots: list[QuoteData] | UnsetType = UNSET


class Subscribed(Struct, frozen=True, kw_only=True):
    """The reply to a subscribe."""

    type: Literal["subscription_response"] = "subscription_response"
    status: Literal["success", "error"]
    message: Text | UnsetType = UNSET
    code: Literal["invalid_stock", "too_many_subscriptions", "market_closed"] | UnsetType = UNSET
    data: SubscribedData
    client_id: ClientId
    request_id: RequestId | UnsetType = UNSET
    timestamp: Stamp


class UnsubscribedData(Struct, frozen=True, kw_only=True):
    """What became of an unsubscribe (S-4)."""

    action: Literal["unsubscribe"] = "unsubscribe"
    unsubscribed_stocks: list[str]
    failed_stocks: Failed
    total_subscribed: Total


class Unsubscribed(Struct, frozen=True, kw_only=True):
    """The reply to an unsubscribe."""

    type: Literal["subscription_response"] = "subscription_response"
    status: Literal["success"] = "success"
    data: UnsubscribedData
    client_id: ClientId
    request_id: RequestId | UnsetType = UNSET
    timestamp: Stamp


class SubscriptionsData(Struct, frozen=True, kw_only=True):
    """What is subscribed: index by index, oldest first (S-6)."""

    subscribed_tokens: list[str]
    subscribed_symbols: list[str]
    subscribed_exchanges: list[str]
    total_subscribed: Total


class Subscriptions(Struct, frozen=True, kw_only=True):
    """The reply to get_subscriptions."""

    type: Literal["subscriptions"] = "subscriptions"
    status: Literal["success"] = "success"
    data: SubscriptionsData
    client_id: ClientId
    request_id: RequestId | UnsetType = UNSET
    timestamp: Stamp


class Phases(Struct, frozen=True, kw_only=True):
    """The phases of stocks with derivatives, and of others."""

    derivatives: StockPhase | Literal["waiting"]
    others: StockPhase | Literal["waiting"]


class MarketStatusData(Struct, frozen=True, kw_only=True):
    """Whether the market is open, and how the feed fares (S-7). Times are of India."""

    market_open: Open
    market_hours: Annotated[str, Meta(description="Of that day, as 09:15 - 15:30 IST.")]
    current_time: Moment | None
    next_open: Moment | None
    next_close: Moment | None
    phase: Phase | Literal["waiting"]
    phases: Phases
    trading_day: Day | None
    streaming_data: bool
    timezone: Literal["Asia/Kolkata"] = "Asia/Kolkata"
    upstream: UpstreamState
    last_tick_age_ms: TickAge


class MarketStatus(Struct, frozen=True, kw_only=True):
    """The reply to market_status."""

    type: Literal["market_status"] = "market_status"
    status: Literal["success"] = "success"
    data: MarketStatusData
    client_id: ClientId
    request_id: RequestId | UnsetType = UNSET
    timestamp: Stamp


class Pong(Struct, frozen=True, kw_only=True):
    """The reply to a ping (S-8)."""

    type: Literal["pong"] = "pong"
    status: Literal["alive"] = "alive"
    client_id: ClientId
    request_id: RequestId | UnsetType = UNSET
    timestamp: Stamp


class ErrorData(Struct, frozen=True, kw_only=True):
    """When to try again (R-7)."""

    retry_after_ms: Annotated[int, Meta(ge=0)]


class Error(Struct, frozen=True, kw_only=True):
    """A request that was refused, or why the connection is about to end (S-9)."""

    type: Literal["error"] = "error"
    status: Literal["error"] = "error"
    message: Text
    code: Annotated[ErrorCode, Meta(description="For programs.")]
    data: ErrorData | UnsetType = UNSET
    client_id: ClientId
    request_id: RequestId | UnsetType = UNSET
    timestamp: Stamp


# --- what comes unasked


class WelcomeData(Struct, frozen=True, kw_only=True):
    """Who the client is to the server, and what is restored (C-3)."""

    message: str
    client_id: ClientId
    features: list[str]
    market_hours: str
    market_open: Open
    current_time: Annotated[str, Meta(pattern=r"^\d{2}:\d{2}:\d{2}$")] | None
    subscribed_stocks: Total
    restored: Annotated[bool, Meta(description="Whether there was something to restore (P-1).")]
    restored_stocks: Annotated[list[str], Meta(description="Symbols, oldest first.")]
    epoch: Annotated[str, Meta(description="Names the server process (M-3).")]
    simulated: Annotated[bool, Meta(description="Whether this is not the market itself.")]
    instructions: Annotated[dict[str, Any], Meta(description="A sample request of each action.")]


class Welcome(Struct, frozen=True, kw_only=True):
    """The first message of a connection."""

    type: Literal["welcome"] = "welcome"
    status: Literal["connected"] = "connected"
    data: WelcomeData
    client_id: ClientId
    timestamp: Stamp


class MarketNoticeData(Struct, frozen=True, kw_only=True):
    """That the market opened or closed, and else as in the reply to market_status (H-2)."""

    event: Literal["market_opened", "market_closed"]
    market_open: Open
    market_hours: str
    current_time: Moment | None
    next_open: Moment | None
    next_close: Moment | None
    phase: Phase | Literal["waiting"]
    phases: Phases
    trading_day: Day | None
    streaming_data: bool
    timezone: Literal["Asia/Kolkata"] = "Asia/Kolkata"
    upstream: UpstreamState
    last_tick_age_ms: TickAge


class MarketNotice(Struct, frozen=True, kw_only=True):
    """The market opened or closed; each connected client gets it once."""

    type: Literal["market_status"] = "market_status"
    status: Literal["info"] = "info"
    message: Text
    data: MarketNoticeData
    client_id: ClientId
    timestamp: Stamp


class HeartbeatData(Struct, frozen=True, kw_only=True):
    """Whether the market is open and the feed alive."""

    market_open: Open
    upstream: UpstreamState
    last_tick_age_ms: TickAge


class Heartbeat(Struct, frozen=True, kw_only=True):
    """Comes every N seconds to whoever connects with ``heartbeat=N`` (C-5)."""

    type: Literal["heartbeat"] = "heartbeat"
    status: Literal["alive"] = "alive"
    data: HeartbeatData
    client_id: ClientId
    timestamp: Stamp


class ShutdownData(Struct, frozen=True, kw_only=True):
    """When to come back."""

    reconnect_after_ms: Annotated[int, Meta(ge=0)]


class ServerShutdown(Struct, frozen=True, kw_only=True):
    """The server goes away; close 1012 follows (C-6)."""

    type: Literal["server_shutdown"] = "server_shutdown"
    status: Literal["info"] = "info"
    message: Text
    data: ShutdownData
    client_id: ClientId
    timestamp: Stamp
