"""When a seal is trusted, and when it is not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator.seal import SEAL_KEY, VERSION, intact
from tests.simulator.parquet_files import at, rows, write
from tests.simulator.sealed_files import forged, seal_of, sealed

COUNT = 10


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Three row groups of two instruments."""
    return sealed(tmp_path / "good.parquet", rows(COUNT, token=[2885, 3045] * 5))


def test_it_tells_what_checking_finds(good: Path) -> None:
    """Row groups with their times, days, instruments and how many rows each has."""
    seal = seal_of(good)
    assert seal is not None
    assert [(group.first, group.last) for group in seal.groups] == [
        (at("09:15:00"), at("09:15:03")),
        (at("09:15:04"), at("09:15:07")),
        (at("09:15:08"), at("09:15:09")),
    ]
    assert seal.days == {"2025-09-04": COUNT}
    assert seal.names == ((2885, None, None, None), (3045, None, None, None))
    assert seal.rows == (5, 5)


def test_its_row_groups_are_all_that_precedes_the_footer(good: Path) -> None:
    """No byte of a row is without a checksum."""
    seal = seal_of(good)
    assert seal is not None
    content = good.read_bytes()
    assert seal.groups[-1].end == len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def _by_pyarrow(path: Path, table: Any, entries: dict[bytes, bytes]) -> None:
    pq.write_table(table, path, row_group_size=4)


def _by_pyarrow_with_all_entries(path: Path, table: Any, entries: dict[bytes, bytes]) -> None:
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table, row_group_size=4)
        writer.add_key_value_metadata(entries)


def _by_pyarrow_into_the_schema(path: Path, table: Any, entries: dict[bytes, bytes]) -> None:
    pq.write_table(table.replace_schema_metadata(entries), path, row_group_size=4)


def _by_polars(path: Path, table: Any, entries: dict[bytes, bytes]) -> None:
    pl.DataFrame(table).write_parquet(path)


def _by_polars_with_the_seal(path: Path, table: Any, entries: dict[bytes, bytes]) -> None:
    seal = {SEAL_KEY: entries[SEAL_KEY.encode()].decode()}
    pl.DataFrame(table).write_parquet(path, metadata=seal, row_group_size=4)


def _by_pandas(path: Path, table: Any, entries: dict[bytes, bytes]) -> None:
    table.to_pandas().to_parquet(path, row_group_size=4)


@pytest.mark.parametrize(
    "write_anew",
    [
        _by_pyarrow,
        _by_pyarrow_with_all_entries,
        _by_pyarrow_into_the_schema,
        _by_polars,
        _by_polars_with_the_seal,
        _by_pandas,
    ],
)
@pytest.mark.parametrize("price", [1372.6, 1372.65, -1.0])
def test_who_writes_the_file_anew_breaks_it(
    good: Path, write_anew: Callable[[Path, Any, dict[bytes, bytes]], None], price: float
) -> None:
    """Whatever the program takes over from the footer, changed rows or none."""
    entries = dict(pq.read_metadata(good).metadata)
    table = pq.ParquetFile(good).read()
    prices = table["ltp"].to_pylist()
    prices[5] = price
    place = table.schema.get_field_index("ltp")
    write_anew(good, table.set_column(place, "ltp", pa.array(prices)), entries)
    assert seal_of(good) is None


def test_a_footer_that_is_changed_in_place_breaks_it(good: Path) -> None:
    """Any byte of it, also where the seal itself still reads the same."""
    content = good.read_bytes()
    entries = pq.read_metadata(good).metadata
    end = len(content) - 8
    for place in range(end - int.from_bytes(content[-8:-4], "little"), end, 7):
        changed = bytearray(content)
        changed[place] ^= 1
        good.write_bytes(changed)
        assert intact(good, entries) is None
    good.write_bytes(content)
    assert intact(good, entries) is not None


@pytest.mark.parametrize(
    "entry", [b"", b"{}", b"[]", b"\xff", b'{"version":1}', base64.b64encode(b"seal")]
)
def test_another_text_in_its_place_is_none(tmp_path: Path, entry: bytes) -> None:
    """It says nothing, and hurts nobody."""
    path = write(tmp_path / "a.parquet", rows(3))
    table = pq.ParquetFile(path).read()
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({SEAL_KEY: entry})
    assert seal_of(path) is None


def test_one_of_another_version_is_none(good: Path, tmp_path: Path) -> None:
    """What was checked then need not be what is checked now."""
    same = forged(tmp_path / "same.parquet", rows(COUNT, token=[2885, 3045] * 5), good)
    assert seal_of(same) is not None
    columns = rows(COUNT, token=[2885, 3045] * 5)
    other = forged(tmp_path / "other.parquet", columns, good, version=VERSION + 1)
    assert msgspec.json.decode(pq.read_metadata(other).metadata[SEAL_KEY.encode()])
    assert seal_of(other) is None
