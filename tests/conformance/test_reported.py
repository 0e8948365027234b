"""A report is read as it was written, or refused in words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from conformance.reported import ReportError, read
from tests.conformance.reports import ALL, report


def test_a_written_report_is_read_again(tmp_path: Path) -> None:
    """Whatever a case can end as, its report is the same after it was a file."""
    path = tmp_path / "run.json"
    made = report(*ALL)
    path.write_bytes(msgspec.json.encode(made))
    assert read(path) == made
    assert [case.verdict for case in made.cases] == [result.verdict for result in ALL]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "JSON|report"),
        (b"[1]", "schema None found"),
        (b'{"schema": 2}', "schema 2 found; .* schema 1 expected"),
        (b'{"schema": 1}', "missing required field"),
        (b"\xff\xfe", "report of run --json expected"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """The message names the file, what was found and what was expected."""
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=said) as refused:
        read(path)
    assert str(path) in str(refused.value)
