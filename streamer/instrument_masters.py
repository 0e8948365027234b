"""
The lists of instruments that exchanges and brokers publish, each told by its header.

A :class:`Master` says by which columns a list is recognised and what one of its
rows is: an instrument, details of one whose token another list must give, or a
row that is passed over for a reason. Their traps are dealt with here: brokers'
numbers that are not the exchange's, steps told in paise, series that hang on a
symbol. Nothing is read from disk here; that is `streamer.instrument_sources`.

Layouts: NSE and BSE UDiFF circulars of 2024, NSE's MII security file, and the
brokers' public descriptions; docs/instruments.md names the traps of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from streamer.instrument_rows import EXCHANGES, Row
from streamer.instruments import SEGMENTS, Exchange, Instrument, InstrumentTable

ANOTHER_MARKET: Final = "of another market"
DELETED: Final = "deleted by the exchange"
NO_INDEX_TOKEN: Final = "an index in the broker's own numbering, none that we know"


class Passed(msgspec.Struct, frozen=True):
    """A sound row that is no instrument for us, and why."""

    reason: str


class Details(msgspec.Struct, frozen=True):
    """What a list without tokens tells of an NSE symbol in a series."""

    symbol: str
    series: str
    name: str
    isin: str
    lot: int


Reading = Instrument | Details | Passed


class Master(msgspec.Struct, frozen=True):
    """
    One kind of list.

    Args:
        name: For programs.
        title: For people.
        columns: Those that it is recognised by; it has others too.
        read: Returns what a row is, given the row and the indices that are
            known; raises InstrumentError if a value is unusable.
        optional: Columns that are read but may be missing.
        is_json: Whether it is an array of objects instead of lines.

    """

    name: str
    title: str
    columns: tuple[str, ...]
    read: Callable[[Row, InstrumentTable], Reading]
    optional: tuple[str, ...] = ()
    is_json: bool = False

    def fits(self, header: Collection[str]) -> bool:
        """Return whether a header is that of such a list."""
        return set(self.columns) <= set(header)


def recognise(header: Collection[str], *, is_json: bool) -> Master | None:
    """Return the kind of list that has this header; None if it is none of ours."""
    fitting = (each for each in MASTERS if each.is_json is is_json and each.fits(header))
    return next(fitting, None)


# Brokers hang the series on the symbol. What looks like one but is part of a
# name (the RE of a rights entitlement, HCL-INSYS) must stay: only these go.
_SERIES_SUFFIX: Final = re.compile(
    r"(?P<symbol>.+)-(?P<series>EQ|BE|BZ|SM|ST|SZ|IV|RR|GB|GS|SG|TB|MF|[A-Z][0-9]|[NYZ][A-Z])"
)


def _split_series(trading_symbol: str) -> tuple[str, str]:
    """Return the symbol and the series of NSE's market; EQ where none is told."""
    found = _SERIES_SUFFIX.fullmatch(trading_symbol)
    return (found["symbol"], found["series"]) if found else (trading_symbol, "EQ")


def _numbered_index(exchange: Exchange, token: int, symbol: str, known: InstrumentTable) -> Reading:
    """Return an index of the exchange's own number, under the exchange's name where we know it."""
    found = known.get((SEGMENTS[exchange], token))
    if found is not None and found.kind == "index":
        return found
    return Instrument(
        segment=SEGMENTS[exchange],
        token=token,
        symbol=symbol.upper(),
        exchange=exchange,
        series="INDEX",
        name=symbol,
        kind="index",
    )


def _named_index(exchange: Exchange, known: InstrumentTable, *names: str) -> Reading:
    """Return the index of a name: brokers number indices in ways of their own."""
    for name in names:
        found = known.resolve(f"{exchange}:{name}")
        if found is not None and found.kind == "index":
            return found
    return Passed(NO_INDEX_TOKEN)


def _share(
    exchange: Exchange,
    token: int,
    symbol: str,
    series: str,
    *,
    name: str = "",
    isin: str = "",
    lot: int = 1,
    tick: int = 0,
) -> Instrument:
    return Instrument(
        segment=SEGMENTS[exchange],
        token=token,
        symbol=symbol,
        exchange=exchange,
        series=series,
        name=" ".join(name.split()),
        isin=isin,
        lot=lot,
        tick=tick,
    )


