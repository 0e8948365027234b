from __future__ import annotations

from simulator.universe import INDICES, nifty_50
from streamer.instruments import InstrumentTable

TABLE = InstrumentTable.bundled()


def test_members_are_the_fifty_with_their_tokens() -> None:
    """The universe is the NIFTY 50 of the bundled list, with the exchange's tokens."""
    stocks = nifty_50()
    assert len({stock.token for stock in stocks}) == 50
    for stock in stocks:
        listed = TABLE.get(stock.key)
        assert listed is not None
        assert (listed.symbol, listed.kind) == (stock.symbol, "equity")


def test_indices_are_listed() -> None:
    """The indices have the exchange's names and tokens."""
    for index in INDICES:
        listed = TABLE.get(index.key)
        assert listed is not None
        assert (listed.symbol, listed.kind) == (index.symbol, "index")


def test_levels_go_together() -> None:
    """Previous closes lie in the 52-week range, weights add up to a whole."""
    for stock in nifty_50():
        assert stock.week_52_low < stock.prev_close < stock.week_52_high
    for index in INDICES:
        assert index.week_52_low < index.prev_close < index.week_52_high
    assert abs(sum(stock.nifty_weight for stock in nifty_50()) - 100) < 1
    assert sum(stock.bank_weight > 0 for stock in nifty_50()) == 6


def test_the_guides_figures() -> None:
    """RELIANCE begins where the integration guide's example does."""
    (reliance,) = (stock for stock in nifty_50() if stock.symbol == "RELIANCE")
    assert (reliance.prev_close, reliance.week_52_high, reliance.week_52_low) == (
        137_260,
        155_100,
        111_555,
    )
