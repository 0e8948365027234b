"""What the imported files say of instruments, gathered for one session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from streamer.eod_files import load_eod_files, parse_eod_file
from streamer.eod_store import EodStore
from streamer.eod_table import EodFile
from streamer.instruments import Instrument
from streamer.reference import Figures, SessionReference
from tests.streamer import eod_samples as samples

DAY = date(2025, 12, 17)
NEXT = date(2025, 12, 18)

SBIN = Instrument(1, 3045, "SBIN", "NSE", "EQ", isin="INE062A01020")
BSE_SBIN = Instrument(3, 500112, "SBIN", "BSE", "A", isin="INE062A01020")
HDFCBANK = Instrument(1, 1333, "HDFCBANK", "NSE", "EQ")
SHRIRAMFIN = Instrument(1, 4306, "SHRIRAMFIN", "NSE", "EQ")
LALPATHLAB = Instrument(1, 11654, "LALPATHLAB", "NSE", "EQ")
KMEW = Instrument(1, 8300, "KMEW", "NSE", "EQ")
NIFTY = Instrument(1, 26000, "NIFTY 50", "NSE", "INDEX", kind="index")
ALL = (SBIN, BSE_SBIN, HDFCBANK, SHRIRAMFIN, LALPATHLAB, KMEW, NIFTY)

# The rows of 2025-12-17, as they stand in the exchange's files.
FULL = samples.full(
    DAY,
    {
        "HDFCBANK": (996.0, 996.0, 980.8, 984.0, 19_080_922),
        "SHRIRAMFIN": (856.0, 875.45, 855.0, 864.2, 11_621_162),
        "LALPATHLAB": (2840.0, 2866.0, 2794.0, 2816.0, 139_433),
        "KMEW": (3695.1, 3712.1, 3522.8, 3544.9, 109_024),
    },
)
RANGES = samples.year_ranges(
    DAY,
    {
        "HDFCBANK": ("1020.50", "23-OCT-2025", "812.15", "13-JAN-2025"),
        "SHRIRAMFIN": ("872.00", "28-NOV-2025", "493.35", "20-JAN-2025"),
        "LALPATHLAB": ("3540.00", "19-SEP-2025", "2293.55", "03-MAR-2025"),
        "KMEW": ("3758.50", "16-DEC-2025", "1264.05", "07-APR-2025"),
    },
)
PD = samples.pd_file(
    {
        "HDFCBANK": ((996.0, 996.0, 980.8, 984.0, 19_080_922), 2037.7, 939.1),
        "SHRIRAMFIN": ((856.0, 875.45, 855.0, 864.2, 11_621_162), 3197.0, 493.35),
    },
    {"Nifty 50": ((25902.4, 25929.15, 25770.35, 25818.55, 4_075_952_526), 26325.8, 21743.65)},
)
BC = samples.bc(
    [
        ("LALPATHLAB", date(2025, 12, 19), "BONUS 1:1"),
        ("KMEW", date(2025, 12, 22), "FVSPLT FRM RS 10 TO RS 5"),
    ],
    series=("BE", "BL", "EQ", "IQ"),
)
NAMED = (
    (FULL, "sec_bhavdata_full_17122025.csv"),
    (RANGES, "CM_52_wk_High_low_17122025.csv"),
    (PD, "pd17122025.csv"),
    (BC, "bc17122025.csv"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EodStore]:
    """Return an empty store."""
    with EodStore.open(tmp_path / "sessions.db") as opened:
        yield opened


def fill(store: EodStore, contents: Iterable[tuple[bytes, str]]) -> None:
    """Import files."""
    for content, name in contents:
        found = parse_eod_file(content, file=name)
        assert isinstance(found, EodFile)
        store.save(found)


def weekday(day: date) -> bool:
    """Say whether it is a session, if no holiday is known."""
    return day.weekday() < 5


def session(store: EodStore, day: date) -> SessionReference:
    """Return the figures of a session."""
    return store.session(day, ALL, weekday)


def told(reference: SessionReference, instrument: Instrument) -> tuple[object, ...]:
    """Return the figures of an instrument as clients read them."""
    found = reference.figures.get(instrument.key, Figures()).as_json()
    names = ("prev_close", "week_52_high", "week_52_high_date", "week_52_low", "week_52_low_date")
    return (*(found[name] for name in names), found["avg_volume_5d"])


# By hand, from the four files of 2025-12-17 (sec_bhavdata_full's CLOSE_PRICE and
# TTL_TRD_QNTY, CM_52_wk_High_low's adjusted figures, bc's purposes). For the
# 17th itself there is no file of the 16th, so no close and no volume.
BY_HAND = [
    (DAY, SHRIRAMFIN, (None, 872.0, "2025-11-28", 493.35, "2025-01-20", None)),
    # The high of the 17th, 875.45, is beyond the file's 872.00: a new record.
    (NEXT, SHRIRAMFIN, (864.2, 875.45, "2025-12-17", 493.35, "2025-01-20", 11_621_162)),
    # pd says 2037.70 and 939.10, before the bonus of August 2025.
    (DAY, HDFCBANK, (None, 1020.5, "2025-10-23", 812.15, "2025-01-13", None)),
    (NEXT, HDFCBANK, (984.0, 1020.5, "2025-10-23", 812.15, "2025-01-13", 19_080_922)),
    # Ex on the 19th: 2816.00, 3540.00 and 2293.55 by 2, 139,433 times 2.
    (NEXT, LALPATHLAB, (2816.0, 3540.0, "2025-09-19", 2293.55, "2025-03-03", 139_433)),
    (
        date(2025, 12, 19),
        LALPATHLAB,
        (1408.0, 1770.0, "2025-09-19", 1146.78, "2025-03-03", 278_866),
    ),
    # Ex on the 22nd: 3544.90, 3758.50 and 1264.05 by 2; 632.025 is rounded up.
    (
        date(2025, 12, 22),
        KMEW,
        (1772.45, 1879.25, "2025-12-16", 632.03, "2025-04-07", 218_048),
    ),
    # An index is never split: pd's range, which knows its own day, is good.
    (NEXT, NIFTY, (25818.55, 26325.8, None, 21743.65, None, None)),
]


@pytest.mark.parametrize(("day", "instrument", "expected"), BY_HAND)
def test_the_figures_of_real_symbols_are_those_found_by_hand(
    store: EodStore, day: date, instrument: Instrument, expected: tuple[object, ...]
) -> None:
    """Previous close, range with dates, average volume: as a person reads them in the files."""
    fill(store, NAMED)
    assert told(session(store, day), instrument) == expected


@pytest.mark.skipif(not samples.REAL_EOD.is_dir(), reason="the real files are not on this machine")
@pytest.mark.parametrize(("day", "instrument", "expected"), BY_HAND)
def test_the_real_files_say_the_same(
    store: EodStore, day: date, instrument: Instrument, expected: tuple[object, ...]
) -> None:
    """What was found by hand is what comes from the exchange's own files."""
    for path in sorted(samples.REAL_EOD.glob("*17122025.csv")):
        for found in load_eod_files(path):
            if isinstance(found, EodFile):
                store.save(found)
    assert told(session(store, day), instrument) == expected


