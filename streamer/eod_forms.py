"""
The kinds of end-of-day files: the header by which each is known, and how it is read.

``sec_bhavdata_full``, the UDiFF and the older bhavcopies of NSE and BSE,
``CM_52_wk_High_low``, and of NSE's PR archive ``pd`` and ``bc``. The date comes
from inside the file; from its name only where the exchange wrote it nowhere
else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

import msgspec

from streamer.eod_table import (
    ActionRow,
    EodFile,
    RangeRow,
    Table,
    base_name,
    parse_date,
)
from streamer.errors import EodError
from streamer.instruments import Exchange

SERIES: Final = ("EQ", "BE", "BZ", "SM", "ST")
"""NSE's series of shares, the preferred first; debt, warrants and the like are left out."""

INDEX_SERIES: Final = "INDEX"

_EFFECTIVE: Final = re.compile(r"Effective for\s+(\S+?)\"?\s*$", re.IGNORECASE | re.MULTILINE)
_NAME_DATE: Final = re.compile(r"(?<!\d)(\d{2})(\d{2})(\d{4}|\d{2})(?!\d)")


class Form(msgspec.Struct, frozen=True):
    """A kind of file: the columns by which it is known, and how it is read."""

    name: str
    columns: tuple[str, ...]
    read: Callable[[Table], EodFile]


def _full(table: Table) -> EodFile:
    bars = tuple(
        row.bar(
            row.required("SYMBOL"),
            row.text("SERIES"),
            ("OPEN_PRICE", "HIGH_PRICE", "LOW_PRICE", "CLOSE_PRICE", "TTL_TRD_QNTY"),
        )
        for row in table.each()
        if row.text("SERIES") in SERIES
    )
    return EodFile("sec_bhavdata_full", "NSE", _one_date(table, "DATE1"), "", "", bars=bars)


def _udiff(table: Table) -> EodFile:
    exchange = _exchange(table)
    bars = []
    for row in table.each():
        if row.text("Sgmt") != "CM":
            row.refuse("Sgmt", "it is another market", "CM, the cash market")
        if row.text("FinInstrmTp") != "STK":
            continue
        series = row.text("SctySrs")
        if exchange == "NSE" and series not in SERIES:
            continue
        bars.append(
            row.bar(
                row.required("TckrSymb"),
                series,
                ("OpnPric", "HghPric", "LwPric", "ClsPric", "TtlTradgVol"),
                token=row.quantity("FinInstrmId"),
                isin=row.text("ISIN"),
            )
        )
    return EodFile("udiff", exchange, _one_date(table, "TradDt"), "", "", bars=tuple(bars))


def _exchange(table: Table) -> Exchange:
    rows = table.each()
    first = next(rows, None)
    source = "" if first is None else first.text("Src")
    exchange: Exchange = "BSE" if source == "BSE" else "NSE"
    if first is not None and source not in ("NSE", "BSE"):
        first.refuse("Src", "it is unknown", "NSE or BSE")
    for row in rows:
        if row.text("Src") != source:
            row.refuse("Src", "it is another exchange than above", source)
    return exchange


def _nse_legacy(table: Table) -> EodFile:
    bars = tuple(
        row.bar(
            row.required("SYMBOL"),
            row.text("SERIES"),
            ("OPEN", "HIGH", "LOW", "CLOSE", "TOTTRDQTY"),
        )
        for row in table.each()
        if row.text("SERIES") in SERIES
    )
    return EodFile("bhavcopy", "NSE", _one_date(table, "TIMESTAMP"), "", "", bars=bars)


def _bse_legacy(table: Table) -> EodFile:
    bars = tuple(
        row.bar(
            row.required("SC_NAME"),
            row.text("SC_GROUP"),
            ("OPEN", "HIGH", "LOW", "CLOSE", "NO_OF_SHRS"),
            token=row.quantity("SC_CODE"),
        )
        for row in table.each()
        if row.text("SC_TYPE") == "Q"
    )
    dated = "TRADING_DATE" in table.columns
    day = _one_date(table, "TRADING_DATE") if dated else _date_in_name(table.file, "EQ171225.CSV")
    return EodFile("bhavcopy", "BSE", day, "", "", bars=bars)


def _pd(table: Table) -> EodFile:
    figures = ("OPEN_PRICE", "HIGH_PRICE", "LOW_PRICE", "CLOSE_PRICE", "NET_TRDQTY")
    bars, ranges = [], []
    for row in table.each():
        if row.text("MKT") == "N" and row.text("SERIES") in SERIES:
            bars.append(row.bar(row.required("SYMBOL"), row.text("SERIES"), figures))
        elif row.text("MKT") == "Y" and not row.text("SYMBOL"):
            name = row.required("SECURITY").upper()
            bars.append(row.bar(name, INDEX_SERIES, figures, exact=False))
            # An index is never split: its range is good as it is. The range of
            # a share is not adjusted here, and is left to the 52-week file.
            high = row.price("HI_52_WK", exact=False)
            low = row.price("LO_52_WK", exact=False)
            ranges.append(RangeRow(name, INDEX_SERIES, high, None, low, None))
    day = _date_in_name(table.file, "pd17122025.csv")
    return EodFile("pd", "NSE", day, "", "", bars=tuple(bars), ranges=tuple(ranges))


