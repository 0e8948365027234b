"""Small lists of instruments in the shape of the exchanges' and brokers' own, made by hand."""

from __future__ import annotations

import json

from streamer.instruments import Instrument

ALPHA_ISIN, BETA_ISIN = "INE000A01001", "INE000B01009"

UDIFF_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,"
    "FininstrmActlXpryDt,StrkPric,OptnTp,FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,"
    "PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,TtlTradgVol,TtlTrfVal,"
    "TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4"
)
_DAY = ",,,,,{name},100,110,90,105,105,99,,105,,,1000,105000,10,F1,{lot},,,,,"


def udiff_row(
    src: str,
    token: object,
    symbol: str,
    series: str,
    isin: str = "",
    lot: int = 1,
    kind: str = "STK",
) -> str:
    """Return a line of a UDiFF bhavcopy."""
    segment = "CM" if kind == "STK" else "FO"
    rest = _DAY.format(name=f"{symbol} LIMITED", lot=lot)
    return f"2026-11-20,2026-11-20,{segment},{src},{kind},{token},{isin},{symbol},{series}{rest}"


UDIFF_NSE = "\n".join(
    [
        UDIFF_HEADER,
        udiff_row("NSE", 101, "ALPHA", "EQ", ALPHA_ISIN),
        udiff_row("NSE", 102, "A&B-C", "EQ", BETA_ISIN),
        udiff_row("NSE", 103, "SMALLCO", "SM", "", 1200),
        udiff_row("NSE", 9001, "ALPHA", "XX", kind="STF"),
        "",
    ]
)
UDIFF_BSE = "\n".join([UDIFF_HEADER, udiff_row("BSE", 590001, "ALPHA", "A", ALPHA_ISIN), ""])

MII = """\
FinInstrmId,TckrSymb,SctySrs,FinInstrmNm,ISIN,NewBrdLotQty,ParVal,SctyTpFlg,BidIntrvl,DelFlg
101,ALPHA,EQ,ALPHA LIMITED,INE000A01001,1,1000,0,5,N
102,A&B-C,EQ,A AND B LIMITED,INE000B01009,1,1000,0,10,N
104,GONE,EQ,GONE LIMITED,INE000C01007,1,1000,0,5,Y
"""

EQUITY_L = """\
SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER, FACE VALUE
ALPHA,Alpha Limited,EQ,06-OCT-2008,5,1,INE000A01001,5
A&B-C,A & B Limited,EQ,06-OCT-2008,5,1,INE000B01009,5
"""

ANGEL = json.dumps(
    [
        {
            "token": token,
            "symbol": symbol,
            "name": name,
            "expiry": "",
            "strike": "-1.000000",
            "lotsize": lot,
            "instrumenttype": kind,
            "exch_seg": market,
            "tick_size": tick,
        }
        for token, symbol, name, lot, kind, market, tick in (
            ("101", "ALPHA-EQ", "ALPHA", "1", "", "NSE", "5.000000"),
            ("102", "A&B-C-EQ", "A&B-C", "1", "", "NSE", "10.000000"),
            ("103", "SMALLCO-SM", "SMALLCO", "1200", "", "NSE", "5.000000"),
            ("590001", "ALPHA", "ALPHA", "1", "", "BSE", "5.000000"),
            ("99926000", "Nifty 50", "NIFTY", "1", "AMXIDX", "NSE", "0.000000"),
            ("99919000", "SENSEX", "SENSEX", "1", "AMXIDX", "BSE", "0.000000"),
            ("45678", "ALPHA26NOVFUT", "ALPHA", "500", "FUTSTK", "NFO", "5.000000"),
        )
    ]
)

KITE = """\
instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,segment,exchange
25857,101,ALPHA,ALPHA,0,,0,0.05,1,EQ,NSE,NSE
26113,102,A&B-C,A AND B,0,,0,0.1,1,EQ,NSE,NSE
26369,103,SMALLCO-SM,SMALLCO,0,,0,0.05,1200,EQ,NSE,NSE
151040260,590001,ALPHA,ALPHA,0,,0,0.05,1,EQ,BSE,BSE
256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE
265,1,SENSEX,SENSEX,0,,0,0,0,EQ,INDICES,BSE
999945,3906,NIFTY UNHEARD OF,,0,,0,0,0,EQ,INDICES,NSE
11693826,45678,ALPHA26NOVFUT,ALPHA,0,2026-11-24,0,0.1,500,FUT,NFO-FUT,NFO
"""

