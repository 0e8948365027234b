from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.recording import METADATA_KEY
from simulator.replay import Replay
from simulator.synth import content_hash, read_manifest, recording_hash, write_day
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
        day=date.fromisoformat(MANIFEST.date),
        seed=MANIFEST.seed,
        universe=MANIFEST.universe,
        profile=MANIFEST.profile,
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
        ({"universe": "nifty51"}, "universe 'nifty51' found; one of nifty50 expected"),
        ({"profile": "strange"}, "profile 'strange' found; one of .*normal.* expected"),
    ],
)
def test_unknown_names_are_refused(tmp_path: Path, options: dict[str, str], message: str) -> None:
    """A universe or profile that does not exist is refused, and no file appears."""
    with pytest.raises(ConfigError, match=message):
        write_day(tmp_path / "a.parquet", day=DAY, seed=1, **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_footer_is_json() -> None:
    """The footer's entry is a JSON object that any reader of Parquet finds."""
    footer = pq.read_schema(SHIPPED).metadata[METADATA_KEY.encode()]
    assert msgspec.json.decode(footer)["simulated"] is True
