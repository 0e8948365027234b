from __future__ import annotations

import pytest

from simulator.sockets import address_of, open_listener, reachable_host
from streamer.errors import ConfigError


def test_port_0_picks_a_free_one() -> None:
    """The address tells which."""
    listener = open_listener("localhost", 0, option="--feed-port")
    host, port = address_of(listener, "localhost").split(":")
    assert host == "127.0.0.1"
    assert int(port) > 0
    listener.close()


def test_a_port_in_use_is_told_by_its_option() -> None:
    """Even before the first program accepts connections on it."""
    first = open_listener("127.0.0.1", 0, option="--feed-port")
    port = first.getsockname()[1]
    with pytest.raises(ConfigError, match=f"--feed-port {port} is in use: choose another, or 0"):
        open_listener("127.0.0.1", port, option="--feed-port")
    first.close()


def test_an_address_that_is_not_ours_is_refused() -> None:
    """192.0.2.1 is nobody's."""
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        open_listener("192.0.2.1", 0, option="--feed-port")


def test_a_host_that_is_no_address_is_refused() -> None:
    """The message names it."""
    with pytest.raises(ConfigError, match="--host"):
        open_listener("no such host", 0, option="--feed-port")


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_listener_on_every_address_is_reached_on_this_machine(host: str, reached: str) -> None:
    """What stands in a URL works from here."""
    assert reachable_host(host) == reached
