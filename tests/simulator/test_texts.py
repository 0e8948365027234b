from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.columns import MAX_PRICE, MAX_QUANTITY, Int64Array
from simulator.texts import touchline_texts
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
