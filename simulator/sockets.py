"""Listening sockets that say in plain words why they cannot be had."""

from __future__ import annotations

import errno
import socket

from streamer.errors import ConfigError

__all__ = ["address_of", "open_listener", "reachable_host"]

_BACKLOG = 256
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "localhost": "127.0.0.1", "": "127.0.0.1"}


def open_listener(host: str, port: int, *, option: str) -> socket.socket:
    """
    Return a listening, non-blocking TCP socket.

    Args:
        host: An address or a name; ``localhost`` is 127.0.0.1 here.
        port: 0 picks a free one.
        option: The option that chose ``port``, for the message.

    Raises:
        ConfigError: If the port is in use or the host is not ours.

    """
    host = "127.0.0.1" if host == "localhost" else host
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(f"--host {host}: {error.strerror}; expected an address of ours") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Now, not later: two sockets may be bound to one port as long as
        # neither listens, and the second would only fail then.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"{option} {port} is in use: choose another, or 0 for a free one"
            ) from None
        raise ConfigError(f"cannot listen on {host}, {option} {port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


def reachable_host(host: str) -> str:
    """Return how a program on this machine reaches ``host``, as it stands in a URL."""
    if host in _WILDCARDS:
        return _WILDCARDS[host]
    return f"[{host}]" if ":" in host else host


def address_of(listener: socket.socket, host: str) -> str:
    """Return ``HOST:PORT`` under which a program on this machine reaches a listener."""
    return f"{reachable_host(host)}:{listener.getsockname()[1]}"
