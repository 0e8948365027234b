"""The stocks and indices that the reference server knows, and the words that mean them (R-2)."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.conformance.reference.breaks import broken

SEGMENTS: Final = {"NSE": 1, "BSE": 3}
MAX_TOKEN: Final = 10**12
MAX_NAME: Final = 64

Key = tuple[int, int]

_STOCKS: Final = """
SBIN 3045 500112, RELIANCE 2885 500325, TCS 11536 532540, INFY 1594 500209, HDFCBANK 1333 500180,
BHARTIARTL 10604 532454, ICICIBANK 4963 532174, HINDUNILVR 1394 500696, ITC 1660 500875,
KOTAKBANK 1922 500247, M&M 2031 500520, BAJAJ-AUTO 16669 532977, AXISBANK 5900 532215,
LT 11483 500510, MARUTI 10999 532500, WIPRO 3787 507685, ADANIENT 25 512599, TITAN 3506 500114
"""
_INDICES: Final = {26000: "NIFTY 50", 26009: "NIFTY BANK", 26017: "INDIA VIX"}
_INDEX_ALIASES: Final = {
    "NIFTY": "NIFTY 50",
    "NIFTY50": "NIFTY 50",
    "BANKNIFTY": "NIFTY BANK",
    "NIFTYBANK": "NIFTY BANK",
    "INDIAVIX": "INDIA VIX",
}
GUIDE_ALIASES: Final = {"356": "1394", "424": "1660", "492": "1922"}


class Instrument(NamedTuple):
    """One share or index on one exchange."""

    exchange: str
    token: int
    symbol: str

    @property
    def key(self) -> Key:
        """What tells it apart: market segment and token, never the token alone."""
        return (SEGMENTS[self.exchange], self.token)


def _read_table() -> dict[tuple[int, int], Instrument]:
    found = []
    for row in _STOCKS.split(","):
        symbol, nse, bse = row.split()
        found += [Instrument("NSE", int(nse), symbol), Instrument("BSE", int(bse), symbol)]
    found += [Instrument("NSE", token, name) for token, name in _INDICES.items()]
    found.append(Instrument("BSE", 19000, "SENSEX"))
    return {(SEGMENTS[one.exchange], one.token): one for one in found}


TABLE: Final = _read_table()
"""Every instrument by market segment and token, as the feed names them."""


def _read_words() -> dict[str, Instrument]:
    words: dict[str, Instrument] = {}
    for one in sorted(TABLE.values(), key=lambda one: one.exchange != "NSE"):
        series = "" if one.token in _INDICES else "-EQ"
        for word in (str(one.token), one.symbol, one.symbol + series):
            words.setdefault(word, one)
            words.setdefault(f"{one.exchange}:{word}", one)
    if not broken("index-aliases-unknown"):
        words.update({alias: words[name] for alias, name in _INDEX_ALIASES.items()})
    if not broken("guide-tokens-unknown"):
        words.update({alias: words[token] for alias, token in GUIDE_ALIASES.items()})
    return words


_words: dict[str, Instrument] = {}


def find(item: object) -> Instrument | None:
    """Return what an item of ``stocks`` means, None if nothing; any JSON value is allowed."""
    if not _words:
        _words.update(_read_words())
    if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < MAX_TOKEN:
        item = "" if broken("integer-token-fails") else str(item)
    if not isinstance(item, str) or len(item) > MAX_NAME or not item.isascii():
        return None
    word = item if broken("blanks-not-cut") else " ".join(item.split())
    word = word if broken("case-matters") else word.upper()
    if broken("hyphen-begins-series"):
        word = word.partition("-")[0]
    exchange, colon, name = (part.strip() for part in word.partition(":"))
    if colon and broken("exchange-unread"):
        word = name
    elif colon and broken("exchange-unknown"):
        return None
    elif colon:
        word = f"{name}:{exchange}" if name in SEGMENTS else f"{exchange}:{name}"
    return _words.get(word)


def spoken(item: object, instrument: Instrument) -> str:
    """Return how a reply names ``instrument`` to a client that asked for ``item`` (S-1)."""
    text = str(item)
    if broken("index-alias-echoed") and text.strip().upper() in _INDEX_ALIASES:
        return text.strip().upper()
    symbol = instrument.symbol
    if broken("ampersand-escaped"):
        symbol = symbol.replace("&", "&amp;")
    if ":" not in text and not text.strip().isdigit():
        return symbol
    if broken("token-echoed"):
        return text.strip()
    if broken("token-named-without-exchange"):
        return symbol
    exchange = "NSE" if broken("bse-named-as-nse") else instrument.exchange
    return f"{symbol} ({exchange})"
