"""
The ways in which the reference server can be broken on purpose.

Each is one line of the server, ``if broken("name")``, and one mistake that
real servers make. A judge that passes a broken server judges nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

MADE_FOR: Final = Path(__file__).with_name("made_for.toml")

_on: set[str] = set()


class Variant(NamedTuple):
    """One broken server: its name, the chapter and rules that it breaks, and how."""

    name: str
    chapter: str
    rules: tuple[str, ...]
    sentence: str

    def as_columns(self) -> tuple[str, ...]:
        """Return what ``--list-broken`` prints; the last column is the case made for it."""
        case = made_for().get(self.name, "-")
        return self.name, self.chapter, " ".join(self.rules), self.sentence, case


def broken(name: str) -> bool:
    """Tell if the server is to be broken in this way."""
    return name in _on


def turn_on(names: Iterable[str]) -> None:
    """Break the server in these ways, until the process ends."""
    _on.update(names)


@cache
def made_for() -> Mapping[str, str]:
    """Return the case of the suite that is made for each variant, as far as there is one."""
    found: dict[str, str] = tomllib.loads(MADE_FOR.read_text()) if MADE_FOR.exists() else {}
    return found


def _read(table: str) -> tuple[Variant, ...]:
    variants = []
    chapter = ""
    for row in table.strip().splitlines():
        if row.isupper():
            chapter = row
        elif row:
            name, rules, sentence = row.split(" | ")
            variants.append(Variant(name, chapter, tuple(rules.split()), sentence))
    return tuple(variants)


VARIANTS: Final = _read("""
CON
any-path | C-1 | The stream is served at any path.
plain-get-succeeds | C-1 | A plain GET of the stream's path is answered as a page.
client-id-unchecked | C-2 | A client_id may hold any characters.
client-id-of-any-length | C-2 | A client_id may be longer than 128 characters.
client-id-twice-accepted | C-2 | Of two client_ids the first is taken.
refusals-without-reason | C-2 S-9 | A refusal before the upgrade has no body.
made-up-ids-the-same | C-2 P-4 | Every client without a client_id gets the same one.
made-up-ids-guessable | C-2 | Ids that the server makes up are numbered.
quotes-before-welcome | C-3 | The restored quotes come before the welcome.
welcome-counts-none | C-3 | The welcome counts no restored subscriptions.
welcome-always-restored | C-3 | The welcome calls a new client restored.
welcome-lacks-hours | C-3 | The welcome has no market_hours.
welcome-lacks-instructions | C-3 | The welcome has no instructions.
welcome-time-in-utc | C-3 H-4 | The welcome tells the time of UTC.
epoch-the-same | C-3 M-3 | The epoch stays the same when the server starts again.
simulation-hidden | C-3 | The welcome does not say that the market is simulated.
takeover-keeps-both | C-4 | Two connections of one client_id stay open.
takeover-refused | C-4 | The newcomer of a client_id is refused, the older stays.
takeover-closes-1000 | C-4 C-8 | The older connection is closed as if nothing had happened.
takeover-untold | C-4 | The older connection is closed without an error message.
takeovers-without-end | C-4 | Two programs that share a client_id kick each other for ever.
heartbeat-ignored | C-5 | The heartbeat that a client asks for never comes.
heartbeats-while-open-alone | C-5 | Heartbeats stop while the market is closed.
never-pings | C-5 | The server sends no WebSocket pings.
shutdown-untold | C-6 | The server ends without server_shutdown.
shutdown-closes-1001 | C-6 C-8 | The server closes with 1001 when it ends, not with 1012.
ipv4-alone | C-7 | The server listens on 127.0.0.1 and not on ::1.
any-origin | C-7 | Pages of any web site may connect.
file-pages-refused | C-7 | Pages opened from a file may not connect.

