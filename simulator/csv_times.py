"""
The ways in which CSV files of market data write a time, read as UNIX nanoseconds.

Dates are ISO or day first, as they are written in India; a month first is
refused where it can be told from a day. Numbers of 10, 13, 16 or 19 digits
count from 1970 in seconds, ms, us or ns. Whole columns are read at a time.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from streamer.clock import PLAUSIBLE_NS

__all__ = ["EXPECTED", "moments"]

EXPECTED: Final = (
    "2025-09-04 09:15:00, 04-09-2025 09:15, 04/09/2025 9:15:00 AM, 04-SEP-2025 09:15:00, "
    "20250904 09:15:00, or seconds or ms since 1970; a time of day alone needs --date"
)

_DATE: Final = (
    r"(?:(?P<y1>\d{4})[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})"
    r"|(?P<d2>\d{1,2})[-/. ](?P<m2>\d{1,2}|[A-Za-z]{3,9})[-/. ,]+(?P<y2>\d{4}|\d{2})"
    r"|(?P<y3>\d{4})(?P<m3>\d{2})(?P<d3>\d{2}))"
)
_CLOCK: Final = (
    r"(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<half>[AaPp][Mm])?"
)
_ZONE: Final = r"(?P<zone>Z|UTC|GMT|IST|[+-]\d{2}:?\d{2})"
_WHOLE: Final = rf"^{_DATE}[T ,]+{_CLOCK}\s*{_ZONE}?$"
_CLOCK_ALONE: Final = r"^\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?\s*(?:[AaPp][Mm])?$"
_EPOCH: Final = r"^(\d{10}|\d{13}|\d{16}|\d{19})(?:\.(\d{1,9})\d*)?$"

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_IST_S: Final = 19_800
_NS: Final = 10**9


def moments(texts: pl.Series, *, day: date | None, zone: str) -> pl.Series:
    """
    Return the moment of each text, null where it is none from 1990 to 2099.

    Args:
        texts: Date and time, a time of day, or a number.
        day: The date of texts that are a time of day.
        zone: Of texts that do not name one, as ``Asia/Kolkata``. A time that a
            zone's clocks skip or show twice is none.

    """
    text = pl.col("text")
    if day is not None:
        alone = text.str.contains(_CLOCK_ALONE)
        text = pl.when(alone).then(pl.lit(f"{day.isoformat()} ") + text).otherwise(text)
    frame = pl.DataFrame({"text": texts.cast(pl.String).str.strip_chars()}).select(text=text)
    parts = frame.select(
        pl.col("text").str.extract_groups(_WHOLE).alias("parts"),
        _epoch_ns().alias("epoch"),
    ).unnest("parts")
    read = parts.with_columns(
        year=_number("y1", "y3").fill_null(_year_of_two_digits()),
        month=_number("m1", "m3").fill_null(_month()),
        day=_number("d1", "d2", "d3"),
        hour=_hour(),
        minute=_number("mi"),
        second=_number("s").fill_null(0),
        fraction=pl.col("f").str.pad_end(9, "0").cast(pl.Int64, strict=False).fill_null(0),
    )
    # A component out of its range makes the whole time null.
    is_time = (
        pl.col("month").is_between(1, 12)
        & pl.col("day").is_between(1, 31)
        & pl.col("hour").is_between(0, 23)
        & pl.col("minute").is_between(0, 59)
        & pl.col("second").is_between(0, 59)
    )
    written = (
        pl.format(
            "{}-{}-{}",
            pl.col("year"),
            pl.col("month").cast(pl.String).str.zfill(2),
            pl.col("day").cast(pl.String).str.zfill(2),
        )
        .str.to_date("%Y-%m-%d", strict=False)
        .cast(pl.Datetime("ns"))
    ) + pl.duration(hours="hour", minutes="minute", seconds="second", time_unit="ns")
    local = pl.when(is_time).then(written)
    zoned = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    offset = _offset_ns()
    naive_ns = local.dt.epoch("ns")
    whole = pl.when(pl.col("zone").is_null()).then(zoned.dt.epoch("ns")).otherwise(
        naive_ns - offset
    ) + pl.col("fraction")
    ns = pl.coalesce("epoch", whole)
    plausible = ns.is_between(PLAUSIBLE_NS.start, PLAUSIBLE_NS.stop - 1)
    return read.select(pl.when(plausible).then(ns).alias("ts"))["ts"]


def _number(*names: str) -> pl.Expr:
    return pl.coalesce([pl.col(name).cast(pl.Int64, strict=False) for name in names])


def _year_of_two_digits() -> pl.Expr:
    year = pl.col("y2").cast(pl.Int64, strict=False)
    return pl.when(pl.col("y2").str.len_chars() == 2).then(year + 2000).otherwise(year)


def _month() -> pl.Expr:
    named = pl.col("m2").str.to_lowercase().str.head(3).replace_strict(_MONTHS, default=None)
    return pl.col("m2").cast(pl.Int64, strict=False).fill_null(named)


def _hour() -> pl.Expr:
    hour = _number("h")
    half = pl.col("half").str.to_lowercase()
    of_twelve = pl.when(hour.is_between(1, 12)).then(hour % 12)
    return (
        pl.when(half == "am")
        .then(of_twelve)
        .when(half == "pm")
        .then(of_twelve + 12)
        .otherwise(hour)
    )


def _offset_ns() -> pl.Expr:
    """Return by how much a named zone is ahead of UTC."""
    zone = pl.col("zone")
    digits = zone.str.replace(":", "").str.extract_groups(r"^([+-])(\d{2})(\d{2})$")
    hours = digits.struct.field("2").cast(pl.Int64, strict=False)
    minutes = digits.struct.field("3").cast(pl.Int64, strict=False)
    seconds = hours * 3600 + minutes * 60
    signed = pl.when(digits.struct.field("1") == "-").then(-seconds).otherwise(seconds)
    known = pl.when(zone == "IST").then(_IST_S).when(zone.is_in(["Z", "UTC", "GMT"])).then(0)
    return known.otherwise(signed) * _NS


def _epoch_ns() -> pl.Expr:
    groups = pl.col("text").str.extract_groups(_EPOCH)
    digits = groups.struct.field("1")
    count = digits.cast(pl.Int64, strict=False)
    unit = digits.str.len_chars().replace_strict({10: _NS, 13: 10**6, 16: 10**3, 19: 1}, default=1)
    fraction = groups.struct.field("2").str.pad_end(9, "0").cast(pl.Int64, strict=False)
    return count * unit + fraction.fill_null(0) * unit // _NS
