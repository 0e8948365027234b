from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.columns import UNTOLD
from simulator.recording import Recording
from streamer.errors import RecordingError
from tests.simulator.parquet_files import (
    DAY,
    REAL_DATA,
    TABLE,
    at,
    frame,
    opened,
    rows,
    times,
    write,
)

NAN = float("nan")


def refusal(path: Path, *more: Path) -> RecordingError:
    """The error with which files are refused."""
    with pytest.raises(RecordingError) as caught:
        opened(path, *more)
    return caught.value


class TestWhatIsRead:
    """Every accepted type of a column means the same."""

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "+05:30"])
    def test_times_of_any_unit_and_zone(self, tmp_path: Path, unit: str, zone: str) -> None:
        """A time is a moment, whatever unit and zone it is written in."""
        moments: list[int | None] = [at("09:15"), at("09:15:01")]
        path = write(tmp_path / "a.parquet", rows(2, ts=times(moments, unit, zone)))
        assert frame(opened(path))["ts"].to_list() == moments

    @pytest.mark.parametrize(
        "prices",
        [
            [1365.5, 95.05],
            pa.array([1365.5, 95.05], type=pa.float32()),
            [Decimal("1365.50"), Decimal("95.05")],
            pa.array([Decimal("1365.5000"), Decimal("95.0500")], type=pa.decimal128(12, 4)),
        ],
        ids=["float64", "float32", "decimal", "decimal of four places"],
    )
    def test_prices_of_any_type(self, tmp_path: Path, prices: Any) -> None:
        """Rupees become whole paise."""
        path = write(tmp_path / "a.parquet", rows(2, ltp=prices))
        assert frame(opened(path))["ltp"].to_list() == [136550, 9505]

    def test_whole_rupees(self, tmp_path: Path) -> None:
        """An integer price is in rupees as well, not in paise."""
        path = write(tmp_path / "a.parquet", rows(2, ltp=[1365, 1366]))
        assert frame(opened(path))["ltp"].to_list() == [136500, 136600]

    @given(paise=st.lists(st.integers(1, 1_000_000_000), min_size=1, max_size=50))
    @settings(max_examples=50)
    def test_every_price_survives_as_a_float(
        self, tmp_path_factory: pytest.TempPathFactory, paise: list[int]
    ) -> None:
        """Every price up to ten million rupees, written as a float, comes back to the paisa."""
        path = tmp_path_factory.mktemp("prices") / "a.parquet"
        write(path, rows(len(paise), ltp=[price / 100 for price in paise]))
        assert frame(opened(path))["ltp"].to_list() == paise

    def test_quantities_as_floats(self, tmp_path: Path) -> None:
        """Whole floats are quantities: pandas makes them of integers with gaps."""
        path = write(tmp_path / "a.parquet", rows(3, volume=[1.0, None, 3e9]))
        assert frame(opened(path))["volume"].to_list() == [1, UNTOLD, 3_000_000_000]

    @pytest.mark.parametrize("type_", [pa.int8(), pa.uint16(), pa.int32(), pa.uint64()], ids=str)
    def test_quantities_of_any_integer_type(self, tmp_path: Path, type_: Any) -> None:
        """Quantities may be integers of any width."""
        path = write(tmp_path / "a.parquet", rows(2, ltq=pa.array([1, None], type=type_)))
        assert frame(opened(path))["ltq"].to_list() == [1, UNTOLD]

    def test_average_price_is_rounded(self, tmp_path: Path) -> None:
        """An average need not lie on the paisa."""
        path = write(tmp_path / "a.parquet", rows(2, atp=[100.126, None]))
        assert frame(opened(path))["atp"].to_list() == [10013, UNTOLD]

    def test_unknown_columns_are_named(self, tmp_path: Path) -> None:
        """What is not part of the schema is ignored, and said to be."""
        path = write(tmp_path / "a.parquet", rows(1, colour=["red"], note=[{"a": 1}]))
        assert opened(path).ignored_columns == ("colour", "note")

    def test_footer_says_where_it_comes_from(self, tmp_path: Path) -> None:
        """The footer's entry is handed on; a footer without it, or a broken one, says nothing."""
        told = write(tmp_path / "a.parquet", rows(1), metadata={"odin-streamer": '{"seed": 7}'})
        broken = write(tmp_path / "b.parquet", rows(1), metadata={"odin-streamer": "{"})
        assert opened(told, broken).metadata == ({"seed": 7}, {})

    def test_shape(self, tmp_path: Path) -> None:
        """A recording knows its rows, its time span and its days."""
        moments = [at("15:29"), at("09:15", date(2025, 9, 5)), at("09:16", date(2025, 9, 5))]
        recording = opened(write(tmp_path / "a.parquet", rows(3, ts=moments)))
        assert (recording.rows, recording.start, recording.end) == (3, moments[0], moments[2])
        assert recording.days == {date(2025, 9, 4): 1, date(2025, 9, 5): 2}

    def test_rows_groups_without_rows(self, tmp_path: Path) -> None:
        """An empty row group between others is no end."""
        table = pa.table(rows(2) | {"ts": times([at("09:15"), at("09:16")])})
        with pq.ParquetWriter(tmp_path / "a.parquet", table.schema) as writer:
            for part in (table.slice(0, 1), table.slice(0, 0), table.slice(1, 1)):
                writer.write_table(part)
        assert len(frame(opened(tmp_path / "a.parquet"))) == 2