SUB
token-echoed | S-1 | A stock asked for by token is named by the token.
token-named-without-exchange | S-1 | A stock asked for by token is named without its exchange.
bse-named-as-nse | S-1 | A reply names a stock of BSE as one of NSE.
ampersand-escaped | S-1 R-2 | M&M is named as HTML would spell it.
stocks-sorted-by-name | S-1 | A reply sorts the stocks instead of keeping the request's order.
total-of-the-request | S-1 | total_subscribed counts the stocks of the request alone.
failed-normalised | S-2 | failed_stocks gives the server's spelling, not the client's.
unknown-stocks-succeed | S-2 | A subscribe of unknown stocks alone is a success.
one-unknown-fails-all | S-2 | One unknown stock fails the whole request.
twice-listed-twice | S-3 | An instrument named twice in a request is listed twice.
subscribed-again-fails | S-3 | A stock that is subscribed already fails.
subscribed-again-moves-to-end | S-3 S-6 | Subscribing again moves a stock to the end.
subscribe-replaces | S-3 | A subscribe replaces what was subscribed before.
empty-subscribe-succeeds | S-5 | A subscribe without stocks succeeds.
exchange-unread | R-2 | The exchange before a symbol or token is not looked at.
exchange-unknown | R-2 | A stock with its exchange before it is unknown.
exchanges-share-a-symbol | R-2 | A share on NSE and the same on BSE are one subscription.
case-matters | R-2 | Symbols in small letters are unknown.
blanks-not-cut | R-2 | Blanks around a symbol make it unknown.
hyphen-begins-series | R-2 | BAJAJ-AUTO is taken for BAJAJ of a series AUTO.
integer-token-fails | R-2 | A token that is a JSON integer fails.
guide-tokens-unknown | R-3 | The guide's tokens 356, 424 and 492 are unknown.
index-aliases-unknown | R-9 | NIFTY and BANKNIFTY are unknown.
index-alias-echoed | R-9 | A reply names an index by its alias.
subscribe-refused-while-closed | S-10 | A subscribe while the market is closed is refused.
closed-market-untold | S-10 | The reply to a subscribe does not say that the market is closed.
snapshot-ignored | S-11 | A subscribe with snapshot gets no snapshots.

UNS
unsubscribe-keeps-data | M-2 | Quotes of an unsubscribed stock go on.
unsubscribe-misses-tokens | S-4 R-2 | An unsubscribe by token fails.
unsubscribe-finds-anything | S-4 | A stock that was not subscribed is told as unsubscribed.
unsubscribed-under-wrong-key | S-4 | The reply to an unsubscribe has subscribed_stocks.
unsubscribe-called-subscribe | S-4 | The reply to an unsubscribe names the action subscribe.
total-before-unsubscribe | S-4 | total_subscribed is that of before the unsubscribe.
empty-unsubscribe-clears | S-5 | An unsubscribe without stocks unsubscribes everything.
star-unknown | R-8 | An unsubscribe of * fails.
star-on-nothing-fails | R-8 | An unsubscribe of * with nothing subscribed is an error.

QRY
subscriptions-newest-first | S-6 | get_subscriptions lists the newest subscription first.
tokens-as-numbers | S-6 | get_subscriptions lists tokens as numbers.
alias-tokens-carried | R-3 S-6 | get_subscriptions lists the guide's wrong tokens.
symbols-beside-wrong-tokens | S-6 | Symbols of get_subscriptions stand beside others' tokens.
subscriptions-lack-exchanges | S-6 | get_subscriptions does not list the exchanges.
next-times-in-utc | S-7 H-4 | next_open and next_close are told in UTC.
status-lacks-timezone | S-7 | market_status has no timezone.
no-phase-pre-open | S-7 | The quarter of an hour before a session is called closed.
next-open-tomorrow | S-7 | next_open is tomorrow morning, weekend or not.
next-close-today | S-7 | next_close is today's, even if it is past.
upstream-always-connected | S-7 C-5 | upstream says connected while the feed is away.
pong-without-alive | S-8 | A pong has the status success.

