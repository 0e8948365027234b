from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.cli import cli
from tests.simulator.parquet_files import opened
from tests.simulator.test_conversion import BARS, TICKS
from tests.simulator.test_info_command import told as info
from tests.simulator.test_tape_journal import row, written


def ran(folder: Path, text: str, *options: str) -> tuple[int, str]:
    """The exit status and the output of the command."""
    source = folder / "in.csv"
    source.write_text(text)
    arguments = ["convert", str(source), "-o", str(folder / "out.parquet"), *options]
    result = CliRunner().invoke(cli, arguments)
    return result.exit_code, result.output


def test_a_good_file_has_status_0(tmp_path: Path) -> None:
    """And what was made is told."""
    status, text = ran(tmp_path, TICKS)
    assert status == 0
    assert "out.parquet: 3 rows of 3 lines, made from ticks" in text


def test_refused_lines_have_status_1(tmp_path: Path) -> None:
    """They are named, the others are converted; columns without a meaning are named too."""
    extra = (
        TICKS.replace("Volume", "Volume,Colour").replace("100", "100,red").replace("1372.70", "x")
    )
    status, text = ran(tmp_path, extra)
    assert status == 1
    assert "in.csv, line 4, column 'LTP', value 'x': refused; expected a price" in text
    assert "Ignored columns: Colour" in text
    assert "2 rows of 2 lines, made from ticks, 1 lines refused" in text


def test_bars_are_marked_so_for_all_to_see(tmp_path: Path) -> None:
    """The info of the recording names them."""
    status, text = ran(tmp_path, BARS, "--symbol", "SBIN")
    assert status == 0
    assert "12 rows of 3 lines, made from ohlc-1m" in text
    assert "converted, ohlc-1m" in info(tmp_path / "out.parquet")[1]


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        (TICKS, ("--zone", "Nowhere/Land"), "no time zone"),
        (TICKS, ("--date", "today"), "does not match"),
        (TICKS, ("--exchange", "LSE"), "NSE"),
        (TICKS, ("--format", "ohlc"), "no column open"),
        (TICKS, ("--instruments", "/no/such.csv"), "cannot be read"),
        ("", (), "found no CSV"),
    ],
)
def test_what_cannot_be_converted_has_status_2(
    tmp_path: Path, text: str, options: tuple[str, ...], complaint: str
) -> None:
    """With the reason."""
    status, output = ran(tmp_path, text, *options)
    assert status == 2
    assert complaint in output.replace("\n", " ")


def test_a_file_that_is_not_there_has_status_2(tmp_path: Path) -> None:
    """CSV or journal; it is named."""
    for name in ("none.csv", "none.journal"):
        result = CliRunner().invoke(cli, ["convert", str(tmp_path / name), "-o", "x.parquet"])
        assert result.exit_code == 2
        assert name in result.output


def test_a_journal_becomes_the_recording_that_it_would_have_been(tmp_path: Path) -> None:
    """What a killed recorder left, without recording again."""
    journal = written(tmp_path, [row(0), row(1)])
    journal.release()
    out = tmp_path / "out.parquet"
    result = CliRunner().invoke(cli, ["convert", str(journal.path), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert opened(out).rows == 2
    assert not journal.path.exists()
