"""The page on recordings says what the simulator accepts, derives and refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import columns, decoding, fold, identity, recording_file, replay, seal, synth
from simulator.columns import COLUMNS, TYPES, Column
from tests.simulator.parquet_files import at, frame, opened

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recordings.md").read_text(encoding="utf-8")


DEEPER = ("_3", "_4", "_5")


def section(title: str) -> str:
    """The text below a heading, up to the next one of its kind."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


def row_of(column: Column) -> str:
    """A column's row in the table; level 2 stands for all levels but the best."""
    required = "**required.** " if column.required else ""
    names, meaning = f"`{column.name}`", column.meaning
    if column.name.endswith("_2"):
        names = f"{names} to `{column.name[:-1]}{columns.DEPTH_LEVELS}`"
        meaning = meaning.replace("level 2", f"levels 2 to {columns.DEPTH_LEVELS}")
    return f"| {names} | {TYPES[column.kind]} | {required}{meaning} |"


def test_table_of_columns_is_the_schema() -> None:
    """The table has the schema's columns in their order, with the types that are accepted."""
    table = [line for line in section("Columns").splitlines() if line.startswith("| `")]
    assert table == [row_of(column) for column in COLUMNS if column.name[-2:] not in DEEPER]


def test_derived_figures_are_described() -> None:
    """Each figure of an update stands in the table of what is derived, by name or by its kind."""
    text = section("What is derived")
    for name in fold.FIGURES:
        if name not in fold.CARRIED and name not in ("ltp", "ltt"):
            assert f"`{name}`" in text


def problems() -> Iterator[str]:
    """The problems that the code may find, as far as they are written out there."""
    for module in (columns, decoding, identity, recording_file, replay):
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        yield from re.findall(
            r'"((?:the (?:bytes|column|value|price|quantity|time|token|symbol|exchange|segment)'
            r'|the file|the row|there is no such|time goes|no row between)[^"{(]*)',
            source,
        )


def test_every_refusal_is_listed() -> None:
    """Whatever the code may find wrong with a recording stands on the page in the same words."""
    found = {problem.strip() for problem in problems()}
    found -= {column.meaning for column in COLUMNS}
    assert len(found) > 15
    listed = section("What is refused")
    assert [problem for problem in sorted(found) if problem not in listed] == []


def test_example_makes_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example at the top runs as printed, and what it writes can be replayed."""
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(example.strip().splitlines()) <= 5
    exec(compile(example, "docs/recordings.md", "exec"), {})
    rows = frame(opened(tmp_path / "mine.parquet"))
    assert rows["ts"].to_list() == [at("09:15"), at("09:15:01")]
    assert rows["ltp"].to_list() == [136550, 136560]


def test_numbers_are_the_codes() -> None:
    """Limits on the page are those of the code."""
    assert f"{decoding.BATCH_ROWS:,} rows at a time" in PAGE
    assert f"up to {columns.MAX_PRICE // 100:,};" in PAGE
    assert columns.MAX_QUANTITY == 10**15
    assert "10<sup>15</sup>" in PAGE


def test_manifest_fields_are_described() -> None:
    """Each field of the manifest is named, save the file's own name."""
    text = section("The manifest")
    for name in synth.Manifest.__struct_fields__:
        assert name == "file" or f"`{name}`" in text
    assert recording_file.METADATA_KEY in text


def test_fields_of_the_seal_are_described() -> None:
    """Each of them, and the entry of the footer that holds it."""
    text = section("The seal")
    for name in (*seal.Seal.__struct_fields__, *seal.SealedGroup._fields):
        assert f"`{name}`" in text
    assert f"`{seal.SEAL_KEY}`" in text
