from __future__ import annotations

from streamer.odin import tags
from streamer.odin.tags import SEGMENTS, Code, Source, Tag


def test_no_tag_or_code_is_given_twice() -> None:
    """An entry that repeats a number would silently become another name of the first."""
    assert len(Tag) == len(Tag.__members__)
    assert len(Code) == len(Code.__members__)


def test_members_are_the_numbers_of_the_wire() -> None:
    """A tag or a code can stand wherever its number can, as a key too."""
    assert {8: "price"}[Tag.LTP] == "price"
    assert f"{Code.TOUCHLINE:d}" == "209"
    assert f"{Tag.LTP:d}" == "8"


def test_every_entry_says_what_it_is_and_how_it_is_known() -> None:
    """There is no entry without a meaning, a unit or a sender, and a source."""
    for tag in Tag:
        assert tag.meaning
        assert tag.unit
        assert tag.source in Source
    for code in Code:
        assert code.meaning
        assert code.sender in ("client", "server")
        assert code.source in Source


def test_market_segments_have_their_names() -> None:
    """The named segments are those of the table."""
    assert SEGMENTS[tags.NSE_CASH] == "NSE cash"
    assert SEGMENTS[tags.NSE_DERIVATIVES] == "NSE derivatives"
    assert SEGMENTS[tags.BSE_CASH] == "BSE cash"
    assert SEGMENTS[tags.BSE_DERIVATIVES] == "BSE derivatives"
    assert SEGMENTS[tags.MCX_DERIVATIVES] == "MCX derivatives"
    assert SEGMENTS[tags.NSE_CURRENCY_DERIVATIVES] == "NSE currency derivatives"
    assert SEGMENTS[tags.BSE_CURRENCY_DERIVATIVES] == "BSE currency derivatives"
