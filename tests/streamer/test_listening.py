"""Sockets to listen on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.protocol import State

from streamer.errors import ConfigError
from streamer.links import StreamSocket
from streamer.listening import listen, port_of, url_host
from tests.streamer.serving import Serving


def has_ipv6_loopback() -> bool:
    """Tell if this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Listen, and close at the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(bound) for bound in listen(host, port)]


def test_localhost_is_both_loopback_addresses_on_one_port() -> None:
    """C-7: the default host is 127.0.0.1 and ::1, also where the port is picked."""
    with listening("localhost", 0) as sockets:
        addresses = {bound.getsockname()[0] for bound in sockets}
        assert addresses == ({"127.0.0.1", "::1"} if has_ipv6_loopback() else {"127.0.0.1"})
        assert {bound.getsockname()[1] for bound in sockets} == {port_of(sockets)}
        for bound in sockets:
            with socket.create_connection(bound.getsockname()[:2], timeout=5):
                pass


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    """A taken port is no traceback but advice."""
    with listening("localhost", 0) as sockets:
        port = port_of(sockets)
        with pytest.raises(ConfigError, match=rf"Port {port} .* in use; .*--port"):
            listen("localhost", port)


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no ::1")
def test_a_port_taken_on_one_of_the_addresses_is_taken() -> None:
    """C-7: a client that tries ::1 first must not reach another program."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match="in use"):
            listen("localhost", port)
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_an_unknown_host_is_told() -> None:
    """A host that nobody knows, or that is elsewhere, is a mistake in an option."""
    with pytest.raises(ConfigError, match="unknown"):
        listen("no such host", 0)
    with pytest.raises(ConfigError, match="no address of this machine"):
        listen("203.0.113.7", 0)


@pytest.mark.parametrize(
    ("host", "shown"),
    [("localhost", "localhost"), ("0.0.0.0", "localhost"), ("::", "localhost"), ("::1", "[::1]")],
)
def test_the_url_works_on_this_machine(host: str, shown: str) -> None:
    """What is printed can be pasted into a client."""
    assert url_host(host) == shown


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="Linux and macOS only")
def test_accepted_sockets_keep_little_unsent() -> None:
    """M-5: quotes that wait in the kernel cannot be replaced by newer ones."""
    with listening("127.0.0.1", 0) as [bound]:
        with socket.create_connection(bound.getsockname(), timeout=5):
            accepted, _ = bound.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) < 1 << 18


async def test_small_frames_leave_at_once(tmp_path: Path) -> None:
    """What a client's socket is written is not held back for an acknowledgement of the last."""
    async with Serving(tmp_path) as serving, serving.client() as client:
        await client.until("welcome")
        accepted = next(each for each in StreamSocket.everyone if each.state is State.OPEN)
        plug = accepted.transport.get_extra_info("socket")
        assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