def test_a_stock_that_moved_to_another_series_keeps_its_history(store: EodStore) -> None:
    """Its own series goes first, then EQ before BE; a debt paper of the name never counts."""
    prices = (100.0, 101.0, 99.0, 100.0, 50)
    fill(store, [(samples.full(DAY, {"SBIN": prices}, series="BE"), "full.csv")])
    assert told(session(store, NEXT), SBIN)[0] == 100.0
    assert SBIN.series == "EQ"


def test_a_bond_of_a_company_has_not_the_price_of_its_share(store: EodStore) -> None:
    """It bears the same symbol, in another series."""
    bond = Instrument(1, 498, "SHRIRAMFIN", "NSE", "YI")
    fill(store, NAMED)
    found = store.session(NEXT, [SHRIRAMFIN, bond], weekday)
    assert told(found, SHRIRAMFIN)[0] == 864.2
    assert bond.key not in found.figures


def test_a_token_goes_before_a_symbol(store: EodStore) -> None:
    """A stock that was renamed has kept its token."""
    rows = {
        ("OLDNAME", "EQ", 3045, ""): (10.0, 11.0, 9.0, 10.0, 5),
        ("SBIN", "BE", 9999, ""): (20.0, 21.0, 19.0, 20.0, 5),
    }
    fill(store, [(samples.udiff(DAY, rows), "udiff.csv")])
    assert told(session(store, NEXT), SBIN)[0] == 10.0


def test_exchanges_are_never_mixed(store: EodStore) -> None:
    """The same company has two closes, and files of one exchange tell nothing of the other."""
    nse = {("SBIN", "EQ", 3045, ""): (10.0, 11.0, 9.0, 10.0, 5)}
    fill(store, [(samples.udiff(DAY, nse), "nse.csv")])
    assert told(session(store, NEXT), BSE_SBIN) == (None,) * 6
    bse = {("SBIN", "A", 500112, ""): (12.0, 13.0, 11.0, 12.0, 7)}
    fill(store, [(samples.udiff(DAY, bse, exchange="BSE"), "bse.csv")])
    found = session(store, NEXT)
    assert (told(found, SBIN)[0], told(found, BSE_SBIN)[0]) == (10.0, 12.0)


def test_the_newest_list_of_actions_before_a_date_counts(store: EodStore) -> None:
    """A bonus that was put off is taken once, on its new date."""
    old = samples.bc([("SBIN", NEXT, "BONUS 1:1")])
    new = samples.bc([("SBIN", date(2025, 12, 19), "BONUS 1:1"), ("TCS", NEXT, "AGM")])
    prices = (100.0, 101.0, 99.0, 100.0, 50)
    fill(store, [(samples.full(DAY, {"SBIN": prices}), "full.csv"), (old, "bc16122025.csv")])
    assert told(session(store, NEXT), SBIN)[0] == 50.0
    fill(store, [(new, "bc17122025.csv")])
    assert told(session(store, NEXT), SBIN)[0] == 100.0
    assert told(session(store, date(2025, 12, 19)), SBIN)[0] == 50.0


