"""What the exchange's words for a corporate action do to the price of a share."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.corporate_actions import changes_price, factor_of


@pytest.mark.parametrize(
    ("purpose", "factor"),
    [
        ("BONUS 1:1", Fraction(2)),
        ("BONUS 1:2", Fraction(3, 2)),
        ("Bonus issue 2 : 1", Fraction(3)),
        ("FVSPLT FRM RS 10 TO RS 5", Fraction(2)),
        ("FV SPLT FRM RS 10 TO RS 2", Fraction(5)),
        ("FVSPLT FRM RS 10 TO RE 1", Fraction(10)),
        (
            "FACE VALUE SPLIT (SUB-DIVISION) - FROM RS 10/- PER SHARE TO RE 1/- PER SHARE",
            Fraction(10),
        ),
        ("CONSOLIDATION OF SHARES FROM RE 1 TO RS 10", Fraction(1, 10)),
        ("BONUS 1:1/FVSPLT FRM RS 10 TO RS 5", Fraction(4)),
        ("RIGHTS 1:5@PRM RS 290/BONUS 1:1", Fraction(2)),
        ("FVSPLT FRM RS 7.50 TO RS 2.50", Fraction(3)),
    ],
)
def test_splits_and_bonuses_divide_the_price(purpose: str, factor: Fraction) -> None:
    """The words of NSE's files, and of its notices, give the factor exactly."""
    assert factor_of(purpose) == factor
    assert changes_price(purpose)


@pytest.mark.parametrize(
    "purpose", ["RIGHTS 45:301@PRM RS 290", "DEMERGER", "CAP RED", "BONUS DEB 1:1", "BONUS 1:0"]
)
def test_what_changes_a_share_by_an_unknown_amount_is_known_to(purpose: str) -> None:
    """No factor is made up, but a jump of the price is explained."""
    assert factor_of(purpose) == 1
    assert changes_price(purpose)


@pytest.mark.parametrize(
    "purpose",
    [
        *("INTDIV - RS 7 PER SH", "DIV - RS 10 PER SH", "INTEREST PAYMENT", "BUY BACK"),
        *("REDEMPTION", "AGM", "INT PAYMENT/PART REDMPTN", "BOND INTEREST", ""),
    ],
)
def test_ordinary_payments_change_nothing(purpose: str) -> None:
    """Ordinary dividends are not adjusted, and explain no jump."""
    assert factor_of(purpose) == 1
    assert not changes_price(purpose)


@given(st.text(max_size=60))
def test_any_words_give_a_factor_above_zero(purpose: str) -> None:
    """Words of any kind are allowed: a factor can always divide a price."""
    assert factor_of(purpose) > 0
