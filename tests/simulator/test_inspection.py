from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.findings import KINDS, Finding, Severity
from simulator.inspection import MAX_BAD_VALUES, Inspection, inspect
from simulator.recording_file import METADATA_KEY
from streamer.calendar import TradingCalendar
from streamer.errors import RecordingError
from tests.simulator.parquet_files import REAL_DATA, TABLE, at, opened, rows, times, write
from tests.simulator.recording_strategies import FullRow, columns_of, tapes
from tests.simulator.sealed_files import forged, sealed
from tests.simulator.test_tape_journal import row as journal_row
from tests.simulator.test_tape_journal import written

CALENDAR = TradingCalendar.bundled()


def inspected(*paths: Path, gap_s: int = 60, limit: int = 100) -> Inspection:
    """What there is to say of files."""
    return inspect(paths, table=TABLE, calendar=CALENDAR, gap_ns=gap_s * 10**9, limit=limit)


def found(*paths: Path, **options: int) -> list[Finding]:
    """All findings, by kind."""
    return [
        each for listed in inspected(*paths, **options).findings.listed.values() for each in listed
    ]


def file(folder: Path, count: int, *, row_group_size: int = 10**6, **columns: Any) -> Path:
    """A file of rows, a second apart."""
    return write(folder / "a.parquet", rows(count, **columns), row_group_size=row_group_size)


def test_a_good_recording_is_clean(tmp_path: Path) -> None:
    """No findings, and the rows counted by five minutes."""
    inspection = inspected(file(tmp_path, 301))
    assert inspection.findings.worst is None
    assert (inspection.rows, inspection.first, inspection.last) == (301, at("09:15"), at("09:20"))
    (counts,) = inspection.density.values()
    assert counts[9 * 12 + 3 : 9 * 12 + 5].tolist() == [300, 1]
    assert counts.sum() == 301


@given(
    tape=tapes(),
    spoil=st.lists(
        st.tuples(st.sampled_from(["ts", "ltp", "token", "volume", "order"]), st.integers(0, 39)),
        max_size=4,
    ),
    size=st.integers(1, 20),
)
@settings(max_examples=60, deadline=None)
def test_unusable_is_what_a_replay_refuses(
    tmp_path_factory: pytest.TempPathFactory,
    tape: tuple[list[str], list[FullRow]],
    spoil: list[tuple[str, int]],
    size: int,
) -> None:
    """An error is found exactly if the recording cannot be opened, and in the same place."""
    names, told = tape
    columns = {name: array.to_pylist() for name, array in columns_of(names, told).items()}
    columns["ts"] = [ts for ts, _, _ in told]
    for what, where in spoil:
        at_row = where % len(told)
        if what == "order":
            columns["ts"][at_row] = at("09:00")
        elif what == "ts":
            columns["ts"][at_row] = 5
        elif what in columns:
            columns[what][at_row] = -7
    table = {name: pa.array(values) for name, values in columns.items() if name != "ts"}
    path = tmp_path_factory.mktemp("inspect") / "a.parquet"
    write(path, {"ts": times(columns["ts"]), **table}, row_group_size=size)
    errors = [each for each in found(path) if KINDS[each.kind].severity is Severity.ERROR]
    if not errors:
        opened(path)
        return
    with pytest.raises(RecordingError) as refused:
        opened(path)
    error = refused.value
    places = [(each.row, each.row_group, each.column) for each in errors]
    assert (error.row, error.row_group, error.column) in places


def test_every_bad_value_is_listed_with_its_place(tmp_path: Path) -> None:
    """Not the first alone: file, row group, row, time, column, value, problem, expectation."""
    ltp = [1372.6, -1.0, None, float("nan"), 1372.605, 1372.6]
    path = file(tmp_path, 6, ltp=ltp, volume=[1, 2, 3, 4, 5, -6], row_group_size=2)
    findings = found(path)
    assert {each.kind for each in findings} == {"value"}
    places = [(each.row_group, each.row, each.column, each.value) for each in findings]
    assert places == [
        (0, 1, "ltp", "-1.0"),
        (1, 2, "ltp", "null"),
        (1, 3, "ltp", "nan"),
        (2, 4, "ltp", "1372.605"),
        (2, 5, "volume", "-6"),
    ]
    assert [each.ts for each in findings] == [at("09:15") + s * 10**9 for s in (1, 2, 3, 4, 5)]
    assert findings[0].problem == "the price is out of range"
    assert findings[0].expected.startswith("a price above 0")
    assert str(path) in findings[0].place


def test_a_file_full_of_bad_values_is_given_up(tmp_path: Path) -> None:
    """The list has its limit, the count says that there may be more."""
    path = file(tmp_path, MAX_BAD_VALUES + 500, ltp=[-1.0] * (MAX_BAD_VALUES + 500))
    findings = inspected(path, limit=7).findings
    assert len(findings.listed["value"]) == 7
    assert findings.counts["value"] == MAX_BAD_VALUES
    assert findings.uncounted == {"value"}


