"""Reports are compared and turned into other forms by commands with a status."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from conformance.cli import cli
from conformance.reported import Report
from conformance.verdicts import Verdict
from tests.conformance.reports import ended, failed, report


def written(path: Path, content: Report) -> str:
    """Write a report; return its path."""
    path.write_bytes(msgspec.json.encode(content))
    return str(path)


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, list(arguments))


def test_a_regression_has_a_status_and_is_told(tmp_path: Path) -> None:
    """What failed, and the command that runs it alone."""
    old = written(tmp_path / "old.json", report(ended("SUB-010", Verdict.PASS)))
    new = written(tmp_path / "new.json", report(failed("SUB-010")))
    worse = run("compare", old, new)
    assert worse.exit_code == 1
    assert "Regressions (1):" in worse.output
    assert "PASS -> FAIL" in worse.output
    assert "--case 'SUB-010'" in worse.output
    better = run("compare", new, old)
    assert better.exit_code == 0
    assert "fixes: 1, unchanged: 0" in better.output
    same = run("compare", new, new)
    assert (same.exit_code, same.output) == (0, "unchanged: 1\n")


def test_reports_become_a_page_and_xml(tmp_path: Path) -> None:
    """Several of them one matrix."""
    one = written(tmp_path / "one.json", report(failed("SUB-010"), name="first"))
    two = written(tmp_path / "two.json", report(failed("SUB-010"), name="second"))
    html, junit = tmp_path / "m.html", tmp_path / "m.xml"
    made = run("report", one, two, "--html", str(html), "--junit", str(junit))
    assert made.exit_code == 0, made.output
    assert '"name":"second"' in html.read_text()
    assert junit.read_text().count("<testsuite ") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare", "nothing.json", "nothing.json"), "No such file"),
        (("report", "nothing.json", "--html", "x.html"), "No such file"),
        (("report", "nothing.json"), "--html or --junit expected"),
    ],
)
def test_what_cannot_be_done_is_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    """The message says what was found."""
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert said in ended.output


@pytest.mark.parametrize("command", ["compare", "report"])
def test_help_shows_examples_and_statuses(command: str) -> None:
    """As that of every command."""
    said = run(command, "--help").output
    assert "Examples:" in said
    assert "Exit status:" in said
