"""
What the exchange's words for a corporate action do to the price of a share.

The words are those of the ``PURPOSE`` column of NSE's ``bc`` file. Only a split,
a bonus and a consolidation tell by how much; what else changes a share (rights,
a demerger, a reduction of capital) is known to, and no more.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_RATIO: Final = r"(\d+)\s*:\s*(\d+)"
_MONEY: Final = r"R[SE]\.?\s*(\d+(?:\.\d+)?)(?:\s*/\s*-)?"
_BONUS: Final = re.compile(rf"\bBON(?:US)?\b(?!\s*(?:DEB|NCD|PREF))[^:]*?\b{_RATIO}")
_SPLIT: Final = re.compile(
    rf"\b(?:FV\s*SPL|SPLIT|SPLT|SUB-?\s*DIVISION|CONSOL).*?{_MONEY}.*?\bTO\s+{_MONEY}"
)
# Each changes what a share is, and so its price, by an amount that the purpose does not tell.
_PRICE_CHANGING: Final = re.compile(
    r"\b(?:BON\b|BONUS|RIGHTS?|DEMERGER|SPIN|SCHEME|AMALG|MERGER|ARRANGE|CAP(?:ITAL)? RED|"
    r"REDUCTION|FV\s*SPL|SPLIT|SPLT|SUB-?\s*DIVISION|CONSOL)"
)


def factor_of(purpose: str) -> Fraction:
    """
    Return by what a corporate action divides the price; 1 where its words do not tell.

    ``BONUS 1:1`` gives one new share for one held, so 2; ``FVSPLT FRM RS 10 TO
    RS 5`` makes two of one; a consolidation gives less than 1. Words that name
    both give the product.
    """
    words = purpose.upper()
    factor = Fraction(1)
    if bonus := _BONUS.search(words):
        new, held = int(bonus[1]), int(bonus[2])
        if held:
            factor *= Fraction(new + held, held)
    if split := _SPLIT.search(words):
        before, after = Fraction(split[1]), Fraction(split[2])
        if before and after:
            factor *= before / after
    return factor


def changes_price(purpose: str) -> bool:
    """Return whether an action changes what a share is; a dividend or interest does not."""
    return _PRICE_CHANGING.search(purpose.upper()) is not None