@pytest.mark.parametrize(
    ("change", "column", "problem"),
    [
        ({"ts": [1, 2]}, "ts", "the column holds int64"),
        ({"ts": pa.array([1, 2], pa.timestamp("ms"))}, "ts", "the column has no time zone"),
        ({"ltp": None}, "ltp", "the column is missing"),
        ({"token": None}, "token", "the column is missing"),
        ({"volume": ["1", "2"]}, "volume", "the column holds string"),
    ],
)
def test_the_schema_is_looked_at(
    tmp_path: Path, change: dict[str, Any], column: str, problem: str
) -> None:
    """All columns that do not fit are told, and none of their values."""
    columns = rows(2) | {"ts": times([at("09:15")] * 2)} | change
    whole = {name: pa.array(v) if isinstance(v, list) else v for name, v in columns.items()}
    path = write(tmp_path / "a.parquet", {n: v for n, v in whole.items() if v is not None})
    (finding,) = found(path)
    assert (finding.kind, finding.column, finding.problem) == ("schema", column, problem)


def test_files_that_are_none(tmp_path: Path) -> None:
    """Missing, empty, cut short, without rows: each is told, the others are looked at."""
    missing, empty, cut = (tmp_path / name for name in ("missing", "empty", "cut"))
    empty.write_bytes(b"")
    cut.write_bytes(file(tmp_path, 10).read_bytes()[:-20])
    none = write(tmp_path / "none.parquet", rows(0, ts=times([]), ltp=pa.array([], pa.float64())))
    good = file(tmp_path, 10)
    inspection = inspected(missing, empty, cut, none, good)
    assert [each.file for each in inspection.findings.listed["file"]] == [
        str(path) for path in (missing, empty, cut, none)
    ]
    assert inspection.rows == 10


def test_a_row_group_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """And the rows of the others are looked at."""
    path = file(tmp_path, 2000, ltp=[1000 + i / 100 for i in range(2000)], row_group_size=1000)
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(bytes(content))
    inspection = inspected(path)
    assert [each.row_group for each in inspection.findings.listed["file"]] == [0]
    assert inspection.rows == 1000


def test_unknown_instruments_are_told(tmp_path: Path) -> None:
    """With the name that nobody knows."""
    symbols = ["RELIANCE", "NONSUCH", "RELIANCE"]
    (finding,) = found(file(tmp_path, 3, token=None, symbol=symbols))
    assert (finding.kind, finding.row, finding.value) == ("instrument", 1, "NONSUCH")


def test_rows_that_go_back_are_told(tmp_path: Path) -> None:
    """Each of them, across row groups."""
    moments = [at("09:15:05"), at("09:15:01"), at("09:15:06"), at("09:15:02")]
    findings = found(file(tmp_path, 4, ts=moments, ltp=[1, 2, 3, 4], row_group_size=1))
    assert [(each.kind, each.row_group, each.row) for each in findings] == [
        ("order", 1, 1),
        ("order", 3, 3),
    ]
    assert "4.000 s earlier" in findings[0].problem


def test_a_changed_file_does_not_fit_its_footer_or_its_manifest(tmp_path: Path) -> None:
    """What was written says what its rows and its bytes are."""
    path = written(tmp_path, [journal_row(0), journal_row(1)]).finish("ended")
    assert found(path) == []
    other = json.dumps({"content_sha256": "0" * 64})
    changed = write(tmp_path / "b.parquet", rows(2), metadata={METADATA_KEY: other})
    changed.with_suffix(".json").write_text(json.dumps({"file": "b.parquet", "sha256": "0"}))
    assert [each.kind for each in found(changed)] == ["hash", "hash"]


def test_what_a_killed_recorder_left_is_named(tmp_path: Path) -> None:
    """Beside the files that are checked, and when it is given itself."""
    journal = written(tmp_path, [journal_row(0)])
    journal.release()
    assert [(e.kind, e.file) for e in found(file(tmp_path, 2))] == [("leftover", str(journal.path))]
    kinds = [(each.kind, each.problem) for each in found(journal.path)]
    assert kinds[0] == ("file", "the file is the journal of a recorder")


def test_a_recording_of_whole_seconds_may_repeat_itself(tmp_path: Path) -> None:
    """A feed may say the same twice in a second; only finer times make it a duplicate."""
    path = written(tmp_path, [journal_row(0), journal_row(0)]).finish("ended")
    assert found(path) == []


def test_the_bundled_kind_of_day_and_the_real_day_are_clean() -> None:
    """No false alarm on a day of the market, as far as this machine has one."""
    path = REAL_DATA / "nse-2021-06-09-seed10-clean.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    inspection = inspected(path)
    assert inspection.findings.counts == {}
    assert int(np.sum(list(inspection.density.values()))) == inspection.rows


def test_a_damaged_row_group_of_a_sealed_file_is_told(tmp_path: Path) -> None:
    """Also where every value in it can still be meant."""
    columns = rows(10, ltp=[1.0 + row for row in range(10)])
    plain: dict[str, Any] = {"compression": "none", "use_dictionary": False}
    path = sealed(tmp_path / "a.parquet", columns, **plain, write_statistics=False)
    assert found(path) == []
    content = path.read_bytes()
    price, lower = struct.pack("<d", 7.0), struct.pack("<d", 6.0)
    assert content.count(price) == 1
    path.write_bytes(content.replace(price, lower))
    (finding,) = found(path)
    assert (finding.kind, finding.row_group) == ("file", 1)
    assert "not those that were written" in finding.problem


def test_wrong_rows_behind_a_seal_are_told(tmp_path: Path) -> None:
    """All of them, as without."""
    good = sealed(tmp_path / "good.parquet", rows(10))
    wrong = rows(10, ltp=[-1.0] * 3 + [1.0] * 7)
    findings = found(forged(tmp_path / "a.parquet", wrong, good))
    assert [(each.kind, each.row) for each in findings] == [
        ("value", 0),
        ("value", 1),
        ("value", 2),
    ]
