"""The answers to well-formed requests (section 3 of the rules)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from tests.conformance.reference.breaks import broken
from tests.conformance.reference.connection import Connection
from tests.conformance.reference.instruments import GUIDE_ALIASES, Instrument, Key, find, spoken
from tests.conformance.reference.requests import Request, RequestError, shown

if TYPE_CHECKING:
    from tests.conformance.reference.hub import Hub

SAMPLES: Final[Mapping[str, object]] = {
    "subscribe": {"action": "subscribe", "stocks": ["SBIN", "2885", "BSE:500112"]},
    "unsubscribe": {"action": "unsubscribe", "stocks": ["SBIN"]},
    "get_subscriptions": {"action": "get_subscriptions"},
    "market_status": {"action": "market_status"},
    "ping": {"action": "ping"},
}


class Answers:
    """Answers requests for a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def give(self, connection: Connection, request: Request) -> None:
        """Do what a request asks and queue its reply."""
        if request.action == "subscribe":
            self._subscribe(connection, request)
        elif request.action == "unsubscribe":
            self._unsubscribe(connection, request)
        elif request.action == "get_subscriptions":
            self._tell_subscriptions(connection, request)
        elif request.action == "market_status":
            self._reply(connection, request, "market_status", data=self._hub.status())
        else:
            status = "success" if broken("pong-without-alive") else "alive"
            self._reply(connection, request, "pong", status=status)

    def _subscribe(self, connection: Connection, request: Request) -> None:
        hub, session = self._hub, connection.session
        limit = hub.settings.max_subscriptions
        if not request.stocks:
            if broken("empty-subscribe-succeeds"):
                self._reply(connection, request, "subscription_response")
                return
            self._refuse_empty(connection, request)
            return
        if not hub.is_open and (
            hub.settings.closed_policy == "reject" or broken("subscribe-refused-while-closed")
        ):
            error = RequestError("market_closed", hub.closed_words(), request.request_id)
            connection.put(hub.spell_error(connection, error))
            return
        if broken("subscribe-replaces"):
            session.stocks.clear()
            connection.wanted.clear()
        named: dict[Key, str] = {}
        listed: list[str] = []
        found: list[Instrument] = []
        failed: list[object] = []
        added: list[Key] = []
        is_known = is_over = False
        if broken("one-unknown-fails-all") and None in map(find, request.stocks):
            request = request._replace(stocks=["?"])
        for item in request.stocks:
            instrument = find(item)
            if instrument is not None and broken("exchanges-share-a-symbol"):
                same = [one for one in session.stocks.values() if one.symbol == instrument.symbol]
                instrument = same[0] if same else instrument
            is_again = instrument is not None and instrument.key in session.stocks
            if instrument is None or (is_again and broken("subscribed-again-fails")):
                failed.append(item)
                continue
            is_known = True
            if not is_again and len(session.stocks) >= limit and not broken("stocks-without-limit"):
                is_over = True
                failed.append(item)
                continue
            if is_again and broken("subscribed-again-moves-to-end"):
                del session.stocks[instrument.key]
            if not is_again:
                added.append(instrument.key)
            session.stocks[instrument.key] = instrument
            if instrument.key not in named or broken("twice-listed-twice"):
                listed.append(spoken(item, instrument))
                found.append(instrument)
            named.setdefault(instrument.key, "")
        if is_over and broken("over-the-limit-nothing"):
            for key in added:
                del session.stocks[key]
            added, listed, failed = [], [], list(request.stocks)
        if request.delivery is not None and is_known:
            session.delivery = request.delivery
        connection.wanted |= named.keys()
        hub.save(session)
        code = message = None
        if not is_known:
            code, message = "invalid_stock", "No known stock; expected symbols or tokens"
        elif is_over:
            code, message = "too_many_subscriptions", f"More than {limit} subscriptions"
        elif not hub.is_open and not broken("closed-market-untold"):
            code, message = "market_closed", hub.closed_words()
        data: dict[str, object] = {
            "action": "subscribe",
            "subscribed_stocks": sorted(listed) if broken("stocks-sorted-by-name") else listed,
            "failed_stocks": self._failed(failed),
            "total_subscribed": len(listed)
            if broken("total-of-the-request")
            else len(session.stocks),
        }
        if request.snapshot and not broken("snapshot-ignored"):
            quotes = [hub.quote(one.key) for one in found]
            data["snapshots"] = [quote.data() for quote in quotes if quote is not None]
        if broken("quotes-before-reply"):
            hub.send_last_quotes(connection, added)
            added = []
        is_success = is_known or broken("unknown-stocks-succeed")
        status = "success" if is_success else "error"
        self._reply(
            connection,
            request,
            "subscription_response",
            status,
            message=message,
            code=code,
            data=data,
        )
        hub.send_last_quotes(connection, added)

    def _unsubscribe(self, connection: Connection, request: Request) -> None:
        hub, session = self._hub, connection.session
        if not request.stocks:
            if broken("empty-unsubscribe-clears"):
                session.stocks.clear()
                hub.save(session)
            self._refuse_empty(connection, request)
            return
        total_before = len(session.stocks)
        named: dict[Key, str] = {}
        failed: list[object] = []
        if request.stocks == ["*"] and not broken("star-unknown"):
            named = {key: one.symbol for key, one in session.stocks.items()}
        else:
            for item in request.stocks:
                instrument = find(item)
                is_token = str(item).strip().isdigit()
                if instrument is None or (is_token and broken("unsubscribe-misses-tokens")):
                    failed.append(item)
                elif instrument.key in session.stocks or broken("unsubscribe-finds-anything"):
                    named.setdefault(instrument.key, spoken(item, instrument))
                else:
                    failed.append(item)
        for key in named:
            session.stocks.pop(key, None)
        if not broken("unsubscribe-keeps-data"):
            connection.wanted -= named.keys()
            connection.drop_quotes(named)
        if not broken("unsubscribe-not-stored"):
            hub.save(session)
        listed = (
            "subscribed_stocks" if broken("unsubscribed-under-wrong-key") else "unsubscribed_stocks"
        )
        is_empty = not named and not failed and broken("star-on-nothing-fails")
        data: dict[str, object] = {
            "action": "subscribe" if broken("unsubscribe-called-subscribe") else "unsubscribe",
            listed: list(named.values()),
            "failed_stocks": self._failed(failed),
            "total_subscribed": total_before
            if broken("total-before-unsubscribe")
            else len(session.stocks),
        }
        status = "error" if is_empty else "success"
        self._reply(connection, request, "subscription_response", status, data=data)

    def _tell_subscriptions(self, connection: Connection, request: Request) -> None:
        stocks = list(connection.session.stocks.values())
        if broken("subscriptions-newest-first"):
            stocks.reverse()
        tokens: list[object] = [str(one.token) for one in stocks]
        if broken("tokens-as-numbers"):
            tokens = [one.token for one in stocks]
        if broken("alias-tokens-carried"):
            wrong = {real: alias for alias, real in GUIDE_ALIASES.items()}
            tokens = [wrong.get(str(one.token), str(one.token)) for one in stocks]
        names = [one.symbol for one in stocks]
        data: dict[str, object] = {
            "subscribed_tokens": tokens,
            "subscribed_symbols": sorted(names) if broken("symbols-beside-wrong-tokens") else names,
            "subscribed_exchanges": [one.exchange for one in stocks],
            "total_subscribed": len(stocks),
        }
        if broken("subscriptions-lack-exchanges"):
            del data["subscribed_exchanges"]
        self._reply(connection, request, "subscriptions", data=data)

    def _refuse_empty(self, connection: Connection, request: Request) -> None:
        what = "subscription" if request.action == "subscribe" else "unsubscription"
        message = f"No stocks provided for {what}"
        error = RequestError("empty_request", message, request.request_id)
        connection.put(self._hub.spell_error(connection, error))

    def _failed(self, items: Iterable[object]) -> list[str]:
        """Return the client's own strings; what is none as short JSON (S-2, R-4)."""
        names = [item if isinstance(item, str) else shown(item) for item in items]
        return [name.strip().upper() for name in names] if broken("failed-normalised") else names

    def _reply(
        self,
        connection: Connection,
        request: Request,
        kind: str,
        status: str = "success",
        *,
        message: str | None = None,
        code: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        text = self._hub.spell(
            connection,
            kind,
            status,
            message=message,
            code=code,
            data=data,
            request_id=request.request_id,
        )
        connection.put(text)
        if kind == "pong" and broken("pongs-twice"):
            connection.put(text)
