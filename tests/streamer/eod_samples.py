"""Small end-of-day files of the exchanges' shapes, with made-up or hand-copied figures."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "realdata"
REAL_EOD = Path(os.environ.get("ODIN_REALDATA", _SHARED)) / "eod"
"""Real files of 2025-12-17, on the machines that have them."""

Prices = tuple[float, float, float, float, int]
"""Open, high, low, close, volume."""

YearRange = tuple[str, str, str, str]
"""High and its day, low and its day, as NSE writes them."""

FULL_HEADER = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, "
    "CLOSE_PRICE, AVG_PRICE, TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER"
)
UDIFF_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,"
    "FininstrmActlXpryDt,StrkPric,OptnTp,FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,"
    "PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,TtlTradgVol,TtlTrfVal,"
    "TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4"
)
PD_HEADER = (
    "MKT,SERIES,SYMBOL,SECURITY,PREV_CL_PR,OPEN_PRICE,HIGH_PRICE,LOW_PRICE,CLOSE_PRICE,"
    "NET_TRDVAL,NET_TRDQTY,IND_SEC,CORP_IND,TRADES,HI_52_WK,LO_52_WK"
)
BC_HEADER = (
    "SERIES,SYMBOL,SECURITY,RECORD_DT,BC_STRT_DT,BC_END_DT,EX_DT,ND_STRT_DT,ND_END_DT,PURPOSE"
)


def full(day: date, rows: Mapping[str, Prices], *, series: str = "EQ") -> bytes:
    """Return a ``sec_bhavdata_full``: a blank after each comma, missing deliveries as ``-``."""
    lines = [FULL_HEADER]
    for symbol, (first, high, low, close, volume) in rows.items():
        figures = f"{first:.2f}, {high:.2f}, {low:.2f}, {close:.2f}, {close:.2f}, {close:.2f}"
        lines.append(
            f"{symbol}, {series}, {day:%d-%b-%Y}, {first:.2f}, {figures}, {volume}, 1.00, 7, -, -"
        )
    return _text(lines)


def udiff(
    day: date, rows: Mapping[tuple[str, str, int, str], Prices], *, exchange: str = "NSE"
) -> bytes:
    """Return a UDiFF bhavcopy; a row is named by symbol, series, token and ISIN."""
    lines = [UDIFF_HEADER]
    for (symbol, series, token, isin), (first, high, low, close, volume) in rows.items():
        lines.append(
            f"{day},{day},CM,{exchange},STK,{token},{isin},{symbol},{series},,,,,{symbol} LTD,"
            f"{first:.2f},{high:.2f},{low:.2f},{close:.2f},{close:.2f},{first:.2f},,{close:.2f},,,"
            f"{volume},1.00,7,F1,1,,,,,"
        )
    return _text(lines)


def nse_legacy(day: date, rows: Mapping[str, Prices]) -> bytes:
    """Return the bhavcopy that NSE published until July 2024, with its empty last column."""
    lines = [
        "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,"
        "TOTALTRADES,ISIN,"
    ]
    for symbol, (first, high, low, close, volume) in rows.items():
        stamp = f"{day:%d-%b-%Y}".upper()
        lines.append(
            f"{symbol},EQ,{first},{high},{low},{close},{close},{first},{volume},1.5,{stamp},7,"
            "INE000A01010,"
        )
    return _text(lines)


def bse_legacy(day: date, rows: Mapping[tuple[int, str], Prices], *, dated: bool = True) -> bytes:
    """Return the bhavcopy that BSE published until July 2024; the older form has no date."""
    more = ",ISIN_CODE,TRADING_DATE,FILLER2,FILLER3" if dated else ""
    lines = [
        "SC_CODE,SC_NAME,SC_GROUP,SC_TYPE,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,NO_TRADES,"
        f"NO_OF_SHRS,NET_TURNOV,TDCLOINDI{more}"
    ]
    for (token, name), (first, high, low, close, volume) in rows.items():
        tail = f",INE000A01010,{day:%d-%b-%Y},," if dated else ""
        lines.append(
            f"{token},{name:<12},A ,Q,{first},{high},{low},{close},{close},{first},7,{volume},"
            f"1.50,{tail}"
        )
    return _text(lines)


def year_ranges(day: date, rows: Mapping[str, YearRange], *, series: str = "EQ") -> bytes:
    """Return a ``CM_52_wk_High_low``: two lines of words, all quoted, numbers padded."""
    lines = [
        '"Disclaimer - adjusted for corporate actions (bonus, splits & rights)."',
        f'"Effective for {day:%d-%b-%Y}"',
        '"SYMBOL","SERIES","Adjusted_52_Week_High","52_Week_High_Date",'
        '"Adjusted_52_Week_Low","52_Week_Low_DT"',
    ]
    lines += [
        f'"{symbol}","{series}","{high:>11}","{high_on}","{low:>11}","{low_on}"'
        for symbol, (high, high_on, low, low_on) in rows.items()
    ]
    return _text(lines)


def pd_file(
    rows: Mapping[str, tuple[Prices, float, float]],
    indices: Mapping[str, tuple[Prices, float, float]] | None = None,
) -> bytes:
    """Return a ``pd``, which has no date inside; each row with its unadjusted range."""
    lines = [PD_HEADER]
    for name, (prices, high, low) in (indices or {}).items():
        lines.append(f"Y, , ,{name},{_pd_figures(prices)},Y, ,0,{high},{low}")
    lines.append(" , , ,NIFTY 50 Sec, , , , , , , , , , , , ")
    for symbol, (prices, high, low) in rows.items():
        figures = _pd_figures(prices)
        lines.append(f"N,EQ,{symbol},{symbol} LTD,{figures},N, ,7,{high:>13.2f},{low:>13.2f}")
        lines.append(f"N,N1,{symbol},{symbol} DEBT,{figures},N, ,7,{high:>13.2f},{low:>13.2f}")
    return _text(lines)


def bc(rows: Sequence[tuple[str, date | None, str]], *, series: Sequence[str] = ("EQ",)) -> bytes:
    """Return a ``bc``, which has no date of its own: symbol, ex-date and purpose of each row."""
    lines = [BC_HEADER]
    for symbol, ex_date, purpose in rows:
        lines += [
            f"{each},{symbol},{symbol} LTD,{ex_date or ''},,,{ex_date or ''},,,{purpose}"
            for each in series
        ]
    return _text(lines)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def gzipped(content: bytes) -> bytes:
    """Return gzip of a file."""
    return gzip.compress(content)


def _pd_figures(prices: Prices) -> str:
    first, high, low, close, volume = prices
    cells = [f"{each:>13}" for each in (first, first, high, low, close)]
    return ",".join([*cells, "1.50", str(volume)])


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
