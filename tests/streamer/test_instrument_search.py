"""Looking for instruments: whatever is remembered of them, the likeliest first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.instrument_search import aliases_of, relatives, search
from streamer.instruments import Instrument, InstrumentTable

BUNDLED = InstrumentTable.bundled()


def labels(text: str) -> list[str]:
    """Return what is found, by label."""
    return [each.label for each in search(BUNDLED, text)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("sbin", "SBIN (NSE)"),
        ("500112", "SBIN (BSE)"),
        ("BSE:SBIN", "SBIN (BSE)"),
        ("INE062A01020", "SBIN (NSE)"),
        ("424", "ITC (NSE)"),
        ("bajaj-a", "BAJAJ-AUTO (NSE)"),
        ("mahindra", "M&M (NSE)"),
        ("m&m", "M&M (NSE)"),
        ("nifty", "NIFTY 50 (NSE)"),
    ],
)
def test_what_is_meant_comes_first(text: str, first: str) -> None:
    """Symbols, tokens, ISINs, aliases, names and parts of them are found."""
    assert labels(text)[0] == first


def test_both_exchanges_are_found() -> None:
    """A symbol is on both."""
    assert labels("RELIANCE")[:2] == ["RELIANCE (NSE)", "RELIANCE (BSE)"]


@pytest.mark.parametrize("text", ["", "   ", "no such company at all"])
def test_nothing_is_found_for_nothing(text: str) -> None:
    """Blanks do not mean everything."""
    assert labels(text) == []


@given(text=st.text(max_size=12) | st.sampled_from([each.symbol for each in BUNDLED]))
def test_each_is_found_once_and_holds_what_was_sought(text: str) -> None:
    """Any text is allowed; a found instrument is meant by it or holds it."""
    found = search(BUNDLED, text)
    assert len({each.key for each in found}) == len(found)
    wanted = " ".join(text.upper().split())
    for each in found:
        held = (each.symbol.upper(), each.name.upper(), each.isin, str(each.token))
        assert each is BUNDLED.resolve(text) or any(wanted in one for one in held)


def test_relatives_are_the_other_series_and_the_other_exchange() -> None:
    """Of the same symbol, or of the same ISIN under another name; nobody else."""
    isin = "INE000A01001"
    share = Instrument(1, 1, "ALPHA", "NSE", "EQ", isin=isin)
    series = Instrument(1, 2, "ALPHA", "NSE", "N1")
    renamed = Instrument(3, 3, "ALFA", "BSE", "A", isin=isin)
    strange = Instrument(3, 4, "OMEGA", "BSE", "A")
    table = InstrumentTable([share, series, renamed, strange])
    assert relatives(table, share) == [series, renamed]
    assert relatives(table, strange) == []


def test_aliases_lead_to_their_instrument() -> None:
    """Those of the guide and customary ones; an alias that gave way means nobody."""
    itc = BUNDLED.resolve("ITC")
    assert itc is not None
    assert aliases_of(BUNDLED, itc) == ["424"]
    taken = BUNDLED.with_instruments([Instrument(1, 424, "TAKEN", "NSE", "EQ")])
    assert aliases_of(taken, itc) == []
