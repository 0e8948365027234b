"""
Sockets to listen on: every address of a host, all with the same port.

``localhost`` is two addresses, 127.0.0.1 and ::1 (rule C-7), and a client may
try either first; so both are bound, also where the port is left to the system.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

from streamer.errors import ConfigError

LOCALHOST: Final = "localhost"
WILDCARDS: Final = ("", "0.0.0.0", "::")

PORT_TRIES: Final = 50
"""How often a free port is sought before one is found that is free on every address."""

BACKLOG: Final = 1024

# What a kernel takes from us before the network can carry it delays newer
# quotes behind it. Linux can be told to take less.
UNSENT_BYTES: Final = 128 * 1024

_NO_SUCH_ADDRESS: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


def listen(host: str, port: int) -> list[socket.socket]:
    """
    Return listening sockets for every address of ``host``, all on one port.

    Args:
        host: ``localhost``, a name, or an address.
        port: 0 picks one that is free on all of them.

    Raises:
        ConfigError: If the host is unknown, or the port is taken or forbidden.
            The text says what to do.

    """
    addresses = _addresses(host)
    for _ in range(PORT_TRIES):
        try:
            return _listen_on(addresses, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port == 0:
                continue
            raise ConfigError(_explanation(host, port, error)) from error
    raise ConfigError(f"No port is free on every address of {host}; expected one: give --port")


def port_of(sockets: list[socket.socket]) -> int:
    """Return the port that ``sockets`` share."""
    port: int = sockets[0].getsockname()[1]
    return port


def url_host(host: str) -> str:
    """Return how ``host`` stands in a URL that works on this machine."""
    if host in WILDCARDS:
        return LOCALHOST
    return f"[{host}]" if ":" in host else host


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if host == LOCALHOST:
        # Not left to the resolver: many machines name one of the two only.
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    try:
        found = socket.getaddrinfo(
            host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"The host {host!r} is unknown ({error}); expected a name or an address of this machine"
        ) from error
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen_on(addresses: list[tuple[socket.AddressFamily, str]], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            try:
                bound = _bind(family, address, port)
            except OSError as error:
                if error.errno not in _NO_SUCH_ADDRESS:
                    raise
                missing = error
                continue
            sockets.append(bound)
            port = port_of(sockets)
        if missing is not None and not sockets:
            raise missing
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # With the protocol named, the event loop sees a TCP socket in what this one accepts, and
    # turns Nagle's algorithm off: else small frames wait some 20 ms for an acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Sockets accepted from this one inherit it.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        bound.bind((address, port))
        # Now, not later: two sockets may be bound to one port as long as
        # neither listens, and the second would only fail then.
        bound.listen(BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def _explanation(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host or 'this machine'} is in use; stop the program that uses it, "
            "or give another with --port (0 picks a free one)"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for the system; expected --port 1024 or above"
    if error.errno in _NO_SUCH_ADDRESS:
        return f"{host} is no address of this machine; expected --host localhost, 0.0.0.0 or ::"
    return f"Cannot listen on {host}, port {port}: {error.strerror}"
