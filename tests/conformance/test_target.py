"""Target files and addresses become values, or are refused in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.case import catalogue
from conformance.cases import load
from conformance.tape import STOCKS
from conformance.target import Target, TargetError, filled

TARGETS = Path(__file__).parents[2] / "conformance" / "targets"
SHIPPED = sorted(TARGETS.glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_are_right(path: Path) -> None:
    """Every target file that comes with the suite can be used, and can be started."""
    target = Target.of_file(path)
    assert target.server.start
    places = dict.fromkeys(("port", "state", "feed", "control", "tape"), "x")
    places |= dict.fromkeys(("feed_port", "control_port", "pid"), "x")
    assert filled(target.server.start, places)


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("ws://localhost:8080", "ws://localhost:8080/enhanced-stream"),
        ("ws://localhost:8080/", "ws://localhost:8080/enhanced-stream"),
        ("http://h:1", "ws://h:1/enhanced-stream"),
        ("wss://h/quotes", "wss://h/quotes"),
    ],
)
def test_an_address_alone_is_a_target(url: str, becomes: str) -> None:
    """Of a server that runs already only the address is known: no feed, no start, no clock."""
    target = Target.of_url(url)
    assert target.server.url == becomes
    assert not target.server.start
    assert target.feed.kind == "none"
    assert target.clock.drivers == ("wall",)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://h", "ws://", "ws://h:99999", ""])
def test_no_address_is_refused(url: str) -> None:
    """What is no ws:// or http:// address is refused."""
    with pytest.raises(TargetError, match="address expected"):
        Target.of_url(url)


def test_a_file_is_read(tmp_path: Path) -> None:
    """Commands may be text or lists; stocks that the tape knows are those of the tape."""
    path = tmp_path / "t.toml"
    path.write_text(
        """
name = "mine"
[server]
start = "node 'my server.js' {port}"
cwd = "app"
variants = { odd = ["--odd"] }
[features]
calendar = false
[expected_failures]
"DAT-*" = "known"
[[stocks]]
symbol = "SBIN"
token = "3045"
[[stocks]]
symbol = "OWN"
token = "7"
exchange = "BSE"
"""
    )
    target = Target.of_file(path)
    assert target.server.start == ("node", "my server.js", "{port}")
    assert target.server.cwd == tmp_path / "app"
    assert target.server.variants == {"odd": ("--odd",)}
    assert not target.has("calendar")
    assert target.has("bse")
    assert target.stocks[0] is STOCKS[0]
    assert target.stocks[1].label == "OWN (BSE)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "name"),
        ("name = 1", "str"),
        ("name = 'x'\nsevrer = 1", "sevrer"),
        ("name = 'x'\n[server]\nstart = 'a {prot}'", "prot"),
        ("name = 'x'\n[server]\nstart = 'a {'", "placeholder"),
        ("name = 'x'\n[clock]\ndrivers = ['sundial']", "sundial"),
        ("name = 'x'\n[clock]\ndrivers = ['command']", "clock.command"),
        ("name = 'x'\n[server]\nready_s = 0", "> 0"),
        ("name = ", "no TOML.*expected a target file, as .*foreign.toml"),
        ("# A heading\n\nAnd text", "no TOML.*line 3"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, found: str) -> None:
    """The message names the file and what is wrong in it."""
    path = tmp_path / "t.toml"
    path.write_text(text)
    with pytest.raises(TargetError, match=found) as caught:
        Target.of_file(path)
    assert str(path) in str(caught.value)


def test_the_commented_target_names_every_feature_that_cases_use() -> None:
    """Who copies it sees all that can be left out; no other name has an effect."""
    load()
    used = {feature for case in catalogue() for feature in case.features}
    text = (TARGETS / "foreign.toml").read_text(encoding="utf-8")
    assert set(re.findall(r"^# ([a-z-]+) = false", text, re.M)) == used | {"calendar"}


def test_our_target_has_every_variant_that_cases_use() -> None:
    """A case whose variant is not named is skipped, and would never be judged."""
    load()
    used = {case.variant for case in catalogue() if case.variant}
    assert set(Target.of_file(TARGETS / "streamer.toml").server.variants) == used


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """No file is no target."""
    with pytest.raises(TargetError, match="No such file"):
        Target.of_file(tmp_path / "nothing.toml")
