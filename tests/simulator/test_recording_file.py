"""Sealed files are opened without reading their rows, and are the same recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.recording import Recording
from streamer.errors import RecordingError
from streamer.instruments import Instrument, InstrumentTable
from tests.simulator.parquet_files import TABLE, at, frame, opened, rows, write
from tests.simulator.recording_strategies import MOMENTS, FullRow, columns_of, tapes
from tests.simulator.sealed_files import forged, seal_of, sealed

NAN = float("nan")
COUNT = 10
"""Three row groups: of four, four and two rows."""


def refusal_of_reading(recording: Recording) -> tuple[list[int], RecordingError]:
    """The times of the rows that come before an error, and the error."""
    found: list[int] = []
    try:
        for batch in recording.batches(recording.start, recording.end + 1):
            found += batch.ts.tolist()
    except RecordingError as error:
        return found, error
    pytest.fail("all rows were read")


@given(drawn=st.lists(tapes(), min_size=1, max_size=3), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_sealed_recording_is_the_same_recording(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: Sequence[tuple[list[str], list[FullRow]]],
    data: st.DataObject,
) -> None:
    """In every respect: instruments and their order, days, windows, rows."""
    folder = tmp_path_factory.mktemp("sealed")
    plain, marked = [], []
    for number, (columns, tape) in enumerate(drawn):
        size = data.draw(st.integers(1, 7))
        made = columns_of(columns, tape)
        plain.append(write(folder / f"{number}.parquet", made, row_group_size=size))
        marked.append(sealed(folder / f"{number}-sealed.parquet", made, row_group_size=size))
    one, other = opened(*plain), opened(*marked)
    assert set(other.sealed) == {True}
    assert set(one.sealed) == {False}
    assert (one.keys, one.instruments) == (other.keys, other.instruments)
    assert (one.rows, one.start, one.end, one.days) == (
        other.rows,
        other.start,
        other.end,
        other.days,
    )
    assert one.figure_columns == other.figure_columns
    assert frame(one).equals(frame(other))
    start, end = sorted(data.draw(st.tuples(st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))))
    keys = data.draw(st.none() | st.sets(st.sampled_from(one.keys)))
    for window in ((start, end), (one.start, one.end + 1)):
        assert one.count(*window, keys=keys) == other.count(*window, keys=keys)
        for mine, others in zip(
            one.batches(*window, keys=keys), other.batches(*window, keys=keys), strict=True
        ):
            assert np.array_equal(mine.ts, others.ts)
            assert np.array_equal(mine.instrument, others.instrument)


def test_opening_reads_no_row(tmp_path: Path) -> None:
    """Nobody hears of rows that are checked, and rows that cannot be read are no matter."""
    path = sealed(tmp_path / "a.parquet", rows(COUNT))
    seal = seal_of(path)
    assert seal is not None
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(seal.groups[-1].end - 4) + content[seal.groups[-1].end :])
    told: list[int] = []
    recording = Recording.open([path], instruments=TABLE, on_rows=told.append)
    assert (recording.rows, told) == (COUNT, [])


WRONG: dict[str, dict[str, Any]] = {
    "a price below 0": {"ltp": [1.0] * 6 + [-1.0] + [1.0] * 3},
    "no number": {"ltp": [1.0] * 6 + [NAN] + [1.0] * 3},
    "no price": {"ltp": [1.0] * 6 + [None] + [1.0] * 3},
    "off the paisa": {"ltp": [1.0] * 6 + [1.001] + [1.0] * 3},
    "a quantity below 0": {"volume": [1] * 6 + [-1] + [1] * 3},
    "an impossible token": {"token": [2885] * 6 + [-1] + [2885] * 3},
    "back in time": {
        "ts": [at("09:15") + second * 10**9 for second in (0, 1, 2, 3, 4, 5, 3, 7, 8, 9)]
    },
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_a_wrong_row_behind_a_seal_ends_the_reading_before_its_row_group(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    """With the very error that opening has for a file without a seal."""
    usual = rows(COUNT, volume=[1] * COUNT)
    good = sealed(tmp_path / "good.parquet", usual)
    path = forged(tmp_path / "a.parquet", usual | wrong, good)
    recording = opened(path)
    assert recording.sealed == (True,)
    found, error = refusal_of_reading(recording)
    assert found == [at("09:15") + second * 10**9 for second in range(4)]
    with pytest.raises(RecordingError) as opening:
        opened(write(path, usual | wrong, row_group_size=4))
    assert str(error) == str(opening.value)
    assert error.row == 6


def test_rows_about_others_than_those_of_the_seal_are_refused(tmp_path: Path) -> None:
    """Nobody would know their numbers."""
    good = sealed(tmp_path / "good.parquet", rows(COUNT))
    path = forged(tmp_path / "a.parquet", rows(COUNT, token=[2885] * 9 + [3045]), good)
    found, error = refusal_of_reading(opened(path))
    assert len(found) == 8
    assert (error.row_group, error.row, error.column, error.value) == (2, 9, "token", "3045")
    assert "no rows when the file was checked" in error.problem


def test_times_that_are_not_the_seals_are_refused(tmp_path: Path) -> None:
    """A row group would be looked for at the wrong place."""
    good = sealed(tmp_path / "good.parquet", rows(COUNT))
    later = [at("09:15") + second * 10**9 for second in (0, 1, 2, 3, 4, 5, 6, 8, 8, 9)]
    found, error = refusal_of_reading(
        opened(forged(tmp_path / "a.parquet", rows(COUNT, ts=later), good))
    )
    assert len(found) == 4
    assert (error.problem, error.row_group) == ("the times are not those of the seal", 1)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_a_flipped_bit_is_noticed_before_a_row_of_its_row_group(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    """Any bit of any row group: in a value, in the head of a page, in a dictionary."""
    path = sealed(tmp_path_factory.mktemp("flip") / "a.parquet", rows(COUNT, volume=range(COUNT)))
    seal = seal_of(path)
    assert seal is not None
    content = bytearray(path.read_bytes())
    at_byte = int(place * seal.groups[-1].end)
    content[at_byte] ^= 1 << bit
    path.write_bytes(content)
    number = sum(group.end <= at_byte for group in seal.groups)
    found, error = refusal_of_reading(opened(path))
    assert len(found) == 4 * number
    assert error.row_group == number
    assert "not those that were written" in error.problem


def test_only_what_is_read_is_checked(tmp_path: Path) -> None:
    """A window before the wrong row is replayed."""
    usual = rows(COUNT)
    good = sealed(tmp_path / "good.parquet", usual)
    path = forged(tmp_path / "a.parquet", usual | {"ltp": [1.0] * 9 + [-1.0]}, good)
    recording = opened(path)
    batches = recording.batches(recording.start, at("09:15:08"))
    assert sum(len(batch.ts) for batch in batches) == 8


def test_a_seal_that_goes_with_other_instruments_is_not_used(tmp_path: Path) -> None:
    """Its names may be unknown, or be names of one instrument, to whoever opens the file."""
    symbols = ["ALPHA", "BETA"] * 5
    known = InstrumentTable(
        Instrument(segment=1, token=token, symbol=symbol, exchange="NSE", series="EQ")
        for token, symbol in ((1, "ALPHA"), (2, "BETA"))
    )
    columns = rows(COUNT, token=["1", "2"] * 5, symbol=symbols)
    good = sealed(tmp_path / "good.parquet", columns)
    unknown = (("1", None, None, None), (None, "NONSUCH", None, None))
    path = forged(tmp_path / "a.parquet", columns, good, names=unknown)
    recording = Recording.open([path], instruments=known)
    assert recording.sealed == (False,)
    assert len(recording.keys) == 2
    same = (("1", None, None, None), ("01", None, None, None))
    path = forged(tmp_path / "b.parquet", columns, good, names=same)
    assert opened(path).sealed == (False,)


def test_sorting_reads_a_sealed_file_whole(tmp_path: Path) -> None:
    """It has to hold it anyway."""
    path = sealed(tmp_path / "a.parquet", rows(COUNT))
    recording = opened(path, sort=True)
    assert recording.sealed == (False,)
    assert len(frame(recording)) == COUNT


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_file_that_is_exchanged_is_refused(tmp_path: Path, is_sealed: bool) -> None:
    """Also if the other one is a good recording."""
    make = sealed if is_sealed else write
    path = make(tmp_path / "a.parquet", rows(COUNT))
    recording = opened(path)
    make(tmp_path / "b.parquet", rows(COUNT, ltp=[2.0] * COUNT)).replace(path)
    found, error = refusal_of_reading(recording)
    assert found == []
    assert error.problem == "the file has been changed"
    path.unlink()
    assert refusal_of_reading(recording)[1].problem == "the file has been changed"
