"""The kinds of end-of-day files: how each is known and read."""

from __future__ import annotations

from datetime import date

import pytest

from streamer.eod_files import parse_eod_file
from streamer.eod_table import ActionRow, BarRow, EodFile, OtherFile, RangeRow
from streamer.errors import EodError
from tests.streamer import eod_samples as samples

DAY = date(2025, 12, 17)
SBIN = (965.0, 970.5, 960.05, 967.4, 5_000_000)


def parsed(content: bytes, name: str = "any.csv") -> EodFile:
    """Return a file that must be of use."""
    found = parse_eod_file(content, file=name)
    assert isinstance(found, EodFile)
    return found


def test_sec_bhavdata_full() -> None:
    """Blanks after commas, the date inside, shares only; ampersands and hyphens are symbols."""
    rows = {"SBIN": SBIN, "M&M": SBIN, "BAJAJ-AUTO": SBIN}
    found = parsed(samples.full(DAY, rows))
    assert (found.kind, found.exchange, found.effective) == ("sec_bhavdata_full", "NSE", DAY)
    assert found.bars[0] == BarRow("SBIN", "EQ", 0, "", 96500, 97050, 96005, 96740, 5_000_000)
    assert [bar.symbol for bar in found.bars] == list(rows)


@pytest.mark.parametrize("exchange", ["NSE", "BSE"])
def test_udiff(exchange: str) -> None:
    """One form for both exchanges, with tokens and ISINs."""
    series = "EQ" if exchange == "NSE" else "A"
    key = ("SBIN", series, 3045, "INE062A01020")
    found = parsed(samples.udiff(DAY, {key: SBIN}, exchange=exchange))
    assert (found.kind, found.exchange, found.effective) == ("udiff", exchange, DAY)
    assert found.bars == (BarRow(*key, 96500, 97050, 96005, 96740, 5_000_000),)


def test_udiff_of_derivatives_is_refused() -> None:
    """It has the same columns."""
    content = samples.udiff(DAY, {("SBIN", "EQ", 3045, ""): SBIN}).replace(b",CM,", b",FO,")
    with pytest.raises(EodError, match=r"line 2, column 'Sgmt', value 'FO'.*expected CM"):
        parsed(content)


def test_the_older_bhavcopies() -> None:
    """NSE's has an empty last column, BSE's pads names with blanks."""
    found = parsed(samples.nse_legacy(date(2020, 1, 1), {"SBIN": SBIN}))
    assert (found.kind, found.exchange, found.effective) == ("bhavcopy", "NSE", date(2020, 1, 1))
    assert found.bars[0].close == 96740
    bse = parsed(samples.bse_legacy(date(2020, 1, 1), {(500112, "STATE BANK"): SBIN}))
    assert (bse.kind, bse.exchange, bse.effective) == ("bhavcopy", "BSE", date(2020, 1, 1))
    assert (bse.bars[0].token, bse.bars[0].symbol) == (500112, "STATE BANK")


def test_a_date_from_the_name_where_the_file_has_none() -> None:
    """BSE's oldest form, and those of the PR archive."""
    rows = {(500112, "STATE BANK"): SBIN}
    undated = samples.bse_legacy(DAY, rows, dated=False)
    assert parsed(undated, "/in/EQ171225.CSV").effective == DAY
    assert (
        parsed(samples.bc([("SBIN", DAY, "BONUS 1:1")]), "pr.zip:bc17122025.csv").effective == DAY
    )
    for name in ("bc.csv", "bc99999999.csv", "17122025/bc.csv"):
        with pytest.raises(EodError, match="no date, neither in the file nor in its name"):
            parsed(samples.bc([("SBIN", DAY, "BONUS 1:1")]), name)


def test_the_52_week_file() -> None:
    """Two lines above the header, all quoted, padded; 80 paise is ``.80``, unknown is ``-``."""
    found = parsed(
        samples.year_ranges(
            DAY,
            {
                "HDFCBANK": ("1020.50", "23-OCT-2025", ".80", "13-JAN-2025"),
                "ADDICTIVE": ("-", "-", "-", "-"),
            },
        )
    )
    assert (found.kind, found.effective) == ("52_week", DAY)
    assert found.ranges == (
        RangeRow("HDFCBANK", "EQ", 102050, date(2025, 10, 23), 80, date(2025, 1, 13)),
        RangeRow("ADDICTIVE", "EQ", 0, None, 0, None),
    )