MSG
request-id-lost | R-1 | A request_id does not come back.
request-id-as-text | R-1 | A request_id that is an integer comes back as a string.
replies-overtake | R-1 | Replies to later requests overtake that of a subscribe.
pongs-twice | R-1 | A ping gets two pongs.
pongs-conflated | R-1 M-5 | Of several pongs that wait for the socket one is sent.
client-id-untold | S-1 | Messages do not carry the client_id.
timestamps-in-seconds | S-1 | The timestamp of replies is in seconds.
envelope-out-of-order | S-1 | The keys of replies stand in another order.
error-without-message | S-9 | The error for a malformed request has no message.
error-without-code | S-9 | An error has no code.

DAT
quotes-of-others-leak | M-2 | A client gets the quotes of NSE that other clients subscribe.
quotes-before-reply | M-2 | A stock's first quote precedes the reply to its subscribe.
token-as-number | M-1 | The token of a quote is a number.
volume-as-text | M-1 | The volume of a quote is a string.
price-in-paise | M-1 | The price of a quote is in paise.
prices-in-single-precision | M-1 | Prices lose precision: 1371.8 becomes 1371.800048828125.
prev-close-invented | M-1 | An unknown prev_close is filled with the open.
average-volume-invented | M-1 | The unknown avg_volume_5d is filled with the day's volume.
data-key-missing | M-1 | The data of a quote lacks avg_volume_5d.
data-sorted-by-name | M-1 | The keys of a quote are sorted by name.
close-is-ltp | M-6 | close is the last price, not the previous close.
percent-rounded | M-6 | percent_change is rounded to two places.
percent-from-open | M-6 | percent_change counts from the open.
percent-null | M-6 M-1 | percent_change is null while the previous close is unknown.
day-high-is-ltp | M-6 | day_high repeats the last price, not the high.
year-high-flag-when-equal | M-7 | A price equal to the 52-week high counts as a new one.
year-high-flag-for-one-tick | M-7 | is_new_week_52_high is true for the tick that made it alone.
year-high-date-missing | M-7 | The date of a new 52-week high is not told.
year-low-flag-missing | M-7 | A new 52-week low is not noticed.
flags-outlive-the-day | M-7 | The 52-week flags stay for the days after.
exchange-time-lost | M-8 | data.timestamp is when the server processed the quote.
last-updated-in-utc | M-8 H-4 | last_updated is told in UTC.
wall-clock-leaks | M-8 | In a replay messages carry the time of the machine.
no-last-quote | M-4 | The last known quote does not follow a subscribe.
last-quote-of-any-day | M-4 | A quote of an earlier day passes for today's.
unchanged-updates-dropped | M-3 | An update that changes nothing is dropped.
seq-per-connection | M-3 | seq numbers the quotes of a connection.
seq-stands-still | M-3 | seq is always 1.
updates-out-of-order | M-3 | Updates of an instrument overtake each other.

PER
forgets-when-disconnected | P-1 | Subscriptions end with the connection.
forgets-when-dropped | P-1 | Subscriptions end with a connection that is dropped without a close.
forgets-when-taken-over | P-1 C-4 | A takeover begins with nothing subscribed.
forgets-when-left-while-closed | P-1 H-3 | Who leaves while the market is closed is forgotten.
restored-without-data | P-1 | The list is restored, but no data follow.
restored-sorted-by-name | P-1 | Restored subscriptions are sorted by name.
newcomer-loses-session | C-4 P-1 | The end of the older socket ends the newcomer's subscriptions.
exchange-not-stored | P-1 | After a restart a share of BSE comes back as that of NSE.
acknowledged-before-durable | P-2 | A subscribe is acknowledged seconds before it is stored.
unsubscribe-not-stored | P-3 | What was unsubscribed comes back after a restart.
client-ids-fold-case | P-4 C-2 | Client ids that differ in case share a session.
made-up-ids-not-kept | P-1 P-5 | A client with an id of the server's finds nothing again.
sessions-never-expire | P-5 | An unused session is kept for ever.
damaged-store-overwritten | P-6 | A session store that cannot be read is replaced by an empty one.

