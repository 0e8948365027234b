"""The page tells by itself what failed and how to run it again, in a real browser."""

from __future__ import annotations

import html
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from conformance.page import page
from conformance.verdicts import Verdict
from tests.conformance.reports import ALL, ended, failed, report
from tests.guide.browser import CHROMIUM, SWITCHES
from tests.guide.program import require

WITHIN_S = 60


def rendered(content: str, tmp_path: Path, fragment: str = "") -> str:
    """Return the text of the page as a browser shows it, after its script has run."""
    chromium = require(*CHROMIUM)
    path = tmp_path / "page.html"
    path.write_text(content)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        ended = subprocess.run(
            [
                chromium,
                *SWITCHES,
                f"--user-data-dir={profile}",
                "--enable-logging=stderr",
                "--dump-dom",
                f"{path.as_uri()}{fragment}",
            ],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=True,
        )
    assert "CONSOLE" not in ended.stderr, ended.stderr
    body = re.sub(r"<script.*?</script>", "", ended.stdout, flags=re.DOTALL)
    body = re.sub(r'<div class="case"[^>]*hidden.*?(?=<div class="case"|</section>)', "", body)
    return html.unescape(re.sub(r"<[^>]+>", " ", body))


def test_the_first_failure_is_open(tmp_path: Path) -> None:
    """Expected and found, the rule's text, why it matters, wire log, server's words, command."""
    text = " ".join(rendered(page(report(*ALL)), tmp_path).split())
    assert "Server <1>" in text
    assert "Failed: 3 of 10 cases fail the run. Exit status 1." in text
    assert 'Expected subscribed_stocks ["SBIN"] Found []' in text
    assert "odin-conformance run ws://h:1 --case 'SUB-010' --profile full --seed 0" in text
    assert "is answered by subscription_response" in text
    assert "Servers that echo 3045 fail it." in text
    assert '7.5 ms peer 1 → {"action":"subscribe","stocks":["</script><b>"]}' in text
    assert "SBIN 767.2 of 15:30:00.000" in text
    assert "it is 11:00:02" in text
    assert "and <tag>" in text
    assert "begins at 2025-09-04 11:00:00 of the market's time" in text


def test_what_did_not_pass_is_shown_first(tmp_path: Path) -> None:
    """Passed cases are there at a click; each verdict has one."""
    text = " ".join(rendered(page(report(*ALL)), tmp_path).split())
    assert "Not passed 7 All 10 FAIL 3 ERROR 1 INCONCLUSIVE 1 NON-STRICT 1 PASS 2 INFO 1" in text
    assert "7 of 10 cases." in text


def test_a_case_has_an_address(tmp_path: Path) -> None:
    """The page opens at the case that its address names, though it passed."""
    text = " ".join(rendered(page(report(*ALL)), tmp_path, "#CON-010").split())
    assert "All 10 cases." in text
    assert "odin-conformance run ws://h:1 --case 'CON-010'" in text


def test_servers_stand_beside_each_other(tmp_path: Path) -> None:
    """A matrix: a column a server, an empty cell where one was not judged by a case."""
    good = report(ended("SUB-010", Verdict.PASS), name="good")
    bad = report(failed("SUB-010"), failed("UNS-010"), name="bad")
    text = " ".join(rendered(page(good, bad), tmp_path).split())
    assert "2 servers 1 of 2 servers passed." in text
    assert "Stocks are named PASS FAIL" in text
    assert "Stocks are named – FAIL" in text


def test_a_passed_run_shows_all(tmp_path: Path) -> None:
    """There is nothing to look at first."""
    text = rendered(page(report(ended("SUB-010", Verdict.PASS))), tmp_path)
    assert "Passed: every MUST that was judged holds." in text
    assert "All 1 case." in text


@pytest.mark.parametrize(
    "pattern", [r"\bsrc=", r"@import", r"url\(", r"<link[^>]+href=\"(?!data:)"]
)
def test_nothing_is_loaded(pattern: str) -> None:
    """One file, which a policy keeps from the network too."""
    content = page(report(*ALL))
    head = content.partition('<script type="application/json"')[0]
    assert re.search(pattern, head) is None
    assert "default-src 'none'" in head