def _read_udiff(row: Row, known: InstrumentTable) -> Reading:
    if row.cells["Sgmt"] != "CM" or row.cells["FinInstrmTp"] != "STK":
        return Passed(ANOTHER_MARKET)
    return _share(
        row.choose("Src", EXCHANGES),
        row.token("FinInstrmId"),
        row.symbol("TckrSymb"),
        row.series("SctySrs"),
        name=row.cells["FinInstrmNm"],
        isin=row.isin("ISIN"),
        lot=row.lot("NewBrdLotQty"),
    )


def _read_nse_mii(row: Row, known: InstrumentTable) -> Reading:
    # BSE has a file with these columns too, whose steps are in rupees.
    if row.cells["Xchg"] not in ("", "NSE"):
        row.refuse("Xchg", "it is another exchange's", "NSE")
    if row.cells["DelFlg"] == "Y":
        return Passed(DELETED)
    return _share(
        "NSE",
        row.token("FinInstrmId"),
        row.symbol("TckrSymb"),
        row.series("SctySrs"),
        name=row.cells["FinInstrmNm"],
        isin=row.isin("ISIN"),
        lot=row.lot("NewBrdLotQty"),
        tick=row.tick_in_paise("BidIntrvl"),
    )


def _read_equity_l(row: Row, known: InstrumentTable) -> Reading:
    return Details(
        symbol=row.symbol("SYMBOL"),
        series=row.series("SERIES"),
        name=" ".join(row.cells["NAME OF COMPANY"].split()),
        isin=row.isin("ISIN NUMBER"),
        lot=row.lot("MARKET LOT"),
    )


_ANGEL_INDEX: Final = re.compile(r"999(?=0*[1-9])[0-9]{4,6}")


def _read_angel(row: Row, known: InstrumentTable) -> Reading:
    exchange = EXCHANGES.get(row.cells["exch_seg"])
    kind = row.cells["instrumenttype"]
    if exchange is None or kind not in ("", "AMXIDX"):
        return Passed(ANOTHER_MARKET)
    if kind == "AMXIDX":
        # 99926000 is NSE's 26000, 99919000 BSE's 19000.
        marked = row.match("token", _ANGEL_INDEX, "999 and the exchange's number, as 99926000")
        return _numbered_index(exchange, int(marked[3:]), row.symbol("symbol"), known)
    symbol, series = row.symbol("symbol"), ""
    if exchange == "NSE":
        symbol, series = _split_series(symbol)
    return _share(
        exchange,
        row.token("token"),
        symbol,
        series,
        lot=row.lot("lotsize"),
        tick=row.tick_in_paise("tick_size"),
    )


_KITE_MARKETS: Final = {"NSE": 1, "BSE": 4}
_KITE_INDEX: Final = 9


def _read_kite(row: Row, known: InstrumentTable) -> Reading:
    exchange = EXCHANGES.get(row.cells["exchange"])
    segment = row.cells["segment"]
    if exchange is None or segment not in (exchange, "INDICES"):
        return Passed(ANOTHER_MARKET)
    token, market = divmod(row.token("instrument_token"), 256)
    if segment == "INDICES":
        # 256265 is 1001 * 256 + 9, and 1001 is no number of NSE's: NIFTY 50 is 26000 there.
        if market != _KITE_INDEX:
            row.refuse("instrument_token", f"its last byte is {market}", "9, that of an index")
        return _named_index(exchange, known, row.cells["tradingsymbol"], row.cells["name"])
    if market != _KITE_MARKETS[exchange]:
        row.refuse(
            "instrument_token",
            f"its last byte is {market}",
            f"{_KITE_MARKETS[exchange]}, that of {exchange}",
        )
    if token != row.token("exchange_token"):
        row.refuse(
            "exchange_token", "it does not belong to the instrument_token", f"{token}, its rest"
        )
    symbol, series = row.symbol("tradingsymbol"), ""
    if exchange == "NSE":
        symbol, series = _split_series(symbol)
    return _share(
        exchange,
        token,
        symbol,
        series,
        name=row.cells["name"],
        lot=row.lot("lot_size"),
        tick=row.tick_in_rupees("tick_size"),
    )