class TestRefusals:
    """A file that cannot be replayed is refused with the place and what was expected there."""

    @pytest.mark.parametrize("name", ["ts", "ltp"])
    def test_missing_column(self, tmp_path: Path, name: str) -> None:
        """A required column that is not there is named."""
        error = refusal(write(tmp_path / "a.parquet", rows(1, **{name: None})))
        assert (error.column, error.problem) == (name, "the column is missing")
        assert error.file == str(tmp_path / "a.parquet")

    def test_neither_token_nor_symbol(self, tmp_path: Path) -> None:
        """One of token and symbol must be there."""
        error = refusal(write(tmp_path / "a.parquet", rows(1, token=None)))
        assert (error.column, error.problem) == ("token", "the column is missing")
        assert error.expected == "a column token, or a column symbol"

    @pytest.mark.parametrize(
        ("name", "values", "problem"),
        [
            ("ts", pa.array(["09:15"]), "the column holds string"),
            ("ts", pa.array([1_756_957_500]), "the column holds int64"),
            ("ts", times([at("09:15")], zone=None), "the column has no time zone"),
            ("token", [1.5], "the column holds double"),
            ("symbol", [7], "the column holds int64"),
            ("exchange", [1], "the column holds int64"),
            ("ltp", ["1372.60"], "the column holds string"),
            ("ltp", [True], "the column holds bool"),
            ("volume", ["many"], "the column holds string"),
            ("volume", [Decimal(1)], "the column holds decimal128(1, 0)"),
            ("bid_price", [[1.0, 2.0]], "the column holds list<element: double>"),
        ],
    )
    def test_wrong_type(self, tmp_path: Path, name: str, values: Any, problem: str) -> None:
        """A column of a type that cannot mean what it should is refused before a row is read."""
        error = refusal(write(tmp_path / "a.parquet", rows(1, **{name: values})))
        assert (error.column, error.row) == (name, None)
        assert error.problem in (problem, problem.replace("element", "item"))

    @pytest.mark.parametrize(
        ("name", "bad", "problem"),
        [
            ("ts", None, "the value is missing"),
            ("ltp", None, "the value is missing"),
            ("ltp", NAN, "the value is no number"),
            ("ltp", float("inf"), "the value is no number"),
            ("ltp", 0.0, "the price is out of range"),
            ("ltp", -1.0, "the price is out of range"),
            ("ltp", 10_000_000.01, "the price is out of range"),
            ("ltp", 100.005, "the price is no whole number of paise"),
            ("bid_price", -0.05, "the price is out of range"),
            ("high", NAN, "the value is no number"),
            ("open", 100.001, "the price is no whole number of paise"),
            ("atp", -1.0, "the price is out of range"),
            ("volume", -1.0, "the quantity is out of range"),
            ("volume", 1.5, "the quantity is no whole number"),
            ("volume", NAN, "the value is no number"),
            ("volume", 1e16, "the quantity is out of range"),
            ("token", None, "the row has neither token nor symbol"),
            ("token", "12a", "the token is no number"),
            ("token", "0", "the token is no number"),
            ("token", str(2**31), "the token is no number"),
            ("exchange", "NYSE", "the exchange is not known"),
            ("segment", "5", "the segment is not known"),
            ("segment", "FO", "the segment is not known"),
            ("segment", "3", "the segment is not one of NSE"),
        ],
    )
    def test_bad_value_is_found_wherever_it_is(
        self, tmp_path: Path, name: str, bad: Any, problem: str
    ) -> None:
        """One bad value deep in a file is named by row group, row, column and value."""
        good: dict[str, Any] = {
            "ts": at("10:00"),
            "ltp": 1372.6,
            "token": "2885",
            "exchange": "NSE",
            "segment": "1",
        }
        values = [good.get(name, 1.0)] * 50
        if name == "ts":
            values = [at("10:00") + second * 10**9 for second in range(50)]
        values[37] = bad
        columns = rows(50, token=["2885"] * 50, exchange=["NSE"] * 50)
        path = write(tmp_path / "a.parquet", columns | {name: values}, row_group_size=20)
        error = refusal(path)
        assert (error.row_group, error.row, error.column) == (1, 37, name)
        assert error.problem == problem
        assert error.value is not None
        assert error.value in (str(bad), "null", "None", repr(bad))
        assert f"row group 1, row 37, column '{name}'" in str(error)

    def test_negative_integer_quantity(self, tmp_path: Path) -> None:
        """An integer below 0 is no quantity."""
        error = refusal(write(tmp_path / "a.parquet", rows(3, ltq=[1, 2, -3])))
        assert (error.row, error.column, error.value) == (2, "ltq", "-3")

    @pytest.mark.parametrize(
        "bad", [0, at("09:15", date(1989, 12, 31)), at("09:15", date(2101, 1, 1))]
    )
    def test_time_out_of_range(self, tmp_path: Path, bad: int) -> None:
        """A time of another age is a defect of the recorder."""
        error = refusal(write(tmp_path / "a.parquet", rows(1, ts=[bad])))
        assert (error.problem, error.row, error.column) == ("the time is out of range", 0, "ts")

    @pytest.mark.parametrize("row_group_size", [3, 4, 100])
    def test_time_going_back(self, tmp_path: Path, row_group_size: int) -> None:
        """Time going back is refused, within a row group and from one to the next."""
        moments = [at("09:15") + second * 10**9 for second in (0, 1, 2, 5, 4, 6)]
        path = write(tmp_path / "a.parquet", rows(6, ts=moments), row_group_size=row_group_size)
        error = refusal(path)
        assert (error.problem, error.row, error.column) == ("time goes back", 4, "ts")
        assert error.row_group == 4 // row_group_size
        assert error.value == "2025-09-04 09:15:04.000000000 IST"
        assert error.expected == "2025-09-04 09:15:05.000000000 IST or later, or the option to sort"

    def test_unknown_symbol_without_token(self, tmp_path: Path) -> None:
        """A symbol that no list knows says nothing without its token."""
        symbols = ["SBIN", "NO-SUCH", "SBIN"]
        error = refusal(write(tmp_path / "a.parquet", rows(3, token=None, symbol=symbols)))
        assert (error.row, error.column, error.value) == (1, "symbol", "NO-SUCH")
        assert error.problem == "the symbol is not known"

    def test_no_rows(self, tmp_path: Path) -> None:
        """A file without rows is refused."""
        path = write(tmp_path / "a.parquet", rows(0, ts=times([]), ltp=pa.array([], pa.float64())))
        table = pq.read_table(path).cast(
            pa.schema(
                [("ts", pa.timestamp("ns", "UTC")), ("token", pa.int64()), ("ltp", pa.float64())]
            )
        )
        pq.write_table(table, path)
        assert refusal(path).problem == "the file has no rows"

    def test_missing_file(self, tmp_path: Path) -> None:
        """A file that is not there is refused."""
        assert refusal(tmp_path / "a.parquet").problem == "there is no such file"

    def test_no_file(self) -> None:
        """A recording needs a file."""
        with pytest.raises(RecordingError, match="there is no file"):
            opened()

    @pytest.mark.parametrize("content", [b"", b"ts,token,ltp\n", b"PAR1" + bytes(100) + b"PAR1"])
    def test_not_a_parquet_file(self, tmp_path: Path, content: bytes) -> None:
        """Any other file is refused."""
        path = tmp_path / "a.parquet"
        path.write_bytes(content)
        assert refusal(path).problem.startswith("the file cannot be read as Parquet (")

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is refused."""
        assert refusal(tmp_path).problem.startswith("the file cannot be read as Parquet (")

    def test_damaged_row_group(self, tmp_path: Path) -> None:
        """Damage inside a row group is found before the replay, and the row group is named."""
        noise = np.random.default_rng(1).integers(1, 10**6, 4_000) / 100
        path = write(tmp_path / "a.parquet", rows(4_000, ltp=noise), row_group_size=2_000)
        metadata = pq.ParquetFile(path).metadata
        column = metadata.row_group(1).column(2)
        damaged = bytearray(path.read_bytes())
        start = column.dictionary_page_offset or column.data_page_offset
        damaged[start : start + column.total_compressed_size] = (
            b"\xff" * column.total_compressed_size
        )
        path.write_bytes(damaged)
        error = refusal(path)
        assert error.problem.startswith("the row group cannot be read (")
        assert error.row_group == 1

    def test_column_twice(self, tmp_path: Path) -> None:
        """Two columns of one name leave open which is meant."""
        table = pa.Table.from_arrays(
            [times([at("09:15")]), pa.array([2885]), pa.array([1.0]), pa.array([2.0])],
            names=["ts", "token", "ltp", "ltp"],
        )
        pq.write_table(table, tmp_path / "a.parquet")
        error = refusal(tmp_path / "a.parquet")
        assert (error.problem, error.column) == ("the column is there twice", "ltp")

    def test_the_bad_file_of_several_is_named(self, tmp_path: Path) -> None:
        """Of several files the error names the bad one."""
        good = write(tmp_path / "good.parquet", rows(2))
        bad = write(tmp_path / "bad.parquet", rows(2, ltp=[1.0, -1.0]))
        assert refusal(good, bad).file == str(bad)


class TestOrder:
    """Rows come in the order (time, file, row), whatever the files are like inside."""

    @given(data=st.data())
    @settings(max_examples=60)
    def test_total_order(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """Any files, cut into any row groups, are merged by time, then file, then row."""
        folder = tmp_path_factory.mktemp("order")
        expected: list[tuple[int, int, int]] = []
        paths = []
        for file in range(data.draw(st.integers(1, 4))):
            seconds = sorted(data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=12)))
            moments = [at("09:15") + second * 10**9 for second in seconds]
            ids = [file * 100 + row for row in range(len(seconds))]
            expected += [(moment, file, row) for row, moment in enumerate(moments)]
            size = data.draw(st.integers(1, 5))
            columns = rows(len(seconds), ts=moments, ltq=ids)
            paths.append(write(folder / f"{file}.parquet", columns, row_group_size=size))
        got = frame(opened(*paths))
        order = sorted(expected)
        assert got["ts"].to_list() == [moment for moment, _, _ in order]
        assert got["ltq"].to_list() == [file * 100 + row for _, file, row in order]

    @given(seconds=st.lists(st.integers(0, 20), min_size=1, max_size=30), size=st.integers(1, 7))
    @settings(max_examples=40)
    def test_sorting(
        self, tmp_path_factory: pytest.TempPathFactory, seconds: list[int], size: int
    ) -> None:
        """With the option, rows in any order come sorted by time, then row."""
        path = tmp_path_factory.mktemp("sort") / "a.parquet"
        moments = [at("09:15") + second * 10**9 for second in seconds]
        ids = list(range(len(seconds)))
        write(path, rows(len(seconds), ts=moments, ltq=ids), row_group_size=size)
        recording = opened(path, sort=True)
        assert frame(recording)["ltq"].to_list() == sorted(ids, key=lambda row: moments[row])
        cut = moments[0]
        assert recording.count(cut, recording.end + 1) == sum(m >= cut for m in moments)

    def test_columns_of_one_file_alone(self, tmp_path: Path) -> None:
        """A figure that one of two files tells is not told in the other's rows."""
        one = write(tmp_path / "a.parquet", rows(2, volume=[10, 20]))
        two = write(tmp_path / "b.parquet", rows(2))
        assert frame(opened(one, two))["volume"].to_list() == [10, UNTOLD, 20, UNTOLD]