MKT
open-excludes-its-first-moment | H-1 | The first moment of a session is closed.
close-includes-its-moment | H-1 | The moment of the close is open.
opens-on-weekends | H-1 | The market opens on Saturdays and Sundays.
opens-on-holidays | H-1 | The market opens on holidays.
special-days-unknown | H-1 | Special sessions are unknown.
split-session-joined | H-1 | The market stays open through the pause of a split session.
one-quote-after-close | H-1 H-2 | One more quote comes after the close.
last-quote-while-closed | H-1 M-4 | A subscribe while closed is followed by the last quote.
no-notice-of-opening | H-2 | The opening is not told.
no-notice-of-closing | H-2 | The closing is not told.
notices-twice | H-2 | Opening and closing are told twice.
notice-after-first-quote | H-2 | The opening is told a second late, after the first quotes.
notice-at-each-connect | H-2 | Each client that connects is told that the market opened.
notices-to-subscribers-alone | H-2 | Clients without subscriptions are not told of open and close.
clients-dropped-at-close | H-3 | Connections end at the close.
subscriptions-dropped-at-close | H-3 | Subscriptions end at the close.
no-phase-holiday | S-7 | A day without a session is called closed, not holiday.
hours-text-fixed | S-7 | market_hours is the regular one on special days.
open-before-any-time | H-5 | The market is open before the feed has told a time.
no-phase-waiting | H-5 | Before the feed has told a time the phase is closed, not waiting.
deaf-while-closed | H-6 | The feed is not read while the market is closed.

ERR
bad-json-closes | R-4 | A frame that is no JSON ends the connection.
bad-json-unanswered | R-4 | A frame that is no JSON gets no error.
bad-json-ends-listening | R-4 | After a frame that is no JSON nothing is answered any more.
json-array-kills | R-4 | JSON that is no object ends the connection.
deep-nesting-kills | R-4 | Deeply nested JSON ends the connection.
binary-refused | R-4 | A binary frame ends the connection.
stocks-text-split | R-4 | A string for stocks is taken letter by letter.
wrong-item-fails-all | R-4 | An item of stocks of a wrong type fails the whole request.
unknown-action-unanswered | R-4 | An unknown action gets no error.
unknown-action-called-bad-json | S-9 | An unknown action gets the code invalid_json.
bad-request-clears-session | R-4 | A bad request loses the subscriptions.

LIM
oversize-accepted | R-5 | A message may have any size.
small-messages-alone | R-5 | A message of more than 8 KiB is too big.
stocks-without-limit | R-6 | A client may subscribe any number of stocks.
over-the-limit-nothing | R-6 | A request over the limit of subscriptions fails as a whole.
rate-without-limit | R-7 | A client may make any number of requests.
rate-limit-closes | R-7 | The first request over the rate ends the connection.
rate-abuse-tolerated | R-7 | A client that never stops asking is never closed.
rate-refuses-everybody | R-7 | While one client asks too much all are refused.
slow-client-delays-others | M-5 | A client that does not read holds up the others.
slow-client-gets-everything | M-5 | A slow client gets every update it missed, not the newest.
slow-client-keeps-the-oldest | M-5 | A slow client gets the oldest quote that waits, not the newest.
slow-client-never-closed | M-5 | A client that reads nothing is never closed.
replies-lost-when-slow | M-5 | Replies to a slow client are dropped.
delivery-all-conflated | M-5 | delivery all skips updates as well.

RES
feed-never-redialled | S-7 | A feed that was lost is never dialled again.
feed-not-asked-again | M-2 | After a feed comes back nothing is subscribed there.
feed-loss-drops-clients | H-3 | Clients are closed when the feed is lost.
seq-restarts-with-the-feed | M-3 | seq begins again when the feed comes back.
state-counts-as-update | M-9 | The unchanged state from a returning feed is told as an update.

WS
websocket-pings-unanswered | C-1 | WebSocket pings get no pong.
fragments-refused | C-1 | A message in fragments ends the connection.
binary-answered-in-binary | C-1 | After a binary frame the server answers in binary frames.
close-unanswered | C-1 | A close frame is not answered.
""")
"""Every way, chapter by chapter."""

NAMES: Final = frozenset(variant.name for variant in VARIANTS)
