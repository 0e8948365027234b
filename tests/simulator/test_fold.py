from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.fold import FIGURES, DayFold
from streamer.calendar import TradingCalendar
from tests.simulator.parquet_files import at, opened, rows, write
from tests.simulator.plain_fold import PlainDay
from tests.simulator.recording_strategies import FullRow, columns_of, tapes

CALENDAR = TradingCalendar.bundled()


@given(tape=tapes(), size=st.integers(1, 20))
@settings(max_examples=150)
def test_every_figure_is_as_in_the_plain_model(
    tmp_path_factory: pytest.TempPathFactory, tape: tuple[list[str], list[FullRow]], size: int
) -> None:
    """Whatever rows tell and however they are cut into batches, each figure follows the rules."""
    columns, told = tape
    path = tmp_path_factory.mktemp("fold") / "a.parquet"
    recording = opened(write(path, columns_of(columns, told), row_group_size=size))
    fold = DayFold(len(recording.keys), recording.figure_columns, CALENDAR)
    days = {key: PlainDay("volume" in columns) for key in recording.keys}
    row = 0
    for batch in recording.batches(recording.start, recording.end + 1):
        folded = fold.fold(batch)
        assert set(folded.figures) == set(FIGURES)
        for position in range(len(batch.ts)):
            ts, token, figures = told[row]
            expected = days[(1, token)].fold(ts, figures)
            got = {name: int(values[position]) for name, values in folded.figures.items()}
            assert got == expected, f"row {row}"
            row += 1
    assert row == len(told)


@given(tape=tapes(), size=st.integers(1, 20), data=st.data())
@settings(max_examples=60)
def test_a_packed_state_goes_on_as_it_would_have(
    tmp_path_factory: pytest.TempPathFactory,
    tape: tuple[list[str], list[FullRow]],
    size: int,
    data: st.DataObject,
) -> None:
    """Wherever it is packed: its copy folds the same figures, and it takes no more memory."""
    columns, told = tape
    path = tmp_path_factory.mktemp("fold") / "a.parquet"
    recording = opened(write(path, columns_of(columns, told), row_group_size=size))
    batches = list(recording.batches(recording.start, recording.end + 1))
    cut = data.draw(st.integers(0, len(batches)))
    fold = DayFold(len(recording.keys), recording.figure_columns, CALENDAR)
    for batch in batches[:cut]:
        fold.fold(batch)
    packed = fold.packed()
    assert packed.size_bytes <= fold.size_bytes
    twin = packed.copy()
    for batch in batches[cut:]:
        one, other = fold.fold(batch), twin.fold(batch)
        for name in FIGURES:
            assert one.figures[name].tolist() == other.figures[name].tolist()
    states = [each.latest(recording.end).figures["ltp"].tolist() for each in (fold, twin)]
    assert states[0] == states[1]


def test_a_day_without_volume_sums_its_trades(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where no volume is told, the quantities of the trades add up to it."""
    path = tmp_path_factory.mktemp("fold") / "a.parquet"
    recording = opened(write(path, rows(4, ltp=[10, 20, 30, 30], ltq=[5, None, 10, 5])))
    fold = DayFold(1, recording.figure_columns, CALENDAR)
    (batch,) = recording.batches(recording.start, recording.end + 1)
    folded = fold.fold(batch)
    assert folded.figures["volume"].tolist() == [5, 5, 15, 20]
    # (5 x 10 + 10 x 30 + 5 x 30) / 20 = 25
    assert folded.figures["atp"].tolist() == [1000, 1000, 2333, 2500]


def test_indicative_prices_are_no_trades(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Before 09:15 a price opens the day only if something traded at it."""
    path = tmp_path_factory.mktemp("fold") / "a.parquet"
    moments = [at("09:01"), at("09:08"), at("09:15"), at("09:16")]
    columns = rows(4, ts=moments, ltp=[90, 100, 99, 101], volume=[0, 500, 600, 700])
    recording = opened(write(path, columns))
    fold = DayFold(1, recording.figure_columns, CALENDAR)
    (batch,) = recording.batches(recording.start, recording.end + 1)
    folded = fold.fold(batch)
    assert folded.figures["open"].tolist() == [0, 10000, 10000, 10000]
    assert folded.figures["high"].tolist() == [0, 10000, 10000, 10100]
    assert folded.figures["low"].tolist() == [0, 10000, 9900, 9900]


def test_an_average_beyond_all_prices_is_unknown(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Turnover that no 64-bit integer holds gives no average price rather than a wrong one."""
    path = tmp_path_factory.mktemp("fold") / "a.parquet"
    recording = opened(write(path, rows(1, ltp=[10_000_000.0], volume=[10**15])))
    fold = DayFold(1, recording.figure_columns, CALENDAR)
    (batch,) = recording.batches(recording.start, recording.end + 1)
    assert fold.fold(batch).figures["atp"].tolist() == [0]
