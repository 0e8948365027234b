from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.cli import cli
from simulator.tape_journal import FolderHold


@pytest.mark.parametrize(
    ("options", "status", "complaint"),
    [
        (("--symbols", "NONSUCH"), 2, "'NONSUCH' is not known"),
        (("--symbols", ","), 2, "no symbol"),
        (("--until", "25:00"), 2, "00:00 to 23:59"),
        (("--rotate", "soon"), 2, "expected seconds"),
        (("--flush", "0"), 2, "expected 0.05 s to 24h"),
        (("--upstream", "http://127.0.0.1"), 2, "expected ws://"),
        (("--instruments", "/no/such/file"), 1, "cannot be read"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, options: tuple[str, ...], status: int, complaint: str
) -> None:
    """With the exit status that scripts look at, before anything is dialled."""
    given = {"--upstream": "ws://127.0.0.1:1", "--symbols": "SBIN", "-o": str(tmp_path)}
    given |= dict(zip(options[::2], options[1::2], strict=True))
    result = CliRunner().invoke(cli, ["record", *(part for pair in given.items() for part in pair)])
    assert result.exit_code == status, result.output
    assert complaint in result.output.replace("\n", " ")


def test_a_folder_belongs_to_one_recorder(tmp_path: Path) -> None:
    """The second one is told so at once."""
    hold = FolderHold(tmp_path)
    options = ["--upstream", "ws://127.0.0.1:1", "--symbols", "SBIN", "-o", str(tmp_path)]
    result = CliRunner().invoke(cli, ["record", *options])
    hold.release()
    assert result.exit_code == 2
    assert "another recorder writes to" in result.output
