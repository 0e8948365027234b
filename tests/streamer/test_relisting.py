"""Two lists of instruments compared: what came, went, changed, and is called otherwise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.instruments import Instrument, InstrumentTable
from streamer.relisting import Renamed, Vanished, compare
from tests.streamer.market_strategies import instruments

ALPHA = Instrument(1, 101, "ALPHA", "NSE", "EQ", isin="INE000A01001")
BETA = Instrument(1, 102, "BETA", "NSE", "EQ", isin="INE000B01009")

LISTS = st.lists(instruments(), max_size=12, unique_by=lambda row: row.key).map(InstrumentTable)


@given(before=LISTS, after=LISTS)
def test_every_instrument_is_accounted_for(before: InstrumentTable, after: InstrumentTable) -> None:
    """What is in one list alone came or went; of what is in both, each is the same or told."""
    found = compare(before, after)
    old, new = ({each.key: each for each in table} for table in (before, after))
    assert found.listed == len(new)
    assert found.come == new.keys() - old.keys()
    assert found.gone == old.keys() - new.keys()
    assert [each.instrument.key for each in found.vanished] == [
        key for key in old if key not in new
    ]
    both = [(old[key], new[key]) for key in old if key in new]
    assert [(each.before, each.after) for each in found.renamed] == [
        (one, other) for one, other in both if one.symbol != other.symbol
    ]
    assert found.changed == sum(one != other and one.symbol == other.symbol for one, other in both)


@given(table=LISTS)
def test_a_list_does_not_differ_from_itself(table: InstrumentTable) -> None:
    """Reading the same files again changes nothing."""
    found = compare(table, InstrumentTable(list(table)))
    told = (found.come, found.gone, found.renamed, found.vanished)
    assert ([*map(len, told)], found.changed) == ([0, 0, 0, 0], 0)


def test_a_renamed_instrument_is_told_with_both_symbols() -> None:
    """The token is the same; a new ISIN besides makes it doubtful."""
    renamed = replace(ALPHA, symbol="OMEGA")
    [found] = compare(InstrumentTable([ALPHA]), InstrumentTable([renamed])).renamed
    assert found == Renamed(ALPHA, renamed)
    assert not found.is_doubtful
    assert str(found) == "ALPHA (NSE) is OMEGA (NSE) now, token 101"
    other = Renamed(ALPHA, replace(renamed, isin="INE000Z01009"))
    assert other.is_doubtful
    assert str(other).endswith("; its ISIN was INE000A01001 and is INE000Z01009")
    assert not Renamed(ALPHA, replace(renamed, isin="")).is_doubtful


def test_a_move_to_another_series_names_the_new_token() -> None:
    """Of the same ISIN on the same exchange; another exchange's is no successor."""
    moved = replace(ALPHA, token=109, series="BE")
    elsewhere = replace(BETA, segment=3, exchange="BSE", token=590002)
    found = compare(InstrumentTable([ALPHA, BETA]), InstrumentTable([moved, elsewhere]))
    assert found.vanished == (Vanished(ALPHA, moved), Vanished(BETA))
    assert str(found.vanished[0]) == (
        "ALPHA (NSE), token 101, is listed no more; "
        "of its ISIN is ALPHA (NSE), token 109, series BE"
    )
    assert str(found.vanished[1]) == "BETA (NSE), token 102, is listed no more"
