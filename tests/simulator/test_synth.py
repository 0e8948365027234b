from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.recording_file import METADATA_KEY
from simulator.replay import Replay
from simulator.synth import Wanted, content_hash, read_manifest, recording_hash, write_day
from streamer.errors import ConfigError
from tests.simulator.parquet_files import DAY, at, opened, write
from tests.simulator.recording_strategies import FullRow, columns_of, tapes

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "recordings" / "day.parquet"
MANIFEST = read_manifest(ROOT / "recordings" / "day.json")

IN_ANOTHER_PROCESS = """
from datetime import date
from simulator.market import synthesise
from simulator.synth import content_hash
from simulator.universe import nifty_50
few = nifty_50()[:5]
made = synthesise(date(2025, 9, 4), stocks=few, index_stocks=few, seed=3)
print(content_hash([instrument.key for instrument in made.instruments], [made.rows]))
"""


def test_the_shipped_day_is_what_its_manifest_says() -> None:
    """The shipped recording has the manifest's bytes, size, rows and content."""
    content = SHIPPED.read_bytes()
    assert hashlib.sha256(content).hexdigest() == MANIFEST.sha256
    assert len(content) == MANIFEST.size_bytes <= 12_000_000
    recording = opened(SHIPPED)
    assert recording.rows == MANIFEST.rows
    assert recording_hash(recording) == MANIFEST.content_sha256
    assert recording.metadata == (
        {
            "content_sha256": MANIFEST.content_sha256,
            "date": "2025-09-04",
            "licence": "MIT",
            "profile": "normal",
            "seed": 1,
            "simulated": True,
            "source": "synthetic",
            "universe": "nifty50",
        },
    )
    assert recording.ignored_columns == ()
    assert len(recording.instruments) == 52


def test_the_shipped_day_is_made_again(tmp_path: Path) -> None:
    """The manifest's command makes the same rows, and the same bytes with the same writer (5 s)."""
    made = write_day(
        tmp_path / "again.parquet",
        Wanted(
            date.fromisoformat(MANIFEST.date), MANIFEST.seed, MANIFEST.universe, MANIFEST.profile
        ),
    )
    assert made.content_sha256 == MANIFEST.content_sha256
    assert made.rows == MANIFEST.rows
    if made.writer == MANIFEST.writer:
        assert (made.size_bytes, made.sha256) == (MANIFEST.size_bytes, MANIFEST.sha256)
    assert read_manifest(tmp_path / "again.json") == made
    assert made.command.endswith(f"--seed 1 -o {(tmp_path / 'again.parquet').as_posix()}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.json", "again.parquet"]


def test_the_manifest_names_its_command() -> None:
    """The shipped manifest's command is the one of the README."""
    assert MANIFEST.command == (
        "odin-sim synth --date 2025-09-04 --universe nifty50 --profile normal --seed 1 "
        "-o recordings/day.parquet"
    )
    readme = (ROOT / "recordings" / "README.md").read_text(encoding="utf-8")
    assert MANIFEST.command in readme
    assert f"{MANIFEST.rows:,} updates" in readme


def test_the_shipped_day_replays() -> None:
    """The shipped day replays from mid-day with the day so far, quotes and a previous close."""
    replay = Replay(opened(SHIPPED), start=at("12:00"), end=at("12:01"))
    reliance = replay.state((1, 2885))
    nifty = replay.state((1, 26000))
    assert reliance is not None
    assert nifty is not None
    t = reliance.touchline
    assert (t.close, t.high_52, t.low_52) == (137_260, 155_100, 111_555)
    assert t.low <= t.ltp <= t.high
    assert t.bid < t.ask
    assert t.volume > 1_000_000
    assert t.low < t.atp < t.high
    assert nifty.touchline.volume == 0
    assert 40 * 60 < replay.rows_total < 60 * 60


def test_what_another_reader_sees() -> None:
    """A stranger with polars finds rupees, shares and Indian time."""
    frame = pl.read_parquet(SHIPPED)
    assert frame.schema["ts"] == pl.Datetime("ms", "Asia/Kolkata")
    reliance = frame.filter(pl.col("symbol") == "RELIANCE")
    assert str(reliance["ts"][0].date()) == "2025-09-04"
    assert reliance["prev_close"][0] == 1372.6
    assert 1235 < reliance["ltp"].min() < reliance["ltp"].max() < 1510  # type: ignore[operator]


def test_any_process_makes_the_same() -> None:
    """A day depends on its seed alone: not on the process, nor on its hash seed (3 s)."""
    made = {
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(made) == 1


@given(tape=tapes(), sizes=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=30)
def test_the_content_hash_is_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory,
    tape: tuple[list[str], list[FullRow]],
    sizes: tuple[int, int],
) -> None:
    """The same rows have the same hash however they are stored; another price has another."""
    folder = tmp_path_factory.mktemp("hash")
    columns, told = tape
    file = columns_of(columns, told)
    one, other = (
        recording_hash(opened(write(folder / f"{size}.parquet", file, row_group_size=size)))
        for size in sizes
    )
    assert one == other
    prices = file["ltp"].to_pylist()
    prices[-1] += 0.05
    changed = write(folder / "changed.parquet", file | {"ltp": pa.array(prices)})
    assert recording_hash(opened(changed)) != one


