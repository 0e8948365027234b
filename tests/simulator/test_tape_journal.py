from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.recording import Recording
from simulator.replay import Replay
from simulator.synth import recording_hash
from simulator.tape_journal import (
    FolderHold,
    Journal,
    JournalContent,
    Origin,
    leftovers,
    parquet_of,
    recover,
    to_parquet,
)
from simulator.transcript import ROW, Gap, Row, Transcript
from simulator.updates import Update
from streamer.errors import ConfigError, RecordingError
from streamer.odin.messages import decode_message
from tests.simulator.feed_words import updates_of, words_of
from tests.simulator.parquet_files import TABLE, at, opened, write
from tests.simulator.recording_strategies import FullRow, columns_of, tapes

ORIGIN = Origin(
    feed="feed.example:4509",
    simulated=True,
    software="odin-streamer 0.1.0",
    began="2025-09-04T09:14:58.000000000+05:30",
    asked=3,
    symbols=((1, 2885, "RELIANCE", "NSE"), (1, 3045, "SBIN", "NSE"), (1, 26000, "NIFTY 50", "NSE")),
)


def row(second: int, ltp: int = 136550, token: int = 2885) -> Row:
    """A row some seconds after the open."""
    return (at("09:15") + second * 10**9, 1, token, ltp, *[0] * (len(ROW) - 4))


def written(folder: Path, *batches: list[Row]) -> Journal:
    """A journal with one flush after the other."""
    journal = Journal.create(folder, ORIGIN, at("09:15"))
    for batch in batches:
        journal.append(batch, [])
    return journal


def rows_in(journal: Path) -> list[int]:
    """The prices of all rows that can be read."""
    batches = JournalContent(journal).batches()
    return [ltp for batch in batches for ltp in batch.column("ltp").to_pylist()]


def messages_of(updates: list[Update]) -> list[object]:
    """What each update says on the wire, in whole seconds."""
    return [decode_message(update.text) for update in updates]