class TestWindows:
    """A part of a recording is the rows of that part."""

    @given(data=st.data())
    @settings(max_examples=60)
    def test_count_and_rows_of_any_window(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """Any window of any instruments holds the rows a plain filter finds, and counts them."""
        folder = tmp_path_factory.mktemp("window")
        everything: list[tuple[int, int]] = []
        paths = []
        for file in range(2):
            seconds = sorted(data.draw(st.lists(st.integers(0, 15), min_size=1, max_size=15)))
            tokens = [data.draw(st.sampled_from([2885, 3045, 11536])) for _ in seconds]
            moments = [at("09:15") + second * 10**9 for second in seconds]
            everything += zip(moments, tokens, strict=True)
            path = folder / f"{file}.parquet"
            columns = rows(len(seconds), ts=moments, token=tokens)
            paths.append(write(path, columns, row_group_size=data.draw(st.integers(1, 6))))
        recording = opened(*paths)
        start, end = (at("09:15") + data.draw(st.integers(-1, 17)) * 10**9 for _ in range(2))
        wanted = data.draw(st.none() | st.sets(st.sampled_from([2885, 3045, 11536])))
        keys = None if wanted is None else {(1, token) for token in wanted}
        found = sorted(
            (moment, recording.keys[number][1])
            for batch in recording.batches(start, end, keys=keys)
            for moment, number in zip(batch.ts.tolist(), batch.instrument.tolist(), strict=True)
        )
        assert found == sorted(
            (moment, token)
            for moment, token in everything
            if start <= moment < end and (wanted is None or token in wanted)
        )
        assert recording.count(start, end, keys=keys) == len(found)

    def test_a_window_before_the_first_of_overlapping_files(self, tmp_path: Path) -> None:
        """The file that is named first need not be the one that begins first."""
        late = write(tmp_path / "late.parquet", rows(1, ts=[at("09:16")]))
        early = write(tmp_path / "early.parquet", rows(2, ts=[at("09:15"), at("09:17")]))
        recording = opened(late, early)
        (batch,) = recording.batches(at("09:15"), at("09:16"))
        assert batch.ts.tolist() == [at("09:15")]


class TestBounds:
    """Reading costs what it must and no more."""

    def test_memory_does_not_grow_with_the_file(self, tmp_path: Path) -> None:
        """Checking and reading four times the rows takes no more memory (3 s)."""

        def growth(count: int) -> int:
            path = tmp_path / f"{count}.parquet"
            price = 100 + np.arange(count) % 1_000 / 100
            ts = at("09:15") + np.arange(count, dtype=np.int64) * 10**6
            table = pa.table(
                {
                    "ts": pa.array(ts).cast(pa.timestamp("ns", "UTC")),
                    "token": np.full(count, 2885),
                    **dict.fromkeys(("ltp", "bid_price", "ask_price", "open", "high"), price),
                    "volume": np.arange(count),
                }
            )
            pq.write_table(table, path, row_group_size=16_384)
            program = (
                "import resource, sys; from pathlib import Path\n"
                "from simulator.replay import Replay; from simulator.recording import Recording\n"
                "from streamer.instruments import InstrumentTable\n"
                "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
                "recording = Recording.open([Path(sys.argv[1])], "
                "instruments=InstrumentTable.bundled())\n"
                "replay = Replay(recording, start=recording.start, end=recording.end + 1)\n"
                "while replay.take(2**62): pass\n"
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
            )
            done = subprocess.run(
                [sys.executable, "-c", program, str(path)],
                capture_output=True,
                text=True,
                check=True,
                cwd=Path(__file__).parents[2],
            )
            return int(done.stdout)

        short, long = growth(200_000), growth(800_000)
        assert long < short + 16_000, f"{short} KB for 200,000 rows, {long} KB for 800,000"

    def test_reading_finds_a_file_that_changed(self, tmp_path: Path) -> None:
        """A file that was exchanged after it was checked is refused, not replayed."""
        path = write(tmp_path / "a.parquet", rows(3))
        recording = opened(path)
        write(path, rows(4))
        with pytest.raises(RecordingError, match="the file has been changed"):
            list(recording.batches(recording.start, recording.end + 1))


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real recordings are not on this machine")
def test_real_recording() -> None:
    """A day recorded from a real feed opens straight from its file."""
    path = REAL_DATA / "nse-2021-06-09-seed10-clean.parquet"
    recording = Recording.open([path], instruments=TABLE)
    assert recording.rows == 209_060
    assert recording.days == {date(2021, 6, 9): 209_060}
    symbols = {instrument.symbol for instrument in recording.instruments.values()}
    assert {"RELIANCE", "KOTAKBANK", "NIFTY 50", "NIFTY BANK"} <= symbols
    assert recording.instruments[(1, 26000)].kind == "index"
    assert recording.ignored_columns == ()
    assert DAY not in recording.days


@pytest.mark.parametrize("sort", [False, True])
def test_it_is_told_how_far_the_check_is(tmp_path: Path, sort: bool) -> None:
    """The count goes on from file to file, up to all rows."""
    one = write(tmp_path / "a.parquet", rows(5, token=[2885] * 5), row_group_size=2)
    two = write(tmp_path / "b.parquet", rows(3, token=[2885] * 3))
    told: list[int] = []
    Recording.open([one, two], instruments=TABLE, sort=sort, on_rows=told.append)
    assert told == [2, 4, 5, 8]


def test_a_csv_file_is_told_what_makes_a_recording_of_it(tmp_path: Path) -> None:
    """Who has one need not look for the command."""
    path = tmp_path / "day.CSV"
    path.write_text("timestamp,ltp\n")
    with pytest.raises(RecordingError, match="odin-sim convert makes one of CSV"):
        opened(path)


@pytest.mark.parametrize(
    ("footers", "simulated"),
    [
        (['{"simulated": true}', '{"simulated": false}'], True),
        (['{"simulated": true}', None], True),
        (['{"simulated": false}', '{"simulated": false}'], False),
        (['{"simulated": false}', None], None),
    ],
)
def test_simulated_data_are_known_as_such(
    tmp_path: Path, footers: list[str | None], simulated: bool | None
) -> None:
    """One file that was made up is enough; one that does not say leaves it open."""
    paths = [
        write(
            tmp_path / f"{number}.parquet",
            rows(1, token=[2885]),
            metadata={} if footer is None else {"odin-streamer": footer},
        )
        for number, footer in enumerate(footers)
    ]
    assert opened(*paths).simulated is simulated
