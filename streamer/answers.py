"""
What follows from a client's requests (rules R-1 to S-11): changes, and one reply to each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from streamer.clients import Delivery
from streamer.connection import Connection, HubSettings
from streamer.errors import RequestError
from streamer.hours import MarketHours
from streamer.instruments import InstrumentTable
from streamer.interest import Interest
from streamer.odin.tags import InstrumentKey
from streamer.protocol import Request, parse_request
from streamer.quotes import Quote
from streamer.register import Register
from streamer.speaker import Speaker
from streamer.subscriptions import subscribe, subscribed, unsubscribe

RATE_LIMIT_ABUSED: Final = 4429


class Answers:
    """
    Answers requests, on what the hub keeps.

    Args:
        speaker: Sends replies.
        register: The clients; told what must be saved.
        interest: Who gets which quotes.
        quotes: The newest quotes, for snapshots.
        hours: Whether the market is open.
        settings: Limits and policies.
        market_status: Returns the ``data`` of rule S-7 at a machine's time.
        send_last_quotes: Lets the last known quotes follow a reply (rule M-4).

    """

    def __init__(
        self,
        *,
        speaker: Speaker,
        register: Register,
        interest: Interest[Connection],
        quotes: Mapping[InstrumentKey, Quote],
        hours: MarketHours,
        settings: HubSettings,
        market_status: Callable[[int], dict[str, object]],
        send_last_quotes: Callable[[Connection, Iterable[InstrumentKey]], None],
    ) -> None:
        self._speaker = speaker
        self._register = register
        self._interest = interest
        self._quotes = quotes
        self._hours = hours
        self._settings = settings
        self._market_status = market_status
        self._send_last_quotes = send_last_quotes

    def take(
        self,
        connection: Connection,
        text: str | bytes,
        instruments: InstrumentTable,
        now: int,
    ) -> None:
        """
        Answer one frame of a client.

        Args:
            connection: The client's.
            text: What it sent.
            instruments: What can be subscribed.
            now: The machine's time.

        """
        early_ms, is_abuse = connection.count_request(now)
        if is_abuse:
            self._speaker.close(connection, RATE_LIMIT_ABUSED, "request rate limit abused")
            return
        try:
            request = parse_request(text)
        except RequestError as error:
            if not early_ms:
                self._speaker.refuse(connection, error.code, error.message, error.request_id)
                return
            request_id = error.request_id
        else:
            request_id = request.request_id
        if early_ms:
            rate = self._settings.request_rate
            self._speaker.refuse(
                connection,
                "rate_limited",
                f"More than {rate:g} requests a second; expected the next in {early_ms} ms",
                request_id,
                data={"retry_after_ms": early_ms},
            )
            return
        self._answer(connection, request, instruments, now)

    def _answer(
        self,
        connection: Connection,
        request: Request,
        instruments: InstrumentTable,
        now: int,
    ) -> None:
        match request.action:
            case "subscribe":
                self._subscribe(connection, request, instruments)
            case "unsubscribe":
                self._unsubscribe(connection, request, instruments)
            case "get_subscriptions":
                found = subscribed(connection.client, instruments)
                self._reply(
                    connection,
                    request,
                    "subscriptions",
                    data={
                        "subscribed_tokens": [str(each.token) for each in found],
                        "subscribed_symbols": [each.symbol for each in found],
                        "subscribed_exchanges": [each.exchange for each in found],
                        "total_subscribed": len(found),
                    },
                )
            case "market_status":
                self._reply(connection, request, "market_status", data=self._market_status(now))
            case "ping":
                self._reply(connection, request, "pong", status="alive")

    def _subscribe(
        self, connection: Connection, request: Request, instruments: InstrumentTable
    ) -> None:
        if not request.stocks:
            text = "No stocks provided for subscription"
            self._speaker.refuse(connection, "empty_request", text, request.request_id)
            return
        if not self._hours.is_open and self._settings.closed_policy == "reject":
            text = self._hours.closed_text()
            self._speaker.refuse(connection, "market_closed", text, request.request_id)
            return
        client = connection.client
        limit = self._settings.max_subscriptions
        outcome = subscribe(client, request.stocks, instruments, limit)
        if outcome.changed:
            self._register.changed(client)
        if outcome.is_known and request.delivery is not None:
            self._deliver(connection, request.delivery)
        code: str | None = None
        message: str | None = None
        if not outcome.is_known:
            code = "invalid_stock"
            message = "Found no known stock; expected symbols or tokens, alone or as NSE:SBIN"
        elif outcome.is_over:
            code = "too_many_subscriptions"
            message = f"Found more than {limit} subscriptions; the stocks beyond that failed"
        elif not self._hours.is_open:
            code = "market_closed"
            message = self._hours.closed_text()
        data: dict[str, object] = {
            "action": "subscribe",
            "subscribed_stocks": outcome.names,
            "failed_stocks": outcome.failed,
            "total_subscribed": len(client.subscriptions),
        }
        if request.snapshot:
            quotes = [self._quotes.get(key) for key in outcome.named]
            data["snapshots"] = [
                msgspec.Raw(quote.data())
                for quote in quotes
                if quote is not None and quote.tick is not None
            ]
        self._reply(
            connection,
            request,
            "subscription_response",
            status="success" if outcome.is_known else "error",
            message=message,
            code=code,
            data=data,
        )
        self._interest.add(outcome.changed, connection)
        self._send_last_quotes(connection, outcome.changed)

    def _deliver(self, connection: Connection, delivery: Delivery) -> None:
        """Let the client get every update, or the newest ones, from now on (rule M-5)."""
        client = connection.client
        if delivery != client.delivery:
            client.delivery = delivery
            connection.outbox.conflate = not self._settings.lossless and delivery == "latest"
            # Else a later quote takes a place from before, ahead of those that were all to be sent.
            connection.outbox.seal()
            self._register.changed(client)

    def _unsubscribe(
        self, connection: Connection, request: Request, instruments: InstrumentTable
    ) -> None:
        if not request.stocks:
            text = "No stocks provided for unsubscription"
            self._speaker.refuse(connection, "empty_request", text, request.request_id)
            return
        client = connection.client
        before = client.unlisted
        outcome = unsubscribe(client, request.stocks, instruments)
        if outcome.changed or client.unlisted != before:
            self._register.changed(client)
        self._interest.remove(outcome.changed, connection)
        for key in outcome.changed:
            connection.drop_quote(key)
        self._reply(
            connection,
            request,
            "subscription_response",
            data={
                "action": "unsubscribe",
                "unsubscribed_stocks": outcome.names,
                "failed_stocks": outcome.failed,
                "total_subscribed": len(client.subscriptions),
            },
        )

    def _reply(
        self,
        connection: Connection,
        request: Request,
        kind: str,
        *,
        status: str = "success",
        message: str | None = None,
        code: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        self._speaker.say(
            connection,
            kind,
            status,
            message=message,
            code=code,
            data=data,
            request_id=request.request_id,
        )
