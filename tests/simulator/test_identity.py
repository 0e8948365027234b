from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.identity import BadName, Identities
from streamer.errors import RecordingError
from streamer.instruments import Instrument
from tests.simulator.parquet_files import TABLE, opened, rows, write


def instruments(tmp_path: Path, **columns: Any) -> list[Instrument]:
    """The instruments of a recording with these identity columns."""
    count = len(next(iter(columns.values())))
    path = write(tmp_path / "a.parquet", rows(count, **({"token": None} | columns)))
    return list(opened(path).instruments.values())


@pytest.mark.parametrize(
    "tokens",
    [
        [2885],
        pa.array([2885], pa.int32()),
        ["2885"],
        [" 2885 "],
        pa.array(["2885"], pa.large_string()),
    ],
)
def test_token_as_number_or_text(tmp_path: Path, tokens: Any) -> None:
    """A token may be a number or its text."""
    (found,) = instruments(tmp_path, token=tokens)
    assert (found.key, found.symbol) == ((1, 2885), "RELIANCE")


@pytest.mark.parametrize(
    "symbols",
    [
        pa.array(["SBIN", None, "TCS", "SBIN"]).dictionary_encode(),
        pa.array(["SBIN", None, "TCS", "SBIN"], pa.string_view()),
        pl.Series(["SBIN", None, "TCS", "SBIN"], dtype=pl.Categorical).to_arrow(),
        pl.Series(["SBIN", None, "TCS", "SBIN"], dtype=pl.Enum(["TCS", "SBIN"])).to_arrow(),
    ],
    ids=["dictionary", "view", "categorical", "enum"],
)
def test_text_however_it_is_stored(tmp_path: Path, symbols: Any) -> None:
    """Texts may be stored as polars and pandas store them, categories included."""
    found = instruments(tmp_path, symbol=symbols, token=[None, 2885, None, None])
    assert [instrument.symbol for instrument in found] == ["SBIN", "RELIANCE", "TCS"]


def test_instruments_are_in_the_order_of_first_rows(tmp_path: Path) -> None:
    """The order of instruments is that of their first rows, file after file."""
    one = write(tmp_path / "a.parquet", rows(3, token=[3045, 2885, 3045]))
    two = write(tmp_path / "b.parquet", rows(2, token=[11536, 2885]))
    assert opened(one, two).keys == ((1, 3045), (1, 2885), (1, 11536))


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"symbol": ["SBIN"]}, (1, 3045)),
        ({"symbol": ["sbin"]}, (1, 3045)),
        ({"symbol": ["NIFTY"]}, (1, 26000)),
        ({"symbol": ["SBIN"], "exchange": ["BSE"]}, (3, 500112)),
        ({"symbol": ["SBIN"], "segment": ["BSE"]}, (3, 500112)),
        ({"symbol": ["SBIN"], "segment": [3]}, (3, 500112)),
        ({"symbol": ["SBIN"], "exchange": ["NSE"], "segment": ["EQ"]}, (1, 3045)),
        ({"token": [500112]}, (3, 500112)),
        ({"token": [500112], "exchange": ["NSE"]}, (1, 500112)),
        ({"token": [2885], "exchange": ["bse"]}, (3, 2885)),
        ({"token": [2885], "segment": [2]}, (2, 2885)),
        ({"token": [2885], "segment": ["2"], "exchange": ["NSE"]}, (2, 2885)),
        ({"token": [356]}, (1, 356)),
        ({"token": [2885], "exchange": pa.array([None], pa.string())}, (1, 2885)),
        ({"token": pa.array([None], pa.int64()), "symbol": ["TCS"]}, (1, 11536)),
    ],
)
def test_which_instrument_is_meant(
    tmp_path: Path, columns: dict[str, Any], key: tuple[int, int]
) -> None:
    """Token, symbol, exchange and segment together name one instrument."""
    assert [instrument.key for instrument in instruments(tmp_path, **columns)] == [key]


