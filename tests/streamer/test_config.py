"""The options, and the file that may give them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import Config, parse_duration, read_options
from streamer.errors import ConfigError

KNOWN = ("port", "origin", "log_level")


def write(tmp_path: Path, text: str) -> Path:
    """Return a file of options."""
    path = tmp_path / "streamer.toml"
    path.write_text(text)
    return path


def test_a_file_gives_options(tmp_path: Path) -> None:
    """Numbers, texts and lists come out as TOML has them."""
    path = write(tmp_path, 'port = 0\norigin = ["https://a.example"]\nlog_level = "debug"\n')
    assert read_options(path, KNOWN) == {
        "port": 0,
        "origin": ["https://a.example"],
        "log_level": "debug",
    }


def test_unknown_keys_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A misspelt option must not be ignored: it would be believed to be in force."""
    with pytest.raises(ConfigError) as caught:
        read_options(write(tmp_path, "prot = 1\nlog-level = 'debug'\n"), KNOWN)
    assert "unknown keys prot, log-level" in str(caught.value)
    assert "expected any of log_level, origin, port" in str(caught.value)


def test_a_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    """The place of the fault is named."""
    with pytest.raises(ConfigError, match="line 1"):
        read_options(write(tmp_path, "port: 8080"), KNOWN)
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="no TOML"):
        read_options(path, KNOWN)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A file that was named must be there."""
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        read_options(tmp_path / "none.toml", KNOWN)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20", 20), ("1.5", 1.5), ("30s", 30), ("5m", 300), ("24h", 86400), ("30 D", 30 * 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    """Seconds, or a number with a unit."""
    assert parse_duration(text) == seconds


@given(st.floats(0, 1e9, allow_nan=False).filter(lambda value: "e" not in str(value)))
def test_any_number_of_seconds_is_a_duration(value: float) -> None:
    """What Python prints of a number of seconds is read back as it was."""
    assert parse_duration(str(value)) == value


@pytest.mark.parametrize("text", ["", "-1", "1w", "s", "1 2", "nan", "1e3", "٣"])
def test_other_durations_are_refused(text: str) -> None:
    """The text says what was expected."""
    with pytest.raises(ValueError, match="s, m, h or d"):
        parse_duration(text)


@pytest.mark.parametrize("url", ["", "127.0.0.1:4509", "http://feed:4509", "ws://", "ws:feed"])
def test_the_feed_must_be_a_websocket_address(url: str) -> None:
    """A wrong address is wrong usage, not a feed that is down."""
    with pytest.raises(ConfigError, match="ws://127"):
        Config(upstream=url)


@pytest.mark.parametrize("token", ["short", "with a blank", "schlüssel"])
def test_an_admin_token_must_be_hard_to_guess_and_fit_a_header(token: str) -> None:
    """What could never be shown would lock the operator out; the error does not tell it."""
    with pytest.raises(ConfigError, match=r"admin_token has .* expected 8 or more") as caught:
        Config(upstream="ws://feed:1", admin_token=token)
    assert token not in str(caught.value)
    assert Config(upstream="ws://feed:1", admin_token="long-enough").admin_token


def test_sessions_live_in_the_state_folder() -> None:
    """The state folder is the user's, by the usual rule."""
    config = Config(upstream="ws://feed")
    assert config.session_file({"XDG_STATE_HOME": "/state"}) == Path(
        "/state/odin-streamer/sessions.db"
    )
    assert config.session_file({}) == Path.home() / ".local/state/odin-streamer/sessions.db"


def test_simulated_sessions_have_a_file_of_their_own() -> None:
    """Playing a recording never touches the sessions of production."""
    config = Config(upstream="ws://feed", clock="feed")
    name = config.session_file({"XDG_STATE_HOME": "/state"}).name
    assert name == "simulated-sessions.db"


def test_a_named_file_goes_before_both() -> None:
    """--db is taken as given."""
    config = Config(upstream="ws://feed", clock="feed", db=Path("here.db"))
    assert config.session_file({"XDG_STATE_HOME": "/state"}) == Path("here.db")