UPSTOX = json.dumps(
    [
        {
            "segment": "NSE_EQ",
            "name": "ALPHA LIMITED",
            "exchange": "NSE",
            "isin": ALPHA_ISIN,
            "instrument_type": "EQ",
            "instrument_key": f"NSE_EQ|{ALPHA_ISIN}",
            "lot_size": 1,
            "freeze_quantity": 100000.0,
            "exchange_token": "101",
            "tick_size": 5.0,
            "trading_symbol": "ALPHA",
            "short_name": "Alpha",
        },
        {
            "segment": "BSE_EQ",
            "name": "ALPHA LIMITED",
            "exchange": "BSE",
            "isin": ALPHA_ISIN,
            "instrument_type": "A",
            "instrument_key": f"BSE_EQ|{ALPHA_ISIN}",
            "lot_size": 1,
            "exchange_token": "590001",
            "tick_size": 5.0,
            "trading_symbol": "ALPHA",
        },
        {
            "segment": "NSE_INDEX",
            "name": "Nifty 50",
            "exchange": "NSE",
            "instrument_type": "INDEX",
            "instrument_key": "NSE_INDEX|Nifty 50",
            "exchange_token": "1001",
            "trading_symbol": "NIFTY",
        },
        {
            "segment": "NSE_FO",
            "instrument_key": "NSE_FO|45678",
            "trading_symbol": "ALPHA FUT 24 NOV 26",
            "expiry": 1795545000000,
        },
    ]
)

DHAN = """\
SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME
NSE,E,101,EQUITY,0,ALPHA,1.0,Alpha,,,,5.0000,NA,ES,EQ,ALPHA LIMITED
NSE,E,102,EQUITY,0,A&B-C,1.0,A and B,,,,10.0000,NA,ES,EQ,A AND B LIMITED
BSE,E,590001,EQUITY,0,ALPHA,1.0,Alpha,,,,5.0000,NA,ES,A,ALPHA LIMITED
NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500,,INDEX,X,NIFTY
NSE,D,45678,FUTSTK,0,ALPHA-Nov2026-FUT,500.0,NOV FUT,2026-11-24 14:30:00,,XX,10.0000,M,FUT,,ALPHA
NSE,C,101,OPTCUR,0,EURINR-CE,1.0,x,2026-11-24,102.75,CE,0.2500,W,CUR,,
"""

SHOONYA = """\
Exchange,Token,LotSize,Symbol,TradingSymbol,Instrument,TickSize,
NSE,26000,1,Nifty 50,NIFTY INDEX,INDEX,0,
NSE,101,1,ALPHA,ALPHA-EQ,EQ,0.05,
NSE,102,1,A&B-C,A&B-C-EQ,EQ,0.10,
BSE,590001,1,ALPHA,ALPHA,A,0.05,
NFO,45678,500,ALPHA,ALPHA24NOV26F,FUTSTK,0.05,
"""

OWN = """\
exchange,token,symbol,series,name,isin,lot,tick
# ours
NSE,101,ALPHA,EQ,Alpha Limited,INE000A01001,1,0.05
BSE,590001,ALPHA,A,Alpha Limited,,1,
"""

EVERY_KIND = {
    "udiff": UDIFF_NSE,
    "nse-mii": MII,
    "angel": ANGEL,
    "kite": KITE,
    "upstox": UPSTOX,
    "dhan": DHAN,
    "shoonya": SHOONYA,
    "own": OWN,
}
"""A list of each kind that has tokens; each has ALPHA of series EQ, NSE's 101."""

ALPHA = Instrument(1, 101, "ALPHA", "NSE", "EQ", "ALPHA LIMITED", ALPHA_ISIN, 1, 5)