def test_a_column_that_tells_nothing_is_not_hashed(tmp_path: Path) -> None:
    """Whether a figure that no row tells has a column does not matter."""
    file = {"ts": [at("09:15")], "token": [2885], "ltp": [100.0]}
    without = opened(write(tmp_path / "a.parquet", file))
    empty = opened(write(tmp_path / "b.parquet", file | {"volume": pa.array([None], pa.int64())}))
    assert recording_hash(without) == recording_hash(empty)


def test_no_rows_have_a_hash() -> None:
    """The hash of nothing is the hash of no lines."""
    assert content_hash([], []) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"universe": "nifty51"}, "universe 'nifty51' found; nifty50, a number of stocks, or a"),
        ({"universe": "0"}, "universe 0 found; 1 to 5,000 stocks expected"),
        ({"profile": "strange"}, "profile 'strange' found; one of normal, .* expected"),
        ({"timetable": "old"}, "timetable 'old' found; one of classic, .* expected"),
        ({"defects": "some"}, "defects 'some' found; one of none, real expected"),
        ({"affects": ("SBIN",)}, "1 affected stocks found; profile normal has 0"),
        ({"profile": "record", "affects": ("SBIN", "SBIN")}, "1 affected .* record has 2"),
        ({"profile": "split", "affects": ("X",)}, "'X' found; one of the universe expected"),
        ({"profile": "split", "universe": "1", "seed": 3}, "is not in the universe; name 1 of its"),
        ({"halt": "10@11:05"}, "profile normal has no halt"),
        ({"profile": "halt", "halt": "10"}, "halt '10' found; LEVEL@HH:MM expected"),
        ({"profile": "halt", "halt": "12@11:05"}, "a halt at 12 % found; one at 10, 15 or 20"),
        ({"profile": "halt", "halt": "10@14:30"}, "there is none at 10 % from 14:30 on"),
        ({"profile": "halt", "halt": "10@09:15"}, "one from 09:16 to 15:28 expected"),
        ({"day": date(2025, 9, 6)}, "2025-09-06 has no session; .* expected"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "_".join(map(str, value.values())),
)
def test_what_cannot_be_made_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """Unknown names, and options that do not go together, are refused, and no file appears."""
    with pytest.raises(ConfigError, match=message):
        write_day(tmp_path / "a.parquet", Wanted(**{"day": DAY} | options))
    assert list(tmp_path.iterdir()) == []


def test_the_manifests_command_asks_for_the_same(tmp_path: Path) -> None:
    """Whatever was asked for stands in the command, and beside the rows in the footer."""
    wanted = Wanted(DAY, 7, "2", "halt", timetable="cas-2026-08", halt="20@10:00", defects="real")
    made = write_day(tmp_path / "a.parquet", wanted)
    assert made.command == (
        "odin-sim synth --date 2025-09-04 --universe 2 --profile halt --timetable cas-2026-08 "
        f"--halt 20@10:00 --defects real --seed 7 -o {(tmp_path / 'a.parquet').as_posix()}"
    )
    assert (made.timetable, made.defects) == ("cas-2026-08", "real")
    (footer,) = opened(tmp_path / "a.parquet").metadata
    assert footer["halt"] == "20@10:00"
    assert footer["defects"] == "real"


def test_a_day_of_a_file_of_symbols(tmp_path: Path) -> None:
    """The stocks of a file are written, and the indices, which are made of the NIFTY 50."""
    (tmp_path / "mine.csv").write_text("symbol,token\nSBIN,\nMADEUP,77777\n", encoding="utf-8")
    write_day(tmp_path / "a.parquet", Wanted(DAY, 1, str(tmp_path / "mine.csv")))
    mine, shipped = pl.read_parquet(tmp_path / "a.parquet"), pl.read_parquet(SHIPPED)
    assert set(mine["symbol"]) == {"SBIN", "MADEUP", "NIFTY 50", "NIFTY BANK"}
    for symbol in ("SBIN", "NIFTY 50", "NIFTY BANK"):
        is_symbol = pl.col("symbol") == symbol
        own, other = (
            frame.filter(is_symbol).with_columns(pl.col("symbol").cast(pl.String))
            for frame in (mine, shipped)
        )
        assert own.equals(other)


def test_workers_do_not_change_a_byte(tmp_path: Path) -> None:
    """However many processes make a day, the file is the same (5 s)."""
    wanted = Wanted(DAY, 3, "53")
    one, two = (write_day(tmp_path / f"{n}.parquet", wanted, workers=n) for n in (1, 2))
    assert one.sha256 == two.sha256


def test_footer_is_json() -> None:
    """The footer's entry is a JSON object that any reader of Parquet finds."""
    footer = pq.read_schema(SHIPPED).metadata[METADATA_KEY.encode()]
    assert msgspec.json.decode(footer)["simulated"] is True
