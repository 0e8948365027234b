from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from simulator.facts import FIGURES, Measured, Minutes
from simulator.facts_page import page, value_text


def measured(values: dict[str, float | None], stocks: int, *, moves: bool = True) -> Measured:
    """A day of some stocks that was measured."""
    rng = np.random.default_rng(3)
    returns = rng.normal(0, 1e-3, (stocks, 375)) * moves
    prices = 10_000 * np.exp(np.cumsum(np.insert(returns, 0, 0, axis=1), axis=1))
    minutes = Minutes(0, prices, None, returns, np.ones((stocks, 375)) * moves)
    symbols = tuple(f"A&B{number}" for number in range(stocks))
    return Measured(date(2025, 9, 4), 1_000, stocks, symbols, values, minutes)


IN_RANGE: dict[str, float | None] = {f.name: (f.least + f.most) / 2 for f in FIGURES}


def test_a_page_tells_its_verdict() -> None:
    """All in range, or how many are not; what few stocks cannot say is marked."""
    text = page(measured(IN_RANGE, 30), "day.parquet")
    assert "Every figure that can be judged" in text
    assert "Thursday 2025-09-04" in text
    assert 'class="outside"' not in text
    text = page(measured(IN_RANGE | {"kurtosis": 99.0, "pairwise": 9.0}, 2), "day.parquet")
    assert f"1 of {len(FIGURES)} figures lie outside" in text
    assert "judged from 30 stocks on" in text
    assert text.count('<tr class="not-judged">') == 4


def test_names_are_escaped() -> None:
    """A file and a symbol may be called anything."""
    text = page(measured(IN_RANGE, 2), "<day>")
    assert "&lt;day&gt;" in text
    assert "<title>A&amp;B0 " in text


def test_a_day_without_moves_or_volume_has_a_page() -> None:
    """Where there is nothing to draw, nothing breaks."""
    nothing: dict[str, float | None] = dict.fromkeys(IN_RANGE)
    text = page(measured(nothing, 2, moves=False), "still.parquet")
    assert "The recording does not tell it." in text
    assert "nan" not in text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("kurtosis", 2.0, "2.000"), ("falling_volume", 1_234.0, "1,234"), ("off_grid", None, "–")],
)
def test_values_are_written_for_people(name: str, value: float | None, text: str) -> None:
    """Counts are whole; what is not known is a dash."""
    (figure,) = (figure for figure in FIGURES if figure.name == name)
    assert value_text(figure, value) == text


def test_a_page_may_load_and_run_nothing() -> None:
    """Its own policy forbids it."""
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in page(
        measured(IN_RANGE, 2), "day.parquet"
    )