def _read_upstox(row: Row, known: InstrumentTable) -> Reading:
    exchange, _, market = row.cells["segment"].partition("_")
    if exchange not in EXCHANGES or market not in ("EQ", "INDEX"):
        return Passed(ANOTHER_MARKET)
    if market == "INDEX":
        return _named_index(
            EXCHANGES[exchange], known, row.cells["trading_symbol"], row.cells["name"]
        )
    return _share(
        EXCHANGES[exchange],
        row.token("exchange_token"),
        row.symbol("trading_symbol"),
        row.series("instrument_type"),
        name=row.cells["name"],
        isin=row.isin("isin"),
        lot=row.lot("lot_size"),
        tick=row.tick_in_paise("tick_size"),
    )


def _read_dhan(row: Row, known: InstrumentTable) -> Reading:
    exchange = EXCHANGES.get(row.cells["SEM_EXM_EXCH_ID"])
    market = row.cells["SEM_SEGMENT"]
    if exchange is None or market not in ("E", "I"):
        return Passed(ANOTHER_MARKET)
    if market == "I":
        # NIFTY is 13 there, which NSE gave to a share.
        return _named_index(
            exchange, known, row.cells["SEM_TRADING_SYMBOL"], row.cells["SEM_CUSTOM_SYMBOL"]
        )
    return _share(
        exchange,
        row.token("SEM_SMST_SECURITY_ID"),
        row.symbol("SEM_TRADING_SYMBOL"),
        row.series("SEM_SERIES"),
        name=row.cells["SM_SYMBOL_NAME"],
        lot=row.lot("SEM_LOT_UNITS"),
        tick=row.tick_in_paise("SEM_TICK_SIZE"),
    )


def _read_shoonya(row: Row, known: InstrumentTable) -> Reading:
    exchange = EXCHANGES.get(row.cells["Exchange"])
    if exchange is None:
        return Passed(ANOTHER_MARKET)
    if row.cells["Instrument"] == "INDEX":
        return _numbered_index(exchange, row.token("Token"), row.symbol("Symbol"), known)
    return _share(
        exchange,
        row.token("Token"),
        row.symbol("Symbol"),
        row.series("Instrument"),
        lot=row.lot("LotSize"),
        tick=row.tick_in_rupees("TickSize"),
    )


MASTERS: Final = (
    Master(
        "udiff",
        "UDiFF bhavcopy of NSE or BSE",
        ("TradDt", "Sgmt", "Src", "FinInstrmTp", "FinInstrmId", "ISIN", "TckrSymb", "SctySrs"),
        _read_udiff,
        ("FinInstrmNm", "NewBrdLotQty"),
    ),
    Master(
        "nse-mii",
        "MII security file of NSE",
        ("FinInstrmId", "TckrSymb", "SctySrs", "BidIntrvl"),
        _read_nse_mii,
        ("FinInstrmNm", "ISIN", "NewBrdLotQty", "DelFlg", "Xchg"),
    ),
    Master(
        "equity-l",
        "EQUITY_L.csv of NSE",
        ("SYMBOL", "NAME OF COMPANY", "SERIES", "MARKET LOT", "ISIN NUMBER"),
        _read_equity_l,
    ),
    Master(
        "angel",
        "scrip master of Angel",
        ("token", "symbol", "instrumenttype", "exch_seg", "lotsize", "tick_size"),
        _read_angel,
        is_json=True,
    ),
    Master(
        "kite",
        "instruments of Kite",
        (
            "instrument_token",
            "exchange_token",
            "tradingsymbol",
            "tick_size",
            "lot_size",
            "segment",
            "exchange",
        ),
        _read_kite,
        ("name",),
    ),
    Master(
        "upstox",
        "instruments of Upstox",
        ("segment", "instrument_key", "trading_symbol"),
        _read_upstox,
        ("exchange_token", "instrument_type", "name", "isin", "lot_size", "tick_size"),
        is_json=True,
    ),
    Master(
        "dhan",
        "scrip master of Dhan",
        (
            "SEM_EXM_EXCH_ID",
            "SEM_SEGMENT",
            "SEM_SMST_SECURITY_ID",
            "SEM_TRADING_SYMBOL",
            "SEM_SERIES",
        ),
        _read_dhan,
        ("SEM_LOT_UNITS", "SEM_CUSTOM_SYMBOL", "SEM_TICK_SIZE", "SM_SYMBOL_NAME"),
    ),
    Master(
        "shoonya",
        "symbols of Shoonya",
        ("Exchange", "Token", "LotSize", "Symbol", "TradingSymbol", "Instrument", "TickSize"),
        _read_shoonya,
    ),
)
"""Every kind of list, in the order in which a header is compared with them."""