def _year_file(table: Table) -> EodFile:
    found = _EFFECTIVE.search(table.above.replace('",', '"'))
    day = None if found is None else parse_date(found[1])
    if day is None:
        raise EodError(
            f"found {table.above.splitlines()[-1:] or 'nothing'} above the header",
            expected='a line "Effective for 17-Dec-2025"',
            file=table.file,
            line=max(1, table.above.count("\n") + 1),
        )
    ranges = tuple(
        RangeRow(
            row.required("SYMBOL"),
            row.text("SERIES"),
            row.price("Adjusted_52_Week_High", unknown="-"),
            row.date("52_Week_High_Date", unknown="-"),
            row.price("Adjusted_52_Week_Low", unknown="-"),
            row.date("52_Week_Low_DT", unknown="-"),
        )
        for row in table.each()
        if row.text("SERIES") in SERIES
    )
    return EodFile("52_week", "NSE", day, "", "", ranges=ranges)


def _bc(table: Table) -> EodFile:
    actions = []
    for row in table.each():
        if row.text("SERIES") not in SERIES:
            continue
        ex_date = row.date("EX_DT", unknown="")
        if ex_date is not None:
            purpose = " ".join(row.text("PURPOSE").split())
            series = row.text("SERIES")
            actions.append(ActionRow(row.required("SYMBOL"), series, ex_date, purpose))
    day = _date_in_name(table.file, "bc17122025.csv")
    return EodFile("bc", "NSE", day, "", "", actions=tuple(actions))


def _one_date(table: Table, column: str) -> date:
    """Return the date that stands in every row."""
    day: date | None = None
    seen = ""
    for row in table.each():
        text = row.text(column)
        if text == seen:
            continue
        found = row.date(column)
        if day is not None and found != day:
            row.refuse(column, f"the rows above are of {day}", "one day in a file")
        day, seen = found, text
    if day is None:
        raise EodError("no rows found", expected="the rows of a session", file=table.file)
    return day


def _date_in_name(file: str, example: str) -> date:
    match = _NAME_DATE.search(base_name(file))
    if match is not None:
        year = int(match[3]) + (2000 if len(match[3]) == 2 else 0)
        try:
            return date(year, int(match[2]), int(match[1]))
        except ValueError:
            pass
    raise EodError(
        "found no date, neither in the file nor in its name",
        expected=f"the name that the exchange gave it, as {example}",
        file=file,
    )


FORMS: Final = (
    Form(
        "UDiFF bhavcopy",
        (
            *("TradDt", "Sgmt", "Src", "FinInstrmTp", "FinInstrmId", "ISIN", "TckrSymb", "SctySrs"),
            *("OpnPric", "HghPric", "LwPric", "ClsPric", "TtlTradgVol"),
        ),
        _udiff,
    ),
    Form(
        "sec_bhavdata_full",
        (
            *("SYMBOL", "SERIES", "DATE1", "OPEN_PRICE", "HIGH_PRICE", "LOW_PRICE"),
            *("CLOSE_PRICE", "TTL_TRD_QNTY"),
        ),
        _full,
    ),
    Form(
        "NSE bhavcopy",
        ("SYMBOL", "SERIES", "OPEN", "HIGH", "LOW", "CLOSE", "TOTTRDQTY", "TIMESTAMP"),
        _nse_legacy,
    ),
    *(
        Form(
            "BSE bhavcopy",
            (
                *("SC_CODE", "SC_NAME", "SC_GROUP", "SC_TYPE", "OPEN", "HIGH", "LOW", "CLOSE"),
                *("NO_OF_SHRS", *dated),
            ),
            _bse_legacy,
        )
        for dated in (("TRADING_DATE",), ())
    ),
    Form(
        "CM_52_wk_High_low",
        (
            *("SYMBOL", "SERIES", "Adjusted_52_Week_High", "52_Week_High_Date"),
            *("Adjusted_52_Week_Low", "52_Week_Low_DT"),
        ),
        _year_file,
    ),
    Form(
        "pd",
        (
            *("MKT", "SERIES", "SYMBOL", "SECURITY", "OPEN_PRICE", "HIGH_PRICE", "LOW_PRICE"),
            *("CLOSE_PRICE", "NET_TRDQTY", "HI_52_WK", "LO_52_WK"),
        ),
        _pd,
    ),
    Form("bc", ("SERIES", "SYMBOL", "EX_DT", "PURPOSE"), _bc),
)

OTHERS: Final[Mapping[str, tuple[str, ...]]] = {
    "hl": ("SECURITY", "NEW", "PREVIOUS", "NEW_STATUS"),
    "gl": ("GAIN_LOSS", "SECURITY"),
    "tt": ("SECURITY", "TRADES"),
}
"""Lists of the PR archive that say nothing which the others do not."""