@given(tape=tapes(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_recording_a_replay_and_replaying_it_gives_the_same_updates(
    tmp_path_factory: pytest.TempPathFactory,
    tape: tuple[list[str], list[FullRow]],
    data: st.DataObject,
) -> None:
    """To the resolution of the wire, in the same order, through however many files and flushes."""
    columns, told = tape
    folder = tmp_path_factory.mktemp("record")
    source = opened(write(folder / "source.parquet", columns_of(columns, told)))
    updates = updates_of(Replay(source, start=source.start, end=source.end + 1))
    words = list(words_of(updates))
    transcript = Transcript(source.keys, until=None, now=0)
    files: list[Path] = []
    while words:
        size = data.draw(st.integers(1, len(words)))
        transcript.take(words[:size], 0)
        words = words[size:]
        rows, gaps = transcript.take_rows()
        if rows:
            flushed = data.draw(st.integers(0, len(rows)))
            journal = Journal.create(folder, ORIGIN, rows[0][0])
            journal.append(rows[:flushed], [])
            journal.append(rows[flushed:], gaps)
            files.append(journal.finish("rotated"))
    assert transcript.counts.rows == len(updates)
    recorded = opened(*files)
    again = updates_of(Replay(recorded, start=recorded.start, end=recorded.end + 1))
    assert messages_of(again) == messages_of(updates)


@given(data=st.data(), sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_journal_torn_anywhere_keeps_all_whole_flushes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, sizes: list[int]
) -> None:
    """What a kill in the middle of a write leaves is the flushes before, in order."""
    folder = tmp_path_factory.mktemp("torn")
    journal = Journal.create(folder, ORIGIN, at("09:15"))
    ends = [journal.path.stat().st_size]
    count = 0
    for size in sizes:
        journal.append([row(i, 100 + i) for i in range(count, count + size)], [])
        count += size
        ends.append(journal.path.stat().st_size)
    journal.release()
    cut = data.draw(st.integers(0, ends[-1]))
    torn = folder / "torn.journal"
    torn.write_bytes(journal.path.read_bytes()[:cut])
    whole = sum(size for size, end in zip(sizes, ends[1:], strict=True) if end <= cut)
    try:
        found = rows_in(torn)
    except RecordingError:
        assert cut < ends[1]  # not even the beginning is there
        assert whole == 0
        return
    assert found == [100 + i for i in range(whole)]


def test_what_a_killed_recorder_left_is_recovered(tmp_path: Path) -> None:
    """Its rows become the recording of that name, which says how it ended; the journal goes."""
    journal = written(tmp_path, [row(0), row(1)], [row(1)])
    journal.release()
    torn = journal.path.read_bytes()[:-3]
    journal.path.write_bytes(torn)
    empty = Journal.create(tmp_path, ORIGIN, at("10:00"))
    empty.release()
    assert leftovers(tmp_path) == [journal.path, empty.path]
    assert recover(tmp_path) == [(parquet_of(journal.path), 2)]
    assert leftovers(tmp_path) == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]
    recording = opened(parquet_of(journal.path))
    assert recording.rows == 2
    assert recording.metadata[0]["ended"] == "killed"
    assert recording.sealed == (True,)


def test_a_kill_between_the_file_and_the_end_of_its_journal_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """Recovering makes the same file once more; a torn temporary file is written over."""
    journal = written(tmp_path, [row(0), row(1)])
    kept = tmp_path / "kept"
    shutil.copy(journal.path, kept)
    path = journal.finish("ended")
    rows = opened(path).rows
    shutil.move(kept, journal.path)
    path.with_name(f".{path.name}.tmp").write_bytes(b"PAR1torn")
    assert recover(tmp_path) == [(path, rows)]
    assert list(tmp_path.iterdir()) == [path]


def test_no_two_recorders_write_to_a_folder(tmp_path: Path) -> None:
    """The second is refused, and does not take the first one's journal for a leftover."""
    hold = FolderHold(tmp_path)
    written(tmp_path, [row(0)]).release()
    assert leftovers(tmp_path) == []
    with pytest.raises(ConfigError, match="another recorder"):
        FolderHold(tmp_path)
    hold.release()
    hold.release()
    assert len(leftovers(tmp_path)) == 1


def test_names_are_never_used_twice(tmp_path: Path) -> None:
    """Neither those of journals nor those of files; their order is that of the rows."""
    first = written(tmp_path, [row(0)])
    second = written(tmp_path, [row(1)])
    path = first.finish("ended")
    third = written(tmp_path, [row(2)])
    names = [path.name, second.path.name, third.path.name]
    assert names == [
        "20250904-0915-01.parquet",
        "20250904-0915-02.journal",
        "20250904-0915-03.journal",
    ]
    second.release()
    third.release()


def test_the_footer_says_where_the_rows_come_from(tmp_path: Path) -> None:
    """Source, zone, calendar, version, rows, hash and gaps; the hash is that of the rows."""
    journal = Journal.create(tmp_path, ORIGIN, at("09:15"))
    gap = Gap(1, at("09:15"), at("09:15:09"), "closed the connection")
    journal.append([row(0), row(9)], [gap])
    recording = opened(journal.finish("rotated"))
    told = dict(recording.metadata[0])
    assert told.pop("content_sha256") == recording_hash(recording)
    assert told == {
        "source": "recorded",
        "simulated": True,
        "feed": "feed.example:4509",
        "software": "odin-streamer 0.1.0",
        "began": ORIGIN.began,
        "instruments_asked": 3,
        "zone": "Asia/Kolkata",
        "resolution": "1 s",
        "calendar": {
            "coverage": ["2018-01-01", "2026-12-31"],
            "date": "2025-09-04",
            "hours": "09:15 - 15:30 IST",
        },
        "rows": 2,
        "first": "2025-09-04T09:15:00.000000000+05:30",
        "last": "2025-09-04T09:15:09.000000000+05:30",
        "ended": "rotated",
        "gaps": [
            {
                "after": "2025-09-04T09:15:00.000000000+05:30",
                "before": "2025-09-04T09:15:09.000000000+05:30",
                "why": "closed the connection",
            }
        ],
    }


def test_figures_that_are_not_told_are_nulls(tmp_path: Path) -> None:
    """And the file is in the documented schema: nothing of it is ignored."""
    untold = tuple(
        -1 if name == "volume" else value for name, value in zip(ROW, row(0), strict=True)
    )
    path = written(tmp_path, [untold, row(1)]).finish("ended")
    assert pl.read_parquet(path)["volume"].to_list() == [None, 0]
    assert opened(path).ignored_columns == ()


def test_row_groups_are_bounded(tmp_path: Path) -> None:
    """A long window is written in row groups of the advised size."""
    size = 10_000
    batches = [[row(second) for second in range(size)] for _ in range(1)]
    path = written(tmp_path, *batches, *[[row(size)] * size] * 4).finish("ended")
    metadata = pq.ParquetFile(path).metadata
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [40_000, 10_000]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 4000])
def test_other_files_are_no_journals(tmp_path: Path, content: bytes) -> None:
    """The error names the file and says what was expected."""
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"x\.journal.*expected a journal of a recorder"):
        JournalContent(path)
    with pytest.raises(RecordingError, match="no such file"):
        to_parquet(tmp_path / "none.journal", tmp_path / "none.parquet", "killed")


def test_the_instruments_are_those_of_the_recording(tmp_path: Path) -> None:
    """Also those that no list knows: token, symbol and exchange are in the file."""
    origin = Origin("f", False, "s", "b", 1, ((3, 999999, "MADEUP", "BSE"),))
    journal = Journal.create(tmp_path, origin, at("09:15"))
    journal.append([(at("09:15"), 3, 999999, *[5] * (len(ROW) - 3))], [])
    recording = Recording.open([journal.finish("ended")], instruments=TABLE)
    assert [(i.symbol, i.exchange) for i in recording.instruments.values()] == [("MADEUP", "BSE")]
