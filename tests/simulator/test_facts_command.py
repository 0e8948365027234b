from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from simulator.cli import cli
from simulator.facts import FIGURES
from tests.simulator.parquet_files import at, write

SHIPPED = Path(__file__).parents[2] / "recordings" / "day.parquet"


class Tags(HTMLParser):
    """Counts elements, and checks that each that must be closed is."""

    VOID = ("meta", "path", "rect", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.addresses += [name for name, _ in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def walk(path: Path) -> Path:
    """A recording that looks like no real day: a price that goes up and down in turn."""
    ltp = [100.0 + 0.05 * (minute % 2) for minute in range(375)]
    ts = [at("09:15") + minute * 60 * 10**9 for minute in range(375)]
    return write(path, {"ts": ts, "token": [2885] * 375, "ltp": ltp})


def test_the_shipped_day_is_like_a_real_one(tmp_path: Path) -> None:
    """Status 0, every figure with its range and verdict, and a page that needs nothing else."""
    page = tmp_path / "facts.html"
    result = CliRunner().invoke(cli, ["facts", str(SHIPPED), "--html", str(page)])
    assert result.exit_code == 0, result.output
    assert result.output.rstrip().endswith("Like a real day.")
    for figure in FIGURES:
        assert figure.meaning in result.output
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.addresses == []
    assert "://" not in text
    assert tags.counts["svg"] == 6 + sum(not figure.is_count for figure in FIGURES)
    assert tags.counts["tr"] == 1 + len(FIGURES)
    assert "NaN" not in text
    assert len(text) < 600_000


def test_another_day_is_told_apart(tmp_path: Path) -> None:
    """Status 1, and the figures outside are named, in JSON as well."""
    path = walk(tmp_path / "walk.parquet")
    result = CliRunner().invoke(cli, ["facts", str(path), "--json"])
    assert result.exit_code == 1
    answer = msgspec.json.decode(result.output)
    assert answer["verdict"] == "outside"
    figures = {figure["name"]: figure for figure in answer["figures"]}
    assert list(figures) == [figure.name for figure in FIGURES]
    assert figures["autocorrelation"]["verdict"] == "outside"
    assert figures["volume_opening"] == {
        "name": "volume_opening",
        "meaning": "volume, first 15 minutes; the day is 1",
        "value": None,
        "least": 1.8,
        "most": 4.3,
        "verdict": "not judged",
    }
    text = CliRunner().invoke(cli, ["facts", str(path)]).output
    assert "outside the range of real days." in text


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"no Parquet", "cannot be read as Parquet")],
)
def test_an_unusable_recording_has_status_3(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    """And a sentence, not a traceback."""
    path = tmp_path / "a.parquet"
    if content is not None:
        path.write_bytes(content)
    result = CliRunner().invoke(cli, ["facts", str(path)])
    assert result.exit_code == 3
    assert message in result.output


def test_wrong_usage_has_status_2(tmp_path: Path) -> None:
    """A page that cannot be written, and an option that there is not."""
    path = str(walk(tmp_path / "walk.parquet"))
    for more in (["--html", "/no/such/folder/a.html"], ["--plot"]):
        assert CliRunner().invoke(cli, ["facts", path, *more]).exit_code == 2


def test_a_day_of_the_recording_is_chosen(tmp_path: Path) -> None:
    """A day that the recording lacks makes it unusable for that."""
    path = str(walk(tmp_path / "walk.parquet"))
    result = CliRunner().invoke(cli, ["facts", path, "--date", "2025-09-05"])
    assert result.exit_code == 3
    assert "no row on 2025-09-05" in result.output


def test_the_help_shows_examples_and_statuses() -> None:
    """A new user sees how to call it."""
    text = CliRunner().invoke(cli, ["facts", "--help"], terminal_width=100).output
    for words in ("--html", "--json", "--date", "--sort", "odin-sim facts recordings/day.parquet"):
        assert words in text
    assert "3  the recording is unusable" in text


def test_a_page_without_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything is measured."""
    path = str(tmp_path / "none.parquet")
    result = CliRunner().invoke(cli, ["facts", path, "--html", str(tmp_path / "gone" / "f.html")])
    assert result.exit_code == 2
    assert "there is no folder" in result.output
