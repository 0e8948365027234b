from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.columns import (
    BY_NAME,
    COLUMNS,
    MAX_PRICE,
    UNTOLD,
    BadValue,
    nulls_of,
    numbers_of,
    to_integers,
)
from tests.simulator.parquet_files import rows, write

ROOT = Path(__file__).parents[2]


def test_names_are_given_once() -> None:
    """The schema has each name once; time and price are what a recording must tell."""
    assert len(BY_NAME) == len(COLUMNS)
    assert [column.name for column in COLUMNS if column.required] == ["ts", "ltp"]


def test_depth_has_five_levels() -> None:
    """The best level has no number, the others are 2 to 5."""
    prices = {name for name in BY_NAME if "_price" in name}
    assert prices == {
        f"{side}_price{tail}" for side in ("bid", "ask") for tail in ("", "_2", "_3", "_4", "_5")
    }


@given(st.lists(st.none() | st.integers(0, MAX_PRICE), max_size=20))
def test_nulls_of_optional_columns_are_untold(paise: list[int | None]) -> None:
    """A null is not told; every other price comes back to the paisa."""
    rupees = pa.array([None if p is None else p / 100 for p in paise], pa.float64())
    got = to_integers(BY_NAME["bid_price"], rupees)
    assert got.tolist() == [UNTOLD if p is None else p for p in paise]


@given(st.floats(0.01, 100_000) | st.integers(1, 10**9).map(lambda mils: mils / 1_000))
def test_a_price_is_exact_or_refused(price: float) -> None:
    """No price is moved by more than a millionth, or a quarter of a paisa."""
    array = pa.array([price], pa.float64())
    tolerance = min(price * 1e-4, 0.25)
    off = abs(price * 100 - round(price * 100))
    if off > tolerance:
        with pytest.raises(BadValue):
            to_integers(BY_NAME["ltp"], array)
    else:
        assert to_integers(BY_NAME["ltp"], array).tolist() == [round(price * 100)]


@pytest.mark.parametrize("rupees", [1372.6, 95.05, 15_752.3, 39_999.95])
def test_a_float_of_32_bits_is_noise_free_enough(rupees: float) -> None:
    """Prices that passed through 32-bit floats are the same prices."""
    array = pa.array([float(np.float32(rupees))], pa.float64())
    assert to_integers(BY_NAME["ltp"], array).tolist() == [round(rupees * 100)]


@pytest.mark.parametrize(("count", "unit"), [(5, "ns"), (2**62, "s"), (-(2**62), "ms")])
def test_times_that_python_cannot_show_are_refused_all_the_same(count: int, unit: str) -> None:
    """The value stands in the refusal as it stands in the file."""
    array = pa.array([count], pa.int64()).cast(pa.timestamp(unit, "UTC"))
    with pytest.raises(BadValue) as refused:
        to_integers(BY_NAME["ts"], array)
    assert refused.value.value == f"{count} {unit} since 1970"


@pytest.mark.parametrize(
    "type_",
    [
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
    ],
    ids=str,
)
@given(values=st.lists(st.none() | st.integers(0, 100), max_size=30), cut=st.integers(0, 30))
def test_numbers_are_read_as_arrow_has_them(
    type_: pa.DataType, values: list[int | None], cut: int
) -> None:
    """Of any type, also of a part of an array, and where they are null is told."""
    exact = [None if value is None else np.float16(value) for value in values]
    array = pa.array(exact if pa.types.is_float16(type_) else values, type_)[cut:]
    missing = nulls_of(array)
    assert missing.tolist() == [value is None for value in values[cut:]]
    read = numbers_of(array)
    assert len(read) == len(array)
    assert read[~missing].tolist() == [value for value in values[cut:] if value is not None]


def test_reading_does_not_import_pandas(tmp_path: Path) -> None:
    """Arrow would do so where it is installed, and that takes longer than all the rest."""
    program = (
        "import sys; from pathlib import Path\n"
        "from simulator.recording import Recording\n"
        "from streamer.instruments import InstrumentTable\n"
        "path = Path(sys.argv[1])\n"
        "recording = Recording.open([path], instruments=InstrumentTable.bundled())\n"
        "assert sum(len(b.ts) for b in recording.batches(recording.start, 2**62)) == 3\n"
        "sys.exit('pandas' in sys.modules)"
    )
    columns = rows(3, volume=[1, None, 2], bid_price=[None, 1.0, 2.0], symbol=["A", "A", "B"])
    path = write(tmp_path / "a.parquet", columns)
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, cwd=ROOT)
    assert done.returncode == 0
