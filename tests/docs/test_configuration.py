"""The pages on options and operations say what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from streamer import answers, hub, server, speaker
from streamer.cli import serve
from streamer.config import Config, read_options
from streamer.health import health
from streamer.instruments import Instrument, InstrumentTable
from streamer.journal import Event, Journal
from streamer.relisting import compare
from streamer.reloading import Reloaded
from tests.streamer.desk import Desk

DOCS = Path(__file__).parents[2] / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")

ROW = re.compile(r"^\| `(--[a-z-]+)(?: [A-Za-z.]+)?` \| (?:`(.*?)`)? ?\| (.+) \|$", re.MULTILINE)
OPTIONS = {each.opts[0]: each for each in serve.params if isinstance(each, click.Option)}


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_every_option_has_its_row_in_the_order_of_the_help() -> None:
    """Nothing is left out, nothing is made up."""
    assert [name for name, _, _ in ROW.findall(CONFIGURATION)] == list(OPTIONS)


@pytest.mark.parametrize(("name", "default"), [row[:2] for row in ROW.findall(CONFIGURATION)])
def test_each_default_is_the_real_one(name: str, default: str) -> None:
    """A row shows what holds when nothing is given."""
    option = OPTIONS[name]
    real = "" if option.is_flag or option.multiple else option.default
    shown = real if isinstance(real, str | int | float) else ""
    assert default == str(shown)


@pytest.mark.parametrize("name", [row[0] for row in ROW.findall(CONFIGURATION)])
def test_each_choice_is_named(name: str) -> None:
    """A row of an option with few values names them all."""
    kind = OPTIONS[name].type
    row = next(row for row in ROW.findall(CONFIGURATION) if row[0] == name)
    for choice in kind.choices if isinstance(kind, click.Choice) else ():
        assert f"`{choice}`" in f"{row[1]} {row[2]}" or row[1] == choice


def test_the_file_of_options_is_one(tmp_path: Path) -> None:
    """The example can be copied."""
    [example] = blocks(CONFIGURATION, "toml")
    path = tmp_path / "streamer.toml"
    path.write_text(example)
    options = read_options(path, Config.__struct_fields__)
    context = click.Context(serve)
    for name, value in options.items():
        OPTIONS[f"--{name.replace('_', '-')}"].type_cast_value(context, value)


def shape(value: Any) -> Any:
    """Return the keys of JSON, without its values."""
    return {key: shape(each) for key, each in value.items()} if isinstance(value, dict) else None


def test_the_health_example_has_the_real_shape() -> None:
    """Monitors may be written from the page."""
    example, *_ = (json.loads(block) for block in blocks(OPERATIONS, "json"))
    desk = Desk()
    desk.log_on("10:00")
    desk.hub.upstream("down", desk.now)
    assert shape(example) == shape(health(desk.hub, desk.now)[1])


def test_each_event_is_shown_as_it_is_told() -> None:
    """A parent process may be written from the page."""
    shown = [json.loads(block) for block in blocks(OPERATIONS, "json")][1:]
    told: list[Event] = []
    journal = Journal(told.append)
    journal.listening("localhost", 8080, "ws://localhost:8080/enhanced-stream")
    journal.upstream("connected")
    journal.client_connected("trading_app_123", 1)
    journal.client_gone("trading_app_123", 0, 1000, "")
    journal.stopping("the feed has logged off")
    journal.stopped("the feed has logged off", 48211)
    assert shown == told


def test_the_close_codes_are_the_real_ones() -> None:
    """C-8: each code of our own is explained."""
    shown = {int(code) for code in re.findall(r"^\| (\d{4}) \|", OPERATIONS, re.MULTILINE)}
    ours = {
        server.INTERNAL_ERROR,
        server.SERVICE_RESTART,
        server.ACCESS_REVOKED,
        speaker.SLOW_CONSUMER,
        answers.RATE_LIMIT_ABUSED,
        hub.SESSION_REPLACED,
    }
    assert shown == ours | {1009}


@pytest.mark.parametrize("page", [CONFIGURATION, OPERATIONS])
def test_options_that_are_named_exist(page: str) -> None:
    """No page names an option that is not there."""
    assert set(re.findall(r"`(--[a-z-]+)", page)) <= set(OPTIONS)


def test_the_answer_to_a_reload_has_the_real_shape() -> None:
    """Scripts may be written from the page."""
    [example] = (json.loads(block) for block in blocks(OPERATIONS, "jsonc"))
    before = InstrumentTable(
        [
            Instrument(1, 5097, "ZOMATO", "NSE", "EQ"),
            Instrument(1, 345, "ALPHA", "NSE", "EQ", isin="INE000A01001"),
        ]
    )
    after = InstrumentTable(
        [
            Instrument(1, 5097, "ETERNAL", "NSE", "EQ"),
            Instrument(1, 9345, "ALPHA", "NSE", "BE", isin="INE000A01001"),
        ]
    )
    real = Reloaded(compare(before, after), tokens=4).as_json_dict()
    assert example | {"instruments": 2, "added": 1, "changed": 0} == real
