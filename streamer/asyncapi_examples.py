"""
Examples of every message of the client protocol, for its AsyncAPI document.

They are values of the types that describe the protocol, so none can have a key
or a figure that a message could not have. The quote is the integration guide's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from streamer import client_messages as of
from streamer.protocol import FEATURES, INSTRUCTIONS

__all__ = ["EXAMPLES"]

_APP: Final = "trading_app_123"
_NOW: Final = 1756971591651

_QUOTE: Final = of.QuoteData(
    symbol="RELIANCE",
    token="2885",
    exchange="NSE",
    ltp=1365.5,
    open=1371.8,
    high=1374.0,
    low=1360.3,
    close=1372.6,
    prev_close=1372.6,
    volume=8053013,
    percent_change=-0.5172665015299366,
    week_52_high=1551.0,
    week_52_low=1115.55,
    week_52_high_date="2025-07-09",
    week_52_low_date="2025-04-07",
    day_high=1374.0,
    day_low=1360.3,
    avg_volume_5d=8053013,
    timestamp=1756971590198,
    last_updated="2025-09-04T13:09:51.651469068+05:30",
    is_new_week_52_high=False,
    is_new_week_52_low=False,
)
_UNKNOWN: Final = of.QuoteData(
    symbol="SBIN",
    token="500112",
    exchange="BSE",
    ltp=808.1,
    open=806.0,
    high=811.05,
    low=805.2,
    close=None,
    prev_close=None,
    volume=41822,
    percent_change=0.0,
    week_52_high=None,
    week_52_low=None,
    week_52_high_date=None,
    week_52_low_date=None,
    day_high=811.05,
    day_low=805.2,
    avg_volume_5d=None,
    timestamp=1756971590198,
    last_updated="2025-09-04T13:09:51.651469068+05:30",
    is_new_week_52_high=False,
    is_new_week_52_low=False,
)


def _error(code: of.ErrorCode, message: str) -> of.Error:
    return of.Error(code=code, message=message, client_id=_APP, timestamp=_NOW)


def _quote(data: of.QuoteData, seq: int) -> of.MarketData:
    return of.MarketData(
        symbol=data.symbol,
        token=data.token,
        exchange=data.exchange,
        data=data,
        timestamp=_NOW,
        seq=seq,
    )


EXAMPLES: Final[Mapping[type[Struct], Mapping[str, Struct]]] = {
    of.Subscribe: {
        "By symbol, by token, by exchange": of.Subscribe(stocks=["SBIN", "2885", "BSE:500112"]),
        "With the last known quotes, and every update": of.Subscribe(
            stocks=["NIFTY 50", 11536], request_id="7", snapshot=True, delivery="all"
        ),
    },
    of.Unsubscribe: {
        "Some stocks": of.Unsubscribe(stocks=["SBIN", "2885"]),
        "Everything": of.Unsubscribe(stocks=["*"]),
    },
    of.GetSubscriptions: {"As the guide has it": of.GetSubscriptions()},
    of.GetMarketStatus: {"As the guide has it": of.GetMarketStatus()},
    of.Ping: {"With an id": of.Ping(request_id=42)},
    of.Welcome: {
        "A client that was here before": of.Welcome(
            data=of.WelcomeData(
                message="Welcome to Odin Streamer",
                client_id=_APP,
                features=list(FEATURES),
                market_hours="09:15 - 15:30 IST",
                market_open=True,
                current_time="13:09:51",
                subscribed_stocks=2,
                restored=True,
                restored_stocks=["RELIANCE", "SBIN"],
                epoch="5f0c2a9e1d7b4c36",
                simulated=True,
                instructions=dict(INSTRUCTIONS),
            ),
            client_id=_APP,
            timestamp=_NOW,
        ),
    },
    of.Subscribed: {
        "Some known, some not": of.Subscribed(
            status="success",
            data=of.SubscribedData(
                subscribed_stocks=["SBIN", "RELIANCE (NSE)", "SBIN (BSE)"],
                failed_stocks=["INVALID_SYMBOL"],
                total_subscribed=3,
            ),
            client_id=_APP,
            timestamp=_NOW,
        ),
        "None known": of.Subscribed(
            status="error",
            message="Found no known stock; expected symbols or tokens, alone or as NSE:SBIN",
            code="invalid_stock",
            data=of.SubscribedData(
                subscribed_stocks=[], failed_stocks=["INVALID_SYMBOL"], total_subscribed=3
            ),
            client_id=_APP,
            request_id="8",
            timestamp=_NOW,
        ),
        "While the market is closed, with a snapshot": of.Subscribed(
            status="success",
            message="Market is closed; streaming starts 2025-09-05 09:15:00 IST",
            code="market_closed",
            data=of.SubscribedData(
                subscribed_stocks=["RELIANCE"],
                failed_stocks=[],
                total_subscribed=1,
                snapshots=[_QUOTE],
            ),
            client_id=_APP,
            timestamp=_NOW,
        ),
    },
    of.Unsubscribed: {
        "One was not subscribed": of.Unsubscribed(
            data=of.UnsubscribedData(
                unsubscribed_stocks=["SBIN"], failed_stocks=["TCS"], total_subscribed=2
            ),
            client_id=_APP,
            timestamp=_NOW,
        ),
    },
    of.Subscriptions: {
        "Three": of.Subscriptions(
            data=of.SubscriptionsData(
                subscribed_tokens=["3045", "2885", "500112"],
                subscribed_symbols=["SBIN", "RELIANCE", "SBIN"],
                subscribed_exchanges=["NSE", "NSE", "BSE"],
                total_subscribed=3,
            ),
            client_id=_APP,
            timestamp=_NOW,
        ),
    },
    of.MarketStatus: {
        "While it is open": of.MarketStatus(
            data=of.MarketStatusData(
                market_open=True,
                market_hours="09:15 - 15:30 IST",
                current_time="2025-09-04 13:09:51",
                next_open="2025-09-05 09:15:00",
                next_close="2025-09-04 15:30:00",
                phase="open",
                phases=of.Phases(derivatives="open", others="open"),
                trading_day="2025-09-04",
                streaming_data=True,
                upstream="connected",
                last_tick_age_ms=140,
            ),
            client_id=_APP,
            timestamp=_NOW,
        ),
        "Before a replay has told a time": of.MarketStatus(
            data=of.MarketStatusData(
                market_open=False,
                market_hours="09:15 - 15:30 IST",
                current_time=None,
                next_open=None,
                next_close=None,
                phase="waiting",
                phases=of.Phases(derivatives="waiting", others="waiting"),
                trading_day=None,
                streaming_data=False,
                upstream="connecting",
                last_tick_age_ms=None,
            ),
            client_id=_APP,
            timestamp=None,
        ),
    },
    of.MarketNotice: {
        "It opened": of.MarketNotice(
            message="Market is now open",
            data=of.MarketNoticeData(
                event="market_opened",
                market_open=True,
                market_hours="09:15 - 15:30 IST",
                current_time="2025-09-04 09:15:00",
                next_open="2025-09-05 09:15:00",
                next_close="2025-09-04 15:30:00",
                phase="open",
                phases=of.Phases(derivatives="open", others="open"),
                trading_day="2025-09-04",
                streaming_data=True,
                upstream="connected",
                last_tick_age_ms=930,
            ),
            client_id=_APP,
            timestamp=1756957500000,
        ),
    },
    of.Pong: {"To a ping with an id": of.Pong(client_id=_APP, request_id=42, timestamp=_NOW)},
    of.MarketData: {
        "As the guide has it": _quote(_QUOTE, 4711),
        "Where little is known": _quote(_UNKNOWN, 1),
    },
    of.Error: {
        "A request without stocks": _error("empty_request", "No stocks provided for subscription"),
        "Too many requests": of.Error(
            message="More than 50 requests a second; expected the next in 20 ms",
            code="rate_limited",
            data=of.ErrorData(retry_after_ms=20),
            client_id=_APP,
            request_id="9",
            timestamp=_NOW,
        ),
        "Replaced; close 4501 follows": _error(
            "session_replaced", "Another connection with this client_id has taken over"
        ),
    },
    of.Heartbeat: {
        "While the feed is alive": of.Heartbeat(
            data=of.HeartbeatData(market_open=True, upstream="connected", last_tick_age_ms=85),
            client_id=_APP,
            timestamp=_NOW,
        ),
    },
    of.ServerShutdown: {
        "Come back in two seconds": of.ServerShutdown(
            message="The server is shutting down; reconnect later with the same client_id",
            data=of.ShutdownData(reconnect_after_ms=2000),
            client_id=_APP,
            timestamp=_NOW,
        ),
    },
}