def test_token_and_symbol_need_no_list(tmp_path: Path) -> None:
    """A row with token and symbol is understood though no list knows either."""
    (found,) = instruments(tmp_path, token=[99_001], symbol=["NEWCO"])
    assert found == Instrument(1, 99_001, "NEWCO", "NSE", "EQ")


def test_an_unlisted_index_says_so_itself(tmp_path: Path) -> None:
    """The segment INDEX makes an unlisted instrument an index."""
    (found,) = instruments(tmp_path, token=[26_999], symbol=["NIFTY TEST"], segment=["INDEX"])
    assert (found.kind, found.series) == ("index", "INDEX")


def test_a_token_alone_is_its_own_symbol(tmp_path: Path) -> None:
    """A token that no list knows is called by its number."""
    (found,) = instruments(tmp_path, token=[99_001])
    assert found.symbol == "99001"


def test_the_recording_is_right_about_its_symbols(tmp_path: Path) -> None:
    """Where the list has another name for the token, the recording's stands."""
    (found,) = instruments(tmp_path, token=[2885], symbol=["OLDNAME"])
    assert (found.key, found.symbol, found.isin) == ((1, 2885), "OLDNAME", "")


def test_an_alias_is_the_instrument_of_the_list(tmp_path: Path) -> None:
    """A customary name beside the right token changes nothing."""
    (found,) = instruments(tmp_path, token=[26000], symbol=["NIFTY"])
    assert found.symbol == "NIFTY 50"


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"token": [2885], "exchange": ["NSE"], "segment": ["BSE"]}, "segment"),
        ({"token": [2885], "segment": [99]}, "segment"),
        ({"symbol": ["SBIN"], "segment": [2]}, "symbol"),
        ({"symbol": [" "]}, "token"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, columns: dict[str, Any], column: str) -> None:
    """Words that do not go together name no instrument."""
    with pytest.raises(RecordingError) as caught:
        instruments(tmp_path, **columns)
    assert (caught.value.row, caught.value.column) == (0, column)


ROWS = st.tuples(
    st.sampled_from([2885, 3045, 99_001, None]),
    st.sampled_from(["RELIANCE", " SBIN", "NEWCO"]),
    st.sampled_from(["NSE", "BSE", "XSE", None]),
)


@given(st.lists(st.lists(ROWS, min_size=1, max_size=8), min_size=1, max_size=5), st.booleans())
def test_what_was_read_before_changes_nothing(
    batches: list[list[tuple[int | None, str, str | None]]], as_categories: bool
) -> None:
    """Each row is about the same instrument, or refused for the same reason, in any batch."""
    identities = Identities(TABLE)
    for batch in batches:
        alone = [meant([row], as_categories) for row in batch]
        bad = next((at for at, found in enumerate(alone) if isinstance(found, str)), None)
        if bad is None:
            numbers = identities.number(columns_of(batch, as_categories), len(batch))
            keys = list(identities.instruments)
            assert [keys[number] for number in numbers] == alone
        else:
            with pytest.raises(BadName) as caught:
                identities.number(columns_of(batch, as_categories), len(batch))
            assert (caught.value.row, str(caught.value)) == (bad, alone[bad])


def meant(
    batch: list[tuple[int | None, str, str | None]], as_categories: bool
) -> tuple[int, int] | str:
    """The instrument of a batch's one row, or why it is refused, to one who has read no other."""
    identities = Identities(TABLE)
    try:
        identities.number(columns_of(batch, as_categories), 1)
    except BadName as bad:
        return str(bad)
    (key,) = identities.instruments
    return key


def columns_of(
    batch: list[tuple[int | None, str, str | None]], as_categories: bool
) -> dict[str, pa.Array]:
    """A batch's identity columns, the texts as such or by dictionary."""
    tokens, symbols, exchanges = zip(*batch, strict=True)
    texts = [pa.array(symbols, pa.string()), pa.array(exchanges, pa.string())]
    if as_categories:
        texts = [text.dictionary_encode() for text in texts]
    return {
        "token": pa.array(tokens, pa.int32()),
        "symbol": texts[0],
        "exchange": texts[1],
    }