def test_the_list_of_the_day_itself_does_not_serve_it(store: EodStore) -> None:
    """It is published in the evening."""
    prices = (100.0, 101.0, 99.0, 100.0, 50)
    fill(
        store,
        [
            (samples.full(DAY, {"SBIN": prices}), "full.csv"),
            (samples.bc([("SBIN", NEXT, "BONUS 1:1")]), "bc18122025.csv"),
        ],
    )
    assert told(session(store, NEXT), SBIN)[0] == 100.0


def test_a_bonus_divides_on_both_exchanges(store: EodStore) -> None:
    """NSE's list tells of a company, and BSE publishes none; another company's name does not."""
    bse = {("SBIN", "A", 500112, ""): (100.0, 101.0, 99.0, 100.0, 50)}
    fill(
        store,
        [
            (samples.udiff(DAY, bse, exchange="BSE"), "bse.csv"),
            (samples.bc([("SBIN", NEXT, "BONUS 1:1")]), "bc17122025.csv"),
        ],
    )
    assert told(session(store, NEXT), BSE_SBIN)[0] == 50.0
    namesake = Instrument(3, 500112, "SBIN", "BSE", "A", isin="INE999Z01011")
    found = store.session(NEXT, [SBIN, namesake], weekday)
    assert told(found, namesake)[0] == 100.0


def test_a_whole_year_of_bse_files_makes_its_range(store: EodStore) -> None:
    """BSE publishes no adjusted file: with every session there, highs and lows are adjusted."""
    days = [NEXT - timedelta(days=back) for back in range(367, 0, -1)]
    split = date(2025, 6, 16)
    other = Instrument(3, 500325, "RELIANCE", "BSE", "A")
    for number, day in enumerate(each for each in days if weekday(each)):
        # Rises by a rupee a session; SBIN splits 2 for 1 in June.
        price = 1000.0 + number
        half = price / 2 if day >= split else price
        rows = {
            ("SBIN", "A", 500112, ""): (half, half, half, half, 5),
            ("RELIANCE", "A", 500325, ""): (price, price + 0.5, price - 0.5, price, 5),
        }
        fill(store, [(samples.udiff(day, rows, exchange="BSE"), f"{day}.csv")])
    eve = split - timedelta(days=3)
    actions = samples.bc([("SBIN", split, "FVSPLT FRM RS 2 TO RE 1")])
    fill(store, [(actions, f"bc{eve:%d%m%Y}.csv")])
    found = store.session(NEXT, [BSE_SBIN, other], weekday)
    # The year begins with the 17th of December, the second or third session of the files.
    first = len([day for day in days if weekday(day) and day < date(2024, 12, 17)])
    last = len([day for day in days if weekday(day)]) - 1
    assert told(found, other)[1:5] == (
        *(1000.5 + last, "2025-12-17"),
        *(999.5 + first, "2024-12-17"),
    )
    assert told(found, BSE_SBIN)[1:5] == (
        *((1000 + last) / 2, "2025-12-17"),
        *((1000 + first) / 2, "2024-12-17"),
    )


def test_a_year_with_a_gap_makes_no_range(store: EodStore) -> None:
    """Its record may be in the file that is not there."""
    bse = {("SBIN", "A", 500112, ""): (100.0, 101.0, 99.0, 100.0, 50)}
    fill(store, [(samples.udiff(DAY, bse, exchange="BSE"), "bse.csv")])
    assert told(session(store, NEXT), BSE_SBIN)[1:5] == (None,) * 4


def test_what_a_session_lacks_is_told(store: EodStore) -> None:
    """Missing files and those that are too old, each with the day that is expected."""
    nothing = session(store, NEXT).wanting
    assert [each.what for each in nothing if each.exchange == "NSE"] == [
        *("end-of-day prices", "52-week file", "corporate actions")
    ]
    assert all(each.is_missing for each in nothing)
    fill(store, NAMED)
    wanting = [each.text() for each in session(store, NEXT).wanting if each.exchange == "NSE"]
    assert wanting == [
        "NSE 52-week file: the newest is of 2025-12-17; expected one of 2025-12-18",
        "NSE volumes of five sessions: the newest is of 2025-12-17; expected one of 2025-12-16",
    ]


def test_nothing_is_wanting_when_all_is_there(store: EodStore) -> None:
    """Five sessions of prices, the 52-week file of the day, the actions of the eve."""
    prices = {"SBIN": (100.0, 101.0, 99.0, 100.0, 50)}
    days = [date(2025, 12, day) for day in (11, 12, 15, 16, 17)]
    fill(store, [(samples.full(day, prices), f"{day}.csv") for day in days])
    ranges = samples.year_ranges(NEXT, {"SBIN": ("102", "16-DEC-2025", "80", "13-JAN-2025")})
    fill(store, [(ranges, "52.csv"), (BC, "bc17122025.csv")])
    found = session(store, NEXT)
    assert [each for each in found.wanting if each.exchange == "NSE"] == []
    assert told(found, SBIN) == (100.0, 102.0, "2025-12-16", 80.0, "2025-01-13", 50)
    assert found.figures[SBIN.key].flags == ()