def test_a_52_week_file_without_its_day_is_refused() -> None:
    """Which day it is made for stands above the header, and nowhere else."""
    content = samples.year_ranges(DAY, {"SBIN": ("2", "23-OCT-2025", "1", "13-JAN-2025")})
    broken = content.replace(b"Effective for", b"Good for")
    with pytest.raises(EodError, match='"Effective for 17-Dec-2025"'):
        parsed(broken)


def test_pd_gives_shares_and_the_ranges_of_indices_only() -> None:
    """The range of a share is not adjusted there. India VIX has four decimals."""
    found = parsed(
        samples.pd_file(
            {"HDFCBANK": ((996.0, 996.0, 980.8, 984.0, 19_080_922), 2037.7, 939.1)},
            {
                "Nifty 50": ((25902.4, 25929.15, 25770.35, 25818.55, 0), 26325.8, 21743.65),
                "India VIX": ((10.0625, 10.1775, 9.4825, 9.8375, 0), 23.1875, 9.3975),
            },
        ),
        "pd17122025.csv",
    )
    assert [(bar.symbol, bar.series) for bar in found.bars] == [
        ("NIFTY 50", "INDEX"),
        ("INDIA VIX", "INDEX"),
        ("HDFCBANK", "EQ"),
    ]
    assert found.bars[1].close == 984
    assert [(each.symbol, each.high, each.low) for each in found.ranges] == [
        ("NIFTY 50", 2632580, 2174365),
        ("INDIA VIX", 2319, 940),
    ]


def test_bc_keeps_what_has_an_ex_date() -> None:
    """In the exchange's words; series other than those of shares are left out."""
    rows = [("LALPATHLAB", date(2025, 12, 19), "BONUS 1:1"), ("NODATE", None, "AGM")]
    found = parsed(samples.bc(rows, series=("EQ", "BL", "BE")), "bc17122025.csv")
    assert found.actions == (
        ActionRow("LALPATHLAB", "EQ", date(2025, 12, 19), "BONUS 1:1"),
        ActionRow("LALPATHLAB", "BE", date(2025, 12, 19), "BONUS 1:1"),
    )


@pytest.mark.parametrize("written", ["2025-12-19", "19-DEC-2025", "19-Dec-2025", "19/12/2025"])
def test_bc_in_any_way_of_writing_a_date(written: str) -> None:
    """NSE has used several."""
    content = samples.bc([("SBIN", date(2025, 12, 19), "AGM")])
    found = parsed(content.replace(b"2025-12-19", written.encode()), "bc17122025.csv")
    assert found.actions[0].ex_date == date(2025, 12, 19)


def test_a_list_of_new_highs_is_named_and_passed_over() -> None:
    """It says nothing that the others do not."""
    content = b"SECURITY,NEW,PREVIOUS,NEW_STATUS\nAEQUS LIMITED   ,164.39,160.65,H\n"
    assert parse_eod_file(content, file="hl17122025.csv") == OtherFile("hl", "hl17122025.csv")


def test_two_days_in_a_file_are_refused() -> None:
    """A file is one session."""
    first, second = (
        samples.full(DAY, {"SBIN": SBIN}),
        samples.full(date(2025, 12, 16), {"TCS": SBIN}),
    )
    content = first + second.partition(b"\n")[2]
    with pytest.raises(EodError, match="line 3, column 'DATE1', value '16-Dec-2025'"):
        parsed(content)


def test_two_exchanges_in_a_file_are_refused() -> None:
    """A token alone would not say whose it is."""
    first = samples.udiff(DAY, {("SBIN", "EQ", 3045, ""): SBIN})
    second = samples.udiff(DAY, {("SBIN", "A", 500112, ""): SBIN}, exchange="BSE")
    with pytest.raises(EodError, match="line 3, column 'Src', value 'BSE'"):
        parsed(first + second.partition(b"\n")[2])
