"""The command line: what it accepts, refuses, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

import streamer.app
import streamer.logs
from streamer.cli import cli, serve
from streamer.config import Config
from streamer.errors import ConfigError

UPSTREAM = ("--upstream", "ws://127.0.0.1:1")


def invoke(*args: str, env: Mapping[str, str] | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(cli, args, env=env, prog_name="odin-streamer")


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Take the server's place; return the options that it would have been given."""
    found: list[Config] = []

    def run(config: Config, environ: Mapping[str, str]) -> int:
        found.append(config)
        return 0

    monkeypatch.setattr(streamer.app, "run", run)
    monkeypatch.setattr(streamer.logs, "configure", lambda level, form: None)
    return found


def serve_options() -> dict[str, click.Option]:
    """Return the options of ``serve`` by the name of their field."""
    options = {each.name: each for each in serve.params if isinstance(each, click.Option)}
    return {name: option for name, option in options.items() if name not in (None, "config")}


def test_every_field_is_an_option_and_the_reverse() -> None:
    """No option without an effect, no setting that cannot be set."""
    assert set(serve_options()) == set(Config.__struct_fields__)


def test_every_option_can_be_set_in_the_environment() -> None:
    """The name is the option's own."""
    for name, option in serve_options().items():
        assert option.envvar == f"ODIN_STREAMER_{name.upper()}"
        assert option.opts == [f"--{name.replace('_', '-')}"]


def test_defaults_are_those_of_the_config(configured: list[Config]) -> None:
    """What --help shows is what the server does."""
    assert invoke("serve", *UPSTREAM).exit_code == 0
    assert configured == [Config(upstream="ws://127.0.0.1:1")]


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    configured: list[Config], tmp_path: Path
) -> None:
    """Precedence: command line, environment, file, default."""
    path = tmp_path / "streamer.toml"
    path.write_text(
        'upstream = "ws://file:1"\nport = 1\nrequest_rate = 1\nmax_subscriptions = 1\n'
        'origin = ["https://a.example", "https://B.example/"]\nlossless = true\n'
        'session_ttl = "2d"\n'
    )
    result = invoke(
        "serve",
        "--config",
        str(path),
        "--port",
        "3",
        env={"ODIN_STREAMER_PORT": "2", "ODIN_STREAMER_REQUEST_RATE": "2.5"},
    )
    assert result.exit_code == 0, result.output
    [config] = configured
    assert (config.port, config.request_rate, config.max_subscriptions) == (3, 2.5, 1)
    assert config.upstream == "ws://file:1"
    assert config.origin == ("https://a.example", "https://b.example")
    assert config.lossless is True
    assert config.session_ttl == 2 * 86400
    assert config.ping_interval == 20


def test_the_file_can_be_named_in_the_environment(configured: list[Config], tmp_path: Path) -> None:
    """A unit file needs no command line at all."""
    path = tmp_path / "streamer.toml"
    path.write_text('upstream = "ws://file:1"\n')
    assert invoke("serve", env={"ODIN_STREAMER_CONFIG": str(path)}).exit_code == 0
    assert configured[0].upstream == "ws://file:1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prot = 1", "expected any of admin_token, calendar,"),
        ("port = 70000", "port: 70000 is not in the range"),
        ('port = "x"', "port: 'x' is not a valid integer"),
        ('clock = "sun"', "clock: 'sun' is not one of 'wall', 'feed'"),
        ('origin = "https://a.example"', "origin is 'https://a.example'; expected a list"),
        ("port = [1]", "port is [1]; expected a single value"),
        ('ping_interval = "soon"', "ping_interval: found 'soon'"),
        ("port 1", "no TOML"),
    ],
)
def test_a_bad_file_is_wrong_usage(tmp_path: Path, text: str, problem: str) -> None:
    """Exit status 2, with the file, the key and what was expected."""
    path = tmp_path / "streamer.toml"
    path.write_text(text)
    result = invoke("serve", *UPSTREAM, "--config", str(path))
    assert result.exit_code == 2
    assert problem in " ".join(result.output.split())
    assert "streamer.toml" in result.output


@pytest.mark.parametrize(
    "args",
    [
        ("serve",),
        ("serve", "--upstream", "http://feed"),
        ("serve", *UPSTREAM, "--port", "-1"),
        ("serve", *UPSTREAM, "--session-ttl", "1y"),
        ("serve", *UPSTREAM, "--ping-interval", "0"),
        ("serve", *UPSTREAM, "--nonsense"),
        ("serve", *UPSTREAM, "--config", "/no/such/file.toml"),
        ("calendar",),
        ("nonsense",),
    ],
)
def test_wrong_usage_is_2(args: tuple[str, ...]) -> None:
    """Exit status 2, and a message instead of a trace."""
    result = invoke(*args)
    assert result.exit_code == 2
    assert "Error: " in result.output


def test_a_failure_is_1_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1: what cannot be used is told in words."""

    def run(config: Config, environ: Mapping[str, str]) -> int:
        raise ConfigError("Port 8080 is in use")

    monkeypatch.setattr(streamer.app, "run", run)
    monkeypatch.setattr(streamer.logs, "configure", lambda level, form: None)
    result = invoke("serve", *UPSTREAM)
    assert result.exit_code == 1
    assert result.output == "Error: Port 8080 is in use\n"


@pytest.mark.parametrize("command", [(), ("serve",), ("calendar",)])
def test_help_tells_what_it_is(command: tuple[str, ...]) -> None:
    """Each command explains itself."""
    for flag in ("--help", "-h"):
        result = invoke(*command, flag)
        assert result.exit_code == 0
        assert result.output.startswith("Usage: odin-streamer")
    if command:
        assert "Examples:" in result.output


def test_version() -> None:
    """--version names the program and its version."""
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.output.startswith("odin-streamer, version ")


@pytest.mark.parametrize("module", ["streamer", "streamer.cli"])
def test_both_modules_are_the_command(module: str) -> None:
    """``python -m streamer`` and ``python -m streamer.cli`` work."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("odin-streamer, version ")


def test_help_imports_nothing_heavy() -> None:
    """--help is quick because what serves, and data frames, are not imported for it."""
    code = (
        "import sys\nfrom streamer.cli import cli\n"
        "try: cli(['serve', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('asyncio', 'websockets', 'polars', 'numpy', 'sqlite3', 'streamer.hub')"
        " if m in sys.modules], file=sys.stderr)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    # Ten times what it needs: only a gross mistake fails here.
    assert time.perf_counter() - began < 2.5


def test_the_config_survives_a_round_trip(configured: list[Config]) -> None:
    """Options given as text arrive with their types."""
    invoke("serve", *UPSTREAM, "--db", "a.db", "--instruments", "1.csv", "--instruments", "2.csv")
    [config] = configured
    assert config.db == Path("a.db")
    assert config.instruments == (Path("1.csv"), Path("2.csv"))
    assert msgspec.structs.replace(config, db=None, instruments=()) == Config(
        upstream="ws://127.0.0.1:1"
    )


def test_several_files_in_the_environment(configured: list[Config]) -> None:
    """Files are separated as paths are, other values by blanks."""
    env = {
        "ODIN_STREAMER_INSTRUMENTS": os.pathsep.join(("1.csv", "2.csv")),
        "ODIN_STREAMER_ORIGIN": "https://a.example https://b.example",
    }
    assert invoke("serve", *UPSTREAM, env=env).exit_code == 0
    assert configured[0].instruments == (Path("1.csv"), Path("2.csv"))
    assert configured[0].origin == ("https://a.example", "https://b.example")
