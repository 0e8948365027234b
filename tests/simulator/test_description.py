from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.description import describe
from simulator.recording_file import METADATA_KEY
from tests.simulator.parquet_files import TABLE, at, frame, opened, rows, write
from tests.simulator.recording_strategies import FullRow, columns_of, tapes


@given(tape=tapes(), size=st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_figures_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, tape: tuple[list[str], list[FullRow]], size: int
) -> None:
    """However the rows are cut: counts by instrument and day, the busiest second."""
    columns, told = tape
    path = tmp_path_factory.mktemp("describe") / "a.parquet"
    write(path, columns_of(columns, told), row_group_size=size)
    found = describe([path], table=TABLE)
    table = frame(opened(path))
    assert (found.rows, found.start, found.end) == (len(told), told[0][0], told[-1][0])
    tokens = [token for _, token, _ in told]
    assert {each.token: rows for each, rows in found.instruments} == {
        token: tokens.count(token) for token in tokens
    }
    seconds, counts = np.unique(table["ts"].to_numpy() // 10**9, return_counts=True)
    assert found.seconds == len(seconds)
    assert found.busiest == (int(seconds[counts.argmax()]) * 10**9, int(counts.max()))
    assert sum(found.days.values()) == found.rows


def test_nights_are_left_out_of_the_rate(tmp_path: Path) -> None:
    """Rows a second while there are rows, on more than one day."""
    moments = [at("09:15"), at("09:15:09"), at("09:15", date(2025, 9, 5))]
    one = write(tmp_path / "one.parquet", rows(2, ts=moments[:2]))
    two = write(tmp_path / "two.parquet", rows(3, ts=moments))
    assert describe([one], table=TABLE).rate == pytest.approx(2 / 9)
    assert describe([two], table=TABLE).rate == 1.0


@pytest.mark.parametrize(
    ("footers", "simulated"),
    [
        (['{"simulated": true}'], True),
        (['{"simulated": false}'], False),
        (["{}"], None),
        (['{"simulated": true}', "{}"], True),
        (['{"simulated": false}', "{}"], None),
    ],
)
def test_simulated_is_what_the_footers_say(
    tmp_path: Path, footers: list[str], simulated: bool | None
) -> None:
    """One simulated file is enough; what a file does not say is not made up."""
    paths = [
        write(tmp_path / f"{number}.parquet", rows(1), metadata={METADATA_KEY: footer})
        for number, footer in enumerate(footers)
    ]
    assert describe(paths, table=TABLE).simulated is simulated
