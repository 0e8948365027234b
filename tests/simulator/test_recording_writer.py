"""What is written is checked, sealed, and otherwise what pyarrow would write."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator.recording_writer import RecordingWriter
from simulator.seal import SEAL_KEY
from streamer.errors import RecordingError
from tests.simulator.parquet_files import opened, rows
from tests.simulator.sealed_files import seal_of, sealed, table_of


def test_the_rows_are_as_pyarrow_writes_them(tmp_path: Path) -> None:
    """Byte for byte, up to the footer, which says what it would say and the seal."""
    table = table_of(rows(10)).replace_schema_metadata({"odin-streamer": "{}"})
    one, other = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(table, one, row_group_size=4, compression="zstd")
    with RecordingWriter(other, table.schema, compression="zstd") as writer:
        for at in range(0, 10, 4):
            writer.write(table.slice(at, 4))
    seal = seal_of(other)
    assert seal is not None
    end = seal.groups[-1].end
    assert one.read_bytes()[:end] == other.read_bytes()[:end]
    entries = dict(pq.read_metadata(other).metadata)
    assert entries.pop(SEAL_KEY.encode())
    assert entries == pq.read_metadata(one).metadata


def test_the_same_rows_make_the_same_file(tmp_path: Path) -> None:
    """The seal too depends on nothing else."""
    one, other = (sealed(tmp_path / f"{name}.parquet", rows(10)) for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_empty_tables_are_no_row_groups(tmp_path: Path) -> None:
    """A reader would have nothing of them."""
    table = table_of(rows(3))
    path = tmp_path / "a.parquet"
    with RecordingWriter(path, table.schema) as writer:
        for part in (table.slice(0, 0), table.slice(0, 2), table.slice(2, 0), table.slice(2, 1)):
            writer.write(part)
    assert pq.read_metadata(path).num_row_groups == 2
    assert opened(path).sealed == (True,)


@pytest.mark.parametrize("wrong", ["a price below 0", "back in time"])
def test_a_file_that_could_not_be_replayed_gets_no_seal(tmp_path: Path, wrong: str) -> None:
    """Its rows are written all the same, and it is refused when it is opened."""
    table = table_of(rows(3))
    bad = table.slice(0, 1)
    if wrong == "a price below 0":
        place = table.schema.get_field_index("ltp")
        bad = table.slice(2).set_column(place, "ltp", pa.array([-1.0]))
    path = tmp_path / "a.parquet"
    with RecordingWriter(path, table.schema) as writer:
        for part in (table.slice(1), bad, table.slice(2)):
            writer.write(part)
    assert pq.ParquetFile(path).read()["ltp"].to_pylist()[:2] == [1372.6] * 2
    assert pq.read_metadata(path).num_rows == 4
    assert SEAL_KEY.encode() not in pq.read_metadata(path).metadata
    with pytest.raises(RecordingError) as caught:
        opened(path)
    assert caught.value.row_group == 1


def test_what_ends_with_an_error_gets_no_seal(tmp_path: Path) -> None:
    """It is not known to be whole."""
    table = table_of(rows(3))
    path = tmp_path / "a.parquet"
    with suppress(KeyError), RecordingWriter(path, table.schema) as writer:
        writer.write(table)
        raise KeyError
    assert opened(path).sealed == (False,)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As by any writer."""
    with pytest.raises(FileNotFoundError):
        RecordingWriter(tmp_path / "none" / "a.parquet", table_of(rows(1)).schema)
