from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.columns import MAX_PRICE, MAX_QUANTITY, Int64Array
from simulator.texts import touchline_texts
from streamer.native import part
from streamer.odin.messages import Touchline, encode_plain_touchline, encode_touchline

SECOND = 10**9
KEYS = ((1, 2885), (3, 500_325), (1, 26_000))
PRICES = ("ltp", "atp", "bid_price", "ask_price", "open", "high", "low", "prev_close")
RANGES = ("week_52_high", "week_52_low")
QUANTITIES = (
    "ltq",
    "volume",
    "bid_qty",
    "ask_qty",
    "total_buy_qty",
    "total_sell_qty",
    "open_interest",
)

times = st.integers(631_152_000 * SECOND, 4_102_444_799 * SECOND)
prices = st.one_of(st.sampled_from([0, 1, 5, 99, 100, 9_995, 10_000]), st.integers(0, MAX_PRICE))
quantities = st.one_of(st.sampled_from([0, 1, 9, 10]), st.integers(0, MAX_QUANTITY))
one_row = st.fixed_dictionaries(
    {
        "ts": times,
        "ltt": st.one_of(st.just(0), times),
        "instrument": st.integers(0, len(KEYS) - 1),
        **dict.fromkeys((*PRICES, *RANGES), prices),
        **dict.fromkeys(QUANTITIES, quantities),
    }
)


def plain(row: dict[str, int]) -> bytes:
    """The text of one row, as it is written row by row."""
    touchline = Touchline(
        *KEYS[row["instrument"]],
        row["ltp"],
        row["ltq"],
        row["volume"],
        row["atp"],
        row["bid_qty"],
        row["bid_price"],
        row["ask_qty"],
        row["ask_price"],
        row["total_buy_qty"],
        row["total_sell_qty"],
        row["open"],
        row["high"],
        row["low"],
        row["prev_close"],
        row["ltt"],
        row["ts"],
        100,
        row["week_52_high"],
        row["week_52_low"],
        row["open_interest"],
    )
    return encode_touchline(touchline, row["ts"])


def direct(row: dict[str, int]) -> bytes:
    """The text of one row, as it is written from its figures."""
    names = (
        *("ltp", "ltq", "volume", "atp", "bid_qty", "bid_price", "ask_qty", "ask_price"),
        *("total_buy_qty", "total_sell_qty", "open", "high", "low", "prev_close", "ltt", "ts"),
        *("week_52_high", "week_52_low", "open_interest", "ts"),
    )
    return encode_plain_touchline(*KEYS[row["instrument"]], *(row[name] for name in names))


def column(rows: list[dict[str, int]], name: str) -> Int64Array:
    """One figure of all rows."""
    return np.array([row[name] for row in rows], dtype=np.int64)


LEAST = dict.fromkeys(("instrument", *PRICES, *RANGES, *QUANTITIES), 0) | {
    "ts": 1_756_957_500 * SECOND,
    "ltt": 0,
}


@given(rows=st.lists(one_row, min_size=1, max_size=20))
@example(rows=[LEAST, LEAST | {"ltp": 1, "prev_close": 2}, LEAST | {"ltp": 3, "prev_close": 2}])
@example(rows=[LEAST | {"ltp": 99_999, "prev_close": 100_000}])
def test_many_texts_are_those_of_each(rows: list[dict[str, int]]) -> None:
    """Whatever the figures, column by column or straight from them, the bytes are the same."""
    figures = {name: column(rows, name) for name in ("ltt", *PRICES, *RANGES, *QUANTITIES)}
    texts = touchline_texts(
        KEYS, column(rows, "ts"), column(rows, "instrument").astype(np.int32), figures
    )
    assert texts.texts() == [plain(row) for row in rows]
    assert texts.texts() == [direct(row) for row in rows]
    framed = b"".join(b"\x02%05d%b" % (len(text), text) for text in texts.texts())
    assert texts.framed[texts.marks[0] : texts.marks[-1]] == framed


PACKED = (
    *("ltp", "ltq", "volume", "atp", "bid_qty", "bid_price", "ask_qty", "ask_price"),
    *("total_buy_qty", "total_sell_qty", "open", "high", "low", "prev_close", "ltt", "ts"),
    *("locator", "week_52_high", "week_52_low", "open_interest", "sent"),
)
"""A row as it is packed; more may follow."""
DEPTH = (7, 8)

writing = part("simulator._writing", form=1)
needs_compiled = pytest.mark.skipif(writing is None, reason="no compiled writer is installed")


def packed(row: dict[str, int]) -> tuple[int, ...]:
    """A row as the writer is given it."""
    return (*((row | {"locator": 100, "sent": row["ts"]})[name] for name in PACKED), *DEPTH)


@needs_compiled
@given(
    rows=st.lists(
        st.builds(lambda row, ltt: row | {"ltt": ltt}, one_row, times | st.integers(-(10**18), 0)),
        min_size=1,
        max_size=20,
    )
)
@example(rows=[LEAST, LEAST | {"ltp": 1, "prev_close": 2}, LEAST | {"ltp": 3, "prev_close": 2}])
@example(rows=[LEAST | {"ts": day * 86_400 * SECOND} for day in range(3650, 40_000, 7)])
def test_compiled_texts_are_those_of_each(rows: list[dict[str, int]]) -> None:
    """One by one or side by side, whatever the figures and times, the bytes are the same."""
    figures = np.array([packed(row) for row in rows], dtype=np.int64)
    framed, marks = writing.run(
        np.array(KEYS, dtype=np.int64),
        figures,
        figures.shape[1],
        column(rows, "instrument").astype(np.int32),
    )
    wanted = [direct(row) for row in rows]
    assert framed == b"".join(b"\x02%05d%b" % (len(text), text) for text in wanted)
    ends = np.cumsum([0, *(len(text) + 6 for text in wanted)])
    assert np.frombuffer(marks, dtype=np.int64).tolist() == ends.tolist()
    size = figures.strides[0]
    assert [
        writing.text(*KEYS[row["instrument"]], figures, number * size)
        for number, row in enumerate(rows)
    ] == wanted


@needs_compiled
def test_what_cannot_be_written_compiled_is_told() -> None:
    """Rows that are none, instruments that are none, prices that nothing can be computed with."""
    figures = np.array([packed(LEAST)], dtype=np.int64)
    keys, first = np.array(KEYS, dtype=np.int64), np.zeros(1, dtype=np.int32)
    width = figures.shape[1]
    with pytest.raises(ValueError, match="found 23 numbers, expected 1 rows of 22"):
        writing.run(keys, figures, width - 1, first)
    for instrument in (-1, len(KEYS)):
        with pytest.raises(ValueError, match=f"found instrument {instrument}, expected 0 to 2"):
            writing.run(keys, figures, width, first + instrument)
    with pytest.raises(ValueError, match="found 184 bytes from 184 on, expected a row of 168"):
        writing.text(1, 2885, figures, figures.nbytes)
    for price in (-1, 2**50):
        figures[0, PACKED.index("ltp")] = price
        with pytest.raises(ValueError, match=f"found the prices {price} and 0"):
            writing.text(1, 2885, figures, 0)
        with pytest.raises(ValueError, match=f"found the prices {price} and 0"):
            writing.run(keys, figures, width, first)
